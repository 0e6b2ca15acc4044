"""Forms of curated files: names and bytes of Parquet, Arrow and JSON Lines files, written group by group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import numpy as np
import pyarrow as pa
import zstandard
from numpy.typing import NDArray

from tamis.data.parquet import ZSTD_LEVEL, parquet_writer
from tamis.data.restoration import restore_types

LINE = "line"
"""Column of the batches of ``LinesForm``: one line of JSON without its line feed, large_binary."""


class FileForm(Protocol):
    """Format and names of the files of a curated corpus."""

    def name(self, number: int, count: int) -> str:
        """Return the name of a file by its number, of ``count``."""

    def write(self, path: Path, groups: Iterable[pa.Table], *, number: int, schema: pa.Schema) -> None:
        """Write a file.

        Args:
            path: where to write.
            groups: its rows in order, in tables that each fit into memory.
            number: of the file.
            schema: of the file, with metadata.
        """


@dataclass(frozen=True)
class ParquetForm:
    """Parquet, a row group per group."""

    def name(self, number: int, count: int) -> str:
        """Return ``part-00000.parquet`` and so on."""
        return f"part-{number:05d}.parquet"

    def write(self, path: Path, groups: Iterable[pa.Table], *, number: int, schema: pa.Schema) -> None:
        """Write a file in the source's types."""
        bare = schema.remove_metadata()
        with parquet_writer(path, schema, metadata=schema.metadata) as writer:
            for group in groups:
                writer.write_table(restore_types(group, bare), row_group_size=group.num_rows)


@dataclass(frozen=True)
class ArrowForm:
    """Arrow IPC streams as ``datasets`` saves them, not compressed, so that they can be mapped into memory."""

    def name(self, number: int, count: int) -> str:
        """Return ``data-00000-of-00001.arrow`` and so on."""
        return f"data-{number:05d}-of-{count:05d}.arrow"

    def write(self, path: Path, groups: Iterable[pa.Table], *, number: int, schema: pa.Schema) -> None:
        """Write a file in the source's types."""
        bare = schema.remove_metadata()
        with path.open("wb") as file, pa.ipc.new_stream(file, schema) as writer:
            for group in groups:
                table = restore_types(group, bare).combine_chunks()
                writer.write_table(table.replace_schema_metadata(schema.metadata))


@dataclass(frozen=True, eq=False)
class LinesForm:
    """JSON Lines from the column ``LINE``, plain or as one Zstandard frame that states its size.

    Attributes:
        packed: whether to compress.
        sizes: int64 (files,), bytes of each file before compression; needed where ``packed``.
    """

    packed: bool
    sizes: NDArray[np.int64]

    def name(self, number: int, count: int) -> str:
        """Return ``part-00000.jsonl`` and so on."""
        return f"part-{number:05d}.jsonl" + (".zst" if self.packed else "")

    def write(self, path: Path, groups: Iterable[pa.Table], *, number: int, schema: pa.Schema) -> None:
        """Write a file; every line ends with a line feed."""
        with path.open("wb") as file:
            if not self.packed:
                _write_lines(file, groups)
                return
            packer = zstandard.ZstdCompressor(level=ZSTD_LEVEL, threads=0, write_checksum=True)
            with packer.stream_writer(file, size=int(self.sizes[number]), closefd=False) as stream:
                _write_lines(stream, groups)


def _write_lines(file: IO[bytes], groups: Iterable[pa.Table]) -> None:
    for group in groups:
        for chunk in group.column(LINE).chunks:
            for line in chunk.to_pylist():
                file.write(line + b"\n")

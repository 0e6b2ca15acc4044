"""Reading external Parquet files: page checksums verified, text checked, memory bounded."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.data.errors import CorpusError
from tamis.data.formats import Cut, Mark, Probe, detect_compression, rows_only
from tamis.data.repair import Repairs, repair_batch
from tamis.data.schema import conform
from tamis.data.typed_probe import SAMPLE_ROWS, check_names, typed_probe

_VARIANT = re.compile(
    r"^ *(?:required|optional|repeated) group field_id=-?\d+ (.*) \(Variant(?:\(\d+\))?\) \{$", re.MULTILINE
)


class ParquetReader:
    """The Parquet format; a mark is a row group, which is never split between shards."""

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Read the footer; with ``thorough`` decode every page too."""
        with _opened(path) as file:
            schema, meta = file.schema_arrow, file.metadata
            check_names(schema, path.name)
            _refuse_variants(file, path.name)
            marks, row = [], 0
            for group in range(meta.num_row_groups):
                info = meta.row_group(group)
                marks.append(Mark(row, info.num_rows, group, info.total_byte_size))
                row += info.num_rows
            probe = typed_probe(schema, marks, row, partial(_first_rows, file))
        if thorough:
            cut = Cut(probe.marks, tuple(schema.names), 8192, 16 << 20)
            for _ in self.read(path, probe, cut, Repairs()):
                pass
        return probe

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of whole row groups; memory holds only one batch and its pages."""
        groups = [mark.offset for mark in cut.marks if mark.rows]
        rows = sum(mark.rows for mark in cut.marks)
        if not rows:
            return
        width = max(1, sum(mark.bytes for mark in cut.marks) // rows)
        size = max(1, min(cut.max_rows, cut.max_bytes // width))
        schema = pa.schema([probe.schema.field(name) for name in cut.columns])
        with _opened(path) as file:
            if not cut.columns:
                yield from (rows_only(min(size, rows - start)) for start in range(0, rows, size))
                return
            seen = 0
            for batch in file.iter_batches(size, row_groups=groups, columns=list(cut.columns), use_threads=False):
                arrays = [conform(batch.column(name), schema.field(name).type, decode=True) for name in cut.columns]
                seen += batch.num_rows
                yield repair_batch(pa.RecordBatch.from_arrays(arrays, schema=schema), repairs)
            if seen != rows:
                # A damaged page header can end a column early without an error.
                raise CorpusError(f"{path.name} is not a sound Parquet file: {seen} rows where its footer says {rows}")


def _first_rows(file: pq.ParquetFile, mark: Mark, columns: Sequence[str]) -> pa.RecordBatch | None:
    """Return the first rows of a row group."""
    batches = file.iter_batches(SAMPLE_ROWS, row_groups=[mark.offset], columns=list(columns), use_threads=False)
    return next(batches, None)


def _refuse_variants(file: pq.ParquetFile, name: str) -> None:
    """Refuse columns of type VARIANT: Arrow returns only their encoded bytes."""
    found = _VARIANT.findall(str(file.schema))
    if found:
        raise CorpusError(
            f"{name} has columns of type VARIANT, which cannot be read",
            value=sorted(found),
            fix="write them as JSON, in DuckDB with SELECT * REPLACE (CAST(column AS JSON) AS column)",
        )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a file; turn every error of opening or reading into a ``CorpusError`` that names it."""
    if path.stat().st_size == 0:
        raise CorpusError(f"{path.name} is empty (zero bytes)")
    try:
        with pq.ParquetFile(
            path, page_checksum_verification=True, pre_buffer=False, buffer_size=1 << 20, memory_map=False
        ) as file:
            yield file
    except pa.ArrowNotImplementedError as error:
        raise CorpusError(
            f"{path.name} holds something this reader does not know: {first_line(error)}",
            fix="the file may be sound; write it again with the column as another type, such as text, or without it",
        ) from error
    except (OSError, pa.lib.ArrowException) as error:
        if detect_compression(path, ""):
            raise CorpusError(f"{path.name} is compressed as a whole", fix="unpack it first") from error
        raise CorpusError(f"{path.name} is not a sound Parquet file: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    return (str(error) or type(error).__name__).strip().splitlines()[0]

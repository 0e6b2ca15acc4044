"""Writing and reading our own Parquet files: equal tables give equal bytes, pages have checksums, writes are atomic."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.data.errors import StoreError

ROW_GROUP_ROWS = 65_536
ZSTD_LEVEL = 3


@contextlib.contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is fsynced and renamed, on failure removed.

    Args:
        path: final name.
        durable: whether to fsync; not needed for files that can be made again and are checked when read.

    Raises:
        StoreError: the disk is full, a limit is reached, or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            if durable:
                sync(temporary)
            temporary.replace(path)
            if durable:
                sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> StoreError:
    """Return the error that says why ``path`` could not be written."""
    return StoreError(
        f"Cannot write {path}: {error.strerror or error}",
        fix="free some space or choose another folder, then start again: what is already stored is kept",
    )


def sync(path: Path) -> None:
    """Force a file or a folder to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a whole file atomically; ``durable`` as ``atomic_write``."""
    with atomic_write(path, durable=durable) as temporary:
        temporary.write_bytes(data)


def parquet_writer(
    where: Path, schema: pa.Schema, *, plain: bool = False, metadata: Mapping[bytes, bytes] | None = None
) -> pq.ParquetWriter:
    """Return a writer with all settings that affect bytes fixed: zstd 3, page checksums, no metadata but ``metadata``.

    Args:
        where: the file.
        schema: of the tables.
        plain: neither compressed nor encoded, for interactive use.
        metadata: of the file.
    """
    return pq.ParquetWriter(
        where,
        # Empty metadata gives other bytes than none, and a file is named by its bytes.
        schema.with_metadata(metadata) if metadata else schema.remove_metadata(),
        version="2.6",
        compression="none" if plain else "zstd",
        compression_level=None if plain else ZSTD_LEVEL,
        use_dictionary=not plain,
        write_statistics=True,
        data_page_version="1.0",
        write_batch_size=1024,
        write_page_checksum=True,
        store_schema=True,
    )


def write_parquet(table: pa.Table, path: Path, *, row_group_rows: int = ROW_GROUP_ROWS, plain: bool = False) -> None:
    """Write a table so that equal tables give equal bytes for any chunks.

    Args:
        table: rows in their final order; schema metadata is not written.
        path: final name; it appears only when the file is complete.
        row_group_rows: rows per row group.
        plain: see ``parquet_writer``.

    Raises:
        StoreError: the file cannot be written.
    """
    bare = table.replace_schema_metadata(None)
    with atomic_write(path) as temporary, parquet_writer(temporary, bare.schema, plain=plain) as writer:
        for start in range(0, bare.num_rows, row_group_rows):
            writer.write_table(bare.slice(start, row_group_rows).combine_chunks(), row_group_size=row_group_rows)


def write_blocks(blocks: Iterable[pa.Table], schema: pa.Schema, path: Path) -> None:
    """Write each table as one row group, without holding all of them in memory.

    Gives the bytes of ``write_parquet`` if all tables but the last have ``ROW_GROUP_ROWS`` rows.

    Raises:
        StoreError: the file cannot be written.
    """
    with atomic_write(path) as temporary, parquet_writer(temporary, schema) as writer:
        for block in blocks:
            writer.write_table(block, row_group_size=max(block.num_rows, 1))


def parquet_columns(path: Path) -> list[str]:
    """Return the names of the columns of a file.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        return [str(name) for name in pq.read_schema(path).names]
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"Cannot read {path}: {error}", fix="remove the file and start again") from error


def parquet_rows(path: Path) -> int:
    """Return the number of rows of a file. Raises as ``parquet_columns``."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"Cannot read {path}: {error}", fix="remove the file and start again") from error


def read_parquet(path: Path, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a file written by ``write_parquet``, verifying the checksum of every page.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return file.read(columns=None if columns is None else list(columns))
    except (OSError, pa.ArrowInvalid) as error:
        raise StoreError(
            f"Cannot read {path}: {error}", fix="the file is damaged; remove it and start again"
        ) from error

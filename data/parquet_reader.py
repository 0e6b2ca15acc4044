"""Reading Parquet files that others wrote: page checksums verified, text checked, memory bounded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.data.errors import CorpusError
from tamis.data.formats import Cut, Mark, Probe, rows_only
from tamis.data.repair import Repairs, repair_batch
from tamis.data.schema import conform, plain


class ParquetReader:
    """The Parquet format; a mark is a row group, which is never split between shards."""

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Read the footer; with ``thorough`` decode every page too."""
        with _opened(path) as file:
            schema, meta = file.schema_arrow, file.metadata
            twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
            if twice:
                raise CorpusError(f"{path.name} has several columns of the same name", value=twice)
            marks, row = [], 0
            for group in range(meta.num_row_groups):
                info = meta.row_group(group)
                marks.append(Mark(row, info.num_rows, group, info.total_byte_size))
                row += info.num_rows
            probe = Probe(row, pa.schema([pa.field(f.name, plain(f.type)) for f in schema]), tuple(marks))
        if thorough:
            cut = Cut(probe.marks, tuple(schema.names), 8192, 16 << 20)
            for _ in self.read(path, probe, cut, Repairs()):
                pass
        return probe

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of whole row groups; never more of a row group in memory than a batch and its pages."""
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
                arrays = [conform(batch.column(name), schema.field(name).type) for name in cut.columns]
                seen += batch.num_rows
                yield repair_batch(pa.RecordBatch.from_arrays(arrays, schema=schema), repairs)
            if seen != rows:
                # A damaged page header can end a column early without any other complaint.
                raise CorpusError(f"{path.name} is not a sound Parquet file: {seen} rows where its footer says {rows}")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a file and turn every fault of opening or reading into one that names it."""
    if path.stat().st_size == 0:
        raise CorpusError(f"{path.name} is empty (zero bytes)")
    try:
        with pq.ParquetFile(
            path, page_checksum_verification=True, pre_buffer=False, buffer_size=1 << 20, memory_map=False
        ) as file:
            yield file
    except (OSError, pa.lib.ArrowException) as error:
        raise CorpusError(f"{path.name} is not a sound Parquet file: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]

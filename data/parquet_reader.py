"""Reading external Parquet files: page checksums verified, text checked, memory bounded."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.data.byte_text import holds_bytes, holds_uuid, with_text
from tamis.data.errors import CorpusError
from tamis.data.formats import Cut, Mark, Probe, detect_compression, rows_only
from tamis.data.label_names import label_names
from tamis.data.repair import Repairs, repair_batch
from tamis.data.schema import conform, plain

_SAMPLE_ROWS = 1_000
_VARIANT = re.compile(
    r"^ *(?:required|optional|repeated) group field_id=-?\d+ (.*) \(Variant(?:\(\d+\))?\) \{$", re.MULTILINE
)


class ParquetReader:
    """The Parquet format; a mark is a row group, which is never split between shards."""

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Read the footer; with ``thorough`` decode every page too."""
        with _opened(path) as file:
            schema, meta = file.schema_arrow, file.metadata
            twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
            if twice:
                raise CorpusError(f"{path.name} has several columns of the same name", value=twice)
            _refuse_variants(file, path.name)
            marks, row = [], 0
            for group in range(meta.num_row_groups):
                info = meta.row_group(group)
                marks.append(Mark(row, info.num_rows, group, info.total_byte_size))
                row += info.num_rows
            probe = _probe(file, marks, row)
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


def _probe(file: pq.ParquetFile, marks: Sequence[Mark], rows: int) -> Probe:
    """Return the probe of a file; bytes that hold text count as text."""
    source, kinds = file.schema_arrow, {field.name: plain(field.type) for field in file.schema_arrow}
    recoded = {field.name for field in source if holds_uuid(field.type)}
    bytes_in = [name for name, kind in kinds.items() if holds_bytes(kind)]
    sample = _sample(file, marks, bytes_in) if bytes_in else []
    for name in bytes_in:
        arrays = [conform(batch.column(name), kinds[name]) for batch in sample]
        kind = with_text(kinds[name], arrays)
        if kind != kinds[name]:
            kinds[name] = kind
            recoded.add(name)
    labels = {name: names for name, names in label_names(source.metadata).items() if name in kinds}
    return Probe(
        rows,
        pa.schema([pa.field(name, kinds[name]) for name in source.names]),
        tuple(marks),
        recoded=tuple(sorted(recoded)),
        uuids=tuple(sorted(field.name for field in source if isinstance(field.type, pa.UuidType))),
        labels={name: names for name, names in labels.items() if pa.types.is_integer(kinds[name])},
        source=source,
        places=tuple(range(len(source))),
    )


def _sample(file: pq.ParquetFile, marks: Sequence[Mark], columns: Sequence[str]) -> list[pa.RecordBatch]:
    """Return the first rows of the first, the middle and the last row group."""
    groups = [mark.offset for mark in marks if mark.rows]
    chosen = sorted({groups[0], groups[len(groups) // 2], groups[-1]}) if groups else []
    batches = [
        next(file.iter_batches(_SAMPLE_ROWS, row_groups=[group], columns=list(columns), use_threads=False), None)
        for group in chosen
    ]
    return [batch for batch in batches if batch is not None]


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
            f"{path.name} holds something this reader does not know: {_first_line(error)}",
            fix="the file may be sound; write it again with the column as another type, such as text, or without it",
        ) from error
    except (OSError, pa.lib.ArrowException) as error:
        if detect_compression(path, ""):
            raise CorpusError(f"{path.name} is compressed as a whole", fix="unpack it first") from error
        raise CorpusError(f"{path.name} is not a sound Parquet file: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]

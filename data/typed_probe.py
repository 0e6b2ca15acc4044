"""The probe of a file that states its types: which bytes are text, UUIDs, names of labels, the source schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from tamis.data.byte_text import holds, holds_bytes, with_text
from tamis.data.errors import CorpusError
from tamis.data.formats import Mark, Probe
from tamis.data.label_names import label_names
from tamis.data.schema import conform, plain

SAMPLE_ROWS = 1_000

Sampler = Callable[[Mark, Sequence[str]], pa.RecordBatch | None]
"""Gives the first ``SAMPLE_ROWS`` rows of a mark, some columns."""


def check_names(schema: pa.Schema, name: str) -> None:
    """Raise ``CorpusError`` if a file has several columns of one name."""
    twice = sorted({column for column in schema.names if schema.names.count(column) > 1})
    if twice:
        raise CorpusError(f"{name} has several columns of the same name", value=twice)


def typed_probe(
    source: pa.Schema, marks: Sequence[Mark], rows: int, first_rows: Sampler, notes: tuple[str, ...] = ()
) -> Probe:
    """Return the probe of a file with types; bytes that hold text in a sample of three marks count as text."""
    kinds = {field.name: plain(field.type) for field in source}
    recoded = {field.name for field in source if holds(field.type, pa.UuidType) or holds(field.type, pa.JsonType)}
    bytes_in = [name for name, kind in kinds.items() if holds_bytes(kind)]
    sample = _sample(marks, bytes_in, first_rows) if bytes_in else []
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
        notes=notes,
    )


def _sample(marks: Sequence[Mark], columns: Sequence[str], first_rows: Sampler) -> list[pa.RecordBatch]:
    """Return the first rows of the first, the middle and the last mark that has rows."""
    held = [mark for mark in marks if mark.rows]
    chosen = sorted({0, len(held) // 2, len(held) - 1}) if held else []
    batches = [first_rows(held[place], columns) for place in chosen]
    return [batch for batch in batches if batch is not None]

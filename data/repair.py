"""Text as Unicode: each byte that is not UTF-8 and each lone surrogate becomes one U+FFFD, and is counted."""

from __future__ import annotations

import re
from collections import Counter

import pyarrow as pa

Repairs = Counter[str]
"""Rows repaired, by top-level column."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def repair(text: str) -> str:
    """Return ``text`` with every lone surrogate, also those of surrogateescape decoding, replaced by U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def is_text(kind: pa.DataType) -> bool:
    """Return whether an Arrow type holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def repair_batch(batch: pa.RecordBatch, repairs: Repairs) -> pa.RecordBatch:
    """Return the batch with all text valid UTF-8; Arrow readers do not check it.

    Args:
        batch: any columns.
        repairs: rows changed are added here by column name.
    """
    arrays = []
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            array, changed = _repair_array(array)
            repairs[name] += changed
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


def _repair_array(array: pa.Array) -> tuple[pa.Array, int]:
    if is_text(array.type):
        raw = array.cast(pa.large_string()).view(pa.large_binary()).to_pylist()
        texts = [None if value is None else repair(value.decode("utf-8", "surrogateescape")) for value in raw]
        changed = sum(text is not None and text.encode() != value for text, value in zip(texts, raw, strict=True))
        return pa.array(texts, type=array.type), changed
    if pa.types.is_struct(array.type):
        fixed = [_repair_array(array.field(index)) for index in range(array.type.num_fields)]
        mask = array.is_null() if array.null_count else None
        struct = pa.StructArray.from_arrays([child for child, _ in fixed], fields=list(array.type), mask=mask)
        return struct, max((changed for _, changed in fixed), default=0)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        values, changed = _repair_array(array.values)
        return type(array).from_arrays(array.offsets, values, type=array.type), min(changed, len(array))
    return array, 0

"""Rows in the types of their source again, from the types in which Tamis reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.data.byte_text import is_bytes, text_uuid
from tamis.data.errors import CorpusError
from tamis.data.json_text import text_as_json
from tamis.data.repair import is_text

_SLICE = 1 << 30
"""Bytes of a column cast at once: types with 32-bit offsets hold less than twice this."""


def restore_types(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows in the form of the output: the columns of ``schema``, in its order and types.

    Args:
        table: rows as read, with at least those columns.
        schema: the result of ``source_schema`` and added columns.
    """
    columns = [_restored(table.column(field.name), field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _restored(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type.equals(kind):
        return column
    chunks = [piece for chunk in column.chunks for piece in _pieces(chunk)]
    return pa.chunked_array([_cast(piece, kind) for piece in chunks], kind)


def _pieces(chunk: pa.Array) -> Sequence[pa.Array]:
    """Split a chunk so that no piece is too large for 32-bit offsets, unless a single value is."""
    if chunk.nbytes < _SLICE or len(chunk) < 2:
        return [chunk]
    half = len(chunk) // 2
    return [*_pieces(chunk.slice(0, half)), *_pieces(chunk.slice(half))]


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if _is_rebuilt(kind):
        return _rebuilt(array, kind)
    if isinstance(kind, pa.UuidType) and is_text(array.type):
        return text_uuid(array)
    if isinstance(kind, pa.JsonType) and is_text(array.type):
        return kind.wrap_array(text_as_json(array).cast(kind.storage_type))
    if isinstance(kind, pa.BaseExtensionType):
        return kind.wrap_array(_cast(array, kind.storage_type))
    if pa.types.is_map(kind) and not array.type.equals(kind):
        # Arrow does not accept a mask with the offsets of a slice.
        array = pa.concat_arrays([array.slice(0, 0), array])
        mask = array.is_null() if array.null_count else None
        keys, items = _cast(array.keys, kind.key_type), _cast(array.items, kind.item_type)
        return pa.MapArray.from_arrays(array.offsets, keys, items, type=kind, mask=mask)
    return array.cast(kind)


def _is_rebuilt(kind: pa.DataType) -> bool:
    """Say whether Arrow cannot cast to a type: it has a struct with fields that are never NULL, or JSON below it."""
    types = pa.types
    if types.is_struct(kind):
        return any(not field.nullable or _rebuilds(field.type) for field in kind)
    if types.is_map(kind):
        return _rebuilds(kind.item_type)
    return types.is_nested(kind) and _rebuilds(kind.value_type)


def _rebuilds(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType) or _is_rebuilt(kind)


def _rebuilt(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return an array as a type that Arrow cannot cast to: it takes what lies under a NULL struct for a value of it."""
    types = pa.types
    array = pa.concat_arrays([array.slice(0, 0), array])
    mask = array.is_null() if array.null_count else None
    if types.is_struct(kind):
        children = [_strict_field(array, place, field) for place, field in enumerate(kind)]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)
    if types.is_map(kind):
        keys, items = _cast(array.keys, kind.key_type), _cast(array.items, kind.item_type)
        return pa.MapArray.from_arrays(array.offsets, keys, items, type=kind, mask=mask)
    if types.is_fixed_size_list(kind):
        sized = array.cast(pa.list_(array.type.value_type, kind.list_size))
        return pa.FixedSizeListArray.from_arrays(_cast(sized.values, kind.value_type), type=kind, mask=mask)
    values = _cast(array.values, kind.value_type)
    if types.is_large_list(kind):
        return pa.LargeListArray.from_arrays(array.offsets.cast(pa.int64()), values, type=kind, mask=mask)
    return pa.ListArray.from_arrays(array.offsets, values, type=kind, mask=mask)


def _strict_field(array: pa.Array, place: int, field: pa.Field) -> pa.Array:
    """Return a field of structs; where it is never NULL, any value stands under a struct that is NULL."""
    values = _cast(array.field(place), field.type)
    if field.nullable or not values.null_count:
        return values
    if pc.any(pc.and_(values.is_null(), array.is_valid())).as_py():
        raise CorpusError(f"Field {field.name} holds NULL although its file says that it never does")
    return _filled(values)


def _filled(values: pa.Array) -> pa.Array:
    """Return values with some value in place of NULL."""
    if not values.null_count:
        return values
    held = pa.concat_arrays([values, pa.array([_any_value(values.type)], values.type)])
    return held.take(pc.if_else(values.is_null(), len(values), pa.array(np.arange(len(values)))))


def _any_value(kind: pa.DataType) -> Any:
    """Return a value of a type, as ``pa.array`` takes it."""
    types = pa.types
    if types.is_struct(kind):
        return {field.name: _any_value(field.type) for field in kind}
    if types.is_fixed_size_list(kind):
        return [_any_value(kind.value_type)] * kind.list_size
    if types.is_nested(kind):
        return []
    if types.is_boolean(kind):
        return False
    if types.is_fixed_size_binary(kind) and not types.is_decimal(kind):
        return bytes(kind.byte_width)
    return "" if is_text(kind) else b"" if is_bytes(kind) else 0

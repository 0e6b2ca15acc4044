"""One schema for many files: the union of their columns, widened where types differ, every difference reported."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tamis.data.byte_text import bytes_as_text, is_bytes, uuid_text
from tamis.data.errors import RoleError
from tamis.data.json_text import json_as_text
from tamis.data.paths import find_path, path_of, type_of, walk
from tamis.data.repair import is_text


def plain(kind: pa.DataType) -> pa.DataType:
    """Return the type in which a column is read: text is large_string, dictionaries are unpacked, lists are plain."""
    types = pa.types
    if is_text(kind):
        return pa.large_string()
    if types.is_dictionary(kind):
        return plain(kind.value_type)
    if isinstance(kind, pa.UuidType):
        return pa.large_string()
    if isinstance(kind, pa.BaseExtensionType):
        return plain(kind.storage_type)
    if types.is_struct(kind):
        return pa.struct([pa.field(field.name, plain(field.type)) for field in kind])
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return pa.list_(plain(kind.value_type))
    if types.is_map(kind):
        return pa.map_(plain(kind.key_type), plain(kind.item_type))
    if is_bytes(kind):
        return pa.large_binary()
    return kind


def unify(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Return the narrowest plain type that holds both, None when only text can."""
    types = pa.types
    if left.equals(right) or types.is_null(right):
        return left
    if types.is_null(left):
        return right
    if types.is_integer(left) and types.is_integer(right):
        return pa.int64() if not (types.is_uint64(left) or types.is_uint64(right)) else None
    if _is_number(left) and _is_number(right):
        return pa.float64()
    if types.is_timestamp(left) and types.is_timestamp(right) and left.tz == right.tz:
        return pa.timestamp("ns" if "ns" in (left.unit, right.unit) else "us", tz=left.tz)
    if types.is_list(left) and types.is_list(right):
        item = unify(left.value_type, right.value_type)
        return None if item is None else pa.list_(item)
    if types.is_struct(left) and types.is_struct(right):
        return _unify_structs(left, right)
    return None


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _unify_structs(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    fields = {field.name: field.type for field in left}
    for field in right:
        kind = unify(fields[field.name], field.type) if field.name in fields else field.type
        if kind is None:
            return None
        fields[field.name] = kind
    return pa.struct([pa.field(name, fields[name]) for name in sorted(fields)])


def settled(kind: pa.DataType) -> pa.DataType:
    """Return the type with text in place of the null type, which Parquet cannot hold."""
    if pa.types.is_null(kind):
        return pa.large_string()
    if pa.types.is_list(kind):
        return pa.list_(settled(kind.value_type))
    if pa.types.is_struct(kind):
        if not kind.num_fields:
            return pa.large_string()
        return pa.struct([pa.field(field.name, settled(field.type)) for field in kind])
    return kind


def union(schemas: Mapping[str, pa.Schema]) -> tuple[pa.Schema, tuple[str, ...]]:
    """Return the union of the files' schemas, columns sorted by name, and one note per difference.

    Args:
        schemas: plain schema of each file, by the name used in notes.
    """
    kinds: dict[str, pa.DataType] = {}
    notes: list[str] = []
    mixed: set[str] = set()
    for schema in schemas.values():
        for field in schema:
            if field.name in mixed:
                continue
            kind = unify(kinds.get(field.name, pa.null()), field.type)
            if kind is None:
                mixed.add(field.name)
                kind = pa.large_string()
            kinds[field.name] = kind
    for name in sorted(kinds):
        without = [file for file, schema in schemas.items() if name not in schema.names]
        if without:
            notes.append(f"column {name} is missing, read as NULL, in {_some(without)}")
        seen = {str(schema.field(name).type) for schema in schemas.values() if name in schema.names} - {"null"}
        if len(seen) > 1:
            how = "as text" if name in mixed else f"as {kinds[name]}"
            notes.append(f"column {name} has several types ({', '.join(sorted(seen))}) and is read {how}")
    fields = [pa.field(name, settled(kinds[name])) for name in sorted(kinds)]
    return pa.schema(fields), tuple(notes)


def _some(names: Sequence[str], limit: int = 3) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more files"


def conform(array: pa.Array, kind: pa.DataType, *, decode: bool = False) -> pa.Array:
    """Return ``array`` as ``kind``, a type that ``plain`` or ``union`` gave for its column.

    Args:
        array: the values.
        kind: the target type.
        decode: whether bytes that become text hold text, valid or not; otherwise they become hex digits.
    """
    if array.type.equals(kind):
        return array
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), kind)
    if pa.types.is_dictionary(array.type):
        return conform(array.dictionary_decode(), kind, decode=decode)
    if isinstance(array, pa.UuidArray) and pa.types.is_large_string(kind):
        return uuid_text(array.storage)
    if isinstance(array, pa.JsonArray) and pa.types.is_large_string(kind):
        return json_as_text(array.storage)
    if isinstance(array, pa.ExtensionArray):
        return conform(array.storage, kind, decode=decode)
    if pa.types.is_struct(kind) and pa.types.is_struct(array.type):
        return _conform_struct(array, kind, decode=decode)
    if pa.types.is_map(kind) and pa.types.is_map(array.type):
        return _conform_map(array, kind, decode=decode)
    if pa.types.is_list(kind) and pa.types.is_nested(array.type) and not pa.types.is_struct(array.type):
        return _conform_list(array, kind, decode=decode)
    if pa.types.is_large_string(kind) and pa.types.is_nested(array.type):
        return pa.array([None if value is None else as_json(value) for value in array.to_pylist()], kind)
    if pa.types.is_large_string(kind) and decode and is_bytes(array.type):
        return bytes_as_text(array, checked=False)
    if pa.types.is_large_string(kind) and is_bytes(array.type):
        return pa.array([None if value is None else value.hex() for value in array.to_pylist()], kind)
    return array.cast(kind)


def _conform_struct(array: pa.Array, kind: pa.DataType, *, decode: bool) -> pa.Array:
    names = [field.name for field in array.type]
    if len(set(names)) < len(names) and names == [field.name for field in kind]:
        # Fields that share a name differ only by position.
        children = [conform(array.field(at), field.type, decode=decode) for at, field in enumerate(kind)]
    else:
        children = [
            conform(pc.struct_field(array, [field.name]), field.type, decode=decode)
            if field.name in names
            else pa.nulls(len(array), field.type)
            for field in kind
        ]
    mask = array.is_null() if array.null_count else None
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)


def _conform_map(array: pa.Array, kind: pa.DataType, *, decode: bool) -> pa.Array:
    keys = conform(array.keys, kind.key_type, decode=decode)
    items = conform(array.items, kind.item_type, decode=decode)
    mask = array.is_null() if array.null_count else None
    return pa.MapArray.from_arrays(array.offsets, keys, items, type=kind, mask=mask)


def _conform_list(array: pa.Array, kind: pa.DataType, *, decode: bool) -> pa.Array:
    if not pa.types.is_list(array.type):
        array = array.cast(pa.list_(array.type.value_type))
    mask = array.is_null() if array.null_count else None
    # Offsets of a slice do not begin at zero; values under NULL entries stay unreferenced.
    values = conform(array.values, kind.value_type, decode=decode)
    return pa.ListArray.from_arrays(array.offsets, values, type=kind, mask=mask)


def as_json(value: Any) -> str:
    """Return a value as compact JSON text; values without a JSON type are written as text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def at_path(batch: pa.RecordBatch | pa.Table, path: str) -> pa.Array | pa.ChunkedArray:
    """Return the column a path names (see ``data/paths.py``): a top-level column, else a field inside a struct."""
    names = find_path(batch.schema, path)
    if names is None:
        raise RoleError("There is no such column", value=path, allowed=batch.schema.names)
    return field_of(batch.column(names[0]), names[1:])


def field_of(column: pa.Array | pa.ChunkedArray, names: Sequence[str]) -> pa.Array | pa.ChunkedArray:
    """Return the field at the given names inside structs, or the column itself without names; NULL below a NULL."""
    return pc.struct_field(column, list(names)) if names else column


def head_of(schema: pa.Schema, path: str) -> str | None:
    """Return the top-level column that holds ``path``, None when there is none."""
    names = find_path(schema, path)
    return None if names is None else names[0]


def type_at(schema: pa.Schema, path: str) -> pa.DataType | None:
    """Return the type of what a path names, None when the schema does not have it."""
    names = find_path(schema, path)
    return None if names is None else type_of(schema, names)


def paths(schema: pa.Schema) -> dict[str, pa.DataType]:
    """Return every column and every field inside structs by path, in schema order."""
    return {path_of(schema, names): kind for names, kind in walk(schema)}

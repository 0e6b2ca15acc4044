"""Schema of the output: the source's own types, order of columns and feature names.

Inside Tamis all text is large_string and columns are sorted by name, whatever the files have. The output has the files'
types and order again, so that it can be read like its source and combined with it. Bytes that are read as text are
written as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from tamis.data.byte_text import text_uuid
from tamis.data.formats import Probe
from tamis.data.repair import is_text
from tamis.data.schema import plain

FEATURES = b"huggingface"
"""Key under which the ``datasets`` library keeps its features, such as names of labels, in a Parquet file."""

_SLICE = 1 << 30
"""Bytes of a column cast at once: types with 32-bit offsets hold less than twice this."""


class _File(Protocol):
    """What the source schema needs of a file: its probe and the columns of its path."""

    @property
    def probe(self) -> Probe: ...
    @property
    def path_schema(self) -> pa.Schema: ...


def source_schema(schema: pa.Schema, files: Sequence[_File]) -> pa.Schema:
    """Return the columns of a corpus with the types of its files.

    Args:
        schema: union of the files' schemas, as rows are read.
        files: of the corpus.

    A column has the type that all Parquet files give it; where files disagree, or have no types, the narrow form of the
    type it is read as. Columns stand in the order of the files; those of paths come last. Features of the ``datasets``
    library are kept where all files that name them agree. Nothing depends on the order of the files.
    """
    places: dict[str, int] = {}
    of_paths = {name for file in files for name in file.path_schema.names}
    for file in files:
        for name, place in zip(file.probe.schema.names, file.probe.places, strict=True):
            places[name] = max(place, places.get(name, 0))
    names = sorted(schema.names, key=lambda name: (name in of_paths, places.get(name, 0), name))
    fields = [pa.field(name, _type(schema.field(name).type, name, name in of_paths, files)) for name in names]
    features = _features(files, set(names) - of_paths)
    block = json.dumps({"info": {"features": {name: features[name] for name in names if name in features}}})
    return pa.schema(fields, {FEATURES: block.encode()} if features else None)


def _type(kind: pa.DataType, name: str, of_path: bool, files: Sequence[_File]) -> pa.DataType:
    """Return the type as which a column is written."""
    found: list[pa.DataType] = []
    for file in () if of_path else files:
        if name in file.probe.schema.names and not pa.types.is_null(file.probe.schema.field(name).type):
            source = file.probe.source
            own = narrow(file.probe.schema.field(name).type) if source is None else _outer(source.field(name).type)
            found += [own] if own not in found else []
    return found[0] if len(found) == 1 and _reads_as(found[0], kind) else narrow(kind)


def _reads_as(own: pa.DataType, kind: pa.DataType) -> bool:
    """Say whether values of a source's type are read as ``kind``: no part of it is of the null type."""
    return bool(plain(own).equals(kind))


def narrow(kind: pa.DataType) -> pa.DataType:
    """Return a plain type with 32-bit offsets, which most readers and writers support."""
    types = pa.types
    if is_text(kind):
        return pa.string()
    if types.is_large_binary(kind):
        return pa.binary()
    if types.is_struct(kind):
        return pa.struct([pa.field(field.name, narrow(field.type)) for field in kind])
    if types.is_list(kind):
        return pa.list_(narrow(kind.value_type))
    return pa.map_(narrow(kind.key_type), narrow(kind.item_type)) if types.is_map(kind) else kind


def _outer(kind: pa.DataType) -> pa.DataType:
    """Return ``_own`` of a top-level column; only these may have an extension type such as UUID."""
    return kind if isinstance(kind, pa.BaseExtensionType) else _own(kind)


def _own(kind: pa.DataType) -> pa.DataType:
    """Return the type as which a source's column is written: without dictionaries, views and size bounds."""
    types = pa.types
    if types.is_dictionary(kind):
        return _own(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return _own(kind.storage_type)
    if types.is_string_view(kind):
        return pa.string()
    if types.is_binary_view(kind):
        return pa.binary()
    if types.is_struct(kind):
        return pa.struct([pa.field(field.name, _own(field.type)) for field in kind])
    if types.is_large_list(kind):
        return pa.large_list(_own(kind.value_type))
    if types.is_fixed_size_list(kind):
        return pa.list_(_own(kind.value_type), kind.list_size)
    if types.is_list(kind):
        return pa.list_(_own(kind.value_type))
    return pa.map_(_own(kind.key_type), _own(kind.item_type)) if types.is_map(kind) else kind


def _features(files: Sequence[_File], names: set[str]) -> dict[str, Any]:
    """Return the features of the columns that all files with features agree on, by column."""
    found: dict[str, list[Any]] = {}
    for file in files:
        for name, feature in _named_features(file.probe.source).items():
            if name in names and name in file.probe.schema.names and feature not in found.setdefault(name, []):
                found[name].append(feature)
    return {name: features[0] for name, features in found.items() if len(features) == 1}


def _named_features(schema: pa.Schema | None) -> Mapping[str, Any]:
    block = ((schema.metadata if schema is not None else None) or {}).get(FEATURES)
    if block is None:
        return {}
    try:
        features = json.loads(block)["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


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
    if isinstance(kind, pa.UuidType) and is_text(array.type):
        return text_uuid(array)
    if isinstance(kind, pa.BaseExtensionType):
        return kind.wrap_array(_cast(array, kind.storage_type))
    if pa.types.is_map(kind) and not array.type.equals(kind):
        # Arrow does not accept a mask with the offsets of a slice.
        array = pa.concat_arrays([array.slice(0, 0), array])
        mask = array.is_null() if array.null_count else None
        keys, items = _cast(array.keys, kind.key_type), _cast(array.items, kind.item_type)
        return pa.MapArray.from_arrays(array.offsets, keys, items, type=kind, mask=mask)
    return array.cast(kind)

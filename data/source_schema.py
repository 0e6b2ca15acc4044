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

from tamis.data.features import FEATURES, features_in
from tamis.data.formats import Probe
from tamis.data.repair import is_text
from tamis.data.schema import plain


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

    A column has the type that all files with types give it; where files disagree, or have no types, the narrow form of
    the type it is read as. What a file says of a field beside its type (never NULL, metadata) is kept, at any depth,
    where all files say the same. Columns stand in the order of the files; those of paths come last. Features of the
    ``datasets`` library are kept where all files that name them agree and the column is written with the type they
    describe. Nothing depends on the order of the files.
    """
    places: dict[str, int] = {}
    of_paths = {name for file in files for name in file.path_schema.names}
    for file in files:
        for name, place in zip(file.probe.schema.names, file.probe.places, strict=True):
            places[name] = max(place, places.get(name, 0))
    names = sorted(schema.names, key=lambda name: (name in of_paths, places.get(name, 0), name))
    fields = [_field(schema.field(name), name in of_paths, files) for name in names]
    features = _features(files, {field.name: field for field in fields if field.name not in of_paths})
    block = json.dumps({"info": {"features": {name: features[name] for name in names if name in features}}})
    return pa.schema(fields, {FEATURES: block.encode()} if features else None)


def _field(read: pa.Field, of_path: bool, files: Sequence[_File]) -> pa.Field:
    """Return the field as which a column is written."""
    name = read.name
    having = [] if of_path else [file for file in files if _kind_in(file, name) is not None]
    own = [_own_field(file, name) for file in having]
    bare = [_outer(field.type, rich=False) for field in own]
    if not own or any(kind != bare[0] for kind in bare) or not _reads_as(bare[0], read.type):
        return pa.field(name, narrow(read.type))
    if any(not field.equals(own[0], check_metadata=True) for field in own):
        return pa.field(name, bare[0])
    return own[0].with_nullable(own[0].nullable or len(having) < len(files))


def _kind_in(file: _File, name: str) -> pa.DataType | None:
    """Return the type of a column as a file is read, None where it has no such column or only NULL in it."""
    kind = file.probe.schema.field(name).type if name in file.probe.schema.names else None
    return None if kind is None or pa.types.is_null(kind) else kind


def _own_field(file: _File, name: str) -> pa.Field:
    """Return a column with its own type and all that the file says of it; files without types have the narrow type."""
    source = file.probe.source
    if source is None:
        return pa.field(name, narrow(file.probe.schema.field(name).type))
    return source.field(name).with_type(_outer(source.field(name).type))


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


def _outer(kind: pa.DataType, *, rich: bool = True) -> pa.DataType:
    """Return ``_own`` of a top-level column; only these may have any extension type, such as UUID."""
    return kind if isinstance(kind, pa.BaseExtensionType) else _own(kind, rich=rich)


def _own(kind: pa.DataType, *, rich: bool) -> pa.DataType:
    """Return the type as which a source's column is written: without dictionaries, views and size bounds.

    Args:
        kind: the type in the file.
        rich: whether inner fields keep that they are never NULL or JSON, and their metadata.
    """
    types = pa.types
    if rich and isinstance(kind, pa.JsonType):
        return kind
    if types.is_dictionary(kind):
        return _own(kind.value_type, rich=rich)
    if isinstance(kind, pa.BaseExtensionType):
        return _own(kind.storage_type, rich=rich)
    if types.is_string_view(kind):
        return pa.string()
    if types.is_binary_view(kind):
        return pa.binary()
    if types.is_struct(kind):
        fields = [(field, pa.field(field.name, _own(field.type, rich=rich))) for field in kind]
        return pa.struct([field.with_type(bare.type) if rich else bare for field, bare in fields])
    if types.is_large_list(kind):
        return pa.large_list(_element(kind.value_field, rich=rich))
    if types.is_fixed_size_list(kind):
        return pa.list_(_element(kind.value_field, rich=rich), kind.list_size)
    if types.is_list(kind):
        return pa.list_(_element(kind.value_field, rich=rich))
    if types.is_map(kind):
        return pa.map_(_element(kind.key_field, rich=False), _element(kind.item_field, rich=rich))
    return kind


def _element(field: pa.Field, *, rich: bool) -> pa.DataType | pa.Field:
    """Return the type of the elements of a list; as a field, with its name, where there is more to say of them."""
    kind = _own(field.type, rich=rich)
    return field.with_type(kind) if rich and (field.metadata or not field.nullable) else kind


def _features(files: Sequence[_File], fields: Mapping[str, pa.Field]) -> dict[str, Any]:
    """Return the features, by column, that all files with features agree on and that describe the written type."""
    found: dict[str, list[Any]] = {}
    for file in files:
        for name, feature in features_in(file.probe.source).items():
            if name not in fields or _kind_in(file, name) is None:
                continue
            same = _outer(_own_field(file, name).type, rich=False) == _outer(fields[name].type, rich=False)
            found.setdefault(name, []).append(feature if same else None)
    return {name: each[0] for name, each in found.items() if each[0] and all(one == each[0] for one in each)}

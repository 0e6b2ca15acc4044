"""Features of the ``datasets`` library: the description of columns that it keeps beside their Arrow types."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

FEATURES = b"huggingface"
"""Key of the features, such as names of labels, in the metadata of a schema."""

_NAMED = re.compile(r"bool|u?int(8|16|32|64)|float16|float32|float64|(large_)?(string|binary)|null")
_RENAMED = {"halffloat": "float16", "float": "float32", "double": "float64"}


def features_in(schema: pa.Schema | None) -> Mapping[str, Any]:
    """Return the features in the metadata of a schema by column; none from a block that cannot be read."""
    block = ((schema.metadata if schema is not None else None) or {}).get(FEATURES)
    if block is None:
        return {}
    try:
        features = json.loads(block)["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def with_features(schema: pa.Schema, *, always: bool = False) -> pa.Schema:
    """Return the schema with features of every column: those it states, those of their types for the others.

    A schema that states none stays as it is. A column whose type has no feature, such as a map, gets none.

    Args:
        schema: of a file.
        always: state features also where the schema has none.
    """
    stated = features_in(schema)
    if not stated and not always:
        return schema
    found = {field.name: stated.get(field.name) or feature_of(field.type) for field in schema}
    block = json.dumps({"info": {"features": {name: found[name] for name in schema.names if found[name]}}})
    return schema.with_metadata({**(schema.metadata or {}), FEATURES: block.encode()})


def feature_of(kind: pa.DataType) -> Any:
    """Return the feature of a type as ``datasets`` writes it into JSON, None for a type without one."""
    types = pa.types
    if types.is_struct(kind):
        inner = {field.name: feature_of(field.type) for field in kind}
        return inner if inner and all(inner.values()) else None
    if types.is_fixed_size_list(kind) or types.is_large_list(kind) or types.is_list(kind):
        item = feature_of(kind.value_type)
        if item is None or types.is_list(kind):
            # A list of one feature is the form that every version reads.
            return item and [item]
        if types.is_large_list(kind):
            return {"feature": item, "_type": "LargeList"}
        return {"feature": item, "length": kind.list_size, "_type": "List"}
    name = _value_name(kind)
    return None if name is None else {"dtype": name, "_type": "Value"}


def _value_name(kind: pa.DataType) -> str | None:
    """Return the name of a plain type in ``datasets``, None for a type it does not know."""
    types, name = pa.types, _RENAMED.get(str(kind), str(kind))
    if types.is_date(kind):
        return name.partition("[")[0]
    if types.is_decimal128(kind) or types.is_decimal256(kind):
        return f"decimal{kind.bit_width}({kind.precision}, {kind.scale})"
    if types.is_fixed_size_binary(kind):
        return f"fixed_size_binary[{kind.byte_width}]"
    plain = types.is_timestamp(kind) or types.is_time(kind) or types.is_duration(kind) or _NAMED.fullmatch(name)
    return name if plain and not isinstance(kind, pa.BaseExtensionType) else None

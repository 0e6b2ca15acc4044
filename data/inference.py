"""Types of JSON values: inference over a whole file, and conversion into Arrow arrays of that type."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tamis.data.formats import rows_only
from tamis.data.repair import Repairs, repair
from tamis.data.schema import as_json, unify

MAX_FIELDS = 500
"""An object with more different keys than this is kept as JSON text: its keys are data, not columns."""

MIXED = pa.large_string()

MESSAGE_COLUMNS = ("messages", "conversations", "conversation", "chat", "dialogue", "dialog", "turns", "input",
                   "prompt", "completion", "chosen", "rejected")  # fmt: skip
"""Names of columns that usually hold messages."""


def infer(values: Sequence[Any], mixed: list[bool] | None = None) -> pa.DataType:
    """Return the narrowest type of JSON values; mixed values are text (see ``to_array``).

    Args:
        values: the values.
        mixed: gets an entry if values are mixed, here or inside lists and objects.
    """
    kinds = set(map(type, values))
    kinds.discard(type(None))
    if not kinds:
        return pa.null()
    if kinds == {str}:
        return pa.large_string()
    if kinds == {bytes}:
        return pa.large_binary()
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        ints = [value for value in values if value is not None]
        return pa.int64() if min(ints) >= -(2**63) and max(ints) < 2**63 else MIXED
    if kinds <= {int, float}:
        return pa.float64()
    if kinds == {list}:
        return pa.list_(infer([item for value in values if value is not None for item in value], mixed))
    if kinds == {dict}:
        return _infer_struct([value for value in values if value is not None], mixed)
    if mixed is not None:
        mixed.append(True)
    return MIXED


def _infer_struct(values: Sequence[dict[str, Any]], mixed: list[bool] | None) -> pa.DataType:
    names: set[str] = set()
    for value in values:
        names.update(value)
    if len(names) > MAX_FIELDS:
        return MIXED
    kinds = {name: infer([value.get(name) for value in values], mixed) for name in sorted(names)}
    return pa.struct([pa.field(name, kind) for name, kind in kinds.items()])


def widen(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """Return the narrowest type for the values of both, else text."""
    kind = unify(left, right)
    if kind is None or (pa.types.is_struct(kind) and kind.num_fields > MAX_FIELDS):
        return MIXED
    return kind


class ColumnTypes:
    """The types and places of the columns of JSON objects, over all that were seen.

    A column of messages with mixed values anywhere is JSON text as a whole, so that nobody takes a number for a text.
    """

    def __init__(self) -> None:
        self._mixed: set[str] = set()
        self._kinds: dict[str, pa.DataType] = {}
        self._places: dict[str, int] = {}

    def see(self, values: Sequence[dict[str, Any]]) -> None:
        """Update types and places with more objects."""
        for keys in set(map(tuple, values)):
            self._places |= {key: max(place, self._places.get(key, 0)) for place, key in enumerate(keys)}
        for name in {key for value in values for key in value}:
            mixed: list[bool] = []
            kind = infer([value.get(name) for value in values], mixed)
            if mixed and name.lower() in MESSAGE_COLUMNS:
                self._mixed.add(name)
            self._kinds[name] = widen(self._kinds.get(name, pa.null()), kind)

    @property
    def schema(self) -> pa.Schema:
        """Return the columns sorted by name."""
        kinds = {name: MIXED if name in self._mixed else kind for name, kind in self._kinds.items()}
        return pa.schema([pa.field(name, kinds[name]) for name in sorted(kinds)])

    @property
    def places(self) -> tuple[int, ...]:
        """Return the place of each column of ``schema`` among the keys of an object, the last one it had."""
        return tuple(self._places[name] for name in sorted(self._kinds))


def to_batch(values: Sequence[dict[str, Any]], schema: pa.Schema, repairs: Repairs) -> pa.RecordBatch:
    """Return JSON objects as rows of a schema that ``ColumnTypes`` gave for them, or of some of its columns."""
    if not schema.names:
        return rows_only(len(values))
    columns = [
        to_array([value.get(field.name) for value in values], field.type, name=field.name, repairs=repairs)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def to_array(values: Sequence[Any], kind: pa.DataType, *, name: str, repairs: Repairs) -> pa.Array:
    """Return JSON values as an Arrow array of a type that ``ColumnTypes`` gave for them.

    Text that is not valid Unicode is repaired and counted under ``name``; other values in a text column become JSON
    text.
    """
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError, OverflowError):
        # The rare blocks with mixed values or invalid text take the slow path.
        repairs[name] += sum(_broken(value) for value in values)
        return pa.array([_coerce(value, kind) for value in values], kind)


def _broken(value: Any) -> bool:
    if isinstance(value, str):
        return repair(value) != value
    if isinstance(value, dict):
        return any(_broken(item) for item in value.values())
    return isinstance(value, list) and any(map(_broken, value))


def _double(value: float) -> float:
    """Return a JSON number as a double; a whole number beyond its range is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _coerce(value: Any, kind: pa.DataType) -> Any:
    if value is None or pa.types.is_null(kind):
        return None
    if pa.types.is_large_string(kind):
        return repair(value if isinstance(value, str) else as_json(value))
    if pa.types.is_floating(kind):
        return _double(value)
    if pa.types.is_list(kind):
        return [_coerce(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return {field.name: _coerce(value.get(field.name), field.type) for field in kind}
    return value

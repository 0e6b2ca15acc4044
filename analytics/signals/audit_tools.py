"""Calls of tools: which results answer them, and whether their arguments are what the tool declares.

Only rows that call tools are read, one by one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.signals.audit_turns import count_rows
from tamis.data.message import call_arguments, call_name, compact, json_list
from tamis.data.parts import REJECTED, TOOL_CALL, TOOL_RESULT, Parts

FAULTS = (
    "calls_without_result", "results_without_call", "undeclared_tools", "invalid_arguments", "schema_violations",
    "repeated_calls",
)  # fmt: skip
NEEDS_TOOLS = ("undeclared_tools", "schema_violations")
_MISSING = object()


@dataclass(frozen=True)
class ToolCall:
    """A call as a part states it.

    Attributes:
        name: of the tool, empty if there is none.
        arguments: JSON value; None if there are none.
        valid: whether the arguments are a JSON object, or missing.
        text: the arguments in one spelling, to compare calls.
    """

    name: str
    arguments: Any
    valid: bool
    text: str


def read_calls(text: str) -> list[ToolCall]:
    """Return the calls in the text of a part: a name and JSON, or a JSON object or list as older formats have it."""
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        value = _loaded(stripped)
        items = value if isinstance(value, list) else [value]
        if value is _MISSING or not all(isinstance(item, Mapping) for item in items):
            return [ToolCall("", None, False, stripped)]
        return [_call(call_name(item), call_arguments(item)) if call_name(item) else _call("", item) for item in items]
    name, _, arguments = stripped.partition(" ")
    return [_call(name, arguments.strip() or None)]


def _call(name: str, arguments: Any) -> ToolCall:
    if isinstance(arguments, str):
        value = _loaded(arguments)
        if value is _MISSING:
            return ToolCall(name, None, False, arguments)
        arguments = value
    valid = arguments is None or isinstance(arguments, Mapping)
    return ToolCall(name, arguments, valid, json.dumps(arguments, sort_keys=True, ensure_ascii=False))


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _MISSING


def declared_tools(value: Any) -> dict[str, Any] | None:
    """Return the schema of each declared tool by name; None where the value cannot be read.

    Args:
        value: what the column of tools holds: NULL, a list, or JSON text of one.
    """
    if value is None or value == "":
        return {}
    listed = json_list(value) if isinstance(value, str) else value
    if isinstance(listed, Mapping):
        listed = [listed]
    if not isinstance(listed, list):
        return None
    found = {}
    for item in listed:
        held = _loaded(item) if isinstance(item, str) else json.loads(compact(item))
        inner = held.get("function", held) if isinstance(held, Mapping) else None
        if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
            return None
        found[inner["name"]] = inner.get("parameters", inner.get("input_schema"))
    return found


def follows_schema(value: Any, schema: Any) -> bool:
    """Say whether a JSON value follows a schema; words of the schema that are not read do not matter."""
    if not isinstance(schema, Mapping):
        return schema is not False
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(kinds, list) and not any(_is_of(value, kind) for kind in kinds):
        return False
    if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if isinstance(value, Mapping) and not _object_follows(value, schema):
        return False
    if isinstance(value, list) and "items" in schema and not all(follows_schema(v, schema["items"]) for v in value):
        return False
    options = {
        word: [follows_schema(value, option) for option in schema[word]]
        for word in ("anyOf", "oneOf", "allOf")
        if isinstance(schema.get(word), list)
    }
    return (
        any(options.get("anyOf", [True])) and all(options.get("allOf", []))
        and ("oneOf" not in options or options["oneOf"].count(True) == 1)
    )  # fmt: skip


def _object_follows(value: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    required, known = schema.get("required"), schema.get("properties")
    if isinstance(required, list) and not all(name in value for name in required if isinstance(name, str)):
        return False
    properties = known if isinstance(known, Mapping) else {}
    more = schema.get("additionalProperties", True)
    others = [] if "patternProperties" in schema else [name for name in value if name not in properties]
    return all(follows_schema(value[name], each) for name, each in properties.items() if name in value) and all(
        follows_schema(value[name], more) for name in others
    )


def _is_of(value: Any, kind: Any) -> bool:
    """Say whether a value is of a kind; words that JSON Schema does not know are of every kind."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    known = {
        "string": isinstance(value, str), "boolean": isinstance(value, bool), "null": value is None,
        "array": isinstance(value, list), "object": isinstance(value, Mapping), "dict": isinstance(value, Mapping),
        "number": number, "float": number, "integer": number and float(value).is_integer(),
    }  # fmt: skip
    return known.get(kind, True) if isinstance(kind, str) else True


@dataclass(frozen=True)
class _ToolPiece:
    """A part that calls or answers.

    Attributes:
        part: its number in the row.
        kind, turn, text, id: of the part.
    """

    part: int
    kind: int
    turn: int
    text: str
    id: str | None


def tool_faults(parts: Parts, row: int, declared: dict[str, Any] | None) -> Iterator[tuple[int, str]]:
    """Yield part, counted within its row, and fault of one row, a part once for each call that has the fault.

    Args:
        parts: of some rows.
        row: which of them.
        declared: see ``declared_tools``; None skips the faults that need it.
    """
    pieces = _pieces(parts, row)
    waiting: list[tuple[_ToolPiece, list[ToolCall]]] = []
    replies: dict[tuple[str, str], list[str]] = {}
    for piece in pieces:
        if piece.kind == TOOL_CALL:
            calls = read_calls(piece.text)
            waiting.append((piece, calls))
            for call in calls:
                yield from ((piece.part, fault) for fault in _faults_of(call, declared))
                last = replies.get((call.name, call.text), [])[-2:]
                if len(last) == 2 and last[0] == last[1]:
                    yield piece.part, "repeated_calls"
            continue
        place = _answered(waiting, piece.id)
        if place is None:
            yield piece.part, "results_without_call"
            continue
        for call in waiting.pop(place)[1]:
            replies.setdefault((call.name, call.text), []).append(piece.text)
    for piece, calls in waiting:
        yield from ((piece.part, "calls_without_result") for _ in calls)


def _pieces(parts: Parts, row: int) -> list[_ToolPiece]:
    """Return calls and results of a row in order; several parts of one result are joined."""
    first, end = int(parts.starts[row]), int(parts.starts[row + 1])
    found: list[_ToolPiece] = []
    for at in range(first, end):
        kind, turn = int(parts.kind[at]), int(parts.turn[at])
        if kind not in (TOOL_CALL, TOOL_RESULT) or parts.role[at] == REJECTED:
            continue
        text, id = parts.texts[at].as_py(), parts.calls[at].as_py()
        before = found[-1] if found else None
        if kind == TOOL_RESULT and before and (before.kind, before.turn, before.id) == (kind, turn, id):
            found[-1] = _ToolPiece(before.part, kind, turn, f"{before.text}\n\n{text}", id)
        else:
            found.append(_ToolPiece(at - first, kind, turn, text, id))
    return found


def _answered(waiting: Sequence[tuple[_ToolPiece, list[ToolCall]]], id: str | None) -> int | None:
    """Return the place of the call that a result answers: the one with its id, else the first if one has no id."""
    places = range(len(waiting))
    if id is None:
        return next(iter(places), None)
    same = next((at for at in places if waiting[at][0].id == id), None)
    return same if same is not None else next((at for at in places if waiting[at][0].id is None), None)


def _faults_of(call: ToolCall, declared: dict[str, Any] | None) -> Iterator[str]:
    if not call.valid:
        yield "invalid_arguments"
    if declared is None:
        return
    if call.name not in declared:
        yield "undeclared_tools"
    elif call.valid and not follows_schema({} if call.arguments is None else call.arguments, declared[call.name]):
        yield "schema_violations"


def tool_columns(parts: Parts, tools: pa.Array | None) -> Mapping[str, NDArray[np.float64]]:
    """Return the columns of tools, float64 (n,) each, NaN where one does not apply.

    Args:
        parts: of sound rows.
        tools: the column of tools, (n,); None if the corpus has none.
    """
    values = {name: np.zeros(len(parts)) for name in FAULTS}
    mine = (parts.role != REJECTED) & np.isin(parts.kind, (TOOL_CALL, TOOL_RESULT))
    rows = np.unique(parts.rows[mine])
    stated = None if tools is None else tools.take(pa.array(rows)).to_pylist()
    calls = np.zeros(len(parts))
    for at, row in enumerate(rows.tolist()):
        declared = None if stated is None else declared_tools(stated[at])
        for _, fault in tool_faults(parts, row, declared):
            values[fault][row] += 1
        calls[row] = sum(len(read_calls(piece.text)) for piece in _pieces(parts, row) if piece.kind == TOOL_CALL)
        if declared is None:
            for name in NEEDS_TOOLS:
                values[name][row] = np.nan
    if tools is None:
        values |= {name: np.full(len(parts), np.nan) for name in NEEDS_TOOLS}
    return {"n_tool_calls": calls, "ends_with_call": _end_with_call(parts), **values}


def _end_with_call(parts: Parts) -> NDArray[np.float64]:
    """Say which rows' last turn calls a tool, float64 (n,)."""
    last = np.full(len(parts), -1, dtype=np.int64)
    spoken = parts.role != REJECTED
    mine = np.flatnonzero(spoken)
    last[parts.rows[mine]] = parts.turn[mine]
    calls = spoken & (parts.kind == TOOL_CALL) & (parts.turn == last[parts.rows])
    return (count_rows(parts.rows[calls], len(parts)) > 0).astype(np.float64)

"""Texts put back into one row of any shape: each of its parts passed through a function, all else untouched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from tamis.data.message import CALL_KEYS, THINKING_KEYS, Path, json_list, json_object, json_objects, pieces_of, role_of
from tamis.data.parts import ASSISTANT, TOOL_CALL
from tamis.data.rendered import rendered_turns
from tamis.data.row_parts import ANSWER_KEYS, OF_MESSAGES, cut_pieces
from tamis.data.session_events import Saying, map_event
from tamis.data.shapes import SLOT_ROLES, Shape

Edit = Callable[[str], str]
T = TypeVar("T")


def map_texts(shape: Shape, row: Mapping[str, Any], places: Mapping[str, Path], edit: Edit) -> dict[str, Any]:
    """Return a row with every text of its parts passed through ``edit``; all else stays as it is.

    Strings inside the arguments of calls are passed one by one; where a field is JSON text, it is read and written
    again only if a string in it changes.

    Args:
        shape: of the row.
        row: whole row, or the source's own object: keys that are missing stay missing.
        places: names that lead to the shape's paths.
        edit: returns the new text.
    """
    result: Any = row
    for path, slot in {path: slot for slot, path in shape.slots}.items():
        result = _at(result, places[path], lambda value, slot=slot: _mapped(shape, slot, value, edit))  # type: ignore[misc]
    return dict(result)


def _at(value: Any, path: Path, change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(value)
    if not isinstance(value, Mapping) or path[0] not in value:
        return value
    inner = _at(value[path[0]], path[1:], change)
    return value if inner is value[path[0]] else {**value, path[0]: inner}


def _mapped(shape: Shape, slot: str, value: Any, edit: Edit) -> Any:
    if slot == "events":
        if isinstance(value, str) and json_list(value) is not None:
            return _json_mapped(value, lambda held: _mapped(shape, slot, held, edit))
        events = value if isinstance(value, list) else []
        return _same(value, [map_event(event, lambda where: _said(shape, where, edit)) for event in events])
    if isinstance(value, str):
        inner = json_objects(value) if slot not in ("template", "answer", "input", "context", "system") else None
        if inner is not None and all(shape.role_key in item for item in inner):
            return _json_mapped(value, lambda held: _mapped(shape, slot, held, edit))
        if slot == "messages":
            spans = [span for _, _, span in rendered_turns(value) or ()]
            return _in_spans(value, spans, edit)
        return _in_pieces(value, cut_pieces(shape, value, SLOT_ROLES[slot]) if slot in SLOT_ROLES else None, edit)
    if isinstance(value, list):
        return _same(value, [_item(shape, slot, item, edit) for item in value])
    return _message(shape, value, edit) if isinstance(value, Mapping) and slot not in ("template", "answer") else value


def _said(shape: Shape, where: Saying, edit: Edit) -> Any:
    """Return the object with which an event says something, its texts passed through ``edit``."""
    inner, key = where.inner, where.key
    if where.form == "message":
        return _message(replace(shape, role_key="role", text_key="content"), inner, edit)
    if where.form == "call":
        return _strings(inner, edit)
    if not key:
        return inner
    value = inner[key]
    if where.form == "thinking":
        changed = edit(value)
    elif isinstance(value, (str, list)):
        changed = _content_mapped(value, edit)
    else:
        changed = _strings(value, edit, inside=True)
    return _same(inner, {**inner, key: changed})


def _item(shape: Shape, slot: str, item: Any, edit: Edit) -> Any:
    if isinstance(item, str):
        if slot in OF_MESSAGES and json_object(item) is not None:
            return _json_mapped(item, lambda held: _message(shape, held, edit))
        return edit(item)
    if isinstance(item, list):
        return _same(item, [_item(shape, slot, inner, edit) for inner in item])
    if not isinstance(item, Mapping):
        return item
    if slot == "responses":
        return _same(
            item, {key: edit(v) if key in ANSWER_KEYS and isinstance(v, str) else v for key, v in item.items()}
        )
    return item if slot == "template" else _message(shape, item, edit)


def _message(shape: Shape, message: Mapping[str, Any], edit: Edit) -> Mapping[str, Any]:
    changed = dict(message)
    for key, value in message.items():
        if key == shape.text_key:
            role = role_of(message.get(shape.role_key)) if shape.calls else None
            changed[key] = _content_mapped(value, edit, role)
        elif key in THINKING_KEYS and isinstance(value, str):
            changed[key] = edit(value)
        elif key in CALL_KEYS:
            changed[key] = (
                _json_mapped(value, lambda held: _strings(held, edit))
                if isinstance(value, str)
                else _strings(value, edit)
            )
    return _same(message, changed)


def _content_mapped(value: Any, edit: Edit, role: int | None = None) -> Any:
    """Return the content of a message, its texts passed through ``edit``; a role cuts calls in tags out of them."""
    if isinstance(value, str):
        inner = json_objects(value)
        if inner is not None and all(isinstance(item.get("type"), str) for item in inner):
            return _json_mapped(value, lambda held: _content_mapped(held, edit, role))
        return _in_pieces(value, pieces_of(value, ASSISTANT if role is None else role, tagged=role is not None), edit)
    if isinstance(value, list):
        return _same(
            value,
            [
                _content_mapped(item, edit)
                if isinstance(item, Mapping)
                else edit(item)
                if isinstance(item, str)
                else item
                for item in value
            ],
        )
    if isinstance(value, Mapping):
        if value.get("type") == "tool_use":
            return _strings(value, edit)
        keys = ("text", "thinking", "reasoning", "refusal")
        return _same(value, {
            key: edit(held) if key in keys and isinstance(held, str) else
            _content_mapped(held, edit) if key == "content" else held for key, held in value.items()
        })  # fmt: skip
    return value


def _in_pieces(text: str, pieces: Sequence[tuple[int, tuple[int, int]]] | None, edit: Edit) -> str:
    """Return a text, its pieces passed through ``edit``; of a call in tags the strings in its arguments."""
    if pieces is None:
        return edit(text)
    found, at = [], 0
    for kind, (begin, end) in pieces:
        said = text[begin:end]
        if kind == TOOL_CALL and json_object(said) is not None:
            said = _json_mapped(said, lambda call: _strings(call, edit))
        else:
            said = edit(said)
        found += [text[at:begin], said]
        at = end
    return "".join([*found, text[at:]])


def _in_spans(text: str, spans: Sequence[tuple[int, int]], edit: Edit) -> str:
    pieces, at = [], 0
    for begin, end in spans:
        pieces += [text[at:begin], edit(text[begin:end])]
        at = end
    return "".join([*pieces, text[at:]])


_CALL_STRINGS = ("arguments", "input", "parameters")


def _strings(value: Any, edit: Edit, *, inside: bool = False) -> Any:
    """Return calls with the strings in their arguments passed through ``edit``; names and ids stay."""
    if isinstance(value, str):
        return edit(value) if inside else value
    if isinstance(value, list):
        return _same(value, [_strings(item, edit, inside=inside) for item in value])
    if isinstance(value, Mapping):
        held = {key: _strings(item, edit, inside=inside or key in _CALL_STRINGS) for key, item in value.items()}
        return _same(value, held)
    return value


def _json_mapped(text: str, change: Callable[[Any], Any]) -> str:
    before = json.loads(text)
    after = change(before)
    return text if after is before else json.dumps(after, ensure_ascii=False)


def _same(before: T, after: T) -> T:
    """Return ``before`` itself where nothing changed, so that what is untouched stays the same object."""
    return before if before == after else after


def texts_of(shape: Shape, row: Mapping[str, Any], places: Mapping[str, Path]) -> Iterator[str]:
    """Yield every text that ``map_texts`` passes through its function, in its order."""
    found: list[str] = []

    def keep(text: str) -> str:
        found.append(text)
        return text

    map_texts(shape, row, places, keep)
    yield from found

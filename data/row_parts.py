"""The parts of one row of any shape, and texts put back into the row: the reference for ``batch_parts``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from tamis.data.message import (
    CALL_KEYS,
    JSON,
    THINKING_KEYS,
    MalformedError,
    Path,
    compact,
    json_list,
    json_objects,
    message_parts,
    piece_part,
    pieces_of,
    role_of,
    tagged_call,
)
from tamis.data.parts import ANSWER, ASSISTANT, CHOSEN, REJECTED, TOOL_CALL, USER, MessagePart
from tamis.data.rendered import rendered_turns
from tamis.data.session_events import Saying, map_event, session_parts
from tamis.data.shapes import SLOT_ROLES, Shape

OPTIONAL = ("system", "context", "input", "history")
"""Slots that may be NULL or empty."""

Edit = Callable[[str], str]
T = TypeVar("T")


def read_row(shape: Shape, values: Mapping[str, Any], places: Mapping[str, Path]) -> list[MessagePart]:
    """Return the parts of a row in document order.

    Args:
        shape: of the row.
        values: value by path of the columns that the shape reads.
        places: names that lead to each of these paths in a whole row.

    Raises:
        MalformedError: the row is no document; says why.
    """
    if shape.kind == "preference":
        parts = _preference(shape, values, places)
    elif shape.kind == "template":
        fields = enumerate(shape.fields)
        parts = [part for at, path in fields for part in _field(values.get(path), at, places[path])]
        parts = parts if any(part.text for part in parts) else []
    else:
        parts = []
        for slot, path in shape.slots:
            turn = _next_turn(parts) - (slot == "input" and bool(parts))
            parts += _slot(shape, slot, path, values.get(path), turn, places[path])
    if not parts:
        raise MalformedError("it has no turn" if shape.kind != "template" else "all its fields are empty")
    return parts


def _next_turn(parts: Sequence[MessagePart]) -> int:
    return parts[-1].turn + 1 if parts else 0


def _slot(shape: Shape, slot: str, path: str, value: Any, turn: int, place: Path) -> list[MessagePart]:
    """Return the parts of one column."""
    if slot in OPTIONAL and (value is None or value in ("", [])):
        return []
    if value is None:
        raise MalformedError(f"{path} is NULL")
    if slot == "answer" and not isinstance(value, str):
        return [MessagePart(ANSWER, 0, compact(value), turn, "", place)]
    if slot == "history":
        return _history(path, value, turn, place)
    if slot == "dialog":
        return _dialog(path, value, turn, place)
    if slot == "events":
        return _events(path, value, turn, place)
    if isinstance(value, str):
        return _text_slot(shape, slot, path, value, turn, place)
    if isinstance(value, Mapping) and slot != "messages":
        value, place = [value], place
        return _messages(shape, value, turn, place, single=True)
    if not isinstance(value, list):
        raise MalformedError(f"{path} is {type(value).__name__}, not text or a list of messages")
    if not value:
        raise MalformedError(f"{path} is an empty list")
    return _messages(shape, value, turn, place)


def _text_slot(shape: Shape, slot: str, path: str, value: str, turn: int, place: Path) -> list[MessagePart]:
    inner = json_objects(value) if slot in ("messages", "user", "assistant", "prompt", "chosen", "rejected") else None
    if inner is not None and all(shape.role_key in item for item in inner):
        return _messages(shape, inner, turn, (*place, JSON))
    if slot == "messages":
        turns = rendered_turns(value)
        if turns is None and (listed := json_list(value)) is not None:
            return _slot(shape, slot, path, listed, turn, (*place, JSON))
        if turns is None:
            raise MalformedError(f"{path} is text, and neither JSON nor a known template")
        return [
            MessagePart(role, kind, value[begin:end], turn + at, word, place, (begin, end))
            for at, (word, (role, kind), (begin, end)) in enumerate(turns)
        ]
    role = SLOT_ROLES[slot]
    whole = MessagePart(role, 0, value, turn, "", place)
    pieces = _pieces(shape, value, role)
    return [whole] if pieces is None else [piece_part(value, kind, span, whole) for kind, span in pieces]


def _pieces(shape: Shape, text: str, role: int) -> list[tuple[int, tuple[int, int]]] | None:
    """Return the pieces of a text in a column of its own; there only the assistant thinks and calls tools."""
    return pieces_of(text, role, tagged=bool(shape.calls)) if role == ASSISTANT else None


def _messages(shape: Shape, value: list[Any], turn: int, place: Path, *, single: bool = False) -> list[MessagePart]:
    return [
        part
        for at, message in enumerate(value)
        for part in message_parts(
            message, turn + at, place if single else (*place, at), shape.role_key, shape.text_key,
            tagged=bool(shape.calls),
        )
    ]  # fmt: skip


def _field(value: Any, turn: int, place: Path) -> list[MessagePart]:
    """Return the part of a field of a template; a list has one for each item."""
    if isinstance(value, list):
        return [part for at, item in enumerate(value) for part in _field(item, turn, (*place, at))]
    text = "" if value is None else value if isinstance(value, str) else compact(value)
    return [MessagePart(SLOT_ROLES["template"], 0, text, turn, "", place)]


def _history(path: str, value: Any, turn: int, place: Path) -> list[MessagePart]:
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise MalformedError(f"{path} is no list of pairs of question and answer")
    sides = [(at, side, text) for at, pair in enumerate(value) for side, text in enumerate(pair)]
    if not all(isinstance(text, str) for _, _, text in sides):
        raise MalformedError(f"{path} holds a turn that is no text")
    return [
        MessagePart((USER, ASSISTANT)[side], 0, text, turn + 2 * at + side, "", (*place, at, side))
        for at, side, text in sides
    ]


def _dialog(path: str, value: Any, turn: int, place: Path) -> list[MessagePart]:
    if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
        raise MalformedError(f"{path} is no list of texts")
    return [
        MessagePart((USER, ASSISTANT)[at % 2], 0, text, turn + at, "", (*place, at)) for at, text in enumerate(value)
    ]


def _events(path: str, value: Any, turn: int, place: Path) -> list[MessagePart]:
    listed, place = (json_list(value), (*place, JSON)) if isinstance(value, str) else (value, place)
    if not isinstance(listed, list):
        raise MalformedError(f"{path} is no list of events")
    return list(session_parts(listed, turn, place))


def _preference(shape: Shape, values: Mapping[str, Any], places: Mapping[str, Path]) -> list[MessagePart]:
    """Return the prompt, then what is chosen, then what is rejected; messages that both begin with are the prompt."""
    parts: list[MessagePart] = []
    for slot in ("system", "prompt"):
        if slot in shape.columns:
            path = shape.columns[slot]
            parts += _slot(shape, slot, path, values.get(path), _next_turn(parts), places[path])
    if "responses" in shape.columns:
        return parts + _responses(shape, values, _next_turn(parts), places[shape.columns["responses"]])
    sides = []
    for slot in ("chosen", "rejected"):
        path = shape.columns[slot]
        sides.append(_slot(shape, slot, path, values.get(path), _next_turn(parts), places[path]))
    chosen, rejected = sides
    shared = _shared(chosen, rejected)
    said = [(part.role, part.text) for part in parts if part.role == USER or part.role == 0]
    begin = [(part.role, part.text) for part in chosen[:shared]]
    if shared and said and begin[-len(said) :] == said[-len(begin) :]:
        # The prompt stands in its own column as well.
        parts = []
    parts += chosen[:shared]
    for role, side in ((CHOSEN, chosen[shared:]), (REJECTED, rejected[shared:])):
        first = _next_turn(parts) - (side[0].turn if side else 0)
        parts += [part._replace(role=role, turn=part.turn + first) for part in side]
    return parts


def _shared(chosen: Sequence[MessagePart], rejected: Sequence[MessagePart]) -> int:
    """Return how many parts both sides begin with, whole turns only and never the last turn of one of them."""
    count = 0
    for left, right in zip(chosen, rejected, strict=False):
        if left[:5] != right[:5]:
            break
        count += 1
    last = min((side[-1].turn for side in (chosen, rejected) if side), default=0)
    while count and (
        chosen[count - 1].turn >= last or (count < len(chosen) and chosen[count].turn == chosen[count - 1].turn)
        or (count < len(rejected) and rejected[count].turn == rejected[count - 1].turn)
    ):  # fmt: skip
        count -= 1
    return count


_SCORES = ("score", "rating", "overall_score", "reward", "rank_score")
_ANSWERS = ("text", "content", "response", "completion", "answer", "output")


def _responses(shape: Shape, values: Mapping[str, Any], turn: int, place: Path) -> list[MessagePart]:
    """Return all responses, the best as chosen and the worst as rejected, the first of equals."""
    path = shape.columns["responses"]
    items = values.get(path)
    if not isinstance(items, list) or not items:
        raise MalformedError(f"{path} is no list of responses")
    found = []
    for at, item in enumerate(items):
        key = next((key for key in _ANSWERS if isinstance(item, Mapping) and isinstance(item.get(key), str)), None)
        text = item[key] if key is not None else item
        if not isinstance(text, str):
            raise MalformedError(f"response {at + 1} is no text")
        found.append((text, (*place, at) if key is None else (*place, at, key)))
    given = values.get(shape.columns.get("scores", ""))
    scores = given if isinstance(given, list) else [_score(item) for item in items]
    if len(scores) != len(items) or not all(isinstance(score, (int, float)) for score in scores):
        raise MalformedError("not every response has a score")
    best, worst = scores.index(max(scores)), scores.index(min(scores))
    roles = [CHOSEN if at == best else REJECTED if at == worst else ANSWER for at in range(len(items))]
    return [
        MessagePart(role, 0, text, turn + at, "", where)
        for at, (role, (text, where)) in enumerate(zip(roles, found, strict=True))
    ]


def _score(item: Any) -> Any:
    return next((item[key] for key in _SCORES if isinstance(item, Mapping) and item.get(key) is not None), None)


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
        return _in_pieces(value, _pieces(shape, value, SLOT_ROLES[slot]) if slot in SLOT_ROLES else None, edit)
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
        return edit(item)
    if isinstance(item, list):
        return _same(item, [_item(shape, slot, inner, edit) for inner in item])
    if not isinstance(item, Mapping):
        return item
    if slot == "responses":
        return _same(item, {key: edit(v) if key in _ANSWERS and isinstance(v, str) else v for key, v in item.items()})
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
        if kind == TOOL_CALL and tagged_call(said) is not None:
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

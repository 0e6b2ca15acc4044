"""The parts of one row of any shape: the reference for ``batch_parts``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tamis.data.message import (
    JSON,
    MalformedError,
    Path,
    compact,
    json_list,
    json_objects,
    message_parts,
    piece_part,
    pieces_of,
)
from tamis.data.parts import ANSWER, ASSISTANT, CHOSEN, REJECTED, USER, MessagePart
from tamis.data.rendered import rendered_turns
from tamis.data.session_events import session_parts
from tamis.data.shapes import PICTURE, SLOT_ROLES, Shape

OPTIONAL = ("system", "context", "input", "history", "caption")
"""Slots that may be NULL or empty."""
OF_MESSAGES = ("messages", "user", "assistant", "prompt", "chosen", "rejected")
"""Slots that may hold messages."""


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
    if not parts and shape.kind != PICTURE:
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
    inner = json_objects(value) if slot in OF_MESSAGES else None
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
    pieces = cut_pieces(shape, value, role)
    return [whole] if pieces is None else [piece_part(value, kind, span, whole) for kind, span in pieces]


def cut_pieces(shape: Shape, text: str, role: int) -> list[tuple[int, tuple[int, int]]] | None:
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
ANSWER_KEYS = ("text", "content", "response", "completion", "answer", "output")


def _responses(shape: Shape, values: Mapping[str, Any], turn: int, place: Path) -> list[MessagePart]:
    """Return all responses, the best as chosen and the worst as rejected, the first of equals."""
    path = shape.columns["responses"]
    items = values.get(path)
    if not isinstance(items, list) or not items:
        raise MalformedError(f"{path} is no list of responses")
    found = []
    for at, item in enumerate(items):
        key = next((key for key in ANSWER_KEYS if isinstance(item, Mapping) and isinstance(item.get(key), str)), None)
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

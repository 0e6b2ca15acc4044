"""Where the characters of a document's text lie in the parts of its row."""

from __future__ import annotations

from collections.abc import Sequence

from tamis.data.parts import BLANK_LINE, WHOLE, MessagePart, Parts
from tamis.data.shapes import Shape

Span = tuple[int, int]


def part_starts(shape: Shape, parts: Sequence[MessagePart]) -> list[int]:
    """Return the character of the document's text at which each part begins; -1 for a part that is not in the text.

    Empty parts are not in the text, nor are those outside the scope of the shape.
    """
    shown = set(range(len(parts))) if shape.kind == "template" else _in_scope(parts, shape.scope)
    at = len(shape.separators[0]) if shape.kind == "template" else 0
    starts, begun = [], False
    for place, part in enumerate(parts):
        if place not in shown or not part.text:
            starts.append(-1)
            continue
        at += len(_gap(shape, parts, place)) if begun else 0
        starts.append(at)
        at, begun = at + len(part.text), True
    return starts


def _in_scope(parts: Sequence[MessagePart], scope: str) -> set[int]:
    if scope == WHOLE:
        return set(range(len(parts)))
    numbered = Parts.of([[part._replace(text=str(place)) for place, part in enumerate(parts)]])
    return {int(place) for place in numbered.scope(scope).texts.to_pylist()}


def _gap(shape: Shape, parts: Sequence[MessagePart], place: int) -> str:
    """Return what stands before a part that is not the first; items of one field of a template follow a blank line."""
    turn = parts[place].turn
    if shape.kind != "template" or not turn or parts[place - 1].turn == turn:
        return BLANK_LINE
    return shape.separators[turn]


def spans_in_parts(spans: Sequence[Span], starts: Sequence[int], texts: Sequence[str]) -> list[list[Span]]:
    """Return spans of a document's text as spans of its parts; what lies between parts belongs to none.

    Args:
        spans: (begin, end) characters of the text, in any order.
        starts: where each part begins in the text, -1 for none; see ``part_starts``.
        texts: of the parts.

    Returns:
        for each part its spans, in the order given, none empty.
    """
    found: list[list[Span]] = []
    for start, text in zip(starts, texts, strict=True):
        end = start + len(text)
        inside = [(max(a, start) - start, min(b, end) - start) for a, b in spans if start >= 0]
        found.append([(a, b) for a, b in inside if a < b])
    return found

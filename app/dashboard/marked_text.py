"""Texts of the corpus as escaped HTML: marked places, words that differ, JSON laid out for reading."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from html import escape
from itertools import pairwise

Span = tuple[int, int]


def mark_places(text: str, places: Sequence[Span], differs: Sequence[Span] = ()) -> str:
    """Return a text as HTML with ``<mark>`` around places and ``<b>`` around what differs from another text.

    Args:
        text: the text.
        places: (begin, end) in code points, ascending, no overlap.
        differs: the same; both kinds may overlap.
    """
    edges = {edge for span in (*places, *differs) for edge in span}
    cuts = sorted({0, len(text), *(edge for edge in edges if 0 < edge < len(text))})
    pieces = []
    for begin, end in pairwise(cuts):
        piece = escape(text[begin:end])
        piece = f'<b class="tamis-differs">{piece}</b>' if _within(begin, differs) else piece
        pieces.append(f"<mark>{piece}</mark>" if _within(begin, places) else piece)
    return "".join(pieces)


def _within(at: int, spans: Sequence[Span]) -> bool:
    place = bisect_right(spans, (at, float("inf"))) - 1
    return place >= 0 and spans[place][0] <= at < spans[place][1]


def window(text: str, places: Sequence[Span], *, length: int) -> tuple[str, list[Span], bool, bool]:
    """Return a part of a text that shows the first place, the places inside it, and whether either end was cut."""
    begin = max(0, places[0][0] - length // 4) if places and places[0][1] > length else 0
    end = min(len(text), begin + length)
    return text[begin:end], cut_spans(places, begin, end), begin > 0, end < len(text)


def cut_spans(places: Sequence[Span], begin: int, end: int) -> list[Span]:
    """Return the places inside a part of a text, counted from its beginning."""
    return [(max(a, begin) - begin, min(b, end) - begin) for a, b in places if a < end and b > begin]


def indented(text: str, places: Sequence[Span]) -> tuple[str, list[Span]] | None:
    """Return JSON text with line breaks and indents, and where the places lie in it; None for any other text.

    Every character outside white space stays as it is, numbers and escapes too.
    """
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    pieces, where, at = _laid_out(text)
    where.append(at)
    return "".join(pieces), [(where[a], where[b]) for a, b in places if where[a] < where[b]]


def _laid_out(text: str) -> tuple[list[str], list[int], int]:
    """Return pieces of laid out JSON, the place in it of each character of the text, and its length."""
    pieces: list[str] = []
    where: list[int] = []
    at, depth, quoted, escaped, before = 0, 0, False, False, ""
    for mark in text:
        shown = mark
        if quoted:
            quoted = escaped or mark != '"'
            escaped = mark == "\\" and not escaped
        elif mark.isspace():
            shown = ""
        elif mark in "]}":
            depth -= 1
            shown = mark if before in ("[", "{") else f"\n{'  ' * depth}{mark}"
        else:
            gap = f"\n{'  ' * depth}" if before in ("[", "{", ",") else " " if before == ":" else ""
            shown = gap + mark
            depth += mark in "[{"
            quoted = mark == '"'
        where.append(at + max(len(shown) - 1, 0))
        at += len(shown)
        pieces.append(shown)
        before = mark if shown and not (quoted and mark != '"') else before
    return pieces, where, at

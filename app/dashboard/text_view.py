"""Texts of the corpus as safe HTML: escaped, with marked places, cut to a window around the first place."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Span = tuple[int, int]


def mark_places(text: str, places: Sequence[Span]) -> str:
    """Return a text as HTML with ``<mark>`` around places (begin, end in code points, ascending, no overlap)."""
    parts, at = [], 0
    for begin, end in places:
        parts.append(f"{escape(text[at:begin])}<mark>{escape(text[begin:end])}</mark>")
        at = end
    return "".join([*parts, escape(text[at:])])


def reader(text: str, places: Sequence[Span] = (), *, kind: str = "") -> str:
    """Return a whole text as HTML for reading: lines as they are, each in the direction of its own script.

    Args:
        text: the text.
        places: what is marked.
        kind: a further CSS class.
    """
    return f'<div class="{f"tamis-text {kind}".strip()}" dir="auto">{mark_places(text, places)}</div>'


def window(text: str, places: Sequence[Span], *, length: int) -> tuple[str, list[Span], bool, bool]:
    """Return a part of a text that shows the first place, the places inside it, and whether either end was cut."""
    begin = max(0, places[0][0] - length // 4) if places and places[0][1] > length else 0
    end = min(len(text), begin + length)
    inside = [(max(a, begin) - begin, min(b, end) - begin) for a, b in places if a < end and b > begin]
    return text[begin:end], inside, begin > 0, end < len(text)


def card(text: str, places: Sequence[Span] = (), *, length: int = 420) -> str:
    """Return a small card that shows the part of a text with the marked places."""
    shown, inside, before, after = window(text, places, length=length)
    body = f"{'… ' if before else ''}{mark_places(shown, inside)}{' …' if after else ''}"
    return f'<div class="tamis-card" dir="auto">{body if shown.strip() else "<i>no visible text</i>"}</div>'


def cards(texts: Sequence[str], places: Sequence[Sequence[Span]] | None = None, *, length: int = 420) -> str:
    """Return cards in a column; a muted line if there are none."""
    spans = places if places is not None else [()] * len(texts)
    body = "".join(card(text, found, length=length) for text, found in zip(texts, spans, strict=True))
    return f'<div class="tamis-samples">{body or "No documents."}</div>'

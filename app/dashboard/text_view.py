"""Documents as safe HTML, for every page: whole for reading, or as small cards; escaped, with marked places.

Pictures are shown as pictures wherever documents are.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from tamis.analytics.study.lines import line, name_of
from tamis.analytics.study.readings import Reading
from tamis.app.dashboard.conversation_view import conversation, gist
from tamis.app.dashboard.look import count
from tamis.app.dashboard.marked_text import Span, cut_spans, mark_places, window
from tamis.app.dashboard.picture_html import figure, pictured, sheet

WHOLE = 1_000_000
"""Characters shown at most, of one document."""
LEAD = 24
"""Characters before the first mark in a line: it is in sight also where the line is short."""


def reader(document: Reading, places: Sequence[Span] = (), *, kind: str = "", limit: int = WHOLE) -> str:
    """Return a document as HTML for reading: turn by turn, lines as they are, each in the direction of its own script.

    Args:
        document: the document.
        places: what is marked, characters of its text.
        kind: a further CSS class.
        limit: characters shown at most; the HTML says what is left out.
    """
    if document.reason:
        return f'<div class="tamis-muted">No document: <bdi>{escape(document.reason)}</bdi></div>'
    if document.picture is not None:
        return figure(document, places, limit=limit)
    if document.parts:
        body, left_out = conversation(document, places, limit=limit, kind=kind)
    else:
        shown, total = document.text[:limit], len(document.text)
        marked = mark_places(shown, cut_spans(places, 0, len(shown)))
        body = f'<div class="{f"tamis-text {kind}".strip()}" dir="auto">{marked}</div>'
        left_out = f"Shown: the first {count(limit)} of {count(total)} characters." if total > limit else ""
    return f'{body}<div class="tamis-muted tamis-cut">{left_out}</div>' if left_out else body


def card(document: Reading, places: Sequence[Span] = (), *, length: int = 420) -> str:
    """Return a small card that shows the part of a document with the marked places."""
    if document.parts:
        return gist(document, places, length=length)
    shown, inside, before, after = window(document.text, places, length=length)
    body = f"{'… ' if before else ''}{mark_places(shown, inside)}{' …' if after else ''}"
    if document.picture is not None:
        return pictured(document, body if shown.strip() else escape(name_of(document)))
    return f'<div class="tamis-card" dir="auto">{body if shown.strip() else "<i>no visible text</i>"}</div>'


def extract(text: str, places: Sequence[Span] = (), *, begin: int, length: int) -> str:
    """Return a part of a text as a card that keeps its lines, with the marked places in it."""
    shown = mark_places(text[begin : begin + length], cut_spans(places, begin, begin + length))
    body = f"{'… ' if begin else ''}{shown}{' …' if len(text) > begin + length else ''}".strip()
    return f'<div class="tamis-card"><div class="tamis-text" dir="auto">{body or "<i>nothing is left</i>"}</div></div>'


def cards(documents: Sequence[Reading], places: Sequence[Sequence[Span]] | None = None, *, length: int = 420) -> str:
    """Return cards in a column, of pictures a contact sheet; a muted line if there are none."""
    if documents and all(each.picture is not None for each in documents):
        return sheet(documents)
    spans = places if places is not None else [()] * len(documents)
    body = "".join(card(each, found, length=length) for each, found in zip(documents, spans, strict=True))
    return f'<div class="tamis-samples">{body or "No documents."}</div>'


def snippet(document: Reading, places: Sequence[Span] = (), *, length: int) -> tuple[tuple[str, bool], ...]:
    """Return one line of a document as pieces, each with whether it is marked: around the first place, or the start.

    Args:
        document: the document.
        places: what is marked, characters of its text.
        length: characters.
    """
    if not places:
        return ((line(document, length=length), False),)
    begin = max(0, places[0][0] - LEAD)
    text = document.text[begin : begin + length]
    inside = cut_spans(places, begin, begin + length)
    edges = sorted({0, len(text), *(edge for span in inside for edge in span)})
    pieces = [(" ".join(text[a:b].split("\n")), any(x <= a < y for x, y in inside)) for a, b in pairwise(edges)]
    return (("… ", False), *pieces) if begin else tuple(pieces)

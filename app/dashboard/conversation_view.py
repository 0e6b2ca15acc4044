"""A document of turns as safe HTML: who says what, thinking and tools folded, the sides of a pair beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from tamis.analytics.duplicates.word_diff import Span as Words
from tamis.analytics.duplicates.word_diff import word_diff
from tamis.analytics.study.readings import Reading, ReadPart
from tamis.app.dashboard.look import count
from tamis.app.dashboard.marked_text import Span, cut_spans, indented, mark_places, window

TURN_SHOWN = 1_600
"""Characters of a turn that are shown before "show all"."""

MOST_TURNS = 400
DIFF_CHARACTERS = 6_000
SUMMARY = 90
KIND_TITLES = {
    "thinking": "thinking",
    "tool_call": "calls of tools",
    "tool_result": "results of tools",
    "image": "images",
}
_SIDES = ("chosen", "rejected")
_FOLDED = {"thinking": "Thinking", "tool_call": "Calls", "tool_result": "Result"}


@dataclass(frozen=True)
class _ShownPart:
    """A part on screen.

    Attributes:
        part: the part.
        text: its text as far as it is shown.
        places: what is marked in it.
        differs: words that the other side of a pair lacks.
    """

    part: ReadPart
    text: str
    places: tuple[Span, ...]
    differs: tuple[Span, ...] = ()


def conversation(document: Reading, places: Sequence[Span] = (), *, limit: int, kind: str = "") -> tuple[str, str]:
    """Return a document of turns as HTML, and what is left out in words.

    Args:
        document: any document with parts.
        places: what is marked, characters of its text.
        limit: characters shown at most, of all turns together.
        kind: a further CSS class.
    """
    pieces = _pieces(document, places, limit)
    blocks = list(_blocks(document, _with_differences(pieces)))
    shown = sum(len(piece.text) for piece in pieces)
    turns, total = len({piece.part.turn for piece in pieces}), sum(len(part.text) for part in document.parts)
    left = []
    if turns < document.turns:
        left.append(f"{count(turns)} of {count(document.turns)} turns")
    if shown < total:
        left.append(f"the first {count(shown)} of {count(total)} characters")
    body = f'<div class="{f"tamis-turns {kind}".strip()}">{"".join(blocks)}</div>'
    return body, f"Shown: {', '.join(left)}." if left else ""


def _pieces(document: Reading, places: Sequence[Span], limit: int) -> list[_ShownPart]:
    """Return the parts that fit the limits."""
    pieces, left = [], limit
    for part, marked in zip(document.parts, document.places(places), strict=True):
        if part.turn >= MOST_TURNS or left <= 0:
            break
        text = part.text[:left]
        pieces.append(_ShownPart(part, text, tuple(cut_spans(marked, 0, len(text)))))
        left -= len(text)
    return pieces


def _with_differences(pieces: Sequence[_ShownPart]) -> list[_ShownPart]:
    """Return the parts with marks on the words that only one side of a pair has."""
    sides = [[piece for piece in pieces if piece.part.role == side] for side in _SIDES]
    if not all(sides):
        return list(pieces)
    texts = ["\n".join(piece.text for piece in side)[:DIFF_CHARACTERS] for side in sides]
    found = word_diff(texts[0], texts[1])
    marked: dict[int, tuple[Span, ...]] = {}
    for side, text, spans in zip(sides, texts, (found.left, found.right), strict=True):
        at, differ = 0, [(a, a + len(text[a:b].rstrip())) for a, b in unlike(spans)]
        for piece in side:
            end = at + len(piece.text)
            marked[id(piece)] = tuple(cut_spans(differ, at, end))
            at = end + 1
    return [_ShownPart(each.part, each.text, each.places, marked.get(id(each), ())) for each in pieces]


def unlike(spans: Sequence[Words]) -> list[Span]:
    """Return the places of a text that the other text lacks."""
    return [(span.start, span.end) for span in spans if not span.same]


def _blocks(document: Reading, pieces: Sequence[_ShownPart]) -> Iterator[str]:
    """Yield the turns in their order; both sides of a pair stand where the first of them begins."""
    begun: set[int] = set()
    paired = False
    for (turn, role, _), group in groupby(
        pieces, key=lambda piece: (piece.part.turn, piece.part.role, piece.part.word)
    ):
        if role not in _SIDES:
            yield _turn(list(group), first=turn not in begun)
        elif not paired:
            paired = True
            yield f'<div class="tamis-pair">{"".join(_side(pieces, side) for side in _SIDES)}</div>'
        begun.add(turn)


def _side(pieces: Sequence[_ShownPart], side: str) -> str:
    mine = [piece for piece in pieces if piece.part.role == side]
    turns = [list(group) for _, group in groupby(mine, key=lambda piece: piece.part.turn)]
    return f'<div class="side">{"".join(_turn(turn, first=True) for turn in turns)}</div>'


def _turn(pieces: Sequence[_ShownPart], *, first: bool) -> str:
    """Return one turn: its number, who speaks, and what."""
    part = pieces[0].part
    own = part.word if part.word and part.word.lower() != part.role else ""
    number = f'<span class="n">{part.turn + 1}</span>' if first else '<span class="n"></span>'
    word = f"<small><bdi>{escape(own)}</bdi></small>" if own else ""
    name = escape(f"Turn {part.turn + 1}, {part.title}", quote=True)
    body = "".join(map(_body, pieces))
    if not any(piece.text.strip() or piece.part.kind == "image" for piece in pieces):
        body = '<i class="tamis-muted">empty</i>'
    return (
        f'<div class="tamis-turn {part.role}" role="group" aria-label="{name}">'
        f'<div class="who">{number}<b><bdi>{escape(part.title)}</bdi></b>{word}</div>{body}</div>'
    )


def _body(piece: _ShownPart) -> str:
    if piece.part.kind == "image":
        return _image(piece.text)
    if piece.part.kind in _FOLDED:
        return _folded(piece)
    return long_text(piece.text, piece.places, piece.differs)


def _image(reference: str) -> str:
    named = f"<bdi>{escape(reference)}</bdi>" if reference else "in the row, without an address"
    return f'<div class="tamis-image"><b>image</b> {named}</div>'


def _folded(piece: _ShownPart) -> str:
    """Return thinking, a call or its result behind a line that says what it is."""
    text, places, name = piece.text, list(piece.places), ""
    if piece.part.kind == "tool_call":
        name, _, rest = text.partition(" ")
        if name[:1] in "{[":
            name, rest = "", text
        skipped = len(text) - len(rest)
        text, places = rest, cut_spans(places, skipped, len(piece.text))
    one = " ".join(text[: 4 * SUMMARY].split())
    line = escape(one[:SUMMARY] + ("…" if len(one) > SUMMARY or len(text) > 4 * SUMMARY else ""))
    said = f"<b>{_FOLDED[piece.part.kind]}{f' {escape(name)}' if name else ''}</b>"
    laid = indented(text, places) if piece.part.kind != "thinking" else None
    body = long_text(text, places, piece.differs) if laid is None else long_text(*laid, code=True)
    opened = " open" if piece.places else ""
    return (
        f'<details class="tamis-fold {piece.part.kind}"{opened}><summary>{said} <bdi>{line}</bdi></summary>'
        f"{body}</details>"
    )


def long_text(text: str, places: Sequence[Span] = (), differs: Sequence[Span] = (), *, code: bool = False) -> str:
    """Return a text for reading; the end of a long one waits behind "show all", unless something in it is marked."""
    kind = "tamis-text code" if code else "tamis-text"
    if not text.strip():
        return ""
    cut = _cut(text)
    head, rest = (
        mark_places(text[begin:end], cut_spans(places, begin, end), cut_spans(differs, begin, end))
        for begin, end in ((0, cut), (cut, len(text)))
    )
    head = f'<div class="{kind}" dir="auto">{head}</div>'
    if cut == len(text):
        return head
    opened = " open" if any(end > cut for _, end in places) else ""
    return (
        f'{head}<details class="tamis-more"{opened}><summary>Show all {count(len(text))} characters</summary>'
        f'<div class="{kind}" dir="auto">{rest}</div></details>'
    )


def role_counts(turns: int, counts: Mapping[str, int], apart: Sequence[str]) -> str:
    """Return a line of counts by role as HTML, each in the colour of its role; roles without a part are left out.

    Args:
        turns: number of turns.
        counts: parts by role.
        apart: further counts in words.
    """
    cells = [
        f'<span class="tamis-said {name}"><b>{name}</b> {count(number)}</span>'
        for name, number in counts.items()
        if number
    ]
    first = f"<span><b>{count(turns)}</b> turns of <b>{count(sum(counts.values()))}</b> parts, exact:</span>"
    also = f'<span class="tamis-muted">among them {escape(", ".join(apart))}</span>' if apart else ""
    return f'<div class="tamis-roles">{first}{"".join(cells)}{also}</div>'


def _cut(text: str) -> int:
    """Return where a long text is cut: behind a line or a word, near the limit."""
    if len(text) <= TURN_SHOWN + 400:
        return len(text)
    for mark in ("\n", " "):
        at = text.rfind(mark, TURN_SHOWN - 400, TURN_SHOWN + 1)
        if at > 0:
            return at + 1
    return TURN_SHOWN


def gist(document: Reading, places: Sequence[Span] = (), *, length: int) -> str:
    """Return the few lines of a card: the first turn of the user and an answer, or what is marked."""
    found, marked = document.gist(places), document.places(places)
    each = max(length // max(len(found), 1), 80)
    lines = []
    for at in found:
        part = document.parts[at]
        shown, inside, before, after = window(part.text, marked[at], length=each)
        body = f"{'… ' if before else ''}{mark_places(shown, inside)}{' …' if after else ''}"
        kind = f" {part.kind.replace('_', ' ')}" if part.kind != "text" else ""
        lines.append(
            f'<div class="tamis-said {part.role}"><b><bdi>{escape(part.title)}</bdi>{kind}</b>'
            f'<span dir="auto">{body if shown.strip() else "<i>nothing to read</i>"}</span></div>'
        )
    more = document.turns - len({document.parts[at].turn for at in found})
    also = (
        f'<div class="tamis-muted">{more} more turn{"s" * (more != 1)}</div>'
        if more and document.kind == "conversation"
        else ""
    )
    return f'<div class="tamis-card turns">{"".join(lines) or "<i>no visible text</i>"}{also}</div>'

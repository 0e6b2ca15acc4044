"""Pictures of the corpus as safe HTML: one to look at, one in a card, several on a contact sheet.

The browser gets them by the route of its session (``picture_routes``). Every picture says in words what it shows: its
caption, else the name of its file, else its id.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from tamis.analytics.study.lines import name_of
from tamis.analytics.study.picture_difference import STRONGER, PictureDifference
from tamis.analytics.study.pictures import compare_pictures
from tamis.analytics.study.pictures_in_files import PictureInFile
from tamis.analytics.study.readings import Reading
from tamis.analytics.study.study import Study
from tamis.app.dashboard.look import count
from tamis.app.dashboard.marked_text import Span, cut_spans, mark_places
from tamis.data.errors import CorpusError

CAPTION = 2_000
"""Characters of a caption shown beside others at most."""
KEYS = "Pixel for pixel, or back; + and - zoom, arrows move, Esc fits"


def figure(
    document: Reading, places: Sequence[Span] = (), *, tallest: int = 400, least: int = 240, limit: int = CAPTION
) -> str:
    """Return a picture to look at, in the width of its place; a click shows it pixel for pixel, another one goes back.

    Args:
        document: a picture.
        places: what is marked, characters of its caption.
        tallest: pixels.
        least: pixels that a smaller one is made higher to.
        limit: characters of the caption shown at most; the HTML says what is left out.
    """
    assert document.picture is not None
    words = mark_places(document.text[:limit], cut_spans(places, 0, min(limit, len(document.text))))
    cut = len(document.text) > limit
    left_out = f"Shown: the first {count(limit)} of {count(len(document.text))} characters." if cut else ""
    words = words if words.strip() else f'<span class="tamis-muted">{escape(document.picture.name)}</span>'
    below = f'<figcaption dir="auto">{words}</figcaption>' if document.text.strip() or document.picture.name else ""
    return (
        f'<figure class="tamis-figure" style="--tallest: {tallest}px; --least: {least}px"><button type="button" '
        f'data-zoom aria-pressed="false" title="{KEYS}">{_image(document, "full", eager=True)}</button>{below}'
        + (f'<div class="tamis-muted tamis-cut">{left_out}</div>' if cut else "")
        + "</figure>"
    )


def pictured(document: Reading, body: str) -> str:
    """Return a card with a small picture, and beside it what is said of it as HTML."""
    return f'<div class="tamis-card tamis-pictured">{_opener(document)}<div dir="auto">{body}</div></div>'


def sheet(documents: Sequence[Reading], notes: Sequence[str] = (), *, tile: int = 92) -> str:
    """Return small pictures in a grid, each with its caption; one opens its document.

    Args:
        documents: pictures.
        notes: plain words below each in place of its caption.
        tile: least width of one, pixels.
    """
    words = list(notes) or [name_of(each) for each in documents]
    tiles = "".join(
        f'<li>{_opener(each)}<span dir="auto" title="{escape(note)}">{escape(note)}</span></li>'
        for each, note in zip(documents, words, strict=True)
    )
    return f'<ul class="tamis-sheet" style="--tile: {tile}px">{tiles}</ul>' if tiles else ""


def sheet_of_files(pictures: Sequence[PictureInFile]) -> str:
    """Return rows of a corpus that is not analysed as small pictures in a grid, or the reason why one is none."""
    tiles = []
    for each in pictures:
        number = f"row {each.row + 1}"
        words = " ".join(each.caption.split())[:300] or number
        data = b64encode(each.thumbnail).decode()
        shown = f'<img src="data:image/webp;base64,{data}" alt="{escape(words)}">' if data else escape(each.reason)
        tiles.append(f'<li><div>{shown}</div><span dir="auto" title="{escape(words)}">{escape(words)}</span></li>')
    return f'<ul class="tamis-sheet">{"".join(tiles)}</ul>' if tiles else "No documents."


def beside(study: Study, left: Reading, right: Reading, *, titles: tuple[str, str]) -> str:
    """Return two pictures side by side, and where they differ, or why that cannot be said."""
    assert left.picture is not None and right.picture is not None
    cells = "".join(
        f'<div><div class="tamis-muted">{escape(title)}</div>{figure(each, tallest=300, least=210)}</div>'
        for title, each in zip(titles, (left, right), strict=True)
    )
    try:
        found = compare_pictures(study, left.picture.row, right.picture.row)
    except CorpusError as error:
        difference = f'<div class="tamis-lost">{escape(str(error))}</div>'
    else:
        words, data = difference_words(found), b64encode(found.picture).decode()
        difference = (
            f'<img alt="{escape(words)}" src="data:image/webp;base64,{data}">'
            f'<div class="tamis-muted">{escape(words)}</div>'
        )
    return f'<div class="tamis-beside">{cells}<div><div class="tamis-muted">Difference</div>{difference}</div></div>'


def difference_words(found: PictureDifference) -> str:
    """Return how much two pictures differ in a sentence."""
    if not found.mean:
        return "No pixel of the thumbnails differs."
    moved = f", after a move by {found.shift[0]}, {found.shift[1]} pixels" if any(found.shift) else ""
    return (
        f"{100 * found.share:.1f}% of the pixels differ visibly, by {found.mean:.1f} of 255 on average{moved}; "
        f"black is the same, brightness times {STRONGER}."
    )


def _opener(document: Reading) -> str:
    assert document.picture is not None
    return f'<button type="button" data-open="read/{document.picture.row}">{_image(document, "128")}</button>'


def _image(document: Reading, size: str, *, eager: bool = False) -> str:
    assert document.picture is not None
    address = escape(f"{document.picture.address}?size={size}")
    lazy = "" if eager else ' loading="lazy"'
    return f'<img src="{address}" alt="{escape(name_of(document))}" decoding="async"{lazy}>'

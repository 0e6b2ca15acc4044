"""The gallery of documents in the browser: one page of pictures in a grid; every event goes back to Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from tamis.app.dashboard.document_table import Piece
from tamis.app.dashboard.picture_style import PAPER

HERE = Path(__file__).parent

_mount = st.components.v2.component(
    "tamis_gallery",
    html='<div class="tamis-gallery"></div>',
    css=f".tamis-gallery {{{PAPER}}}\n{(HERE / 'gallery.css').read_text('utf-8')}",
    js=(HERE / "gallery.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class Tile:
    """A document in the gallery.

    Attributes:
        row: its facts row.
        id: its id.
        name: what the picture shows, for people who do not see it.
        text: the part of its caption that is shown.
        note: the line below.
        dropped: the step that drops it, empty for what is kept.
    """

    row: int
    id: str
    name: str
    text: tuple[Piece, ...]
    note: str = ""
    dropped: str = ""


def gallery(
    tiles: Sequence[Tile],
    *,
    pictures: str,
    label: str,
    state: str,
    opened: int | None,
    picked: Sequence[str],
    turn: int,
    height: int,
    key: str,
    on_opened: Callable[[], None],
    on_turned: Callable[[], None],
    on_picked: Callable[[], None],
) -> None:
    """Show the gallery; the events are those of ``document_table``.

    Args:
        tiles: one page.
        pictures: prefix of the pictures' paths.
        label: name of the gallery for screen readers.
        state: changes with what the page shows; while it is the same, place and focus stay.
        opened: facts row of the document in the reader.
        picked: ids of the picked documents of all pages.
        turn: a new number sets the ticks back to ``picked``; otherwise the browser knows them better.
        height: pixels.
        key: of the widget.
        on_opened: called when a picture was opened; ``opened`` of the widget's state is its facts row.
        on_turned: called for another page; ``turned`` is 1 or -1.
        on_picked: called when ticks changed; see ``document_table.picked_ids``.
    """
    _mount(
        key=key,
        height=height,
        data={
            "key": state,
            "label": label,
            "tiles": [{**asdict(tile), "text": [list(piece) for piece in tile.text]} for tile in tiles],
            "pictures": pictures,
            "size": 320,
            "open": opened,
            "picked": list(picked),
            "turn": turn,
            "height": height - 2,
        },
        on_opened_change=on_opened,
        on_turned_change=on_turned,
        on_picked_change=on_picked,
    )

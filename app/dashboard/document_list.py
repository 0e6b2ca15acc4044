"""What table and gallery of documents share: a page of documents, which is read, which are picked, and what happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent
Piece = tuple[str, bool]
"""A part of a text, and whether it is a hit."""


@dataclass(frozen=True)
class ListedDocument:
    """A document in a list.

    Attributes:
        row: its facts row.
        id: its id.
        text: the part of its text or caption that is shown.
    """

    row: int
    id: str
    text: tuple[Piece, ...]


@dataclass(frozen=True)
class DocumentList:
    """A page of documents on screen; the browser orders nothing itself, every event goes back to Python.

    Attributes:
        label: name of the list for screen readers.
        state: changes with what the page shows; while it is the same, place and focus stay.
        opened: facts row of the document in the reader.
        picked: ids of the picked documents of all pages.
        turn: a new number sets the ticks back to ``picked``; otherwise the browser knows them better.
        height: pixels.
        key: of the widget.
        on_opened: called when a document was opened; ``opened`` of the widget's state is its facts row.
        on_turned: called for another page; ``turned`` is 1 or -1.
        on_picked: called when ticks changed; see ``picked_ids``.
    """

    label: str
    state: str
    opened: int | None
    picked: Sequence[str]
    turn: int
    height: int
    key: str
    on_opened: Callable[[], None]
    on_turned: Callable[[], None]
    on_picked: Callable[[], None]

    def show(
        self, mount: Callable[..., Any], rows: Sequence[ListedDocument], *, on: Mapping[str, Callable[[], None]],
        **more: object,
    ) -> None:  # fmt: skip
        """Show the documents in a component.

        Args:
            mount: the component, see ``list_component``.
            rows: one page.
            on: what happens on further events of the component, by ``on_NAME_change``.
            more: what else it shows.
        """
        mount(
            key=self.key, height=self.height,
            data={
                "key": self.state, "label": self.label, "open": self.opened, "picked": list(self.picked),
                "turn": self.turn, "height": self.height - 2,
                "rows": [{**asdict(row), "text": [list(piece) for piece in row.text]} for row in rows],
                **more,
            },
            on_opened_change=self.on_opened, on_turned_change=self.on_turned, on_picked_change=self.on_picked, **on,
        )  # fmt: skip


def list_component(name: str, *, place: str, style: str = "", script: str = "") -> Callable[..., Any]:
    """Return a component of Streamlit from ``NAME.js``, which goes on from the shared script, and ``NAME.css``.

    Args:
        name: of the files.
        place: class of the element that it fills.
        style: further rules.
        script: further functions.
    """
    return st.components.v2.component(
        f"tamis_{name}",
        html=f'<div class="{place}"></div>',
        css=f"{style}\n{(HERE / f'{name}.css').read_text('utf-8')}",
        js="\n".join([script, *((HERE / file).read_text("utf-8") for file in ("document_list.js", f"{name}.js"))]),
    )


def picked_ids(state: Mapping[str, Any], turn: int) -> tuple[str, ...] | None:
    """Return the picked ids of the widget's state, None for those of an earlier turn."""
    told = state.get("picked")
    if not isinstance(told, Mapping) or told.get("turn") != turn:
        return None
    return tuple(map(str, told["ids"]))

"""The table of documents in the browser: it orders nothing itself, every event goes back to Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st

HERE = Path(__file__).parent
Piece = tuple[str, bool]
"""A part of a text, and whether it is a hit."""

_mount = st.components.v2.component(
    "tamis_document_table",
    html='<div class="tamis-table"></div>',
    css=(HERE / "document_table.css").read_text("utf-8"),
    js=(HERE / "document_table.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class TableColumn:
    """A column of the table.

    Attributes:
        name: what the table is ordered by when its header is pressed.
        title: in the header.
        kind: numbers stand at the right.
        sorts: whether the header is a button.
        order: how the table is ordered by it now, empty if it is not.
    """

    name: str
    title: str
    kind: Literal["text", "number", "word"] = "word"
    sorts: bool = True
    order: Literal["", "ascending", "descending"] = ""


@dataclass(frozen=True)
class TableRow:
    """A document in the table.

    Attributes:
        row: its facts row.
        id: its id.
        text: the part of its text that is shown.
        cells: values of the columns after the first.
    """

    row: int
    id: str
    text: tuple[Piece, ...]
    cells: tuple[str, ...]


def document_table(
    columns: Sequence[TableColumn],
    rows: Sequence[TableRow],
    *,
    label: str,
    state: str,
    opened: int | None,
    picked: Sequence[str],
    turn: int,
    height: int,
    key: str,
    on_opened: Callable[[], None],
    on_ordered: Callable[[], None],
    on_turned: Callable[[], None],
    on_picked: Callable[[], None],
) -> None:
    """Show the table.

    Args:
        columns: the first one holds the text.
        rows: one page.
        label: name of the table for screen readers.
        state: changes with what the page shows; while it is the same, place and focus stay.
        opened: facts row of the document in the reader.
        picked: ids of the picked documents of all pages.
        turn: a new number sets the ticks back to ``picked``; otherwise the browser knows them better.
        height: pixels.
        key: of the widget.
        on_opened: called when a row was opened; ``opened`` of the widget's state is its facts row.
        on_ordered: called when a header was pressed; ``ordered`` is the column's name.
        on_turned: called for another page; ``turned`` is 1 or -1.
        on_picked: called when ticks changed; see ``picked_ids``.
    """
    _mount(
        key=key,
        height=height,
        data={
            "key": state,
            "label": label,
            "columns": [asdict(column) for column in columns],
            "rows": [{**asdict(row), "text": [list(piece) for piece in row.text]} for row in rows],
            "open": opened,
            "picked": list(picked),
            "turn": turn,
            "height": height - 2,
        },
        on_opened_change=on_opened,
        on_ordered_change=on_ordered,
        on_turned_change=on_turned,
        on_picked_change=on_picked,
    )


def picked_ids(state: Mapping[str, Any], turn: int) -> tuple[str, ...] | None:
    """Return the picked ids of the widget's state, None for those of an earlier turn."""
    told = state.get("picked")
    if not isinstance(told, Mapping) or told.get("turn") != turn:
        return None
    return tuple(map(str, told["ids"]))

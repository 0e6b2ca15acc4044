"""The gallery on the page Documents: pictures in a grid instead of rows of a table, ordered by any column."""

from __future__ import annotations

import streamlit as st

from tamis.analytics.facts.column_info import distinct_titles
from tamis.analytics.study.hits import hit_spans, searched_patterns
from tamis.analytics.study.lines import name_of
from tamis.analytics.study.queries import DECIDED, Page
from tamis.app.dashboard import session
from tamis.app.dashboard.document_list import DocumentList
from tamis.app.dashboard.gallery import Tile, gallery
from tamis.app.dashboard.look import short
from tamis.app.dashboard.meaning_panel import LIKENESS
from tamis.app.dashboard.page_context import Stage
from tamis.app.dashboard.text_view import snippet

PREVIEW = 120
VIEWS = {"gallery": ":material/grid_view: Gallery", "table": ":material/table_rows: Table"}
UNDER = ("label", "source")
"""What stands below a picture while the gallery is in the order of the ids: the first of these that there is."""


def is_shown(here: Stage) -> bool:
    """Return whether documents are shown in a gallery."""
    return bool(here.pictures) and session.current().setting("documents_as", "gallery") == "gallery"


def choose(here: Stage) -> None:
    """Let people choose gallery or table, and the order of the gallery; nothing where documents are no pictures."""
    if not here.pictures:
        return
    now = str(session.current().setting("documents_as", "gallery"))
    key = session.widget("documents", "as", now)
    st.segmented_control(
        "Shown as", list(VIEWS), default=now if now in VIEWS else "gallery", required=True, key=key,
        format_func=VIEWS.__getitem__, label_visibility="collapsed", on_change=_choose_view, args=(key,),
    )  # fmt: skip
    if is_shown(here):
        _choose_order(here)


def _choose_view(key: str) -> None:
    session.choose(documents_as=session.widget_value(key), offset=None)


def _choose_order(here: Stage) -> None:
    now = session.current()
    titles = _orders(here)
    sort = now.setting("sort")
    sort = sort if sort in titles else ""
    key = session.widget("documents", "order", str(sort))
    st.selectbox(
        "Order by", list(titles), index=list(titles).index(sort), format_func=titles.__getitem__, key=key, width=210,
        label_visibility="collapsed", on_change=_order, args=(key,),
    )  # fmt: skip
    key = session.widget("documents", "descending", str(sort))
    if sort:
        st.toggle("Largest first", value=bool(now.setting("descending", False)), key=key, on_change=_turn, args=(key,))


def _orders(here: Stage) -> dict[str, str]:
    """Return the columns by which the gallery can be ordered and their titles; an empty name for the ids."""
    names = [name for name, info in here.facts.columns.items() if info.role not in ("measure", "map", "id")]
    shown = distinct_titles(here.facts.info(name) for name in names)
    likeness = {name: "Similarity" for name in here.facts.columns if name.startswith(LIKENESS)}
    decided = {DECIDED: "Dropped by"} if here.scene.outcome is not None and here.scene.outcome.steps else {}
    sorted_names = sorted(names, key=lambda name: shown[name])
    return {"": "In the order of the ids"} | likeness | decided | {name: shown[name] for name in sorted_names}


def _order(key: str) -> None:
    session.choose(sort=session.widget_value(key) or None, descending=None, offset=None)


def _turn(key: str) -> None:
    session.choose(descending=bool(session.widget_value(key)) or None, offset=None)


def show(here: Stage, found: Page, listed: DocumentList, *, sort: str | None) -> None:
    """Show one page of the gallery.

    Args:
        here: the stage.
        found: the documents.
        listed: their list on screen.
        sort: the column that orders them.
    """
    rows = [int(row) for row in found.rows]
    patterns = searched_patterns(session.current().selection)
    tiles = []
    for row, document, note, step in zip(
        rows, here.readings(rows), _notes(here, found, sort), _droppers(here, found), strict=True
    ):
        assert document.picture is not None
        text = snippet(document, hit_spans(document.text, patterns) if patterns else (), length=PREVIEW)
        if not document.text.strip() and document.picture.name:
            text = ((document.picture.name.rpartition("/")[2], False),)
        tiles.append(Tile(row, document.picture.id, text, name_of(document), note, step))
    gallery(listed, tiles, pictures=here.pictures)


def _droppers(here: Stage, found: Page) -> list[str]:
    """Return for each document which step drops it, empty for what is kept."""
    outcome = here.scene.outcome
    if outcome is None:
        return [""] * len(found.rows)
    steps = ["", *(f"dropped by {number} {step.id}" for number, step in enumerate(outcome.steps, start=1))]
    return [steps[int(number)] for number in outcome.deciding[found.rows]]


def _notes(here: Stage, found: Page, sort: str | None) -> list[str]:
    """Return what stands below each picture: the value that orders it, else its label."""
    name = sort if sort in here.facts.columns else next((each for each in UNDER if each in here.facts.columns), None)
    if name is None:
        return [""] * len(found.rows)
    info, values = here.facts.info(name), here.facts.table([name], found.rows).column(name).to_pylist()
    return ["" if value is None else short(value) if info.numeric else str(value) for value in values]

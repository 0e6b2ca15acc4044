"""Documents: a table or gallery of all of them, ordered and filtered on the server, and a reader beside it."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from tamis.analytics.facts.column_info import distinct_titles
from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.study.hits import hit_spans, searched_patterns
from tamis.analytics.study.queries import DECIDED, Page, deciding_steps, documents_page
from tamis.app.dashboard import session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.document_list import DocumentList, picked_ids
from tamis.app.dashboard.document_table import TableColumn, TableRow, document_table
from tamis.app.dashboard.look import count
from tamis.app.dashboard.meaning_panel import LIKENESS
from tamis.app.dashboard.page_context import Stage, example, stage
from tamis.app.dashboard.text_view import snippet
from tamis.app.pages import documents_gallery, errors_list, reader_pane, sql_box

PAGE = 50
GALLERY_PAGE = 60
"""Documents of a page of the table, and of the gallery: whole rows of two to six."""
PREVIEW = 160
HEIGHT = 640
NO_DOCUMENTS = "no documents"
DEFAULT_COLUMNS = ("source", "lang", "n_tokens", "norm_count")
MOST_INLINE = 1_000
"""Picked ids that stand in the rule itself; more are stored as a set."""
TABLE, GALLERY = "documents/table", "documents/gallery"


def page() -> None:
    """Lay out the page."""
    here = stage()
    sql_box.show(here)
    which, step = _which(here)
    if which == NO_DOCUMENTS:
        errors_list.show(here, key="documents/errors")
        return
    columns = _columns(here)
    sort, descending = _order(here)
    offset = int(session.current().setting("offset", 0))
    pictured = documents_gallery.is_shown(here)
    size = _size(GALLERY if pictured else TABLE)
    asked: dict[str, Any] = {"which": which, "step": step, "sort": sort, "descending": descending}
    found: Page = here.ask(documents_page, columns=tuple(columns), offset=offset, limit=size, **asked)
    if offset and not found.table.num_rows:
        session.choose(offset=None)
        st.rerun()
    picked = session.current().setting("document")
    left, right = st.columns([6, 5], gap="small") if picked is not None else (st.container(), None)
    listed = _listed(here, found, asked, GALLERY if pictured else TABLE)
    with left:
        if pictured:
            documents_gallery.show(here, found, listed, sort=sort)
        else:
            _table(here, found, listed, columns, asked)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _pager(found, size)
            _picked(here)
    if right is not None:
        with right:
            reader_pane.show(here, int(picked), height=HEIGHT)


def _which(here: Stage) -> tuple[str, str | None]:
    """Show which documents are listed: all, selected, kept, dropped, or dropped by one step."""
    now = session.current()
    outcome = here.scene.outcome
    steps = [] if outcome is None else [each.id for each in outcome.steps]
    options = ["all", *(["selected"] if now.selection else []), *(["kept", "dropped"] if steps else [])]
    options += [NO_DOCUMENTS] if here.opened.study.documents.errors.num_rows else []
    asked = now.setting("which", "all")
    asked = asked if asked in options else "all"
    by = now.setting("dropped_by")
    by = str(by) if by in steps and asked == "dropped" else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        which = st.segmented_control(
            "Show", options, default=asked, required=True, label_visibility="collapsed",
            key=session.widget("documents", "which", asked, *options),
        )  # fmt: skip
        step = by
        if which == "dropped" and steps:
            listed = ["", *steps]
            step = st.selectbox(
                "Dropped by", listed, index=listed.index(by or ""), label_visibility="collapsed", width=240,
                format_func=lambda name: f"by step {steps.index(name) + 1}, {name}" if name else "by any step",
                key=session.widget("documents", "step", by or ""),
            ) or None  # fmt: skip
        documents_gallery.choose(here)
        if not documents_gallery.is_shown(here):
            _choose_columns(here)
    if (which, step) != (asked, by):
        session.choose(which=which, dropped_by=step, offset=None)
        st.rerun()
    return str(which), step


def _columns(here: Stage) -> list[str]:
    """Return the chosen columns that the corpus has; those of a search by meaning come first."""
    names = session.current().setting("columns", DEFAULT_COLUMNS)
    found = example(here.workspace, here.key.corpus)
    like = [] if found is None else [found.column]
    return like + [name for name in names if name in here.facts.columns and name not in like]


def _choose_columns(here: Stage) -> None:
    with st.popover("Columns", icon=":material/view_column:", type="tertiary"):
        options = [name for name, info in here.facts.columns.items() if info.role != "measure"]
        known = [name for name in session.current().setting("columns", DEFAULT_COLUMNS) if name in options]
        titles = distinct_titles(here.facts.info(name) for name in options)
        columns = st.multiselect(
            "Columns of the table", options, default=known, format_func=lambda name: titles[name],
            key="documents/columns", help="Kept in the view: a link shows the same columns",
        )  # fmt: skip
        if tuple(columns) != tuple(known):
            session.choose(columns=tuple(columns))
            st.rerun()


def _order(here: Stage) -> tuple[str | None, bool]:
    now = session.current()
    sort = now.setting("sort")
    known = sort in here.facts.columns or (sort == DECIDED and here.scene.outcome is not None)
    return (str(sort) if known else None), bool(now.setting("descending", False))


def _listed(here: Stage, found: Page, asked: dict[str, Any], key: str) -> DocumentList:
    """Return the list of one page: the widget with a key, what is read and picked in it, and what happens."""
    now, last = session.current(), found.offset + len(found.rows)
    return DocumentList(
        label=f"{'Pictures' if key == GALLERY else 'Documents'} {found.offset + 1} to {last} of {found.total}",
        state=repr((here.key.corpus.name, found.offset, sorted(asked.items(), key=str))),
        opened=now.setting("document"), picked=now.setting("picked", ()), turn=int(now.setting("picked_turn", 0)),
        height=HEIGHT, key=key, on_opened=partial(_open, key), on_turned=partial(_turn, found, key),
        on_picked=partial(_pick, key),
    )  # fmt: skip


def _table(here: Stage, found: Page, listed: DocumentList, columns: list[str], asked: dict[str, Any]) -> None:
    """Show one page of the table."""
    decided = deciding_steps(here.scene.outcome, found.rows)
    ids = here.facts.ids.take(found.rows).to_pylist() if len(found.rows) else []
    patterns = searched_patterns(session.current().selection)
    values = [found.table.column(name).to_pylist() for name in columns]
    rows = []
    for place, document in enumerate(here.readings([int(row) for row in found.rows])):
        cells = [decided[place]] if decided else []
        cells += [_cell(name, column[place]) for name, column in zip(columns, values, strict=True)]
        text = snippet(document, hit_spans(document.text, patterns) if patterns else (), length=PREVIEW)
        rows.append(TableRow(int(found.rows[place]), str(ids[place]), text, tuple(cells)))
    document_table(listed, _headers(here, columns, bool(decided), asked), rows, on_ordered=_reorder)


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3f}" if name.startswith(LIKENESS) else f"{value:.4g}"


def _headers(here: Stage, columns: list[str], decided: bool, asked: dict[str, Any]) -> list[TableColumn]:
    """Return the headers, the one that orders the table marked."""
    direction = "descending" if asked["descending"] else "ascending"
    titles = distinct_titles(here.facts.info(name) for name in columns)
    listed = [TableColumn("id", "Text", "text", order="")]
    if decided:
        listed.append(TableColumn(DECIDED, "Dropped by"))
    for name in columns:
        info = here.facts.info(name)
        title = "Similarity" if name.startswith(LIKENESS) else titles[name]
        listed.append(TableColumn(name, title, "number" if info.numeric else "word"))
    return [
        TableColumn(each.name, each.title, each.kind, each.kind != "text", direction)  # type: ignore[arg-type]
        if each.name == asked["sort"]
        else TableColumn(each.name, each.title, each.kind, each.kind != "text")
        for each in listed
    ]


def _told(key: str, name: str) -> Any:
    return session.widget_value(key, {}).get(name)


def _open(key: str) -> None:
    row = _told(key, "opened")
    if row is not None:
        session.choose(document=int(row), trail=None)


def _reorder() -> None:
    """Order by the pressed header: smallest first, then largest, then by id again."""
    name, now = _told(TABLE, "ordered"), session.current()
    if not name:
        return
    if now.setting("sort") != name:
        session.choose(sort=name, descending=None, offset=None)
    elif not now.setting("descending"):
        session.choose(descending=True, offset=None)
    else:
        session.choose(sort=None, descending=None, offset=None)


def _turn(found: Page, key: str) -> None:
    step = _told(key, "turned")
    to = found.offset + _size(key) * int(step or 0)
    if -_size(key) < to < found.total:
        session.choose(offset=max(0, to) or None)


def _size(key: str) -> int:
    return GALLERY_PAGE if key == GALLERY else PAGE


def _pick(key: str) -> None:
    ids = picked_ids(session.widget_value(key, {}), int(session.current().setting("picked_turn", 0)))
    if ids is not None:
        session.choose(picked=ids or None)


def _pager(found: Page, size: int) -> None:
    last = min(found.offset + size, found.total)
    first = found.offset + 1 if found.total else 0
    st.caption(f"{count(first)} to {count(last)} of {count(found.total)} documents, exact", width="content")
    for name, to, ended in (
        ("Previous", max(0, found.offset - size), found.offset == 0),
        ("Next", found.offset + size, last >= found.total),
    ):
        st.button(
            name, disabled=ended, key=f"documents/{name.lower()}", type="tertiary",
            on_click=partial(session.choose, offset=to or None),
        )  # fmt: skip


def _picked(here: Stage) -> None:
    """Offer to select the picked documents."""
    ids = session.current().setting("picked") or ()
    if not ids:
        return
    st.button(
        f"Select the {count(len(ids))} picked", key="documents/picked", type="primary", on_click=_select, args=(here,),
    )  # fmt: skip
    st.button("Pick none", key="documents/unpick", type="tertiary", on_click=_unpick)


def _select(here: Stage) -> None:
    """Make the picked documents the selection."""
    ids = sorted(map(str, session.current().setting("picked") or ()))
    named = {"ids": ids} if len(ids) <= MOST_INLINE else {"stored": here.workspace.put_ids(ids)}
    rule = OPERATORS.build("id_list", {**named, "mode": "keep", "missing": "drop"})
    assert isinstance(rule, RowOperator)
    if adopt(selection=[rule]):
        _unpick()
        session.choose(which="selected", dropped_by=None, offset=None)


def _unpick() -> None:
    session.choose(picked=None, picked_turn=int(session.current().setting("picked_turn", 0)) + 1)

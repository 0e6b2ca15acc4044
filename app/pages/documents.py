"""Documents: search, sort, read; why each one is kept or dropped."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import streamlit as st

from tamis.analytics.facts.column_info import distinct_titles
from tamis.analytics.operators.operator import OPERATORS, RowOperator, spoken
from tamis.analytics.operators.rows import Regex, SqlPredicate
from tamis.analytics.recipe.recipe import operator_digest
from tamis.analytics.study.queries import Page, documents_page
from tamis.app.dashboard import session
from tamis.app.dashboard.changes import attempt
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage, brief, stage
from tamis.app.dashboard.text_view import line
from tamis.app.pages import errors_list, sql_box
from tamis.app.pages.document_view import show_document
from tamis.data.errors import RecipeError, TamisError
from tamis.data.parts import SCOPES, WHOLE
from tamis.data.shapes import Shape

PAGE = 50
PREVIEW = 160
NO_DOCUMENTS = "no documents"
DEFAULT_COLUMNS = ("source", "lang", "n_tokens", "norm_count")


def page() -> None:
    """Lay out the page."""
    here = stage()
    _search(here)
    sql_box.show(here)
    which, columns, sort, descending = _controls(here)
    if which == NO_DOCUMENTS:
        errors_list.show(here, key="documents/errors")
        return
    offset = int(session.current().setting("offset", 0))
    found: Page = here.ask(
        documents_page,
        columns=tuple(columns),
        which=which,
        sort=sort,
        descending=descending,
        offset=offset,
        limit=PAGE,
    )
    if offset and not found.table.num_rows:
        session.choose(offset=None)
        st.rerun()
    picked = session.current().setting("document")
    left, right = st.columns([6, 4], gap="medium") if picked is not None else (st.container(), None)
    with left:
        _table(here, found, columns)
        _pager(found)
    if right is not None:
        with right, st.container(height=680, border=True):
            if st.button("Close", key="documents/close", icon=":material/close:", type="tertiary"):
                session.choose(document=None)
                st.rerun()
            show_document(here, int(picked))


def _search(here: Stage) -> None:
    """Turn the typed search into a rule of the selection."""
    kinds = {"Words": "words", "Regular expression": "regex", "Predicate over columns": "predicate"}
    selection = session.current().selection
    scopes = search_scopes(here.opened.study.corpus.shape)
    wide = [2, 2, 5, 1.2] if scopes else [2, 7, 1.2]
    with st.form("search", border=False):
        cells = st.columns(wide, vertical_alignment="bottom")
        kind = cells[0].selectbox("Search by", list(kinds), label_visibility="collapsed")
        scope = WHOLE
        if scopes:
            scope = cells[1].selectbox(
                "In", scopes, format_func=lambda name: f"in: {spoken(name)}", label_visibility="collapsed"
            )
        # The typed text stays until it is part of the selection.
        text = cells[-2].text_input(
            "Search", placeholder="words in the text, or n_tokens > 500 AND lang = 'en'", label_visibility="collapsed",
            key=session.widget("search", "text", operator_digest(selection)[:16]),
        )  # fmt: skip
        if cells[-1].form_submit_button("Select", width="stretch") and text.strip():
            try:
                if attempt(selection=[*selection, _rule(kinds[kind], text.strip(), scope)]):
                    session.choose(which="selected", offset=None)
            except TamisError as error:
                st.columns(wide)[-2].text(brief(error))
            else:
                st.rerun()


def search_scopes(shape: Shape) -> tuple[str, ...]:
    """Return the parts of a document that can be searched apart, the whole first; none for plain text."""
    if shape.kind in ("text", "template"):
        return ()
    pair = ("chosen", "rejected")
    return tuple(scope for scope in SCOPES if scope not in pair or shape.kind == "preference")


def _rule(kind: str, text: str, scope: str) -> RowOperator:
    """Return the condition of a search.

    Raises:
        RecipeError: the pattern or predicate is not valid.
    """

    of = {} if scope == WHOLE else {"of": scope}
    if kind == "predicate" and of:
        fix = f"choose in: {WHOLE}, and write columns of a part as {scope}.n_words"
        raise RecipeError("A predicate reads columns, not a part of the text", value=scope, fix=fix)
    if kind == "predicate":
        params: dict[str, object] = {"predicate": text, "mode": "keep"}
        rule = OPERATORS.build(SqlPredicate.name, params)
    else:
        pattern = text if kind == "regex" else quoted(text)
        rule = OPERATORS.build(Regex.name, {"pattern": pattern, "ignore_case": kind == "words", "mode": "keep", **of})
    assert isinstance(rule, RowOperator)
    return rule


def quoted(words: str) -> str:
    """Return a pattern that finds the words in this order with any white space between them."""
    special = set("\\.+*?()|[]{}^$")
    escaped = ["".join("\\" + mark if mark in special else mark for mark in word) for word in words.split()]
    return r"\s+".join(escaped)


def _controls(here: Stage) -> tuple[str, list[str], str | None, bool]:
    """Show the choices of documents, columns and order."""
    now = session.current()
    options = ["all", "selected", "kept", "dropped"]
    options += [NO_DOCUMENTS] if here.opened.study.documents.errors.num_rows else []
    asked = now.setting("which", "all")
    asked = asked if asked in options else "all"
    cells = st.columns([3.7 if NO_DOCUMENTS in options else 3, 5, 2, 1.3], vertical_alignment="bottom")
    which = cells[0].segmented_control(
        "Show", options, default=asked, required=True, label_visibility="collapsed",
        key=session.widget("documents", "which", asked),
    )  # fmt: skip
    names = [name for name, info in here.facts.columns.items() if info.role != "id"]
    known = [name for name in now.setting("columns", DEFAULT_COLUMNS) if name in names]
    columns = cells[1].multiselect(
        "Columns", names, default=known, key="documents/columns", label_visibility="collapsed"
    )
    order = ["(id)", *names]
    current = now.setting("sort", "(id)")
    sort = cells[2].selectbox(
        "Sort by",
        order,
        index=order.index(current) if current in order else 0,
        format_func=lambda name: "ordered by id" if name == "(id)" else f"ordered by {name}",
        key="documents/sort",
        label_visibility="collapsed",
    )
    descending = cells[3].toggle(
        "Largest first", value=bool(now.setting("descending", False)), key="documents/descending"
    )
    if (which, sort, descending) != (asked, current, bool(now.setting("descending", False))):
        session.choose(which=which, sort=sort, descending=descending, offset=None)
        st.rerun()
    if tuple(columns) != tuple(known):
        session.choose(columns=tuple(columns))
        st.rerun()
    return str(which), columns, None if sort == "(id)" else sort, descending


def _table(here: Stage, found: Page, columns: list[str]) -> None:
    documents = here.opened.readings([int(row) for row in found.rows])
    shown = {"text": pa.array([line(document, length=PREVIEW) for document in documents], pa.string())}
    if here.scene.outcome is not None and here.scene.outcome.steps:
        kept = here.scene.kept[np.asarray(found.rows)] if len(found.rows) else np.zeros(0, dtype=bool)
        shown["recipe"] = pa.array(["kept" if yes else "dropped" for yes in kept], pa.string())
    titles = distinct_titles(here.facts.info(name) for name in columns)
    for name in columns:
        shown[titles[name]] = found.table.column(name)
    event = st.dataframe(
        pa.table(shown),
        hide_index=True,
        height=620,
        row_height=30,
        on_select="rerun",
        selection_mode="single-row",
        key=session.widget("documents", "table", str(found.offset)),
        column_config={"text": st.column_config.TextColumn("text", width="large")},
    )
    chosen = event["selection"]["rows"]
    if chosen:
        row = int(found.rows[chosen[0]])
        if row != session.current().setting("document"):
            session.choose(document=row)
            st.rerun()


def _pager(found: Page) -> None:
    last = min(found.offset + PAGE, found.total)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{count(found.offset + 1 if found.total else 0)} to {count(last)} of {count(found.total)} documents, exact"
        )
        if st.button("Previous", disabled=found.offset == 0, key="documents/previous"):
            session.choose(offset=max(0, found.offset - PAGE))
            st.rerun()
        if st.button("Next", disabled=last >= found.total, key="documents/next"):
            session.choose(offset=found.offset + PAGE)
            st.rerun()

"""Rows that are no documents: counted by reason, each with what it holds. Text of the corpus is never Markdown."""

from __future__ import annotations

from html import escape

import streamlit as st

from tamis.analytics.study.error_rows import ErrorRow, error_places, error_rows
from tamis.analytics.study.readings import count_reasons
from tamis.app.dashboard import session
from tamis.app.dashboard.conversation_view import long_text
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage

PAGE = 20
MOST_REASONS = 50
_ALL = ""


def show(here: Stage, *, key: str) -> None:
    """Lay out the list.

    Args:
        here: the stage.
        key: tells its widgets from those of the same list on another page.
    """
    documents = here.opened.study.documents
    reasons = count_reasons(documents.errors.column("reason"))
    if not reasons:
        st.caption("Every row is a document.")
        return
    titles = {_ALL: f"all reasons ({count(documents.errors.num_rows)})"}
    titles |= {reason: f"{reason} ({count(number)})" for reason, number in reasons[:MOST_REASONS]}
    chosen = st.selectbox("Why these rows are no documents", list(titles), format_func=titles.__getitem__, key=key)
    places = error_places(documents, chosen or None)
    name = session.widget("errors", key, chosen, "page")
    last = (len(places) - 1) // PAGE
    at = min(int(session.widget_value(name, 1)) - 1, last)
    st.html("".join(map(_row, error_rows(here.opened.study.corpus, documents, places[at * PAGE : (at + 1) * PAGE]))))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if last:
            st.number_input("Page", 1, last + 1, key=name, width=120)
        begin, end = at * PAGE + 1, min((at + 1) * PAGE, len(places))
        st.caption(f"{count(begin)} to {count(end)} of {count(len(places))} rows, exact. No rule and no run sees them.")


def _row(row: ErrorRow) -> str:
    where = f"<bdi>{escape(row.file)}</bdi>, row {count(row.row)}"
    return (
        f'<div class="tamis-row"><div class="nr">{where}: <b><bdi>{escape(row.reason)}</bdi></b></div>'
        f"{long_text(row.json, code=True)}</div>"
    )

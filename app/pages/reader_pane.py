"""The reader beside the table: one document, and the way back to those read before it."""

from __future__ import annotations

import streamlit as st

from tamis.app.dashboard import session
from tamis.app.dashboard.page_context import Stage
from tamis.app.pages.document_view import show_document


def show(here: Stage, row: int, *, height: int) -> None:
    """Lay out the reader of a document, by facts row."""
    with st.container(border=True, key="reader", height=height, gap="small"):
        with st.container(horizontal=True, gap="small", vertical_alignment="center", key="reader_tools"):
            trail = tuple(session.current().setting("trail") or ())
            st.button(
                "Back", key="reader/back", icon=":material/arrow_back:", type="tertiary", disabled=not trail,
                on_click=_back, help="The document read before",
            )  # fmt: skip
            st.button("Close", key="reader/close", icon=":material/close:", type="tertiary", on_click=_close)
        show_document(here, row)


def _back() -> None:
    trail = tuple(session.current().setting("trail") or ())
    if trail:
        session.choose(document=trail[-1], trail=trail[:-1] or None)


def _close() -> None:
    session.choose(document=None, trail=None)

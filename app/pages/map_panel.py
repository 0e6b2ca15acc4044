"""Beside the map: the document that is read, or what the selection holds against the rest. On a phone, a sheet."""

from __future__ import annotations

from html import escape

import streamlit as st

from tamis.analytics.study.queries import (
    GroupContrast,
    SignalContrast,
    group_contrasts,
    sample_rows,
    signal_contrasts,
    totals,
)
from tamis.app.dashboard import cache, session
from tamis.app.dashboard.look import count, heading, share, short
from tamis.app.dashboard.page_context import Stage
from tamis.app.dashboard.text_view import card, cards
from tamis.app.pages.document_view import show_document
from tamis.app.pages.map_marks import LIKENESS

SAMPLES, PICTURES = 5, 24
"""Documents of a selection that are shown at a time: texts, and pictures on a contact sheet."""
GROUPED = ("source", "cluster", "lang", "label")
WAIT_SECONDS = 0.7


def is_open() -> bool:
    """Return whether something stands beside the map."""
    now = session.current()
    return now.setting("document") is not None or (bool(now.selection) and not now.setting("map_alone", False))


def show(here: Stage, *, height: int) -> None:
    """Lay out what stands beside the map."""
    picked = session.current().setting("document")
    # Another document is another container, which begins at its top.
    name = session.widget("map_sheet", "selection" if picked is None else str(picked))
    with st.container(height=height, border=True, key=name):
        if picked is None:
            _selection(here)
        else:
            _document(here, int(picked))


def _document(here: Stage, row: int) -> None:
    with st.container(horizontal=True, gap="small"):
        st.button("Close", key="map/close", icon=":material/close:", type="tertiary", on_click=_close)
        if "x" in here.facts.columns:
            st.button(
                "Colour by similarity", key="map/alike", icon=":material/palette:", type="tertiary",
                on_click=session.choose, kwargs={"colour": LIKENESS, "alike": row},
                help="Colour every document by its cosine to this one",
            )  # fmt: skip
    show_document(here, row)


def _close() -> None:
    session.choose(document=None)


def _alone() -> None:
    session.choose(map_alone=True)


def _selection(here: Stage) -> None:
    """Show sources, clusters and signals of the selection against the rest, and some of its documents."""
    sums = here.ask(totals)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", horizontal_alignment="distribute"):
        heading(
            f"{count(sums.selected.documents)} selected", f"{share(sums.selected.documents, sums.all.documents)} of all"
        )
        st.button("Hide", key="map/alone", icon=":material/close:", type="tertiary", on_click=_alone)
    if not sums.selected.documents:
        st.caption("No document has all conditions of the selection.")
        return
    if here.pictures:
        # A contact sheet is taken in at a glance.
        _samples(here)
    for column in GROUPED:
        if column in here.facts.columns:
            _groups(here, column)
    _signals(here)
    if not here.pictures:
        _samples(here)


def _groups(here: Stage, column: str) -> None:
    rows, values = here.ask(group_contrasts, column=column)
    names = here.opened.cluster_names() if column == "cluster" else {}
    title = here.facts.info(column).title
    st.html(f'<div class="tamis-against"><b>{_group_title(title, len(rows), values)}</b><i>here</i><i>rest</i>'
            + "".join(_group_line(row, names) for row in rows) + "</div>")  # fmt: skip


def _group_title(title: str, shown: int, values: int) -> str:
    return escape(title) + (f", {shown} of {count(values)}" if values > shown else "")


def _group_line(row: GroupContrast, names: dict[str, str]) -> str:
    name = "unclustered" if row.value == "-1" and names else names.get(row.value, row.value) or "no value"
    return f"<span>{escape(name)}</span><em>{share(row.share, 1)}</em><em>{share(row.rest, 1)}</em>"


def _signals(here: Stage) -> None:
    """Show the signals that differ most; the first comparison of a large corpus runs beside the page."""

    @st.fragment(run_every=WAIT_SECONDS if cache.prepare_contrasts(here.key.corpus).is_alive() else None)
    def contrasts() -> None:
        if cache.prepare_contrasts(here.key.corpus).is_alive():
            st.caption("Ranking the signals, once for this corpus …")
            return
        rows: tuple[SignalContrast, ...] = here.ask(signal_contrasts)
        if rows:
            st.html('<div class="tamis-against"><b>Signals that differ most</b><i>here</i><i>rest</i>'
                    + "".join(_signal_line(here, row) for row in rows) + "</div>")  # fmt: skip
            st.caption(
                "Medians; in brackets the chance that a document here has more than one of the rest, ties half "
                "(0.5: no difference). All documents, exact."
            )

    contrasts()


def _signal_line(here: Stage, row: SignalContrast) -> str:
    title = here.facts.info(row.column).title
    mark = "↑" if row.auc > 0.5 else "↓"
    return (
        f"<span>{mark} {escape(title)} ({row.auc:.2f})</span><em>{short(row.selected)}</em><em>{short(row.rest)}</em>"
    )


def _samples(here: Stage) -> None:
    """Show documents of the selection to read, some at a time."""
    rows = here.ask(sample_rows, which="selected", n=200)
    first = int(session.current().setting("map_samples", 0))
    first = first if first < len(rows) else 0
    number = PICTURES if here.pictures else SAMPLES
    shown = rows[first : first + number].tolist()
    heading(
        "Pictures" if here.pictures else "Documents to read",
        f"{first + 1} to {first + len(shown)} in random order, seed 0",
    )
    if here.pictures:
        st.html(cards(here.readings(shown)))
        shown = []
    for place, (row, document) in enumerate(zip(shown, here.readings(shown), strict=True), start=first + 1):
        st.html(card(document, length=200))
        st.button(
            f"Read document {place}", key=session.widget("map", "read", str(row)), type="tertiary",
            on_click=session.choose, kwargs={"document": row},
        )  # fmt: skip
    st.button(
        "Other documents", key="map/more", type="tertiary", icon=":material/refresh:", disabled=len(rows) <= number,
        on_click=session.choose, kwargs={"map_samples": first + number},
    )  # fmt: skip

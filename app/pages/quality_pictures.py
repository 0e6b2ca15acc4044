"""Below the histogram of pictures: what its values look like, from the lowest to the highest, and in a bin."""

from __future__ import annotations

import streamlit as st

from tamis.analytics.facts.column_info import ColumnInfo
from tamis.analytics.operators.rows import SignalRange
from tamis.analytics.study.pictures import spread_rows
from tamis.analytics.study.queries import Scene, sample_rows
from tamis.app.dashboard import session
from tamis.app.dashboard.look import count, heading, short
from tamis.app.dashboard.page_context import Stage
from tamis.app.dashboard.picture_html import sheet

ALONG, OF_BIN = 14, 28
"""Pictures along the axis, and of the bins that were clicked."""


def show(here: Stage, info: ColumnInfo) -> None:
    """Lay out the pictures of a signal."""
    _along(here, info)
    _of_bins(here, info)


def _along(here: Stage, info: ColumnInfo) -> None:
    """Show one picture for each of equal parts of the documents, in the order of the signal."""
    rows = here.ask(spread_rows, column=info.name, n=ALONG)
    if not len(rows):
        return
    heading("From the lowest to the highest", "the median picture of each of equal shares of all documents")
    values = here.facts.numbers(info.name)[rows]
    st.html(sheet(here.readings(rows.tolist()), list(map(short, values)), tile=68))


def _of_bins(here: Stage, info: ColumnInfo) -> None:
    """Show pictures of the bins that are selected."""
    rule = next(
        (rule for rule in session.current().selection if isinstance(rule, SignalRange) and rule.signal == info.name),
        None,
    )
    if rule is None:
        return
    scene = Scene.build(here.opened.facts, here.opened.evidence, selection=(rule,))
    rows = sample_rows(scene, which="selected", n=OF_BIN)
    heading("In the selected range", f"a random sample of {count(len(rows))} (seed 0)")
    st.html(sheet(here.readings([int(row) for row in rows])) or "No documents.")

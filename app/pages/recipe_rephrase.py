"""Rephrasing from the Recipe page: requests to download, answers to check."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import streamlit as st

from tamis.analytics.export.rephrase import (
    DEFAULT_STYLES,
    STYLES,
    candidates,
    check_rewrites,
    request_lines,
    rewrites_table,
)
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage, show_fault
from tamis.data.errors import TamisError


def show(here: Stage) -> None:
    """Lay out requests and answers."""
    st.caption(
        "Relevant, good documents of scarce concepts are worth a rewrite; styles take turns. Nothing is sent: "
        "give the requests to a model of yours, then bring its answers back. Source: BeyondWeb, arXiv 2508.10975."
    )
    numbers = [
        name for name, info in here.facts.columns.items() if info.numeric and info.role not in ("map", "cluster")
    ]
    cells = st.columns(2)
    start = numbers.index("unigram_entropy") if "unigram_entropy" in numbers else 0
    quality = cells[0].selectbox("Quality (higher is better)", numbers, index=start, key="rephrase/quality")
    relevance = cells[1].selectbox(
        "Relevance", [None, *numbers], key="rephrase/relevance", format_func=lambda name: name or "none"
    )
    small, wide = st.columns([1, 2])
    number = int(small.number_input("Documents", 1, 10_000, 100, key="rephrase/count"))
    model = wide.text_input("Model", placeholder="name your endpoint knows", key="rephrase/model")
    styles = st.pills(
        "Styles", list(STYLES), selection_mode="multi", default=list(DEFAULT_STYLES), key="rephrase/styles"
    )
    if model.strip() and styles and st.button("Make the requests", key="rephrase/make"):
        try:
            found = candidates(
                here.facts, here.scene.outcome, quality=quality, relevance=relevance, count=number, styles=styles
            )
            lines = request_lines(here.opened.study, found, model=model.strip())
        except TamisError as error:
            show_fault(error)
            return
        st.download_button(
            f"Download {count(len(found))} requests", lines, "requests.jsonl", "application/jsonl", key="rephrase/get"
        )
    _answers(here)


def _answers(here: Stage) -> None:
    """Check answers and offer those that pass."""
    given = st.file_uploader("Answers of the batch (JSONL)", type=["jsonl"], key="rephrase/answers")
    if given is None:
        return
    try:
        found = check_rewrites(here.opened.study, given.getvalue().decode("utf-8", "replace").split("\n"))
    except TamisError as error:
        show_fault(error)
        return
    for reason, number in Counter(item.fault.split(":")[0] for item in found if item.fault).most_common():
        st.text(f"refused {number}: {reason}")
    table, sink = rewrites_table(found), pa.BufferOutputStream()
    pq.write_table(table, sink)
    st.download_button(
        f"Download {count(table.num_rows)} of {count(len(found))} rewritten texts", sink.getvalue().to_pybytes(),
        "rewrites.parquet", key="rephrase/rewrites",
    )  # fmt: skip

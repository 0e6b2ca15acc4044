"""One document: its text, its signals against the corpus, why it is kept or dropped. The text is never Markdown."""

from __future__ import annotations

import numpy as np
import streamlit as st

from tamis.analytics.operators.contamination import IdfDecontaminate
from tamis.analytics.operators.known_text import Decontaminate, ExcludeKnown
from tamis.analytics.operators.operator import Operator
from tamis.analytics.signals.signal import SIGNALS
from tamis.analytics.signals.spans import spans
from tamis.analytics.study.audit_places import MARKED
from tamis.analytics.study.queries import extent, find_items, neighbours_of, why
from tamis.analytics.study.readings import Reading
from tamis.app.dashboard import login, session
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage, plain
from tamis.app.dashboard.selection_bar import log_of
from tamis.app.dashboard.text_view import WHOLE, card, reader
from tamis.app.pages import review_panel

TEXT_LIMIT = 20_000
TWIN_LIMIT = 2_000
SIGNALS_SHOWN = ("n_tokens", "n_words", "mean_word_length", "alpha_word_share", "stop_words", "symbol_word_ratio",
                 "duplicate_line_share", "duplicate_5gram_share", "outlier")  # fmt: skip
SPANNED = ("duplicate_5gram_share", "duplicate_line_share", "top_2gram_share", "stop_words", "bullet_line_share",
           "ellipsis_line_share", "pii_findings", "url_share", "code_line_share", "mojibake")  # fmt: skip


def show_document(here: Stage, row: int) -> None:
    """Lay out one document by facts row."""
    facts = here.facts
    if not 0 <= row < facts.n:
        st.text("This document is not in the corpus.")
        return
    names = [
        name for name in ("id", "source", "label", "lang", "bytes", "n_tokens", "norm_count") if name in facts.columns
    ]
    values = facts.table(names, np.asarray([row])).to_pylist()[0]
    _verdict(here, row)
    document = here.opened.readings([row])[0]
    _text(here, row, document)
    st.divider()
    st.dataframe(
        [{"column": facts.info(name).title, "value": str(values[name])} for name in names if values[name] is not None],
        hide_index=True,
        row_height=28,
    )
    _signals(here, row)
    if st.toggle("Nearest documents", key="document/nearest"):
        _nearest(here, row)
    _notes(here, str(values["id"]))
    with st.expander("All columns of the corpus"):
        record = here.opened.record(row)
        st.dataframe([{"column": name, "value": str(value)[:500]} for name, value in record.items()], hide_index=True)


def _text(here: Stage, row: int, document: Reading) -> None:
    """Show the text with the places of a signal; a long one is cut until people ask for all of it."""
    marks = _marks(here)
    long = len(document.text) > TEXT_LIMIT
    whole = long and st.toggle(f"Show all {count(len(document.text))} characters", key="document/whole")
    limit = WHOLE if whole else TEXT_LIMIT
    if marks in MARKED:
        places = here.opened.audit_places(row, document, marks)
    else:
        places = spans(document.text[:limit], marks) if marks else []
    st.html(reader(document, places, limit=limit))


def _notes(here: Stage, document: str) -> None:
    """Show the notes on the document, and let reviewers add one."""
    desk = review_panel.ReviewDesk(here, log_of(here), login.person().name)
    review_panel.comment(desk, "document", document, title="Note on this document", kind="note")


def _marks(here: Stage) -> str:
    """Let people choose the signal whose places are marked in the text; the session keeps the choice."""
    options = ["", *SPANNED, *(name for name in MARKED if name in here.facts.columns)]
    now = str(session.current().setting("marks", ""))
    chosen = st.selectbox(
        "Mark in the text", options, index=options.index(now) if now in options else 0, key="document/marks",
        format_func=lambda name: SIGNALS[name].title if name else "Mark nothing", label_visibility="collapsed",
    )  # fmt: skip
    if chosen != now:
        session.choose(marks=chosen or None)
    return chosen


def _nearest(here: Stage, row: int) -> None:
    """Show the documents with the nearest embeddings, and which vectors they are."""
    study = here.opened.study
    found = neighbours_of(study, row, k=6)
    if found is None:
        st.caption("This document has no embedding.")
        return
    among = (
        "exact over all documents" if found.recall == 1 else f"from a graph with {found.recall:.1%} of all neighbours"
    )
    st.caption(f"By cosine of {plain(found.tier)} vectors, {among}.")
    for other, cosine, near in zip(found.rows, found.cosine, here.opened.readings(found.rows.tolist()), strict=True):
        st.html(f"<b>{cosine:.3f}</b>{card(near, length=240)}")
        if st.button("Read", key=session.widget("nearest", str(row), str(int(other))), type="tertiary"):
            session.choose(document=int(other))
            st.rerun()


def _verdict(here: Stage, row: int) -> None:
    """Show whether the live recipe keeps the document, and the decision of each step."""
    outcome = here.scene.outcome
    if outcome is None or not outcome.steps:
        return
    number = int(outcome.deciding[row])
    if number == 0:
        st.markdown(":material/check_circle: **Kept** by the recipe")
    else:
        st.markdown(f":material/cancel: **Dropped** by step {number}, {plain(outcome.steps[number - 1].id)}")
    with st.expander("What each step says"):
        words = {True: "passes", False: "fails", None: "not reached"}
        rules = {step.id: step.operator for step in outcome.steps}
        for verdict in why(outcome, here.facts, row):
            detail = "" if verdict.value is None else f"  {verdict.value} against {verdict.threshold}"
            st.text(f"{verdict.step}: {words[verdict.passed]}{detail}")
            if item := _item(here, rules[verdict.step], row):
                st.caption(f"Shared with {plain(item)}")
            if verdict.twin is not None:
                st.caption("Kept twin")
                st.html(reader(here.opened.readings([verdict.twin])[0], limit=TWIN_LIMIT))


def _item(here: Stage, rule: Operator, row: int) -> str:
    """Return the evaluation item or known text that a rule found in a document, empty for none."""
    if here.opened.study is None or not isinstance(rule, Decontaminate | IdfDecontaminate | ExcludeKnown):
        return ""
    return find_items(here.opened.study, rule, np.asarray([row]))[0]


def _signals(here: Stage, row: int) -> None:
    """Show the rank of the document among all for the main signals."""
    facts = here.facts
    lines = []
    for name in SIGNALS_SHOWN:
        if name not in facts.columns or not facts.info(name).numeric:
            continue
        value = float(facts.numbers(name)[row])
        if np.isnan(value):
            continue
        below = float(np.mean(facts.numbers(name) < value))
        reach = extent(facts, name)
        lines.append(
            {"signal": facts.info(name).title, "value": f"{value:.4g}", "percentile": 100 * below,
             "typical": f"{reach.robust_low:.3g} to {reach.robust_high:.3g}"}
        )  # fmt: skip
    st.dataframe(
        lines,
        hide_index=True,
        row_height=28,
        column_config={"percentile": st.column_config.ProgressColumn(format="%.0f", min_value=0, max_value=100)},
    )

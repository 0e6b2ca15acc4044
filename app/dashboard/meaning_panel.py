"""The panel of the search by meaning: the example, a floor with its exact count, and what to do with those above."""

from __future__ import annotations

import math
from html import escape

import streamlit as st

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.command import join_condition
from tamis.analytics.study.meaning import Example, Reach, first_floor, floor_of, reach
from tamis.analytics.study.queries import extent
from tamis.app.dashboard import session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.look import count, share
from tamis.app.dashboard.page_context import Stage, example

LIKENESS = "likeness_"
"""How the names of columns of cosines begin."""

MOST_AT_ONCE = 2_000_000
"""Documents that are compared with one example while the page waits: about half a second a million."""

MODES = {"cosine": "Cosine", "number": "Number", "share": "Share"}


def rank_by(found: Example) -> None:
    """Show all documents, those most like the example first."""
    session.choose(
        meaning=found.to_value(), floor=None, sort=found.column, descending=True, which="all",
        dropped_by=None, offset=None, document=None, trail=None,
    )  # fmt: skip


def forget() -> None:
    """End the search by meaning."""
    sort = session.current().setting("sort")
    own = str(sort or "").startswith(LIKENESS)
    session.choose(meaning=None, floor=None)
    if own:
        session.choose(sort=None, descending=None, offset=None)


def show(here: Stage) -> None:
    """Lay out the panel if there is a search by meaning."""
    found = example(here.workspace, here.key.corpus)
    if found is None:
        return
    with st.container(border=True, key="meaning_panel", gap="xsmall"):
        row = st.container(horizontal=True, gap="small", vertical_alignment="center")
        with row:
            floor = _floor(here, found)
        reached: Reach = here.ask(reach, rule=found.rule(floor))
        with row:
            _offers(here, found, floor, reached)
        st.html(
            f'<div class="tamis-meaning" role="status"><bdi>“{escape(found.text)}”</bdi> '
            f"<b>{count(reached.documents)}</b> of {count(reached.compared)} documents at {floor:.3g} and above "
            f"({share(reached.documents, reached.compared)}), exact, by cosine of {escape(found.tier)} vectors</div>"
        )


def _offers(here: Stage, found: Example, floor: float, reached: Reach) -> None:
    """Show what can be done with the documents above the floor."""
    st.button(
        "Select those above", key="meaning/select", on_click=_select, args=(found, floor), type="primary",
        disabled=not reached.documents,
    )  # fmt: skip
    if found.vectors == "analysis":
        st.button(
            f"Keep the nearest {count(reached.documents)}", key="meaning/keep", on_click=_keep, type="tertiary",
            args=(here, found, reached.documents), disabled=not reached.documents,
            help="Adds a rule that keeps as many, also where there are other documents",
        )  # fmt: skip
    st.button("End this search", key="meaning/end", on_click=forget, type="tertiary", icon=":material/close:")


def _floor(here: Stage, found: Example) -> float:
    """Show the dials of the floor and return it."""
    now = session.current()
    facts, column = here.facts, found.column
    there = extent(facts, column)
    mode = st.segmented_control(
        "Floor by", list(MODES), format_func=lambda name: MODES[name], default="cosine", required=True,
        label_visibility="collapsed", key=session.widget("meaning", "mode", found.model),
    )  # fmt: skip
    if mode == "number":
        wanted = st.number_input(
            "The nearest so many documents", 1, max(there.documents, 1), min(100, max(there.documents, 1)), 10,
            key=session.widget("meaning", "number", found.model), label_visibility="collapsed", width=160,
        )  # fmt: skip
        return floor_of(facts, column, documents=int(wanted))
    if mode == "share":
        part = st.number_input(
            "The nearest share of documents, in per cent", 0.01, 100.0, 1.0, 0.5, width=160,
            key=session.widget("meaning", "share", found.model), label_visibility="collapsed",
        )  # fmt: skip
        return floor_of(facts, column, documents=max(1, round(there.documents * part / 100)))
    low = math.floor(100 * there.low) / 100
    high = max(math.ceil(100 * there.high) / 100, low + 0.01)
    asked = now.setting("floor")
    begin = min(max(first_floor(facts, column) if asked is None else float(asked), low), high)
    floor = st.slider(
        "Smallest cosine", low, high, begin, 0.01, format="%.2f", key=session.widget("meaning", "floor", found.model),
        label_visibility="collapsed",
    )  # fmt: skip
    if floor != begin:
        session.choose(floor=floor)
    return float(floor)


def _select(found: Example, floor: float) -> None:
    """Add the condition to the selection."""
    now = session.current()
    rule = found.rule(floor)
    if adopt(selection=join_condition(now.selection, rule, now.setting("find_how", "all"))):
        session.choose(which="selected", offset=None)


def _keep(here: Stage, found: Example, documents: int) -> None:
    """Add the rule that keeps the nearest so many."""
    rule = OPERATORS.build("target_similarity", {"model": found.model, "target": found.text, "documents": documents})
    if here.facts.n <= MOST_AT_ONCE:
        # One example is compared within a moment; the estimate is that of a target of many.
        here.opened.study.measure(Recipe().with_operator(rule))
    adopt(recipe=session.current().recipe.with_operator(rule, note="from a search by meaning"))

"""The steps of training of the live recipe: what they are, those that are missing, sensible ones with one click."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.operators.training import ExpandCopies
from tamis.analytics.training.run_outline import TrainingSteps
from tamis.app.dashboard import session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.look import heading
from tamis.app.dashboard.page_context import plain

OFFERS: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "split": (
        "Split 98 / 1 / 1",
        {"validation": 0.01, "test": 0.01},
        "1% of the tokens for validation and 1% for test; near-duplicates stay together, so nothing leaks.",
    ),
    "expand": (
        "Shuffle one epoch",
        {},
        "Writes copies out in one keyed shuffle, or in the order of the recipe; more epochs in its form.",
    ),
    "pack": (
        "Pack to 2048 by best fit",
        {"length": 2048},
        "Cuts long documents at paragraphs and joins short ones into sequences of 2048 tokens with little padding.",
    ),
    "batches": (
        "Batches of 256",
        {"size": 256},
        "What one step of training reads; a step number then means the same on every machine.",
    ),
}
"""By operator: the button, its parameters and what they mean."""


def explain() -> None:
    """Say what the steps of training are, and offer them."""
    heading("From the documents that the recipe keeps to the batches that a trainer reads")
    st.markdown(
        "Four steps at the end of a recipe decide what training sees, and in which order. They drop nothing from the"
        " selection and change no curated file. Add one, and this page shows the run as a picture, from the first step"
        " to the last, before anything is written."
    )
    _offer()
    _way()


def missing(steps: TrainingSteps) -> None:
    """Offer the steps that the recipe does not have, and the way to the forms of the others."""
    for name in OFFERS:
        if getattr(steps, name) is None:
            _button(name)
    if st.button("Edit the steps", key="training/edit", icon=":material/tune:", type="tertiary"):
        _open_recipe()


def _offer() -> None:
    cells = st.columns(2)
    for place, name in enumerate(OFFERS):
        with cells[place % len(cells)], st.container(border=True, gap="xsmall"):
            kind = OPERATORS[name]
            st.markdown(f"**{plain(kind.term.capitalize())}** · {plain(kind.summary)}")
            st.caption(plain(OFFERS[name][2]))
            _button(name)


def _button(name: str) -> None:
    title, params, help_ = OFFERS[name]
    if st.button(title, key=f"training/add/{name}", icon=":material/add:", help=help_):
        operator = OPERATORS.fresh(name, _fitted(name, params))
        if adopt(recipe=session.current().recipe.with_operator(operator)):
            st.rerun()


def _fitted(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters for the live recipe: an order that it gives is followed."""
    if name == "expand" and any(step.operator.name == "curriculum" for step in session.current().recipe.active):
        return {**params, "order": "recipe order, then shuffle"}
    return dict(params)


def follow() -> None:
    """Let the first epoch follow the order that the recipe gives."""
    recipe = session.current().recipe
    step = next(step for step in recipe.active if isinstance(step.operator, ExpandCopies))
    ordered = step.operator.model_copy(update={"order": "recipe order, then shuffle"})
    adopt(recipe=recipe.replaced(step.id, operator=ordered))


def _way() -> None:
    st.caption(
        "Their forms, with every parameter, are on the page Recipe. An order of documents comes from the rule"
        " curriculum there; its phases can be dragged here."
    )
    if st.button("Open Recipe", key="training/recipe", icon=":material/filter_alt:", type="tertiary"):
        _open_recipe()


def _open_recipe() -> None:
    # Late: navigation imports the pages.
    from tamis.app.pages.navigation import go_to

    go_to("recipe")

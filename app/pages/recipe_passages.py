"""The boilerplate passages or repeated spans that a rule found; people choose which ones to remove from the texts."""

from __future__ import annotations

import streamlit as st

from tamis.analytics.operators.repeated_text import MOST_PASSAGES, Boilerplate, RemovePassages, SubstringDedup
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.duplicate_sources import freeze_spans
from tamis.analytics.study.queries import boilerplate_passages
from tamis.app.dashboard import session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.page_context import Stage


def show(here: Stage, rule: Boilerplate) -> None:
    """List the passages, most frequent first, and turn the chosen ones into a text step of the recipe."""
    study = here.opened.study
    if study is None or study.pending(Recipe().with_operator(rule)):
        return
    found = boilerplate_passages(study, rule)
    if not found.num_rows:
        st.caption(f"No {rule.unit} is shared by {rule.documents} documents of a source.")
        return
    st.caption(
        f"{rule.unit.capitalize()}s that at least {rule.documents} documents of their source share, "
        "most frequent first. Chosen ones can leave the texts."
    )
    key = session.widget("passages", rule.params.column)
    event = st.dataframe(
        found, key=key, height=240, row_height=28, hide_index=True, on_select="rerun", selection_mode="multi-row"
    )
    rows = event["selection"]["rows"][:MOST_PASSAGES]
    chosen = tuple(found.column("text")[row].as_py() for row in rows)
    if st.button("Remove the chosen ones from the texts", key=f"{key}/remove", disabled=not chosen):
        adopt(recipe=session.current().recipe.with_operator(RemovePassages(passages=chosen, unit=rule.unit)))
        st.rerun()


def offer_cut(here: Stage, rule: SubstringDedup) -> None:
    """Offer the text step that cuts the repeated spans; it stands first, since texts are named by their hash."""
    study = here.opened.study
    if study is None or study.pending(Recipe().with_operator(rule)):
        return
    st.caption(
        "Instead of dropping documents, the spans that earlier ones have can leave the texts; the first keeps them."
    )
    if st.button("Cut the spans from the texts", key=session.widget("spans", rule.column)):
        recipe = session.current().recipe.with_operator(freeze_spans(study, rule))
        added = recipe.beside(session.current().recipe)[-1].id
        adopt(recipe=recipe.moved(added, to=0))
        st.rerun()

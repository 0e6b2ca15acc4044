"""What a rule would drop, before it is part of the recipe: documents, tokens, and examples from both sides."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from tamis.analytics.operators.operator import TextOperator
from tamis.analytics.recipe.outcome import Count
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.spans import spans
from tamis.analytics.steps.scopes import split_scope
from tamis.analytics.study.queries import StepPreview, preview_step
from tamis.app.dashboard import cache
from tamis.app.dashboard.changes import QUICK_SECONDS
from tamis.app.dashboard.job_view import offer_measurement
from tamis.app.dashboard.look import count, share, short
from tamis.app.dashboard.page_context import Stage, plain
from tamis.app.dashboard.text_view import card

PREVIEW = 300
SCANNED = 20_000
"""Characters of an example in which the places of a signal are looked for."""


def preview(here: Stage, recipe: Recipe, step: str) -> StepPreview | None:
    """Return what a step of a recipe under trial does; None where a long measurement must run first.

    Raises:
        TamisError: the recipe cannot run on this corpus.
    """
    if sum(each.estimate.seconds for each in here.opened.study.pending(recipe)) > QUICK_SECONDS:
        return None
    found: StepPreview = cache.ask(cache.SceneKey(here.key.corpus, (), recipe), preview_step, step=step)
    return found


def show_price(here: Stage, recipe: Recipe, found: StepPreview | None, *, name: str) -> None:
    """Say in one line what the step drops and what the recipe then keeps; or offer the measurement it needs.

    Args:
        here: the stage.
        recipe: the recipe under trial.
        found: of ``preview``.
        name: prefix of the keys of the measurement.
    """
    if found is None:
        offer_measurement(here, recipe, what="What it drops is not known yet: the values that it reads", name=name)
        return
    st.markdown(price(found, _now(here)))


def price(found: StepPreview, now: Count | None) -> str:
    """Return what a step drops, and what the recipe keeps with it and now, as Markdown.

    Args:
        found: what the step does.
        now: what the live recipe keeps, None without one.
    """
    dropped = f"drops **{count(found.documents)}** of the {count(found.before.documents)} documents that reach it"
    tokens = found.tokens
    words = (
        f"**{short(tokens)}** tokens ({share(tokens, found.before.tokens)})"
        if tokens >= 0
        else f"and adds **{short(-tokens)}** tokens by repeating documents"
    )
    kept = f"the recipe then keeps {count(found.output.documents)} documents"
    instead = "" if now is None or now == found.output else f" instead of {count(now.documents)}"
    part = share(found.documents, found.before.documents)
    return f"{dropped} ({part}), {words} · {kept}{instead} · exact"


def _now(here: Stage) -> Count | None:
    outcome = here.scene.outcome
    return None if outcome is None else outcome.output


def show_examples(here: Stage, recipe: Recipe, found: StepPreview) -> None:
    """Show documents that the step drops beside those that it lets pass, duplicates with the twin that is kept."""
    operator = recipe.step(found.step).operator
    if isinstance(operator, TextOperator):
        st.caption("It drops nothing: it changes texts when the curated files are written.")
        return
    signal = str(getattr(operator, "signal", None) or "")
    left, right = st.columns(2, gap="medium")
    for place, title, rows, twins in (
        (left, "Would be dropped", found.dropped.tolist(), found.twins),
        (right, "Would stay", found.kept.tolist(), (-1,) * len(found.kept)),
    ):
        with place:
            st.markdown(f"**{title}**")
            st.html(_cards(here, rows, twins, signal))
    more = f"; marked: what {plain(here.facts.info(signal).title.lower())} comes from" if _marked(here, signal) else ""
    st.caption(f"At most {len(found.dropped) or len(found.kept)} of each side by keyed hash, seed {found.seed}{more}.")


def _marked(here: Stage, signal: str) -> bool:
    return signal in here.facts.columns and bool(split_scope(signal)[1])


def _cards(here: Stage, rows: Sequence[int], twins: Sequence[int], signal: str) -> str:
    """Return examples as cards, each followed by its kept twin where it has one."""
    if not rows:
        return '<div class="tamis-muted">No documents.</div>'
    others = [twin for twin in twins if twin >= 0]
    read = dict(zip([*rows, *others], here.opened.readings([*rows, *others]), strict=True))
    cards = []
    for row, twin in zip(rows, twins, strict=True):
        places = spans(read[row].text[:SCANNED], split_scope(signal)[1]) if _marked(here, signal) else ()
        cards.append(card(read[row], places, length=PREVIEW))
        if twin >= 0:
            cards.append(f'<div class="tamis-twin"><span>kept twin</span>{card(read[twin], length=PREVIEW)}</div>')
    return f'<div class="tamis-samples">{"".join(cards)}</div>'

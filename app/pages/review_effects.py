"""Do people and the measured effect agree about the recipes of this corpus?"""

from __future__ import annotations

import math
from collections.abc import Iterator

import streamlit as st

from tamis.analytics.effect.result import Effect
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.agreement import Votes
from tamis.analytics.review.effect_agreement import LEAST_RECIPES, MeasuredRecipe, compare_recipes, relation
from tamis.analytics.review.queues import places
from tamis.app.dashboard import cache
from tamis.app.dashboard.page_context import Stage, brief, plain
from tamis.app.jobs.worker import EFFECT
from tamis.data.errors import TamisError
from tamis.data.jobs import list_jobs

MOST = 12


def show(here: Stage, votes: Votes) -> None:
    """Show every measured recipe with its agreement with people and its gain, and their rank correlation."""
    seen = compare_recipes(votes, places(here.scene, votes), _measured(here))
    if not seen:
        st.caption("No effect with a target is measured on this corpus yet: use the page Effect.")
        return
    st.dataframe(
        [
            {"recipe": one.title, "people agree": one.agreed.share if one.agreed.of else None,
             "gain": one.gain, "verdict": one.verdict, "votes": one.agreed.of,
             "of people": f"{one.agreed.low:.0%} to {one.agreed.high:.0%}",
             "of the gain": f"{one.low:+.3f} to {one.high:+.3f}", "for": one.target} for one in seen
        ],
        hide_index=True, row_height=28,
        column_config={"people agree": st.column_config.NumberColumn(format="percent"),
                       "gain": st.column_config.NumberColumn(format="%+.3f"),
                       "of people": st.column_config.Column(help="95% Wilson interval"),
                       "of the gain": st.column_config.Column(help="two standard deviations")},
    )  # fmt: skip
    for target in sorted({one.target for one in seen}):
        found = relation([one for one in seen if one.target == target])
        if math.isnan(found.rho):
            words = f"{found.recipes} measured; from {LEAST_RECIPES} on, votes and gain are compared by rank"
        else:
            words = f"Spearman's rank correlation {found.rho:+.2f} over {found.recipes} recipes (p = {found.p:.2f})"
        st.caption(plain(f"For {target}: {words}."))
    st.caption("Gain: target bits per byte saved against random draws of the same size, with its interval.")


def _measured(here: Stage) -> Iterator[MeasuredRecipe]:
    """Yield the effects measured on this corpus, the latest first and each recipe and target once."""
    known: set[tuple[str, str]] = set()
    for job in list_jobs(here.workspace.jobs):
        if job.kind != EFFECT or job.state != "done" or job.params["fingerprint"] != here.facts.corpus:
            continue
        try:
            effect = Effect.from_json(here.workspace.value(str(job.result["effect"])))
            if (effect.recipe, effect.target_digest) in known or len(known) >= MOST or effect.headline is None:
                continue
            recipe = Recipe.from_yaml(str(job.params["recipe"]))
            outcome = cache.scene(cache.SceneKey(here.key.corpus, (), recipe)).outcome
        except TamisError as error:
            st.text(brief(error))
            continue
        known.add((effect.recipe, effect.target_digest))
        if outcome is not None:
            yield MeasuredRecipe(effect.title, effect.target, effect.recipe, effect.headline, outcome)

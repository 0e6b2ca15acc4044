"""Rules that must be fitted first, by background jobs: relevance to a target, a budget per concept, D4, a mixture."""

from __future__ import annotations

import numpy as np
import streamlit as st

from tamis.analytics.effect.scorer_fit import OPERATOR_OF
from tamis.analytics.effect.target import list_targets
from tamis.analytics.map.concepts import MEASURED, Concepts
from tamis.analytics.operators.budget import COMPLEXITIES
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.operators.quotas import FLOOR, quotas
from tamis.analytics.recipe.presets import d4_recipe
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard import login, rule_preview, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.job_view import last_job, watch
from tamis.app.dashboard.look import count, duration
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.app.figures.effect import quota_figure
from tamis.app.jobs.effect import CONCEPTS, SCORER, start_concepts, start_scorer
from tamis.app.pages import recipe_mixture
from tamis.data.errors import TamisError

_METHODS = {
    "classifier": "Linear classifier on word n-grams",
    "dsir": "DSIR: hashed word pairs, by length",
    "moore_lewis": "Moore-Lewis: two n-gram models",
    "embedding_classifier": "Linear classifier on embeddings",
    "similarity": "Similarity to the nearest example",
}
_SECONDS = 40.0


def show(here: Stage) -> None:
    """Lay out the makers."""
    for title, icon, lay_out in (
        ("Keep what is relevant to a target", "target", _relevance),
        ("Give every concept a budget", "donut_small", _budget),
        ("Find the best mixture for a target", "balance", recipe_mixture.show),
    ):
        key = session.widget("makers", icon)
        unfolded = st.expander(title, icon=f":material/{icon}:", on_change="rerun", key=key)
        if unfolded.open:
            with unfolded:
                lay_out(here)


def _relevance(here: Stage) -> None:
    """Fit a scorer to a saved target, then add the rule that uses it."""
    targets = list_targets(here.workspace)
    if not targets:
        st.caption("Save a target first: on the page Effect, from a selection, or with `tamis evaluate --target FILE`.")
        return
    cells = st.columns(2)
    name = cells[0].selectbox("Target", list(targets), key="makers/target")
    method = cells[1].selectbox("Method", list(_METHODS), format_func=_METHODS.__getitem__, key="makers/method")
    kind = OPERATORS[OPERATOR_OF[method]]
    st.caption(plain(f"{kind.summary} Source: {kind.source}"))
    if kind.warning:
        st.caption(f":material/warning: {plain(kind.warning)}")
    done = last_job(here.workspace, here.facts.corpus, SCORER, target=name, method=method)
    if done is None:
        study = here.opened.study
        if st.button("Fit the scorer", key="makers/fit", disabled=not login.may("owner")):
            login.demand("owner", to="start a measurement")
            session.choose(scorer_job=start_scorer(study.corpus, here.workspace, name, method).id)
            st.rerun()
        st.caption(
            f"about {duration(_SECONDS)} in the background; only the half of the target that recipes may see is read"
        )
        if job := session.current().setting("scorer_job"):
            watch(here.workspace, str(job), "scorer_job")
        return
    cells = st.columns(2, vertical_alignment="bottom")
    share = cells[0].slider("Share of the documents to keep", 1, 99, 30, format="%d%%", key="makers/share") / 100
    params = {"model": str(done.result["model"]), "target": targets[name].name, "share": share}
    recipe = session.current().recipe.with_operator(OPERATORS.build(kind.name, params), note=f"relevance to {name}")
    if cells[1].button("Add to the recipe", key="makers/add", type="primary"):
        adopt(recipe=recipe)
        st.rerun()
    rule_preview.try_new(here, recipe, name="makers/relevance")


def _budget(here: Stage) -> None:
    """Measure the concepts once, then show the effect of the sliders on every quota and add the rule."""
    st.caption(
        "Concepts are the k-means groups of the embeddings. Simple ones are worth fewer documents than complex ones; "
        "deduplicate first. Source: Abbas et al. 2024, arXiv 2401.04578."
    )
    done = last_job(here.workspace, here.facts.corpus, CONCEPTS)
    if done is None:
        study = here.opened.study
        if st.button("Measure the complexity of the concepts", key="makers/concepts", disabled=not login.may("owner")):
            login.demand("owner", to="start a measurement")
            session.choose(concepts_job=start_concepts(study.corpus, here.workspace).id)
            st.rerun()
        st.caption(f"about {duration(_SECONDS)} in the background, once for this corpus")
        if job := session.current().setting("concepts_job"):
            watch(here.workspace, str(job), "concepts_job")
        return
    stored = str(done.result["concepts"])
    try:
        concepts = Concepts.from_table(here.workspace.table(stored))
    except TamisError as error:
        show_fault(error)
        return
    _sliders(here, stored, concepts)


def _sliders(here: Stage, stored: str, concepts: Concepts) -> None:
    cells = st.columns(3)
    measure = cells[0].selectbox("Complexity", list(COMPLEXITIES), index=1, key="makers/complexity")
    keep = cells[1].selectbox(
        "Members", ["far", "near", "random"], key="makers/keep",
        format_func={"far": "hard ones first", "near": "typical ones first", "random": "by hash"}.__getitem__,
    )  # fmt: skip
    share = cells[2].slider("Share to keep", 1, 99, 30, format="%d%%", key="makers/budget") / 100
    cells = st.columns(3)
    tau = cells[0].slider("tau: small lets complexity decide", 0.05, 5.0, 0.5, 0.05, key="makers/tau")
    alpha = cells[1].slider("alpha: 1 is proportional to size", 0.0, 2.0, 0.0, 0.1, key="makers/alpha")
    floor = cells[2].slider("floor of an equal share", 0.0, 1.0, FLOOR, 0.05, key="makers/floor")
    sizes = concepts.sizes
    total = int(np.floor(share * int(sizes.sum()) + 0.5))
    column = MEASURED.index(COMPLEXITIES[measure])
    try:
        found = quotas(concepts.complexity[:, column], sizes, total, tau=tau, alpha=alpha, floor=floor)
    except TamisError as error:
        show_fault(error)
        return
    names = [f"concept {number}" for number in concepts.clusters.tolist()]
    st.plotly_chart(
        quota_figure(sizes.tolist(), found.tolist(), names, height=260), key="makers/quotas",
        config={"displayModeBar": False}, alt="Quota against size of every concept",
    )  # fmt: skip
    st.caption(
        f"{count(total)} of {count(int(sizes.sum()))} documents over {len(sizes)} concepts of the whole corpus; "
        "rules before this one leave fewer."
    )
    params = {
        "concepts": stored, "complexity": measure, "share": share, "tau": tau, "alpha": alpha, "floor": floor,
        "keep": keep,
    }  # fmt: skip
    budgeted = session.current().recipe.with_operator(OPERATORS.build("cluster_budget", params))
    with st.container(horizontal=True):
        if st.button("Add the budget", key="makers/budget/add", type="primary"):
            adopt(recipe=budgeted)
            st.rerun()
        if st.button(
            "Add D4",
            key="makers/d4",
            help="Near and semantic duplicates, then the most typical of each concept go",
        ):
            adopt(recipe=_joined(session.current().recipe, d4_recipe(stored)))
            st.rerun()
    rule_preview.try_new(here, budgeted, name="makers/budget")


def _joined(recipe: Recipe, more: Recipe) -> Recipe:
    for step in more:
        recipe = recipe.with_operator(step.operator, note=step.note)
    return recipe

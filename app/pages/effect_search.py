"""The search for a recipe on the page Effect: what to search with, every trial, and why this recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from tamis.analytics.effect.curation import MIXTURE_TRIALS
from tamis.analytics.effect.halving import HalvingResult
from tamis.analytics.effect.halving_plan import LastModel, SearchPlan
from tamis.analytics.effect.suggest import SearchTrial
from tamis.analytics.effect.target import TargetEntry
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.job_view import last_job, offer_job
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.app.figures.effect import halving_figure, search_figure
from tamis.app.jobs.effect import HALVING, SUGGEST, read_halving, search_trials, start_halving, start_suggest
from tamis.data.errors import TamisError

SECONDS_PER_MEGABYTE = 0.15
"""To train and score one set of documents with the n-gram model, measured on two processors."""

UNREAD = "The search never reads the half of the target kept for the verdict. Measure the recipe to judge it."
CHANGES = "One change at a time, n-gram"
HALVINGS: Mapping[str, LastModel] = {
    "Halving, n-gram": "n-gram", "Halving to 0.5M": "0.5M", "Halving to 2M": "2M",
}  # fmt: skip


def load_trials(here: Stage, target: TargetEntry | None) -> tuple[SearchTrial, ...]:
    """Return the trials of the last search of single changes for this target, for the scatter of recipes."""
    job = last_job(here.workspace, here.facts.corpus, SUGGEST, target=target.name) if target else None
    return search_trials(here.workspace.value(str(job.result["suggestion"]))["trials"]) if job else ()


def show(here: Stage, target: TargetEntry | None) -> None:
    """Lay out the search: its settings, its start, and the result of the last one of the chosen kind."""
    if target is None:
        st.caption("Choose a target above: the search proposes a recipe for it.")
        return
    tokens_there = int(here.opened.facts.whole("n_tokens").sum())
    cells = st.columns([3, 2, 2, 3], vertical_alignment="bottom")
    kind = cells[0].selectbox(
        "Search", [*HALVINGS, CHANGES], key="effect/search_kind",
        help="Halving starts from many ways to filter, deduplicate, score, mix and repeat, and lets the best third "
        "meet a larger model each time. The last model also judges every published rule set as it is, and what differs "
        "from the best in one choice. Transformers also try orders of training.",
    )  # fmt: skip
    tokens = int(cells[1].number_input(
        "Token budget", 1000, max(1000, tokens_there), max(1000, tokens_there // 10), 1000, key="effect/tokens"
    ))  # fmt: skip
    trials = int(cells[2].number_input("Recipes to try", 2, 100, 27, key="effect/trials"))
    near = cells[3].toggle("Try near-duplicates too (a longer measurement)", key="effect/near")
    if kind == CHANGES:
        _by_changes(here, target, tokens, trials, near=near)
    else:
        _by_halving(here, target, SearchPlan(tokens, start=trials, last=HALVINGS[kind], near=near))


def _megabytes(here: Stage, tokens: int) -> float:
    """Return the megabytes of a budget."""
    facts = here.opened.facts
    share = tokens / max(1, int(facts.whole("n_tokens").sum()))
    return min(20.0, share * float(facts.whole("bytes").sum()) / 1e6)


def _by_halving(here: Stage, target: TargetEntry, plan: SearchPlan) -> None:
    sets = plan.ngram_sets + 2 * MIXTURE_TRIALS
    offer_job(
        here, "Propose a recipe", "suggest_job",
        lambda: start_halving(here.opened.study.corpus, here.workspace, target.name, plan),
        seconds=30 + sets * SECONDS_PER_MEGABYTE * _megabytes(here, plan.tokens) + plan.seconds, ready=True,
    )  # fmt: skip
    for job in filter(None, [last_job(here.workspace, here.facts.corpus, HALVING, target=target.name)]):
        try:
            _found(read_halving(here.workspace, job))
        except TamisError as error:
            show_fault(error)


def _found(found: HalvingResult) -> None:
    """Show the recipe with its reasons, the ways from rung to rung, and every trial."""
    st.markdown(f"**Proposed** at {count(found.plan.tokens)} tokens: {plain(found.way.sentence())}")
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Take this recipe", key="effect/take"):
            adopt(recipe=found.recipe)
            st.rerun()
        st.caption(UNREAD)
    left, right = st.columns(2, gap="medium")
    with left:
        st.plotly_chart(halving_figure(found), key="effect/halving", config={"displayModeBar": False})
    right.markdown("\n".join(f"- {plain(line)}" for line in found.reasons))
    st.dataframe(
        [
            {"trial": trial.number, "judged by": trial.model, "stays": "yes" if trial.kept else "no",
             "bits per byte": trial.loss, "more than the best": trial.behind if trial.loss is not None else None,
             "standard error": trial.error if trial.loss is not None else None,
             "documents": trial.documents, "what": trial.sentence, "why": trial.why}
            for trial in found.trials
        ],
        hide_index=True, row_height=28, height=300,
        column_config={
            name: st.column_config.NumberColumn(format="%.4f")
            for name in ("bits per byte", "more than the best", "standard error")
        },
    )  # fmt: skip


def _by_changes(here: Stage, target: TargetEntry, tokens: int, trials: int, *, near: bool) -> None:
    study = here.opened.study
    offer_job(
        here, "Propose a recipe", "suggest_job",
        lambda: start_suggest(study.corpus, here.workspace, target.name, tokens=tokens, trials=trials, near=near),
        seconds=30 + trials * 3 * SECONDS_PER_MEGABYTE * _megabytes(here, tokens) * 2, ready=True,
    )  # fmt: skip
    done = last_job(here.workspace, here.facts.corpus, SUGGEST, target=target.name)
    if done is not None:
        _suggestion(here.workspace.value(str(done.result["suggestion"])))


def _suggestion(value: Mapping[str, Any]) -> None:
    """Show the trials and offer the proposed recipe."""
    trials = search_trials(value["trials"])
    left, right = st.columns([3, 4], gap="medium")
    with left:
        st.plotly_chart(search_figure(trials), key="effect/search", config={"displayModeBar": False})
        st.caption(UNREAD)
    with right:
        st.markdown(f"**Proposed** at {count(value['tokens'])} tokens: {plain(value['sentence'])}")
        if st.button("Take this recipe", key="effect/take"):
            adopt(recipe=Recipe.from_yaml(value["recipe"]))
            st.rerun()
        st.dataframe(
            [
                {"trial": trial.number, "best": "yes" if trial.accepted else "", "target bpb": round(trial.target, 4),
                 "general bpb": round(trial.general, 4), "documents": trial.documents, "what": trial.log}
                for trial in trials
            ],
            hide_index=True, row_height=28, height=260,
        )  # fmt: skip

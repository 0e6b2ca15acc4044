"""Panels beside the measured effect: attribution of steps, a proposed recipe, the report. Each is a background job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from tamis.analytics.effect.evaluation import StepEffect
from tamis.analytics.effect.suggest import SearchTrial
from tamis.analytics.effect.target import TargetEntry
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard import login, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.job_view import last_job, watch
from tamis.app.dashboard.look import count, duration
from tamis.app.dashboard.page_context import Stage, plain
from tamis.app.figures.effect import attribution_figure, search_figure
from tamis.app.jobs.effect import (
    ATTRIBUTION,
    REPORT,
    SUGGEST,
    search_trials,
    start_attribution,
    start_report,
    start_suggest,
    step_effects,
)
from tamis.data.jobs import Job

DRAWS = 5
SECONDS_PER_MEGABYTE = 0.15
"""To train and score one set of documents, measured on two processors."""


def show(here: Stage, target: TargetEntry | None) -> None:
    """Lay out the panels."""
    steps, propose, report = st.tabs(["Which step does it", "Propose a recipe", "Report"])
    with steps:
        _attribution(here, target)
    with propose:
        _suggest(here, target)
    with report:
        _report(here, target)


def load_trials(here: Stage, target: TargetEntry | None) -> tuple[SearchTrial, ...]:
    """Return the trials of the last search for this target, for the scatter of recipes."""
    job = last_job(here.workspace, here.facts.corpus, SUGGEST, target=target.name) if target else None
    return search_trials(here.workspace.value(str(job.result["suggestion"]))["trials"]) if job else ()


def _start(here: Stage, title: str, setting: str, start: Callable[[], Job], *, seconds: float, ready: bool) -> None:
    """Show the button that starts a job, with its estimate, and follow the job."""
    job = session.current().setting(setting)
    allowed = ready and login.may("owner")
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(title, key=f"effect/{setting}", type="primary", disabled=not allowed):
            login.demand("owner", to="start a measurement")
            session.choose(**{setting: start().id})
            st.rerun()
        st.caption(f"about {duration(seconds)} in the background")
    if job:
        watch(here.workspace, str(job), setting)


def _megabytes(here: Stage) -> float:
    """Return the size of a training set: what the recipe keeps, at most 20 MB."""
    outcome = here.scene.outcome
    return float(min(outcome.output.bytes if outcome else here.opened.facts.whole("bytes").sum(), 20_000_000) / 1e6)


def _attribution(here: Stage, target: TargetEntry | None) -> None:
    recipe, study = session.current().recipe, here.opened.study
    done = last_job(
        here.workspace, here.facts.corpus, ATTRIBUTION, digest=recipe.digest, target=target.name if target else ""
    )
    if done is None:
        st.markdown(
            "Every step is left out in turn; the loss of the recipe is the contribution of the step, "
            "at the same bytes and with the same draws."
        )
        _start(
            here, "Measure each step", "attribution_job",
            lambda: start_attribution(study.corpus, here.workspace, recipe, target.name if target else ""),
            seconds=10 + (len(recipe.active) + 1) * DRAWS * SECONDS_PER_MEGABYTE * _megabytes(here),
            ready=len(recipe.active) > 1,
        )  # fmt: skip
        if len(recipe.active) < 2:
            st.caption("A recipe of two or more active steps is needed.")
        return
    found = step_effects(here.workspace.value(str(done.result["steps"])))
    left, right = st.columns([3, 4], gap="medium")
    left.plotly_chart(attribution_figure(found), key="effect/steps", config={"displayModeBar": False})
    right.dataframe([_step_row(each) for each in found], hide_index=True, row_height=30)
    right.caption(
        "Paired draws, intervals of two standard deviations. A step without measurable effect costs nothing to drop."
    )


def _step_row(each: StepEffect) -> Mapping[str, object]:
    return {
        "step": each.step,
        "verdict": each.verdict,
        "bits per byte lost without it": f"{each.difference.mean:+.4f}",
        "interval": f"{each.difference.low:+.4f} to {each.difference.high:+.4f}",
        "documents kept without it": each.documents_without,
    }


def _suggest(here: Stage, target: TargetEntry | None) -> None:
    study = here.opened.study
    if target is None:
        st.caption("Choose a target above: the search proposes a recipe for it.")
        return
    tokens_there = int(here.opened.facts.whole("n_tokens").sum())
    cells = st.columns([2, 2, 3, 3], vertical_alignment="bottom")
    tokens = int(cells[0].number_input(
        "Token budget", 1000, max(1000, tokens_there), max(1000, tokens_there // 10), 1000, key="effect/tokens"
    ))  # fmt: skip
    trials = int(cells[1].number_input("Recipes to try", 2, 100, 16, key="effect/trials"))
    near = cells[2].toggle("Try near-duplicates too (a longer measurement)", key="effect/near")
    megabytes = min(20.0, tokens / max(1, tokens_there) * float(here.opened.facts.whole("bytes").sum()) / 1e6)
    _start(
        here, "Propose a recipe", "suggest_job",
        lambda: start_suggest(study.corpus, here.workspace, target.name, tokens=tokens, trials=trials, near=near),
        seconds=30 + trials * 3 * SECONDS_PER_MEGABYTE * megabytes * 2, ready=True,
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
        st.caption(
            "The search never reads the half of the target kept for the verdict. Measure the recipe to judge it."
        )
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


def _report(here: Stage, target: TargetEntry | None) -> None:
    recipe, study = session.current().recipe, here.opened.study
    st.markdown(
        "One HTML file with recipe, funnel, effect, mix, examples and provenance, and a dataset card in Markdown. "
        "Examples quote the corpus: choose none when its text must not leave."
    )
    examples = int(st.number_input("Examples per step", 0, 20, 3, key="effect/examples"))
    _start(
        here, "Write the report", "report_job",
        lambda: start_report(
            study.corpus, here.workspace, recipe, target.name if target else "", examples=examples
        ),
        seconds=20 + 11 * SECONDS_PER_MEGABYTE * _megabytes(here), ready=bool(recipe.active),
    )  # fmt: skip
    done = last_job(
        here.workspace, here.facts.corpus, REPORT, digest=recipe.digest, target=target.name if target else ""
    )
    if done is None:
        return
    with st.container(horizontal=True):
        for name, title, kind in (("html", "report.html", "text/html"), ("card", "README.md", "text/markdown")):
            path = Path(str(done.result[name]))
            if path.is_file():
                st.download_button(f"Download {title}", path.read_bytes(), title, kind, key=f"effect/report/{name}")

"""Panels beside the measured effect: attribution of steps, a proposed recipe, the report; each is a background job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from tamis.analytics.effect.evaluation import StepEffect
from tamis.analytics.effect.target import TargetEntry
from tamis.app.dashboard import session
from tamis.app.dashboard.job_view import last_job, offer_job
from tamis.app.dashboard.page_context import Stage
from tamis.app.figures.effect import attribution_figure
from tamis.app.jobs.effect import ATTRIBUTION, REPORT, start_attribution, start_report, step_effects
from tamis.app.pages import effect_search, effect_synthetic
from tamis.app.pages.effect_search import SECONDS_PER_MEGABYTE

DRAWS = 5


def show(here: Stage, target: TargetEntry | None) -> None:
    """Lay out the panels."""
    steps, propose, dial, report = st.tabs(["Which step does it", "Propose a recipe", "Synthetic text", "Report"])
    with steps:
        _attribution(here, target)
    with propose:
        effect_search.show(here, target)
    with dial:
        effect_synthetic.show(here, target)
    with report:
        _report(here, target)


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
        offer_job(
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


def _report(here: Stage, target: TargetEntry | None) -> None:
    recipe, study = session.current().recipe, here.opened.study
    st.markdown(
        "One HTML file with recipe, funnel, effect, mix, examples and provenance, and a dataset card in Markdown. "
        "Examples quote the corpus: choose none when its text must not leave."
    )
    examples = int(st.number_input("Examples per step", 0, 20, 3, key="effect/examples"))
    offer_job(
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

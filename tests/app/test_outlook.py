"""Each step that is not done says when it will be, by the pace of the running analysis."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tamis.analytics.steps.pipeline import PlannedStep
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.app.jobs.outlook import awaited_steps, time_until
from tamis.data.job import Job
from tamis.data.jobs import ask_first, asked_first
from tamis.data.progress import ProgressState
from tamis.data.store import ArtifactKey

SECONDS = {"documents": 10.0, "signals": 20.0, "knn": 30.0, "map": 40.0, "perplexity": 50.0}
READS = {"map": ("knn",)}


def ignore(context: StepContext) -> None:
    """Do nothing."""


def plan(*done: str) -> tuple[PlannedStep, ...]:
    """Return the plan of ``SECONDS``."""
    return tuple(
        PlannedStep(
            StepSpec(name, 1, READS.get(name, ()), {}, name.title(), lambda size: Estimate(1.0, 1), ignore),
            ArtifactKey(name, 1, ""),
            Estimate(seconds, 1),
            name in done,
        )
        for name, seconds in SECONDS.items()
    )


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job that has half of the signals and twice as slow as planned: 130 planned seconds are left."""
    progress = ProgressState(step="signals", done=50, total=100, fraction=0.1, elapsed=40.0, eta=260.0)
    return Job("analyze-1", tmp_path, "analyze", {}, "", "running", progress=progress, reported=1_000.0)


def test_times_add_up_in_running_order_at_the_pace_of_the_job(job: Job) -> None:
    awaited = awaited_steps(plan("documents"), job, 1_000.0)
    assert [(each.name, each.seconds) for each in awaited] == [
        ("signals", 20.0), ("knn", 80.0), ("map", 160.0), ("perplexity", 260.0),
    ]  # fmt: skip
    assert [each.running for each in awaited] == [True, False, False, False]
    assert time_until(("map",), awaited) == 160.0 and time_until((), awaited) == 0.0


def test_what_is_asked_for_comes_right_after_the_running_step(job: Job) -> None:
    ask_first(job, ("perplexity",))
    assert [each.name for each in awaited_steps(plan("documents"), job, 1_000.0)][:2] == ["signals", "perplexity"]


def test_the_latest_request_comes_first_and_no_request_is_lost(job: Job) -> None:
    ask_first(job, ("map",))
    ask_first(job, ("perplexity", "knn"))
    ask_first(job, ("map",))
    assert asked_first(job.folder) == ("map", "perplexity", "knn")
    (job.folder / "first.json").write_text(json.dumps({"no": "list"}), "utf-8")
    assert asked_first(job.folder) == ()


def test_time_passes_between_reports_and_an_estimate_that_is_over_says_so(job: Job) -> None:
    assert awaited_steps(plan("documents"), job, 1_130.0)[-1].seconds == pytest.approx(130.0)
    assert awaited_steps(plan("documents"), job, 9_000.0)[-1].seconds == 0.0


def test_without_a_job_nothing_is_promised() -> None:
    awaited = awaited_steps(plan("documents"), None, 0.0)
    assert {each.seconds for each in awaited} == {None} and time_until(("map",), awaited) is None


def test_a_job_that_knows_no_time_yet_is_taken_at_the_estimates(job: Job) -> None:
    fresh = replace(job, progress=ProgressState())
    assert awaited_steps(plan("documents"), fresh, 0.0)[-1].seconds == 140.0

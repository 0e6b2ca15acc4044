"""What people wait for runs first; no order changes what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from docstrings import docstrings, write_corpus
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.pipeline import PlannedStep, analyze, find_analysis_so_far, plan_steps, running_order
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.study.standard_analysis import LOOKED_AT_FIRST, analysis_steps
from tamis.data.corpus import Corpus
from tamis.data.open_corpus import open_corpus
from tamis.data.store import ArtifactKey
from tamis.data.workspace import Workspace

READS = {"a": (), "b": ("a",), "c": (), "d": ("b", "c"), "e": ("a",), "f": ("d", "e")}


def ignore(context: StepContext) -> None:
    """Do nothing."""


def planned(name: str, reads: Sequence[str], *, done: bool = False) -> PlannedStep:
    """Return a planned step that reads the documents and others."""
    spec = StepSpec(name, 1, ("documents", *reads), {}, name, lambda size: Estimate(1.0, 1), ignore)
    return PlannedStep(spec, ArtifactKey(name, 1, ""), Estimate(1.0, 1), done)


def plan(done: Sequence[str] = ()) -> tuple[PlannedStep, ...]:
    """Return the plan of ``READS`` after the documents."""
    whole = {"documents": (), **READS}
    return tuple(planned(name, reads, done=name in done) for name, reads in whole.items())


@given(st.lists(st.sampled_from([*READS, "unknown"])), st.sets(st.sampled_from(["documents", *READS])))
def test_every_step_runs_once_after_all_that_it_reads(first: list[str], done: set[str]) -> None:
    order = [step.spec.name for step in running_order(plan(tuple(done)), first)]
    assert sorted(order) == sorted({"documents", *READS} - done)
    for place, name in enumerate(order):
        assert set(READS.get(name, ())) - done <= set(order[:place])
    assert "documents" in done or order[0] == "documents"


def test_a_step_that_is_asked_for_runs_right_after_those_it_reads() -> None:
    order = [step.spec.name for step in running_order(plan(), ("d", "e"))]
    assert order == ["documents", "a", "b", "c", "d", "e", "f"]
    assert [step.spec.name for step in running_order(plan(), ("e",))][:3] == ["documents", "a", "e"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return open_corpus(write_corpus(tmp_path_factory.mktemp("corpus"), docstrings(("json",))))


def test_people_see_columns_duplicates_signals_and_the_map_first(corpus: Corpus, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    order = running_order(plan_steps(corpus, workspace, analysis_steps(corpus, workspace)), LOOKED_AT_FIRST)
    names = [step.spec.name for step in order]
    assert names[:4] == ["documents", "columns", "exact", "signals"]
    assert names.index("map") < names.index("tokens") and names.index("map") < names.index("perplexity")
    assert names[-1] == "facts"


def numbers_step(name: str, ran: list[str]) -> StepSpec:
    """Return a step that stores a number per document and notes that it ran."""

    def run(context: StepContext) -> None:
        ran.append(name)
        context.out.write_table("facts", pa.table({name: pa.array(range(context.documents.n))}))
        context.out.commit(rows=context.documents.n, facts={})

    return StepSpec(name, 1, ("documents",), {}, name, lambda size: Estimate(1.0, 10), run)


def test_the_order_is_asked_again_before_every_step_and_changes_no_artifact(corpus: Corpus, tmp_path: Path) -> None:
    ran: list[str] = []
    steps = [documents_step(), *(numbers_step(name, ran) for name in ("one", "two", "three"))]
    plain = analyze(corpus, Workspace(tmp_path / "plain"), steps=steps)
    assert ran == ["one", "two", "three"]

    ran.clear()
    asked = analyze(
        corpus, Workspace(tmp_path / "asked"), steps=steps, first=lambda: ("two",) if "three" in ran else ("three",)
    )
    assert ran == ["three", "two", "one"]
    assert [artifact.digest for artifact in asked.artifacts.values()] != []
    for name, artifact in plain.artifacts.items():
        assert asked.artifacts[name].digest == artifact.digest
        assert asked.artifacts[name].manifest.parts == artifact.manifest.parts


def test_what_is_done_is_found_and_nothing_runs(corpus: Corpus, tmp_path: Path) -> None:
    ran: list[str] = []
    workspace = Workspace(tmp_path)
    steps = [documents_step(), numbers_step("one", ran), numbers_step("two", ran)]
    assert find_analysis_so_far(corpus, workspace, plan_steps(corpus, workspace, steps)) is None
    analyze(corpus, workspace, steps=steps[:2])
    ran.clear()
    found = find_analysis_so_far(corpus, workspace, plan_steps(corpus, workspace, steps))
    assert found is not None and sorted(found.artifacts) == ["documents", "one"] and not ran

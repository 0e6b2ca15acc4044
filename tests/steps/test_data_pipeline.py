"""Steps run in order, once, resumably; whatever changes runs again with all that depends on it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.pipeline import analyze, plan_steps, size_of, sort_steps
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data import jsonl_reader, shards
from tamis.data.corpus import Corpus
from tamis.data.documents import load_column, load_table
from tamis.data.errors import Cancelled, JobError
from tamis.data.lock import Owner, machine
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import NullProgress, ProgressState, TrackedProgress
from tamis.data.workspace import Workspace


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    monkeypatch.setattr(shards, "SHARD_ROWS", 20)
    monkeypatch.setattr(jsonl_reader, "BLOCK_ROWS", 10)
    rows = [{"text": f"text {n}" if n % 9 else None, "n": n, "meta": {"tag": f"t{n % 3}"}} for n in range(100)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_corpus(path)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home")


def spec(
    name: str,
    upstream: tuple[str, ...] = ("documents",),
    *,
    run: Callable[[StepContext], None],
    params: Mapping[str, Any] | None = None,
    version: int = 1,
) -> StepSpec:
    """Return a step that costs one second by its own estimate."""
    return StepSpec(name, version, upstream, dict(params or {}), name.title(), lambda size: Estimate(1.0, 10), run)


def lengths_step(calls: list[int], **more: Any) -> StepSpec:
    """Return a step that measures text lengths shard by shard and notes the shards it works on."""

    def run(context: StepContext) -> None:
        for shard in context.shards_to_do():
            calls.append(shard.index)
            lengths = [pc.utf8_length(texts) for texts in context.corpus.document_texts(shard)]
            context.out.write_table(shard.part, pa.table({"length": pa.chunked_array(lengths)}))
        context.out.commit(rows=context.documents.n)

    return spec("lengths", run=run, **more)


def total_step(calls: list[int]) -> StepSpec:
    """Return a step that sums the lengths."""

    def run(context: StepContext) -> None:
        calls.append(-1)
        total = pc.sum(load_column(context.inputs["lengths"], context.documents, "length")).as_py()
        context.out.write_json("total", total)
        context.out.commit(rows=1, facts={"total": total})

    return spec("total", ("documents", "lengths"), run=run)


def test_steps_run_in_order_once_and_are_found_again(corpus: Corpus, workspace: Workspace) -> None:
    calls: list[int] = []
    steps = (total_step(calls), lengths_step(calls))
    first = analyze(corpus, workspace, steps=steps)
    assert calls == [0, 1, 2, 3, 4, -1]
    assert first.documents.n == 88
    assert first.artifacts["total"].json("total") == sum(len(f"text {n}") for n in range(100) if n % 9)
    second = analyze(corpus, workspace, steps=steps)
    assert calls == [0, 1, 2, 3, 4, -1]
    assert second.artifacts == first.artifacts
    assert list(second.artifacts) == ["documents", "lengths", "total"]


def test_changed_parameter_or_version_runs_the_step_and_all_below(corpus: Corpus, workspace: Workspace) -> None:
    calls: list[int] = []
    before = analyze(corpus, workspace, steps=(lengths_step(calls), total_step(calls)))
    for changed in (lengths_step(calls, params={"unit": "characters"}), lengths_step(calls, version=2)):
        calls.clear()
        after = analyze(corpus, workspace, steps=(changed, total_step(calls)))
        assert calls == [0, 1, 2, 3, 4, -1]
        assert after.artifacts["documents"].digest == before.artifacts["documents"].digest
        assert after.artifacts["total"].digest != before.artifacts["total"].digest


def test_plan_tells_what_is_done_and_what_the_rest_costs(corpus: Corpus, workspace: Workspace) -> None:
    steps = (documents_step(), lengths_step([]), total_step([]))
    assert [(step.spec.name, step.done) for step in plan_steps(corpus, workspace, steps)] == [
        ("documents", False),
        ("lengths", False),
        ("total", False),
    ]
    analyze(corpus, workspace, steps=steps[:2])
    plan = plan_steps(corpus, workspace, steps)
    assert [step.done for step in plan] == [True, True, False]
    assert plan[2].estimate == Estimate(1.0, 10)
    assert size_of(corpus).documents == 100


class Stopping(NullProgress):
    """Progress that stops the work at its n-th check."""

    def __init__(self, checks: int) -> None:
        self.left = checks

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cancelled("The work was stopped")


def test_stopped_analysis_goes_on_with_the_next_shard(corpus: Corpus, workspace: Workspace) -> None:
    calls: list[int] = []
    steps = (documents_step(), lengths_step(calls))
    analyze(corpus, workspace, steps=steps[:1])
    with pytest.raises(Cancelled):
        analyze(corpus, workspace, steps=steps, progress=Stopping(5))
    assert calls == [0, 1, 2]
    assert [step.done for step in plan_steps(corpus, workspace, steps)] == [True, False]
    analyze(corpus, workspace, steps=steps)
    assert calls == [0, 1, 2, 3, 4]


def test_progress_goes_from_nothing_to_all_of_the_plan(corpus: Corpus, workspace: Workspace) -> None:
    seen: list[ProgressState] = []
    analyze(corpus, workspace, steps=(lengths_step([]),), progress=TrackedProgress(seen.append, interval=0.0))
    assert [state.step for state in seen if state.done == state.total] == ["documents", "lengths"]
    fractions = [state.fraction for state in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)


def test_step_that_another_process_makes_is_waited_for(corpus: Corpus, workspace: Workspace) -> None:
    begun, go_on = threading.Event(), threading.Event()
    calls: list[int] = []

    def run(context: StepContext) -> None:
        calls.append(0)
        begun.set()
        assert go_on.wait(20)
        context.out.commit(rows=0)

    steps = (documents_step(), spec("slow", run=run))
    found: list[str] = []

    def work() -> None:
        found.append(analyze(corpus, workspace, steps=steps).artifacts["slow"].digest)

    threads = [threading.Thread(target=work) for _ in range(2)]
    threads[0].start()
    assert begun.wait(20)
    threads[1].start()
    time.sleep(0.1)
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert calls == [0]
    assert len(found) == 2
    assert len(set(found)) == 1


def test_step_without_commit_is_a_fault(corpus: Corpus, workspace: Workspace) -> None:
    with pytest.raises(JobError, match="Step lazy ended without committing"):
        analyze(corpus, workspace, steps=(spec("lazy", run=lambda context: None),))


def test_impossible_plans_are_refused() -> None:
    def nothing(context: StepContext) -> None:
        context.out.commit(rows=0)

    a = spec("a", ("b",), run=nothing)
    b = spec("b", ("a",), run=nothing)
    with pytest.raises(JobError, match="in a circle"):
        sort_steps((a, b))
    with pytest.raises(JobError, match=r"Step a reads missing steps.*'b'"):
        sort_steps((a,))
    with pytest.raises(JobError, match="twice"):
        sort_steps((a, a))
    late = spec("late", ("early",), run=nothing)
    assert [step.name for step in sort_steps((late, spec("early", (), run=nothing)))] == ["early", "late"]


def test_steps_keep_the_given_order_but_for_those_they_read() -> None:
    upstream = {"e": "b", "d": "", "c": "e", "b": "", "a": ""}
    steps = [spec(name, tuple(above), run=lambda context: None) for name, above in upstream.items()]
    assert [step.name for step in sort_steps(steps)] == ["d", "b", "e", "c", "a"]


def test_a_circle_is_named_without_the_steps_that_wait_for_it() -> None:
    upstream = {"c": "a", "b": "a", "a": "b", "d": ""}
    with pytest.raises(JobError, match="in a circle") as told:
        sort_steps([spec(name, tuple(above), run=lambda context: None) for name, above in upstream.items()])
    assert told.value.value == ["b", "a"]


def test_analysis_without_facts_says_so(corpus: Corpus, workspace: Workspace) -> None:
    with pytest.raises(JobError, match="has no facts table"):
        analyze(corpus, workspace, steps=()).facts()


def test_columns_of_the_corpus_become_facts_columns(tmp_path: Path, workspace: Workspace) -> None:
    rows = [
        {
            "text": "one",
            "source": "web",
            "label": 3,
            "when": 1.5,
            "ok": True,
            "title": "x" * 200,
            "meta": {"Lang-Code": "en"},
        },
        {"text": None, "source": "web", "label": 4, "when": 2.5, "ok": None, "title": "y", "meta": {"Lang-Code": "fr"}},
        {"text": "two", "source": "", "label": None, "when": float("nan"), "ok": False, "title": "z", "meta": None},
    ]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = open_corpus(tmp_path / "b.jsonl", roles={"language": ""})
    analysis = analyze(corpus, workspace, steps=(documents_step(), columns_step(corpus)))
    table = load_table(analysis.artifacts["columns"], analysis.documents)
    assert sorted(table.to_pylist(), key=lambda row: str(row["label"])) == [
        {"label": "3", "meta_meta_lang_code": "en", "meta_ok": True, "meta_when": 1.5, "source": "web"},
        {"label": None, "meta_meta_lang_code": None, "meta_ok": False, "meta_when": None, "source": None},
    ]


def test_a_lock_left_between_completing_and_letting_go_is_cleared_by_the_next_run(
    corpus: Corpus, workspace: Workspace
) -> None:
    steps = (documents_step(), columns_step(corpus))
    analyze(corpus, workspace, steps=steps)
    keys = [planned.key for planned in plan_steps(corpus, workspace, steps)]
    locks = [workspace.store.root / "locks" / f"{key.digest}.lock" for key in keys]
    gone = Owner(pid=2**22 + 1, started=0.0, machine=machine(), token="gone")
    locks[0].write_text(json.dumps(asdict(gone)))
    locks[1].write_text(json.dumps(asdict(Owner.current())))
    analyze(corpus, workspace, steps=steps)
    assert [lock.exists() for lock in locks] == [False, True]
    locks[1].unlink()
    assert workspace.store.orphans() == []

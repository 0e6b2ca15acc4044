"""A recipe on a Ray cluster gives the bytes of the local run: any nodes, partitions, batches, and with a node lost."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
from chat_corpora import conversations, write_rows
from docstrings import docstrings
from ray.cluster_utils import Cluster
from training_corpus import planned, study_of

from tamis.analytics.duplicates.evaluation_sets import save_evaluation
from tamis.analytics.duplicates.references import put_reference
from tamis.analytics.effect.scorer_fit import fit_scorer
from tamis.analytics.effect.target import Target, save_target
from tamis.analytics.embedding.own_vectors import column_vectors_step
from tamis.analytics.embedding.step import embeddings_step
from tamis.analytics.embedding.tuned_step import tuned_model_step
from tamis.analytics.export.bundle import export_bundle, needed_steps
from tamis.analytics.export.run import Run, run_bundle
from tamis.analytics.map.options import MapOptions, write_options
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.plugins import load_plugins, plugins_step
from tamis.analytics.steps import ray_engine
from tamis.analytics.steps.engine import Part, PieceInput
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.steps.ray_engine import RayEngine, Shared, Task, check_address, connect, sha256_of, versions
from tamis.analytics.steps.step import StepSpec
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.analytics.study.study import Study
from tamis.analytics.training.built import build
from tamis.data import shards
from tamis.data.errors import JobError, SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import NullProgress
from tamis.data.shards import Shard
from tamis.data.workspace import Workspace

PLUGIN = """
from tamis.analytics.signals.plugins import signal

@signal(name="own_marks", dtype="int32", help="Full stops.", unit="characters")
def own_marks(text: str) -> int:
    return text.count(".")
"""
STEPS = (
    "documents",
    "columns",
    "signals",
    "language",
    "tokens",
    "exact",
    "words",
    "perplexity",
    "embeddings",
    "concepts",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with a corpus of seven files and a bundle with rules of all kinds, designed on two."""
    folder = tmp_path_factory.mktemp("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_ROWS", 120)
        yield _filled(folder)


def _filled(folder: Path) -> Path:
    table = docstrings()
    (folder / "corpus").mkdir()
    (folder / "design").mkdir()
    for number in range(7):
        rows = [row for row in range(table.num_rows) if row % 7 == number]
        for name in ("corpus", "design")[: 2 if number < 2 else 1]:
            pq.write_table(table.take(rows), folder / name / f"{number}.parquet", row_group_size=40)
    corpus, workspace = open_corpus(folder / "design"), home(folder, "design")
    steps = needed_steps(analysis_steps(corpus, workspace), STEPS)
    study = Study.open(corpus, workspace, steps=(*steps, facts_step(steps)))
    recipe = recipe_of_all_kinds(study, table.column("text").to_pylist(), tokens=6_000)
    study.measure(recipe)
    export_bundle(folder / "bundle", study=study, recipe=recipe)
    return folder


def home(root: Path, name: str) -> Workspace:
    """Return a workspace that embeds both corpora by the fast tier."""
    made = Workspace(root / f"home-{name}")
    for path in (root / "corpus", root / "design"):
        write_options(made, open_corpus(path), MapOptions(tier="fast"))
    return made


def recipe_of_all_kinds(study: Study, texts: list[str | None], *, tokens: int) -> Recipe:
    """Return a recipe of all kinds of rules, the last a budget of tokens."""
    keep, target = study.workspace, [text for text in texts if text and "file" in text][:40]
    pq.write_table(pa.table({"text": target[:3]}), keep.root / "evaluation.parquet")
    evaluation = put_reference([keep.root / "evaluation.parquet"], keep, n=5)
    pq.write_table(pa.table({"text": target[9:14]}), keep.root / "exams.parquet")
    exams = save_evaluation(keep, "exams", [keep.root / "exams.parquet"]).digest
    pq.write_table(pa.table({"text": target[3:9]}), keep.root / "known.parquet")
    known = put_reference([keep.root / "known.parquet"], keep, n=5)
    entry = save_target(keep, "files", target, origin="docstrings")
    found = Target.open(keep, entry.digest)
    (concepts,) = (column.origin for column in study.facts.columns.values() if column.name == "concept")
    recipe = Recipe(title="On a cluster")
    for name, params in (
        ("language", {"languages": ["en"], "min_confidence": 0.3}),
        ("signal_range", {"signal": "perplexity", "max": 2000}),
        ("signal_range", {"signal": "n_words", "min": 5}),
        ("regex", {"pattern": "(?i)parameters"}),
        ("decontaminate", {"evaluation": evaluation, "shortest": 3}),
        ("idf_decontaminate", {"evaluation": exams, "share": 0.5, "shortest": 3}),
        ("exclude_known", {"reference": known}),
        ("boilerplate", {"documents": 3, "share": 0.3}),
        ("cluster", {"clusters": [0], "clustering": concepts, "mode": "drop"}),
        ("exact_dedup", {}),
        ("near_dedup", {"threshold": 0.6}),
        ("semantic_dedup", {"eps": 0.1, "vectors": "analysis", "allow_static": True}),
        ("dsir", {"model": fit_scorer(study, found, "dsir"), "target": entry.name, "share": 0.9}),
        ("target_similarity", {"model": fit_scorer(study, found, "similarity"), "target": entry.name, "share": 0.9}),
        ("c4_lines", {}),
        ("random_sample", {"share": 0.9, "seed": 3}),
        ("token_budget", {"amount": tokens}),
    ):
        recipe = recipe.with_operator(OPERATORS.build(name, params))
    return recipe


@pytest.fixture(scope="module")
def local(root: Path) -> Run:
    run = run_bundle(root / "bundle", root / "corpus", root / "local", workspace=home(root, "local"))
    dropped = {b.step: a.documents - b.documents for a, b in zip(run.counts, run.counts[1:], strict=False)}
    assert [step for step, count in dropped.items() if not count] == ["c4-lines"], dropped
    assert pq.read_table(run.folder / "edits.parquet").num_rows
    return run


@contextmanager
def cluster(nodes: int) -> Iterator[tuple[Cluster, str]]:
    """Run a cluster of several nodes on this machine."""
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": 100 << 20},
    )
    try:
        for _ in range(nodes - 1):
            made.add_node(num_cpus=1, object_store_memory=100 << 20)
        with pytest.MonkeyPatch.context() as patch:
            # Ray's own test cluster listens on the address of this machine's network card.
            patch.setattr(ray_engine, "_LOCAL", (made.address.rpartition(":")[0],))
            yield made, made.address
    finally:
        made.shutdown()


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a run."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same(run: Run, local: Run) -> bool:
    return run.selection == local.selection and contents(run.folder) == contents(local.folder)


@pytest.mark.parametrize(("nodes", "settings"), [(1, [(1, 1), (7, 2048)]), (2, [(2, 17)])])
def test_every_byte_is_that_of_the_local_run(
    root: Path, local: Run, nodes: int, settings: list[tuple[int | None, int]]
) -> None:
    with cluster(nodes) as (_, address):
        for partitions, batch in settings:
            name = f"{nodes}-{partitions}-{batch}"
            with connect(address, partitions=partitions, batch=batch) as engine:
                run = run_bundle(
                    root / "bundle", root / "corpus", root / name, workspace=home(root, f"{name}"),
                    engine=engine,
                )  # fmt: skip
                trained = training_of(root, name, engine)
            assert same(run, local)
            assert trained == training_of(root, "local")


def training_of(root: Path, name: str, engine: RayEngine | None = None) -> list[dict[str, Any]]:
    """Return all samples of training as texts and as tokens."""
    study = study_of(root / "corpus", root / f"home-training-{name}")
    texts = Recipe().with_operator("unicode_normalization").with_operator("split", together=["same text"])
    found = []
    for recipe in (texts, texts.with_operator("pack", length=64)):
        for data in build(planned(study, recipe), engine=engine).data.values():
            found += pa.Table.from_batches(data.batches(), data.schema).to_pylist() + data.pieces().to_pylist()
    return found


class Losing(NullProgress):
    """Removes a node of the cluster while each of two steps is made."""

    def __init__(self, made: Cluster) -> None:
        self.made, self.now, self.lost = made, "", []

    def step(self, name: str, total: int, unit: str = "documents") -> None:
        self.now = name

    def check(self) -> None:
        for step in ("signals", "near"):
            if self.now.startswith(step) and step not in self.lost:
                self.lost.append(step)
                self.made.remove_node(self.made.list_all_nodes()[-1], allow_graceful=False)


class Shuffled(RayEngine):
    """Sends the pieces in another order."""

    def _rows(self, task: Task, wave: pa.Table) -> Any:
        order = list(range(wave.num_rows))
        random.Random(1).shuffle(order)
        return super()._rows(task, wave.take(order))


def test_three_nodes_of_which_two_are_lost_change_no_byte_whatever_the_order(root: Path, local: Run) -> None:
    with cluster(3) as (made, address):
        losing = Losing(made)
        with connect(address) as engine:
            run = run_bundle(
                root / "bundle", root / "corpus", root / "lost", workspace=home(root, "lost"),
                engine=Shuffled(engine.partitions, engine.batch), progress=losing,
            )  # fmt: skip
        assert losing.lost == ["signals", "near"] and same(run, local)


@pytest.fixture(scope="module")
def engine(local: Run) -> Iterator[RayEngine]:
    """Return an engine on this machine; the tests with clusters of their own have run before."""
    with connect(cpus=1) as started:
        yield started


def test_finished_shards_are_found_again_and_a_changed_step_never_takes_them(root: Path, engine: RayEngine) -> None:
    class Stops(NullProgress):
        now, rows = "", 0

        def step(self, name: str, total: int, unit: str = "documents") -> None:
            self.now = name

        def check(self) -> None:
            self.rows += self.now == "signals"
            if self.rows > 3:
                raise KeyboardInterrupt

    made: list[int] = []

    class Counts(RayEngine):
        def _rows(self, task: Task, wave: pa.Table) -> Any:
            made.append(wave.num_rows)
            return super()._rows(task, wave)

    corpus, workspace = open_corpus(root / "corpus"), home(root, "stopped")
    steps = needed_steps(analysis_steps(corpus, workspace), ("signals", "language", "tokens"))
    with pytest.raises(KeyboardInterrupt):
        analyze(corpus, workspace, steps=steps, engine=engine, progress=Stops())
    analyze(corpus, workspace, steps=steps, engine=Counts())
    whole = len(corpus.shards())
    assert whole > 6 and 0 < made[0] < whole and made[1:3] == [whole] * 2


def test_a_worker_with_other_versions_or_files_is_refused(root: Path, engine: RayEngine) -> None:
    corpus = open_corpus(root / "corpus")
    opening = {"path": corpus.path, "roles": corpus.explicit_roles, "on_bad_file": "fail"}
    given = {0: ray.put((corpus.shards()[0], None))}
    task = Task(rows_of, None, opening, corpus.fingerprint, versions(), given)
    row = task(pa.table({"piece": [0]})).to_pylist()[0]
    assert row["part"] == "rows" and row["kind"] == "array"
    with pytest.raises(JobError, match="other versions"):
        replace(task, tools=versions() | {"numpy": "0.1"}).parts([0])
    with pytest.raises(JobError, match="other files"):
        replace(task, fingerprint="0" * 64).parts([0])


def rows_of(shard: Shard, given: PieceInput) -> dict[str, Part]:
    return {"rows": np.array([shard.rows])}


@pytest.mark.parametrize("kind", ["precise", "tuned", "column", "plugin"])
def test_vectors_of_every_origin_and_signals_of_ones_own_have_the_same_bits(
    kind: str, tmp_path: Path, engine: RayEngine
) -> None:
    table = docstrings().slice(0, 60).append_column("v", pa.array(np.eye(60, 8).tolist(), pa.list_(pa.float32())))
    pq.write_table(table, tmp_path / "corpus.parquet", row_group_size=40)
    (tmp_path / "own.py").write_text(PLUGIN)
    corpus = open_corpus(tmp_path / "corpus.parquet")
    steps: Mapping[str, Sequence[StepSpec]] = {
        "precise": [embeddings_step("precise")],
        "tuned": [tuned_model_step(), embeddings_step("tuned")],
        "column": [column_vectors_step(corpus, "v")],
        "plugin": [plugins_step(load_plugins([tmp_path / "own.py"], installed=False))],
    }
    spec = steps[kind][-1]
    here = analyze(corpus, Workspace(tmp_path / "here"), steps=steps[kind]).artifacts[spec.name]
    there = analyze(corpus, Workspace(tmp_path / "there"), steps=steps[kind], engine=engine).artifacts[spec.name]
    assert [part.sha256 for part in here.manifest.parts] == [part.sha256 for part in there.manifest.parts]
    assert here.manifest.rows > 50


def test_a_whole_analysis_and_run_of_conversations_have_the_bytes_of_the_local_ones(
    tmp_path: Path, engine: RayEngine
) -> None:
    rows = conversations(40)
    for number in range(4):
        write_rows(tmp_path / "chats" / f"{number}.jsonl", rows[number::4])
    corpus = open_corpus(tmp_path / "chats")
    recipe = Recipe(title="Conversations")
    for name, params in (
        ("signal_range", {"signal": "response.n_words", "min": 6}),
        ("sql_predicate", {"predicate": "ends_with_user = 0"}),
        ("exact_dedup", {"of": "last_assistant"}),
        ("near_dedup", {"of": "first_user", "threshold": 0.6}),
        ("pii_redaction", {}),
    ):
        recipe = recipe.with_operator(OPERATORS.build(name, params))
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    made: dict[str, tuple[dict[str, list[str]], Run]] = {}
    for name, where in (("here", None), ("there", engine)):
        workspace = Workspace(tmp_path / name)
        write_options(workspace, corpus, MapOptions(tier="fast"))
        steps = analysis_steps(corpus, workspace)
        found = analyze(corpus, workspace, steps=steps, engine=where).artifacts
        run = run_bundle(
            tmp_path / "recipe.yaml", tmp_path / "chats", tmp_path / f"out-{name}", workspace=workspace, engine=where
        )
        made[name] = ({step: [part.sha256 for part in found[step].manifest.parts] for step in found}, run)
    (here, local_run), (there, run) = made["here"], made["there"]
    assert {"documents", "audit", "parts", "embeddings", "clusters", "facts"} <= set(here) and here == there
    assert same(run, local_run) and run.errors == 3
    assert sum(before.documents > after.documents for before, after in pairwise(run.counts)) >= 2
    assert pq.read_table(run.folder / "edits.parquet").num_rows


def test_what_arrives_changed_is_refused(engine: RayEngine) -> None:
    sent = Shared(ray.put([1, 2]), sha256_of([1, 2]))
    assert sent.value() == [1, 2]
    with pytest.raises(JobError, match="changed on its way"):
        replace(sent, sha256="0" * 64).value()


def test_an_error_of_a_worker_is_told_as_it_was_said(
    root: Path, engine: RayEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "versions", lambda: versions() | {"numpy": "0.1"})
    with pytest.raises(JobError, match="other versions"):
        run_bundle(root / "bundle", root / "corpus", root / "bad", workspace=home(root, "bad"), engine=engine)


@pytest.mark.parametrize("address", ["auto", "ray://head:10001", "head", "10.0.0.7:6379", "127.0.0.1:99999", ":6379"])
def test_an_address_is_explicit_and_another_machine_needs_a_token(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(SettingError):
        check_address(address)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert check_address("10.0.0.7:6379") == ("10.0.0.7", 6379)


def test_a_cluster_that_does_not_answer_is_said_within_the_deadline() -> None:
    with pytest.raises(SettingError, match="No cluster answers"), connect("127.0.0.1:9", deadline=2.0):
        raise AssertionError("never reached")
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"

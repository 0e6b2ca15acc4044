"""A recipe on a Ray cluster gives the bytes of the local run: any nodes, partitions, batches, and with a node lost."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docstrings import docstrings
from ray.cluster_utils import Cluster

from tamis.analytics import ray_engine
from tamis.analytics.operator import OPERATORS
from tamis.analytics.ray_engine import RayEngine, ShardTask, check_address, connect, versions
from tamis.analytics.recipe import Recipe
from tamis.analytics.run import run_bundle
from tamis.analytics.run_folder import Run
from tamis.analytics.step import StepContext
from tamis.analytics.tokens import tokens_step
from tamis.data import shards
from tamis.data.corpus import open_corpus
from tamis.data.errors import JobError, SettingError
from tamis.data.progress import NullProgress
from tamis.data.workspace import Workspace

RULES = (
    ("language", {"languages": ["en"], "min_confidence": 0.3}),
    ("signal_range", {"signal": "n_words", "min": 5}),
    ("regex", {"pattern": "(?i)deprecated"}),
    ("exact_dedup", {}),
    ("near_dedup", {}),
    ("random_sample", {"share": 0.9, "seed": 3}),
    ("token_budget", {"amount": 40_000}),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with a corpus of seven files and the bundle of a recipe with set and row rules."""
    folder = tmp_path_factory.mktemp("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_ROWS", 60)
        yield _filled(folder)


def _filled(folder: Path) -> Path:
    table = docstrings()
    corpus = folder / "corpus"
    corpus.mkdir()
    for number in range(7):
        rows = [row for row in range(table.num_rows) if row % 7 == number]
        pq.write_table(table.take(rows), corpus / f"{number}.parquet", row_group_size=40)
    recipe = Recipe(title="On a cluster")
    for name, params in RULES:
        recipe = recipe.with_operator(OPERATORS.build(name, params))
    (folder / "recipe.yaml").write_text(recipe.to_yaml())
    return folder


@pytest.fixture(scope="module")
def local(root: Path) -> Run:
    return run_bundle(root / "recipe.yaml", root / "corpus", root / "local", workspace=Workspace(root / "home-local"))


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


@pytest.mark.parametrize(("nodes", "settings"), [(1, [(1, 1), (7, 2048)]), (2, [(2, 17)]), (3, [(None, 1)])])
def test_every_byte_is_that_of_the_local_run(
    root: Path, local: Run, nodes: int, settings: list[tuple[int | None, int]]
) -> None:
    with cluster(nodes) as (_, address):
        for partitions, batch in settings:
            name = f"{nodes}-{partitions}-{batch}"
            with connect(address, partitions=partitions, batch=batch) as engine:
                run = run_bundle(
                    root / "recipe.yaml", root / "corpus", root / name, workspace=Workspace(root / f"home-{name}"),
                    engine=engine,
                )  # fmt: skip
            assert same(run, local)


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
    """Sends the shards in another order."""

    def _rows(self, work: Any, context: StepContext, todo: Sequence[Any]) -> Any:
        mixed = list(todo)
        random.Random(1).shuffle(mixed)
        return super()._rows(work, context, mixed)


def test_a_node_lost_in_each_of_two_steps_changes_no_byte_whatever_the_order(root: Path, local: Run) -> None:
    with cluster(3) as (made, address):
        losing = Losing(made)
        with connect(address) as engine:
            run = run_bundle(
                root / "recipe.yaml", root / "corpus", root / "lost", workspace=Workspace(root / "home-lost"),
                engine=Shuffled(engine.partitions, engine.batch), progress=losing,
            )  # fmt: skip
        assert losing.lost == ["signals", "near"] and same(run, local)


def test_finished_shards_are_found_again_and_a_changed_step_never_takes_them(root: Path) -> None:
    class Stops(NullProgress):
        now, rows = "", 0

        def step(self, name: str, total: int, unit: str = "documents") -> None:
            self.now = name

        def check(self) -> None:
            self.rows += self.now == "signals"
            if self.rows > 3:
                raise KeyboardInterrupt

    workspace = Workspace(root / "home-stopped")
    with connect(cpus=1) as engine:
        with pytest.raises(KeyboardInterrupt):
            run_bundle(
                root / "recipe.yaml", root / "corpus", root / "stopped", workspace=workspace, engine=engine,
                progress=Stops(),
            )  # fmt: skip
        made: list[tuple[str, int]] = []

        class Counts(RayEngine):
            def _rows(self, work: Any, context: StepContext, todo: Sequence[Any]) -> Any:
                made.append((work.parts(todo[0])[0], len(todo)))
                return super()._rows(work, context, todo)

        run_bundle(root / "recipe.yaml", root / "corpus", root / "stopped", workspace=workspace, engine=Counts())
    whole = len(open_corpus(root / "corpus").shards())
    assert whole > 6 and 0 < made[0][1] < whole and all(count == whole for _, count in made[1:])


def test_a_worker_with_other_versions_or_files_is_refused(root: Path) -> None:
    corpus = open_corpus(root / "corpus")
    opening = {"path": corpus.path, "roles": corpus.explicit_roles, "on_bad_file": "fail"}
    work = tokens_step().work
    assert work is not None
    task = ShardTask(work, opening, corpus.fingerprint, versions(), corpus.shards())
    row = task(pa.table({"shard": [0]})).to_pylist()[0]
    assert row["part"] == corpus.shards()[0].part and row["kind"] == "table"
    with pytest.raises(JobError, match="other versions"):
        replace(task, tools=versions() | {"numpy": "0.1"}).parts([0])
    with pytest.raises(JobError, match="other files"):
        replace(task, fingerprint="0" * 64).parts([0])


def test_an_error_of_a_worker_is_told_as_it_was_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "versions", lambda: versions() | {"numpy": "0.1"})
    with connect(cpus=1) as engine, pytest.raises(JobError, match="other versions"):
        run_bundle(
            root / "recipe.yaml", root / "corpus", root / "bad", workspace=Workspace(root / "home-bad"), engine=engine
        )


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

"""New documents on a frozen map: they land where they belong, and those it has keep their places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from topics import topic_texts
from typer.testing import CliRunner

from tamis.analytics.export.bundle import export_bundle
from tamis.analytics.export.run import run_bundle
from tamis.analytics.map.new_documents import COLUMNS, FrozenMap, place_corpus
from tamis.analytics.map.options import MapOptions, write_options
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.pipeline import Analysis, analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.analytics.study.study import Study
from tamis.app.cli import main
from tamis.data.cluster_names import name_cluster
from tamis.data.corpus import Corpus
from tamis.data.errors import JobError, SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


def corpus_at(path: Path, texts: list[str], ids: list[str]) -> Corpus:
    pq.write_table(pa.table({"id": ids, "text": texts}), path)
    return open_corpus(path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("newcomers")


@pytest.fixture(scope="module")
def topics() -> tuple[list[str], list[int]]:
    texts, labels = topic_texts(80)
    return texts, labels.tolist()


@pytest.fixture(scope="module")
def analysis(home: Path, topics: tuple[list[str], list[int]]) -> Analysis:
    """Return the analysis of every second text."""
    corpus = corpus_at(home / "old.parquet", topics[0][::2], [f"old-{row:03d}" for row in range(0, 320, 2)])
    workspace = Workspace(home / "home")
    write_options(workspace, corpus, MapOptions(tier="fast", min_cluster_size=10, concepts=4))
    return analyze(corpus, workspace, steps=analysis_steps(corpus, workspace))


@pytest.fixture(scope="module")
def placed(home: Path, analysis: Analysis, topics: tuple[list[str], list[int]]) -> pa.Table:
    """Return where the other texts, copies under new ids, known ids and a text without words are placed."""
    texts = [*topics[0][1::2], *topics[0][::2], *topics[0][:20:2], "😀"]
    ids = [*(f"new-{row:03d}" for row in range(1, 320, 2)), *(f"copy-{row:03d}" for row in range(0, 320, 2))]
    ids += [*(f"old-{row:03d}" for row in range(0, 20, 2)), "strange"]
    workspace = Workspace(home / "home")
    frozen = FrozenMap.of(analysis, workspace)
    done = place_corpus(frozen, corpus_at(home / "new.parquet", texts, ids), workspace, home / "out.parquet")
    assert (done.documents, done.known, done.without) == (331, 10, 1)
    return pq.read_table(home / "out.parquet")


def rows(placed: pa.Table, prefix: str) -> pa.Table:
    return placed.filter(pa.array([value.startswith(prefix) for value in placed["id"].to_pylist()]))


def test_every_document_has_one_row_sorted_by_id(placed: pa.Table) -> None:
    assert tuple(placed.column_names) == COLUMNS
    assert placed["id"].to_pylist() == sorted(placed["id"].to_pylist()) and placed.num_rows == 331


def test_documents_of_the_corpus_keep_place_and_cluster(placed: pa.Table, analysis: Analysis) -> None:
    mine = rows(placed, "old-")
    there = [analysis.documents.ids.to_pylist().index(name) for name in mine["id"].to_pylist()]
    for column, artifact, array in (("x", "map", "x"), ("y", "map", "y"), ("cluster", "clusters", "labels")):
        assert np.array_equal(mine[column].to_numpy(), analysis.artifacts[artifact].array(array)[there])
    assert all(mine["known"].to_pylist())


def test_copies_under_new_ids_land_beside_their_originals(placed: pa.Table, analysis: Analysis) -> None:
    copies = rows(placed, "copy-")
    own = np.column_stack([analysis.artifacts["map"].array(axis) for axis in "xy"])
    spots = np.column_stack([copies["x"].to_numpy(), copies["y"].to_numpy()])
    away = np.linalg.norm(spots - own, axis=1)
    assert np.median(away) < 0.05 * np.ptp(own, axis=0).max()
    assert not any(copies["known"].to_pylist()) and max(copies["distance"].to_pylist()) < 1e-3


def test_unseen_documents_land_among_their_topic(
    placed: pa.Table, analysis: Analysis, topics: tuple[list[str], list[int]]
) -> None:
    own = np.column_stack([analysis.artifacts["map"].array(axis) for axis in "xy"])
    new = rows(placed, "new-")
    spots = np.column_stack([new["x"].to_numpy(), new["y"].to_numpy()])
    beside = np.linalg.norm(spots[:, None] - own[None], axis=2).argmin(axis=1)
    labels = np.array(topics[1])
    assert (labels[::2][beside] == labels[1::2]).mean() > 0.9
    assert new["cluster"].to_numpy().min() >= 0 and None not in new["cluster_name"].to_pylist()


def test_a_document_without_an_embedding_stays_off_the_map(placed: pa.Table) -> None:
    row = rows(placed, "strange").to_pylist()[0]
    assert row["cluster"] == row["concept"] == -1
    assert all(row[name] is None for name in ("x", "y", "cluster_name", "concept_name", "nearest", "distance"))


def test_names_are_those_that_people_gave(home: Path, analysis: Analysis) -> None:
    workspace = Workspace(home / "home")
    name_cluster(workspace.root, analysis.artifacts["clusters"].digest, 0, "the first")
    assert FrozenMap.of(analysis, workspace).groups["cluster"][1][0] == "the first"


def test_a_corpus_without_a_map_is_refused(home: Path, analysis: Analysis) -> None:
    bare = Analysis(analysis.corpus, analysis.documents, {"documents": analysis.artifacts["documents"]})
    with pytest.raises(JobError, match="tamis analyze"):
        FrozenMap.of(bare, Workspace(home / "home"))


def test_a_map_of_given_vectors_takes_no_texts(tmp_path: Path, topics: tuple[list[str], list[int]]) -> None:
    table = pa.table({"text": topics[0][:40], "vector": np.random.default_rng(0).normal(size=(40, 8)).tolist()})
    pq.write_table(table, tmp_path / "given.parquet")
    corpus, workspace = open_corpus(tmp_path / "given.parquet"), Workspace(tmp_path / "home")
    write_options(workspace, corpus, MapOptions(tier="given", vectors="vector", min_cluster_size=5))
    frozen = FrozenMap.of(analyze(corpus, workspace, steps=analysis_steps(corpus, workspace)), workspace)
    with pytest.raises(SettingError, match="vectors were given"):
        place_corpus(frozen, corpus, workspace, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_the_command_writes_the_same_table(
    home: Path, placed: pa.Table, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TAMIS_HOME", str(home / "home"))
    target = tmp_path / "again.parquet"
    arguments = ["place", str(home / "old.parquet"), str(home / "new.parquet"), "--out", str(target)]
    result = CliRunner().invoke(main.app, arguments)
    assert result.exit_code == 0, result.output
    assert "placed 331 documents" in result.output and "10 are on the map already" in result.output
    again = pq.read_table(target)
    assert again.drop_columns(["cluster_name"]).equals(placed.drop_columns(["cluster_name"]))


@pytest.fixture(scope="module")
def sparse(home: Path, topics: tuple[list[str], list[int]]) -> Analysis:
    """Return the analysis of eight texts, which are too few for a cluster."""
    corpus = corpus_at(home / "sparse.parquet", topics[0][:320:40], [f"lone-{row}" for row in range(8)])
    workspace = Workspace(home / "home")
    write_options(workspace, corpus, MapOptions(tier="fast", min_cluster_size=10))
    return analyze(corpus, workspace, steps=analysis_steps(corpus, workspace))


def test_where_there_are_no_clusters_new_documents_are_in_none(
    home: Path, sparse: Analysis, topics: tuple[list[str], list[int]]
) -> None:
    assert sparse.artifacts["clusters"].facts["clusters"] == 0
    workspace = Workspace(home / "home")
    new = corpus_at(home / "some.parquet", topics[0][1:9], [f"new-{row}" for row in range(8)])
    place_corpus(FrozenMap.of(sparse, workspace), new, workspace, home / "none.parquet")
    table = pq.read_table(home / "none.parquet")
    assert table["cluster"].to_pylist() == [-1] * 8 and table["cluster_name"].null_count == 8
    assert table["x"].null_count == 0 and min(table["concept"].to_pylist()) >= 0


def test_a_bundle_of_the_unclustered_group_runs_where_there_are_no_clusters(
    home: Path, sparse: Analysis, topics: tuple[list[str], list[int]]
) -> None:
    workspace = Workspace(home / "home")
    study = Study.open(sparse.corpus, workspace)
    rule = OPERATORS.build("cluster", {"clusters": [-1], "clustering": sparse.artifacts["clusters"].digest})
    bundle = export_bundle(home / "bundle", study=study, recipe=Recipe(title="unclustered").with_operator(rule))
    corpus_at(home / "other.parquet", topics[0][1:9], [f"new-{row}" for row in range(8)])
    run = run_bundle(bundle.folder, home / "other.parquet", home / "out", workspace=Workspace(home / "elsewhere"))
    assert run.counts[-1].documents == 8

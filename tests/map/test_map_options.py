"""Choices about embedding, map and clusters: the default follows the estimate; own vectors and places are taken."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import tamis
from docstrings import write_corpus

from tamis.analytics.embedding.step import precise_estimate
from tamis.analytics.embedding.stored_vectors import load_vectors
from tamis.analytics.map.cluster_edits import ClusterEdit
from tamis.analytics.map.cluster_steps import clusters_of
from tamis.analytics.map.options import (
    PRECISE_SECONDS,
    MapOptions,
    change_options,
    chosen_tier,
    mapping_steps,
    read_options,
    write_options,
)
from tamis.analytics.steps.pipeline import analyze, size_of
from tamis.analytics.steps.step import Size
from tamis.analytics.study.standard_analysis import analysis_steps, steps_stamp
from tamis.app.dashboard.open_corpus import stamp
from tamis.app.jobs.clusters import start_edit
from tamis.data.cluster_names import name_cluster, read_people_names
from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError, RoleError, SettingError
from tamis.data.jobs import find_job
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import CorpusEntry, Workspace

N = 240


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """Return documents in four groups that lie far apart, with vectors and coordinates; one has none, one no text."""
    random = np.random.default_rng(0)
    group = np.arange(N) % 4
    vectors = np.eye(4, 12)[group] * 3 + random.normal(size=(N, 12))
    lists = [None if row == 5 else vectors[row].tolist() for row in range(N)]
    places = np.stack([group % 2, group // 2], axis=1) * 40 + random.normal(size=(N, 2))
    texts = [None if row == 9 else f"document {row} of group {'abcd'[group[row]]}" for row in range(N)]
    return pa.table(
        {"text": texts, "vector": lists, "px": places[:, 0], "py": places[:, 1].astype(np.float32), "name": texts}
    )


@pytest.fixture
def corpus(table: pa.Table, tmp_path: Path) -> Corpus:
    folder = tmp_path / "corpus"
    folder.mkdir()
    pq.write_table(table.slice(0, 100), folder / "a.parquet", row_group_size=30)
    pq.write_table(table.slice(100), folder / "b.parquet")
    return open_corpus(folder)


def test_the_precise_tier_is_chosen_as_long_as_it_is_estimated_to_be_quick() -> None:
    small, large = Size(20_000, 4_000_000), Size(2_000_000, 400_000_000)
    assert precise_estimate(small).seconds < PRECISE_SECONDS < precise_estimate(large).seconds
    assert chosen_tier(small, MapOptions()) == "precise" and chosen_tier(large, MapOptions()) == "tuned"
    assert chosen_tier(large, MapOptions(tier="precise")) == "precise"
    assert chosen_tier(small, MapOptions(tier="fast")) == "fast"


def test_options_are_remembered_by_corpus(corpus: Corpus, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    assert read_options(workspace, corpus) == MapOptions()
    options = MapOptions(tier="fast", min_cluster_size=7, edits=(ClusterEdit("merge", (0, 1)),))
    write_options(workspace, corpus, options)
    assert read_options(workspace, corpus) == options
    next((workspace.root / "options").glob("*.json")).write_text("{")
    with pytest.raises(SettingError, match="Cannot read"):
        read_options(workspace, corpus)


@pytest.mark.parametrize(
    "values",
    [
        {"tier": "best"},
        {"tier": "given"},
        {"vectors": "vector"},
        {"x": "px"},
        {"neighbours": "many"},
        {"min_cluster_size": 1},
        {"noise": "drop"},
        {"optimiser": "adam"},
        {"colour": "red"},
    ],
)
def test_options_that_mean_nothing_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        MapOptions.of(values)


@pytest.mark.parametrize("values", [{"tier": "given", "vectors": "text"}, {"x": "px", "y": "name"}])
def test_columns_that_do_not_fit_are_refused(corpus: Corpus, values: dict[str, str]) -> None:
    with pytest.raises((RoleError, SettingError)):
        mapping_steps(corpus, size_of(corpus), MapOptions.of(values))


def test_own_vectors_and_coordinates_make_the_map_and_its_clusters(
    corpus: Corpus, table: pa.Table, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "w")
    write_options(workspace, corpus, MapOptions(tier="given", vectors="vector", x="px", y="py", min_cluster_size=20))
    found = analyze(corpus, workspace, steps=analysis_steps(corpus, workspace))
    vectors = load_vectors(found.artifacts["embeddings"], found.documents)
    order = [found.documents.ids.to_pylist().index(name) for name in found.facts().ids.to_pylist()]
    texts = [
        text for rows in np.array_split(np.asarray(order), 4)
        for text in corpus.fetch(found.documents, rows).column("text").to_pylist()
    ]  # fmt: skip
    source = {text: row for row, text in enumerate(table.column("text").to_pylist())}
    for place, text in enumerate(texts):
        wanted = table.column("vector")[source[text]].as_py()
        if wanted is None:
            assert not vectors[place].any()
        else:
            assert np.allclose(vectors[place], np.array(wanted) / np.linalg.norm(wanted), atol=2e-3)
    facts = found.facts().table(["x", "cluster", "no_embedding"])
    assert sum(facts.column("no_embedding").to_pylist()) == 1
    labels = np.array(facts.column("cluster").to_pylist())
    groups = np.array([source[text] % 4 for text in texts])
    assert all(len(set(labels[(groups == group) & (labels >= 0)])) == 1 for group in range(4))


@pytest.mark.parametrize(("kind", "offset"), [(pa.float64(), 1e6), (pa.float64(), 1e9), (pa.int64(), 1e9)])
def test_far_off_coordinates_give_the_clusters_of_the_same_places_near_zero(
    table: pa.Table, tmp_path: Path, offset: float, kind: pa.DataType
) -> None:
    places = np.round(np.stack([table.column(name).to_numpy() for name in ("px", "py")]) * 256).astype(np.float64)
    scale = 1 if pa.types.is_integer(kind) else 256
    found = []
    for name, far in (("near", 0.0), ("far", offset)):
        x, y = (pa.array(values / scale + far * sign, kind) for values, sign in zip(places, (1, -3), strict=True))
        columns = {"text": table.column("text"), "vector": table.column("vector"), "x": x, "y": y}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
        corpus = open_corpus(tmp_path / f"{name}.parquet")
        workspace = Workspace(tmp_path / name)
        write_options(workspace, corpus, MapOptions(tier="given", vectors="vector", x="x", y="y", min_cluster_size=10))
        made = analyze(corpus, workspace, steps=analysis_steps(corpus, workspace)).artifacts
        assert ("fine" in made["map"].parts()) == (name == "far")
        found.append(made["clusters"].array("labels"))
    assert np.array_equal(*found) and len(set(found[0].tolist()) - {-1}) >= 4


def test_vectors_from_npy_files_are_those_of_the_column(corpus: Corpus, table: pa.Table, tmp_path: Path) -> None:
    lists = [[0.0] * 12 if value is None else value for value in table.column("vector").to_pylist()]
    array = np.array(lists, dtype=np.float32)
    folder = tmp_path / "vectors"
    folder.mkdir()
    np.save(folder / "a.parquet.npy", array[:100])
    np.save(folder / "b.parquet.npy", array[100:])
    by_column, by_file = Workspace(tmp_path / "column"), Workspace(tmp_path / "file")
    write_options(by_column, corpus, MapOptions(tier="given", vectors="vector"))
    write_options(by_file, corpus, MapOptions(tier="given", vectors=str(folder)))
    made = []
    for workspace in (by_column, by_file):
        found = analyze(corpus, workspace, steps=analysis_steps(corpus, workspace))
        made.append(load_vectors(found.artifacts["embeddings"], found.documents))
    assert np.array_equal(*made)
    np.save(folder / "b.parquet.npy", array[101:])
    with pytest.raises(SettingError, match="do not fit"):
        mapping_steps(corpus, size_of(corpus), MapOptions(tier="given", vectors=str(folder)))


def test_vectors_of_different_lengths_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["one", "two"], "v": [[1.0], [1.0, 2.0]]}), tmp_path / "c.parquet")
    corpus, workspace = open_corpus(tmp_path / "c.parquet"), Workspace(tmp_path / "w")
    write_options(workspace, corpus, MapOptions(tier="given", vectors="v"))
    with pytest.raises(CorpusError, match="different lengths"):
        analyze(corpus, workspace, steps=analysis_steps(corpus, workspace))


def test_an_edit_makes_new_clusters_carries_names_and_can_be_taken_back(corpus: Corpus, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    write_options(workspace, corpus, MapOptions(tier="given", vectors="vector", x="px", y="py", min_cluster_size=20))
    before = clusters_of(analyze(corpus, workspace, steps=analysis_steps(corpus, workspace)).artifacts)
    assert before is not None
    name_cluster(workspace.root, before.digest, 0, "merged later")
    name_cluster(workspace.root, before.digest, 3, "stays")
    for edit in (ClusterEdit("merge", (0, 1)), None):
        job = start_edit(corpus, workspace, edit)
        while find_job(workspace.jobs, job.id).active:
            time.sleep(0.2)
        assert find_job(workspace.jobs, job.id).state == "done", find_job(workspace.jobs, job.id).message
        after = clusters_of(analyze(corpus, workspace, steps=analysis_steps(corpus, workspace)).artifacts)
        assert after is not None
        if edit is not None:
            assert after.facts["edits"] == 1 and set(np.unique(after.array("labels"))) - {-1} == {0, 2, 3}
            assert read_people_names(workspace.root, after.digest) == {3: "stays"}
    assert after.digest == before.digest


def test_the_command_line_takes_a_tier_and_settings(corpus: Corpus, tmp_path: Path) -> None:
    home, folder = tmp_path / "home", str(tmp_path / "corpus")
    done = tamis(
        "analyze", folder, "--plan", "--coordinates", "px,py", "--vectors", "vector", "--map", "noise=vote", home=home
    )
    assert "Reading vectors" in done.stdout and "Reading the map" in done.stdout
    assert read_options(Workspace(home), open_corpus(folder)).noise == "vote"
    assert "precise" in tamis("analyze", folder, "--plan", "--tier", "auto", home=home).stdout
    failed = tamis("analyze", folder, "--plan", "--tier", "best", home=home, check=False)
    assert failed.returncode and "Unknown embedding tier" in failed.stderr + failed.stdout


def test_what_an_open_corpus_is_known_by_changes_with_roles_options_plugins_and_scores(
    tmp_path: Path, workspace: Workspace
) -> None:
    folder = write_corpus(tmp_path / "corpus", pa.table({"text": ["one", "two"], "kind": ["a", "b"]}), files=1)
    corpus = open_corpus(folder)
    entries = [CorpusEntry("corpus", str(folder)), CorpusEntry("corpus", str(folder), {"source": "kind"})]
    assert stamp(entries[0]) == stamp(entries[0]) != stamp(entries[1])
    seen = [steps_stamp(workspace)]
    write_options(workspace, corpus, MapOptions(tier="fast"))
    seen.append(steps_stamp(workspace))
    for name in ("plugins/own.py", "scores/0123/4567.parquet"):
        (workspace.root / name).parent.mkdir(parents=True)
        (workspace.root / name).write_bytes(b"")
        seen.append(steps_stamp(workspace))
    assert len(set(seen)) == 4
    (workspace.root / "plugins" / "__pycache__").mkdir()
    (workspace.root / "plugins" / "__pycache__" / "own.pyc").write_bytes(b"")
    assert steps_stamp(workspace) == seen[-1]


def test_folders_of_models_and_files_of_vectors_are_found_from_any_folder(
    corpus: Corpus, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    with pytest.raises(SettingError, match=r"folder holds no model.*config\.json"):
        change_options(workspace, corpus, size_of(corpus), {"tier": "precise", "model": "model"})
    (tmp_path / "model" / "config.json").write_text("{}")
    change_options(workspace, corpus, size_of(corpus), {"tier": "precise", "model": "model"})
    assert read_options(workspace, corpus).model == str(tmp_path / "model")
    for name in ("own", "vector"):
        (tmp_path / name).mkdir()
    for file, rows in (("a", 100), ("b", N - 100)):
        np.save(tmp_path / "own" / f"{file}.parquet.npy", np.ones((rows, 4), dtype=np.float32))
    for given, kept in (("own", str(tmp_path / "own")), ("vector", "vector")):
        change_options(workspace, corpus, size_of(corpus), {"tier": "given", "vectors": given})
        assert read_options(workspace, corpus).vectors == kept

"""From texts to a map with named clusters, as steps: complete facts, honest manifests, independent of row order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from topics import TOPICS, topic_texts

from tamis.analytics.embedding.embedder import fast_embedder
from tamis.analytics.embedding.kmeans import assign
from tamis.analytics.embedding.step import embeddings_step
from tamis.analytics.embedding.stored_vectors import embedder_of, load_vectors
from tamis.analytics.facts.stored_sets import WorkspaceSources
from tamis.analytics.map.cluster_names import read_terms
from tamis.analytics.map.cluster_steps import clusters_step, concept_count, concepts_step
from tamis.analytics.map.clusterings import CLUSTERINGS, ClusteringInput, ClusteringMethod, Fineness, Found
from tamis.analytics.map.steps import knn_step, map_step, read_graph
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.pipeline import Analysis, analyze
from tamis.analytics.steps.step import StepSpec
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

STRANGE = ["", "\U0001d573\U0001d574", "😀🙃"]


def steps(clustering: str = "hdbscan", *, size: int = 15) -> tuple[StepSpec, ...]:
    """Return the steps of the map and the facts they make."""
    made = (
        documents_step(),
        embeddings_step(),
        knn_step(k=10),
        map_step(epochs=60),
        clusters_step(clustering, fineness=Fineness(size), languages=False),
        concepts_step(k=5, languages=False),
    )
    return (*made, facts_step(made))


def analysed(folder: Path, texts: list[str], *, rows: int, chosen: tuple[StepSpec, ...] | None = None) -> Analysis:
    """Write the texts as files of at most so many rows and analyse them."""
    source = folder / "corpus"
    source.mkdir(parents=True)
    for first in range(0, len(texts), rows):
        pq.write_table(pa.table({"text": texts[first : first + rows]}), source / f"{first:05d}.parquet")
    return analyze(open_corpus(source), Workspace(folder / "home"), steps=chosen or steps())


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [*topic_texts(60)[0], *STRANGE]


@pytest.fixture(scope="module")
def analysis(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return analysed(tmp_path_factory.mktemp("map"), texts, rows=1000)


def test_permuted_and_resharded_rows_give_the_same_facts(analysis: Analysis, texts: list[str], tmp_path: Path) -> None:
    order = np.random.default_rng(7).permutation(len(texts))
    other = analysed(tmp_path, [texts[row] for row in order], rows=37)
    names = ["id", "x", "y", "cluster", "concept", "outlier", "density", "no_embedding"]
    assert analysis.facts().table(names).equals(other.facts().table(names))
    for step in ("knn", "clusters", "concepts"):
        one, two = analysis.artifacts[step].manifest, other.artifacts[step].manifest
        assert [part.sha256 for part in one.parts] == [part.sha256 for part in two.parts]


def test_texts_without_a_known_word_are_flagged_and_stay_off_the_map(analysis: Analysis) -> None:
    facts = analysis.facts()
    missing = facts.query("SELECT count(*) AS n FROM facts WHERE no_embedding AND x IS NULL AND outlier IS NULL"
                          " AND cluster = -1 AND concept = -1").to_pylist()[0]["n"]  # fmt: skip
    assert missing == len(STRANGE) == analysis.artifacts["embeddings"].facts["no_embedding"]
    rest = facts.query("SELECT count(*) AS n FROM facts WHERE NOT no_embedding AND x IS NOT NULL AND concept >= 0")
    assert rest.to_pylist()[0]["n"] == facts.n - len(STRANGE)


def test_planted_topics_become_named_clusters(analysis: Analysis) -> None:
    rows = analysis.artifacts["clusters"].table("clusters").to_pylist()
    assert len(rows) == 4
    vocabularies = [set(words.split()) for words in TOPICS.values()]
    assert all(any(set(row["words"]) <= words for words in vocabularies) for row in rows)
    assert [row["size"] for row in rows] == sorted((row["size"] for row in rows), reverse=True)
    assert all(row["category_name"] and row["x"] is not None for row in rows)
    terms = read_terms(analysis.artifacts["clusters"].table("terms"))
    assert terms.clusters.tolist() == [row["cluster"] for row in rows]


def test_manifests_say_how_each_result_was_made(analysis: Analysis, models: Path) -> None:
    facts = {name: artifact.facts for name, artifact in analysis.artifacts.items()}
    assert facts["embeddings"]["tier"] == "fast" and facts["embeddings"]["dtype"] == "float16"
    assert facts["embeddings"]["sha256"] == fast_embedder(models).model.sha256
    assert facts["knn"]["method"] == "exact" and facts["knn"]["recall"] == 1.0
    assert facts["map"]["seed"] == 0 and facts["map"]["optimiser"] == "synchronous" and facts["map"]["placed"] == 0
    assert 0.2 < facts["map"]["quality"]["preservation"] <= 1 and facts["map"]["quality"]["sample"] == 240
    assert facts["clusters"]["method"] == "hdbscan" and facts["clusters"]["min_cluster_size"] == 15
    assert len({facts[name]["space"] for name in ("embeddings", "knn", "map", "clusters", "concepts")}) == 1
    assert analysis.artifacts["clusters"].json("sweep")[0].keys() == {
        "min_cluster_size", "clusters", "unclustered", "largest",
    }  # fmt: skip


def test_graph_and_vectors_are_read_back_in_facts_order(analysis: Analysis, texts: list[str], models: Path) -> None:
    vectors = load_vectors(analysis.artifacts["embeddings"], analysis.documents)
    graph = read_graph(analysis.artifacts["knn"])
    assert vectors.shape == (len(texts), 256) and vectors.dtype == np.float16 and graph.k == 10
    rows = np.array([0, 17, 200])
    found = [row["text"] for row in analysis.corpus.fetch(analysis.documents, rows).to_pylist()]
    workspace = Workspace(analysis.artifacts["embeddings"].path.parents[2])
    embedder = embedder_of(analysis.artifacts["embeddings"], workspace)
    assert np.array_equal(embedder.encode(found), vectors[rows])


def test_a_recipe_assigns_known_documents_by_id_and_new_ones_by_centroid(analysis: Analysis, models: Path) -> None:
    artifact = analysis.artifacts["concepts"]
    home = artifact.path.parents[2]
    clustering = WorkspaceSources(Workspace(home)).clustering(artifact.digest)
    assert clustering.assign(analysis.facts()).tolist() == artifact.array("labels").tolist()
    assert clustering.space == fast_embedder(models).space
    new = fast_embedder(models).encode(["sail the ship into the harbour", "\U0001d573"])
    assert clustering.nearest(new)[1] == -1
    assert clustering.centroids is not None
    assert clustering.nearest(new)[0] == assign(new, clustering.centroids)[0][0]


def test_beyond_the_limit_a_sample_is_laid_out_and_the_rest_placed(
    analysis: Analysis, texts: list[str], tmp_path: Path
) -> None:
    pq.write_table(pa.table({"text": texts}), tmp_path / "corpus.parquet")
    chosen = (documents_step(), embeddings_step(), knn_step(k=10), map_step(epochs=60, landmarks=120))
    done = analyze(open_corpus(tmp_path / "corpus.parquet"), Workspace(tmp_path / "home"), steps=chosen)
    artifact = done.artifacts["map"]
    assert artifact.facts["laid_out"] == 120 and artifact.facts["placed"] == 120
    assert artifact.facts["method"] == "sampled" and len(artifact.array("landmarks")) == 120
    assert np.isfinite(artifact.array("x")).sum() == 240
    whole, placed = analysis.artifacts["map"].facts["quality"], artifact.facts["quality"]
    assert placed["sample"] == whole["sample"] == 240
    assert placed["preservation"] > 0.7 * whole["preservation"]
    assert placed["trustworthiness"] > 0.9 * whole["trustworthiness"]


def test_k_means_puts_every_text_with_a_vector_into_a_cluster(texts: list[str], tmp_path: Path) -> None:
    found = analysed(tmp_path, texts, rows=1000, chosen=steps("k-means", size=60)).artifacts["clusters"]
    assert found.facts["k"] == found.facts["clusters"] == 4
    assert found.facts["unclustered"] == len(STRANGE)
    assert sum(row["size"] for row in found.table("clusters").to_pylist()) == len(texts) - len(STRANGE)


def test_a_clustering_of_ones_own_is_named_and_numbered_like_the_others(texts: list[str], tmp_path: Path) -> None:
    def halves(known: ClusteringInput, fineness: Fineness) -> Found:
        across = known.positions[:, 0]
        labels = np.where(np.isnan(across), -1, np.where(across > np.nanmedian(across), 7, 3)).astype(np.int32)
        return Found(labels, "halves of the map", {"min_cluster_size": fineness.min_cluster_size})

    CLUSTERINGS.register(ClusteringMethod("halves", "Left and right.", halves))
    try:
        found = analysed(tmp_path, texts, rows=1000, chosen=steps("halves")).artifacts["clusters"]
    finally:
        CLUSTERINGS.remove("halves")
    assert [row["size"] for row in found.table("clusters").to_pylist()] == [120, 120]
    assert set(found.array("labels").tolist()) == {-1, 0, 1}
    assert found.facts["found_by"] == "halves of the map" and found.array("centroids").shape == (2, 256)


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="leave, vote"):
        clusters_step(noise="other")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="2 or more"):
        clusters_step(fineness=Fineness(1))
    with pytest.raises(SettingError, match="hdbscan, k-means"):
        clusters_step("nonsense")
    with pytest.raises(SettingError, match="fast, tuned, precise"):
        embeddings_step("medium")
    assert [concept_count(n) for n in (1, 10_000, 10**8)] == [4, 100, 1000]

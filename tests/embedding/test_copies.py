"""Copies: equal vectors share a place and a cluster, and tell nothing about the others, however many there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from topics import blob_vectors

from tamis.analytics.embedding.copies import Copies, equal_rows, graph_of_all
from tamis.analytics.embedding.neighbours import KnnGraph, knn_graph
from tamis.analytics.embedding.own_vectors import column_vectors_step
from tamis.analytics.map.cluster_steps import clusters_step
from tamis.analytics.map.clusterings import Fineness
from tamis.analytics.map.density_clusters import DensityTree
from tamis.analytics.map.layout import EXTENT, Edges, fuzzy_edges, optimise, pca_start, umap_layout
from tamis.analytics.map.steps import knn_step, map_quality, map_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.pipeline import Analysis, analyze
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

SHARES = (0.0, 0.5, 0.9, 0.99)
DIFFERENT = 240


@pytest.fixture(scope="module")
def different() -> NDArray[np.float16]:
    """Two hundred and forty different vectors around four centres; the last is far from all."""
    vectors = blob_vectors(DIFFERENT // 4, dimensions=24, spread=0.1)[0]
    vectors[-1] = -vectors[:-1].astype(np.float32).mean(axis=0)
    return (vectors / np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True)).astype(np.float16)


def copied(share: float) -> NDArray[np.int64]:
    """Return which different vector each row has, int64 (n,): most copies are of the last and of the first."""
    more = round(DIFFERENT * share / (1 - share))
    return np.concatenate([np.arange(DIFFERENT), np.repeat([DIFFERENT - 1, 0, 100], [more // 2, more // 4, more // 4])])


def analysed(folder: Path, vectors: NDArray[np.float16], group: NDArray[np.int64], noise: str = "leave") -> Analysis:
    """Analyse documents named by what they are a copy of, so that the different ones come first in the facts."""
    number = np.arange(len(group))
    table = pa.table({
        "text": [f"document {n}" for n in number],
        "id": [f"{n:06d}" for n in number],
        "vector": [row.tolist() for row in vectors[group].astype(np.float32)],
    })  # fmt: skip
    folder.mkdir(parents=True)
    pq.write_table(table, folder / "a.parquet")
    corpus = open_corpus(folder / "a.parquet")
    made = (
        documents_step(),
        column_vectors_step(corpus, "vector"),
        knn_step(),
        map_step(epochs=100),
        clusters_step(fineness=Fineness(10), languages=False, noise=noise),  # type: ignore[arg-type]
    )
    return analyze(corpus, Workspace(folder / "home"), steps=made)


def places(analysis: Analysis) -> NDArray[np.float32]:
    artifact = analysis.artifacts["map"]
    return np.column_stack([artifact.array("x"), artifact.array("y")])


@pytest.fixture(scope="module")
def alone(different: NDArray[np.float16], tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """The different vectors without any copy."""
    return analysed(tmp_path_factory.mktemp("alone") / "corpus", different, np.arange(DIFFERENT))


@given(st.lists(st.integers(-1, 4), max_size=30))
def test_copies_are_exactly_the_equal_rows_and_rows_of_zeros_are_none(values: list[int]) -> None:
    vectors = np.array([[0.0, 0.0] if v < 0 else [1.0, v / 8] for v in values], dtype=np.float16).reshape(-1, 2)
    copies = Copies.of(vectors)
    seen: dict[int, int] = {}
    first = [row if v < 0 else seen.setdefault(v, row) for row, v in enumerate(values)]
    assert copies.rows.tolist() == sorted(set(first))
    assert copies.rows[copies.group].tolist() == first if first else not len(copies.group)
    assert copies.count == len(values) - len(set(first))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 6))
def test_neighbours_of_copies_are_those_of_their_vector_nearest_first(members: list[int], k: int) -> None:
    group = np.unique(np.array(members), return_inverse=True)[1]
    order = np.argsort(np.unique(group, return_index=True)[1])
    group = np.argsort(order)[group]
    rows = np.array([int(np.flatnonzero(group == g)[0]) for g in range(group.max() + 1)])
    line = np.array([0.0, 1.0, 2.0, 3.5, 5.0, 8.0])[: len(rows)]
    apart = np.abs(line[:, None] - line[None]).astype(np.float32)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1, kind="stable")[:, : min(k, len(rows))]
    far = np.take_along_axis(apart, near, axis=1)
    wide = [(0, 0), (0, k - near.shape[1])]
    indices = np.pad(np.where(np.isfinite(far), near, -1), wide, constant_values=-1).astype(np.int32)
    distances = np.pad(far, wide, constant_values=np.inf).astype(np.float32)
    found = graph_of_all(KnnGraph(indices, distances, "exact", 1.0, 0), Copies(rows, group))
    for row, own in enumerate(group):
        known = {own: 0.0} | {int(v): float(d) for v, d in zip(indices[own], distances[own], strict=True) if v >= 0}
        wanted = sorted((known[g], n) for n, g in enumerate(group.tolist()) if n != row and g in known)[:k]
        there = found.indices[row] >= 0
        assert (
            list(zip(found.distances[row][there].tolist(), found.indices[row][there].tolist(), strict=True)) == wanted
        )


@pytest.mark.parametrize("share", SHARES)
def test_copies_share_a_place_and_move_no_other_at_any_share(
    share: float, different: NDArray[np.float16], alone: Analysis, tmp_path: Path
) -> None:
    group = copied(share)
    found = analysed(tmp_path / "corpus", different, group)
    mine, theirs = places(found), places(alone)
    assert np.array_equal(mine.view(np.uint32), theirs[group].view(np.uint32))
    facts = found.artifacts["map"].facts
    assert facts["copies"] == len(group) - DIFFERENT and facts["laid_out"] == DIFFERENT and facts["placed"] == 0
    assert facts["quality"]["documents"] == len(group)
    assert facts["quality"]["trustworthiness"] == alone.artifacts["map"].facts["quality"]["trustworthiness"]


@pytest.mark.parametrize("share", SHARES[1:])
def test_with_copies_the_map_is_tighter_and_no_less_true_than_umap_learns(
    share: float, different: NDArray[np.float16], alone: Analysis
) -> None:
    group = copied(share)[:6000]
    vectors, graph = different[group], knn_graph(different)
    theirs = umap_layout(vectors, knn_graph(vectors), epochs=100, optimiser="umap-learn")
    assert np.ptp(theirs[group == DIFFERENT - 1], axis=0).max() > 0, "umap-learn parts copies; here they are one place"
    ours = map_quality(different, graph, places(alone))
    assert ours.trustworthiness >= map_quality(different, graph, theirs[:DIFFERENT]).trustworthiness - 0.02


@pytest.mark.parametrize("share", SHARES[1:])
@pytest.mark.parametrize("noise", ["leave", "vote"])
def test_copies_share_a_cluster_and_part_no_other(
    share: float, noise: str, different: NDArray[np.float16], alone: Analysis, tmp_path: Path
) -> None:
    group = copied(share)
    before = analysed(tmp_path / "alone", different, np.arange(DIFFERENT), noise) if noise == "vote" else alone
    mine = analysed(tmp_path / "corpus", different, group, noise).artifacts["clusters"].array("labels")
    theirs = before.artifacts["clusters"].array("labels")
    assert all(len(set(mine[group == g].tolist())) == 1 for g in range(DIFFERENT))
    many = np.bincount(group)[:DIFFERENT] >= 10
    pairs = set(zip(mine[:DIFFERENT].tolist(), theirs.tolist(), strict=True)) - {
        (label, -1) for label in mine[:DIFFERENT][many & (theirs < 0)].tolist()
    }
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs) >= 4
    assert (mine[:DIFFERENT][many] >= 0).all()


@pytest.mark.parametrize("spread", [1e-2, 1e-3, 1e-4])
def test_nearly_equal_vectors_do_not_fly_apart(different: NDArray[np.float16], spread: float) -> None:
    near = blob_vectors(400, blobs=1, dimensions=24, seed=5, spread=spread)[0]
    vectors = np.concatenate([different, near])
    vectors = vectors[Copies.of(vectors).rows]
    graph = knn_graph(vectors)
    ours = umap_layout(vectors, graph, epochs=200)
    theirs = umap_layout(vectors, graph, epochs=200, optimiser="umap-learn")
    assert np.ptp(ours, axis=0).max() < 2 * np.ptp(theirs, axis=0).max()
    assert (
        map_quality(vectors, graph, ours).trustworthiness > map_quality(vectors, graph, theirs).trustworthiness - 0.02
    )


def star(n: int) -> Edges:
    """Join one point with all others."""
    starts = np.concatenate([[0], np.arange(n - 1, 2 * n - 1)]).astype(np.int64)
    ends = np.concatenate([np.arange(1, n), np.zeros(n - 1)]).astype(np.int32)
    return Edges(starts, ends, np.ones(len(ends), dtype=np.float32))


def everyone(n: int) -> Edges:
    """Join all points with all others."""
    ends = np.concatenate([np.delete(np.arange(n), i) for i in range(n)]).astype(np.int32)
    return Edges(np.arange(n + 1, dtype=np.int64) * (n - 1), ends, np.ones(len(ends), dtype=np.float32))


@pytest.mark.parametrize("scale", [1.0, 1e-5])
@pytest.mark.parametrize("edges", [star(1500), everyone(300)], ids=["star", "everyone"])
def test_any_graph_has_a_bounded_layout(edges: Edges, scale: float) -> None:
    start = np.random.default_rng(0).normal(scale=scale, size=(len(edges.starts) - 1, 2)).astype(np.float32)
    assert np.abs(optimise(start, edges, epochs=100, seed=0)).max() < 4 * EXTENT


def test_a_graph_of_copies_only_has_a_bounded_layout() -> None:
    vectors = np.repeat(blob_vectors(2)[0], 60, axis=0)
    positions = optimise(pca_start(vectors), fuzzy_edges(knn_graph(vectors)), epochs=100, seed=0)
    assert np.abs(positions).max() < 4 * EXTENT


def test_places_that_hold_many_points_are_clusters_where_they_are_in_none() -> None:
    points = np.repeat([[0.0, 0.0], [5.0, 5.0], [9.0, 1.0]], [30, 20, 3], axis=0)
    assert DensityTree.of(points).labels(10).tolist() == [0] * 30 + [1] * 20 + [-1] * 3
    assert DensityTree.of(points[:30]).labels(10).tolist() == [0] * 30
    assert DensityTree.of(points[30:50]).labels(21).tolist() == [-1] * 20


@given(st.lists(st.integers(0, 8), max_size=30), st.lists(st.integers(0, 11), max_size=30))
def test_each_vector_finds_the_first_known_one_that_equals_it(known: list[int], wanted: list[int]) -> None:
    vectors = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float16)
    vectors[0], vectors[2] = 0.0, -vectors[1]
    found = equal_rows(vectors[known].reshape(-1, 5), vectors[wanted].reshape(-1, 5))
    assert found.tolist() == [known.index(each) if each and each in known else -1 for each in wanted]

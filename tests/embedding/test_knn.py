"""The graph of neighbours: equal to brute force where exact, measured where not, the same on any thread count."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from topics import blob_vectors

from tamis.analytics.embedding import cell_search
from tamis.analytics.embedding.cell_search import neighbours_by_cells
from tamis.analytics.embedding.kmeans import assign, spherical_kmeans
from tamis.analytics.embedding.neighbours import KnnGraph, knn_graph, measure_recall
from tamis.analytics.map.placement import neighbours_among
from tamis.analytics.map.steps import scores
from tamis.data.errors import SettingError


def normed(vectors: NDArray[np.float16]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)


def brute_force(vectors: NDArray[np.float16], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    wide = normed(vectors)
    far = 1.0 - wide @ wide.T
    np.fill_diagonal(far, np.inf)
    order = np.argsort(far, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(far, order, axis=1)


def test_exact_graph_equals_brute_force() -> None:
    vectors, _ = blob_vectors(80, dimensions=24)
    graph = knn_graph(vectors, k=7, threads=2)
    order, far = brute_force(vectors, 7)
    assert graph.method == "exact" and graph.recall == 1.0
    np.testing.assert_allclose(graph.distances, far, atol=1e-5)
    assert (graph.indices == order).mean() > 0.999


def test_threads_change_no_bit() -> None:
    vectors, _ = blob_vectors(400, dimensions=24)
    for limit in (10_000, 100):
        one = knn_graph(vectors, k=5, exact_limit=limit, threads=1)
        two = knn_graph(vectors, k=5, exact_limit=limit, threads=2)
        assert np.array_equal(one.indices, two.indices)
        assert np.array_equal(one.distances.view(np.uint32), two.distances.view(np.uint32))


def test_graph_by_cells_finds_nearly_all_and_says_how_many() -> None:
    vectors, _ = blob_vectors(500, blobs=8, dimensions=24)
    graph = knn_graph(vectors, k=10, exact_limit=100, probes=8, threads=2)
    order, _ = brute_force(vectors, 10)
    true_recall = np.mean([len(np.intersect1d(a, b)) for a, b in zip(graph.indices, order, strict=True)]) / 10
    assert graph.method == "cells" and graph.recall_rows == 512
    assert true_recall > 0.95
    assert abs(graph.recall - true_recall) < 0.03


def test_neighbours_of_neighbours_raise_recall() -> None:
    vectors, _ = blob_vectors(600, blobs=3, dimensions=32, spread=0.4)
    there = np.arange(len(vectors))
    found = [
        measure_recall(
            vectors, there, neighbours_by_cells(vectors, there, k=10, probes=3, seed=0, rounds=rounds)[0], seed=0
        )[0]
        for rounds in (0, 1)
    ]
    assert found[1] > found[0] + 0.05


@pytest.mark.parametrize("probes", [1, 4])
def test_trying_only_new_ways_changes_no_bit(probes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = blob_vectors(700, blobs=3, dimensions=32, spread=0.4)
    there = np.arange(len(vectors))

    def found() -> bytes:
        indices, distances = neighbours_by_cells(vectors, there, k=10, probes=probes, seed=0, rounds=4)
        return indices.tobytes() + distances.tobytes()

    some_skipped = found()
    monkeypatch.setattr(cell_search, "_were_beside", lambda beside, before: np.zeros(beside.shape, dtype=bool))
    assert found() == some_skipped


def test_no_row_is_its_own_neighbour_and_lists_are_sorted() -> None:
    vectors, _ = blob_vectors(300)
    for limit in (10_000, 100):
        graph = knn_graph(vectors, k=6, exact_limit=limit)
        assert not (graph.indices == np.arange(len(vectors))[:, None]).any()
        assert (np.diff(graph.distances, axis=1) >= 0).all()
        assert all(len(set(row)) == 6 for row in graph.indices.tolist())


def test_equal_vectors_have_equal_distances_and_ties_go_to_the_smaller_row() -> None:
    vectors, _ = blob_vectors(60)
    copies = np.concatenate([vectors, np.repeat(vectors[5:6], 40, axis=0)])
    graph = knn_graph(copies, k=4)
    twins = [5, *range(len(vectors), len(copies))]
    for row in twins:
        assert graph.indices[row].tolist() == [twin for twin in twins if twin != row][:4]
        assert graph.distances[row].max() < 1e-6


def test_rows_without_a_vector_have_no_neighbours_and_are_nobodys() -> None:
    vectors, _ = blob_vectors(40)
    vectors[[3, 50]] = 0
    for limit in (10_000, 20):
        graph = knn_graph(vectors, k=5, exact_limit=limit)
        assert (graph.indices[[3, 50]] == -1).all() and np.isinf(graph.distances[[3, 50]]).all()
        assert not np.isin([3, 50], graph.indices).any()
        outlier, density = scores(graph)
        assert np.isnan(outlier[[3, 50]]).all() and np.isfinite(np.delete(density, [3, 50])).all()


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_tiny_sets_have_as_many_neighbours_as_there_are(rows: int) -> None:
    vectors, _ = blob_vectors(1)
    graph = knn_graph(vectors[:rows], k=5)
    assert (graph.indices >= 0).sum(axis=1).tolist() == [max(rows - 1, 0)] * rows


def test_a_graph_without_neighbours_is_refused() -> None:
    with pytest.raises(SettingError, match="1 or more"):
        knn_graph(blob_vectors(2)[0], k=0)


def test_outlier_score_is_highest_far_from_everything() -> None:
    vectors, _ = blob_vectors(60, blobs=2, spread=0.05)
    lonely = np.zeros((1, vectors.shape[1]), dtype=np.float16)
    lonely[0, 0] = 1
    outlier, density = scores(knn_graph(np.concatenate([vectors, lonely]), k=5))
    assert outlier.argmax() == len(vectors) and density.argmin() == len(vectors)


def test_new_vectors_find_the_same_neighbours_as_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = blob_vectors(150)
    known, wanted = vectors[::2], vectors[1::2]
    far = 1.0 - normed(wanted) @ normed(known).T
    expected = np.argsort(far, axis=1, kind="stable")[:, :3]
    indices, _ = neighbours_among(known, wanted, k=3)
    assert (indices == expected).mean() > 0.99
    monkeypatch.setattr("tamis.analytics.map.placement.CELLS_FROM", 10)
    assert (neighbours_among(known, wanted, k=3)[0] == expected).mean() > 0.9


def test_kmeans_finds_planted_groups_and_every_vector_is_with_its_nearest_centroid() -> None:
    vectors, labels = blob_vectors(100, blobs=5, spread=0.05)
    found = spherical_kmeans(vectors, 5, seed=3, iterations=20)
    wide = vectors.astype(np.float32) @ found.centroids.T
    assert np.array_equal(found.labels, wide.argmax(axis=1))
    np.testing.assert_allclose(np.linalg.norm(found.centroids, axis=1), 1, atol=1e-5)
    pure = [np.bincount(labels[found.labels == cell]).max() for cell in range(5) if (found.labels == cell).any()]
    assert sum(pure) >= 0.75 * len(vectors)


def test_kmeans_has_the_same_bits_on_any_thread_count_and_skips_empty_rows() -> None:
    vectors, _ = blob_vectors(700)
    vectors[7] = 0
    one, two = (spherical_kmeans(vectors, 9, iterations=4, threads=threads) for threads in (1, 2))
    assert np.array_equal(one.centroids, two.centroids) and np.array_equal(one.labels, two.labels)
    assert one.labels[7] == -1 and assign(vectors, one.centroids)[0][7] == -1
    assert len(np.unique(one.labels)) == 10


def test_kmeans_of_nothing_is_refused() -> None:
    with pytest.raises(SettingError, match="at least one vector"):
        spherical_kmeans(np.zeros((3, 4), dtype=np.float16), 2)


def test_graph_says_its_size() -> None:
    graph = KnnGraph(np.zeros((2, 3), dtype=np.int32), np.zeros((2, 3), dtype=np.float32), "exact", 1.0, 0)
    assert graph.k == 3

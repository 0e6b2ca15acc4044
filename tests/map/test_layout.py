"""The map: as good as umap-learn's, the same bits on any number of threads, open to new documents."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numpy.typing import NDArray
from topics import blob_vectors

from tamis.analytics.embedding.neighbours import KnnGraph, knn_graph
from tamis.analytics.map.layout import curve, epochs_for, fuzzy_edges, optimise, pca_start, umap_layout
from tamis.analytics.map.placement import neighbours_among, place
from tamis.analytics.map.steps import landmark_rows, map_quality
from tamis.data.errors import SettingError
from tamis.data.hashing import key64

Planted = tuple[NDArray[np.float16], NDArray[np.int64], KnnGraph, NDArray[np.float32]]


@pytest.fixture(scope="module")
def planted() -> Planted:
    """Two thousand vectors around 20 centres, their graph and their map."""
    vectors, labels = blob_vectors(100, blobs=20, dimensions=24, spread=0.12)
    graph = knn_graph(vectors, k=15)
    return vectors, labels, graph, umap_layout(vectors, graph, epochs=200)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
def test_layout_has_the_same_bits_on_one_and_two_threads(planted: Planted) -> None:
    vectors, _, graph, _ = planted
    edges, start = fuzzy_edges(graph), pca_start(vectors)
    before = numba.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            found.append(optimise(start, edges, epochs=30, seed=4))
    finally:
        numba.set_num_threads(before)
    assert np.array_equal(found[0].view(np.uint32), found[1].view(np.uint32))
    assert not np.array_equal(found[0], optimise(start, edges, epochs=30, seed=5))


def test_layout_is_as_good_as_umap_learns_on_the_same_graph(planted: Planted) -> None:
    vectors, _, graph, ours = planted
    theirs = umap_layout(vectors, graph, epochs=200, optimiser="umap-learn")
    our_quality, their_quality = map_quality(vectors, graph, ours), map_quality(vectors, graph, theirs)
    assert our_quality.preservation >= 0.95 * their_quality.preservation
    assert our_quality.trustworthiness >= their_quality.trustworthiness - 0.02
    assert our_quality.sample == 2000 and our_quality.k == 15


def test_layout_keeps_planted_groups_together(planted: Planted) -> None:
    _, labels, _, positions = planted
    spread = np.concatenate([positions[labels == g] - np.median(positions[labels == g], axis=0) for g in range(20)])
    assert np.median(np.linalg.norm(spread, axis=1)) < 0.25 * np.ptp(positions, axis=0).max()
    assert np.isfinite(positions).all()


def test_new_documents_land_beside_their_group_and_exact_copies_on_their_original(planted: Planted) -> None:
    vectors, labels, _, _ = planted
    old, new = np.arange(0, 2000, 2), np.arange(1, 2000, 20)
    part = knn_graph(vectors[old], k=15)
    positions = umap_layout(vectors[old], part, epochs=100)
    placed = place(positions, *neighbours_among(vectors[old], vectors[new]))
    nearest = np.linalg.norm(placed[:, None] - positions[None], axis=2).argmin(axis=1)
    assert (labels[old][nearest] == labels[new]).mean() > 0.95
    copies = place(positions, *neighbours_among(vectors[old], vectors[old[:50]]))
    assert np.median(np.linalg.norm(copies - positions[:50], axis=1)) < 0.5


def test_documents_without_a_vector_stay_off_the_map(planted: Planted) -> None:
    vectors = planted[0][:60].copy()
    vectors[[0, 31]] = 0
    positions = umap_layout(vectors, knn_graph(vectors, k=5), epochs=10)
    assert np.isnan(positions[[0, 31]]).all() and np.isfinite(np.delete(positions, [0, 31], axis=0)).all()
    assert np.isnan(place(positions, *neighbours_among(vectors, vectors[[31]]))).all()


@pytest.mark.parametrize("rows", [0, 1, 3, 5])
def test_tiny_corpora_have_a_map(planted: Planted, rows: int) -> None:
    vectors = planted[0][:rows]
    graph = knn_graph(vectors, k=15)
    positions = umap_layout(vectors, graph, epochs=5)
    assert positions.shape == (rows, 2) and np.isfinite(positions).all()
    assert map_quality(vectors, graph, positions).documents == rows


def test_copies_of_one_document_have_a_map() -> None:
    vectors = np.repeat(blob_vectors(1)[0][:1], 40, axis=0)
    assert np.isfinite(umap_layout(vectors, knn_graph(vectors, k=15), epochs=10)).all()


def test_principal_components_do_not_flip_and_are_scaled() -> None:
    vectors, _ = blob_vectors(50)
    start = pca_start(vectors)
    assert np.abs(start).max() == pytest.approx(10)
    wide = vectors.astype(np.float64) - vectors.astype(np.float64).mean(axis=0)
    left, sizes, _ = np.linalg.svd(wide, full_matrices=False)
    for axis in range(2):
        assert abs(np.corrcoef(start[:, axis], left[:, axis] * sizes[axis])[0, 1]) > 0.999


def test_fuzzy_edges_are_symmetric_and_within_bounds(planted: Planted) -> None:
    edges = fuzzy_edges(planted[2])
    heads = np.repeat(np.arange(len(edges.starts) - 1), np.diff(edges.starts))
    there = set(zip(heads.tolist(), edges.ends.tolist(), edges.weights.tolist(), strict=True))
    assert {(end, head, weight) for head, end, weight in there} == there
    assert edges.weights.min() > 0 and edges.weights.max() <= 1


def test_curve_is_umap_learns_default() -> None:
    assert curve() == pytest.approx((1.577, 0.895), abs=1e-3)


def test_larger_maps_get_fewer_epochs_and_unknown_optimisers_are_refused(planted: Planted) -> None:
    assert [epochs_for(n) for n in (1, 10_000, 10_001, 10**6)] == [500, 500, 200, 100]
    with pytest.raises(SettingError, match="synchronous, umap-learn"):
        umap_layout(planted[0], planted[2], optimiser="other")  # type: ignore[arg-type]


def test_landmarks_are_chosen_by_document_not_by_row_and_from_every_group(planted: Planted) -> None:
    vectors, labels, _, _ = planted
    keys = key64(f"doc {i}" for i in range(len(vectors)))
    rows = landmark_rows(keys, vectors, 400, seed=1)
    assert len(rows) == 400 == len(set(rows.tolist())) and (np.diff(rows) > 0).all()
    assert len(np.unique(labels[rows])) == 20
    assert np.array_equal(landmark_rows(keys, vectors, 5000, seed=1), np.arange(2000))

"""The map: a UMAP layout in two dimensions of the graph of nearest neighbours.

The forces are those of umap-learn's ``optimize_layout_euclidean`` (McInnes, Healy, Melville 2018). The order differs:
umap-learn moves points one after the other, so threads race; here in each epoch all points read the old positions and
write new ones, and every choice is a hash of (seed, epoch, point), so any number of threads gives the same bits.
umap-learn moves both ends of an edge at each pull; here each end pulls for itself. Moving both as well, so that every
edge pulls twice, is worse: 0.205 of neighbours kept instead of 0.232 (umap-learn: 0.215) on 10,000 documents.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from tamis.analytics.embedding.neighbours import KnnGraph
from tamis.data.errors import SettingError
from tamis.data.hashing import mix_keys

CLIP = np.float32(4.0)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_A, _MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S40 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(40)
_UNIT = np.float32(1.0 / (1 << 24))


@njit(cache=True, inline="always")
def _mixed(state):  # type: ignore[no-untyped-def]
    """Return the splitmix64 output of a state."""
    mixed = (state ^ (state >> _S30)) * _MIX_A
    mixed = (mixed ^ (mixed >> _S27)) * _MIX_B
    return mixed ^ (mixed >> _S31)


@njit(cache=True, inline="always")
def _clipped(value):  # type: ignore[no-untyped-def]
    return min(max(value, -CLIP), CLIP)


@njit(cache=True, parallel=True, fastmath={"contract", "reassoc", "afn"})
def move(old, new, starts, ends, chances, key, a, b, alpha, negatives, others, farthest):  # type: ignore[no-untyped-def]
    """Write the positions after one epoch.

    Args:
        old, new: float32 (n, 2).
        starts: int64 (n + 1,), edges of each point in ``ends`` and ``chances``.
        ends: int32 (e,), the other end.
        chances: float32 (e,), probability that an edge pulls in this epoch, weight / largest weight.
        key: uint64, a hash of (seed, epoch).
        a, b: of the curve 1 / (1 + a d^2b).
        alpha: float32, learning rate of this epoch.
        negatives: random points that push for each pulling edge.
        farthest: float32, no point goes further than this times ``alpha``.
        others: positions that pull and push, float32 (m, 2): ``old`` itself, or a frozen map that points are added to.
    """
    n, m = len(old), len(others)
    power = b - np.float32(1.0)
    attract = np.float32(-2.0) * a * b
    repel = np.float32(2.0) * b
    for i in prange(n):
        x, y = old[i, 0], old[i, 1]
        state = _mixed(key + np.uint64(i) * _STEP)
        move_x, move_y = np.float32(0.0), np.float32(0.0)
        pushes = 0
        for e in range(starts[i], starts[i + 1]):
            state += _STEP
            if np.float32(_mixed(state) >> _S40) * _UNIT >= chances[e]:
                continue
            pushes += negatives
            dx, dy = x - others[ends[e], 0], y - others[ends[e], 1]
            square = dx * dx + dy * dy
            if square > np.float32(0.0):
                near = square**power
                force = attract * near / (a * near * square + np.float32(1.0))
                move_x += _clipped(force * dx)
                move_y += _clipped(force * dy)
        for _ in range(pushes):
            state += _STEP
            other = np.int64(((_mixed(state) >> np.uint64(32)) * np.uint64(m)) >> np.uint64(32))
            dx, dy = x - others[other, 0], y - others[other, 1]
            square = dx * dx + dy * dy
            if square > np.float32(0.0):
                force = repel / ((np.float32(0.001) + square) * (a * square**b + np.float32(1.0)))
                move_x += _clipped(force * dx)
                move_y += _clipped(force * dy)
        length = np.float32(np.sqrt(move_x * move_x + move_y * move_y))
        if length > farthest:
            move_x, move_y = move_x * (farthest / length), move_y * (farthest / length)
        new[i, 0], new[i, 1] = x + alpha * move_x, y + alpha * move_y


Optimiser = Literal["synchronous", "umap-learn"]
NEIGHBOURS = 15
"""As umap-learn counts them: the point itself and its 14 nearest."""

NEGATIVES = 5
SPREAD, MIN_DIST = 1.0, 0.1
EXTENT = 10.0
FARTHEST = np.float32(32.0)
"""How far a point may move in one epoch at a learning rate of 1. Ordinary maps hardly ever reach it; if hundreds of
vectors are nearly the same, the sum of simultaneous pulls and pushes would move points a hundred times the width of
the map (umap-learn moves after each pull, so it needs no such limit)."""


@dataclass(frozen=True, eq=False)
class Edges:
    """The fuzzy graph as rows of edges.

    Attributes:
        starts: int64 (n + 1,), where the edges of each point begin.
        ends: int32 (e,), the other end of each edge.
        weights: float32 (e,), membership in (0, 1].
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int32]
    weights: NDArray[np.float32]


def umap_learn() -> Any:
    """Return umap-learn's module; importing it compiles for some seconds and warns of a part that is not used here.

    Its kernels for the fuzzy graph, which compile for some more seconds, are cached on disk if possible.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)
        # Late: umap-learn, which compiles.
        import umap.umap_
    for compiled in (umap.umap_.smooth_knn_dist, umap.umap_.compute_membership_strengths):
        with suppress(RuntimeError):
            compiled.enable_caching()
    return umap.umap_


def fuzzy_edges(graph: KnnGraph, *, neighbours: int = NEIGHBOURS) -> Edges:
    """Return umap-learn's fuzzy simplicial set of the graph of neighbours.

    Args:
        graph: of the points that will be laid out; rows without neighbours get no edges.
        neighbours: the point itself and ``neighbours - 1`` others.
    """
    indices, distances = with_self(graph, neighbours)
    fuzzy, _, _ = umap_learn().fuzzy_simplicial_set(
        indices, indices.shape[1], np.random.RandomState(0), "precomputed", knn_indices=indices, knn_dists=distances
    )
    rows = fuzzy.tocsr()
    rows.sort_indices()
    return Edges(rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data.astype(np.float32))


def with_self(graph: KnnGraph, neighbours: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return indices int32 (n, k) and distances float32 (n, k) with each point first, as umap-learn wants them.

    A missing neighbour keeps the index -1 and gets the distance of the last existing one.
    """
    wide = min(neighbours - 1, graph.k, max(1, int((graph.indices >= 0).sum(axis=1).max(initial=0))))
    own = np.arange(len(graph.indices), dtype=np.int32)[:, None]
    indices = np.concatenate([own, graph.indices[:, :wide]], axis=1)
    distances = np.concatenate([np.zeros(own.shape, dtype=np.float32), graph.distances[:, :wide]], axis=1)
    known = np.where(np.isfinite(distances), distances, np.float32(0.0))
    return indices, np.maximum.accumulate(known, axis=1)


def curve(spread: float = SPREAD, min_dist: float = MIN_DIST) -> tuple[float, float]:
    """Return umap-learn's a and b of 1 / (1 + a d^2b)."""
    a, b = umap_learn().find_ab_params(spread, min_dist)
    return float(a), float(b)


def epochs_for(points: int) -> int:
    """Return how many epochs a map of so many points gets: umap-learn's 500 up to 10,000 and 200 beyond, then fewer."""
    if points <= 10_000:
        return 500
    return 200 if points <= 300_000 else 100


def pca_start(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return the first two principal components, float32 (n, 2), scaled to -10..10; the sign is fixed by the data.

    Args:
        vectors: (n, d).
    """
    # Late: threadpoolctl.
    from threadpoolctl import threadpool_limits

    width = vectors.shape[1]
    mean = np.zeros(width)
    product = np.zeros((width, width))
    start = np.empty((len(vectors), 2), dtype=np.float32)
    with threadpool_limits(1):
        for first in range(0, len(vectors), 65_536):
            part = vectors[first : first + 65_536].astype(np.float32)
            mean += part.sum(axis=0, dtype=np.float64)
            product += part.T @ part
        mean /= max(len(vectors), 1)
        axes = np.linalg.eigh(product / max(len(vectors), 1) - np.outer(mean, mean))[1][:, [-1, -2]]
        axes *= np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
        for first in range(0, len(vectors), 65_536):
            block = slice(first, first + 65_536)
            start[block] = (vectors[block].astype(np.float32) - mean) @ axes
    widest = float(np.abs(start).max(initial=0.0))
    return np.asarray(start * np.float32(EXTENT / widest) if widest > 0 else start, dtype=np.float32)


def optimise(
    start: NDArray[np.float32],
    edges: Edges,
    *,
    epochs: int,
    seed: int,
    alpha: float = 1.0,
    others: NDArray[np.float32] | None = None,
    check: Callable[[], None] = lambda: None,
    advance: Callable[[int], None] = lambda n: None,
) -> NDArray[np.float32]:
    """Return the positions after all epochs of the synchronous layout; the same bits on any number of threads.

    Args:
        start: float32 (n, 2).
        edges: of the n points; ends count within ``others`` when that is given.
        epochs: how often every point moves.
        seed: of all choices.
        alpha: learning rate of the first epoch, falling to 0.
        others: float32 (m, 2), fixed points to place the n points among; None lets all n points move together.
        check, advance: called once an epoch; ``advance`` with the number of points.
    """
    a, b = map(np.float32, curve())
    chances = edges.weights / max(float(edges.weights.max(initial=0.0)), 1e-12)
    # As in umap-learn: an edge that would never be used is left out.
    chances = np.where(chances < 1.0 / max(epochs, 1), 0.0, chances).astype(np.float32)
    keys = mix_keys(np.arange(epochs, dtype=np.uint64), seed=seed, salt="layout")
    old, new = start.astype(np.float32, copy=True), np.empty(start.shape, dtype=np.float32)
    for epoch in range(epochs):
        check()
        rate = np.float32(alpha * (1.0 - epoch / epochs))
        field = old if others is None else others
        move(old, new, edges.starts, edges.ends, chances, keys[epoch], a, b, rate, NEGATIVES, field, FARTHEST)
        old, new = new, old
        advance(len(old))
    return old


def umap_learn_layout(start: NDArray[np.float32], edges: Edges, *, epochs: int, seed: int) -> NDArray[np.float32]:
    """Return the layout of umap-learn's own optimiser on one thread, float32 (n, 2)."""
    # Late: scipy.
    from scipy.sparse import csr_matrix

    a, b = curve()
    n = len(start)
    graph = csr_matrix((edges.weights, edges.ends, edges.starts), shape=(n, n)).tocoo()
    positions, _ = umap_learn().simplicial_set_embedding(
        start, graph, 2, 1.0, a, b, 1.0, NEGATIVES, epochs, start.copy(), np.random.RandomState(seed), "euclidean", {},
        False, {}, False, parallel=False,
    )  # fmt: skip
    return np.asarray(positions, dtype=np.float32)


def umap_layout(
    vectors: NDArray[np.float16],
    graph: KnnGraph,
    *,
    seed: int = 0,
    epochs: int | None = None,
    optimiser: Optimiser = "synchronous",
    check: Callable[[], None] = lambda: None,
    advance: Callable[[int], None] = lambda n: None,
) -> NDArray[np.float32]:
    """Return the map of all points, float32 (n, 2), NaN for points without a vector.

    Args:
        vectors: (n, d), unit rows, rows of zeros stay off the map.
        graph: of these vectors.
        seed: of the optimisation.
        epochs: None for ``epochs_for``.
        optimiser: ``synchronous`` or umap-learn's own.
        check, advance: as for ``optimise``.

    Raises:
        SettingError: unknown optimiser.
    """
    if optimiser not in ("synchronous", "umap-learn"):
        raise SettingError("Unknown optimiser", value=optimiser, allowed=["synchronous", "umap-learn"])
    there = np.flatnonzero(vectors.any(axis=1))
    positions = np.full((len(vectors), 2), np.nan, dtype=np.float32)
    if len(there) < 4:
        positions[there] = np.column_stack([np.arange(len(there)), np.zeros(len(there))])
        return positions
    edges = fuzzy_edges(_without_gaps(graph, there))
    start = pca_start(vectors[there])
    count = epochs_for(len(there)) if epochs is None else epochs
    if optimiser == "umap-learn":
        positions[there] = umap_learn_layout(start, edges, epochs=count, seed=seed)
    else:
        positions[there] = optimise(start, edges, epochs=count, seed=seed, check=check, advance=advance)
    return positions


def _without_gaps(graph: KnnGraph, there: NDArray[np.int64]) -> KnnGraph:
    """Return the graph of the rows ``there``, numbered from 0."""
    if len(there) == len(graph.indices):
        return graph
    number = np.full(len(graph.indices) + 1, -1, dtype=np.int32)
    number[there] = np.arange(len(there), dtype=np.int32)
    return KnnGraph(number[graph.indices[there]], graph.distances[there], graph.method, graph.recall, graph.recall_rows)

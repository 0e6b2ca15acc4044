"""The graph of nearest neighbours by cosine: built once, used by map, outlier scores, near-duplicates and lookups.

Small sets are compared exhaustively. Large ones are cut into cells around k-means centroids; each document is compared,
exactly and at full width, with every document of the nearest cells. Both run as matrix products of fixed shape on one
thread each, several blocks at once, so the graph has the same bits on any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.embedding.cell_search import neighbours_by_cells
from tamis.analytics.embedding.kmeans import rescale_rows, side_by_side
from tamis.data.errors import SettingError

NEIGHBOURS = 15
EXACT_LIMIT = 30_000
"""Up to this many vectors all pairs are compared; 20 s of one core at 384 dimensions."""

PROBES = 24
_TILE_ROWS, _TILE_COLUMNS = 256, 4096


@dataclass(frozen=True, eq=False)
class KnnGraph:
    """Nearest neighbours of each vector, itself left out.

    Attributes:
        indices: int32 (n, k), rows of the neighbours, nearest first, ties by row; -1 for rows without a vector and
            if there are fewer than k others.
        distances: float32 (n, k), cosine distance in [0, 2], ascending; infinite if the index is -1.
        method: ``exact`` or ``cells``.
        recall: share of true neighbours found, measured on ``recall_rows`` rows by comparison with all; 1.0 if exact.
        recall_rows: number of rows of the measurement, 0 if exact.
    """

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]
    method: str
    recall: float
    recall_rows: int

    @property
    def k(self) -> int:
        """Return the number of neighbours per vector."""
        return int(self.indices.shape[1])


def knn_graph(
    vectors: NDArray[np.float16],
    *,
    k: int = NEIGHBOURS,
    exact_limit: int = EXACT_LIMIT,
    probes: int = PROBES,
    seed: int = 0,
    threads: int | None = None,
    check: Callable[[], None] = lambda: None,
    advance: Callable[[int], None] = lambda n: None,
) -> KnnGraph:
    """Return the nearest neighbours of each vector.

    Args:
        vectors: (n, d), unit rows; rows of zeros have no neighbours and are no neighbour of any row.
        k: neighbours per vector.
        exact_limit: largest number of vectors that are compared exhaustively.
        probes: cells searched per document beyond the limit.
        seed: of the cells.
        threads: number of blocks at once, changes no bit; None for all processors.
        check: called between blocks, may raise.
        advance: called with the number of finished rows.

    Raises:
        SettingError: k is not positive.
    """
    if k < 1:
        raise SettingError("Neighbours per document", value=k, allowed="1 or more")
    there = np.flatnonzero(vectors.any(axis=1))
    indices = np.full((len(vectors), k), -1, dtype=np.int32)
    distances = np.full((len(vectors), k), np.inf, dtype=np.float32)
    advance(len(vectors) - len(there))
    if len(there) > max(exact_limit, k + 1):
        indices[there], distances[there] = neighbours_by_cells(
            vectors, there, k=k, probes=probes, seed=seed, threads=threads, check=check, advance=advance
        )
        recall, rows = measure_recall(vectors, there, indices, seed=seed, threads=threads)
        return KnnGraph(indices, distances, "cells", recall, rows)

    def one(tile: NDArray[np.int64]) -> None:
        check()
        indices[tile], distances[tile] = nearest(vectors, tile, there, k=k, omit_self=True)
        advance(len(tile))

    with side_by_side(threads) as each:
        each(one, _tiles(there))
    return KnnGraph(indices, distances, "exact", 1.0, 0)


def _tiles(rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [rows[first : first + _TILE_ROWS] for first in range(0, len(rows), _TILE_ROWS)]


def nearest(
    vectors: NDArray[np.float16],
    rows: NDArray[np.int64],
    candidates: NDArray[np.int64],
    *,
    k: int,
    omit_self: bool,
    queries: NDArray[np.float16] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the k nearest of ``candidates`` for each of at most 256 rows.

    Args:
        vectors: (n, d), unit rows.
        rows: int64 (m,), rows to find the neighbours of.
        candidates: int64 (c,), ascending; among equal distances the smaller comes first.
        k: neighbours per row.
        omit_self: whether a row is not its own neighbour.
        queries: (m, d) unit rows to use instead of ``vectors[rows]``; ``rows`` is then ignored.

    Returns:
        int32 (m, k) and float32 (m, k), as in ``KnnGraph``.
    """
    wanted = vectors[rows] if queries is None else queries
    own = rows if omit_self and queries is None else np.full(len(wanted), -1, dtype=np.int64)
    # Padded to whole tiles: every product then goes through the same kernel, and equal vectors give equal bits.
    left = np.zeros((_TILE_ROWS, vectors.shape[1]), dtype=np.float32)
    right = np.zeros((_TILE_COLUMNS, vectors.shape[1]), dtype=np.float32)
    left[: len(wanted)] = rescale_rows(wanted)
    best = np.full((len(wanted), k), -np.inf, dtype=np.float32)
    where = np.full((len(wanted), k), -1, dtype=np.int64)
    for first in range(0, len(candidates), _TILE_COLUMNS):
        part = candidates[first : first + _TILE_COLUMNS]
        right[: len(part)] = rescale_rows(vectors[part])
        _keep_best(left @ right.T, part, own, best, where)
    distances = np.maximum(np.float32(1.0) - best, np.float32(0.0))
    return where.astype(np.int32), distances


@njit(cache=True, nogil=True)
def _keep_best(products, part, own, best, where):  # type: ignore[no-untyped-def]
    k = best.shape[1]
    for i in range(best.shape[0]):
        least = best[i, k - 1]
        for j in range(len(part)):
            value = products[i, j]
            if value < least or part[j] == own[i]:
                continue
            place = k
            while place > 0 and (
                value > best[i, place - 1]
                or where[i, place - 1] < 0
                or (value == best[i, place - 1] and part[j] < where[i, place - 1])
            ):
                place -= 1
            if place == k:
                continue
            for p in range(k - 1, place, -1):
                best[i, p], where[i, p] = best[i, p - 1], where[i, p - 1]
            best[i, place], where[i, place] = value, part[j]
            least = best[i, k - 1]


def measure_recall(
    vectors: NDArray[np.float16],
    there: NDArray[np.int64],
    indices: NDArray[np.int32],
    *,
    seed: int,
    rows: int = 512,
    threads: int | None = None,
) -> tuple[float, int]:
    """Return the share of true neighbours in ``indices`` over a random sample of rows, and the size of the sample."""
    picked = np.sort(np.random.default_rng(seed).choice(there, size=min(rows, len(there)), replace=False))
    hits: list[int] = []

    def compare(tile: NDArray[np.int64]) -> None:
        true, _ = nearest(vectors, tile, there, k=indices.shape[1], omit_self=True)
        hits.append(sum(len(np.intersect1d(a, b)) for a, b in zip(true, indices[tile], strict=True)))

    with side_by_side(threads) as each:
        each(compare, _tiles(picked))
    return sum(hits) / (len(picked) * indices.shape[1]), len(picked)

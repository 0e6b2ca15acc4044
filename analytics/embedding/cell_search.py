"""Nearest neighbours of many vectors: cells around centroids, exact comparison within the nearest cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from tamis.analytics.embedding.kmeans import rescale_rows, side_by_side, spherical_kmeans

CHUNK = 32_768
"""Vectors per block of the search; fixed, because it must not depend on the machine."""

NOBODY = -(1 << 40)
"""Place of the first vector if none of the vectors is a member."""

_PAD = 64


@dataclass(frozen=True, eq=False)
class Cells:
    """Vectors sorted by cell.

    Attributes:
        centroids: float32 (c, d), unit rows.
        places: int64 (m,), input index of the vector at each place in cell order.
        starts: int64 (c + 1,), where each cell begins.
        vectors: float32 (m + 64, d), the unit vectors in cell order, then rows of zeros.
    """

    centroids: NDArray[np.float32]
    places: NDArray[np.int64]
    starts: NDArray[np.int64]
    vectors: NDArray[np.float32]

    @classmethod
    def of(
        cls, vectors: NDArray[np.float16], there: NDArray[np.int64], *, seed: int, threads: int | None = None
    ) -> Cells:
        """Cut the rows ``there`` into about ``4 sqrt(n)`` cells: first coarse ones, then each by its share.

        Two levels cost ``n sqrt(c)`` comparisons instead of ``n c``.
        """
        count = int(4 * np.sqrt(len(there)))
        coarse_count = max(1, int(np.sqrt(count)))
        coarse = spherical_kmeans(
            vectors, coarse_count, rows=there, seed=seed, iterations=8, sample=256 * coarse_count, threads=threads
        )
        labels = np.full(len(vectors), -1, dtype=np.int32)
        centroids: list[NDArray[np.float32]] = []
        made = 0
        for cell in range(len(coarse.centroids)):
            rows = np.flatnonzero(coarse.labels == cell)
            if len(rows):
                share = max(1, round(count * len(rows) / len(there)))
                fine = spherical_kmeans(
                    vectors, share, rows=rows, seed=seed, iterations=6, sample=128 * share, threads=threads
                )
                labels[rows] = fine.labels[rows] + made
                centroids.append(fine.centroids)
                made += len(fine.centroids)
        places = np.argsort(labels[there], kind="stable").astype(np.int64)
        starts = np.concatenate([[0], np.cumsum(np.bincount(labels[there], minlength=made))]).astype(np.int64)
        ordered = np.zeros((len(there) + _PAD, vectors.shape[1]), dtype=np.float32)
        for first in range(0, len(there), CHUNK):
            part = slice(first, min(first + CHUNK, len(there)))
            ordered[part] = rescale_rows(vectors[there[places[part]]])
        return cls(np.concatenate(centroids), places, starts, ordered)

    def search(
        self,
        wanted: NDArray[np.float32],
        best: NDArray[np.float32],
        where: NDArray[np.int32],
        *,
        probes: int,
        first: int = NOBODY,
    ) -> None:
        """Compare vectors with all members of the cells nearest to each.

        Args:
            wanted: float32 (m, d), unit rows.
            best: float32 (m, k), filled with the largest cosines, largest first.
            where: int32 (m, k), filled with the places of these members.
            probes: cells searched per vector.
            first: place of the first vector among the members, so that no vector is its own neighbour.
        """
        probes = min(probes, len(self.centroids))
        near = nearest_cells(wanted, self.centroids, probes)
        order = np.argsort(near.reshape(-1), kind="stable")
        queries = (order // probes).astype(np.int32)
        bounds = np.searchsorted(near.reshape(-1)[order], np.arange(len(self.centroids) + 1))
        for cell in range(len(self.centroids)):
            ours = queries[bounds[cell] : bounds[cell + 1]]
            start, end = int(self.starts[cell]), int(self.starts[cell + 1])
            if not len(ours) or start == end:
                continue
            # Padded to whole tiles: every product then goes through the same kernel, and equal vectors give equal bits.
            left = np.zeros((-(-len(ours) // _PAD) * _PAD, wanted.shape[1]), dtype=np.float32)
            left[: len(ours)] = wanted[ours]
            right = self.vectors[start : start + -(-(end - start) // _PAD) * _PAD]
            _merge(left @ right.T, ours, first, start, end, best, where)


def neighbours_by_cells(
    vectors: NDArray[np.float16],
    there: NDArray[np.int64],
    *,
    k: int,
    probes: int,
    seed: int,
    rounds: int = 2,
    threads: int | None = None,
    check: Callable[[], None] = lambda: None,
    advance: Callable[[int], None] = lambda n: None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the neighbours of the rows ``there`` among each other.

    Args:
        vectors: (n, d), unit rows.
        there: int64 (m,), ascending rows without rows of zeros.
        k: neighbours per row.
        probes: cells each row is compared with.
        seed: of the cells.
        rounds: passes over neighbours of neighbours afterwards (Dong 2011, NN-descent).
        threads: changes no bit.
        check, advance: as for ``knn_graph``.

    Returns:
        int32 (m, k) rows of ``vectors`` and float32 (m, k) cosine distances, nearest first.
    """
    cells = Cells.of(vectors, there, seed=seed, threads=threads)
    size = len(there)
    best = np.full((size, k), -np.inf, dtype=np.float32)
    where = np.full((size, k), -1, dtype=np.int32)

    def one(first: int) -> None:
        check()
        part = slice(first, min(first + CHUNK, size))
        cells.search(cells.vectors[part], best[part], where[part], probes=probes, first=first)
        advance(part.stop - first)

    with side_by_side(threads) as each:
        each(one, range(0, size, CHUNK))
    before = np.empty((size, 0), dtype=np.int32)
    for _ in range(rounds):
        check()
        beside = np.concatenate([where, _reverse(where)], axis=1)
        _expand(cells.vectors, beside, _were_beside(beside, before), before[:, :k], best, where)
        before = beside
    return _in_given_order(cells, there, best, where)


def _in_given_order(
    cells: Cells, there: NDArray[np.int64], best: NDArray[np.float32], where: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the lists by row instead of by place, nearest first, ties by row."""
    indices = np.empty_like(where)
    distances = np.empty_like(best)
    rows = np.where(where >= 0, there[cells.places[where]], -1).astype(np.int32)
    far = np.maximum(np.float32(1.0) - best, np.float32(0.0))
    order = np.lexsort((rows, far), axis=1)
    indices[cells.places] = np.take_along_axis(rows, order, axis=1)
    distances[cells.places] = np.take_along_axis(far, order, axis=1)
    return indices, distances


def nearest_cells(vectors: NDArray[np.float32], centroids: NDArray[np.float32], probes: int) -> NDArray[np.int32]:
    """Return the cells nearest to each vector, int32 (n, probes), nearest first."""
    found = np.empty((len(vectors), probes), dtype=np.int32)
    for first in range(0, len(vectors), 1024):
        part = vectors[first : first + 1024]
        best = np.full((len(part), probes), -np.inf, dtype=np.float32)
        where = np.full((len(part), probes), -1, dtype=np.int32)
        rows = np.arange(len(part), dtype=np.int32)
        _merge(part @ centroids.T, rows, NOBODY, 0, len(centroids), best, where)
        found[first : first + len(part)] = where
    return found


@njit(cache=True, nogil=True)
def _merge(products, rows, first, start, end, best, where):  # type: ignore[no-untyped-def]
    """Insert the candidates ``start..end`` into the lists of the rows; a place is not its own neighbour."""
    k = best.shape[1]
    for q in range(len(rows)):
        i = rows[q]
        me = first + i
        least = best[i, k - 1]
        for j in range(end - start):
            value = products[q, j]
            if value < least or start + j == me:
                continue
            place = k
            while place > 0 and (
                value > best[i, place - 1]
                or where[i, place - 1] < 0
                or (value == best[i, place - 1] and start + j < where[i, place - 1])
            ):
                place -= 1
            for move in range(k - 1, place, -1):
                best[i, move], where[i, move] = best[i, move - 1], where[i, move - 1]
            if place < k:
                best[i, place], where[i, place] = value, start + j
                least = best[i, k - 1]


@njit(cache=True, nogil=True)
def _reverse(lists):  # type: ignore[no-untyped-def]
    """Return for each place up to k places that have it as a neighbour, nearest first, padded with -1."""
    n, k = lists.shape
    found = np.full((n, k), np.int32(-1), dtype=np.int32)
    filled = np.zeros(n, dtype=np.int32)
    for rank in range(k):
        for i in range(n):
            other = lists[i, rank]
            if other >= 0 and filled[other] < k:
                found[other, filled[other]] = i
                filled[other] += 1
    return found


@njit(cache=True, parallel=True)
def _were_beside(beside, before):  # type: ignore[no-untyped-def]
    """Return which places were in the lists of the round before, bool (n, 2k)."""
    n, width = beside.shape
    known = np.zeros((n, width), dtype=np.bool_)
    for i in prange(n):
        for p in range(width):
            for q in range(before.shape[1]):
                known[i, p] |= before[i, q] == beside[i, p]
    return known


@njit(cache=True, parallel=True, fastmath={"reassoc", "contract"})
def _expand(vectors, beside, known, former, best, where):  # type: ignore[no-untyped-def]
    """Try the neighbours of each place's neighbours; all read the old lists, so the order of work has no effect.

    A way over two known places was tried in the round before, which would come to the same. A former neighbour was
    compared in a matrix product, which may differ in the last bit, so it is tried on a known way as well.

    Args:
        vectors: float32 (n, d).
        beside: int32 (n, 2k), the neighbours of each place and the places that it is a neighbour of.
        known: bool (n, 2k), which of these the round before had, too.
        former: int32 (n, k or 0), the neighbours in the round before.
        best, where: (n, k), the lists, changed.
    """
    n, width = beside.shape
    k = best.shape[1]
    pieces = 64
    for piece in prange(pieces):
        seen = np.full(n, np.int32(-1), dtype=np.int32)
        lost = np.full(n, np.int32(-1), dtype=np.int32)
        for i in range(piece * n // pieces, (piece + 1) * n // pieces):
            for p in range(former.shape[1]):
                if former[i, p] >= 0:
                    lost[former[i, p]] = i
            seen[i] = i
            for p in range(k):
                if beside[i, p] >= 0:
                    seen[beside[i, p]] = i
            for p in range(width):
                a = beside[i, p]
                if a < 0:
                    continue
                if seen[a] != i and (not known[i, p] or lost[a] == i):
                    seen[a] = i
                    _try(vectors, i, a, best, where)
                for q in range(width):
                    b = beside[a, q]
                    if b >= 0 and seen[b] != i and not (known[i, p] and known[a, q] and lost[b] != i):
                        seen[b] = i
                        _try(vectors, i, b, best, where)


@njit(cache=True, inline="always", fastmath={"reassoc", "contract"})
def _try(vectors, i, b, best, where):  # type: ignore[no-untyped-def]
    value = np.float32(0.0)
    for j in range(vectors.shape[1]):
        value += vectors[i, j] * vectors[b, j]
    k = best.shape[1]
    place = k
    while place > 0 and (value > best[i, place - 1] or (value == best[i, place - 1] and b < where[i, place - 1])):
        place -= 1
    for move in range(k - 1, place, -1):
        best[i, move], where[i, move] = best[i, move - 1], where[i, move - 1]
    if place < k:
        best[i, place], where[i, place] = value, b

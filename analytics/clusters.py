"""Clusters: groups of documents close together, from the map (HDBSCAN) or from the embedding (k-means)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.density_tree import forest, linkage_of, tree_labels
from tamis.data.errors import SettingError

UNCLUSTERED = -1
CORE_POINTS = 10
LARGEST_SHARE = 0.2

Noise = Literal["leave", "vote"]


@dataclass(frozen=True)
class SweepPoint:
    """What HDBSCAN finds at one setting.

    Attributes:
        min_cluster_size: the setting.
        clusters: how many there are.
        unclustered: share of documents in none.
        largest: share of documents in the largest.
    """

    min_cluster_size: int
    clusters: int
    unclustered: float
    largest: float


@dataclass(frozen=True, eq=False)
class DensityTree:
    """HDBSCAN's tree of the points on the map, from which the clusters of any minimum size follow in a moment.

    Attributes:
        points: how many.
        nodes: the tree, see ``density_tree.forest``; empty for fewer than three points.
    """

    points: int
    nodes: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]] | None

    @classmethod
    def of(cls, points: NDArray[np.floating[Any]], *, core_points: int = CORE_POINTS) -> DensityTree:
        """Build the tree; the same on any number of threads.

        Args:
            points: (m, 2), finite.
            core_points: HDBSCAN's ``min_samples``.
        """
        wide = np.asarray(points, dtype=np.float64)
        return cls(len(wide), forest(linkage_of(wide, core_points=core_points)) if len(wide) > 2 else None)

    def labels(self, min_cluster_size: int) -> NDArray[np.int32]:
        """Return the clusters of at least so many points, int32 (m,), -1 = none; numbered by size, largest 0."""
        if self.nodes is None:
            return np.full(self.points, UNCLUSTERED, dtype=np.int32)
        return numbered_by_size(tree_labels(*self.nodes, max(2, min_cluster_size)))

    def sweep(self, sizes: Sequence[int] | None = None) -> tuple[SweepPoint, ...]:
        """Return what each minimum size gives; None for a geometric series from 10 to a fiftieth of the points."""
        chosen = sweep_sizes(self.points) if sizes is None else sizes
        return tuple(self._sweep_point(size) for size in chosen)

    def _sweep_point(self, size: int) -> SweepPoint:
        labels = self.labels(size)
        counts = np.bincount(labels[labels >= 0])
        total = max(len(labels), 1)
        return SweepPoint(
            int(size),
            len(counts),
            float((labels < 0).mean()) if len(labels) else 0.0,
            float(counts.max(initial=0)) / total,
        )


def sweep_sizes(points: int) -> list[int]:
    """Return the minimum sizes worth trying, ascending."""
    largest = max(10, points // 50)
    count = max(2, round(3 * np.log2(largest / 10)) + 1) if largest > 10 else 1
    return sorted({round(size) for size in np.geomspace(10, largest, count)})


def wanted_clusters(points: int) -> float:
    """Return how many clusters of so many documents people can still read, about ``0.4 sqrt(points)``, at least 2."""
    return max(2.0, 0.4 * float(np.sqrt(points)))


def fitting_size(sweep: Sequence[SweepPoint], points: int) -> int:
    """Return the minimum size that gives a readable number of clusters.

    Wanted are ``wanted_clusters``; settings whose largest cluster holds more than a fifth of the
    documents lie beyond the cliff where HDBSCAN joins everything, and are taken only when there is no other.
    """
    wanted = wanted_clusters(points)
    sound = [point for point in sweep if point.clusters >= 2 and point.largest <= LARGEST_SHARE]
    choice = sound or [point for point in sweep if point.clusters >= 1] or list(sweep)
    if not choice:
        raise SettingError("There are no settings to choose from")
    return min(choice, key=lambda p: (abs(np.log(max(p.clusters, 1) / wanted)), p.min_cluster_size)).min_cluster_size


def numbered_by_size(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the same clusters numbered from the largest, ties by their first member; -1 stays."""
    there = np.flatnonzero(labels >= 0)
    if not len(there):
        return labels.astype(np.int32, copy=True)
    values, first, counts = np.unique(labels[there], return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    number = np.full(int(values.max()) + 1, UNCLUSTERED, dtype=np.int32)
    number[values[order]] = np.arange(len(values), dtype=np.int32)
    result = np.full(len(labels), UNCLUSTERED, dtype=np.int32)
    result[there] = number[labels[there]]
    return result


def vote(labels: NDArray[np.int32], indices: NDArray[np.int32], *, rounds: int = 10) -> NDArray[np.int32]:
    """Return labels in which unclustered documents take the commonest cluster among their neighbours.

    Repeated until nothing changes; documents that no cluster reaches stay -1. Ties go to the smaller number.

    Args:
        labels: int32 (n,).
        indices: int32 (n, k), neighbours, -1 for none.
        rounds: at most.
    """
    result = labels.astype(np.int32, copy=True)
    for _ in range(rounds):
        open_rows = np.flatnonzero(result < 0)
        around = np.where(indices[open_rows] >= 0, result[np.maximum(indices[open_rows], 0)], UNCLUSTERED)
        winners = _commonest(around)
        if not (winners >= 0).any():
            break
        result[open_rows] = winners
    return result


def _commonest(around: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the commonest label >= 0 of each row, int32 (n,), -1 where there is none."""
    ordered = np.sort(around, axis=1)
    best = np.full(len(ordered), UNCLUSTERED, dtype=np.int32)
    longest = np.zeros(len(ordered), dtype=np.int32)
    run = np.zeros(len(ordered), dtype=np.int32)
    for column in range(ordered.shape[1]):
        same = ordered[:, column] == ordered[:, column - 1] if column else np.zeros(len(ordered), dtype=bool)
        run = np.where(same, run + 1, 1).astype(np.int32)
        better = (ordered[:, column] >= 0) & (run > longest)
        best[better], longest[better] = ordered[better, column], run[better]
    return best


def centroids_of(
    vectors: NDArray[np.float16], labels: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the unit mean vector of each cluster, float32 (k, d), and the cluster numbers, int32 (k,), ascending."""
    numbers = np.unique(labels[labels >= 0]).astype(np.int32)
    sums = np.zeros((len(numbers), vectors.shape[1]), dtype=np.float64)
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] >= 0]
    bounds = [*np.searchsorted(labels[order], numbers).tolist(), len(order)]
    for place, (first, end) in enumerate(pairwise(bounds)):
        for start in range(first, end, 65_536):
            sums[place] += vectors[order[start : min(start + 65_536, end)]].astype(np.float64).sum(axis=0)
    norms = np.sqrt((sums * sums).sum(axis=1))
    return (sums / np.where(norms > 0, norms, 1.0)[:, None]).astype(np.float32), numbers


def categories(centroids: NDArray[np.float32], *, count: int | None = None) -> NDArray[np.int32]:
    """Return the category of each cluster, int32 (k,): Ward linkage of the unit vectors, cut into ``count``.

    Args:
        centroids: float32 (k, d), unit rows.
        count: number of categories; None for about the square root of the number of clusters, 24 at most.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    k = len(centroids)
    wanted = min(24, max(1, round(np.sqrt(k)))) if count is None else count
    if k <= max(wanted, 2):
        return np.arange(k, dtype=np.int32) if k <= wanted else np.zeros(k, dtype=np.int32)
    tree = linkage(centroids.astype(np.float64), method="ward")
    return numbered_by_size(fcluster(tree, wanted, criterion="maxclust").astype(np.int32) - 1)

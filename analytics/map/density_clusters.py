"""Density clusters of the map (HDBSCAN), of any minimum size from one tree, in one pass over the tree per size.

Campello, Moulavi, Zimek, Sander 2015, "Hierarchical Density Estimates for Data Clustering, Visualization, and Outlier
Detection", ACM TKDD 10(1): mutual reachability, condensed tree, stability of a cluster, selection of the most stable
clusters, none of which is the root. Spanning trees come from the packages hdbscan and, for many points, fast_hdbscan.
Which of several equally short spanning trees they find does not matter, since branches that split at the same distance
split at once here: the same points have the same clusters on any number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.data.errors import SettingError

MANY_POINTS = 300_000
"""From so many points on the parallel package is used: it compiles for half a minute on first use, and on fewer points
the other one takes at most twelve seconds."""


def linkage_of(points: NDArray[np.float64], *, core_points: int, many: int = MANY_POINTS) -> NDArray[np.float64]:
    """Return the single-linkage tree of mutual reachability, float64 (m - 1, 4), rows as scipy has them.

    Args:
        points: (m, 2), finite, m > 2.
        core_points: HDBSCAN's ``min_samples``.
        many: how many points are many, see ``MANY_POINTS``; changes no cluster.
    """
    # Late: hdbscan.
    from hdbscan._hdbscan_linkage import label
    from scipy.spatial import cKDTree

    points = in_own_frame(points)
    few = min(core_points, len(points) - 1)
    pairs = _spanning_tree_in_parallel(points, few) if len(points) >= many else _spanning_tree(points, few)
    core = cKDTree(points).query(points, k=few + 1, workers=-1)[0][:, -1]
    left, right = pairs.T
    apart = np.sqrt(((points[left] - points[right]) ** 2).sum(axis=1))
    weight = np.maximum(apart, np.maximum(core[left], core[right])).astype(np.float32)
    order = np.argsort(weight, kind="stable")
    tree: NDArray[np.float64] = label(np.column_stack([left, right, weight]).astype(np.float64)[order])
    return tree


def in_own_frame(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points shifted near zero and scaled to within 1, so that single precision can tell them apart.

    fast_hdbscan computes in float32, where neighbouring numbers near a million differ by a sixteenth. The scale is a
    power of two and the shift a multiple of it, so points around zero keep every bit.

    Args:
        points: float64 (m, 2), finite, m > 0.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    unit = 2.0 ** np.ceil(np.log2(max(float((high - low).max()), np.finfo(np.float64).tiny)))
    middle = low + (high - low) / 2
    return np.asarray((points - np.round(middle / unit) * unit) / unit)


def _spanning_tree(points: NDArray[np.float64], few: int) -> NDArray[np.int64]:
    """Return the pairs of a minimum spanning tree, int64 (m - 1, 2)."""
    # Late: hdbscan.
    import hdbscan

    # The package also finds clusters, which are not needed: with this size there are few.
    fitted = hdbscan.HDBSCAN(
        min_cluster_size=max(2, len(points) // 2),
        min_samples=few,
        approx_min_span_tree=False,
        gen_min_span_tree=True,
        core_dist_n_jobs=1,
    ).fit(points)
    tree: NDArray[Any] = fitted.minimum_spanning_tree_.to_numpy()
    return tree[:, :2].astype(np.int64)


def _spanning_tree_in_parallel(points: NDArray[np.float64], few: int) -> NDArray[np.int64]:
    # Late: fast_hdbscan, which compiles.
    from fast_hdbscan.hdbscan import compute_minimum_spanning_tree

    tree: NDArray[Any] = compute_minimum_spanning_tree(points, min_samples=few)[0]
    return tree[:, :2].astype(np.int64)


@njit(cache=True, nogil=True)
def forest(linkage):  # type: ignore[no-untyped-def]
    """Return the tree in which branches that split at the same distance are children of one node.

    Args:
        linkage: float64 (m - 1, 4): children, distance and points of each inner node, nearest first.

    Returns:
        up, int32 (2m - 1,): the parent of each node, -1 for the root and for nodes merged with a node above; points,
        int32 (2m - 1,): how many are below; density, float64 (2m - 1,): where its children split.
    """
    m = len(linkage) + 1
    up, points = np.full(2 * m - 1, -1, dtype=np.int32), np.ones(2 * m - 1, dtype=np.int32)
    density, top = np.full(2 * m - 1, np.inf), np.arange(2 * m - 1)
    for row in range(m - 2, -1, -1):
        node = m + row
        points[node] = int(linkage[row, 3])
        density[node] = 1.0 / linkage[row, 2] if linkage[row, 2] > 0 else np.inf
        for side in range(2):
            child = int(linkage[row, side])
            if child >= m and linkage[child - m, 2] == linkage[row, 2]:
                top[child] = top[node]
            else:
                up[child] = top[node]
    return up, points, density


@njit(cache=True, nogil=True)
def tree_labels(up, points, density, min_cluster_size):  # type: ignore[no-untyped-def]
    """Return the cluster of each point, int32 (m,), -1 = none, in no particular numbering.

    Args:
        up, points, density: see ``forest``.
        min_cluster_size: fewest points of a cluster.
    """
    nodes = len(up)
    m = (nodes + 1) // 2
    big, small = np.zeros(nodes, dtype=np.int32), np.zeros(nodes, dtype=np.int32)
    for node in range(nodes):
        if up[node] >= 0:
            if points[node] >= min_cluster_size:
                big[up[node]] += 1
            else:
                small[up[node]] += points[node]
    cluster, whole = np.zeros(nodes, dtype=np.int32), np.zeros(nodes, dtype=np.bool_)
    parent, birth, stability = np.full(m, -1, dtype=np.int32), np.zeros(m), np.zeros(m)
    whole[nodes - 1], count = True, 1
    for node in range(nodes - 1, -1, -1):
        above = up[node]
        if above >= 0:
            cluster[node] = cluster[above]
            whole[node] = whole[above] and points[node] >= min_cluster_size
            if whole[node] and big[above] > 1:
                cluster[node], parent[count], birth[count] = count, cluster[above], density[above]
                count += 1
        if whole[node] and node >= m:
            own = cluster[node]
            stability[own] += (density[node] - birth[own]) * (small[node] if big[node] == 1 else points[node])
    return _chosen(cluster[:m], parent[:count], stability[:count])


@njit(cache=True, nogil=True)
def _chosen(cluster, parent, stability):  # type: ignore[no-untyped-def]
    """Choose the clusters that are at least as stable as those they split into, and label the points."""
    below, chosen = np.zeros(len(parent)), np.zeros(len(parent), dtype=np.bool_)
    for own in range(len(parent) - 1, 0, -1):
        chosen[own] = not below[own] > stability[own]
        below[parent[own]] += stability[own] if chosen[own] else below[own]
    label = np.full(len(parent), -1, dtype=np.int32)
    for own in range(1, len(parent)):
        above = label[parent[own]]
        label[own] = above if above >= 0 else (own if chosen[own] else -1)
    return label[cluster]


UNCLUSTERED = -1
CORE_POINTS = 10
LARGEST_SHARE = 0.2

Noise = Literal["leave", "vote"]


@dataclass(frozen=True)
class SweepPoint:
    """The clusters of HDBSCAN at one setting; documents at one place count once.

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
    """HDBSCAN's tree of the places on the map, which gives the clusters of any minimum size quickly.

    Points at one place count once: copies of a text neither make a region dense nor split one. If a place is in no
    cluster and holds enough points, they are a cluster of their own.

    Attributes:
        group: int64 (m,), the place of each point.
        places: how many there are.
        nodes: the tree, see ``forest``; None for fewer than three places.
    """

    group: NDArray[np.int64]
    places: int
    nodes: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]] | None

    @classmethod
    def of(cls, points: NDArray[np.floating[Any]], *, core_points: int = CORE_POINTS) -> DensityTree:
        """Build the tree; the same on any number of threads.

        Args:
            points: (m, 2), finite.
            core_points: HDBSCAN's ``min_samples``.
        """
        wide = np.asarray(points, dtype=np.float64)
        rows, group = different_places(wide)
        nodes = forest(linkage_of(wide[rows], core_points=core_points)) if len(rows) > 2 else None
        return cls(group, len(rows), nodes)

    def labels(self, min_cluster_size: int) -> NDArray[np.int32]:
        """Return the clusters of at least so many places, int32 (m,), -1 = none; numbered by size, largest 0.

        So many points at one place that is in no cluster are a cluster as well.
        """
        least = max(2, min_cluster_size)
        labels = self._of_places(least)
        alone = np.flatnonzero((labels < 0) & (np.bincount(self.group, minlength=self.places) >= least))
        labels[alone] = int(labels.max(initial=UNCLUSTERED)) + 1 + np.arange(len(alone), dtype=np.int32)
        return number_by_size(labels[self.group])

    def _of_places(self, least: int) -> NDArray[np.int32]:
        if self.nodes is None:
            return np.full(self.places, UNCLUSTERED, dtype=np.int32)
        return number_by_size(tree_labels(*self.nodes, least))

    def sweep(self, sizes: Sequence[int] | None = None) -> tuple[SweepPoint, ...]:
        """Return what each minimum size gives; None for a geometric series from 10 to a fiftieth of the places."""
        chosen = sweep_sizes(self.places) if sizes is None else sizes
        return tuple(self._sweep_point(size) for size in chosen)

    def _sweep_point(self, size: int) -> SweepPoint:
        labels = self._of_places(max(2, size))
        counts = np.bincount(labels[labels >= 0])
        total = max(len(labels), 1)
        return SweepPoint(
            int(size),
            len(counts),
            float((labels < 0).mean()) if len(labels) else 0.0,
            float(counts.max(initial=0)) / total,
        )


def different_places(points: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first row at each place, int64 (u,), ascending, and the place of each row, int64 (m,).

    Args:
        points: (m, 2), finite.
    """
    if not len(points):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    pairs = np.ascontiguousarray(points + 0.0).view(np.complex128)[:, 0]
    _, first, group = np.unique(pairs, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty(len(first), dtype=np.int64)
    number[order] = np.arange(len(first))
    return first[order].astype(np.int64), number[group]


def sweep_sizes(points: int) -> list[int]:
    """Return the minimum sizes worth trying, ascending."""
    largest = max(10, points // 50)
    count = max(2, round(3 * np.log2(largest / 10)) + 1) if largest > 10 else 1
    return sorted({round(size) for size in np.geomspace(10, largest, count)})


def wanted_clusters(points: int) -> float:
    """Return a readable number of clusters for so many documents, about ``0.4 sqrt(points)``, at least 2."""
    return max(2.0, 0.4 * float(np.sqrt(points)))


def fitting_size(sweep: Sequence[SweepPoint], points: int) -> int:
    """Return the minimum size that gives a readable number of clusters.

    The target is ``wanted_clusters``. A setting whose largest cluster holds more than a fifth of the documents is
    chosen only if there is no other, since HDBSCAN then joins nearly everything.
    """
    wanted = wanted_clusters(points)
    sound = [point for point in sweep if point.clusters >= 2 and point.largest <= LARGEST_SHARE]
    choice = sound or [point for point in sweep if point.clusters >= 1] or list(sweep)
    if not choice:
        raise SettingError("There are no settings to choose from")
    return min(choice, key=lambda p: (abs(np.log(max(p.clusters, 1) / wanted)), p.min_cluster_size)).min_cluster_size


def number_by_size(labels: NDArray[np.int32]) -> NDArray[np.int32]:
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
    # Late: scipy.
    from scipy.cluster.hierarchy import fcluster, linkage

    k = len(centroids)
    wanted = min(24, max(1, round(np.sqrt(k)))) if count is None else count
    if k <= max(wanted, 2):
        return np.arange(k, dtype=np.int32) if k <= wanted else np.zeros(k, dtype=np.int32)
    tree = linkage(centroids.astype(np.float64), method="ward")
    return number_by_size(fcluster(tree, wanted, criterion="maxclust").astype(np.int32) - 1)

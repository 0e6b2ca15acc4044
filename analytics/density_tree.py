"""HDBSCAN's clusters of any minimum size from one tree of densities, in one pass over the tree a size.

Campello, Moulavi, Zimek, Sander 2015, "Hierarchical Density Estimates for Data Clustering, Visualization, and Outlier
Detection", ACM TKDD 10(1): mutual reachability, condensed tree, stability of a cluster, selection of the most stable
clusters, none of which is the root. Spanning trees come from the packages hdbscan and, for many points, fast_hdbscan.
Which of several equally short spanning trees they find does not matter, since branches that part at the same distance
part at once here: the same points have the same clusters on any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

MANY_POINTS = 300_000
"""From here on the parallel package pays: it takes half a minute to compile when it is used first, and on fewer points
the other one takes at most twelve seconds."""


def linkage_of(points: NDArray[np.float64], *, core_points: int, many: int = MANY_POINTS) -> NDArray[np.float64]:
    """Return the single-linkage tree of mutual reachability, float64 (m - 1, 4), rows as scipy has them.

    Args:
        points: (m, 2), finite, m > 2.
        core_points: HDBSCAN's ``min_samples``.
        many: how many points are many, see ``MANY_POINTS``; changes no cluster.
    """
    from hdbscan._hdbscan_linkage import label
    from scipy.spatial import cKDTree

    few = min(core_points, len(points) - 1)
    pairs = _spanned_in_parallel(points, few) if len(points) >= many else _spanned(points, few)
    core = cKDTree(points).query(points, k=few + 1, workers=-1)[0][:, -1]
    left, right = pairs.T
    apart = np.sqrt(((points[left] - points[right]) ** 2).sum(axis=1))
    weight = np.maximum(apart, np.maximum(core[left], core[right])).astype(np.float32)
    order = np.argsort(weight, kind="stable")
    tree: NDArray[np.float64] = label(np.column_stack([left, right, weight]).astype(np.float64)[order])
    return tree


def _spanned(points: NDArray[np.float64], few: int) -> NDArray[np.int64]:
    """Return the pairs of a minimum spanning tree, int64 (m - 1, 2)."""
    import hdbscan

    # The package also finds clusters, which are not wanted: with this size there are next to none.
    fitted = hdbscan.HDBSCAN(
        min_cluster_size=max(2, len(points) // 2),
        min_samples=few,
        approx_min_span_tree=False,
        gen_min_span_tree=True,
        core_dist_n_jobs=1,
    ).fit(points)
    tree: NDArray[Any] = fitted.minimum_spanning_tree_.to_numpy()
    return tree[:, :2].astype(np.int64)


def _spanned_in_parallel(points: NDArray[np.float64], few: int) -> NDArray[np.int64]:
    from fast_hdbscan.hdbscan import compute_minimum_spanning_tree

    tree: NDArray[Any] = compute_minimum_spanning_tree(points, min_samples=few)[0]
    return tree[:, :2].astype(np.int64)


@njit(cache=True, nogil=True)
def forest(linkage):  # type: ignore[no-untyped-def]
    """Return the tree with branches that part at the same distance as children of one node.

    Args:
        linkage: float64 (m - 1, 4): children, distance and points of each inner node, nearest first.

    Returns:
        up, int32 (2m - 1,): the node each node is a child of, -1 for the root and for nodes that are one with a node
        above; points, int32 (2m - 1,): how many are below; density, float64 (2m - 1,): where its children part.
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
    """Choose the clusters that are at least as stable as those they split into, and label points by them."""
    below, chosen = np.zeros(len(parent)), np.zeros(len(parent), dtype=np.bool_)
    for own in range(len(parent) - 1, 0, -1):
        chosen[own] = not below[own] > stability[own]
        below[parent[own]] += stability[own] if chosen[own] else below[own]
    label = np.full(len(parent), -1, dtype=np.int32)
    for own in range(1, len(parent)):
        above = label[parent[own]]
        label[own] = above if above >= 0 else (own if chosen[own] else -1)
    return label[cluster]

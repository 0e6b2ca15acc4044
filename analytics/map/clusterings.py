"""Clustering methods behind one interface: each is a function of the map and the embedding.

A new method is one more ``CLUSTERINGS.register``; naming, edits, centroids, rules and the pages work with its labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.embedding.kmeans import spherical_kmeans
from tamis.analytics.map.density_clusters import CORE_POINTS, DensityTree, SweepPoint, fitting_size, wanted_clusters
from tamis.data.errors import SettingError

HDBSCAN = "hdbscan"


def _never() -> None:
    return None


@dataclass(frozen=True, eq=False)
class ClusteringInput:
    """The input of a clustering method; rows are documents in facts order.

    Attributes:
        positions: (n, 2), positions on the map, float32, or float64 if float32 cannot tell them apart; NaN for
            documents without.
        vectors: returns the embedding, float16 (n, d), rows of zeros for documents without.
        check: called between pieces of work, may raise.
    """

    positions: NDArray[np.floating[Any]]
    vectors: Callable[[], NDArray[np.float16]]
    check: Callable[[], None] = _never


@dataclass(frozen=True)
class Fineness:
    """How fine the clusters are.

    Attributes:
        min_cluster_size: fewest documents of a cluster (k-means: documents on average); None lets the method choose.
        core_points: HDBSCAN's ``min_samples``.
        seed: of everything random.
    """

    min_cluster_size: int | None = None
    core_points: int = CORE_POINTS
    seed: int = 0

    def __post_init__(self) -> None:
        if self.min_cluster_size is not None and self.min_cluster_size < 2:
            raise SettingError("Fewest documents of a cluster", value=self.min_cluster_size, allowed="2 or more")


@dataclass(frozen=True, eq=False)
class Found:
    """Clusters that a method found.

    Attributes:
        labels: int32 (n,), -1 = in no cluster.
        words: description of the method, for people.
        settings: the settings used, JSON values, ``min_cluster_size`` among them.
        sweep: results of other sizes, if the method has them.
    """

    labels: NDArray[np.int32]
    words: str
    settings: Mapping[str, Any]
    sweep: tuple[SweepPoint, ...] = ()


@dataclass(frozen=True)
class ClusteringMethod:
    """A clustering method.

    Attributes:
        name: its name in options.
        help: one sentence for people.
        find: the function; the same arguments give the same bytes on any machine and number of threads.
    """

    name: str
    help: str
    find: Callable[[ClusteringInput, Fineness], Found]


class ClusteringRegistry:
    """All clustering methods by name."""

    def __init__(self) -> None:
        self._known: dict[str, ClusteringMethod] = {}

    def register(self, clustering: ClusteringMethod) -> ClusteringMethod:
        """Add a method; registering the same name again replaces it."""
        self._known[clustering.name] = clustering
        return clustering

    def remove(self, name: str) -> None:
        """Remove a method."""
        del self._known[name]

    def get(self, name: str) -> ClusteringMethod:
        """Return a method by name.

        Raises:
            SettingError: unknown name.
        """
        if name not in self._known:
            raise SettingError("Unknown clustering", value=name, allowed=self.names())
        return self._known[name]

    def names(self) -> tuple[str, ...]:
        """Return all names, in the order of registration."""
        return tuple(self._known)


CLUSTERINGS = ClusteringRegistry()


def _dense(known: ClusteringInput, fineness: Fineness) -> Found:
    there = np.flatnonzero(np.isfinite(known.positions[:, 0]))
    tree = DensityTree.of(known.positions[there], core_points=fineness.core_points)
    known.check()
    sweep = tree.sweep()
    size = fineness.min_cluster_size or fitting_size(sweep, tree.places)
    labels = np.full(len(known.positions), -1, dtype=np.int32)
    labels[there] = tree.labels(size)
    settings = {"min_cluster_size": size, "core_points": fineness.core_points}
    return Found(labels, f"hdbscan on the map, at least {size} documents", settings, sweep)


def _divided(known: ClusteringInput, fineness: Fineness) -> Found:
    vectors = known.vectors()
    embedded = int(vectors.any(axis=1).sum())
    size = fineness.min_cluster_size or max(2, round(embedded / wanted_clusters(embedded)))
    count = max(1, embedded // size)
    labels = np.full(len(vectors), -1, dtype=np.int32)
    if embedded:
        labels = spherical_kmeans(
            vectors, count, seed=fineness.seed, iterations=20, sample=256 * count, check=known.check
        ).labels
    words = f"spherical k-means of the embedding, {size} documents a cluster on average"
    return Found(labels, words, {"min_cluster_size": size, "k": count})


CLUSTERINGS.register(ClusteringMethod(HDBSCAN, "Dense regions of the map; sparse documents are in no cluster.", _dense))
CLUSTERINGS.register(
    ClusteringMethod("k-means", "Regions of the embedding; every document with a vector is in one.", _divided)
)

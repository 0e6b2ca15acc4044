"""How much of the neighbourhoods a map keeps, measured on a sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.knn import Graph

SAMPLE = 2000
K = 15


@dataclass(frozen=True)
class MapQuality:
    """Two figures about a map, both higher is better.

    Attributes:
        preservation: share of the nearest neighbours in the embedding that are among the nearest on the map.
        trustworthiness: 1 minus a penalty for neighbours on the map that are far in the embedding (Venna and Kaski
            2001), among the documents of the sample only.
        k: neighbours looked at.
        sample: documents it was measured on.
        documents: documents on the map.
    """

    preservation: float
    trustworthiness: float
    k: int
    sample: int
    documents: int


def map_quality(
    vectors: NDArray[np.float16], graph: Graph, positions: NDArray[np.float32], *, seed: int = 0, sample: int = SAMPLE
) -> MapQuality:
    """Measure a map.

    Args:
        vectors: (n, d), unit rows.
        graph: of the vectors.
        positions: float32 (n, 2), NaN for documents off the map.
        seed: of the sample.
        sample: number of documents, fewer when there are fewer.
    """
    from scipy.spatial import cKDTree

    there = np.flatnonzero(np.isfinite(positions[:, 0]))
    if len(there) < 4:
        return MapQuality(1.0, 1.0, 0, len(there), len(there))
    k = int(min(K, graph.k, (len(there) - 1) // 2))
    picked = np.sort(np.random.default_rng(seed).choice(there, size=min(sample, len(there)), replace=False))
    beside = there[cKDTree(positions[there]).query(positions[picked], k=k + 1)[1]]
    kept = 0
    for row, others in zip(picked, beside, strict=True):
        kept += len(np.intersect1d(others[others != row][:k], graph.indices[row, :k]))
    return MapQuality(
        preservation=kept / (len(picked) * k),
        trustworthiness=_trustworthiness(vectors[picked], positions[picked], min(k, (len(picked) - 1) // 2)),
        k=k,
        sample=len(picked),
        documents=len(there),
    )


def _trustworthiness(vectors: NDArray[np.float16], positions: NDArray[np.float32], k: int) -> float:
    from sklearn.manifold import trustworthiness

    return float(trustworthiness(vectors.astype(np.float32), positions, n_neighbors=max(k, 1), metric="cosine"))

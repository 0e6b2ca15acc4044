"""How complex a concept is, by three measures side by side: elephants (simple, many) and dogs (many kinds).

* **geometric**: mean cosine distance of members to their centroid times mean distance to the 20 nearest other centroids
  (Abbas et al. 2024, arXiv 2401.04578). On text it takes templated documents for complex ones.
* **redundancy-aware**: mean distance to the centroid divided by how well the members' words compress together.
* **measured**: what the last doubling of training documents still gains in bits per byte of held-out members.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.ngram import last_gain, learning_curve
from tamis.analytics.vocabulary import WordStream
from tamis.data.hashing import salted

NEAREST = 20
CURVE = (15, 30, 60, 120, 240)
HELD_OUT = 40
COMPRESSED_BYTES = 64 << 10


@dataclass(frozen=True)
class TextProfile:
    """What the words of a concept's members tell.

    Attributes:
        compression: text bytes per byte of the compressed word stream of up to 64 kB.
        curve: float64 (len(CURVE),), bits per byte of held-out members after 15, 30, ... documents, NaN beyond.
        gain: what the last doubling gains, bits per byte, NaN without two points.
    """

    compression: float
    curve: NDArray[np.float64]
    gain: float


def spread(
    vectors: NDArray[np.floating], labels: NDArray[np.int32], centroids: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the mean cosine distance of members to their centroid, float64 (k,), NaN for empty concepts.

    Args:
        vectors: (n, d), unit rows.
        labels: int32 (n,), place of each document's centroid, -1 for none.
        centroids: float32 (k, d), unit rows.
    """
    sums = np.zeros(len(centroids))
    for first in range(0, len(vectors), 65_536):
        part = np.asarray(vectors[first : first + 65_536], dtype=np.float32)
        own = labels[first : first + 65_536]
        known = own >= 0
        distance = 1.0 - np.einsum("nd,nd->n", part[known], centroids[own[known]]).astype(np.float64)
        np.add.at(sums, own[known], distance)
    sizes = np.bincount(labels[labels >= 0], minlength=len(centroids))
    return np.divide(sums, sizes, out=np.full(len(centroids), np.nan), where=sizes > 0)


def isolation(centroids: NDArray[np.float32], *, nearest: int = NEAREST) -> NDArray[np.float64]:
    """Return the mean cosine distance to the nearest other centroids, float64 (k,), NaN for a single one."""
    if len(centroids) < 2:
        return np.full(len(centroids), np.nan)
    distance = 1.0 - centroids.astype(np.float64) @ centroids.astype(np.float64).T
    np.fill_diagonal(distance, np.inf)
    most = min(nearest, len(centroids) - 1)
    return np.asarray(np.partition(distance, most - 1, axis=1)[:, :most].mean(axis=1), dtype=np.float64)


def text_profile(members: WordStream) -> TextProfile:
    """Return what members tell, given in the order of their keyed hashes; about ``CURVE[-1] + HELD_OUT`` are enough."""
    cut = int(np.searchsorted(np.cumsum(members.bytes), COMPRESSED_BYTES, side="right"))
    part = members.take(np.arange(max(cut, min(len(members), 1))))
    packed = len(zlib.compress(part.words.astype("<u2").tobytes(), 6))
    held = min(HELD_OUT, len(members) // 4)
    curve = learning_curve(members.take(np.arange(held, len(members))), members.take(np.arange(held)), sizes=CURVE)
    return TextProfile(float(part.bytes.sum()) / max(packed, 1), curve, last_gain(curve))


def profile_sample(
    keys: NDArray[np.uint64], labels: NDArray[np.int32], *, most: int = CURVE[-1] + HELD_OUT
) -> list[NDArray[np.int64]]:
    """Return for each label from 0 the documents its profile is made from, in the order of their keyed hashes."""
    order = np.lexsort((np.arange(len(keys)), salted(keys, seed=0, salt="profile"), labels))
    bounds = np.searchsorted(labels[order], np.arange(int(labels.max(initial=-1)) + 2))
    return [order[first : min(end, first + most)] for first, end in pairwise(bounds)]


def complexities(
    spreads: NDArray[np.float64], isolations: NDArray[np.float64], profiles: list[TextProfile]
) -> NDArray[np.float64]:
    """Return the three measures, float64 (k, 3), columns geometric, redundancy-aware, measured; NaN where unknown."""
    compression = np.array([profile.compression for profile in profiles])
    gains = np.array([profile.gain for profile in profiles])
    return np.column_stack([spreads * isolations, spreads / np.maximum(compression, 1e-9), gains])

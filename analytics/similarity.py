"""Exact similarity of shingle sets: what makes a candidate pair a duplicate, or not."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

Metric = Literal["jaccard", "containment"]


@njit(cache=True, nogil=True)
def shared(one, two):  # type: ignore[no-untyped-def]
    """Return how many values two ascending arrays without repeats have in common."""
    count = i = j = 0
    while i < len(one) and j < len(two):
        a, b = one[i], two[j]
        count += a == b
        i += a <= b
        j += b <= a
    return count


def similarities(
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    left: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]],
    right: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]],
    *,
    metric: Metric,
) -> NDArray[np.float32]:
    """Return the similarity of each pair, float32 (m,) in [0, 1].

    Jaccard is shared / union, containment is shared / the smaller set; both exact, rounded once to float32.

    Args:
        pairs: int64 (m,) each, document numbers into ``begin`` and ``end`` of the left and right side.
        left, right: begin int64, end int64 of each document's set, and the sets uint64, each ascending.
        metric: which similarity.
    """
    found = np.empty(len(pairs[0]), dtype=np.float32)
    _similarities(*pairs, *left, *right, metric == "containment", found)
    return found


@njit(cache=True, nogil=True)
def _similarities(a, b, begin_a, end_a, sets_a, begin_b, end_b, sets_b, contained, found):  # type: ignore[no-untyped-def]
    for k in range(len(a)):
        one = sets_a[begin_a[a[k]] : end_a[a[k]]]
        two = sets_b[begin_b[b[k]] : end_b[b[k]]]
        both = shared(one, two)
        least = min(len(one), len(two))
        whole = least if contained else len(one) + len(two) - both
        found[k] = np.float32(both / whole)

"""Coverage of documents by documents: greedy facility location on a sparse graph of similar ones.

A selection S covers document i by the similarity of its nearest member, max over j in S of s_ij, with s_ii = 1. Taking
the document that adds most, again and again, is within 1 - 1/e of the best selection of every size (Nemhauser, Wolsey
and Fisher 1978); gains only shrink, so most need not be computed again (Minoux 1978).
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.star import Graph


def coverage_order(graph: Graph) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Order all documents so that every first part covers the others as well as greedy choice can.

    Args:
        graph: similarities in [0, 1] between n documents.

    Returns:
        rank int64 (n,), 0 for the document taken first, ties to the smaller number; gain float64 (n,), by how much
        the coverage grew when it was taken, at most 1 + its number of neighbours.
    """
    rank = np.empty(len(graph), dtype=np.int64)
    gain = np.empty(len(graph), dtype=np.float64)
    _greedy(graph.starts, graph.neighbours, graph.similarity, rank, gain)
    return rank, gain


@njit(cache=True, nogil=True)
def _gain(starts, neighbours, similarity, covered, document):  # type: ignore[no-untyped-def]
    total = 1.0 - covered[document]
    for k in range(starts[document], starts[document + 1]):
        total += max(0.0, np.float64(similarity[k]) - covered[neighbours[k]])
    return total


@njit(cache=True, nogil=True)
def _greedy(starts, neighbours, similarity, rank, gain):  # type: ignore[no-untyped-def]
    count = len(rank)
    covered = np.zeros(count, dtype=np.float64)
    waiting = [(-_gain(starts, neighbours, similarity, covered, d), d) for d in range(count)]
    heapify(waiting)
    taken = 0
    while len(waiting) > 0:
        _, document = heappop(waiting)
        now = _gain(starts, neighbours, similarity, covered, document)
        if len(waiting) > 0 and (-now, document) > waiting[0]:
            heappush(waiting, (-now, document))
            continue
        rank[document], gain[document] = taken, now
        taken += 1
        covered[document] = 1.0
        for k in range(starts[document], starts[document + 1]):
            covered[neighbours[k]] = max(covered[neighbours[k]], np.float64(similarity[k]))


def nearest_chosen(graph: Graph, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the most similar chosen neighbour of each document that is not chosen, and how similar it is.

    Returns:
        int64 (n,), -1 where there is none; float32 (n,), NaN where there is none. Ties go to the smaller number.
    """
    twin = np.full(len(graph), -1, dtype=np.int64)
    value = np.full(len(graph), np.nan, dtype=np.float32)
    owner = np.repeat(np.arange(len(graph)), np.diff(graph.starts))
    use = chosen[graph.neighbours] & ~chosen[owner]
    owner, other, similarity = owner[use], graph.neighbours[use], graph.similarity[use]
    order = np.lexsort((other, -similarity, owner))
    owner, other, similarity = owner[order], other[order], similarity[order]
    first = np.r_[True, owner[1:] != owner[:-1]] if len(owner) else np.zeros(0, dtype=bool)
    twin[owner[first]], value[owner[first]] = other[first], similarity[first]
    return twin, value

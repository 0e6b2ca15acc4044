"""Groups of rows with equal vectors, and the neighbours of all rows from those of one row per group.

A text that occurs a thousand times is one point on the map. Its copies give no information about its surroundings, and
if they are all its neighbours the graph is disconnected there; so neighbours, map and clusters are computed from the
distinct vectors, and copies share the results.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.embedding.neighbours import KnnGraph
from tamis.data.hashing import mix_keys

_BLOCK = 65_536


@dataclass(frozen=True, eq=False)
class Copies:
    """Rows with equal vectors.

    Attributes:
        rows: int64 (u,), ascending, the first row of each distinct vector; every row of zeros counts as distinct.
        group: int64 (n,), index into ``rows`` of the vector that each row equals.
    """

    rows: NDArray[np.int64]
    group: NDArray[np.int64]

    @classmethod
    def of(cls, vectors: NDArray[np.float16]) -> Copies:
        """Find equal rows of (n, d) exactly: by a hash of each row, repeated with new seeds until none collides."""
        seed = 0
        while True:
            found = cls._by(_hashes(vectors, seed))
            if found._agree(vectors):
                return found
            seed += 1

    @classmethod
    def _by(cls, hashes: NDArray[np.uint64]) -> Copies:
        _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
        order = np.argsort(first)
        number = np.empty(len(first), dtype=np.int64)
        number[order] = np.arange(len(first))
        return cls(first[order].astype(np.int64), number[group])

    def _agree(self, vectors: NDArray[np.float16]) -> bool:
        same = self.rows[self.group]
        copies = np.flatnonzero(same != np.arange(len(same)))
        parts = (copies[first : first + _BLOCK] for first in range(0, len(copies), _BLOCK))
        return all(np.array_equal(vectors[part], vectors[same[part]], equal_nan=True) for part in parts)

    @property
    def count(self) -> int:
        """Return the number of rows that equal an earlier one."""
        return len(self.group) - len(self.rows)


def equal_rows(known: NDArray[np.float16], wanted: NDArray[np.float16]) -> NDArray[np.int64]:
    """Return for each wanted vector the first known one that equals it, int64 (m,), -1 if none does or it is zero."""
    found = np.full(len(wanted), -1, dtype=np.int64)
    rest, seed = np.flatnonzero(wanted.any(axis=1)), 0
    while len(rest) and len(known):
        values, first = np.unique(_hashes(known, seed), return_index=True)
        sought = _hashes(wanted[rest], seed)
        places = np.minimum(np.searchsorted(values, sought), len(values) - 1)
        there = values[places] == sought
        rest, rows = rest[there], first[places[there]]
        same = (known[rows] == wanted[rest]).all(axis=1)
        found[rest[same]] = rows[same]
        # Unequal vectors of equal hashes are looked for again by other hashes.
        rest, seed = rest[~same], seed + 1
    return found


def _hashes(vectors: NDArray[np.float16], seed: int) -> NDArray[np.uint64]:
    """Return a hash of each row, uint64 (n,); each row of zeros gets its own."""
    factors = mix_keys(np.arange(vectors.shape[1], dtype=np.uint64), seed=seed, salt="copies")
    hashes = np.empty(len(vectors), dtype=np.uint64)
    for first in range(0, len(vectors), _BLOCK):
        # Zero has two bit patterns, which are equal.
        part = vectors[first : first + _BLOCK] + np.float16(0.0)
        _hash_rows(part.view(np.uint16), factors, hashes[first : first + len(part)])
    empty = np.flatnonzero(~vectors.any(axis=1))
    hashes[empty] = mix_keys(empty.astype(np.uint64), seed=seed, salt="empty")
    return hashes


@njit(cache=True, nogil=True)
def _hash_rows(bits, factors, hashes):  # type: ignore[no-untyped-def]
    for i in range(len(bits)):
        total = np.uint64(0)
        for j in range(len(factors)):
            total += np.uint64(bits[i, j]) * factors[j]
        hashes[i] = total ^ (total >> np.uint64(32))


def graph_of_all(graph: KnnGraph, copies: Copies) -> KnnGraph:
    """Return the graph of all rows from that of the distinct vectors; copies have distance 0.

    Args:
        graph: of the vectors ``copies.rows``.
        copies: of all vectors.
    """
    if not copies.count:
        return graph
    shape = (len(copies.group), graph.k)
    indices, distances = np.full(shape, -1, dtype=np.int32), np.full(shape, np.inf, dtype=np.float32)
    members = np.argsort(copies.group, kind="stable").astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(copies.group, minlength=len(copies.rows)))]).astype(np.int64)
    _hand_out(graph.indices, graph.distances, members, starts, indices, distances)
    return KnnGraph(indices, distances, graph.method, graph.recall, graph.recall_rows)


@njit(cache=True, nogil=True)
def _hand_out(near, far, members, starts, indices, distances):  # type: ignore[no-untyped-def]
    """Write the neighbours of each row: nearest first, ties by row.

    Args:
        near, far: (u, k), graph of the distinct vectors.
        members: int32 (n,), rows by vector, ascending within one.
        starts: int64 (u + 1,), where the rows of each vector begin.
        indices, distances: (n, k), filled.
    """
    k = near.shape[1]
    rows, apart = np.empty(k + 1, dtype=np.int32), np.empty(k + 1, dtype=np.float32)
    for own in range(len(near)):
        known = 0
        for p in range(-1, k):
            other, distance = (own, np.float32(0.0)) if p < 0 else (np.int64(near[own, p]), far[own, p])
            if other < 0 or (known == k + 1 and distance > apart[k]):
                break
            for m in range(starts[other], min(starts[other + 1], starts[other] + k + 1)):
                place = known
                while place > 0 and (
                    distance < apart[place - 1] or (distance == apart[place - 1] and members[m] < rows[place - 1])
                ):
                    place -= 1
                if place > k:
                    break
                known = min(known + 1, k + 1)
                for q in range(known - 1, place, -1):
                    rows[q], apart[q] = rows[q - 1], apart[q - 1]
                rows[place], apart[place] = members[m], distance
        for m in range(starts[own], starts[own + 1]):
            place = 0
            for q in range(known):
                if rows[q] != members[m] and place < k:
                    indices[members[m], place], distances[members[m], place] = rows[q], apart[q]
                    place += 1

"""Candidates for containment: documents that share one of their rarest sampled shingles.

MinHash misses a short text inside a long one, since their Jaccard similarity is small. Here every shingle whose hash
falls into one class of ``RATE`` is a key, the same class in every document. A text that is contained in another shares
most of its keys with it, so it is enough that it asks with its rarest ones: at containment c it has about
``(1 - c) k`` of k keys for itself, and asks with ``(1 - floor) k + SPARE`` of those that it shares with anybody. Common
shingles (boilerplate) are then hardly ever asked for. A contained text of m shingles is missed with a chance of about
``(1 - 1 / RATE) ** (c m)``: 6% for 10 shingles, 0.3% for 20.
Sources: Broder 1997 (sampling by classes); Chaudhuri, Ganti, Kaushik 2006 (prefix filtering).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.lsh import ALL_PAIRS, HUBS, Crowding, Range, Sizes, distinct, longest_first, pieces_of
from tamis.analytics.shingles import Shingles, mix

RATE = 4
SPARE = 2


def sampled(shingles: Shingles) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the keys of all documents, uint64 (s,), and how many each has, int64 (n,)."""
    keys = np.empty(len(shingles.hashes), dtype=np.uint64)
    counts = np.zeros(len(shingles), dtype=np.int64)
    total = _sampled(shingles.starts, shingles.hashes, keys, counts)
    return keys[:total], counts


class SampleCandidates:
    """Pairs of which one asked for a key that the other has; a pair may come once per range.

    Args:
        keys: uint64 (s,), keys of documents numbered in id order, one document after the other.
        counts: int64 (n,), how many each document has.
        sizes: of the same documents.
        floor: smallest containment that matters.
    """

    def __init__(self, keys: NDArray[np.uint64], counts: NDArray[np.int64], sizes: Sizes, *, floor: float) -> None:
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        first = np.ones(len(keys), dtype=bool)
        first[1:] = ordered[1:] != ordered[:-1]
        self._starts = np.append(np.flatnonzero(first), len(keys))
        lengths = np.diff(self._starts)
        shared = np.empty(len(keys), dtype=np.int64)
        shared[order] = np.repeat(lengths, lengths)
        asks = np.zeros(len(keys), dtype=np.bool_)
        _ask(np.append(0, np.cumsum(counts)), shared, floor, asks)
        self._owners = np.repeat(np.arange(len(counts)), counts)[order]
        self._asks = asks[order]
        self._sizes = sizes
        self.crowding = Crowding(int(lengths.max(initial=0)), int(np.count_nonzero(lengths > ALL_PAIRS)))

    def ranges(self) -> Sequence[Range]:
        """Return all buckets, key by key."""
        return [Range(0, low, high) for low, high in pieces_of(self._starts)]

    def buckets(self, chosen: Range) -> SampleBuckets:
        """Return the buckets of a range."""
        begin, end = self._starts[chosen.low], self._starts[chosen.high]
        starts, owners = self._starts[chosen.low : chosen.high + 1] - begin, self._owners[begin:end]
        return SampleBuckets(owners, self._asks[begin:end], starts, longest_first(owners, starts, self._sizes))


@dataclass(frozen=True, eq=False)
class SampleBuckets:
    """Buckets of sampled shingles.

    Attributes:
        owners: int64 (k,), documents bucket by bucket, by number.
        asks: bool (k,), whether the document asks with this key.
        starts: int64 (b + 1,), where each bucket begins.
        by_length: int64 (k,), documents bucket by bucket, from the longest to the shortest.
    """

    owners: NDArray[np.int64]
    asks: NDArray[np.bool_]
    starts: NDArray[np.int64]
    by_length: NDArray[np.int64]

    def codes(self) -> NDArray[np.uint64]:
        """Return the pairs."""
        part = (self.owners, self.asks, self.starts, self.by_length)
        codes = np.empty(_emit(*part, np.empty(0, dtype=np.uint64)), dtype=np.uint64)
        _emit(*part, codes)
        return distinct(codes)


@njit(cache=True, nogil=True)
def _sampled(starts, hashes, keys, counts):  # type: ignore[no-untyped-def]
    total = 0
    for n in range(len(starts) - 1):
        for i in range(starts[n], starts[n + 1]):
            if mix(hashes[i]) % np.uint64(RATE) == 0:
                keys[total] = hashes[i]
                total += 1
                counts[n] += 1
    return total


@njit(cache=True, nogil=True)
def _ask(starts, shared, floor, asks):  # type: ignore[no-untyped-def]
    """Mark the rarest keys of each document among those that another document has."""
    for n in range(len(starts) - 1):
        first, end = starts[n], starts[n + 1]
        usable = np.sort(shared[first:end][shared[first:end] > 1])
        if len(usable) == 0:
            continue
        wanted = int(np.ceil((1.0 - floor) * (end - first))) + SPARE
        wanted = wanted if wanted < len(usable) else len(usable)
        limit = usable[wanted - 1]
        for i in range(first, end):
            asks[i] = 1 < shared[i] <= limit


@njit(cache=True, nogil=True)
def _emit(owners, asks, starts, by_length, codes):  # type: ignore[no-untyped-def]
    """Write the codes of all pairs, or only count them when ``codes`` is empty."""
    count = 0
    for bucket in range(len(starts) - 1):
        first, end = starts[bucket], starts[bucket + 1]
        crowded = end - first > ALL_PAIRS
        for i in range(first, end):
            if not asks[i]:
                continue
            last = first + 2 * HUBS if crowded else end
            for j in range(first, last):
                other = by_length[j] if crowded else owners[j]
                if other == owners[i] or (not crowded and asks[j] and j < i):
                    continue
                if len(codes):
                    left, right = min(owners[i], other), max(owners[i], other)
                    codes[count] = (np.uint64(left) << np.uint64(32)) | np.uint64(right)
                count += 1
    return count

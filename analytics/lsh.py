"""Candidate pairs: documents that share a bucket. Candidates are not duplicates until their similarity is computed.

In a bucket of at most ``ALL_PAIRS`` documents every pair is a candidate. In a larger one that would be quadratic, so
every document meets the hubs of the bucket (its longest, its shortest and its first documents by id) and ``RING``
others spread over it. Hubs are what the common keep policies keep, so a family of many near-copies still falls to them;
a pair that is left out can only keep a document that could have been dropped, never drop one wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.shingles import mix

ALL_PAIRS = 1024
HUBS = 64
RING = 64


@dataclass(frozen=True)
class Candidates:
    """Pairs to verify.

    Attributes:
        left, right: int64 (m,), document numbers, ``left < right``, sorted, distinct.
        largest: size of the largest bucket.
        crowded: number of buckets with more than ``ALL_PAIRS`` documents, where not every pair is a candidate.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    largest: int
    crowded: int

    def __len__(self) -> int:
        return len(self.left)

    @classmethod
    def of_codes(cls, codes: NDArray[np.uint64], largest: int, crowded: int) -> Candidates:
        """Return the pairs of distinct codes ``left << 32 | right``."""
        codes.sort()
        left = (codes >> np.uint64(32)).astype(np.int64)
        return cls(left, (codes & np.uint64(0xFFFFFFFF)).astype(np.int64), largest, crowded)


@dataclass(frozen=True)
class Sizes:
    """What is known about documents before their sets are compared.

    Attributes:
        shingles: int64 (n,), size of each shingle set.
        bytes: int64 (n,), length of each text: the order of hubs.
        ratio: smallest ratio of two set sizes that can reach the wanted similarity; 0 where any can.
    """

    shingles: NDArray[np.int64]
    bytes: NDArray[np.int64]
    ratio: float


def band_candidates(keys: NDArray[np.uint64], sizes: Sizes) -> Candidates:
    """Return pairs that agree in at least one band.

    Args:
        keys: uint64 (n, bands), band keys of documents numbered in id order.
        sizes: of the same documents.
    """
    codes: list[NDArray[np.uint64]] = []
    largest = crowded = 0
    for band in range(keys.shape[1]):
        order, starts = buckets(keys[:, band])
        lengths = np.diff(starts)
        largest = max(largest, int(lengths.max(initial=0)))
        crowded += int(np.count_nonzero(lengths > ALL_PAIRS))
        # A pair that met in an earlier band is known already.
        codes.append(_pairs_of(order, starts, keys[:, :band], sizes))
    return Candidates.of_codes(np.concatenate([np.empty(0, dtype=np.uint64), *codes]), largest, crowded)


def buckets(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return documents ordered by (key, number), int64 (n,), and where each bucket of two or more begins and ends.

    Returns:
        order: int64 (k,), the documents of those buckets; starts: int64 (b + 1,), where each bucket begins in it.
    """
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    same = ordered[1:] == ordered[:-1]
    crowd = np.zeros(len(keys), dtype=bool)
    crowd[1:] |= same
    crowd[:-1] |= same
    first = np.ones(len(keys), dtype=bool)
    first[1:] = ~same
    starts = np.flatnonzero(first[crowd])
    return order[crowd], np.append(starts, int(crowd.sum()))


def _pairs_of(
    order: NDArray[np.int64], starts: NDArray[np.int64], known: NDArray[np.uint64], sizes: Sizes
) -> NDArray[np.uint64]:
    """Return the codes ``left << 32 | right`` of the pairs of all buckets, distinct."""
    by_length = longest_first(order, starts, sizes)
    arguments = (order, by_length, starts, np.ascontiguousarray(known), sizes.shingles, sizes.ratio)
    count = _emit(*arguments, np.empty(0, dtype=np.uint64))
    codes = np.empty(count, dtype=np.uint64)
    _emit(*arguments, codes)
    return distinct(codes) if np.any(np.diff(starts) > ALL_PAIRS) else codes


def distinct(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return codes in ascending order without repeats; sorts in place, which is faster here than by hashing."""
    codes.sort()
    fresh = np.ones(len(codes), dtype=bool)
    np.not_equal(codes[1:], codes[:-1], out=fresh[1:])
    return codes[fresh]


def longest_first(order: NDArray[np.int64], starts: NDArray[np.int64], sizes: Sizes) -> NDArray[np.int64]:
    """Return the documents of each bucket from the longest to the shortest, ties by number, int64 (k,)."""
    bucket = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return order[np.lexsort((order, -sizes.bytes[order], bucket))]


@njit(cache=True, nogil=True)
def _emit(order, by_length, starts, known, shingles, ratio, codes):  # type: ignore[no-untyped-def]
    """Write the codes of all pairs, or only count them when ``codes`` is empty."""
    count = 0
    for bucket in range(len(starts) - 1):
        first, end = starts[bucket], starts[bucket + 1]
        size = end - first
        if size <= ALL_PAIRS:
            for i in range(first, end):
                for j in range(i + 1, end):
                    count = _add(order[i], order[j], known, shingles, ratio, codes, count)
            continue
        for i in range(first, end):
            for k in range(HUBS):
                count = _add(order[first + k], order[i], known, shingles, ratio, codes, count)
                count = _add(by_length[first + k], order[i], known, shingles, ratio, codes, count)
                count = _add(by_length[end - 1 - k], order[i], known, shingles, ratio, codes, count)
            for k in range(RING):
                step = np.int64(mix(np.uint64(k + 1)) % np.uint64(size))
                count = _add(order[first + (i - first + step) % size], order[i], known, shingles, ratio, codes, count)
    return count


@njit(cache=True, nogil=True)
def _add(a, b, known, shingles, ratio, codes, count):  # type: ignore[no-untyped-def]
    if a == b:
        return count
    left, right = min(a, b), max(a, b)
    if min(shingles[left], shingles[right]) < ratio * max(shingles[left], shingles[right]):
        return count
    for band in range(known.shape[1]):
        if known[left, band] == known[right, band]:
            return count
    if len(codes):
        codes[count] = (np.uint64(left) << np.uint64(32)) | np.uint64(right)
    return count + 1

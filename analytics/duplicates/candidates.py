"""Candidate pairs: documents that share a bucket. They are duplicates only if their computed similarity is high enough.

In a bucket of at most ``ALL_PAIRS`` documents every pair is a candidate. In a larger one that would be quadratic, so
every document is paired with the hubs of the bucket (its longest, its shortest and its first documents by id) and with
``RING`` others spread over it. The common keep policies keep hubs, so a family of many near-copies is still dropped; a
missing pair can only keep a document that could have been dropped, never drop one wrongly.

Buckets come in ranges of bounded size with little data each, so any machine can pair the documents of a range.

Candidates for containment are documents that share one of their rarest sampled shingles. MinHash misses a short text
inside a long one, since their Jaccard similarity is small. Here every shingle whose hash falls into one class of
``RATE`` is a key, the same class in every document. A text that is contained in another shares most of its keys with
it, so it needs to query only its rarest ones: at containment c about ``(1 - c) k`` of its k keys are its own, and it
queries ``(1 - floor) k + SPARE`` of the keys that it shares with other documents. Common shingles (boilerplate) are
then hardly ever queried. A contained text of m shingles is missed with a probability of about
``(1 - 1 / RATE) ** (c m)``: 6% for 10 shingles, 0.3% for 20.
Sources: Broder 1997 (sampling by classes); Chaudhuri, Ganti, Kaushik 2006 (prefix filtering).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.duplicates.shingles import Shingles, mix

ALL_PAIRS = 1024
HUBS = 64
RING = 64
PIECE = 1 << 23
"""Approximate number of candidate pairs of a range; finding them takes 200 MB."""

Pair = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Crowding:
    """How full the buckets are.

    Attributes:
        largest: documents of the largest bucket.
        crowded: buckets with more than ``ALL_PAIRS`` documents, where not every pair is a candidate.
    """

    largest: int
    crowded: int


@dataclass(frozen=True)
class Range:
    """Neighbouring buckets of a band: from ``low`` to ``high``, exclusive."""

    band: int
    low: int
    high: int


class Buckets(Protocol):
    """The documents of some buckets with all data to pair them; can be sent to another machine."""

    def codes(self) -> NDArray[np.uint64]:
        """Return the pairs as ``left << 32 | right``, ``left < right``, uint64 ascending without repeats."""


class Candidates(Protocol):
    """Pairs to compare, bucket by bucket."""

    @property
    def crowding(self) -> Crowding:
        """Return how full the buckets are."""

    def ranges(self) -> Sequence[Range]:
        """Return all buckets in ranges of bounded work, in a fixed order."""

    def buckets(self, chosen: Range) -> Buckets:
        """Return the buckets of a range; a pair may come in two ranges."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of documents, known before their sets are compared.

    Attributes:
        shingles: int64 (n,), size of each shingle set.
        bytes: int64 (n,), length of each text, which orders the hubs.
        ratio: smallest ratio of two set sizes that can reach the similarity; 0 if any ratio can.
    """

    shingles: NDArray[np.int64]
    bytes: NDArray[np.int64]
    ratio: float


@dataclass(frozen=True, eq=False)
class BandBuckets:
    """Buckets of one band.

    Attributes:
        documents: int64 (m,), ascending, the documents of these buckets; the other arrays number them from 0.
        order, by_length: int64 (k,), documents bucket by bucket, by number and from the longest to the shortest.
        starts: int64 (b + 1,), where each bucket begins.
        known: uint64 (m, band), keys of the earlier bands; a pair that shares one of them is found already.
        shingles: int64 (m,), see ``Sizes``.
        ratio: see ``Sizes``.
    """

    documents: NDArray[np.int64]
    order: NDArray[np.int64]
    by_length: NDArray[np.int64]
    starts: NDArray[np.int64]
    known: NDArray[np.uint64]
    shingles: NDArray[np.int64]
    ratio: float

    def codes(self) -> NDArray[np.uint64]:
        """Return the pairs."""
        part = (self.order, self.by_length, self.starts, self.known, self.shingles, self.ratio)
        codes = np.empty(_emit(*part, np.empty(0, dtype=np.uint64)), dtype=np.uint64)
        _emit(*part, codes)
        return renumber(distinct(codes), self.documents)


@dataclass(frozen=True, eq=False)
class BandCandidates:
    """Pairs that agree in at least one band; each occurs once.

    Attributes:
        keys: uint64 (n, bands), band keys of documents numbered in id order.
        sizes: of the same documents.
    """

    keys: NDArray[np.uint64]
    sizes: Sizes

    @cached_property
    def _listed(self) -> tuple[tuple[Range, ...], Crowding]:
        """Return all ranges and how full the buckets are."""
        ranges, largest, crowded = [], 0, 0
        for band in range(self.keys.shape[1]):
            _, starts = buckets(self.keys[:, band])
            lengths = np.diff(starts)
            largest = max(largest, int(lengths.max(initial=0)))
            crowded += int(np.count_nonzero(lengths > ALL_PAIRS))
            ranges += [Range(band, low, high) for low, high in pieces_of(starts)]
        return tuple(ranges), Crowding(largest, crowded)

    @property
    def crowding(self) -> Crowding:
        """Say how full the buckets are."""
        return self._listed[1]

    def ranges(self) -> Sequence[Range]:
        """Return all buckets, band by band."""
        return self._listed[0]

    def buckets(self, chosen: Range) -> BandBuckets:
        """Return the buckets of a range."""
        order, starts = self._band(chosen.band)
        own = order[starts[chosen.low] : starts[chosen.high]]
        begins = starts[chosen.low : chosen.high + 1] - starts[chosen.low]
        documents, places = np.unique(own, return_inverse=True)
        return BandBuckets(
            documents,
            places,
            np.searchsorted(documents, longest_first(own, begins, self.sizes)),
            begins,
            np.ascontiguousarray(self.keys[documents, : chosen.band]),
            self.sizes.shingles[documents],
            self.sizes.ratio,
        )

    @cached_property
    def _last(self) -> dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return the cache with the buckets of the last band."""
        return {}

    def _band(self, band: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if band not in self._last:
            self._last.clear()
            self._last[band] = buckets(self.keys[:, band])
        return self._last[band]


def buckets(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the documents that share a key, ordered by (key, number).

    Returns:
        order: int64 (k,), the documents of buckets of two or more; starts: int64 (b + 1,), where each bucket begins.
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


def pieces_of(starts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield ranges of buckets of about ``PIECE`` pairs or an eighth of documents each, at least one bucket."""
    lengths = np.diff(starts)
    pairs = np.where(lengths > ALL_PAIRS, lengths * (3 * HUBS + RING), lengths * (lengths - 1) // 2)
    cuts = np.unique(np.cumsum(pairs + 8 * lengths) // PIECE, return_index=True)[1].tolist()
    yield from zip(cuts, [*cuts[1:], len(lengths)][: len(cuts)], strict=True)


def distinct(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return codes in ascending order without repeats; sorts in place, which is faster here than hashing."""
    codes.sort()
    fresh = np.ones(len(codes), dtype=bool)
    np.not_equal(codes[1:], codes[:-1], out=fresh[1:])
    return codes[fresh]


def renumber(codes: NDArray[np.uint64], documents: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Turn codes of places in ``documents`` (ascending) into codes of the documents, in the same order."""
    left, right = split(codes)
    return (documents[left].astype(np.uint64) << np.uint64(32)) | documents[right].astype(np.uint64)


def split(codes: NDArray[np.uint64]) -> Pair:
    """Return the documents of codes ``left << 32 | right``."""
    return (codes >> np.uint64(32)).astype(np.int64), (codes & np.uint64(0xFFFFFFFF)).astype(np.int64)


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


RATE = 4
SPARE = 2


def sample_keys(shingles: Shingles) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the sampled shingles of all documents, uint64 (s,), and how many each has, int64 (n,)."""
    keys = np.empty(len(shingles.hashes), dtype=np.uint64)
    counts = np.zeros(len(shingles), dtype=np.int64)
    total = _sampled(shingles.starts, shingles.hashes, keys, counts)
    return keys[:total], counts


class SampleCandidates:
    """Pairs of which one document queries a key that the other has; a pair may occur once per range.

    Args:
        keys: uint64 (s,), keys of documents numbered in id order, one document after the other.
        counts: int64 (n,), how many each document has.
        sizes: of the same documents.
        floor: smallest containment of a pair.
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
        asks: bool (k,), whether the document queries this key.
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
        codes = np.empty(_emit_contained(*part, np.empty(0, dtype=np.uint64)), dtype=np.uint64)
        _emit_contained(*part, codes)
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
def _emit_contained(owners, asks, starts, by_length, codes):  # type: ignore[no-untyped-def]
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

"""Shingles: the overlapping n-grams of words or characters that near-duplicates share, as sets of 64-bit hashes.

Shingles are taken from the normalised text (``text.normal_form``). A text with fewer than n words (characters) has one
shingle, the whole text, so short texts are duplicates only if they are equal; empty texts share one shingle. A hash
mixes the number of units and every unit in turn; two different shingles collide with a probability of about 2**-64.

MinHash: a signature of fixed length whose share of equal places estimates the Jaccard similarity of two shingle sets.
Place j of a signature is the smallest ``(a_j x + b_j) mod 2**32`` over the shingles, with x the upper half of a
shingle's hash, a_j odd, both from a keyed stream, so signatures never change. Bands of places give the candidates.
The exact similarity of the sets decides whether a candidate pair is a duplicate.

Sources: Broder 1997, "On the resemblance and containment of documents"; banding as in Leskovec, Rajaraman, Ullman,
"Mining of Massive Datasets", chapter 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.hash_table import add
from tamis.analytics.text.normal_form import CONVENTION, Convention, Normal, decode_point, normalise
from tamis.analytics.text.siphash import hash_bytes
from tamis.data.hashing import mix_keys

Unit = Literal["word", "character"]

_SEED = np.uint64(0x9E3779B97F4A7C15)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)
_ZERO = np.uint64(0)


@dataclass(frozen=True)
class Shingles:
    """Shingle sets of consecutive documents.

    Attributes:
        starts: int64 (n + 1,), where each document's shingles begin.
        hashes: uint64 (s,), distinct within a document, in the order of their first occurrence.
    """

    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of(cls, texts: pa.Array, *, unit: Unit, n: int, convention: Convention = CONVENTION) -> Shingles:
        """Return the shingle sets of a string array; NULL counts as an empty text."""
        return cls.of_normal(normalise(*utf8_buffers(texts), convention), unit=unit, n=n)

    @classmethod
    def of_normal(cls, normal: Normal, *, unit: Unit, n: int) -> Shingles:
        """Return the shingle sets of normalised texts."""
        units, firsts = units_of(normal, unit)
        starts = np.zeros(len(normal) + 1, dtype=np.int64)
        hashes = np.empty(len(units) + len(normal), dtype=np.uint64)
        _shingle_sets(units, firsts, n, starts, hashes)
        return cls(starts, hashes[: starts[-1]])

    @property
    def counts(self) -> NDArray[np.int64]:
        """Return the size of each set, int64 (n,), at least 1."""
        return np.diff(self.starts)

    def of_document(self, document: int) -> NDArray[np.uint64]:
        """Return one document's shingles."""
        return self.hashes[self.starts[document] : self.starts[document + 1]]

    def sorted(self) -> Shingles:
        """Return the same sets, each in ascending order."""
        hashes = self.hashes.copy()
        _sort_each(self.starts, hashes)
        return Shingles(self.starts, hashes)

    def identities(self) -> NDArray[np.uint64]:
        """Return a 128-bit hash of each set, uint64 (n, 2): equal sets have equal hashes, in any order."""
        found = np.empty((len(self), 2), dtype=np.uint64)
        _identities(self.starts, self.hashes, found)
        return found


def units_of(normal: Normal, unit: Unit) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return one hash per word or character, uint64 (u,), and where each document's begin, int64 (n + 1,)."""
    firsts = np.zeros(len(normal.offsets), dtype=np.int64)
    units = np.empty(len(normal.data), dtype=np.uint64)
    kernel = _word_hashes if unit == "word" else _character_hashes
    count = kernel(normal.offsets, normal.data, units, firsts)
    return units[:count], firsts


@njit(cache=True, nogil=True, inline="always")
def mix(value):  # type: ignore[no-untyped-def]
    """Return the splitmix64 finaliser of a uint64 (Steele, Lea, Flood 2014)."""
    value = (value ^ (value >> _30)) * _M1
    value = (value ^ (value >> _27)) * _M2
    return value ^ (value >> _31)


@njit(cache=True, nogil=True)
def _word_hashes(offsets, data, units, firsts):  # type: ignore[no-untyped-def]
    count = 0
    for n in range(len(offsets) - 1):
        i, end = offsets[n], offsets[n + 1]
        while i < end:
            stop = i
            while stop < end and data[stop] != 32:
                stop += 1
            if stop > i:
                units[count] = hash_bytes(data, i, stop)[0]
                count += 1
            i = stop + 1
        firsts[n + 1] = count
    return count


@njit(cache=True, nogil=True)
def _character_hashes(offsets, data, units, firsts):  # type: ignore[no-untyped-def]
    count = 0
    for n in range(len(offsets) - 1):
        i, end = offsets[n], offsets[n + 1]
        while i < end:
            point, width = decode_point(data, i, end)
            units[count] = mix(np.uint64(point) + _SEED)
            count += 1
            i += width
        firsts[n + 1] = count
    return count


@njit(cache=True, nogil=True, inline="always")
def gram(units, first, end):  # type: ignore[no-untyped-def]
    """Return the hash of the n-gram of ``units[first:end]``."""
    value = _SEED * np.uint64(end - first + 1)
    for i in range(first, end):
        value = (value ^ units[i]) * _M1
        value ^= value >> _32
    return value


@njit(cache=True, nogil=True)
def _shingle_sets(units, firsts, n, starts, hashes):  # type: ignore[no-untyped-def]
    table, owner = np.zeros(64, dtype=np.uint64), np.full(64, -1, dtype=np.int64)
    count = 0
    for d in range(len(firsts) - 1):
        first, end = firsts[d], firsts[d + 1]
        grams = max(end - first - n + 1, 1)
        if 2 * grams > len(table):
            size = len(table)
            while size < 2 * grams:
                size *= 2
            table, owner = np.zeros(size, dtype=np.uint64), np.full(size, -1, dtype=np.int64)
        mask = len(table) - 1
        for i in range(grams):
            value = gram(units, first + i, min(first + i + n, end))
            if add(value, table, owner, d, mask):
                hashes[count] = value
                count += 1
        starts[d + 1] = count


@njit(cache=True, nogil=True)
def _sort_each(starts, hashes):  # type: ignore[no-untyped-def]
    for n in range(len(starts) - 1):
        hashes[starts[n] : starts[n + 1]].sort()


@njit(cache=True, nogil=True)
def _identities(starts, hashes, found):  # type: ignore[no-untyped-def]
    for n in range(len(starts) - 1):
        one, two = np.uint64(starts[n + 1] - starts[n]), _ZERO
        for i in range(starts[n], starts[n + 1]):
            one += mix(hashes[i] ^ _SEED)
            two += mix(hashes[i] + _M2)
        found[n, 0], found[n, 1] = one, two


_SHIFT = np.uint64(32)


def coefficients(places: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return multipliers (odd) and offsets of the permutations, uint32 (places,) each."""
    drawn = mix_keys(np.arange(2 * places, dtype=np.uint64), seed=0, salt="minhash") >> _SHIFT
    return drawn[:places].astype(np.uint32) | np.uint32(1), drawn[places:].astype(np.uint32)


def signatures(shingles: Shingles, places: int) -> NDArray[np.uint32]:
    """Return the MinHash signature of each set, uint32 (n, places)."""
    found = np.empty((len(shingles), places), dtype=np.uint32)
    _signatures(shingles.starts, shingles.hashes, *coefficients(places), found)
    return found


def band_keys(found: NDArray[np.uint32], bands: int) -> NDArray[np.uint64]:
    """Return one hash per band of each signature, uint64 (n, bands); equal bands have equal keys."""
    keys = np.empty((len(found), bands), dtype=np.uint64)
    _band_keys(found, found.shape[1] // bands, keys)
    return keys


@njit(cache=True, nogil=True)
def _signatures(starts, hashes, a, b, found):  # type: ignore[no-untyped-def]
    for n in range(len(starts) - 1):
        row = found[n]
        row[:] = np.uint32(0xFFFFFFFF)
        for i in range(starts[n], starts[n + 1]):
            x = np.uint32(hashes[i] >> _SHIFT)
            for j in range(len(a)):
                # The compiler makes uint32 * uint32 a uint64, so each product is cut back to 32 bits.
                value = np.uint32(np.uint32(x * a[j]) + b[j])
                row[j] = min(row[j], value)


@njit(cache=True, nogil=True)
def _band_keys(found, rows, keys):  # type: ignore[no-untyped-def]
    for n in range(len(found)):
        for band in range(keys.shape[1]):
            key = np.uint64(band + 1)
            for row in range(rows):
                key = mix(key ^ np.uint64(found[n, band * rows + row])) + np.uint64(1)
            keys[n, band] = key


Metric = Literal["jaccard", "containment"]


@njit(cache=True, nogil=True)
def count_shared(one, two):  # type: ignore[no-untyped-def]
    """Count the values that two ascending arrays without repeats have in common."""
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
        both = count_shared(one, two)
        least = min(len(one), len(two))
        whole = least if contained else len(one) + len(two) - both
        found[k] = np.float32(both / whole)

"""Shingles: the overlapping n-grams of words or characters that near-duplicates share, as sets of 64-bit hashes.

Shingles are taken from the normalised text (``tamis.analytics.normal``). A text with fewer than n words (characters)
has one shingle, all of it, so short texts are duplicates when they are equal and never because they are short; empty
texts have one shingle in common. A hash mixes the number of units and every unit in turn; two different shingles share
one with a probability of about 2**-64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.normal import Normal, decode_point, normalise
from tamis.analytics.siphash import hash_bytes
from tamis.analytics.text_block import utf8_buffers

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
    def of(cls, texts: pa.Array, *, unit: Unit, n: int) -> Shingles:
        """Return the shingle sets of a string array; NULL counts as an empty text."""
        return cls.of_normal(normalise(*utf8_buffers(texts)), unit=unit, n=n)

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
        last = np.uint64(len(table) - 1)
        for i in range(grams):
            value = gram(units, first + i, min(first + i + n, end))
            slot = value & last
            while owner[slot] == d and table[slot] != value:
                slot = (slot + np.uint64(1)) & last
            if owner[slot] != d:
                owner[slot], table[slot] = d, value
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

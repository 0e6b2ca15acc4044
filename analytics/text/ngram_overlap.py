"""Overlap of texts in word n-grams, for decontamination of test sets.

Thirteen words in a row are practically never shared by chance (Brown et al. 2020, arXiv 2005.14165, appendix C). A text
of fewer words is one n-gram. A text counts as contaminated when at least a fifth of its n-grams are found
(Touvron et al. 2023, arXiv 2307.09288, section A.6), and n-grams of more than ten documents are common phrases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.hash_table import find

N = 13
SHARE = 0.2
COMMON = 10

_SEED, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_ONE, _29 = np.uint64(1), np.uint64(29)


@dataclass(frozen=True, eq=False)
class Grams:
    """The n-grams of some documents, each once, in a hash table.

    Attributes:
        keys: uint64 (t,), hash of each n-gram, 0 = free place; t is a power of two.
        hits: int32 (t,), number of documents passed to ``mark`` with each n-gram.
        n: words per n-gram.
    """

    keys: NDArray[np.uint64]
    hits: NDArray[np.int32]
    n: int

    @classmethod
    def of(cls, words: NDArray[np.integer], starts: NDArray[np.int64], *, n: int = N) -> Grams:
        """Collect the n-grams of documents given as word numbers or word hashes."""
        size = 1 << max(4, int(np.ceil(np.log2(2.0 * (len(words) + len(starts))))))
        keys = np.zeros(size, dtype=np.uint64)
        _collect(words, starts, n, keys)
        return cls(keys, np.zeros(size, dtype=np.int32), n)

    def share(self, words: NDArray[np.integer], starts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the share of each document's n-grams that are in the table, float64 (n,); 0 without words."""
        found = np.zeros(len(starts) - 1)
        _share(words, starts, self.n, self.keys, found)
        return found

    def mark(self, words: NDArray[np.integer], starts: NDArray[np.int64]) -> None:
        """Count the documents that contain each n-gram; call once for all documents."""
        _mark(words, starts, self.n, self.keys, self.hits)

    def share_hit(
        self, words: NDArray[np.integer], starts: NDArray[np.int64], *, most: int = COMMON
    ) -> NDArray[np.float64]:
        """Return the share of each document's n-grams that occur in 1 to ``most`` marked documents, float64 (n,)."""
        found = np.zeros(len(starts) - 1)
        rare = (self.hits > 0) & (self.hits <= most)
        _share(words, starts, self.n, np.where(rare, self.keys, 0), found, self.keys)
        return found


@njit(cache=True, nogil=True, inline="always")
def hash_gram(words, first, end):  # type: ignore[no-untyped-def]
    """Return the hash of the n-gram of ``words[first:end]``, uint64, never 0."""
    value = _SEED * np.uint64(end - first)
    for i in range(first, end):
        value = (value ^ (np.uint64(words[i]) + _ONE)) * _MIX
        value ^= value >> _29
    return value | _ONE


@njit(cache=True, nogil=True)
def _collect(words, starts, n, keys):  # type: ignore[no-untyped-def]
    for d in range(len(starts) - 1):
        first, end = starts[d], starts[d + 1]
        for i in range(first, max(end - n, first) + 1):
            if end > first:
                value = hash_gram(words, i, min(i + n, end))
                keys[find(value, keys, keys)] = value


@njit(cache=True, nogil=True)
def _share(words, starts, n, wanted, found, keys=None):  # type: ignore[no-untyped-def]
    """Fill ``found``; ``wanted`` flags the n-grams that count, by slot of ``keys``."""
    table = wanted if keys is None else keys
    for d in range(len(starts) - 1):
        first, end = starts[d], starts[d + 1]
        if end == first:
            continue
        hit, grams = 0, max(end - n, first) + 1 - first
        for i in range(first, first + grams):
            value = hash_gram(words, i, min(i + n, end))
            hit += wanted[find(value, table, table)] == value
        found[d] = hit / grams


@njit(cache=True, nogil=True)
def _mark(words, starts, n, keys, hits):  # type: ignore[no-untyped-def]
    last = np.full(len(keys), -1, dtype=np.int64)
    for d in range(len(starts) - 1):
        first, end = starts[d], starts[d + 1]
        for i in range(first, max(end - n, first) + 1):
            if end > first:
                value = hash_gram(words, i, min(i + n, end))
                slot = find(value, keys, keys)
                if keys[slot] == value and last[slot] != d:
                    last[slot] = d
                    hits[slot] += 1

"""A fixed vocabulary of 65,536 word numbers: 40,000 frequent words, hash buckets for all others, one end of text.

Every model that is compared reads the same numbers, so differences between models come from what they were trained on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.word_hashes import WordHashes, gathered

SIZE = 1 << 16
FREQUENT = 40_000
END = 0
"""The number of the end of a text, which also stands before its first word."""

_TABLE = 1 << 17
_FACTOR, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(47)


@dataclass(frozen=True)
class WordStream:
    """Documents as word numbers.

    Attributes:
        words: uint16 (w,), see ``Vocabulary``.
        starts: int64 (n + 1,), where each document's words begin.
        bytes: int64 (n,), UTF-8 length of each text.
    """

    words: NDArray[np.uint16]
    starts: NDArray[np.int64]
    bytes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bytes)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Return the number of words of each document, int64 (n,)."""
        return np.diff(self.starts)

    def take(self, rows: NDArray[np.int64]) -> WordStream:
        """Return some documents, in the order asked."""
        words, starts = gathered(self.words, self.starts, np.asarray(rows, dtype=np.int64))
        return WordStream(words, starts, self.bytes[rows])


@dataclass(frozen=True)
class Vocabulary:
    """Which words have a number of their own.

    Attributes:
        words: uint32 (k,), hashes of the frequent words, most frequent first; word k has the number k + 1.
    """

    words: NDArray[np.uint32]
    _table: tuple[NDArray[np.uint32], NDArray[np.uint16]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keys, numbers = np.zeros(_TABLE, dtype=np.uint32), np.zeros(_TABLE, dtype=np.uint16)
        _fill(self.words, keys, numbers)
        object.__setattr__(self, "_table", (keys, numbers))

    @classmethod
    def of(cls, parts: Iterable[WordHashes]) -> Vocabulary:
        """Return the most frequent words of documents; ties go to the smaller hash."""
        keys, counts = np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.int64)
        for part in parts:
            found, times = np.unique(part.hashes, return_counts=True)
            keys, places = np.unique(np.concatenate([keys, found]), return_inverse=True)
            counts = np.bincount(places, weights=np.concatenate([counts, times]), minlength=len(keys)).astype(np.int64)
        order = np.lexsort((keys, -counts))[:FREQUENT]
        return cls(keys[order])

    def encode(self, hashes: WordHashes) -> WordStream:
        """Return documents as word numbers."""
        keys, numbers = self._table
        words = np.empty(len(hashes.hashes), dtype=np.uint16)
        _encode(hashes.hashes, keys, numbers, words)
        return WordStream(words, hashes.starts, hashes.bytes)


@njit(cache=True, nogil=True)
def _slot(word, keys, numbers):  # type: ignore[no-untyped-def]
    """Return where a word stands in the table, or the free place it would take."""
    slot = np.int64((np.uint64(word) * _FACTOR) >> _SHIFT)
    while numbers[slot] != 0 and keys[slot] != word:
        slot = (slot + 1) & (_TABLE - 1)
    return slot


@njit(cache=True, nogil=True)
def _fill(words, keys, numbers):  # type: ignore[no-untyped-def]
    for k in range(len(words)):
        slot = _slot(words[k], keys, numbers)
        keys[slot], numbers[slot] = words[k], k + 1


@njit(cache=True, nogil=True)
def _encode(hashes, keys, numbers, words):  # type: ignore[no-untyped-def]
    for i in range(len(hashes)):
        number = numbers[_slot(hashes[i], keys, numbers)]
        rest = FREQUENT + 1 + np.int64(hashes[i]) % (SIZE - FREQUENT - 1)
        words[i] = number if number != 0 else rest

"""A fixed vocabulary of 65,536 word numbers: 40,000 frequent words, hash buckets for all others, one end of text.

Every model that is compared reads the same numbers, so differences between models come from their training texts only.

Words as 32-bit hashes: the word stream of language models, relevance scores and overlap tests.

Convention ``wordpunct-1``: a word is a run of letters, marks, digits and underscores, in lower case; a run of other
characters that are not white space is a word too; a letter of a script written without spaces is a word by itself.
This is NLTK's WordPunct rule, which the reference code of DSIR uses, plus the rule for unspaced scripts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.characters import ALNUM, CONTROL, MARK, SPACE, UNSPACED, character_classes
from tamis.analytics.text.hash_table import find
from tamis.analytics.text.normal_form import decode_point

CONVENTION = "wordpunct-1"

Number = TypeVar("Number", bound=np.generic)

_GAP, _LETTER, _OTHER, _ALONE = 0, 1, 2, 3
_BASE, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_ONE, _32 = np.uint64(1), np.uint64(32)


@dataclass(frozen=True)
class WordHashes:
    """The words of consecutive documents.

    Attributes:
        hashes: uint32 (w,), one per word.
        starts: int64 (n + 1,), where each document's words begin.
        bytes: int64 (n,), UTF-8 length of each text.
    """

    hashes: NDArray[np.uint32]
    starts: NDArray[np.int64]
    bytes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bytes)

    @classmethod
    def of(cls, texts: pa.Array) -> WordHashes:
        """Split and hash a string array; NULL counts as an empty text."""
        offsets, data = utf8_buffers(texts)
        hashes = np.empty(int(offsets[-1] - offsets[0]), dtype=np.uint32)
        starts = np.zeros(len(offsets), dtype=np.int64)
        kinds, lower = _tables()
        count = _split(offsets, data, kinds, lower, hashes, starts)
        return cls(hashes[:count].copy(), starts, np.diff(offsets))

    @classmethod
    def joined(cls, parts: Iterable[WordHashes]) -> WordHashes:
        """Concatenate the words of consecutive documents."""
        listed = list(parts)
        sizes = [np.diff(part.starts) for part in listed]
        return cls(
            np.concatenate([np.empty(0, dtype=np.uint32), *(part.hashes for part in listed)]),
            np.concatenate([[0], np.cumsum(np.concatenate([np.empty(0, dtype=np.int64), *sizes]))]).astype(np.int64),
            np.concatenate([np.empty(0, dtype=np.int64), *(part.bytes for part in listed)]),
        )

    @property
    def counts(self) -> NDArray[np.int64]:
        """Return the number of words of each document, int64 (n,)."""
        return np.diff(self.starts)

    def take(self, rows: NDArray[np.int64]) -> WordHashes:
        """Return the words of some documents, in the requested order."""
        hashes, starts = gather_slices(self.hashes, self.starts, np.asarray(rows, dtype=np.int64))
        return WordHashes(hashes, starts, self.bytes[rows])


def gather_slices(
    values: NDArray[Number], starts: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[Number], NDArray[np.int64]]:
    """Return the slices ``values[starts[r]:starts[r + 1]]`` of some rows, concatenated, and the start of each."""
    sizes = starts[rows + 1] - starts[rows]
    firsts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(sizes, out=firsts[1:])
    out = np.empty(int(firsts[-1]), dtype=values.dtype)
    _gather(values, starts, rows, firsts, out)
    return out, firsts


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return the kind of each code point, uint8 (0x110000,), and its lower case, int32 (0x110000,)."""
    classes = character_classes()
    kinds = np.full(len(classes), _OTHER, dtype=np.uint8)
    kinds[(classes & np.uint32(ALNUM | MARK)) != 0] = _LETTER
    kinds[(classes & np.uint32(UNSPACED)) != 0] = _ALONE
    kinds[(classes & np.uint32(SPACE | CONTROL)) != 0] = _GAP
    kinds[ord("_")] = _LETTER
    lower = np.arange(len(classes), dtype=np.int32)
    for point in range(0x20000):
        folded = chr(point).lower()
        if len(folded) == 1:
            lower[point] = ord(folded)
    return kinds, lower


@njit(cache=True, nogil=True)
def _split(offsets, data, kinds, lower, hashes, starts):  # type: ignore[no-untyped-def]
    count = 0
    for document in range(len(offsets) - 1):
        i, end = offsets[document], offsets[document + 1]
        value, running = np.uint64(0), _GAP
        while i < end:
            byte = data[i]
            if byte < 0x80:
                point, width = np.int64(byte), 1
            else:
                point, width = decode_point(data, i, end)
            i += width
            kind = kinds[point]
            if running != _GAP and (kind != running or kind == _ALONE):
                hashes[count] = np.uint32((value ^ (value >> _32)) & np.uint64(0xFFFFFFFF))
                count += 1
                value = np.uint64(0)
            running = kind
            if kind != _GAP:
                mixed = (np.uint64(lower[point]) + _ONE) * _MIX
                value = (value + (mixed ^ (mixed >> _32))) * _BASE
        if running != _GAP:
            hashes[count] = np.uint32((value ^ (value >> _32)) & np.uint64(0xFFFFFFFF))
            count += 1
        starts[document + 1] = count
    return count


@njit(cache=True, nogil=True)
def _gather(values, starts, rows, firsts, out):  # type: ignore[no-untyped-def]
    for k in range(len(rows)):
        begin, at = starts[rows[k]], firsts[k]
        for i in range(firsts[k + 1] - at):
            out[at + i] = values[begin + i]


SIZE = 1 << 16
FREQUENT = 40_000
END = 0
"""The number of the end of a text, which also stands before its first word."""

_TABLE = 1 << 17


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
        """Return some documents, in the requested order."""
        words, starts = gather_slices(self.words, self.starts, np.asarray(rows, dtype=np.int64))
        return WordStream(words, starts, self.bytes[rows])


@dataclass(frozen=True)
class Vocabulary:
    """The words that have their own number.

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
def _fill(words, keys, numbers):  # type: ignore[no-untyped-def]
    for k in range(len(words)):
        slot = find(words[k], keys, numbers)
        keys[slot], numbers[slot] = words[k], k + 1


@njit(cache=True, nogil=True)
def _encode(hashes, keys, numbers, words):  # type: ignore[no-untyped-def]
    for i in range(len(hashes)):
        number = numbers[find(hashes[i], keys, numbers)]
        rest = FREQUENT + 1 + np.int64(hashes[i]) % (SIZE - FREQUENT - 1)
        words[i] = number if number != 0 else rest

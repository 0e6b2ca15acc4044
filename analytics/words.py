"""Words of a block: where they are, one hash each, and what kind they are; split once, used by all kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.characters import ALPHA, MARKUP, PUNCTUATION, SENTENCE
from tamis.analytics.text_block import Block
from tamis.analytics.word_split import split_chunks, split_unicode

HAS_ALPHA, IS_WORD, IS_MARK, IS_STOP = 1, 2, 4, 8
BASE = np.uint64(0x9E3779B97F4A7C15)
MIX = np.uint64(0xD6E8FEB86659FD93)
_ONE, _SHIFT = np.uint64(1), np.uint64(32)


@dataclass(frozen=True)
class Words:
    """The words of a block.

    Attributes:
        begin, end: int64 (w,), positions in the block's ``points``.
        starts: int64 (n + 1,), which words belong to each document.
        hashes: uint64 (w,), polynomial hash of each word's code points: ``h(ab) = h(a) * power(b) + h(b)``.
        powers: uint64 (w,), ``BASE ** length``.
        kinds: uint8 (w,), HAS_ALPHA (a letter in it), IS_WORD (not only symbols), IS_MARK (only punctuation) and
            IS_STOP (one mark that ends a sentence).
    """

    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    powers: NDArray[np.uint64]
    kinds: NDArray[np.uint8]

    @classmethod
    def at(cls, block: Block, begin: NDArray[np.int64], end: NDArray[np.int64], starts: NDArray[np.int64]) -> Words:
        """Describe words whose places are known."""
        hashes, powers = np.empty(len(begin), dtype=np.uint64), np.empty(len(begin), dtype=np.uint64)
        kinds = np.empty(len(begin), dtype=np.uint8)
        _describe(block.points, block.classes, begin, end, hashes, powers, kinds)
        return cls(begin, end, starts, hashes, powers, kinds)

    @classmethod
    def chunks(cls, block: Block) -> Words:
        """Split at white space only, as ``str.split`` does."""
        return cls.at(block, *split_chunks(block.points, block.classes, block.starts))

    @classmethod
    def unicode(cls, block: Block) -> Words:
        """Split by the ``unicode`` convention of ``word_split``."""
        return cls.at(block, *split_unicode(block.points, block.classes, block.starts))

    def of(self, block: Block, document: int) -> list[str]:
        """Return one document's words as Python strings."""
        text, origin = block.text(document), block.starts[document]
        span = slice(self.starts[document], self.starts[document + 1])
        return [text[b - origin : e - origin] for b, e in zip(self.begin[span], self.end[span], strict=True)]


def word_hash(word: str) -> int:
    """Return the hash that ``Words.hashes`` holds for this word, in [0, 2**64)."""
    value = 0
    for character in word:
        value = (value * int(BASE) + _mixed(ord(character))) & 0xFFFFFFFFFFFFFFFF
    return value


def _mixed(point: int) -> int:
    mixed = (point + 1) * int(MIX) & 0xFFFFFFFFFFFFFFFF
    return mixed ^ (mixed >> 32)


@njit(cache=True, nogil=True)
def _describe(points, classes, begin, end, hashes, powers, kinds):  # type: ignore[no-untyped-def]
    for w in range(len(begin)):
        value, power = np.uint64(0), np.uint64(1)
        every, common, plain = np.uint32(0), np.uint32(PUNCTUATION), False
        for i in range(begin[w], end[w]):
            mixed = (np.uint64(points[i]) + _ONE) * MIX
            value = value * BASE + (mixed ^ (mixed >> _SHIFT))
            power = power * BASE
            every |= classes[i]
            common &= classes[i]
            plain = plain or (classes[i] & MARKUP) == 0
        hashes[w], powers[w] = value, power
        kind = (HAS_ALPHA if (every & ALPHA) != 0 else 0) | (IS_WORD if plain else 0)
        kind |= IS_MARK if common != 0 else 0
        kinds[w] = kind | (IS_STOP if end[w] - begin[w] == 1 and (every & SENTENCE) != 0 else 0)

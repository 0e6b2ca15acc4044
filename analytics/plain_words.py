"""Words reduced to what n-gram statistics compare: one hash and one length per word, filtered or normalised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.characters import ALNUM, lower_points
from tamis.analytics.text_block import Block
from tamis.analytics.words import BASE, MIX, Words

_MIX = MIX
_ONE, _SHIFT = np.uint64(1), np.uint64(32)


@dataclass(frozen=True)
class PlainWords:
    """Words without places.

    Attributes:
        hashes: uint64 (w,), equal words have equal hashes.
        lengths: int64 (w,), characters, all > 0.
        starts: int64 (n + 1,), which words belong to each document.
    """

    hashes: NDArray[np.uint64]
    lengths: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def beginning_alnum(cls, block: Block, words: Words) -> PlainWords:
        """Keep the words that begin with a letter or digit, as they are."""
        kept = (block.classes[words.begin] & ALNUM) != 0
        starts = np.concatenate([[0], np.cumsum(kept)])[words.starts]
        return cls(words.hashes[kept], (words.end - words.begin)[kept], starts)

    @classmethod
    def normalised(cls, block: Block, chunks: Words) -> PlainWords:
        """Lower the words between white space and cut ASCII punctuation out; drop those of which nothing is left."""
        hashes, lengths = np.empty(len(chunks.begin), np.uint64), np.empty(len(chunks.begin), np.int64)
        starts = np.empty(len(chunks.starts), dtype=np.int64)
        count = _normalise(
            block.points, chunks.begin, chunks.end, chunks.starts, lower_points(), hashes, lengths, starts
        )
        return cls(hashes[:count], lengths[:count], starts)


@njit(cache=True, nogil=True)
def _is_ascii_mark(point):  # type: ignore[no-untyped-def]
    return 33 <= point <= 47 or 58 <= point <= 64 or 91 <= point <= 96 or 123 <= point <= 126


@njit(cache=True, nogil=True)
def _normalise(points, begin, end, from_starts, lowered, hashes, lengths, starts):  # type: ignore[no-untyped-def]
    count = 0
    for document in range(len(from_starts) - 1):
        starts[document] = count
        for w in range(from_starts[document], from_starts[document + 1]):
            value, length = np.uint64(0), 0
            for i in range(begin[w], end[w]):
                point = points[i]
                if not _is_ascii_mark(point):
                    mixed = (np.uint64(lowered[point]) + _ONE) * _MIX
                    value = value * BASE + (mixed ^ (mixed >> _SHIFT))
                    length += 1
            if length > 0:
                hashes[count], lengths[count] = value, length
                count += 1
    starts[len(from_starts) - 1] = count
    return count

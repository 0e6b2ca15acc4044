"""Words of a document: how many, how long, how many are words at all (Gopher quality).

The rules of Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A1) as datatrove 0.10 computes them.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text_block import Block
from tamis.analytics.words import HAS_ALPHA, IS_WORD, Words, word_hash

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_STOP_HASHES = np.array([word_hash(word) for word in STOP_WORDS], dtype=np.uint64)


def word_quality(block: Block, words: Words) -> NDArray[np.float64]:
    """Measure the words of each document.

    Returns:
        float64 (n, 8): number of words that are not only symbols; number of words and symbols; mean length in
        characters of the former; ``#`` per word, ``...`` and ``…`` per word; share of words with a letter; how many of
        the 8 stop words occur; length of the longest word. Ratios are NaN for a document without words.
    """
    values = np.full((len(block), 8), np.nan)
    _word_quality(
        block.points,
        block.starts,
        words.begin,
        words.end,
        words.starts,
        words.hashes,
        words.kinds,
        _STOP_HASHES,
        values,
    )
    return values


@njit(cache=True, nogil=True)
def _marks(points, first, last):  # type: ignore[no-untyped-def]
    """Count ``#`` and ellipses (``...`` without overlap, ``…``)."""
    hashes, ellipses, i = 0, 0, first
    while i < last:
        point = points[i]
        if point == 35:
            hashes += 1
        elif point == 0x2026:
            ellipses += 1
        elif point == 46 and i + 2 < last and points[i + 1] == 46 and points[i + 2] == 46:
            ellipses += 1
            i += 2
        i += 1
    return hashes, ellipses


@njit(cache=True, nogil=True)
def _word_quality(points, starts, begin, end, word_starts, hashes, kinds, stops, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        plain, length, alphabetic, longest, found = 0, 0, 0, 0, 0
        first, last = word_starts[document], word_starts[document + 1]
        for w in range(first, last):
            size = end[w] - begin[w]
            if (kinds[w] & IS_WORD) != 0:
                plain += 1
                length += size
            if (kinds[w] & HAS_ALPHA) != 0:
                alphabetic += 1
            longest = max(longest, size)
            for k in range(len(stops)):
                if hashes[w] == stops[k]:
                    found |= 1 << k
        values[document, 0], values[document, 1] = plain, last - first
        if plain:
            values[document, 2] = length / plain
        if last > first:
            marks, ellipses = _marks(points, starts[document], starts[document + 1])
            values[document, 3], values[document, 4] = marks / (last - first), ellipses / (last - first)
            values[document, 5] = alphabetic / (last - first)
        kinds_found = 0
        for k in range(len(stops)):
            kinds_found += (found >> k) & 1
        values[document, 6], values[document, 7] = kinds_found, longest

"""Kernels for the words (Gopher), lines (Gopher, FineWeb) and characters of a document.

Words: the quality rules of Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A1) as datatrove 0.10 computes them.
Lines: bullets and ellipses (Gopher, lines of ``str.splitlines``); terminal marks, short and repeated lines (FineWeb,
lines of ``split("\n")`` that are not blank). Characters: counts by kind, as shares of all characters.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.block import Block
from tamis.analytics.text.characters import (
    ALNUM,
    ALPHA,
    BREAK,
    CONTROL,
    DIGIT,
    EMOJI,
    LOWER,
    PUNCTUATION,
    SPACE,
    SYMBOL,
    TERMINAL,
    UNSPACED,
    UPPER,
)
from tamis.analytics.text.hash_table import add, mask_for, piece_hash
from tamis.analytics.text.words import HAS_ALPHA, IS_WORD, Words, word_hash

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


SHORT = 30


def gopher_lines(block: Block) -> NDArray[np.float64]:
    """Measure lines as ``str.splitlines`` gives them.

    Returns:
        float64 (n, 3): number of lines, share beginning with a bullet (``•`` or ``-`` after white space), share ending
        in an ellipsis (``...`` or ``…`` before white space). The shares are NaN for a document without lines.
    """
    values = np.full((len(block), 3), np.nan)
    _gopher_lines(block.points, block.classes, block.starts, values)
    return values


def fineweb_lines(block: Block) -> NDArray[np.float64]:
    """Measure lines that are not blank, split at line feeds.

    Returns:
        float64 (n, 5): number of lines, share ending in a terminal mark, share of at most 30 characters, characters in
        lines that repeat an earlier one per character that is not a line feed, number of line feeds. The shares are
        NaN for a document without such lines.
    """
    values = np.full((len(block), 5), np.nan)
    most = int(np.diff(block.starts).max(initial=0)) + 1
    slots = 16
    while slots < 2 * most:
        slots *= 2
    keys, stamps = np.zeros(slots, dtype=np.uint64), np.zeros(slots, dtype=np.int32)
    _fineweb_lines(block.points, block.classes, block.starts, keys, stamps, values)
    return values


@njit(cache=True, nogil=True)
def _ends_in_ellipsis(points, classes, first, end):  # type: ignore[no-untyped-def]
    while end > first and (classes[end - 1] & SPACE) != 0:
        end -= 1
    if end > first and points[end - 1] == 0x2026:
        return True
    return end - first >= 3 and points[end - 1] == 46 and points[end - 2] == 46 and points[end - 3] == 46


@njit(cache=True, nogil=True)
def _gopher_lines(points, classes, starts, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        lines, bullets, ellipses = 0, 0, 0
        i, last = starts[document], starts[document + 1]
        while i < last:
            end = i
            while end < last and (classes[end] & BREAK) == 0:
                end += 1
            lines += 1
            begin = i
            while begin < end and (classes[begin] & SPACE) != 0:
                begin += 1
            if begin < end and (points[begin] == 0x2022 or points[begin] == 45):
                bullets += 1
            if _ends_in_ellipsis(points, classes, i, end):
                ellipses += 1
            i = end + 1
            if i < last and points[end] == 13 and points[i] == 10:
                i += 1
        values[document, 0] = lines
        if lines:
            values[document, 1] = bullets / lines
            values[document, 2] = ellipses / lines


@njit(cache=True, nogil=True)
def _fineweb_lines(points, classes, starts, keys, stamps, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        i, last = starts[document], starts[document + 1]
        size, feeds = last - i, 0
        for k in range(i, last):
            feeds += 1 if points[k] == 10 else 0
        mask = mask_for(feeds + 1)
        lines, closed, short, repeated = 0, 0, 0, 0
        while i <= last:
            end, blank = i, True
            while end < last and points[end] != 10:
                blank = blank and (classes[end] & SPACE) != 0
                end += 1
            if not blank:
                lines += 1
                closed += 1 if (classes[end - 1] & TERMINAL) != 0 else 0
                short += 1 if end - i <= SHORT else 0
                if not add(piece_hash(points, i, end), keys, stamps, np.int32(document + 1), mask):
                    repeated += end - i
            i = end + 1
        values[document, 0], values[document, 4] = lines, feeds
        if lines:
            values[document, 1], values[document, 2] = closed / lines, short / lines
            values[document, 3] = repeated / (size - feeds)


COUNTED = 12


def character_shares(block: Block) -> NDArray[np.float64]:
    """Count characters by kind.

    Returns:
        float64 (n, 12): number of characters; shares of letters, digits, upper case among cased letters, white space,
        neither letter, digit nor white space, punctuation and symbols, outside ASCII, letters of scripts without
        spaces among letters; numbers of control characters, of U+FFFD, of pictographs. Shares are NaN where
        the denominator is zero.
    """
    values = np.full((len(block), COUNTED), np.nan)
    _count(block.points, block.classes, block.starts, values)
    return values


@njit(cache=True, nogil=True)
def _count(points, classes, starts, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        alpha, digit, upper, lower, space, other, marks, far = 0, 0, 0, 0, 0, 0, 0, 0
        unspaced, control, replaced, pictures = 0, 0, 0, 0
        first, last = starts[document], starts[document + 1]
        for i in range(first, last):
            kind = classes[i]
            alpha += 1 if (kind & ALPHA) != 0 else 0
            digit += 1 if (kind & DIGIT) != 0 else 0
            upper += 1 if (kind & UPPER) != 0 else 0
            lower += 1 if (kind & LOWER) != 0 else 0
            space += 1 if (kind & SPACE) != 0 else 0
            other += 1 if (kind & (ALNUM | SPACE)) == 0 else 0
            marks += 1 if (kind & (PUNCTUATION | SYMBOL)) != 0 else 0
            far += 1 if points[i] > 127 else 0
            unspaced += 1 if (kind & UNSPACED) != 0 and (kind & ALPHA) != 0 else 0
            control += 1 if (kind & CONTROL) != 0 else 0
            replaced += 1 if points[i] == 0xFFFD else 0
            pictures += 1 if (kind & EMOJI) != 0 else 0
        size = last - first
        values[document, 0] = size
        values[document, 9], values[document, 10], values[document, 11] = control, replaced, pictures
        if size:
            values[document, 1], values[document, 2] = alpha / size, digit / size
            values[document, 4], values[document, 5] = space / size, other / size
            values[document, 6], values[document, 7] = marks / size, far / size
        if upper + lower:
            values[document, 3] = upper / (upper + lower)
        if alpha:
            values[document, 8] = unspaced / alpha

"""RefinedWeb's rules as the DCLM baseline applies them (Penedo et al. 2023, arXiv 2306.01116; Li et al. 2024,
arXiv 2406.11794): lines and paragraphs without white space around them, empty ones left out.

Not implemented: DCLM's removal of three phrases from short lines, and of URLs before all rules.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.signals.gopher import STOP_WORDS
from tamis.analytics.text.block import Block
from tamis.analytics.text.characters import ALNUM, DECIMAL, DIGIT, SPACE, UPPER, lower_points
from tamis.analytics.text.hash_table import count, mask_for, piece_hash
from tamis.analytics.text.words import BASE, MIX, Words, word_hash

COUNTERS = (
    "likes", "shares", "comments", "retweets", "reposts", "quotes", "bookmarks", "upvotes", "downvotes", "downloads",
    "views", "followers",
)  # fmt: skip
_COUNTERS = np.array(sorted(word_hash(word) for word in COUNTERS), dtype=np.uint64)
_STOPS = np.array([word_hash(word) for word in STOP_WORDS], dtype=np.uint64)
_MIX = MIX
_ONE, _SHIFT = np.uint64(1), np.uint64(32)


def refinedweb_words(block: Block, chunks: Words) -> NDArray[np.float64]:
    """Measure words between white space.

    Returns:
        float64 (n, 3): words that begin with a letter or digit; symbols (``#``, ``...``, ``. . .``, ``…``) per word;
        occurrences of the 8 stop words in any case. The ratio is NaN without words.
    """
    values = np.full((len(block), 3), np.nan)
    _words(
        block.points,
        block.classes,
        block.starts,
        chunks.begin,
        chunks.end,
        chunks.starts,
        _STOPS,
        lower_points(),
        values,
    )
    return values


def refinedweb_lines(block: Block) -> NDArray[np.float64]:
    """Measure lines.

    Returns:
        float64 (n, 7): shares of lines that begin with ``● • * -``, that end in ``... . . . …``; shares of lines that
        occur twice or more, and of the characters in them; the same two for paragraphs; share of the words that begin
        with a letter or digit in lines RefinedWeb removes (more than half upper case, all digits, counters such as
        ``3 likes``, a single word). NaN where the denominator is zero.
    """
    values = np.full((len(block), 7), np.nan)
    most = int(np.diff(block.starts).max(initial=0)) + 2
    slots = 1 << max(4, int(2 * most).bit_length())
    table = np.zeros(slots, dtype=np.uint64), np.zeros(slots, dtype=np.int32), np.zeros(slots, dtype=np.int32)
    _lines(block.points, block.classes, block.starts, *table, values)
    _removed(block.points, block.classes, block.starts, lower_points(), _COUNTERS, values)
    return values


@njit(cache=True, nogil=True)
def _symbols(points, first, last):  # type: ignore[no-untyped-def]
    """Count ``#``, ``...``, ``. . .`` and ``…``, each without overlap with itself."""
    count, dots, spaced = 0, first, first
    for i in range(first, last):
        point = points[i]
        if point == 35 or point == 0x2026:
            count += 1
        elif point == 46:
            if i >= dots and i + 2 < last and points[i + 1] == 46 and points[i + 2] == 46:
                count += 1
                dots = i + 3
            wide = i + 4 < last and points[i + 1] == 32 and points[i + 2] == 46
            if i >= spaced and wide and points[i + 3] == 32 and points[i + 4] == 46:
                count += 1
                spaced = i + 5
    return count


@njit(cache=True, nogil=True)
def _lower_hash(points, first, end, lowered):  # type: ignore[no-untyped-def]
    value = np.uint64(0)
    for i in range(first, end):
        mixed = (np.uint64(lowered[points[i]]) + _ONE) * _MIX
        value = value * BASE + (mixed ^ (mixed >> _SHIFT))
    return value


@njit(cache=True, nogil=True)
def _words(points, classes, starts, begin, end, word_starts, stops, lowered, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        plain, common = 0, 0
        first, last = word_starts[document], word_starts[document + 1]
        for w in range(first, last):
            plain += 1 if (classes[begin[w]] & ALNUM) != 0 else 0
            if end[w] - begin[w] <= 4:
                key = _lower_hash(points, begin[w], end[w], lowered)
                for k in range(len(stops)):
                    common += 1 if key == stops[k] else 0
        values[document, 0], values[document, 2] = plain, common
        if last > first:
            values[document, 1] = _symbols(points, starts[document], starts[document + 1]) / (last - first)


@njit(cache=True, nogil=True)
def _piece(points, classes, i, last, paragraphs):  # type: ignore[no-untyped-def]
    """Return (end of the piece at ``i``, its first and one past its last character that are not white space)."""
    end = i
    while end < last and (points[end] != 10 or (paragraphs and (end + 1 >= last or points[end + 1] != 10))):
        end += 1
    low, high = i, end
    while low < high and (classes[low] & SPACE) != 0:
        low += 1
    while high > low and (classes[high - 1] & SPACE) != 0:
        high -= 1
    return end, low, high


@njit(cache=True, nogil=True)
def _trails_off(points, low, high):  # type: ignore[no-untyped-def]
    if points[high - 1] == 0x2026:
        return True
    if points[high - 1] != 46:
        return False
    if high - low >= 3 and points[high - 2] == 46 and points[high - 3] == 46:
        return True
    wide = high - low >= 5 and points[high - 2] == 32 and points[high - 3] == 46
    return wide and points[high - 4] == 32 and points[high - 5] == 46


@njit(cache=True, nogil=True)
def _lines(points, classes, starts, keys, stamps, counts, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        first, last = starts[document], starts[document + 1]
        feeds = 1
        for i in range(first, last):
            feeds += 1 if points[i] == 10 else 0
        mask = mask_for(feeds + 1)
        for part in range(2):
            stamp = np.int32(2 * document + part + 1)
            pieces, size, bullets, ellipses, repeated, length = 0, 0, 0, 0, 0, 0
            # Every copy of a repeated piece counts: the first one is added when the second is met.
            i = first
            while i <= last:
                end, low, high = _piece(points, classes, i, last, part == 1)
                if high > low:
                    pieces += 1
                    size += high - low
                    bullets += 1 if points[low] in (0x25CF, 0x2022, 42, 45) else 0
                    ellipses += 1 if _trails_off(points, low, high) else 0
                    slot = count(piece_hash(points, low, high), keys, stamps, counts, stamp, mask)
                    copies = 2 if counts[slot] == 2 else (1 if counts[slot] > 2 else 0)
                    repeated += copies
                    length += copies * (high - low)
                i = end + 1 + part if end < last else last + 1
            if pieces:
                values[document, 2 + 2 * part], values[document, 3 + 2 * part] = repeated / pieces, length / size
                if part == 0:
                    values[document, 0], values[document, 1] = bullets / pieces, ellipses / pieces


@njit(cache=True, nogil=True)
def _is_counter(points, classes, low, high, lowered, counters):  # type: ignore[no-untyped-def]
    """Say whether a line is a number, perhaps with k, m or b, and a word such as ``likes``."""
    while low < high and (classes[low] & ALNUM) == 0 and points[low] != 95:
        low += 1
    while high > low and (classes[high - 1] & ALNUM) == 0 and points[high - 1] != 95:
        high -= 1
    i = low
    if i == high or (classes[i] & DECIMAL) == 0:
        return False
    while i < high and ((classes[i] & DECIMAL) != 0 or points[i] == 44 or points[i] == 46):
        i += 1
    if i < high and lowered[points[i]] in (107, 109, 98):
        i += 1
    gap = i
    while i < high and (classes[i] & SPACE) != 0:
        i += 1
    if i in (gap, high):
        return False
    key = _lower_hash(points, i, high, lowered)
    return np.any(counters == key)


@njit(cache=True, nogil=True)
def _removed(points, classes, starts, lowered, counters, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        words, removed = 0, 0
        i, last = starts[document], starts[document + 1]
        while i < last:
            end = i
            upper, digits, chunks, plain, inside = 0, 0, 0, 0, False
            while end < last and points[end] != 10:
                kind = classes[end]
                upper += 1 if (kind & UPPER) != 0 else 0
                digits += 1 if (kind & DIGIT) != 0 else 0
                if (kind & SPACE) != 0:
                    inside = False
                elif not inside:
                    inside = True
                    chunks += 1
                    plain += 1 if (kind & ALNUM) != 0 else 0
                end += 1
            words += plain
            size = end - i
            gone = size > 0 and (2 * upper > size or digits == size or chunks < 2)
            if plain > 0 and (gone or _is_counter(points, classes, i, end, lowered, counters)):
                removed += plain
            i = end + 1
        if words:
            values[document, 6] = removed / words

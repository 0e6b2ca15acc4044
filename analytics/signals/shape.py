"""Shape of a text: line lengths, repeated characters, marks, code, mojibake."""

from __future__ import annotations

import zlib

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.block import Block
from tamis.analytics.text.characters import ALNUM, ALPHA, BREAK, MARK, SPACE
from tamis.analytics.text.hash_table import count, mask_for
from tamis.analytics.text.words import BASE, MIX

REPEATED = 10
MOST_RUNS = 2_000_000
"""Longer documents have no share of repeated runs, since the table would be larger than the text."""

CODE_MARKS = "{}()[]<>=;:_/\\|&*+%$#@^~`"
_MIX = MIX
_ONE, _SHIFT = np.uint64(1), np.uint64(32)
_CODE = np.array(sorted(ord(mark) for mark in CODE_MARKS), dtype=np.int32)
_CP1252 = np.array(sorted(set(map(ord, bytes(range(0x80, 0xA0)).decode("cp1252", "ignore")))), dtype=np.int32)


def shape(block: Block) -> NDArray[np.float64]:
    """Measure lines and characters.

    Returns:
        float64 (n, 7): letters and digits per character; characters other than letters and the marks on them, per
        character; mean and greatest length of a line of ``splitlines``; share of code-like lines among lines that
        are not blank; number of characters that were UTF-8 read as Windows-1252; share of repeated runs of 10
        characters. NaN where the denominator is zero.
    """
    values = np.full((len(block), 7), np.nan)
    most = min(int(np.diff(block.starts).max(initial=0)), MOST_RUNS)
    slots = 1 << max(4, int(2 * most).bit_length())
    keys = np.zeros(slots, dtype=np.uint64)
    stamps, counts = np.zeros(slots, dtype=np.int32), np.zeros(slots, dtype=np.int32)
    places = np.empty(most, dtype=np.int64)
    _shape(block.points, block.classes, block.starts, _CODE, _CP1252, values)
    _repeated_runs(block.points, block.starts, keys, stamps, counts, places, values)
    return values


def compression_ratio(offsets: NDArray[np.int64], data: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return bytes before / bytes after zlib (level 6, raw) of each document, float64 (n,); NaN if it is empty."""
    view = data.data
    values = np.full(len(offsets) - 1, np.nan)
    for document in range(len(values)):
        first, end = int(offsets[document]), int(offsets[document + 1])
        if end > first:
            values[document] = (end - first) / len(zlib.compress(view[first:end], 6, -15))
    return values


@njit(cache=True, nogil=True)
def _is_in(point, sorted_points):  # type: ignore[no-untyped-def]
    low, high = 0, len(sorted_points)
    while low < high:
        middle = (low + high) // 2
        if sorted_points[middle] < point:
            low = middle + 1
        else:
            high = middle
    return low < len(sorted_points) and sorted_points[low] == point


@njit(cache=True, nogil=True)
def _is_code(points, classes, first, end, marks):  # type: ignore[no-untyped-def]
    """Say whether a line ends in ``; { }`` or has a code mark for every five characters that are not white space."""
    found, filled, final = 0, 0, 0
    for i in range(first, end):
        if (classes[i] & SPACE) == 0:
            filled += 1
            final = points[i]
            if (classes[i] & ALNUM) == 0 and _is_in(points[i], marks):
                found += 1
    return filled > 1 and (final in (59, 123, 125) or 5 * found > filled)


@njit(cache=True, nogil=True)
def _mojibake(points, i, last, tails):  # type: ignore[no-untyped-def]
    """Return the length of a UTF-8 sequence read as Windows-1252 or Latin-1 at ``i``, else 0."""
    lead = points[i]
    need = 1 if 0xC2 <= lead <= 0xDF else (2 if 0xE0 <= lead <= 0xEF else (3 if 0xF0 <= lead <= 0xF4 else 0))
    if need == 0 or i + need >= last:
        return 0
    for k in range(i + 1, i + 1 + need):
        tail = points[k]
        if not (0x80 <= tail <= 0xBF or (tail > 0xBF and _is_in(tail, tails))):
            return 0
    return need + 1


@njit(cache=True, nogil=True)
def _shape(points, classes, starts, marks, tails, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        first, last = starts[document], starts[document + 1]
        alnum, special, broken, done = 0, 0, 0, first
        lines, filled_lines, code, longest, begin, filled = 0, 0, 0, 0, first, False
        for i in range(first, last + 1):
            if i == last or (classes[i] & BREAK) != 0:
                follows = i == begin and i > first and i < last and points[i] == 10 and points[i - 1] == 13
                if (i < last or i > begin) and not follows:
                    lines += 1
                    longest = max(longest, i - begin)
                    if filled:
                        filled_lines += 1
                        code += 1 if _is_code(points, classes, begin, i, marks) else 0
                begin, filled = i + 1, False
            if i < last:
                kind = classes[i]
                filled = filled or (kind & SPACE) == 0
                alnum += 1 if (kind & ALNUM) != 0 else 0
                special += 1 if (kind & (ALPHA | MARK)) == 0 else 0
                if points[i] >= 0xC2 and i >= done:
                    width = _mojibake(points, i, last, tails)
                    broken += 1 if width > 0 else 0
                    done = i + max(width, 1)
        values[document, 5] = broken
        if last > first:
            values[document, 0], values[document, 1] = alnum / (last - first), special / (last - first)
            values[document, 3] = longest
        if lines:
            values[document, 2] = (last - first) / lines
        if filled_lines:
            values[document, 4] = code / filled_lines


@njit(cache=True, nogil=True)
def _repeated_runs(points, starts, keys, stamps, counts, places, values):  # type: ignore[no-untyped-def]
    """Sum the most frequent runs, as many as the square root of the distinct ones, that occur twice or more."""
    top = np.uint64(1)
    for _ in range(REPEATED - 1):
        top = top * BASE
    for document in range(len(starts) - 1):
        first, runs = starts[document], starts[document + 1] - starts[document] - REPEATED + 1
        if runs < 1 or runs > MOST_RUNS:
            continue
        mask = mask_for(runs)
        stamp, distinct, key = np.int32(document + 1), 0, np.uint64(0)
        for i in range(first, first + runs + REPEATED - 1):
            mixed = (np.uint64(points[i]) + _ONE) * _MIX
            key = key * BASE + (mixed ^ (mixed >> _SHIFT))
            if i < first + REPEATED - 1:
                continue
            slot = count(key, keys, stamps, counts, stamp, mask)
            if counts[slot] == 1:
                places[distinct] = slot
                distinct += 1
            mixed = (np.uint64(points[i - REPEATED + 1]) + _ONE) * _MIX
            key = key - (mixed ^ (mixed >> _SHIFT)) * top
        many = 0
        for k in range(distinct):
            if counts[places[k]] > 1:
                places[many] = counts[places[k]]
                many += 1
        taken = min(int(np.sqrt(distinct)), many)
        repeated = 0
        if taken > 0:
            ordered = np.sort(places[:many])
            for k in range(many - taken, many):
                repeated += ordered[k]
        values[document, 6] = repeated / runs

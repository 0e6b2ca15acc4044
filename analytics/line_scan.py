"""Lines of a document: bullets and ellipses (Gopher), terminal marks, short and repeated lines (FineWeb).

Gopher's lines are those of ``str.splitlines``; FineWeb's are those of ``split("\\n")`` that are not blank.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.characters import BREAK, SPACE, TERMINAL
from tamis.analytics.text_block import Block
from tamis.analytics.words import BASE, MIX

SHORT = 30
_MIX = MIX
_ONE, _SHIFT = np.uint64(1), np.uint64(32)


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
def _repeats(points, first, end, keys, stamps, stamp, mask):  # type: ignore[no-untyped-def]
    """Remember the line [first, end); say whether the document had it before."""
    key = np.uint64(0)
    for i in range(first, end):
        mixed = (np.uint64(points[i]) + _ONE) * _MIX
        key = key * BASE + (mixed ^ (mixed >> _SHIFT))
    mixed = (key ^ (key >> _SHIFT)) * _MIX
    slot = np.int64((mixed >> _SHIFT) & np.uint64(mask))
    while stamps[slot] == stamp:
        if keys[slot] == key:
            return True
        slot = (slot + 1) & mask
    keys[slot], stamps[slot] = key, stamp
    return False


@njit(cache=True, nogil=True)
def _fineweb_lines(points, classes, starts, keys, stamps, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        i, last = starts[document], starts[document + 1]
        size, feeds = last - i, 0
        for k in range(i, last):
            feeds += 1 if points[k] == 10 else 0
        mask = 15
        while mask + 1 < 2 * (feeds + 1):
            mask = 2 * mask + 1
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
                if _repeats(points, i, end, keys, stamps, np.int32(document + 1), mask):
                    repeated += end - i
            i = end + 1
        values[document, 0], values[document, 4] = lines, feeds
        if lines:
            values[document, 1], values[document, 2] = closed / lines, short / lines
            values[document, 3] = repeated / (size - feeds)

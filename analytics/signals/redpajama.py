"""RedPajama-V2's annotations of whole documents (Weber et al. 2024, arXiv 2411.12372; no thresholds).

Raw words are runs of ``\\w`` and runs of other characters that are not white space; normalised words are lower-case,
without ASCII punctuation. Unlike the reference, letters are not decomposed (NFD), so an accented letter counts once.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.block import Block
from tamis.analytics.text.characters import ALNUM, LOWER, SPACE, TITLE, UPPER, lower_points

_LOREM = np.array([ord(character) for character in "lorem ipsum"], dtype=np.int32)


def redpajama(block: Block) -> NDArray[np.float64]:
    """Measure raw words, lines and marks.

    Returns:
        float64 (n, 8): raw words; ``#``, ``...`` and ``…`` per raw word; raw words without an ASCII letter; raw words
        in upper case; lines (each with its line feed) that end in an ellipsis; ``{`` and ``}`` per character;
        ``lorem ipsum`` per normalised character; sentences (runs of characters up to ``. ! ?``). Shares are NaN where
        the denominator is zero.
    """
    values = np.full((len(block), 8), np.nan)
    _raw_words(block.points, block.classes, block.starts, values)
    _raw_lines(block.points, block.classes, block.starts, values)
    _marks(block.points, block.classes, block.starts, lower_points(), _LOREM, values)
    return values


@njit(cache=True, nogil=True)
def _is_word(point, kind):  # type: ignore[no-untyped-def]
    return (kind & ALNUM) != 0 or point == 95


@njit(cache=True, nogil=True)
def _raw_words(points, classes, starts, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        words, plain, capital = 0, 0, 0
        i, last = starts[document], starts[document + 1]
        while i < last:
            if (classes[i] & SPACE) != 0:
                i += 1
                continue
            inside = _is_word(points[i], classes[i])
            letter, every = False, np.uint32(0)
            while i < last and (classes[i] & SPACE) == 0 and _is_word(points[i], classes[i]) == inside:
                letter = letter or 97 <= points[i] | 32 <= 122
                every |= classes[i]
                i += 1
            words += 1
            plain += 0 if letter else 1
            capital += 1 if (every & UPPER) != 0 and (every & (LOWER | TITLE)) == 0 else 0
        values[document, 0] = words
        if words:
            values[document, 2], values[document, 3] = plain / words, capital / words


@njit(cache=True, nogil=True)
def _raw_lines(points, classes, starts, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        lines, ellipses = 0, 0
        i, last = starts[document], starts[document + 1]
        while i < last:
            end = i
            while end < last and points[end] != 10:
                end += 1
            high = end
            while high > i and (classes[high - 1] & SPACE) != 0:
                high -= 1
            lines += 1
            dotted = high - i >= 3 and points[high - 1] == 46 and points[high - 2] == 46 and points[high - 3] == 46
            if dotted or (high > i and points[high - 1] == 0x2026):
                ellipses += 1
            i = end + 1
        if lines:
            values[document, 4] = ellipses / lines


@njit(cache=True, nogil=True)
def _marks(points, classes, starts, lowered, lorem, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        first, last = starts[document], starts[document + 1]
        symbols, brackets, sentences, open_sentence, dots = 0, 0, 0, False, first
        kept, same, found, gap = 0, 0, 0, True
        for i in range(first, last):
            point = points[i]
            symbols += 1 if point == 35 or point == 0x2026 else 0
            if point == 46 and i >= dots and i + 2 < last and points[i + 1] == 46 and points[i + 2] == 46:
                symbols += 1
                dots = i + 3
            brackets += 1 if point in (123, 125) else 0
            # A sentence begins at the first word character after a boundary and runs up to its closing marks.
            if point in (46, 33, 63):
                open_sentence = False
            elif not open_sentence and _is_word(point, classes[i]):
                open_sentence = True
                sentences += 1
            # Normalised text: no ASCII punctuation, white space runs as one space.
            if 33 <= point <= 47 or 58 <= point <= 64 or 91 <= point <= 96 or 123 <= point <= 126:
                continue
            space = (classes[i] & SPACE) != 0
            if space and gap:
                continue
            gap = space
            kept += 1
            point = np.int64(32) if space else np.int64(lowered[point])
            if point == lorem[same]:
                same += 1
            else:
                same = 1 if point == lorem[0] else 0
            if same == len(lorem):
                found += 1
                same = 0
        kept -= 1 if gap and kept > 0 else 0
        words = values[document, 0]
        if words > 0:
            values[document, 1] = symbols / words
        values[document, 7] = sentences
        if last > first:
            values[document, 5] = brackets / (last - first)
        if kept > 0:
            values[document, 6] = found / kept

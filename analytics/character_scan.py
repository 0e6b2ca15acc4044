"""Characters of a document by kind: one count per kind, shares of all characters."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.characters import (
    ALNUM,
    ALPHA,
    CONTROL,
    DIGIT,
    EMOJI,
    LOWER,
    PUNCTUATION,
    SPACE,
    SYMBOL,
    UNSPACED,
    UPPER,
)
from tamis.analytics.text_block import Block

COUNTED = 12


def character_shares(block: Block) -> NDArray[np.float64]:
    """Count characters by kind.

    Returns:
        float64 (n, 12): number of characters; shares of letters, digits, upper case among cased letters, white space,
        neither letter, digit nor white space, punctuation and symbols, outside ASCII, letters of scripts without
        spaces among letters; numbers of control characters, of U+FFFD, of pictographs. Shares are NaN where there is
        nothing to divide by.
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

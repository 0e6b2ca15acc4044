"""Repeated n-grams counted as covered characters: the convention of DCLM and RedPajama-V2.

Every occurrence of an n-gram that occurs twice or more covers its words; a word is counted once however many n-grams
cover it. The denominator is the characters of the words, white space and marks left out. (Gopher as datatrove computes
it, in ``repetition``, counts only the second and later occurrences, against all characters of the text.)
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.plain_words import PlainWords
from tamis.analytics.words import MIX

_MIX = MIX
_SHIFT = np.uint64(32)
_STEP = np.uint64(0x9E3779B97F4A7C15)


def ngram_cover(words: PlainWords, *, longest_tie: bool) -> NDArray[np.float64]:
    """Measure repeated n-grams.

    Args:
        words: the words to compare.
        longest_tie: of the most frequent n-grams take the longest (DCLM), else the first (RedPajama-V2).

    Returns:
        float64 (n, 9): characters of the most frequent 2-, 3-, 4-gram times its count, 0 when none repeats; characters
        covered by repeated 5- to 10-grams; per character of the words. NaN without words.
    """
    values = np.full((len(words.starts) - 1, 9), np.nan)
    most = int(np.diff(words.starts).max(initial=0))
    slots = 1 << max(4, int(2 * most).bit_length())
    keys = np.zeros(slots, dtype=np.uint64)
    stamps, counts = np.zeros(slots, dtype=np.int32), np.zeros(slots, dtype=np.int32)
    grams, places = np.empty(most, dtype=np.uint64), np.empty(most, dtype=np.int64)
    _cover(words.hashes, words.lengths, words.starts, longest_tie, keys, stamps, counts, grams, places, values)
    return values


def repeated_ngram_share(words: PlainWords, n: int) -> NDArray[np.float64]:
    """Return the share of n-grams that occur twice or more, float64 (n,); 0 for documents without n-grams."""
    values = np.zeros(len(words.starts) - 1)
    most = int(np.diff(words.starts).max(initial=0))
    slots = 1 << max(4, int(2 * most).bit_length())
    keys = np.zeros(slots, dtype=np.uint64)
    stamps, counts = np.zeros(slots, dtype=np.int32), np.zeros(slots, dtype=np.int32)
    grams, places = np.empty(most, dtype=np.uint64), np.empty(most, dtype=np.int64)
    _repeated_share(words.hashes, words.starts, n, keys, stamps, counts, grams, places, values)
    return values


@njit(cache=True, nogil=True)
def _extend(hashes, first, words, n, grams):  # type: ignore[no-untyped-def]
    """Turn the (n - 1)-grams of a document into n-grams."""
    for i in range(words - n + 1):
        mixed = (grams[i] ^ (grams[i] >> _SHIFT)) * _STEP
        grams[i] = mixed + hashes[first + i + n - 1] * _MIX


@njit(cache=True, nogil=True)
def _tally(grams, count, keys, stamps, counts, places, stamp):  # type: ignore[no-untyped-def]
    """Count equal n-grams; ``places`` holds the slot of each. Return the highest count."""
    mask = 15
    while mask < 2 * count:
        mask = 2 * mask + 1
    most = 0
    for i in range(count):
        slot = np.int64(((grams[i] ^ (grams[i] >> _SHIFT)) * _MIX >> _SHIFT) & np.uint64(mask))
        while stamps[slot] == stamp and keys[slot] != grams[i]:
            slot = (slot + 1) & mask
        if stamps[slot] != stamp:
            keys[slot], stamps[slot], counts[slot] = grams[i], stamp, 0
        counts[slot] += 1
        places[i] = slot
        most = max(most, counts[slot])
    return most


@njit(cache=True, nogil=True)
def _cover(hashes, lengths, starts, longest_tie, keys, stamps, counts, grams, places, values):  # type: ignore[no-untyped-def]
    stamp = np.int32(0)
    for document in range(len(starts) - 1):
        first, words = starts[document], starts[document + 1] - starts[document]
        size = 0
        for w in range(words):
            size += lengths[first + w]
            grams[w] = hashes[first + w]
        if words == 0:
            continue
        for k in range(9):
            values[document, k] = 0.0
        for n in range(2, 11):
            if words < n:
                break
            _extend(hashes, first, words, n, grams)
            stamp += np.int32(1)
            most = _tally(grams, words - n + 1, keys, stamps, counts, places, stamp)
            if most < 2:
                break
            if n < 5:
                best = 0
                for i in range(words - n + 1):
                    if counts[places[i]] == most:
                        length = 0
                        for w in range(first + i, first + i + n):
                            length += lengths[w]
                        best = max(best, length)
                        if not longest_tie:
                            break
                values[document, n - 2] = best * most / size
            else:
                covered, done = 0, 0
                for i in range(words - n + 1):
                    if counts[places[i]] > 1:
                        for w in range(max(i, done), i + n):
                            covered += lengths[first + w]
                        done = i + n
                values[document, n - 2] = covered / size


@njit(cache=True, nogil=True)
def _repeated_share(hashes, starts, n, keys, stamps, counts, grams, places, values):  # type: ignore[no-untyped-def]
    stamp = np.int32(0)
    for document in range(len(starts) - 1):
        first, words = starts[document], starts[document + 1] - starts[document]
        if words < n:
            continue
        for w in range(words):
            grams[w] = hashes[first + w]
        for k in range(2, n + 1):
            _extend(hashes, first, words, k, grams)
        stamp += np.int32(1)
        _tally(grams, words - n + 1, keys, stamps, counts, places, stamp)
        repeated = 0
        for i in range(words - n + 1):
            repeated += 1 if counts[places[i]] > 1 else 0
        values[document] = repeated / (words - n + 1)

"""Repetition within a document: duplicate lines and paragraphs, top n-grams, duplicate n-grams.

The rules of Gopher (Rae et al. 2021, arXiv 2112.11446, table A1) as datatrove 0.10 computes them. Every share has the
document's characters, white space included, as denominator. N-grams roll over the words' hashes; the text is not read
again. Top n-grams join words with a space, duplicate n-grams without one.

``ngram_cover`` follows the convention of DCLM and RedPajama-V2: every occurrence of an n-gram that occurs twice or more
covers its words, and a word counts once however many n-grams cover it. The denominator is the characters of the words
in ``PlainWords``, white space and marks left out. (Gopher's rules count only the second and later occurrences, against
all characters of the text.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.block import Block
from tamis.analytics.text.characters import ALNUM, SPACE, lower_points
from tamis.analytics.text.hash_table import add, count, find_stamped, mask_for, piece_hash
from tamis.analytics.text.words import BASE, MIX, Words

TOP = (2, 3, 4)
DUPLICATE = (5, 6, 7, 8, 9, 10)
_MIX = MIX
_ONE, _SHIFT = np.uint64(1), np.uint64(32)
_GAP = np.uint64((33 * int(MIX) & 0xFFFFFFFFFFFFFFFF) ^ ((33 * int(MIX) & 0xFFFFFFFFFFFFFFFF) >> 32))


def line_repetition(block: Block) -> NDArray[np.float64]:
    """Measure duplicate paragraphs and lines.

    Returns:
        float64 (n, 4): share of paragraphs, share of characters in them, share of lines, share of characters in them
        that repeat an earlier one. NaN for an empty document.
    """
    values = np.full((len(block), 4), np.nan)
    longest = int(np.diff(block.starts).max(initial=0))
    table = _table(longest + 1)
    _line_repetition(block.points, block.classes, block.starts, *table, values)
    return values


def word_repetition(block: Block, words: Words) -> NDArray[np.float64]:
    """Measure repeated n-grams.

    Returns:
        float64 (n, 9): top 2-, 3-, 4-grams, then duplicate 5- to 10-grams. A top n-gram is NaN when the document has
        fewer words than n; everything is NaN for an empty document.
    """
    values = np.full((len(block), len(TOP) + len(DUPLICATE)), np.nan)
    most = int(np.diff(words.starts).max(initial=0))
    grams = np.empty(most, dtype=np.uint64)
    _word_repetition(
        block.starts, words.starts, words.begin, words.end, words.hashes, words.powers, grams, *_table(most), values
    )
    return values


def _table(entries: int) -> tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Return an open-addressing table for up to ``entries`` keys: keys, stamps, counts, first places."""
    slots = 16
    while slots < 2 * entries:
        slots *= 2
    numbers = (np.zeros(slots, dtype=np.int32) for _ in range(3))
    return (np.zeros(slots, dtype=np.uint64), *numbers)  # type: ignore[return-value]


@njit(cache=True, nogil=True)
def _pieces(points, first, end, least, keys, stamps, stamp, mask):  # type: ignore[no-untyped-def]
    """Split at runs of at least ``least`` line feeds; return pieces, duplicate pieces, characters of duplicates."""
    pieces, doubles, characters = 0, 0, 0
    begin, i = first, first
    while True:
        run = i
        while run < end and points[run] == 10:
            run += 1
        if run - i >= least or i >= end:
            pieces += 1
            if not add(piece_hash(points, begin, i), keys, stamps, stamp, mask):
                doubles += 1
                characters += i - begin
            if i >= end:
                return pieces, doubles, characters
            begin, i = run, run
        else:
            i = max(run, i + 1)


@njit(cache=True, nogil=True)
def _line_repetition(points, classes, starts, keys, stamps, counts, places, values):  # type: ignore[no-untyped-def]
    stamp = np.int32(0)
    for document in range(len(starts) - 1):
        first, end = starts[document], starts[document + 1]
        if first == end:
            continue
        low, high = first, end
        while low < high and (classes[low] & SPACE) != 0:
            low += 1
        while high > low and (classes[high - 1] & SPACE) != 0:
            high -= 1
        feeds = 1
        for i in range(first, end):
            feeds += 1 if points[i] == 10 else 0
        mask = mask_for(feeds + 1)
        for part in range(2):
            stamp += np.int32(1)
            begin, stop, least = (low, high, 2) if part == 0 else (first, end, 1)
            pieces, doubles, characters = _pieces(points, begin, stop, least, keys, stamps, stamp, mask)
            values[document, 2 * part] = doubles / pieces
            values[document, 2 * part + 1] = characters / (end - first)


@njit(cache=True, nogil=True)
def _top(grams, count, keys, stamps, counts, places, stamp, mask):  # type: ignore[no-untyped-def]
    """Return (place of the most frequent n-gram, its count); ties go to the one seen first."""
    best, most = 0, 0
    for i in range(count):
        slot = find_stamped(grams[i], keys, stamps, stamp, mask)
        if stamps[slot] != stamp:
            keys[slot], stamps[slot], counts[slot], places[slot] = grams[i], stamp, 0, i
        counts[slot] += 1
        if counts[slot] > most or (counts[slot] == most and places[slot] < best):
            best, most = places[slot], counts[slot]
    return best, most


@njit(cache=True, nogil=True)
def _word_repetition(starts, word_starts, begin, end, hashes, powers, grams, keys, stamps, counts, places, values):  # type: ignore[no-untyped-def]
    stamp = np.int32(0)
    for document in range(len(starts) - 1):
        size = starts[document + 1] - starts[document]
        if size == 0:
            continue
        first = word_starts[document]
        words = word_starts[document + 1] - first
        mask = mask_for(words)
        for i in range(words):
            grams[i] = hashes[first + i]
        for n in range(2, 5):
            count = words - n + 1
            if count < 1:
                break
            for i in range(count):
                last = first + i + n - 1
                grams[i] = (grams[i] * BASE + _GAP) * powers[last] + hashes[last]
            stamp += np.int32(1)
            best, times = _top(grams, count, keys, stamps, counts, places, stamp, mask)
            length = n - 1
            for w in range(first + best, first + best + n):
                length += end[w] - begin[w]
            values[document, n - 2] = length * times / size
        for i in range(words):
            grams[i] = hashes[first + i]
        for n in range(2, 11):
            for i in range(words - n + 1):
                last = first + i + n - 1
                grams[i] = grams[i] * powers[last] + hashes[last]
            if n >= 5:
                stamp += np.int32(1)
                length = _repeated(first, words, n, begin, end, grams, keys, stamps, stamp, mask)
                values[document, n - 2] = length / size


@njit(cache=True, nogil=True)
def _repeated(first, words, n, begin, end, grams, keys, stamps, stamp, mask):  # type: ignore[no-untyped-def]
    """Return the characters in n-grams that were seen before; after each one the scan jumps over it."""
    length, i = 0, 0
    while i < words - n + 1:
        if not add(grams[i], keys, stamps, stamp, mask):
            for w in range(first + i, first + i + n):
                length += end[w] - begin[w]
            i += n
        else:
            i += 1
    return length


_ONE, _SHIFT = np.uint64(1), np.uint64(32)


@dataclass(frozen=True)
class PlainWords:
    """Words reduced to a hash and a length, filtered or normalised for n-gram statistics.

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
        """Lower-case the words between white space and remove ASCII punctuation; drop words that become empty."""
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


_SHIFT = np.uint64(32)
_STEP = np.uint64(0x9E3779B97F4A7C15)


def ngram_cover(words: PlainWords, *, longest_tie: bool) -> NDArray[np.float64]:
    """Measure repeated n-grams.

    Args:
        words: the words to compare.
        longest_tie: on a tie for the most frequent n-gram take the longest (DCLM), else the first (RedPajama-V2).

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
def _tally(grams, size, keys, stamps, counts, places, stamp):  # type: ignore[no-untyped-def]
    """Count equal n-grams; ``places`` holds the slot of each. Return the highest count."""
    mask, most = mask_for(size), 0
    for i in range(size):
        slot = count(grams[i], keys, stamps, counts, stamp, mask)
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

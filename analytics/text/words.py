"""Words of a block: position, hash and kind of each; split once, used by all kernels.

Word boundaries: white-space chunks, and the fast ``unicode`` convention that splits chunks further.

The ``unicode`` convention takes a chunk between white space and, in this order, splits off punctuation at its
beginning, punctuation at its end, and then splits the rest at hyphens and slashes between letters, at operators between
digits and at ``n't``, ``'s`` and the like. Addresses (``://``, ``www.``, ``@``) and initials (``e.g.``) stay whole. A
punctuation mark is a word of its own; a run of full stops is one word. This is close to what spaCy's rules for English
do, at about a hundred times the speed; the results differ, so the convention has its own name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.block import Block
from tamis.analytics.text.characters import (
    ALNUM,
    ALPHA,
    DIGIT,
    EDGE,
    HYPHEN,
    ICON,
    LEADING,
    LOWER,
    MARKUP,
    PUNCTUATION,
    QUOTE,
    SENTENCE,
    SPACE,
    TRAILING,
    UPPER,
)

_DOT, _PLUS, _PERCENT, _COMMA, _AT, _SLASH, _COLON = 46, 43, 37, 44, 64, 47, 58


def split_chunks(
    points: NDArray[np.int32], classes: NDArray[np.uint32], starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Split every document at white space (``str.split``).

    Returns:
        begin int64 (w,), end int64 (w,) as positions in ``points``, and int64 (n + 1,), each document's first word.
    """
    begin, end = np.empty(len(points), dtype=np.int64), np.empty(len(points), dtype=np.int64)
    first = np.empty(len(starts), dtype=np.int64)
    count = _chunks(classes, starts, begin, end, first)
    return begin[:count], end[:count], first


def split_unicode(
    points: NDArray[np.int32], classes: NDArray[np.uint32], starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Split every document into words of the ``unicode`` convention; returns as ``split_chunks``."""
    begin, end = np.empty(len(points), dtype=np.int64), np.empty(len(points), dtype=np.int64)
    first = np.empty(len(starts), dtype=np.int64)
    count = _unicode_words(points, classes, starts, begin, end, first)
    return begin[:count], end[:count], first


@njit(cache=True, nogil=True)
def _chunks(classes, starts, begin, end, first):  # type: ignore[no-untyped-def]
    count = 0
    for document in range(len(starts) - 1):
        first[document] = count
        inside = False
        for i in range(starts[document], starts[document + 1]):
            space = (classes[i] & SPACE) != 0
            if not space and not inside:
                begin[count] = i
                inside = True
            elif space and inside:
                end[count] = i
                count += 1
                inside = False
        if inside:
            end[count] = starts[document + 1]
            count += 1
    first[len(starts) - 1] = count
    return count


@njit(cache=True, nogil=True)
def _unicode_words(points, classes, starts, begin, end, first):  # type: ignore[no-untyped-def]
    count = 0
    for document in range(len(starts) - 1):
        first[document] = count
        last = starts[document + 1]
        i = starts[document]
        while i < last:
            if (classes[i] & SPACE) != 0:
                i += 1
                continue
            stop = i
            while stop < last and (classes[stop] & ALNUM) != 0:
                stop += 1
            if stop > i and (stop == last or (classes[stop] & SPACE) != 0):
                begin[count], end[count] = i, stop
                count += 1
            else:
                while stop < last and (classes[stop] & SPACE) == 0:
                    stop += 1
                count = _split(points, classes, i, stop, begin, end, count)
            i = stop
    first[len(starts) - 1] = count
    return count


@njit(cache=True, nogil=True)
def _split(points, classes, low, high, begin, end, count):  # type: ignore[no-untyped-def]
    """Split one chunk; suffixes wait at the far end of the output until the middle has been written."""
    low, count = _prefixes(points, classes, low, high, begin, end, count)
    room = len(begin)
    waiting = 0
    while low < high:
        cut = _suffix(points, classes, low, high)
        if cut == high:
            break
        waiting += 1
        begin[room - waiting], end[room - waiting] = cut, high
        high = cut
    if low < high:
        count = _middle(points, classes, low, high, begin, end, count)
    while waiting > 0:
        begin[count], end[count] = begin[room - waiting], end[room - waiting]
        count += 1
        waiting -= 1
    return count


@njit(cache=True, nogil=True)
def _prefixes(points, classes, low, high, begin, end, count):  # type: ignore[no-untyped-def]
    while low < high:
        width = 0
        if points[low] == _DOT:
            width = _dots(points, low, high)
        elif (classes[low] & (EDGE | ICON)) != 0:
            width = 1
        elif (classes[low] & LEADING) != 0:
            signed = points[low] == _PLUS and low + 1 < high and (classes[low + 1] & DIGIT) != 0
            width = 0 if signed else 1
        if width == 0:
            break
        begin[count], end[count] = low, low + width
        count += 1
        low += width
    return low, count


@njit(cache=True, nogil=True)
def _dots(points, i, high):  # type: ignore[no-untyped-def]
    """Return the length of a run of two or more full stops at ``i``, else 0."""
    stop = i
    while stop < high and points[stop] == _DOT:
        stop += 1
    return stop - i if stop - i > 1 else 0


@njit(cache=True, nogil=True)
def _suffix(points, classes, low, high):  # type: ignore[no-untyped-def]
    """Return where the last suffix of [low, high) begins, or ``high`` when there is none."""
    last = high - 1
    point, kind = points[last], classes[last]
    if point == _DOT:
        begin = last
        while begin > low and points[begin - 1] == _DOT:
            begin -= 1
        if begin < last:
            return begin
        if last == low:
            return high
        before = classes[last - 1]
        if (before & UPPER) != 0:
            return last if last - 2 >= low and (classes[last - 2] & UPPER) != 0 else high
        initials = last - 2 >= low and points[last - 2] == _DOT and (before & ALPHA) != 0
        closes = (before & (LOWER | DIGIT | EDGE)) != 0 or points[last - 1] == _PERCENT or points[last - 1] == _PLUS
        return last if closes and not initials else high
    if (kind & (EDGE | TRAILING | ICON)) != 0:
        return last
    if point in (_PERCENT, _PLUS) and last > low and (classes[last - 1] & DIGIT) != 0:
        return last
    if (point == 115 or point == 83) and last - 1 > low and (points[last - 1] == 39 or points[last - 1] == 0x2019):
        return last - 1
    return high


@njit(cache=True, nogil=True)
def _is_address(points, low, high):  # type: ignore[no-untyped-def]
    if high - low > 4 and points[low] == 119 and points[low + 1] == 119 and points[low + 2] == 119:
        return points[low + 3] == _DOT
    for i in range(low + 1, high - 1):
        if points[i] == _AT:
            return True
        if points[i] == _COLON and i + 2 < high and points[i + 1] == _SLASH and points[i + 2] == _SLASH:
            return True
    return False


@njit(cache=True, nogil=True)
def _contraction(points, low, high):  # type: ignore[no-untyped-def]
    """Return where n't, 're, 've, 'll, 'd or 'm begins at the end of [low, high), or ``high``."""
    size = high - low
    if size >= 3 and (points[high - 2] == 39 or points[high - 2] == 0x2019):
        mark = points[high - 1] | 32
        if mark == 116 and size > 3 and (points[high - 3] | 32) == 110:
            return high - 3
        if mark == 100 or mark == 109:
            return high - 2
    if size >= 4 and (points[high - 3] == 39 or points[high - 3] == 0x2019):
        one, two = points[high - 2] | 32, points[high - 1] | 32
        if (two == 101 and (one == 114 or one == 118)) or (one == 108 and two == 108):
            return high - 3
    return high


@njit(cache=True, nogil=True)
def _middle(points, classes, low, high, begin, end, count):  # type: ignore[no-untyped-def]
    if not _is_address(points, low, high):
        tail = _contraction(points, low, high)
        i = low + 1
        while i < tail - 1:
            width = _infix(points, classes, i, tail)
            if width > 0 and i + width < tail:
                if i > low:
                    begin[count], end[count] = low, i
                    count += 1
                begin[count], end[count] = i, i + width
                count += 1
                low = i + width
            i += max(width, 1)
        if tail < high:
            begin[count], end[count] = low, tail
            count += 1
            low = tail
    begin[count], end[count] = low, high
    return count + 1


@njit(cache=True, nogil=True)
def _infix(points, classes, i, high):  # type: ignore[no-untyped-def]
    """Return the length of a separator inside a word at ``i``, else 0."""
    point, kind, before, after = points[i], classes[i], classes[i - 1], classes[i + 1]
    if (kind & ICON) != 0 or point == 0x2026:
        return 1
    if point == _DOT:
        run = _dots(points, i, high)
        if run:
            return run
        sentence = (before & (LOWER | QUOTE)) != 0 and (after & (UPPER | QUOTE)) != 0
        return 1 if sentence else 0
    if point == _COMMA:
        return 1 if (before & ALPHA) != 0 and (after & ALPHA) != 0 else 0
    if (kind & HYPHEN) != 0 and (before & (ALPHA | DIGIT)) != 0:
        stop = i + 1
        while stop < high and stop < i + 3 and points[stop] == point:
            stop += 1
        if stop < high and (classes[stop] & ALPHA) != 0:
            return stop - i
    if (before & DIGIT) != 0 and point in (_PLUS, 45, 42, 94):
        return 1 if (after & DIGIT) != 0 or points[i + 1] == 45 else 0
    if point in (_COLON, _SLASH, 60, 61, 62):
        return 1 if (before & (ALPHA | DIGIT)) != 0 and (after & ALPHA) != 0 else 0
    return 0


HAS_ALPHA, IS_WORD, IS_MARK, IS_STOP = 1, 2, 4, 8
BASE = np.uint64(0x9E3779B97F4A7C15)
MIX = np.uint64(0xD6E8FEB86659FD93)
_ONE, _SHIFT = np.uint64(1), np.uint64(32)


@dataclass(frozen=True)
class Words:
    """The words of a block.

    Attributes:
        begin, end: int64 (w,), positions in the block's ``points``.
        starts: int64 (n + 1,), which words belong to each document.
        hashes: uint64 (w,), polynomial hash of each word's code points: ``h(ab) = h(a) * power(b) + h(b)``.
        powers: uint64 (w,), ``BASE ** length``.
        kinds: uint8 (w,), HAS_ALPHA (a letter in it), IS_WORD (not only symbols), IS_MARK (only punctuation) and
            IS_STOP (one mark that ends a sentence).
    """

    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    powers: NDArray[np.uint64]
    kinds: NDArray[np.uint8]

    @classmethod
    def at(cls, block: Block, begin: NDArray[np.int64], end: NDArray[np.int64], starts: NDArray[np.int64]) -> Words:
        """Describe words at known positions."""
        hashes, powers = np.empty(len(begin), dtype=np.uint64), np.empty(len(begin), dtype=np.uint64)
        kinds = np.empty(len(begin), dtype=np.uint8)
        _describe(block.points, block.classes, begin, end, hashes, powers, kinds)
        return cls(begin, end, starts, hashes, powers, kinds)

    @classmethod
    def chunks(cls, block: Block) -> Words:
        """Split at white space only, as ``str.split`` does."""
        return cls.at(block, *split_chunks(block.points, block.classes, block.starts))

    @classmethod
    def unicode(cls, block: Block) -> Words:
        """Split by the ``unicode`` convention, see ``split_unicode``."""
        return cls.at(block, *split_unicode(block.points, block.classes, block.starts))

    def of(self, block: Block, document: int) -> list[str]:
        """Return one document's words as Python strings."""
        text, origin = block.text(document), block.starts[document]
        span = slice(self.starts[document], self.starts[document + 1])
        return [text[b - origin : e - origin] for b, e in zip(self.begin[span], self.end[span], strict=True)]


def word_hash(word: str) -> int:
    """Return the hash that ``Words.hashes`` holds for this word, in [0, 2**64)."""
    value = 0
    for character in word:
        value = (value * int(BASE) + _mixed(ord(character))) & 0xFFFFFFFFFFFFFFFF
    return value


def _mixed(point: int) -> int:
    mixed = (point + 1) * int(MIX) & 0xFFFFFFFFFFFFFFFF
    return mixed ^ (mixed >> 32)


@njit(cache=True, nogil=True)
def _describe(points, classes, begin, end, hashes, powers, kinds):  # type: ignore[no-untyped-def]
    for w in range(len(begin)):
        value, power = np.uint64(0), np.uint64(1)
        every, common, plain = np.uint32(0), np.uint32(PUNCTUATION), False
        for i in range(begin[w], end[w]):
            mixed = (np.uint64(points[i]) + _ONE) * MIX
            value = value * BASE + (mixed ^ (mixed >> _SHIFT))
            power = power * BASE
            every |= classes[i]
            common &= classes[i]
            plain = plain or (classes[i] & MARKUP) == 0
        hashes[w], powers[w] = value, power
        kind = (HAS_ALPHA if (every & ALPHA) != 0 else 0) | (IS_WORD if plain else 0)
        kind |= IS_MARK if common != 0 else 0
        kinds[w] = kind | (IS_STOP if end[w] - begin[w] == 1 and (every & SENTENCE) != 0 else 0)

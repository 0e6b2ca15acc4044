"""C4's line rules: which lines stay, how citations are cut out of them, and when a document is dropped.

The rules of C4 (Raffel et al. 2020, arXiv 1910.10683) as datatrove 0.10 applies them, line by line of ``splitlines``:
a word of more than 1000 characters drops the line; citations are cut out; a line must end in ``. ? ! " '`` and not in
``...``; it needs a number of words; ``lorem ipsum`` and ``{`` drop the document; lines with ``javascript`` or a policy
phrase are dropped. Three variants differ in two of these rules, see ``VARIANTS``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.block import Block
from tamis.analytics.text.characters import BREAK, DECIMAL, SPACE, character_classes
from tamis.analytics.text.phrases import Phrases, phrases_at
from tamis.analytics.text.words import IS_MARK, IS_STOP, Words

VARIANTS = ("c4", "c4_any_end", "c4_tfds")
"""datatrove's defaults; the same without the terminal mark, as in FineWeb; TFDS with 5 words per line."""

MIN_WORDS, TFDS_WORDS, LONGEST = 3, 5, 1000
KEPT, LOREM, CURLY = 1, 2, 4
"""Bits of a line, shifted by 3 v for variant v: the line stays, or it drops the document because of this phrase."""
TAIL = 1 << 9
"""Bit of a line that ends in white space left by a citation; this is a token and can be a sentence of its own."""

POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


_PHRASES = Phrases.of(("lorem ipsum", "javascript", *POLICY))
_CITED = ("edit]", "citation needed]")
_CITED_CODES = np.array([ord(character) for phrase in _CITED for character in phrase], dtype=np.int32)
_CITED_STARTS = np.array([0, len(_CITED[0]), len(_CITED[0]) + len(_CITED[1])], dtype=np.int64)


@dataclass(frozen=True)
class CleanedLines:
    """The lines of a block that stay in at least one variant, citations cut out.

    Attributes:
        block: the documents with only these lines, joined by line feeds.
        begin, end: int64 (l,), where each line is in the block's points.
        flags: int32 (l,), bits of ``KEPT``, ``LOREM``, ``CURLY`` per variant, and ``TAIL``.
        starts: int64 (n + 1,), which lines belong to each document.
        total: int64 (n,), number of lines before cleaning.
    """

    block: Block
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    flags: NDArray[np.int32]
    starts: NDArray[np.int64]
    total: NDArray[np.int64]

    @classmethod
    def of(cls, block: Block) -> CleanedLines:
        """Clean every document of a block."""
        room = len(block.points) + len(block) + 1
        points, classes = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.uint32)
        begin, end = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
        flags = np.empty(room, dtype=np.int32)
        starts, line_starts = np.empty(len(block) + 1, dtype=np.int64), np.empty(len(block) + 1, dtype=np.int64)
        total = np.empty(len(block), dtype=np.int64)
        feed = character_classes()[10]
        size, lines = _clean(
            block.points, block.classes, block.starts, points, classes, starts, begin, end, flags, line_starts, total,
            feed, _PHRASES, _CITED_CODES, _CITED_STARTS,
        )  # fmt: skip
        cleaned = Block(points[:size], classes[:size], starts)
        return cls(cleaned, begin[:lines], end[:lines], flags[:lines], line_starts, total)

    def verdicts(self) -> NDArray[np.float64]:
        """Return what the lines decide, float64 (n, 9).

        For each variant: whether ``lorem ipsum`` drops the document, whether ``{`` does, and the share of all lines
        that stay (NaN without lines).
        """
        values = np.full((len(self.total), 3 * len(VARIANTS)), np.nan)
        _decide(self.flags, self.starts, self.total, values)
        return values

    def sentences(self, words: Words) -> NDArray[np.float64]:
        """Return the sentences of the lines that stay in each variant, float64 (n, 3).

        Args:
            words: the words of ``self.block``.
        """
        values = np.zeros((len(self.total), len(VARIANTS)))
        _sentences(
            self.block.points,
            self.end,
            self.starts,
            self.flags,
            words.begin,
            words.end,
            words.starts,
            words.kinds,
            values,
        )
        return values


@njit(cache=True, nogil=True)
def _citation(points, classes, i, end, codes, starts):  # type: ignore[no-untyped-def]
    """Return the length of ``[12]``, ``[edit]`` or ``[citation needed]`` at ``i``, else 0."""
    k = i + 1
    while k < end and (classes[k] & DECIMAL) != 0:
        k += 1
    if k < end and points[k] == 93:
        return k + 1 - i
    for phrase in range(len(starts) - 1):
        low, size, same = starts[phrase], starts[phrase + 1] - starts[phrase], 0
        while same < size and i + 1 + same < end and points[i + 1 + same] == codes[low + same]:
            same += 1
        if same == size:
            return size + 1
    return 0


@njit(cache=True, nogil=True)
def _measure(classes, first, end):  # type: ignore[no-untyped-def]
    """Return the words between white space in [first, end) and the length of the longest."""
    words, longest, size = 0, 0, 0
    for i in range(first, end):
        if (classes[i] & SPACE) != 0:
            size = 0
        else:
            words += 1 if size == 0 else 0
            size += 1
            longest = max(longest, size)
    return words, longest


@njit(cache=True, nogil=True)
def _is_closed(points, first, end):  # type: ignore[no-untyped-def]
    if end == first:
        return False
    point = points[end - 1]
    if point == 46:
        return not (end - first >= 3 and points[end - 2] == 46 and points[end - 3] == 46)
    return point in (63, 33, 34, 39)


@njit(cache=True, nogil=True)
def _verdicts(points, first, end, words, phrases):  # type: ignore[no-untyped-def]
    """Return the bits of a line, its citations already cut out."""
    closed = _is_closed(points, first, end)
    found, curly = np.int64(0), False
    for i in range(first, end):
        found |= phrases_at(points, i, end, phrases)
        curly = curly or points[i] == 123
    if (found & 1) != 0:
        verdict = LOREM
    elif (found & 2) != 0:
        verdict = 0
    elif curly:
        verdict = CURLY
    else:
        verdict = KEPT if found == 0 else 0
    flags = verdict << 3 if words >= MIN_WORDS else 0
    if closed and words >= MIN_WORDS:
        flags |= verdict
    if closed and words >= TFDS_WORDS:
        flags |= verdict << 6
    return flags


@njit(cache=True, nogil=True)
def _copy(points, classes, first, end, out, to_points, to_classes, codes, starts):  # type: ignore[no-untyped-def]
    """Copy [first, end) without citations to ``out``; return the new end."""
    i = first
    while i < end:
        if points[i] == 91:
            size = _citation(points, classes, i, end, codes, starts)
            if size > 0:
                i += size
                continue
        to_points[out], to_classes[out] = points[i], classes[i]
        out += 1
        i += 1
    return out


@njit(cache=True, nogil=True)
def _has_tail(points, classes, first, end):  # type: ignore[no-untyped-def]
    """Say whether the white space at the end is a token: more than the one space that belongs to the last word."""
    i = end
    while i > first and (classes[i - 1] & SPACE) != 0:
        i -= 1
    return end - i > 1 or (end - i == 1 and points[i] != 32)


@njit(cache=True, nogil=True)
def _clean(  # type: ignore[no-untyped-def]
    points, classes, starts, to_points, to_classes, to_starts, begin, end, flags, line_starts, total,
    feed, phrases, cited_codes, cited_starts,
):  # fmt: skip
    out, lines = 0, 0
    for document in range(len(starts) - 1):
        to_starts[document], line_starts[document], total[document] = out, lines, 0
        origin = out
        i, last = starts[document], starts[document + 1]
        while i < last:
            stop = i
            while stop < last and (classes[stop] & BREAK) == 0:
                stop += 1
            first, high = i, stop
            i = stop + 1
            if i < last and points[stop] == 13 and points[i] == 10:
                i += 1
            total[document] += 1
            while first < high and (classes[first] & SPACE) != 0:
                first += 1
            while high > first and (classes[high - 1] & SPACE) != 0:
                high -= 1
            words, longest = _measure(classes, first, high)
            if words < MIN_WORDS or longest > LONGEST:
                continue
            line = out + 1 if out > origin else out
            after = _copy(points, classes, first, high, line, to_points, to_classes, cited_codes, cited_starts)
            flag = _verdicts(to_points, line, after, words, phrases)
            if flag == 0:
                continue
            begin[lines], end[lines], flags[lines] = line, line, flag
            lines += 1
            if (flag & (KEPT << 3)) == 0:
                continue
            if _has_tail(to_points, to_classes, line, after):
                flags[lines - 1] |= TAIL
            if out == origin:
                shift = 0
                while line + shift < after and (to_classes[line + shift] & SPACE) != 0:
                    shift += 1
                for k in range(line + shift, after):
                    to_points[k - shift], to_classes[k - shift] = to_points[k], to_classes[k]
                after -= shift
            else:
                to_points[out], to_classes[out] = 10, feed
            end[lines - 1] = after
            out = after
        while out > origin and (to_classes[out - 1] & SPACE) != 0:
            out -= 1
    to_starts[len(starts) - 1], line_starts[len(starts) - 1] = out, lines
    return out, lines


@njit(cache=True, nogil=True)
def _line_sentences(points, begin, end, kinds, first, last, tail):  # type: ignore[no-untyped-def]
    """Count sentences of the words first..last of one line, as spaCy's sentencizer does with white-space tokens."""
    count, closed = 1, False
    for w in range(first, last):
        if w > first:
            gap = begin[w] - end[w - 1]
            spaced = gap > 1 or (gap == 1 and points[end[w - 1]] != 32)
            if closed and (spaced or (kinds[w] & (IS_MARK | IS_STOP)) == 0):
                count += 1
                closed = False
        closed = closed or (kinds[w] & IS_STOP) != 0
    return count + 1 if closed and tail else count


@njit(cache=True, nogil=True)
def _sentences(points, end, starts, flags, word_begin, word_end, word_starts, kinds, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        w, last = word_starts[document], word_starts[document + 1]
        for line in range(starts[document], starts[document + 1]):
            first = w
            while w < last and word_begin[w] < end[line]:
                w += 1
            sentences = _line_sentences(points, word_begin, word_end, kinds, first, w, (flags[line] & TAIL) != 0)
            for variant in range(3):
                if (flags[line] >> (3 * variant)) & 7 == KEPT:
                    values[document, variant] += sentences


@njit(cache=True, nogil=True)
def _decide(flags, starts, total, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        for variant in range(3):
            kept, ended = 0, 0
            for line in range(starts[document], starts[document + 1]):
                verdict = (flags[line] >> (3 * variant)) & 7
                kept += 1 if verdict == KEPT else 0
                if ended == 0 and verdict in (LOREM, CURLY):
                    ended = verdict
            values[document, 3 * variant] = 1 if ended == LOREM else 0
            values[document, 3 * variant + 1] = 1 if ended == CURLY else 0
            if total[document] > 0:
                values[document, 3 * variant + 2] = kept / total[document]

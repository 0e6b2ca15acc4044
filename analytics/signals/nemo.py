"""The scores of NeMo Curator's heuristic filters (nemo-curator 1.4); words are those of ``str.split``.

Lines are those of ``split("\\n")`` that are not blank; paragraphs are all pieces of ``split("\\n\\n")``, empty ones
included.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.signals.gopher import STOP_WORDS
from tamis.analytics.text.block import Block
from tamis.analytics.text.characters import DECIMAL, SPACE
from tamis.analytics.text.hash_table import add, mask_for, piece_hash
from tamis.analytics.text.phrases import Phrases, phrases_at
from tamis.analytics.text.words import HAS_ALPHA, Words, word_hash

BOILERPLATE = (
    "lorem ipsum",
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "privacy overview",
    "use of cookies",
    "use cookies",
    "privacy & cookies policy",
    "privacy and cookies policy",
    "necessary cookies are absolutely essential for the website to function properly. this category only includes"
    " cookies that ensures basic functionalities and security features of the website. these cookies do not store any"
    " personal information.",
    "any cookies that may not be particularly necessary for the website to function and is used specifically to"
    " collect user personal data via analytics, ads, other embedded contents are termed as non-necessary cookies. it"
    " is mandatory to procure user consent prior to running these cookies on your website.",
    "if you continue to browse this site without changing your cookie settings, you agree to this use. acceptread more",
)
"""Lower-case phrases; the first one makes the share 1. Phrases that contain another one of the list are left out."""

BULLETS = "•‣⁃⁌⁍∙○●◘◦⦾⦿"
_ELLIPSES = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
_URL_MARKS = "$-_@.&+/:=?#~!*(),"
_BRACKETS = "{}⟨⟩[]()"


def _codes(phrases: tuple[str, ...]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    joined = np.array([ord(character) for phrase in phrases for character in phrase], dtype=np.int32)
    return joined, np.concatenate([[0], np.cumsum([len(phrase) for phrase in phrases])]).astype(np.int64)


def _points(characters: str) -> NDArray[np.int32]:
    return np.array(sorted(ord(character) for character in characters), dtype=np.int32)


_BOILERPLATE = Phrases.of(BOILERPLATE)
_ENDINGS, _ENDING_STARTS = _codes(_ELLIPSES)
_BULLETS, _URL, _PAIRS, _SYMBOLS = _points(BULLETS), _points(_URL_MARKS), _points(_BRACKETS), ("#", *_ELLIPSES[:6])
_SYMBOL_HASHES = np.array([word_hash(word) for word in _SYMBOLS], dtype=np.uint64)
_STOP_HASHES = np.array([word_hash(word) for word in STOP_WORDS], dtype=np.uint64)


def nemo_characters(block: Block) -> NDArray[np.float64]:
    """Measure characters.

    Returns:
        float64 (n, 6): shares of characters outside ``a-z A-Z 0-9 \\n ? ! , .``, of decimal digits, of white space
        (tab, line feed, carriage return, backspace, space), of brackets, of characters in addresses; number of
        addresses. Shares are NaN for an empty document.
    """
    values = np.full((len(block), 6), np.nan)
    _characters(block.points, block.classes, block.starts, _URL, _PAIRS, values)
    return values


def nemo_words(block: Block, chunks: Words) -> NDArray[np.float64]:
    """Measure words between white space.

    Returns:
        float64 (n, 6): number of words, their mean length, length of the longest, share with a letter, share that are
        ``#`` or an ellipsis, occurrences of the 8 stop words in lower case. Ratios are NaN without words.
    """
    values = np.full((len(block), 6), np.nan)
    _words(chunks.begin, chunks.end, chunks.starts, chunks.hashes, chunks.kinds, _SYMBOL_HASHES, _STOP_HASHES, values)
    return values


def nemo_lines(block: Block) -> NDArray[np.float64]:
    """Measure lines and paragraphs.

    Returns:
        float64 (n, 8): shares of lines that begin with a bullet, that end in no closing mark, that end in an ellipsis;
        distinct lines per line, characters of distinct lines per character of lines; the same two for paragraphs;
        share of paragraphs with a boilerplate phrase. NaN where the denominator is zero.
    """
    values = np.full((len(block), 8), np.nan)
    most = int(np.diff(block.starts).max(initial=0)) + 2
    slots = 1 << max(4, int(2 * most).bit_length())
    table = np.zeros(slots, dtype=np.uint64), np.zeros(slots, dtype=np.int32)
    _lines(block.points, block.classes, block.starts, _BULLETS, _ENDINGS, _ENDING_STARTS, *table, values)
    _boilerplate(block.points, block.starts, _BOILERPLATE, values)
    return values


@njit(cache=True, nogil=True)
def _is_in(point, sorted_points):  # type: ignore[no-untyped-def]
    for k in range(len(sorted_points)):
        if sorted_points[k] >= point:
            return sorted_points[k] == point
    return False


@njit(cache=True, nogil=True)
def _is_plain(point):  # type: ignore[no-untyped-def]
    return 97 <= point <= 122 or 65 <= point <= 90 or 48 <= point <= 57


@njit(cache=True, nogil=True)
def _is_hex(point):  # type: ignore[no-untyped-def]
    return 48 <= point <= 57 or 65 <= point <= 70 or 97 <= point <= 102


@njit(cache=True, nogil=True)
def url_end(points, i, last, marks):  # type: ignore[no-untyped-def]
    """Return where an address (http:// or https://) that begins at ``i`` ends, or ``i`` when there is none."""
    if last - i < 8 or points[i] != 104 or points[i + 1] != 116 or points[i + 2] != 116 or points[i + 3] != 112:
        return i
    k = i + 5 if points[i + 4] == 115 else i + 4
    if k + 3 > last or points[k] != 58 or points[k + 1] != 47 or points[k + 2] != 47:
        return i
    k += 3
    first = k
    while k < last:
        if points[k] == 37:
            if k + 2 >= last or not _is_hex(points[k + 1]) or not _is_hex(points[k + 2]):
                break
            k += 3
        elif _is_plain(points[k]) or _is_in(points[k], marks):
            k += 1
        else:
            break
    return k if k > first else i


@njit(cache=True, nogil=True)
def _characters(points, classes, starts, marks, pairs, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        other, decimal, blank, brackets, inside, addresses = 0, 0, 0, 0, 0, 0
        first, last = starts[document], starts[document + 1]
        after = first
        for i in range(first, last):
            point = points[i]
            if not _is_plain(point):
                other += 0 if point in (10, 63, 33, 44, 46) else 1
                blank += 1 if point in (9, 10, 13, 8, 32) else 0
                brackets += 1 if _is_in(point, pairs) else 0
            decimal += 1 if (classes[i] & DECIMAL) != 0 else 0
            if point == 104 and i >= after:
                end = url_end(points, i, last, marks)
                if end > i:
                    addresses += 1
                    inside += end - i
                    after = end
        values[document, 5] = addresses
        if last > first:
            size = last - first
            values[document, 0], values[document, 1], values[document, 2] = other / size, decimal / size, blank / size
            values[document, 3], values[document, 4] = brackets / size, inside / size


@njit(cache=True, nogil=True)
def _words(begin, end, starts, hashes, kinds, symbols, stops, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        length, longest, alphabetic, marks, common = 0, 0, 0, 0, 0
        first, last = starts[document], starts[document + 1]
        for w in range(first, last):
            size = end[w] - begin[w]
            length += size
            longest = max(longest, size)
            alphabetic += 1 if (kinds[w] & HAS_ALPHA) != 0 else 0
            for k in range(len(symbols)):
                marks += 1 if hashes[w] == symbols[k] else 0
            for k in range(len(stops)):
                common += 1 if hashes[w] == stops[k] else 0
        count = last - first
        values[document, 0], values[document, 2], values[document, 5] = count, longest, common
        if count:
            values[document, 1], values[document, 3] = length / count, alphabetic / count
            values[document, 4] = marks / count


@njit(cache=True, nogil=True)
def _ends_with(points, first, end, codes, starts):  # type: ignore[no-untyped-def]
    for phrase in range(len(starts) - 1):
        size, k = starts[phrase + 1] - starts[phrase], 0
        while k < size and end - size >= first:
            point = points[end - size + k]
            point = point + 32 if 65 <= point <= 90 else point
            if point != codes[starts[phrase] + k]:
                break
            k += 1
        if k == size:
            return True
    return False


@njit(cache=True, nogil=True)
def _line(points, classes, i, end, bullets, codes, code_starts, counts):  # type: ignore[no-untyped-def]
    """Count one line that is not blank: bullets, not closed, ellipses."""
    low, high = i, end
    while (classes[low] & SPACE) != 0:
        low += 1
    while (classes[high - 1] & SPACE) != 0:
        high -= 1
    counts[0] += 1 if _is_in(points[low], bullets) else 0
    counts[1] += 0 if points[high - 1] in (46, 63, 33, 34, 39) else 1
    counts[2] += 1 if _ends_with(points, low, high, codes, code_starts) else 0


@njit(cache=True, nogil=True)
def _lines(points, classes, starts, bullets, codes, code_starts, keys, stamps, values):  # type: ignore[no-untyped-def]
    counts = np.zeros(3, dtype=np.int64)
    for document in range(len(starts) - 1):
        first, last = starts[document], starts[document + 1]
        feeds = 0
        for i in range(first, last):
            feeds += 1 if points[i] == 10 else 0
        mask = mask_for(feeds + 2)
        for part in range(2):
            stamp = np.int32(2 * document + part + 1)
            counts[:] = 0
            pieces, different, size, kept, i = 0, 0, 0, 0, first
            while i <= last:
                end, blank = i, True
                while end < last and (points[end] != 10 or (part == 1 and (end + 1 >= last or points[end + 1] != 10))):
                    blank = blank and (classes[end] & SPACE) != 0
                    end += 1
                if part == 1 or not blank:
                    pieces += 1
                    size += end - i
                    if add(piece_hash(points, i, end), keys, stamps, stamp, mask):
                        different += 1
                        kept += end - i
                    if part == 0:
                        _line(points, classes, i, end, bullets, codes, code_starts, counts)
                i = end + 1 + part if end < last else last + 1
            if pieces:
                values[document, 3 + 2 * part] = different / pieces
                if part == 0:
                    for k in range(3):
                        values[document, k] = counts[k] / pieces
            if size:
                values[document, 4 + 2 * part] = kept / size


@njit(cache=True, nogil=True)
def _boilerplate(points, starts, phrases, values):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        i, last = starts[document], starts[document + 1]
        pieces, hits, every, found = 1, 0, np.int64(0), np.int64(0)
        while i < last:
            if points[i] == 10 and i + 1 < last and points[i + 1] == 10:
                hits += 1 if found > 1 else 0
                found = np.int64(0)
                pieces += 1
                i += 2
                continue
            found |= phrases_at(points, i, last, phrases)
            every |= found
            i += 1
        hits += 1 if found > 1 else 0
        values[document, 7] = 1.0 if (every & 1) != 0 else hits / pieces

"""The normalised form of texts: equal forms make exact duplicates, its words are compared for near-duplicates.

Convention ``words-1``, in this order:

1. every character is replaced by its compatibility decomposition and folded case (Unicode compatibility caseless
   matching): ``Straße`` and ``STRASSE``, a ligature and its letters, full-width and plain digits become equal;
   combining marks are put into canonical order, in pieces of 32;
2. invisible format characters (soft hyphen, zero-width characters, byte order marks, variation selectors) are removed;
3. white space, control characters and punctuation separate words; letters, marks, digits and symbols (``+ = $ <`` and
   pictographs) are kept. Digits are kept as they are: texts that differ in a number differ;
4. a letter of a script written without spaces is a word by itself, its marks included;
5. words are joined by one space. A text without any word keeps its own bytes, so ``---`` and ``***`` differ.

Convention ``letters-1`` is the same with symbols among what separates words: a frame of ``|`` or a placeholder in
``<>`` makes no difference. Convention ``folded-1`` is ``letters-1`` without nonspacing marks and with every run of
digits as one ``0``, close to what datatrove's ``simplify_text`` and the pipelines that follow it compare.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.characters import UNSPACED, character_classes

Convention = Literal["words-1", "letters-1", "folded-1"]
CONVENTION: Convention = "words-1"
MARKS_ORDERED = 32

_SEPARATOR, _KEPT, _REMOVED, _ALONE, _MARK = 0, 1, 2, 3, 4
_POINTS = ((0, 0x323B0), (0xE0000, 0xE01F0))
_SELECTORS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF), (0x180B, 0x180F))


@dataclass(frozen=True)
class Normal:
    """Normalised texts, concatenated.

    Attributes:
        offsets: int64 (n + 1,), where each text begins in ``data``.
        data: uint8, UTF-8; words of a text are separated by single spaces.
        words: int32 (n,), words of each text, 0 for a text that keeps its own bytes.
    """

    offsets: NDArray[np.int64]
    data: NDArray[np.uint8]
    words: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def text(self, document: int) -> str:
        """Return one normalised text."""
        return self.data[self.offsets[document] : self.offsets[document + 1]].tobytes().decode("utf-8", "replace")


@dataclass(frozen=True)
class _Tables:
    """Properties of code points for the kernel.

    Attributes:
        ascii: uint8 (128,), the folded character, 0 for a separator.
        kinds: uint8 (0x110000,), what a decomposed character is.
        classes: uint8 (0x110000,), canonical combining class.
        place: int32 (0x110000,), start of the decomposition in ``parts``, -1 if the character is unchanged.
        parts: int32, for each decomposition its length and its characters.
        growth: maximum output bytes per byte of non-ASCII text.
    """

    ascii: NDArray[np.uint8]
    kinds: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    place: NDArray[np.int32]
    parts: NDArray[np.int32]
    growth: int


def normalise(offsets: NDArray[np.int64], data: NDArray[np.uint8], convention: Convention = CONVENTION) -> Normal:
    """Return the normalised form of UTF-8 texts ``data[offsets[k]:offsets[k + 1]]``."""
    tables = _tables(convention)
    used = data[offsets[0] : offsets[-1]] if len(offsets) > 1 else data[:0]
    wide = int(np.count_nonzero(used >= 0x80))
    out = np.empty(len(used) + wide * tables.growth + 8, dtype=np.uint8)
    ends, words = np.zeros(len(offsets), dtype=np.int64), np.zeros(len(offsets) - 1, dtype=np.int32)
    known = (tables.ascii, tables.kinds, tables.classes, tables.place, tables.parts)
    _normalise(offsets, data, *known, convention == "folded-1", out, ends, words)
    return Normal(ends, out[: ends[-1]], words)


def normalise_strings(texts: pa.Array, convention: Convention = CONVENTION) -> list[str]:
    """Return the normalised texts of an Arrow string array as Python strings, for display and tests."""

    normal = normalise(*utf8_buffers(texts), convention)
    return [normal.text(k) for k in range(len(normal))]


def decomposed(character: str) -> str:
    """Return compatibility decomposition and folded case of one character, marks in their original order."""
    folded = unicodedata.normalize("NFD", character).casefold()
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", folded).casefold())


@lru_cache(maxsize=3)
def _tables(convention: Convention) -> _Tables:
    kinds = np.full(0x110000, _KEPT, dtype=np.uint8)
    classes = np.zeros(0x110000, dtype=np.uint8)
    place = np.full(0x110000, -1, dtype=np.int32)
    parts: list[int] = []
    growth = 2.0
    unspaced = (character_classes() & np.uint32(UNSPACED)) != 0
    for first, end in _POINTS:
        for point in range(first, end):
            character = chr(point)
            category = unicodedata.category(character)
            if category in ("Cn", "Co", "Cs"):
                continue
            kinds[point] = _kind(category, convention, bool(unspaced[point]))
            classes[point] = unicodedata.combining(character)
            becomes = decomposed(character)
            if convention == "folded-1":
                becomes = "".join("0" if unicodedata.category(part) == "Nd" else part for part in becomes)
            if becomes != character:
                place[point] = len(parts)
                parts += [len(becomes), *map(ord, becomes)]
                # Every part may add one space.
                growth = max(growth, (len(becomes.encode()) + len(becomes)) / len(character.encode()))
    for first, last in _SELECTORS:
        kinds[first : last + 1] = _REMOVED
    ascii_ = np.array([ord(chr(k).lower()) if kinds[k] == _KEPT else 0 for k in range(128)], dtype=np.uint8)
    if convention == "folded-1":
        ascii_[ord("0") : ord("9") + 1] = ord("0")
    return _Tables(ascii_, kinds, classes, place, np.array(parts, dtype=np.int32), int(np.ceil(growth)))


def _kind(category: str, convention: Convention, unspaced: bool) -> int:
    if category == "Cf" or (category == "Mn" and convention == "folded-1"):
        return _REMOVED
    if category[0] in ("ZPC" if convention == "words-1" else "ZPCS"):
        return _SEPARATOR
    if category[0] == "M":
        return _MARK
    return _ALONE if unspaced and category[0] == "L" else _KEPT


@njit(cache=True, nogil=True, inline="always")
def _put(out, w, point):  # type: ignore[no-untyped-def]
    """Write one code point as UTF-8 and return where the next one goes."""
    if point < 0x80:
        out[w] = point
        return w + 1
    if point < 0x800:
        out[w] = 0xC0 | (point >> 6)
        out[w + 1] = 0x80 | (point & 0x3F)
        return w + 2
    if point < 0x10000:
        out[w] = 0xE0 | (point >> 12)
        out[w + 1] = 0x80 | ((point >> 6) & 0x3F)
        out[w + 2] = 0x80 | (point & 0x3F)
        return w + 3
    out[w] = 0xF0 | (point >> 18)
    out[w + 1] = 0x80 | ((point >> 12) & 0x3F)
    out[w + 2] = 0x80 | ((point >> 6) & 0x3F)
    out[w + 3] = 0x80 | (point & 0x3F)
    return w + 4


@njit(cache=True, nogil=True)
def decode_point(data, i, end):  # type: ignore[no-untyped-def]
    """Return the code point at ``i`` of UTF-8 bytes and its width; a byte that is not valid UTF-8 is U+FFFD."""
    byte = np.int64(data[i])
    if byte < 0x80:
        return byte, 1
    need = 1 if byte < 0xE0 else (2 if byte < 0xF0 else 3)
    if byte < 0xC2 or byte >= 0xF5 or i + need >= end:
        return np.int64(0xFFFD), 1
    value = byte & (0x3F >> need)
    for k in range(1, need + 1):
        follow = np.int64(data[i + k])
        if (follow & 0xC0) != 0x80:
            return np.int64(0xFFFD), 1
        value = (value << 6) | (follow & 0x3F)
    lowest = 0x80 if need == 1 else (0x800 if need == 2 else 0x10000)
    if value < lowest or value >= 0x110000 or 0xD800 <= value < 0xE000:
        return np.int64(0xFFFD), 1
    return value, need + 1


@njit(cache=True, nogil=True)
def _place_mark(marks, waiting, point, classes):  # type: ignore[no-untyped-def]
    """Insert a mark after those of the same or a lower combining class."""
    k = waiting
    while k > 0 and classes[marks[k - 1]] > classes[point]:
        marks[k] = marks[k - 1]
        k -= 1
    marks[k] = point


@njit(cache=True, nogil=True)
def _put_marks(marks, waiting, out, w):  # type: ignore[no-untyped-def]
    for k in range(waiting):
        w = _put(out, w, marks[k])
    return w


@njit(cache=True, nogil=True)
def _normalise(offsets, data, ascii_, kinds, classes, place, parts, fold, out, ends, words):  # type: ignore[no-untyped-def]
    marks = np.empty(MARKS_ORDERED, dtype=np.int64)
    w = 0
    for n in range(len(offsets) - 1):
        first, i, end = w, offsets[n], offsets[n + 1]
        gap, alone, waiting = False, False, 0
        while i < end:
            if data[i] < 0x80:
                folded = ascii_[data[i]]
                i += 1
                if waiting:
                    w, waiting = _put_marks(marks, waiting, out, w), 0
                if folded == 0:
                    gap, alone = True, False
                    continue
                if (gap or alone) and w > first:
                    out[w] = 32
                    w += 1
                    words[n] += 1
                elif fold and folded == 48 and w > first and out[w - 1] == 48:
                    continue
                gap, alone = False, False
                out[w] = folded
                w += 1
                continue
            point, width = decode_point(data, i, end)
            i += width
            at = place[point]
            count = 1 if at < 0 else parts[at]
            for k in range(count):
                part = point if at < 0 else np.int64(parts[at + 1 + k])
                kind = kinds[part]
                if kind == _REMOVED:
                    continue
                if waiting and (classes[part] == 0 or waiting == MARKS_ORDERED):
                    w, waiting = _put_marks(marks, waiting, out, w), 0
                if kind == _SEPARATOR:
                    gap, alone = True, False
                    continue
                if (gap or kind == _ALONE or (alone and kind == _KEPT)) and w > first:
                    out[w] = 32
                    w += 1
                    words[n] += 1
                elif fold and part == 48 and w > first and out[w - 1] == 48:
                    continue
                gap = False
                alone = kind == _ALONE or (alone and kind == _MARK)
                if classes[part] != 0:
                    _place_mark(marks, waiting, part, classes)
                    waiting += 1
                else:
                    w = _put(out, w, part)
        if waiting:
            w = _put_marks(marks, waiting, out, w)
        if w > first:
            words[n] += 1
        else:
            for i in range(offsets[n], end):
                out[w] = data[i]
                w += 1
        ends[n + 1] = w

"""Perceptual hashes and small means of a picture, for finding near-duplicates.

All arithmetic is in integers, so a picture has the same hashes on every machine and for any number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.signals.image_areas import area_sums

CELLS = 32
"""Rows and columns of the means that hashes are made of."""
COLOURS = 8
"""Rows and columns of ``colour_means``."""
LOW = 8
"""Frequencies of the hash, per direction."""
FINE = 256
"""Steps of a mean between two levels of grey."""
_ANGLES = np.round(
    2.0**14 * np.cos(np.pi * np.arange(LOW)[:, None] * (2 * np.arange(CELLS)[None, :] + 1) / (2 * CELLS))
).astype(np.int32)
"""int32 (8, 32): cosines of the discrete cosine transform (type 2), in steps of 1/16384."""


_PLAIN = 24
"""Levels of grey within which a row or column of a border stays, so that the noise of JPEG does not end it."""
_LEAST = 5
"""What is inside borders is at least one part in so many of the width and of the height."""
_BORDERS = 4
"""Borders inside borders that are taken off, such as a black one around a white one."""


class PictureHashes(NamedTuple):
    """What near-duplicates are found by.

    Attributes:
        phash: 64 bits, bit 8 v + u is set where the coefficient of frequencies (v, u) is above the median.
        dhash: 64 bits, bit 8 y + x is set where a mean is brighter than the one left of it.
        grey32: uint8 (32, 32), means of the picture's area, squeezed into a square.
    """

    phash: int
    dhash: int
    grey32: NDArray[np.uint8]


def inner_part(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what is inside plain borders of a picture, uint8 (h', w'); all of it where there are none.

    A border is taken off row by row and column by column while all of it is within 24 levels of its outermost line;
    then a border inside of it.

    Args:
        grey: uint8 (h, w).
    """
    top, bottom, left, right = _inside(grey)
    return grey[top:bottom, left:right]


def hashes(grey: NDArray[np.uint8]) -> PictureHashes:
    """Return the hashes of a picture.

    ``phash`` is the hash by the discrete cosine transform: 32 x 32 means, the 8 x 8 lowest frequencies against their
    median. ``dhash`` compares horizontal neighbours among 9 x 8 means of the 32 x 32 means.

    Args:
        grey: uint8 (h, w), brightness; what is transparent as it looks on white. h and w are at least 1.

    Source: Zauner 2010, Implementation and benchmarking of perceptual image hash functions (phash, 8 x 8 frequencies
    as in Krawetz 2011, Looks like it); Krawetz 2013, Kind of like that (dhash).
    """
    return hashes_of(area_sums(np.ascontiguousarray(grey)[:, :, None], CELLS, CELLS), grey.size)


def hashes_of(cells: NDArray[np.uint64], area: int) -> PictureHashes:
    """Return the hashes of a picture of so many pixels by ``area_sums`` of its grey, uint64 (32, 32, 1)."""
    means = _fine_means(cells, area)[:, :, 0]
    phash, dhash = hash_means(means)
    return PictureHashes(int(phash), int(dhash), ((means + FINE // 2) // FINE).astype(np.uint8))


def colour_means(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mean colours of 8 x 8 parts of a picture, uint8 (8, 8, 3).

    Args:
        pixels: uint8 (h, w, 3), red, green and blue; what is transparent as it looks on white.
    """
    return colours_of(area_sums(np.ascontiguousarray(pixels), COLOURS, COLOURS), pixels.shape[0] * pixels.shape[1])


def colours_of(parts: NDArray[np.uint64], area: int) -> NDArray[np.uint8]:
    """Return the mean colours of a picture of so many pixels by ``area_sums``, uint64 (8, 8, c)."""
    return ((_fine_means(parts, area) + FINE // 2) // FINE).astype(np.uint8)


def _fine_means(sums: NDArray[np.uint64], area: int) -> NDArray[np.int64]:
    """Return means in steps of 1/256."""
    return (sums.view(np.int64) * FINE + area // 2) // area


@njit(cache=True, nogil=True)
def _inside(grey):  # type: ignore[no-untyped-def]
    height, width = grey.shape
    top, bottom, left, right = 0, height, 0, width
    for _ in range(_BORDERS):
        before = (top, bottom, left, right)
        level = _mean(grey[top, left:right])
        while top < bottom - 1 and _is_plain(grey[top, left:right], level):
            top += 1
        level = _mean(grey[bottom - 1, left:right])
        while bottom > top + 1 and _is_plain(grey[bottom - 1, left:right], level):
            bottom -= 1
        level = _mean(grey[top:bottom, left])
        while left < right - 1 and _is_plain(grey[top:bottom, left], level):
            left += 1
        level = _mean(grey[top:bottom, right - 1])
        while right > left + 1 and _is_plain(grey[top:bottom, right - 1], level):
            right -= 1
        if (bottom - top) * _LEAST < height or (right - left) * _LEAST < width:
            return before
        if before == (top, bottom, left, right):
            break
    return top, bottom, left, right


@njit(cache=True, nogil=True)
def _mean(line):  # type: ignore[no-untyped-def]
    total = np.int64(0)
    for k in range(len(line)):
        total += line[k]
    return total // len(line)


@njit(cache=True, nogil=True)
def _is_plain(line, level):  # type: ignore[no-untyped-def]
    k = 0
    while k < len(line) and abs(np.int64(line[k]) - level) <= _PLAIN:
        k += 1
    return k == len(line)


@njit(cache=True, nogil=True)
def hash_means(means):  # type: ignore[no-untyped-def]
    """Return phash and dhash, uint64, of means in steps of 1/256, int64 (32, 32)."""
    half, row = np.zeros((CELLS, LOW), dtype=np.int64), np.empty(CELLS, dtype=np.int32)
    for y in range(CELLS):
        for x in range(CELLS):
            row[x] = np.int32(means[y, x])
        for u in range(LOW):
            total = np.int64(0)
            for x in range(CELLS):
                total += np.int64(row[x]) * np.int64(_ANGLES[u, x])
            half[y, u] = total
    waves = np.zeros(LOW * LOW, dtype=np.int64)
    for v in range(LOW):
        for u in range(LOW):
            for y in range(CELLS):
                waves[v * LOW + u] += half[y, u] * np.int64(_ANGLES[v, y])
    ordered = np.sort(waves)
    middle = ordered[LOW * LOW // 2 - 1] + ordered[LOW * LOW // 2]
    phash = np.uint64(0)
    for k in range(LOW * LOW):
        if 2 * waves[k] > middle:
            phash |= np.uint64(1) << np.uint64(k)
    return phash, _difference_hash(means)


@njit(cache=True, nogil=True)
def _difference_hash(means):  # type: ignore[no-untyped-def]
    """Compare 9 x 8 means of means; a column of 32 is 9 units wide, so that 32 units are one of the 9."""
    dhash = np.uint64(0)
    tall = CELLS // LOW
    for y in range(LOW):
        before = np.int64(0)
        for x in range(LOW + 1):
            left, right = x * CELLS, (x + 1) * CELLS
            total = np.int64(0)
            for i in range(left // 9, (right + 8) // 9):
                shared = min(right, (i + 1) * 9) - max(left, i * 9)
                for k in range(tall):
                    total += shared * means[y * tall + k, i]
            if x > 0 and total > before:
                dhash |= np.uint64(1) << np.uint64(LOW * y + x - 1)
            before = total
    return dhash

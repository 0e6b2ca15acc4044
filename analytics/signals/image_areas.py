"""Sums over areas of a picture, in whole numbers: what thumbnails, hashes and mean colours are made of.

A picture of h x w pixels is divided into H x W areas. A pixel is H units high and W units wide, so an area is h units
high and w wide, and every pixel counts by the whole number of units that it shares with an area.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

_FOUR = 4
_FITTING = (2**32 - 1) // 255
"""Pixels of a picture whose sums fit into 32 bits."""
_ONE, _TWO, _32, _HALF = (np.uint64(each) for each in (1, 2, 32, 2**32 - 1))
_TOGETHER = 256
"""Rows whose sum fits into 16 bits."""


@njit(cache=True, nogil=True)
def area_sums(pixels, height, width):  # type: ignore[no-untyped-def]
    """Return sums over areas, uint64 (height, width, c): the means of the areas times h times w.

    Args:
        pixels: uint8 (h, w, c), rows in one piece.
        height, width: rows and columns of areas.
    """
    high, wide, channels = pixels.shape
    rows, down, along = pixels.reshape(high, wide * channels), shares(high, height), shares(wide, width)
    sums = np.empty((height, width, channels), dtype=np.uint64)
    column, part = np.empty((wide, channels), dtype=np.uint32), np.empty(wide * channels, dtype=np.uint16)
    for j in range(height):
        sum_area(rows, down[j], height, along, column, part, sums[j])
    return sums


def area_means(samples: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return a smaller picture, uint8 (height, width, 4): each pixel is the rounded mean of the area that it covers.

    Args:
        samples: uint8 (h, w, 4), see ``Picture.samples``.
        height, width: at most h and w.
    """
    made: NDArray[np.uint8] = means_of(area_sums(samples, height, width), samples.shape[0] * samples.shape[1])
    return made


@njit(cache=True, nogil=True)
def means_of(sums, area):  # type: ignore[no-untyped-def]
    """Return rounded means, uint8, of sums over areas, uint64, the same shape.

    Args:
        sums: see ``area_sums``.
        area: pixels of the picture, int64.
    """
    flat = sums.reshape(-1)
    made = np.empty(len(flat), dtype=np.uint8)
    # Half a unit more than the rounded sum: the product is then never below a whole number that it should reach.
    half, inverse = area // 2 + 0.5, 1.0 / area
    for k in range(len(flat)):
        made[k] = np.uint8((np.float64(flat[k]) + half) * inverse)
    return made.reshape(sums.shape)


@njit(cache=True, nogil=True)
def shares(old, new):  # type: ignore[no-untyped-def]
    """Return what each of ``new`` areas covers of ``old`` lines, int64 (new, 4): the first and the last line, the units
    shared with the first one, and those with the last one, 0 where it is the first."""
    found = np.empty((new, 4), dtype=np.int64)
    for k in range(new):
        begin, end = np.int64(k) * old, np.int64(k + 1) * old
        first, last = begin // new, (end - 1) // new
        found[k, 0], found[k, 1] = first, last
        found[k, 2] = min(end, (first + 1) * new) - begin
        found[k, 3] = end - last * new if last > first else 0
    return found


@njit(cache=True, nogil=True)
def sum_area(rows, share, height, along, column, part, sums):  # type: ignore[no-untyped-def]
    """Fill one row of areas.

    Args:
        rows: uint8 (h, w c), the picture.
        share: int64 (4,), the row of ``shares(h, height)``.
        height: rows of areas.
        along: int64 (W, 4), ``shares(w, W)``.
        column, part: uint32 (w, c) and uint16 (w c,), room for sums.
        sums: uint64 (W, c), filled.
    """
    units = np.uint32(share[2]), np.uint32(share[3]), np.uint32(height)
    _sum_rows(rows, share[0], share[1], units, column.reshape(-1), part)
    if column.shape[1] == _FOUR and len(column) * rows.shape[0] <= _FITTING:
        _sum_columns_of_four(column, along, sums)
    else:
        _sum_columns(column, along, sums)


@njit(cache=True, nogil=True)
def _sum_rows(rows, first, last, units, column, part):  # type: ignore[no-untyped-def]
    """Sum up the rows of one area, uint32; ``units`` are those of the first row, of the last one, of each between."""
    begin, end, whole = units
    one, other = rows[first], rows[last]
    for x in range(len(column)):
        column[x] = begin * np.uint32(one[x]) + end * np.uint32(other[x])
    for begun in range(first + 1, last, _TOGETHER):
        stop = min(begun + _TOGETHER, last)
        row = rows[begun]
        for x in range(len(part)):
            part[x] = np.uint16(row[x])
        for y in range(begun + 1, stop - 1, 2):
            row, next_row = rows[y], rows[y + 1]
            for x in range(len(part)):
                part[x] = np.uint16(part[x] + np.uint16(row[x]) + np.uint16(next_row[x]))
        row, more = rows[stop - 1], np.uint16((stop - begun + 1) % 2)
        for x in range(len(part)):
            column[x] += whole * np.uint32(np.uint16(part[x] + more * np.uint16(row[x])))


@njit(cache=True, nogil=True)
def _sum_columns(column, along, sums):  # type: ignore[no-untyped-def]
    whole = np.uint64(len(along))
    for i in range(len(along)):
        first, last = along[i, 0], along[i, 1]
        begin, end = np.uint64(along[i, 2]), np.uint64(along[i, 3])
        for c in range(column.shape[1]):
            total = np.uint64(0)
            for x in range(first + 1, last):
                total += column[x, c]
            sums[i, c] = total * whole + begin * column[first, c] + end * column[last, c]


@njit(cache=True, nogil=True)
def _sum_columns_of_four(column, along, sums):  # type: ignore[no-untyped-def]
    """Do the same for four channels, two in a word: sums of at most ``_FITTING`` pixels stay in their halves."""
    words = column.reshape(-1).view(np.uint64)
    whole = np.uint64(len(along))
    for i in range(len(along)):
        first, last = _TWO * np.uint64(along[i, 0]), _TWO * np.uint64(along[i, 1])
        begin, end = np.uint64(along[i, 2]), np.uint64(along[i, 3])
        one, other = np.uint64(0), np.uint64(0)
        for x in range(first + _TWO, last, _TWO):
            one += words[x]
            other += words[x + _ONE]
        one = one * whole + begin * words[first] + end * words[last]
        other = other * whole + begin * words[first + _ONE] + end * words[last + _ONE]
        sums[i, 0], sums[i, 1] = one & _HALF, one >> _32
        sums[i, 2], sums[i, 3] = other & _HALF, other >> _32

"""One look at all pixels of a picture: rows are read once, a few at a time, and everything is made of them at once.

Memory gives a large picture more slowly than its sums are made, so every kernel of its own would cost as much as all.
Sums are in whole numbers, so they are the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.signals.image_areas import shares, sum_area
from tamis.analytics.signals.image_hashes import CELLS, COLOURS

_P1, _P2, _P3 = (np.uint64(each) for each in (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
_BYTE, _HALF = np.uint32(255), np.uint32(32768)
_RED, _GREEN, _BLUE = np.uint32(19595), np.uint32(38470), np.uint32(7471)
_8, _16, _29, _31, _32, _33 = (np.uint32(8), np.uint32(16), *map(np.uint64, (29, 31, 32, 33)))
WHOLE = 1 << 24
"""Units of a saturation of 1."""
_ONE, _TWO = np.uint64(1), np.uint64(2)
_BLOCK = 8
"""Rows that are read together: they hold a multiple of the 8 pixels that the hash takes at once."""
_PIECE = 4096
"""Pixels whose sums fit into 32 bits: 510 ** 2 * 4096 does."""
_FLUSH = 256
"""Rows after which sums of steps move on to wider numbers: 255 * 256 fits into 16 bits."""


@dataclass(frozen=True, eq=False)
class PixelScan:
    """What one look at the pixels gives.

    Attributes:
        grey: uint8 (h, w), see ``image_signals.CONVENTION``.
        pixel_hash: 16 bytes that name decoded pixels, how opaque they are, width and height.
        laplacian: the sum of the Laplacian of grey over inner pixels, and of its square.
        steps: int64 (2,), the sums of the steps of grey across the borders of 8 x 8 blocks, and elsewhere.
        levels, codes: int64 (256,) and (4096,), counts of grey and of colours at 16 levels per channel.
        colours: int64 (6,), the sums of R - G, of its square, of R + G - 2 B, of its square, the largest distance of
            two channels, the sum of saturations in units of ``WHOLE``.
        small, cells, parts: uint64 (H, W, 4), (32, 32, 1) of grey and (8, 8, 4), see ``area_sums``.
    """

    grey: NDArray[np.uint8]
    pixel_hash: bytes
    laplacian: tuple[int, int]
    steps: NDArray[np.int64]
    levels: NDArray[np.int64]
    codes: NDArray[np.int64]
    colours: NDArray[np.int64]
    small: NDArray[np.uint64]
    cells: NDArray[np.uint64]
    parts: NDArray[np.uint64]


def scan_picture(words: NDArray[np.uint32], step: int, size: tuple[int, int] = (1, 1)) -> PixelScan:
    """Look at a picture.

    Args:
        words: uint32 (h, w), see ``Picture.words``.
        step: levels, codes and colours are those of every ``step``-th pixel of every ``step``-th row.
        size: rows and columns of ``small``, at most h and w.
    """
    height, width = words.shape
    grey, lanes = np.empty((height, width), dtype=np.uint8), _first_lanes(np.uint64(height), np.uint64(width))
    around, sums = np.zeros(3, dtype=np.int64), np.zeros(6, dtype=np.int64)
    levels, codes = np.empty(256, dtype=np.int64), np.empty(4096, dtype=np.int64)
    small, cells = np.empty((*size, 4), dtype=np.uint64), np.empty((CELLS, CELLS, 1), dtype=np.uint64)
    parts = np.empty((COLOURS, COLOURS, 4), dtype=np.uint64)
    quads, rest = _quads(words)
    rows = words.view(np.uint8)
    _scan(words, rows, quads, step, grey, lanes, around, sums, levels, codes, small, cells, parts)
    name = _finished(rest, lanes, np.uint64(height), np.uint64(width))
    laplacian = int(_sum_of_laplacian(grey)), int(around[2])
    return PixelScan(
        grey, name.astype("<u8").tobytes(), laplacian, around[:2], levels, codes, sums, small, cells, parts
    )


def pixel_hash(words: NDArray[np.uint32]) -> bytes:
    """Return 16 bytes that name decoded pixels, how opaque they are, width and height.

    A fast hash, not one against people who build two pictures with one hash on purpose.

    Source: the rounds and the final mixing of XXH64 (Collet), with two results from one state.
    """
    height, width = (np.uint64(side) for side in words.shape)
    lanes, (quads, rest) = _first_lanes(height, width), _quads(words)
    _mix(quads, lanes)
    return bytes(_finished(rest, lanes, height, width).astype("<u8").tobytes())


def _quads(words: NDArray[np.uint32]) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Return pixels eight at a time, uint64 (n, 4), and the last ones, at most seven."""
    flat = words.reshape(-1)
    whole = len(flat) // 8 * 8
    return flat[:whole].view(np.uint64).reshape(-1, 4), flat[whole:]


@njit(cache=True, nogil=True)
def _scan(words, rows, quads, step, grey, lanes, around, sums, levels, codes, small, cells, parts):  # type: ignore[no-untyped-def]
    height, width = words.shape
    inverse, room, across = _inverse_levels(), _room(width), np.zeros(width - 1, dtype=np.uint16)
    # Neighbours are often alike: counts that alternate do not wait for each other.
    two_levels, two_codes = np.zeros((2, 256), dtype=np.int32), np.zeros((2, 4096), dtype=np.int32)
    down = shares(height, len(small)), shares(height, CELLS), shares(height, COLOURS)
    along = shares(width, small.shape[1]), shares(width, CELLS), shares(width, COLOURS)
    column, part = np.empty((width, 4), dtype=np.uint32), np.empty(4 * width, dtype=np.uint16)
    grey_column, grey_part = np.empty((width, 1), dtype=np.uint32), np.empty(width, dtype=np.uint16)
    at_small, at_cell, at_part = 0, 0, 0
    for top in range(0, height, _BLOCK):
        bottom = min(top + _BLOCK, height)
        _mix(quads[top * width // 8 : bottom * width // 8], lanes)
        fill_grey(words[top:bottom], grey[top:bottom])
        for y in range(top, bottom):
            _add_neighbours(grey, y, around, across)
            if y % step == 0:
                _add_colours(words, y, step, two_levels, two_codes, inverse, sums, room)
        while at_small < len(small) and down[0][at_small, 1] < bottom:
            sum_area(rows, down[0][at_small], len(small), along[0], column, part, small[at_small])
            at_small += 1
        while at_cell < CELLS and down[1][at_cell, 1] < bottom:
            sum_area(grey, down[1][at_cell], CELLS, along[1], grey_column, grey_part, cells[at_cell])
            at_cell += 1
        while at_part < COLOURS and down[2][at_part, 1] < bottom:
            sum_area(rows, down[2][at_part], COLOURS, along[2], column, part, parts[at_part])
            at_part += 1
    for k in range(len(levels)):
        levels[k] = np.int64(two_levels[0, k]) + np.int64(two_levels[1, k])
    for k in range(len(codes)):
        codes[k] = np.int64(two_codes[0, k]) + np.int64(two_codes[1, k])


@njit(cache=True, nogil=True)
def _first_lanes(height, width):  # type: ignore[no-untyped-def]
    return np.array([height * _P1 + _P2, width * _P2 + _P3, height ^ _P3, width ^ _P1])


@njit(cache=True, nogil=True)
def _mix(quads, lanes):  # type: ignore[no-untyped-def]
    """Mix pixels, uint64 (n, 4), two in a word, into the lanes."""
    first, second, third, fourth = lanes[0], lanes[1], lanes[2], lanes[3]
    for at in range(len(quads)):
        value = first + quads[at, 0] * _P2
        first = ((value << _31) | (value >> _33)) * _P1
        value = second + quads[at, 1] * _P2
        second = ((value << _31) | (value >> _33)) * _P1
        value = third + quads[at, 2] * _P2
        third = ((value << _31) | (value >> _33)) * _P1
        value = fourth + quads[at, 3] * _P2
        fourth = ((value << _31) | (value >> _33)) * _P1
    lanes[0], lanes[1], lanes[2], lanes[3] = first, second, third, fourth


@njit(cache=True, nogil=True)
def _finished(rest, lanes, height, width):  # type: ignore[no-untyped-def]
    """Mix the last pixels, at most seven, and then the lanes; return uint64 (2,)."""
    first, second, third, fourth = lanes[0], lanes[1], lanes[2], lanes[3]
    for at in range(0, len(rest) - 1, 2):
        value = first + (np.uint64(rest[at]) | np.uint64(rest[at + 1]) << _32) * _P2
        first, second, third, fourth = second, third, fourth, ((value << _31) | (value >> _33)) * _P1
    last = np.uint64(rest[-1]) if len(rest) % 2 else np.uint64(0)
    value = first + last * _P2
    first = ((value << _31) | (value >> _33)) * _P1
    found = np.empty(2, dtype=np.uint64)
    for half in range(2):
        value = height * _P2 + width
        ends = (first, second, third, fourth) if half == 0 else (fourth, second, third, first)
        for lane in ends:
            value = ((value ^ lane) * _P1) + _P3
            value ^= value >> _29
        value ^= value >> _33
        value *= _P2
        value ^= value >> _29
        value *= _P3
        found[half] = value ^ (value >> _32)
    return found


@njit(cache=True, nogil=True)
def fill_grey(words, grey):  # type: ignore[no-untyped-def]
    """Fill grey, uint8 (h, w), with that of pixels, uint32 (h, w)."""
    height, width = words.shape
    for y in range(height):
        row, out = words[y], grey[y]
        for x in range(width):
            word = row[x]
            red, green, blue = word & _BYTE, (word >> _8) & _BYTE, (word >> _16) & _BYTE
            out[x] = np.uint8((red * _RED + green * _GREEN + blue * _BLUE + _HALF) >> _16)


@njit(cache=True, nogil=True)
def _inverse_levels():  # type: ignore[no-untyped-def]
    inverse = np.zeros(256, dtype=np.int64)
    for level in range(1, 256):
        inverse[level] = (WHOLE + level // 2) // level
    return inverse


@njit(cache=True, nogil=True)
def _room(width):  # type: ignore[no-untyped-def]
    """Return room for a piece of a row: pixels, codes, grey, the highest channel, its distance to the lowest."""
    size = min(width, _PIECE)
    bytes_ = np.empty(size, dtype=np.uint8), np.empty(size, dtype=np.uint8), np.empty(size, dtype=np.uint8)
    return np.empty(size, dtype=np.uint32), np.empty(size, dtype=np.uint16), *bytes_


@njit(cache=True, nogil=True)
def _add_colours(words, y, step, levels, codes, inverse, sums, room):  # type: ignore[no-untyped-def]
    some, code, grey, most, apart = room
    for begin in range(0, words.shape[1], _PIECE * step):
        count = min(_PIECE, (words.shape[1] - begin + step - 1) // step)
        row = words[y, begin:]
        for k in range(count):
            some[k] = row[k * step]
        # Sums over a piece stay in 32 bits, of which several are added at once.
        rg, rg2, yb, yb2, farthest = np.int32(0), np.int32(0), np.int32(0), np.int32(0), np.int32(0)
        for k in range(count):
            red, green, blue = some[k] & _BYTE, (some[k] >> _8) & _BYTE, (some[k] >> _16) & _BYTE
            grey[k] = np.uint8((red * _RED + green * _GREEN + blue * _BLUE + _HALF) >> _16)
            r, g, b = np.int32(red), np.int32(green), np.int32(blue)
            code[k] = np.uint16((r >> 4) << 8 | (g >> 4) << 4 | b >> 4)
            first, second = np.int32(r - g), np.int32(r + g - 2 * b)
            rg, rg2 = np.int32(rg + first), np.int32(rg2 + first * first)
            yb, yb2 = np.int32(yb + second), np.int32(yb2 + second * second)
        for k in range(count):
            r, g, b = np.int32(some[k] & _BYTE), np.int32((some[k] >> _8) & _BYTE), np.int32((some[k] >> _16) & _BYTE)
            high = max(r, max(g, b))
            distance = np.int32(high - min(r, min(g, b)))
            farthest = max(farthest, distance)
            most[k], apart[k] = np.uint8(high), np.uint8(distance)
        saturation = np.int64(0)
        for k in range(count):
            saturation += np.int64(apart[k]) * inverse[most[k]]
        for k in range(count):
            levels[k & 1, grey[k]] += np.int32(1)
        for k in range(count):
            codes[k & 1, code[k]] += np.int32(1)
        sums[0] += rg
        sums[1] += rg2
        sums[2] += yb
        sums[3] += yb2
        sums[4] = max(sums[4], np.int64(farthest))
        sums[5] += saturation


@njit(cache=True, nogil=True)
def _add_neighbours(grey, y, around, across):  # type: ignore[no-untyped-def]
    """Add a row, and the Laplacian of the one before.

    Args:
        grey: uint8 (h, w), known up to row ``y``.
        around: int64 (3,), steps across the borders of blocks, elsewhere, and squares of the Laplacian.
        across: uint16 (w - 1,), steps along the rows, by column, of the last rows.
    """
    height, width = grey.shape
    # Places without a sign: the compiler need not ask whether they count from the end.
    for begin in range(0, width, _PIECE):
        first, end = np.uint64(begin), np.uint64(min(begin + _PIECE, width))
        inner_end = np.uint64(max(begin, min(begin + _PIECE, width - 2)))
        total = np.uint32(0)
        if y > 0:
            for x in range(first, end):
                total = np.uint32(total + np.uint32(abs(np.int32(grey[y, x]) - np.int32(grey[y - 1, x]))))
        around[0 if y % 8 == 0 else 1] += np.int64(total)
        total = np.uint32(0)
        if y > 1 and width > 2:
            for x in range(first, inner_end):
                beside = np.int16(np.int16(grey[y - 1, x]) + np.int16(grey[y - 1, x + _TWO]))
                beyond = np.int16(np.int16(grey[y - 2, x + _ONE]) + np.int16(grey[y, x + _ONE]))
                value = np.int16(beside + beyond - np.int16(4) * np.int16(grey[y - 1, x + _ONE]))
                total = np.uint32(total + np.uint32(np.int32(value) * np.int32(value)))
        around[2] += np.int64(total)
    for x in range(width - 1):
        step = np.uint16(max(grey[y, x], grey[y, x + 1]) - min(grey[y, x], grey[y, x + 1]))
        across[x] = np.uint16(across[x] + step)
    if y % _FLUSH == _FLUSH - 1 or y == height - 1:
        for x in range(width - 1):
            around[0 if x % 8 == 7 else 1] += across[x]
        across[:] = 0


@njit(cache=True, nogil=True)
def _sum_of_laplacian(grey):  # type: ignore[no-untyped-def]
    """Return the sum over inner pixels: inside, what a pixel gives to its neighbours and what it loses cancel out."""
    height, width = grey.shape
    total = np.int64(0)
    if height > 2 and width > 2:
        for x in range(1, width - 1):
            total += np.int64(grey[0, x]) - np.int64(grey[1, x])
            total += np.int64(grey[height - 1, x]) - np.int64(grey[height - 2, x])
        for y in range(1, height - 1):
            total += np.int64(grey[y, 0]) - np.int64(grey[y, 1])
            total += np.int64(grey[y, width - 1]) - np.int64(grey[y, width - 2])
    return total

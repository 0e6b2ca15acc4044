"""Measuring the pixels of one picture: kernels over all of them, sums in whole numbers, so the same everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

NAN = math.nan
GREY_TOLERANCE = 8
PLAIN_TOLERANCE = 8
SAMPLED_PIXELS = 1 << 16
"""Colours are counted on every k-th pixel of every k-th row, k the least that leaves at most so many."""
SAMPLED_BLOCKS = 256
TEXT_BLOCK, TEXT_STEP, TEXT_NEAR = 16, 48, 48
TEXT_LEAST, TEXT_MOST, TEXT_TENTHS = 12, 128, 8

_P1, _P2, _P3 = (np.uint64(each) for each in (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
_BYTE, _HALF = np.uint32(255), np.uint32(32768)
_RED, _GREEN, _BLUE = np.uint32(19595), np.uint32(38470), np.uint32(7471)
_8, _16, _29, _31, _32, _33 = (np.uint32(8), np.uint32(16), *map(np.uint64, (29, 31, 32, 33)))
_WHOLE = 1 << 24
"""Units of a saturation of 1."""
_FLUSH = 2048
"""Rows after which sums of squares move on to wider numbers: (4 * 255) ** 2 * 2048 fits into 32 bits."""


@dataclass(frozen=True, eq=False)
class PixelMeasures:
    """What the pixels of a picture give.

    Attributes:
        values: by name of signal; NaN where a signal does not apply.
        grey: uint8 (h, w), see ``image_signals.CONVENTION``.
    """

    values: dict[str, float]
    grey: NDArray[np.uint8]


def spacing(height: int, width: int, most: int) -> int:
    """Return the least k for which every k-th of ``width`` and of ``height`` makes at most ``most``."""
    k = max(1, math.isqrt(height * width // most))
    while -(-height // k) * -(-width // k) > most:
        k += 1
    return k


def measure_pixels(words: NDArray[np.uint32]) -> PixelMeasures:
    """Return the measures of a picture, uint32 (h, w), see ``Picture.words``, as it looks on white."""
    height, width = words.shape
    grey = grey_of(words)
    lap, lap2, steps = neighbours(grey)
    inner = (height - 2) * (width - 2)
    values = {
        **colour_measures(words),
        "sharpness": lap2 / inner - (lap / inner) ** 2 if height > 2 and width > 2 else NAN,
        "blocking": _blocking(steps, height, width),
        "border_share": border_share(grey),
        "text_share": text_share(grey, spacing(height // TEXT_BLOCK, width // TEXT_BLOCK, SAMPLED_BLOCKS)),
    }
    return PixelMeasures(values, grey)


def colour_measures(words: NDArray[np.uint32]) -> dict[str, float]:
    """Return the signals of brightness and colour, of the sampled pixels."""
    levels, codes, sums = colours(words, spacing(words.shape[0], words.shape[1], SAMPLED_PIXELS))
    count = int(levels.sum())
    steps = np.arange(256, dtype=np.int64)
    mean = int(levels @ steps) / count
    rg, rg2, yb, yb2, apart, saturation = (int(each) for each in sums)
    # The opponent yellow-blue is counted in halves.
    means = (rg / count, yb / count / 2)
    spreads = (max(0.0, rg2 / count - means[0] ** 2), max(0.0, yb2 / count / 4 - means[1] ** 2))
    shares = levels[levels > 0] / count
    below = np.cumsum(levels)
    low, high = (int(np.searchsorted(below, -(-share * count // 100))) for share in (1, 99))
    return {
        "is_grey": float(apart <= GREY_TOLERANCE),
        "brightness": mean,
        "brightness_spread": math.sqrt(max(0.0, int(levels @ (steps * steps)) / count - mean**2)),
        "contrast": float(high - low),
        "saturation": saturation / _WHOLE / count,
        "colourfulness": math.sqrt(sum(spreads)) + 0.3 * math.hypot(*means),
        "entropy": max(0.0, float(-np.sum(shares * np.log2(shares)))),
        "flat_share": int(codes.max()) / count,
    }


def _blocking(steps: NDArray[np.int64], height: int, width: int) -> float:
    """Return the step across block borders over that elsewhere, both plus one level."""
    if height < 16 or width < 16:
        return NAN
    columns, rows = (width - 1) // 8, (height - 1) // 8
    across = columns * height + rows * width
    elsewhere = (width - 1 - columns) * height + (height - 1 - rows) * width
    return float((steps[0] / across + 1) / (steps[1] / elsewhere + 1))


@njit(cache=True, nogil=True)
def grey_of(words):  # type: ignore[no-untyped-def]
    """Return grey, uint8 (h, w)."""
    height, width = words.shape
    grey = np.empty((height, width), dtype=np.uint8)
    for y in range(height):
        row, out = words[y], grey[y]
        for x in range(width):
            word = row[x]
            red, green, blue = word & _BYTE, (word >> _8) & _BYTE, (word >> _16) & _BYTE
            out[x] = np.uint8((red * _RED + green * _GREEN + blue * _BLUE + _HALF) >> _16)
    return grey


@njit(cache=True, nogil=True)
def colours(words, step):  # type: ignore[no-untyped-def]
    """Return counts over every ``step``-th pixel of every ``step``-th row.

    They are the histogram of grey int64 (256,), that of colours at 16 levels per channel int64 (4096,), and int64 (6,):
    the sums of R - G, of its square, of R + G - 2 B, of its square, the largest distance of two channels, and the sum
    of saturations in units of ``_WHOLE``.
    """
    height, width = words.shape
    levels, codes = np.zeros(256, dtype=np.int64), np.zeros(4096, dtype=np.int64)
    inverse = np.zeros(256, dtype=np.int64)
    for level in range(1, 256):
        inverse[level] = (_WHOLE + level // 2) // level
    sums = np.zeros(6, dtype=np.int64)
    rg, rg2, yb, yb2 = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    apart, saturation = np.int64(0), np.int64(0)
    for y in range(0, height, step):
        row = words[y]
        for x in range(0, width, step):
            word = np.int64(row[x])
            r, g, b = word & 255, (word >> 8) & 255, (word >> 16) & 255
            levels[(19595 * r + 38470 * g + 7471 * b + 32768) >> 16] += 1
            codes[(r >> 4) << 8 | (g >> 4) << 4 | b >> 4] += 1
            first, second = r - g, r + g - 2 * b
            rg += first
            rg2 += first * first
            yb += second
            yb2 += second * second
            most = max(r, max(g, b))
            distance = most - min(r, min(g, b))
            apart = max(apart, distance)
            saturation += distance * inverse[most]
    sums[:] = np.array([rg, rg2, yb, yb2, apart, saturation])
    return levels, codes, sums


@njit(cache=True, nogil=True)
def neighbours(grey):  # type: ignore[no-untyped-def]
    """Return the sum of the Laplacian over inner pixels, of its square, and int64 (2,): the sums of the steps of grey
    across the borders of 8 x 8 blocks, and elsewhere."""
    height, width = grey.shape
    total, squares = np.int64(0), np.int64(0)
    steps = np.zeros(2, dtype=np.int64)
    # Sums per column stay in 32 bits, which several pixels at once fit into.
    sums = np.zeros(width, dtype=np.int32)
    squared, across = np.zeros(width, dtype=np.uint32), np.zeros(width, dtype=np.uint32)
    for y in range(height):
        row = grey[y]
        if 0 < y < height - 1:
            above, below = grey[y - 1], grey[y + 1]
            for x in range(1, width - 1):
                value = np.int32(
                    np.int32(above[x]) + np.int32(below[x]) + np.int32(row[x - 1]) + np.int32(row[x + 1])
                    - 4 * np.int32(row[x])
                )  # fmt: skip
                sums[x] += value
                squared[x] += np.uint32(value * value)
        if y:
            above, step = grey[y - 1], np.int64(0)
            for x in range(width):
                step += abs(np.int32(row[x]) - np.int32(above[x]))
            steps[0 if y % 8 == 0 else 1] += step
        for x in range(1, width):
            across[x] += np.uint32(abs(np.int32(row[x]) - np.int32(row[x - 1])))
        if y % _FLUSH == _FLUSH - 1 or y == height - 1:
            for x in range(width):
                total += sums[x]
                squares += squared[x]
                steps[0 if x % 8 == 0 else 1] += across[x]
            sums[:] = 0
            squared[:] = 0
            across[:] = 0
    return total, squares, steps


@njit(cache=True, nogil=True)
def border_share(grey):  # type: ignore[no-untyped-def]
    """Return the share of the area in plain rows and columns at the edges."""
    height, width = grey.shape
    top = _plain_rows(grey, 0, 1)
    if top == height:
        return 1.0
    bottom = _plain_rows(grey, height - 1, -1)
    inner = grey[top : height - bottom]
    left = _plain_columns(inner, 0, 1)
    if left == width:
        return 1.0
    right = _plain_columns(inner, width - 1, -1)
    return 1.0 - (height - top - bottom) * (width - left - right) / (height * width)


@njit(cache=True, nogil=True)
def _plain_rows(grey, first, step):  # type: ignore[no-untyped-def]
    height, width = grey.shape
    low = high = grey[first, 0]
    count, y = 0, first
    while 0 <= y < height:
        for x in range(width):
            low, high = min(low, grey[y, x]), max(high, grey[y, x])
            if high - low > PLAIN_TOLERANCE:
                return count
        count += 1
        y += step
    return count


@njit(cache=True, nogil=True)
def _plain_columns(grey, first, step):  # type: ignore[no-untyped-def]
    height, width = grey.shape
    low = high = grey[0, first]
    count, x = 0, first
    while 0 <= x < width:
        for y in range(height):
            low, high = min(low, grey[y, x]), max(high, grey[y, x])
            if high - low > PLAIN_TOLERANCE:
                return count
        count += 1
        x += step
    return count


@njit(cache=True, nogil=True)
def text_share(grey, step):  # type: ignore[no-untyped-def]
    """Return the share of blocks that look like lettering, among every ``step``-th of every ``step``-th row of them."""
    rows, columns = grey.shape[0] // TEXT_BLOCK, grey.shape[1] // TEXT_BLOCK
    if rows == 0 or columns == 0:
        return 0.0
    found, seen = np.int64(0), np.int64(0)
    for j in range(0, rows, step):
        for i in range(0, columns, step):
            block = grey[j * TEXT_BLOCK : (j + 1) * TEXT_BLOCK, i * TEXT_BLOCK : (i + 1) * TEXT_BLOCK]
            seen += 1
            found += _is_lettering(block)
    return found / seen


@njit(cache=True, nogil=True)
def _is_lettering(block):  # type: ignore[no-untyped-def]
    low, high, steps = np.int64(255), np.int64(0), np.int64(0)
    for y in range(TEXT_BLOCK):
        for x in range(TEXT_BLOCK):
            level = np.int64(block[y, x])
            low, high = min(low, level), max(high, level)
        for x in range(1, TEXT_BLOCK):
            steps += abs(np.int64(block[y, x]) - np.int64(block[y, x - 1])) >= TEXT_STEP
    if not TEXT_LEAST <= steps <= TEXT_MOST:
        return False
    near = np.int64(0)
    for y in range(TEXT_BLOCK):
        for x in range(TEXT_BLOCK):
            level = np.int64(block[y, x])
            near += level - low <= TEXT_NEAR or high - level <= TEXT_NEAR
    return 10 * near >= TEXT_TENTHS * TEXT_BLOCK * TEXT_BLOCK


def pixel_hash(words: NDArray[np.uint32]) -> bytes:
    """Return 16 bytes that name decoded pixels, how opaque they are, width and height.

    A fast hash, not one against people who build two pictures with one hash on purpose.

    Source: the rounds and the final mixing of XXH64 (Collet), with two results from one state.
    """
    flat = words.reshape(-1)
    pairs = flat[: len(flat) // 2 * 2].view(np.uint64)
    last = np.uint64(flat[-1]) if len(flat) % 2 else np.uint64(0)
    return bytes(_mixed(pairs, last, np.uint64(words.shape[0]), np.uint64(words.shape[1])).astype("<u8").tobytes())


@njit(cache=True, nogil=True)
def _mixed(pairs, last, height, width):  # type: ignore[no-untyped-def]
    first, second, third, fourth = height * _P1 + _P2, width * _P2 + _P3, height ^ _P3, width ^ _P1
    whole = len(pairs) // 4 * 4
    for at in range(0, whole, 4):
        value = first + pairs[at] * _P2
        first = ((value << _31) | (value >> _33)) * _P1
        value = second + pairs[at + 1] * _P2
        second = ((value << _31) | (value >> _33)) * _P1
        value = third + pairs[at + 2] * _P2
        third = ((value << _31) | (value >> _33)) * _P1
        value = fourth + pairs[at + 3] * _P2
        fourth = ((value << _31) | (value >> _33)) * _P1
    for at in range(whole, len(pairs)):
        value = first + pairs[at] * _P2
        first, second, third, fourth = second, third, fourth, ((value << _31) | (value >> _33)) * _P1
    value = first + last * _P2
    first = ((value << _31) | (value >> _33)) * _P1
    found = np.empty(2, dtype=np.uint64)
    for half in range(2):
        value = height * _P2 + width
        lanes = (first, second, third, fourth) if half == 0 else (fourth, second, third, first)
        for lane in lanes:
            value = ((value ^ lane) * _P1) + _P3
            value ^= value >> _29
        value ^= value >> _33
        value *= _P2
        value ^= value >> _29
        value *= _P3
        found[half] = value ^ (value >> _32)
    return found


@njit(cache=True, nogil=True)
def area_means(samples, height, width):  # type: ignore[no-untyped-def]
    """Return a smaller picture, uint8 (height, width, 4): each pixel is the mean of the area that it covers.

    Args:
        samples: uint8 (h, w, 4), see ``Picture.samples``.
        height, width: at most h and w.
    """
    high, wide, _ = samples.shape
    rows = samples.reshape(high, 4 * wide)
    made = np.empty((height, width, 4), dtype=np.uint8)
    column = np.empty(4 * wide, dtype=np.uint32)
    area = np.int64(high) * np.int64(wide)
    # Half a unit more than the rounded sum: the product is then never below a whole number that it should reach.
    half, inverse = area // 2 + 0.5, 1.0 / area
    for j in range(height):
        top, bottom = np.int64(j) * high, np.int64(j + 1) * high
        column[:] = 0
        for y in range(top // height, (bottom + height - 1) // height):
            weight = np.uint32(min(bottom, (y + 1) * height) - max(top, y * height))
            row = rows[y]
            for x in range(4 * wide):
                column[x] += weight * np.uint32(row[x])
        for i in range(width):
            left, right = np.int64(i) * wide, np.int64(i + 1) * wide
            first, last = left // width, (right - 1) // width
            begin, end = np.uint64(min(right, (first + 1) * width) - left), np.uint64(right - last * width)
            if last == first:
                end = np.uint64(0)
            s0, s1, s2, s3 = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
            for x in range(4 * first + 4, 4 * last, 4):
                s0 += column[x]
                s1 += column[x + 1]
                s2 += column[x + 2]
                s3 += column[x + 3]
            whole, a, b = np.uint64(width), 4 * first, 4 * last
            s0 = s0 * whole + begin * column[a] + end * column[b]
            s1 = s1 * whole + begin * column[a + 1] + end * column[b + 1]
            s2 = s2 * whole + begin * column[a + 2] + end * column[b + 2]
            s3 = s3 * whole + begin * column[a + 3] + end * column[b + 3]
            made[j, i, 0] = np.uint8((np.float64(s0) + half) * inverse)
            made[j, i, 1] = np.uint8((np.float64(s1) + half) * inverse)
            made[j, i, 2] = np.uint8((np.float64(s2) + half) * inverse)
            made[j, i, 3] = np.uint8((np.float64(s3) + half) * inverse)
    return made

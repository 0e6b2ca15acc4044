"""Measuring the pixels of one picture: kernels over all of them, sums in whole numbers, so the same everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

NAN = math.nan
GREY_TOLERANCE = 8
PLAIN_TOLERANCE = 8
FLAT_PIXELS = 1 << 18
TEXT_STEP, TEXT_NEAR, TEXT_BLOCK = 48, 48, 16
TEXT_LEAST, TEXT_MOST = 12, 128
TEXT_TENTHS = 8
"""Tenths of a block's pixels that must be dark or bright."""

_P1, _P2, _P3 = (np.uint64(each) for each in (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


@dataclass(frozen=True, eq=False)
class PixelMeasures:
    """What the pixels of a picture give.

    Attributes:
        values: by name of signal; NaN where a signal does not apply.
        grey: uint8 (h, w), see ``image_signals.CONVENTION``.
    """

    values: dict[str, float]
    grey: NDArray[np.uint8]


class _Sums(NamedTuple):
    """Sums over all pixels, whole numbers unless stated."""

    rg: int
    rg2: int
    yb: int
    yb2: int
    saturation: float
    apart: int


def measure_pixels(pixels: NDArray[np.uint8]) -> PixelMeasures:
    """Return the measures of a picture's pixels, uint8 (h, w, 3), as they look on white."""
    height, width, _ = pixels.shape
    count = height * width
    grey, histogram, sums = colours(pixels)
    levels = np.arange(256, dtype=np.int64)
    total, squares = int(histogram @ levels), int(histogram @ (levels * levels))
    rg, rg2, yb, yb2, apart = (int(each) for each in sums[:5])
    lap, lap2, steps = neighbours(grey)
    inner = (height - 2) * (width - 2)
    # The opponent yellow-blue is counted in halves.
    means = (rg / count, yb / count / 2)
    spreads = (max(0.0, rg2 / count - means[0] ** 2), max(0.0, yb2 / count / 4 - means[1] ** 2))
    shares = histogram[histogram > 0] / count
    below = np.cumsum(histogram)
    low, high = (int(np.searchsorted(below, math.ceil(share * count / 100))) for share in (1, 99))
    step = max(1, math.isqrt(count // FLAT_PIXELS))
    values = {
        "is_grey": float(apart <= GREY_TOLERANCE),
        "brightness": total / count,
        "brightness_spread": math.sqrt(max(0.0, squares / count - (total / count) ** 2)),
        "contrast": float(high - low),
        "saturation": float(sums[5]) / (1 << 16) / count,
        "colourfulness": math.sqrt(sum(spreads)) + 0.3 * math.hypot(*means),
        "sharpness": lap2 / inner - (lap / inner) ** 2 if height > 2 and width > 2 else NAN,
        "entropy": max(0.0, float(-np.sum(shares * np.log2(shares)))),
        "blocking": _blocking(steps, height, width),
        "border_share": border_share(grey),
        "flat_share": most_frequent(pixels, step),
        "text_share": text_share(grey),
    }
    return PixelMeasures(values, grey)


def _blocking(steps: NDArray[np.int64], height: int, width: int) -> float:
    """Return the step across block borders over that elsewhere, both plus one level."""
    if height < 16 or width < 16:
        return NAN
    columns, rows = (width - 1) // 8, (height - 1) // 8
    across = columns * height + rows * width
    elsewhere = (width - 1 - columns) * height + (height - 1 - rows) * width
    return float((steps[0] / across + 1) / (steps[1] / elsewhere + 1))


@njit(cache=True, nogil=True)
def colours(pixels):  # type: ignore[no-untyped-def]
    """Return grey uint8 (h, w), its histogram int64 (256,), and int64 (6,): sums of R - G, its square, R + G - 2 B, its
    square, the largest distance of two channels, and the sum of saturations in 65536ths."""
    height, width, _ = pixels.shape
    grey = np.empty((height, width), dtype=np.uint8)
    counts = np.zeros((4, 256), dtype=np.int64)
    inverse = np.empty(256, dtype=np.int64)
    inverse[0] = 0
    for level in range(1, 256):
        inverse[level] = ((1 << 16) + level // 2) // level
    sums = np.zeros(6, dtype=np.int64)
    flat = pixels.reshape(height, 3 * width)
    for y in range(height):
        rg = rg2 = yb = yb2 = apart = saturation = np.int64(0)
        row = flat[y]
        for x in range(width):
            r, g, b = np.int64(row[3 * x]), np.int64(row[3 * x + 1]), np.int64(row[3 * x + 2])
            grey[y, x] = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16
            first, second = r - g, r + g - 2 * b
            rg += first
            rg2 += first * first
            yb += second
            yb2 += second * second
            most, least = max(r, max(g, b)), min(r, min(g, b))
            apart = max(apart, most - least)
            saturation += (most - least) * inverse[most]
        for x in range(width):
            counts[x & 3, grey[y, x]] += 1
        sums[0] += rg
        sums[1] += rg2
        sums[2] += yb
        sums[3] += yb2
        sums[4] = max(sums[4], apart)
        sums[5] += saturation
    return grey, counts.sum(axis=0), sums


@njit(cache=True, nogil=True)
def neighbours(grey):  # type: ignore[no-untyped-def]
    """Return the sum of the Laplacian over inner pixels, of its square, and int64 (2,): the sums of the steps of grey
    across the borders of 8 x 8 blocks, and elsewhere."""
    height, width = grey.shape
    total, squares = np.int64(0), np.int64(0)
    steps = np.zeros(2, dtype=np.int64)
    column = np.zeros(width, dtype=np.int64)
    for y in range(height):
        row = grey[y]
        if 0 < y < height - 1:
            above, below = grey[y - 1], grey[y + 1]
            here, here2 = np.int64(0), np.int64(0)
            for x in range(1, width - 1):
                lap = (np.int32(above[x]) + np.int32(below[x]) + np.int32(row[x - 1]) + np.int32(row[x + 1])
                       - 4 * np.int32(row[x]))  # fmt: skip
                here += lap
                here2 += lap * lap
            total += here
            squares += here2
        if y:
            above, step = grey[y - 1], np.int64(0)
            for x in range(width):
                step += abs(np.int32(row[x]) - np.int32(above[x]))
            steps[0 if y % 8 == 0 else 1] += step
        for x in range(1, width):
            column[x] += abs(np.int32(row[x]) - np.int32(row[x - 1]))
    for x in range(1, width):
        steps[0 if x % 8 == 0 else 1] += column[x]
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
def most_frequent(pixels, step):  # type: ignore[no-untyped-def]
    """Return the share of the most frequent colour at 16 levels per channel, over every ``step``-th row and column."""
    height, width, _ = pixels.shape
    counts = np.zeros((2, 4096), dtype=np.int32)
    seen = 0
    for y in range(0, height, step):
        for x in range(0, width, step):
            code = (
                (np.int32(pixels[y, x, 0]) >> 4) << 8
                | (np.int32(pixels[y, x, 1]) >> 4) << 4
                | (np.int32(pixels[y, x, 2]) >> 4)
            )
            counts[seen & 1, code] += 1
            seen += 1
    most = 0
    for code in range(4096):
        most = max(most, counts[0, code] + counts[1, code])
    return most / seen


@njit(cache=True, nogil=True)
def text_share(grey):  # type: ignore[no-untyped-def]
    """Return the share of blocks that look like lettering."""
    rows, columns = grey.shape[0] // TEXT_BLOCK, grey.shape[1] // TEXT_BLOCK
    if rows == 0 or columns == 0:
        return 0.0
    found = np.int64(0)
    for j in range(rows):
        for i in range(columns):
            block = grey[j * TEXT_BLOCK : (j + 1) * TEXT_BLOCK, i * TEXT_BLOCK : (i + 1) * TEXT_BLOCK]
            low, high, steps = np.int32(255), np.int32(0), np.int64(0)
            for y in range(TEXT_BLOCK):
                for x in range(TEXT_BLOCK):
                    level = np.int32(block[y, x])
                    low, high = min(low, level), max(high, level)
                for x in range(1, TEXT_BLOCK):
                    steps += abs(np.int32(block[y, x]) - np.int32(block[y, x - 1])) >= TEXT_STEP
            if high - low < TEXT_STEP or not TEXT_LEAST <= steps <= TEXT_MOST:
                continue
            near = np.int64(0)
            for y in range(TEXT_BLOCK):
                for x in range(TEXT_BLOCK):
                    level = np.int32(block[y, x])
                    near += level - low <= TEXT_NEAR or high - level <= TEXT_NEAR
            found += 10 * near >= TEXT_TENTHS * TEXT_BLOCK * TEXT_BLOCK
    return found / (rows * columns)


def pixel_hash(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> bytes:
    """Return 16 bytes that name decoded pixels with width and height, and how opaque they are where not all are.

    A fast hash, not one against people who build two pictures with one hash on purpose.

    Source: the rounds and the final mixing of XXH64 (Collet), over two seeds.
    """
    state = np.array([pixels.shape[0], pixels.shape[1]], dtype=np.uint64)
    for array in (pixels, alpha):
        if array is not None:
            state = _mixed(_words(array), state)
    return state.astype("<u8").tobytes()


def _words(array: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return bytes as words, the last padded by zero bytes, then their number."""
    flat = np.ascontiguousarray(array).reshape(-1)
    whole = len(flat) // 8 * 8
    if whole == len(flat):
        return flat.view("<u8")
    return np.concatenate([flat[:whole], flat[whole:], np.zeros(8 - len(flat) + whole, np.uint8)]).view("<u8")


@njit(cache=True, nogil=True)
def _mixed(words, state):  # type: ignore[no-untyped-def]
    lanes = np.empty(8, dtype=np.uint64)
    for lane in range(8):
        lanes[lane] = state[lane & 1] + _P1 * np.uint64(lane + 1)
    whole = len(words) // 4 * 4
    for at in range(0, whole, 4):
        for lane in range(8):
            value = lanes[lane] + words[at + (lane >> 1)] * _P2
            lanes[lane] = ((value << np.uint64(31)) | (value >> np.uint64(33))) * _P1
    for at in range(whole, len(words)):
        for lane in range(8):
            value = lanes[lane] + words[at] * _P2
            lanes[lane] = ((value << np.uint64(29)) | (value >> np.uint64(35))) * _P1
    found = np.empty(2, dtype=np.uint64)
    for half in range(2):
        value = np.uint64(len(words)) * _P3
        for lane in range(half, 8, 2):
            value = (value ^ lanes[lane]) * _P1 + _P3
        value ^= value >> np.uint64(33)
        value *= _P2
        value ^= value >> np.uint64(29)
        value *= _P3
        found[half] = value ^ (value >> np.uint64(32))
    return found


@njit(cache=True, nogil=True)
def area_means(pixels, height, width):  # type: ignore[no-untyped-def]
    """Return a smaller picture, uint8 (height, width, channels): each pixel is the mean of the area that it covers."""
    high, wide, channels = pixels.shape
    flat = pixels.reshape(high, wide * channels)
    made = np.empty((height, width, channels), dtype=np.uint8)
    column = np.empty(wide * channels, dtype=np.uint32)
    area = np.int64(high) * np.int64(wide)
    for j in range(height):
        top, bottom = np.int64(j) * high, np.int64(j + 1) * high
        column[:] = 0
        for y in range(top // height, (bottom + height - 1) // height):
            weight = np.uint32(min(bottom, (y + 1) * height) - max(top, y * height))
            for x in range(wide * channels):
                column[x] += weight * np.uint32(flat[y, x])
        for i in range(width):
            left, right = np.int64(i) * wide, np.int64(i + 1) * wide
            first, last = left // width, (right + width - 1) // width
            for c in range(channels):
                total = np.int64(0)
                for x in range(first, last):
                    total += (min(right, (x + 1) * width) - max(left, x * width)) * np.int64(column[x * channels + c])
                made[j, i, c] = (total + area // 2) // area
    return made

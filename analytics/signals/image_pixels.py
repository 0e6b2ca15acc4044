"""The signals of the pixels of one picture, of what one look at them gives."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.signals.image_scan import WHOLE, PixelScan, scan_picture

NAN = math.nan
GREY_TOLERANCE = 8
PLAIN_TOLERANCE = 8
SAMPLED_PIXELS = 1 << 16
"""Colours are counted on every k-th pixel of every k-th row, k the least that leaves at most so many."""
SAMPLED_BLOCKS = 256
TEXT_BLOCK, TEXT_STEP, TEXT_NEAR = 16, 48, 48
TEXT_LEAST, TEXT_MOST, TEXT_TENTHS = 12, 128, 8

_TEXT_PIXELS = TEXT_BLOCK * TEXT_BLOCK


def spacing(height: int, width: int, most: int) -> int:
    """Return the least k for which every k-th of ``width`` and of ``height`` makes at most ``most``."""
    k = max(1, math.isqrt(height * width // most))
    while -(-height // k) * -(-width // k) > most:
        k += 1
    return k


def look_at(words: NDArray[np.uint32], size: tuple[int, int] = (1, 1)) -> PixelScan:
    """Return what one look at a picture gives, colours sampled as ``SAMPLED_PIXELS`` says; see ``scan_picture``."""
    height, width = words.shape
    return scan_picture(words, spacing(height, width, SAMPLED_PIXELS), size)


def pixel_signals(scan: PixelScan) -> dict[str, float]:
    """Return the signals of the pixels of a picture as it looks on white, NaN where one does not apply."""
    height, width = scan.grey.shape
    lap, lap2 = scan.laplacian
    inner = (height - 2) * (width - 2)
    return {
        **_colour_signals(scan.levels, scan.codes, scan.colours),
        "sharpness": lap2 / inner - (lap / inner) ** 2 if height > 2 and width > 2 else NAN,
        "blocking": _blocking(scan.steps, height, width),
        "border_share": border_share(scan.grey),
        "text_share": text_share(scan.grey, spacing(height // TEXT_BLOCK, width // TEXT_BLOCK, SAMPLED_BLOCKS)),
    }


def _colour_signals(levels: NDArray[np.int64], codes: NDArray[np.int64], sums: NDArray[np.int64]) -> dict[str, float]:
    """Return the signals of brightness and colour, of the sampled pixels; see ``PixelScan``."""
    count, total, squares, low, high, most = _summary(levels, codes)
    mean = total / count
    rg, rg2, yb, yb2, apart, saturation = sums.tolist()
    # The opponent yellow-blue is counted in halves.
    means = (rg / count, yb / count / 2)
    spreads = (max(0.0, rg2 / count - means[0] ** 2), max(0.0, yb2 / count / 4 - means[1] ** 2))
    shares = levels[levels > 0] / count
    return {
        "is_grey": float(apart <= GREY_TOLERANCE),
        "brightness": mean,
        "brightness_spread": math.sqrt(max(0.0, squares / count - mean**2)),
        "contrast": float(high - low),
        "saturation": saturation / WHOLE / count,
        "colourfulness": math.sqrt(sum(spreads)) + 0.3 * math.hypot(*means),
        "entropy": max(0.0, -float((shares * np.log2(shares)).sum())),
        "flat_share": most / count,
    }


@njit(cache=True, nogil=True)
def _summary(levels, codes):  # type: ignore[no-untyped-def]
    """Return how many pixels there are, the sum of their levels and of the squares, the lowest levels that 1% and 99%
    of them do not exceed, and how many have the most frequent colour."""
    count, total, squares = np.int64(0), np.int64(0), np.int64(0)
    for level in range(len(levels)):
        count += levels[level]
        total += level * levels[level]
        squares += level * level * levels[level]
    low, high, below = 0, 0, np.int64(0)
    for level in range(len(levels)):
        below += levels[level]
        low += 100 * below < count
        high += 100 * below < 99 * count
    return count, total, squares, low, high, codes.max()


def _blocking(steps: NDArray[np.int64], height: int, width: int) -> float:
    """Return the step across block borders over that elsewhere, both plus one level."""
    if height < 16 or width < 16:
        return NAN
    columns, rows = (width - 1) // 8, (height - 1) // 8
    across = columns * height + rows * width
    elsewhere = (width - 1 - columns) * height + (height - 1 - rows) * width
    return float((steps[0] / across + 1) / (steps[1] / elsewhere + 1))


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
    block = np.empty((TEXT_BLOCK, TEXT_BLOCK), dtype=np.uint8)
    for j in range(0, rows, step):
        for i in range(0, columns, step):
            for y in range(TEXT_BLOCK):
                row = grey[j * TEXT_BLOCK + y, i * TEXT_BLOCK : (i + 1) * TEXT_BLOCK]
                for x in range(TEXT_BLOCK):
                    block[y, x] = row[x]
            seen += 1
            found += _is_lettering(block.reshape(-1))
    return found / seen


@njit(cache=True, nogil=True)
def _is_lettering(block):  # type: ignore[no-untyped-def]
    """Say whether a block, uint8 (256,), looks like lettering."""
    low, high = np.uint8(255), np.uint8(0)
    for k in range(_TEXT_PIXELS):
        low, high = min(low, block[k]), max(high, block[k])
    following, clear = block[1:], np.uint32(0)
    for k in range(_TEXT_PIXELS - 1):
        away = np.uint8(max(block[k], following[k]) - min(block[k], following[k]))
        clear += np.uint32(away >= np.uint8(TEXT_STEP))
    steps = np.int64(clear)
    for k in range(TEXT_BLOCK - 1, _TEXT_PIXELS - 1, TEXT_BLOCK):  # From the end of a row to the next is no step.
        steps -= abs(np.int64(block[k]) - np.int64(following[k])) >= TEXT_STEP
    if not TEXT_LEAST <= steps <= TEXT_MOST:
        return False
    near = np.uint32(0)
    for k in range(_TEXT_PIXELS):
        dark, bright = np.uint8(block[k] - low), np.uint8(high - block[k])
        near += np.uint32((dark <= np.uint8(TEXT_NEAR)) | (bright <= np.uint8(TEXT_NEAR)))
    return 10 * np.int64(near) >= TEXT_TENTHS * _TEXT_PIXELS

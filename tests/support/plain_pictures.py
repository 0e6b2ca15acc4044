"""Signals of pictures in plain numpy and scipy, pixel by pixel where that is clearest."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve
from scipy.stats import entropy


def plain_grey(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return grey as ``Image.convert("L")`` makes it."""
    red, green, blue = (pixels[:, :, channel].astype(np.int64) for channel in range(3))
    return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16


def plain_signals(pixels: NDArray[np.uint8], step: int, block_step: int) -> dict[str, float]:
    """Return the signals of pixels, uint8 (h, w, 3).

    Args:
        pixels: as they look on white.
        step: colours are those of every ``step``-th pixel of every ``step``-th row.
        block_step: the same for blocks of lettering.
    """
    grey = plain_grey(pixels)
    some, levels = pixels[::step, ::step].reshape(-1, 3).astype(np.float64), grey[::step, ::step].ravel()
    red, green, blue = some.T
    rg, yb = red - green, (red + green) / 2 - blue
    most, least = some.max(axis=1), some.min(axis=1)
    with np.errstate(invalid="ignore"):
        saturation = np.where(most > 0, (most - least) / most, 0.0)
    codes = Counter(map(tuple, (some.astype(np.int64) // 16).tolist()))
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    laplacian = convolve(grey, kernel)[1:-1, 1:-1]
    return {
        "is_grey": float((most - least).max() <= 8),
        "brightness": levels.mean(),
        "brightness_spread": levels.std(),
        "contrast": float(_quantile(levels, 99) - _quantile(levels, 1)),
        "saturation": saturation.mean(),
        "colourfulness": np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()),
        "sharpness": laplacian.var() if laplacian.size else np.nan,
        "entropy": entropy(np.bincount(levels, minlength=256), base=2),
        "blocking": _blocking(grey),
        "border_share": _border_share(grey),
        "flat_share": max(codes.values()) / len(levels),
        "text_share": _text_share(grey, block_step),
    }


def _quantile(levels: NDArray[np.int64], percent: int) -> int:
    ordered = np.sort(levels)
    return int(ordered[-(-percent * len(ordered) // 100) - 1])


def _blocking(grey: NDArray[np.int64]) -> float:
    if min(grey.shape) < 16:
        return np.nan
    across, elsewhere = [], []
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis))
        border = np.arange(1, grey.shape[axis]) % 8 == 0
        across.append(np.compress(border, steps, axis=axis).ravel())
        elsewhere.append(np.compress(~border, steps, axis=axis).ravel())
    return float((np.concatenate(across).mean() + 1) / (np.concatenate(elsewhere).mean() + 1))


def _plain_lines(lines: NDArray[np.int64]) -> int:
    for count in range(len(lines), 0, -1):
        if np.ptp(lines[:count]) <= 8:
            return count
    return 0


def _border_share(grey: NDArray[np.int64]) -> float:
    top, bottom = _plain_lines(grey), _plain_lines(grey[::-1])
    if top == len(grey):
        return 1.0
    inner = grey[top : len(grey) - bottom].T
    left, right = _plain_lines(inner), _plain_lines(inner[::-1])
    if left == len(inner):
        return 1.0
    return 1.0 - (len(grey) - top - bottom) * (len(inner) - left - right) / grey.size


def _text_share(grey: NDArray[np.int64], step: int) -> float:
    rows, columns = grey.shape[0] // 16, grey.shape[1] // 16
    found = []
    for j in range(0, rows, step):
        for i in range(0, columns, step):
            block = grey[16 * j : 16 * j + 16, 16 * i : 16 * i + 16]
            steps = int((np.abs(np.diff(block, axis=1)) >= 48).sum())
            near = float(((block - block.min() <= 48) | (block.max() - block <= 48)).mean())
            found.append(12 <= steps <= 128 and near >= 0.8)
    return float(np.mean(found)) if found else 0.0


def plain_means(samples: NDArray[np.uint8], height: int, width: int) -> NDArray[np.int64]:
    """Return means of areas, rounded half up: every pixel is repeated until all areas are whole pixels."""
    high, wide, channels = samples.shape
    large = np.repeat(np.repeat(samples.astype(np.int64), height, axis=0), width, axis=1)
    sums = large.reshape(height, high, width, wide, channels).sum(axis=(1, 3))
    return (sums + high * wide // 2) // (high * wide)


def plain_sums(grey: NDArray[np.uint8], cells: int) -> NDArray[np.int64]:
    """Return sums over ``cells`` x ``cells`` areas of one channel, each pixel by the units that it shares."""
    shared = []
    for lines in grey.shape:
        edge, at = np.arange(cells + 1) * lines, np.arange(lines) * cells
        over = np.minimum(edge[1:, None], at + cells) - np.maximum(edge[:-1, None], at)
        shared.append(np.clip(over, 0, None))
    return np.asarray(shared[0] @ grey.astype(np.int64) @ shared[1].T)

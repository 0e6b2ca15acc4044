"""How alike two pictures are, on means of 32 x 32 parts: one is laid on the other first, then both are compared.

A copy that was cut, padded or scaled shows the same things at other places, one that was made lighter has other levels.
So a scale and a shift in each direction and a gain and a level of grey are fitted, by least squares, before the
agreement is measured.

Source: Lucas and Kanade 1981, An iterative image registration technique (Gauss-Newton on the parameters of a warp);
normalised cross-correlation as in Lewis 1995, Fast normalized cross-correlation.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.signals.image_hashes import CELLS, COLOURS

ROUNDS = 8
LEAST_SHARED = 0.7
"""Share of both pictures that must lie on the other; with less they are not alike."""
_SCALE, _SHIFT = 0.13, 3.0
"""How far a fit may move from where it begins: share of the scale, cells."""
_EVERY = 2
"""One cell in so many per direction is fitted on; their agreement is measured on all."""
_LEAST = 75
_NOISE, _FINE_NOISE = 4.0, 0.25
"""Variances of grey and of its detail that count as nothing, so that two plain pictures do not differ by noise."""
_COLOUR = 64.0
"""Difference of mean colours, in levels, at which nothing is alike."""
_FREE = 0.15
"""Colours this near, as a share, count as the same: copies made lighter lose colour where it is cut off."""
_LIGHT = 96.0
"""Difference of mean grey above which nothing is alike."""
_AROUND = 2


def likenesses(
    one: NDArray[np.uint8], other: NDArray[np.uint8], begin: NDArray[np.float64],
    shades: NDArray[np.float64], other_shades: NDArray[np.float64], floor: float,
) -> NDArray[np.float32]:  # fmt: skip
    """Return how alike the pictures of each pair are, float32 (m,) in [0, 1].

    It is the smaller of two correlations over the shared area, of grey and of its detail (grey minus the mean of 5 x 5
    cells around), times how alike the mean colours are.

    Args:
        one, other: uint8 (m, 32, 32), means of grey.
        begin: float64 (4,), where the fits begin: cell (x, y) of the other lies at (a x + b, c y + d) of the one.
        shades, other_shades: float64 (m, 3), see ``mean_shades``.
        floor: what is less alike may be given as 0.
    """
    found = np.empty(len(one), dtype=np.float32)
    # A little less, for values that become the floor when they are rounded.
    _likenesses(one, other, begin, shades, other_shades, floor * (1 - 1e-6), found)
    return found


def mean_shades(colour8: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return mean red, green and blue minus their mean, float64 (n, 3): what lighter and darker do not change.

    Args:
        colour8: uint8 (n, 8, 8, 3).
    """
    means = colour8.reshape(len(colour8), COLOURS * COLOURS, 3).mean(axis=1, dtype=np.float64)
    return np.asarray(means - means.mean(axis=1, keepdims=True))


@njit(cache=True, nogil=True)
def _likenesses(one, other, begin, shades, other_shades, floor, found):  # type: ignore[no-untyped-def]
    for k in range(len(one)):
        found[k] = _likeness(one[k], other[k], begin, shades[k], other_shades[k], floor)


@njit(cache=True, nogil=True)
def _likeness(one, other, begin, shade, other_shade, floor):  # type: ignore[no-untyped-def]
    apart = 0.0
    for k in range(3):
        apart = max(apart, abs(shade[k] - other_shade[k]))
    colour = 1.0 - apart / _COLOUR
    most = min(1.0, colour + _FREE)
    if colour <= 0.0 or most < floor:
        return 0.0
    grey, detail = _agreement(one, other, _fitted(one, other, begin), floor / most)
    return max(0.0, min(grey, detail)) * most


@njit(cache=True, nogil=True)
def _fitted(one, other, begin):  # type: ignore[no-untyped-def]
    """Return scale and shift in both directions, float64 (4,), that lay ``one`` on ``other`` best."""
    found = begin.copy()
    gain, level = 1.0, 0.0
    matrix, right, slope = np.zeros((6, 6)), np.zeros(6), np.ones(6)
    for _ in range(ROUNDS):
        matrix[:] = 0.0
        right[:] = 0.0
        cells = 0
        for v in range(0, CELLS, _EVERY):
            y = found[2] * v + found[3]
            if y < -0.5 or y > CELLS - 0.5:
                continue
            for u in range(0, CELLS, _EVERY):
                x = found[0] * u + found[1]
                if x < -0.5 or x > CELLS - 0.5:
                    continue
                value, along, down = _sampled(one, x, y)
                slope[0], slope[1] = gain * along * u, gain * along
                slope[2], slope[3] = gain * down * v, gain * down
                slope[4] = value
                away = np.float64(other[v, u]) - (gain * value + level)
                cells += 1
                for i in range(6):
                    for j in range(i, 6):
                        matrix[i, j] += slope[i] * slope[j]
                    right[i] += slope[i] * away
        if cells < _LEAST or not _solve(matrix, right):
            break
        for k in range(4):
            reach = _SCALE * begin[k] if k % 2 == 0 else _SHIFT
            found[k] = min(max(found[k] + right[k], begin[k] - reach), begin[k] + reach)
        gain += right[4]
        level += right[5]
        if max(abs(right[1]), abs(right[3])) < 0.02 and max(abs(right[0]), abs(right[2])) < 0.001:
            break
    return found


@njit(cache=True, nogil=True)
def _sampled(means, x, y):  # type: ignore[no-untyped-def]
    """Return value and slopes between the centres of cells, which are at whole numbers."""
    x, y = min(max(x, 0.0), CELLS - 1.0), min(max(y, 0.0), CELLS - 1.0)
    i, j = min(int(x), CELLS - 2), min(int(y), CELLS - 2)
    right, low = x - i, y - j
    a, b = np.float64(means[j, i]), np.float64(means[j, i + 1])
    c, d = np.float64(means[j + 1, i]), np.float64(means[j + 1, i + 1])
    value = (a * (1 - right) + b * right) * (1 - low) + (c * (1 - right) + d * right) * low
    return value, (b - a) * (1 - low) + (d - c) * low, (c - a) * (1 - right) + (d - b) * right


@njit(cache=True, nogil=True)
def _solve(matrix, right):  # type: ignore[no-untyped-def]
    """Solve the normal equations in place, the upper triangle given; say whether they have a solution."""
    size = len(right)
    for i in range(size):
        matrix[i, i] = matrix[i, i] * 1.001 + 1e-3
        for j in range(i):
            matrix[i, j] = matrix[j, i]
    for i in range(size):
        best = i
        for k in range(i + 1, size):
            if abs(matrix[k, i]) > abs(matrix[best, i]):
                best = k
        if abs(matrix[best, i]) < 1e-9:
            return False
        for j in range(size):
            matrix[i, j], matrix[best, j] = matrix[best, j], matrix[i, j]
        right[i], right[best] = right[best], right[i]
        for k in range(i + 1, size):
            share = matrix[k, i] / matrix[i, i]
            for j in range(i, size):
                matrix[k, j] -= share * matrix[i, j]
            right[k] -= share * right[i]
    for i in range(size - 1, -1, -1):
        for j in range(i + 1, size):
            right[i] -= matrix[i, j] * right[j]
        right[i] /= matrix[i, i]
    return True


@njit(cache=True, nogil=True)
def _agreement(one, other, place, floor):  # type: ignore[no-untyped-def]
    """Return the correlations of grey and of detail over the shared area, zeros where too little is shared or the first
    is below the floor."""
    # Sums over all cells above and left of a corner: the one laid on the other, the other, and how many are shared.
    laid, sums, cells = np.zeros((CELLS, CELLS)), np.zeros((3, CELLS + 1, CELLS + 1)), 0
    shared, grey, detail = np.zeros((CELLS, CELLS), dtype=np.bool_), np.zeros(5), np.zeros(3)
    for v in range(CELLS):
        y = place[2] * v + place[3]
        row_one, row_other, row_cells = 0.0, 0.0, 0
        for u in range(CELLS):
            x = place[0] * u + place[1]
            if -0.5 <= x <= CELLS - 0.5 and -0.5 <= y <= CELLS - 0.5:
                a, b = _sampled(one, x, y)[0], np.float64(other[v, u])
                laid[v, u], shared[v, u] = a, True
                row_one, row_other, row_cells = row_one + a, row_other + b, row_cells + 1
                grey[0] += a
                grey[1] += b
                grey[2] += a * a
                grey[3] += b * b
                grey[4] += a * b
            sums[0, v + 1, u + 1] = sums[0, v, u + 1] + row_one
            sums[1, v + 1, u + 1] = sums[1, v, u + 1] + row_other
            sums[2, v + 1, u + 1] = sums[2, v, u + 1] + row_cells
        cells += row_cells
    part = cells / (CELLS * CELLS)
    if min(part, part * abs(place[0] * place[2])) < LEAST_SHARED:
        return 0.0, 0.0
    mean, other_mean = grey[0] / cells, grey[1] / cells
    if abs(mean - other_mean) > _LIGHT:
        return 0.0, 0.0
    spread, other_spread = grey[2] / cells - mean * mean + _NOISE, grey[3] / cells - other_mean * other_mean + _NOISE
    alike = (grey[4] / cells - mean * other_mean + _NOISE) / np.sqrt(spread * other_spread)
    if alike < floor:
        return 0.0, 0.0
    for v in range(CELLS):
        top, bottom = max(0, v - _AROUND), min(CELLS, v + _AROUND + 1)
        for u in range(CELLS):
            if shared[v, u]:
                left, right = max(0, u - _AROUND), min(CELLS, u + _AROUND + 1)
                near = _within(sums[2], top, bottom, left, right)
                fine = laid[v, u] - _within(sums[0], top, bottom, left, right) / near
                other_fine = other[v, u] - _within(sums[1], top, bottom, left, right) / near
                detail[0] += fine * fine
                detail[1] += other_fine * other_fine
                detail[2] += fine * other_fine
    free = cells * _FINE_NOISE
    return alike, (detail[2] + free) / np.sqrt((detail[0] + free) * (detail[1] + free))


@njit(cache=True, nogil=True)
def _within(sums, top, bottom, left, right):  # type: ignore[no-untyped-def]
    return sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]

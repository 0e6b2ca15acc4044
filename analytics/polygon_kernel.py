"""The compiled loop of ``polygon.points_in_polygon``; imported only when a polygon is asked for."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def crossings(
    x: NDArray[np.float64], y: NDArray[np.float64], corner_x: NDArray[np.float64], corner_y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Count edge crossings to the right of each point, odd is inside, bool (n,)."""
    n = len(x)
    m = len(corner_x)
    inside = np.zeros(n, dtype=np.bool_)
    left, right = corner_x.min(), corner_x.max()
    low, high = corner_y.min(), corner_y.max()
    for i in range(n):
        px, py = x[i], y[i]
        if not (left <= px <= right and low <= py <= high):
            continue
        odd = False
        j = m - 1
        for k in range(m):
            if (corner_y[k] > py) != (corner_y[j] > py):
                at = (corner_x[j] - corner_x[k]) * (py - corner_y[k]) / (corner_y[j] - corner_y[k]) + corner_x[k]
                if px < at:
                    odd = not odd
            j = k
        inside[i] = odd
    return inside

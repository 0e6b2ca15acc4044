"""Whether points are inside a lasso: float64 crossing numbers, the same for pages and recipes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.data.errors import RecipeError


@njit(cache=True, nogil=True)
def crossings(
    x: NDArray[np.float64], y: NDArray[np.float64], corner_x: NDArray[np.float64], corner_y: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return whether the number of edge crossings to the right of each point is odd (inside), bool (n,)."""
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


MAX_VERTICES = 2_000

Vertices = Sequence[tuple[float, float]]


def points_in_polygon(x: NDArray[np.floating], y: NDArray[np.floating], vertices: Vertices) -> NDArray[np.bool_]:
    """Return which points lie inside a polygon, bool (n,), by the even-odd rule with half-open edges.

    A point on a shared edge of two polygons is inside exactly one of them. NaN coordinates are outside.

    Args:
        x, y: coordinates, any float dtype (n,), widened to float64.
        vertices: 3 to 2,000 corners; the last one is joined to the first.

    Raises:
        RecipeError: too few or too many corners, or corners that are not finite.

    Source: crossing-number test, M. Shimrat, Algorithm 112, Communications of the ACM 5 (1962).
    """
    corners = np.asarray(vertices, dtype=np.float64).reshape(-1, 2)
    if not 3 <= len(corners) <= MAX_VERTICES or not np.isfinite(corners).all():
        raise RecipeError("A polygon needs finite corners", value=len(corners), allowed=f"3 to {MAX_VERTICES}")
    return crossings(
        np.ascontiguousarray(x, dtype=np.float64),
        np.ascontiguousarray(y, dtype=np.float64),
        np.ascontiguousarray(corners[:, 0]),
        np.ascontiguousarray(corners[:, 1]),
    )

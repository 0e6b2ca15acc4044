"""The one answer to "is this point inside the lasso": float64 crossing numbers, used by pages and recipes alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tamis.data.errors import RecipeError

MAX_VERTICES = 2_000

Vertices = Sequence[tuple[float, float]]


def points_in_polygon(x: NDArray[np.floating], y: NDArray[np.floating], vertices: Vertices) -> NDArray[np.bool_]:
    """Say which points lie inside a polygon, bool (n,), by the even-odd rule with half-open edges.

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
    from tamis.analytics.polygon_kernel import crossings

    return crossings(
        np.ascontiguousarray(x, dtype=np.float64),
        np.ascontiguousarray(y, dtype=np.float64),
        np.ascontiguousarray(corners[:, 0]),
        np.ascontiguousarray(corners[:, 1]),
    )

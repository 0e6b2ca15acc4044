"""Colours of the map's groups: distinct for categories, one scale for numbers, fixed for kept and dropped."""

from __future__ import annotations

import colorsys
from collections.abc import Collection, Sequence

from tamis.analytics.study.queries import MapGroups
from tamis.app.figures.figures import CATEGORIES, DROPPED, KEPT

_SCALE = ((0.267, 0.005, 0.329), (0.254, 0.265, 0.530), (0.164, 0.471, 0.558), (0.135, 0.659, 0.518),
          (0.478, 0.821, 0.318), (0.993, 0.906, 0.144))  # fmt: skip
_GOLDEN = 0.61803398875


def palette_of(groups: MapGroups, *, dark: bool) -> list[str]:
    """Return 256 colours as #rrggbb by group code; 254 is other values, 255 no value."""
    rest = ["#6b737a", "#4a5157"] if dark else ["#a9afb5", "#c9cdd1"]
    if groups.column in ("kept", "selected"):
        return _padded([DROPPED, KEPT], rest)
    numbers = [item for item in groups.legend if item.low is not None]
    if numbers:
        return _padded([_along(k / max(len(numbers) - 1, 1), dark=dark) for k in range(len(numbers))], rest)
    return _padded([*CATEGORIES, *(_spread(k, dark=dark) for k in range(254 - len(CATEGORIES)))], rest)


def stack_colours(labels: Sequence[str], *, rising: bool, dark: bool, rest: Collection[str] = ()) -> list[str]:
    """Return the colours of stacked areas as #rrggbb: one scale for ranges that rise, grey for the rest."""
    grey = "#6b737a" if dark else "#a9afb5"
    named = [label for label in labels if label not in rest]
    if rising:
        own = [_along(k / max(len(named) - 1, 1), dark=dark) for k in range(len(named))]
    else:
        own = list(CATEGORIES[: len(named)])
    colours = iter(own)
    return [grey if label in rest else next(colours) for label in labels]


def _padded(colours: list[str], rest: list[str]) -> list[str]:
    return [*colours, *([rest[0]] * (254 - len(colours))), *rest]


def _along(share: float, *, dark: bool) -> str:
    """Return a colour of a perceptually uniform scale; high values are bright on dark paper, dark on light paper."""
    at = (share if dark else 1 - share) * (len(_SCALE) - 1) * 0.94
    low = int(at)
    high = min(low + 1, len(_SCALE) - 1)
    mixed = (a + (b - a) * (at - low) for a, b in zip(_SCALE[low], _SCALE[high], strict=True))
    return _hex(*mixed)


def _spread(number: int, *, dark: bool) -> str:
    """Return hues a golden angle apart."""
    light = (0.62, 0.5, 0.72)[number % 3] if dark else (0.46, 0.58, 0.38)[number % 3]
    return _hex(*colorsys.hls_to_rgb((number * _GOLDEN) % 1.0, light, 0.5))


def _hex(red: float, green: float, blue: float) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in (red, green, blue))

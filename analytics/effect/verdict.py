"""Differences with intervals, and their three possible verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["better", "worse", "no measurable effect"]
WIDTH = 2.0
"""Least size of a measurable difference in standard deviations."""


@dataclass(frozen=True)
class Difference:
    """Difference between recipe and random, or another pair.

    Attributes:
        figure: name of the measured figure.
        against: name of the comparison.
        mean: mean difference over the draws.
        sd: standard deviation, over draws and, where texts were scored, of the mean over texts.
        low, high: mean ± 2 sd.
        recipe, other: the two means.
        draws: number of random sets.
        lower_is_better: which direction is good.
        proxy: what the figure is a proxy for.
    """

    figure: str
    against: str
    mean: float
    sd: float
    low: float
    high: float
    recipe: float
    other: float
    draws: int
    lower_is_better: bool
    proxy: str = ""

    @property
    def verdict(self) -> Verdict:
        """Return the verdict; below two standard deviations there is none."""
        if self.low <= 0.0 <= self.high:
            return "no measurable effect"
        return "better" if (self.mean < 0) == self.lower_is_better else "worse"

    @property
    def sentence(self) -> str:
        """Return the difference in words, without a full stop."""
        return (
            f"{self.figure}: {self.recipe:.3f} against {self.other:.3f} {self.against}, "
            f"difference {self.mean:+.3f} ({self.low:+.3f} to {self.high:+.3f}): {self.verdict}"
        )


def compare(
    figure: str,
    against: str,
    recipe: Sequence[float],
    other: Sequence[float],
    *,
    lower_is_better: bool,
    text_error: float = 0.0,
    proxy: str = "",
) -> Difference:
    """Return the difference of paired draws; a single value of the recipe is compared with every draw.

    Args:
        figure, against: names to show.
        recipe: one value, or as many as ``other``.
        other: a value per draw, at least two.
        lower_is_better: which direction is good.
        text_error: standard error of the difference over the scored texts, see ``text_error``.
        proxy: what the figure is a proxy for.
    """
    ours = np.resize(np.asarray(recipe, dtype=np.float64), len(other))
    difference = ours - np.asarray(other, dtype=np.float64)
    mean = float(difference.mean())
    sd = float(np.hypot(difference.std(ddof=1) if len(difference) > 1 else 0.0, text_error))
    return Difference(
        figure=figure,
        against=against,
        mean=mean,
        sd=sd,
        low=mean - WIDTH * sd,
        high=mean + WIDTH * sd,
        recipe=float(np.mean(recipe)),
        other=float(np.mean(other)),
        draws=len(other),
        lower_is_better=lower_is_better,
        proxy=proxy,
    )


def text_error(
    recipe: Sequence[NDArray[np.float64]], other: Sequence[NDArray[np.float64]], bytes_: NDArray[np.int64]
) -> float:
    """Return the standard error of a difference in bits per byte over the scored texts, by the ratio estimator.

    Args:
        recipe, other: bits of each text per draw, float64 (m,) each.
        bytes_: int64 (m,), UTF-8 bytes of each text.
    """
    m, size = len(bytes_), float(bytes_.sum())
    if m < 2 or size == 0:
        return 0.0
    difference = np.mean(recipe, axis=0) - np.mean(other, axis=0)
    rest = difference - difference.sum() / size * bytes_
    return float(np.sqrt(m / (m - 1) * (rest @ rest)) / size)

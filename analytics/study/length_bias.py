"""Length bias of preference pairs: how often the chosen answer is the longer one, also by difference of length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.study.extrapolation import Interval, wilson
from tamis.analytics.study.scene import Scene

COLUMNS = ("chosen_chars", "rejected_chars")
TENTHS = 10


@dataclass(frozen=True)
class LengthTenth:
    """A tenth of the pairs of unequal length, by difference of length.

    Attributes:
        low, high: smallest and largest difference, in characters.
        longer: share of pairs whose chosen answer is the longer one, with its interval.
    """

    low: int
    high: int
    longer: Interval


@dataclass(frozen=True)
class LengthBias:
    """How often the chosen answer is the longer one; exact over all pairs.

    Attributes:
        longer: share among the pairs of unequal length, with its 95% Wilson interval.
        ties: pairs of equal length, which count on neither side.
        tenths: the same by tenths of the difference of length, ascending; fewer than ten where differences repeat.
    """

    longer: Interval
    ties: int
    tenths: tuple[LengthTenth, ...]

    @property
    def biased(self) -> bool:
        """Say whether the interval leaves out one half."""
        return bool(self.longer.of) and not self.longer.low <= 0.5 <= self.longer.high


def length_bias(scene: Scene) -> LengthBias | None:
    """Return the length bias of all pairs, None for a corpus without pairs."""
    return bias_of_facts(scene.facts)


def bias_of_facts(facts: Facts) -> LengthBias | None:
    """Return the length bias of all pairs of facts, None for a corpus without pairs."""
    if not all(name in facts.columns for name in COLUMNS):
        return None
    chosen, rejected = (facts.numbers(name) for name in COLUMNS)
    there = np.isfinite(chosen) & np.isfinite(rejected)
    return bias_of((chosen - rejected)[there].astype(np.int64))


def bias_of(differences: NDArray[np.int64]) -> LengthBias:
    """Return the length bias of differences of length, chosen less rejected, int64 (m,)."""
    unequal = differences[differences != 0]
    size = np.abs(unequal)
    order = np.argsort(size, kind="stable")
    size, longer = size[order], unequal[order] > 0
    if not len(size):
        return LengthBias(wilson(0, 0), len(differences), ())
    # A difference lies in one tenth only: a border inside a run of equal ones moves to its beginning.
    starts = np.unique(np.searchsorted(size, size[len(size) * np.arange(TENTHS) // TENTHS]))
    ends = np.append(starts[1:], len(size))
    tenths = tuple(
        LengthTenth(int(size[a]), int(size[b - 1]), wilson(int(longer[a:b].sum()), int(b - a)))
        for a, b in zip(starts, ends, strict=True)
    )
    return LengthBias(wilson(int(longer.sum()), len(unequal)), len(differences) - len(unequal), tenths)

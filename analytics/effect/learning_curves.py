"""Learning curves of proxy models and the two numbers read from them, each with an interval over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import t as student

CONFIDENCE = 0.95


@dataclass(frozen=True)
class RatioInterval:
    """A ratio with its interval over seeds.

    Attributes:
        middle: geometric mean over the seeds.
        low, high: 95% by Student's t on the logarithms; None with one seed.
        values: one per seed.
    """

    middle: float
    low: float | None
    high: float | None
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> RatioInterval:
        """Return the interval of the mean of positive values."""
        logs = np.log(np.asarray(values, dtype=np.float64))
        mean = float(logs.mean())
        if len(logs) < 2:
            return cls(math.exp(mean), None, None, tuple(map(float, values)))
        wide = float(student.ppf((1 + CONFIDENCE) / 2, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs)))
        return cls(math.exp(mean), math.exp(mean - wide), math.exp(mean + wide), tuple(map(float, values)))


@dataclass(frozen=True)
class Curve:
    """The losses of one model on its way.

    Attributes:
        seed: of the model.
        tokens: read at each checkpoint, ascending; bytes unless there is a tokenizer.
        losses: bits per byte of the target's unseen half there.
    """

    seed: int
    tokens: tuple[int, ...]
    losses: tuple[float, ...]

    @property
    def final(self) -> float:
        """Return the last loss."""
        return self.losses[-1]

    def reach(self, loss: float) -> float | None:
        """Return the tokens after which the curve is first at or below a loss, None if it never is.

        Between two checkpoints the loss is a straight line over the logarithm of the tokens. A curve that is there at
        its first checkpoint gives that checkpoint.
        """
        for place, value in enumerate(self.losses):
            if value > loss:
                continue
            if place == 0:
                return float(self.tokens[0])
            before = self.losses[place - 1]
            share = (before - loss) / (before - value)
            ends = np.log(self.tokens[place - 1 : place + 1])
            return float(math.exp(ends[0] + share * (ends[1] - ends[0])))
        return None


@dataclass(frozen=True)
class SpeedUp:
    """How much faster the recipe's models learn than random ones.

    Attributes:
        interval: tokens that random needs, divided by those the recipe needs for the same loss. It is the lowest loss
            that both reach, as a rule where random ends; to a lower one the number can be less.
        least: whether a curve was there at its first checkpoint, so that the number is a bound.
    """

    interval: RatioInterval
    least: bool

    @property
    def sentence(self) -> str:
        """Return it in words, without a full stop."""
        found = self.interval
        if found.low is None or found.high is None:
            return f"speed-up {_times(found.middle)} from one seed, so there is no interval"
        text = f"{_times(found.middle)} ({_times(found.low)} to {_times(found.high)})"
        if found.low <= 1.0 <= found.high:
            return f"speed-up {text}: the interval covers 1, so no measurable effect"
        word = "faster" if found.middle > 1 else "slower"
        return f"speed-up {'at least ' if self.least and found.middle > 1 else ''}{text}: it learns {word} than random"


Outcome = Literal["reached", "in part", "not reached"]


@dataclass(frozen=True)
class DataShare:
    """The smallest share of the data, chosen by the recipe, whose final loss is no worse than that of everything.

    Attributes:
        interval: the share, over the seeds that reach it; None if none does.
        reached, seeds: how many seeds reach it, and how many there are.
        smallest, largest: shares that were tried.
        most: whether the smallest share tried already reaches it, so that the number is a bound.
    """

    interval: RatioInterval | None
    reached: int
    seeds: int
    smallest: float
    largest: float
    most: bool

    @property
    def outcome(self) -> Outcome:
        """Return whether all seeds agree."""
        return "not reached" if not self.reached else "reached" if self.reached == self.seeds else "in part"

    @property
    def sentence(self) -> str:
        """Return it in words, without a full stop."""
        found = self.interval
        if found is None:
            return f"no share up to {self.largest:.1%} equals training on everything"
        if self.outcome == "in part":
            return (
                f"{self.reached} of {self.seeds} seeds equal everything with {found.middle:.1%} of the data, the "
                f"others do not with {self.largest:.1%}: not certain"
            )
        if max(found.values) <= self.smallest:
            return f"{self.smallest:.1%} of the data, the smallest share tried, is no worse than training on everything"
        share = f"{'at most ' if self.most else ''}{found.middle:.1%}"
        if found.low is None or found.high is None:
            return f"{share} of the data equals everything, from one seed, so there is no interval"
        return f"{share} ({found.low:.1%} to {min(found.high, 1.0):.1%}) of the data equals training on everything"


def find_speed_up(recipe: Sequence[Curve], random: Sequence[Curve]) -> SpeedUp:
    """Return the speed-up of paired curves: curve k of both has the same seed and order."""
    ratios, least = [], False
    for ours, other in zip(recipe, random, strict=True):
        goal = max(ours.final, other.final)
        own, its = ours.reach(goal) or ours.tokens[-1], other.reach(goal) or other.tokens[-1]
        least = least or min(own, its) <= ours.tokens[0]
        ratios.append(its / own)
    return SpeedUp(RatioInterval.of(ratios), least)


def find_data_share(shares: Mapping[float, Sequence[Curve]], everything: Sequence[Curve]) -> DataShare:
    """Return the smallest share whose final loss is no worse than everything's, seed by seed.

    Args:
        shares: share of the corpus in (0, 1] -> the curves of the recipe's choice of that size, in order of the seeds.
        everything: the curves of the whole corpus, with the same seeds.
    """
    sizes = sorted(shares)
    found, most = [], False
    for place, goal in enumerate(curve.final for curve in everything):
        losses = [shares[size][place].final for size in sizes]
        first = next((number for number, loss in enumerate(losses) if loss <= goal), None)
        if first is None:
            continue
        if first == 0:
            most = True
            found.append(sizes[0])
            continue
        part = (losses[first - 1] - goal) / (losses[first - 1] - losses[first])
        ends = np.log(sizes[first - 1 : first + 1])
        found.append(float(math.exp(ends[0] + part * (ends[1] - ends[0]))))
    interval = RatioInterval.of(found) if found else None
    return DataShare(interval, len(found), len(everything), sizes[0], sizes[-1], most)


def _times(value: float) -> str:
    return f"{value:.2f}×"

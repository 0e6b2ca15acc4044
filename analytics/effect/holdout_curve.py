"""How well labels are learnt, by cross-validation: average precision against the number of labels, and calibration.

Every score here comes from a classifier that has not seen the document. Folds and draws are keyed hashes of the
examples, so the figures do not depend on their order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.signals.relevance import LinearVectors
from tamis.analytics.study.extrapolation import Interval, wilson
from tamis.data.errors import SettingError
from tamis.data.hashing import key64, mix_keys

FOLDS, REPEATS, DRAWS = 5, 3, 200
BINS = 5
LEAST = 10
"""Least different examples of each class: two in every fold."""
SIZES = (10, 20, 40, 80, 160, 320, 640, 1_280, 2_560)
FLATTEST = 0.01
"""Least slope of the calibration: a classifier that learnt nothing says nearly the same of every document."""


@dataclass(frozen=True, eq=False)
class LabelledVectors:
    """Different labelled examples in the order of the hash of their vectors.

    Attributes:
        vectors: float32 (m, d).
        like: bool (m,), the class.
        keys: uint64 (m,), hash of each vector, ascending.
        repeated: examples that were left out because an equal one is there.
    """

    vectors: NDArray[np.float32]
    like: NDArray[np.bool_]
    keys: NDArray[np.uint64]
    repeated: int

    @classmethod
    def of(cls, like: NDArray[np.floating], unlike: NDArray[np.floating]) -> LabelledVectors:
        """Return the examples without repetitions and rows of zeros.

        Args:
            like, unlike: (a, d) and (b, d), vectors of both classes, compared as float16.

        Raises:
            SettingError: a class has fewer than ``LEAST`` different examples, or the same vector has both labels.
        """
        rows = np.concatenate([like, unlike]).astype(np.float16)
        labels = np.r_[np.ones(len(like), dtype=bool), np.zeros(len(unlike), dtype=bool)]
        there = rows.any(axis=1)
        rows, labels = rows[there], labels[there]
        keys = key64(row.tobytes().hex() for row in rows)
        distinct, first, place = np.unique(keys, return_index=True, return_inverse=True)
        agree = labels[first][place] == labels
        if not agree.all():
            raise SettingError(
                "The same document is an example of both classes",
                value=int((~agree).sum()),
                fix="take it out of one of them",
            )
        for name, count in (("like", int(labels[first].sum())), ("unlike", int((~labels[first]).sum()))):
            if count < LEAST:
                raise SettingError(
                    f"Too few examples of the class “{name}”",
                    value=count,
                    allowed=f"{LEAST} or more different ones with an embedding in each class",
                    fix="label more documents",
                )
        return cls(rows[first].astype(np.float32), labels[first], distinct, len(rows) - len(first))

    def __len__(self) -> int:
        return len(self.like)

    def fit(self, places: NDArray[np.int64] | None = None) -> LinearVectors:
        """Fit the classifier on all examples, or on some places."""
        chosen = np.arange(len(self)) if places is None else places
        like = self.like[chosen]
        return LinearVectors.fit(self.vectors[chosen[like]], self.vectors[chosen[~like]])

    def ranks(self, *, seed: int) -> NDArray[np.int64]:
        """Return the place of each example within its class in the order of a keyed hash, int64 (m,), from 0."""
        found = np.empty(len(self), dtype=np.int64)
        mixed = mix_keys(self.keys, seed=seed, salt="folds of labels")
        for value in (True, False):
            own = np.flatnonzero(self.like == value)
            found[own[np.lexsort((own, mixed[own]))]] = np.arange(len(own))
        return found


@dataclass(frozen=True)
class CurvePoint:
    """Quality after so many labels.

    Attributes:
        labels: examples that each classifier learnt from, both classes together.
        average_precision: of the held-out examples, mean of the repeats.
        low, high: 95% interval by bootstrap over the examples.
    """

    labels: int
    average_precision: float
    low: float
    high: float


@dataclass(frozen=True)
class ReliabilityBin:
    """Held-out examples of about the same predicted probability.

    Attributes:
        predicted: mean probability.
        observed: how many of them are like, with the 95% Wilson interval.
    """

    predicted: float
    observed: Interval


@dataclass(frozen=True)
class Calibration:
    """Whether probabilities are what they say.

    Attributes:
        slope, intercept: log-odds of the probability = slope * score + intercept.
        brier: mean squared error of held-out probabilities (Brier 1950), 0 to 1.
        constant: Brier score of always saying the share of the class.
        bins: of equal numbers of examples, by probability.
    """

    slope: float
    intercept: float
    brier: float
    constant: float
    bins: tuple[ReliabilityBin, ...]

    def apply(self, model: LinearVectors) -> LinearVectors:
        """Return the classifier whose scores are the calibrated log-odds."""
        return LinearVectors(model.weights * self.slope, model.bias * self.slope + self.intercept)


def average_precision(like: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """Return the mean precision at each like example, highest score first, NaN without any.

    Examples of equal score count together: precision at the end of the tie times the gain in recall.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(like[order])
    if not len(hits) or not hits[-1]:
        return float("nan")
    ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    found = hits[ends]
    return float((found / (ends + 1)) @ np.diff(np.r_[0, found]) / hits[-1])


def held_out_scores(examples: LabelledVectors, *, seed: int, most: int | None = None) -> NDArray[np.float64]:
    """Return the score of each example by the classifier of the other folds, float64 (m,).

    Args:
        examples: to divide into ``FOLDS`` folds of even classes.
        seed: of the division.
        most: examples that each classifier may learn from, in the proportions of the classes, at least two of each.
    """
    ranks = examples.ranks(seed=seed)
    fold = ranks % FOLDS
    share = float(examples.like.mean())
    scores = np.empty(len(examples))
    for number in range(FOLDS):
        training = np.flatnonzero(fold != number)
        if most is not None:
            wanted = int(np.clip(round(most * share), 2, most - 2))
            parts = []
            for value, count in ((True, wanted), (False, most - wanted)):
                own = training[examples.like[training] == value]
                parts.append(own[np.argsort(ranks[own])[:count]])
            training = np.sort(np.concatenate(parts))
        held = fold == number
        scores[held] = examples.fit(training).score(examples.vectors[held])
    return scores


def holdout_curve(examples: LabelledVectors) -> tuple[CurvePoint, ...]:
    """Return average precision by the number of labels; the last point has all that cross-validation leaves."""
    whole = len(examples) - -(-len(examples) // FOLDS)
    sizes = [*(size for size in SIZES if size < whole), None]
    return tuple(_point(examples, size, whole) for size in sizes)


def _point(examples: LabelledVectors, size: int | None, whole: int) -> CurvePoint:
    scores = [held_out_scores(examples, seed=seed, most=size) for seed in range(REPEATS)]
    mean = float(np.mean([average_precision(examples.like, each) for each in scores]))
    random = np.random.default_rng(0)
    classes = [np.flatnonzero(examples.like == value) for value in (True, False)]
    found = []
    for _ in range(DRAWS):
        chosen = np.concatenate([random.choice(own, len(own)) for own in classes])
        found.append(np.mean([average_precision(examples.like[chosen], each[chosen]) for each in scores]))
    low, high = np.quantile(found, [0.025, 0.975])
    return CurvePoint(whole if size is None else size, mean, min(float(low), mean), max(float(high), mean))


def calibrate(examples: LabelledVectors) -> Calibration:
    """Fit probabilities to held-out scores, and say how good held-out probabilities are.

    The figures come from slopes that were fitted on the other folds. Source: Platt 1999, "Probabilistic outputs for
    support vector machines" (a sigmoid of held-out scores); Niculescu-Mizil and Caruana 2005 (reliability diagrams).
    """
    scores, like = held_out_scores(examples, seed=0), examples.like
    fold = examples.ranks(seed=0) % FOLDS
    probability = np.empty(len(examples))
    for number in range(FOLDS):
        slope, intercept = platt(scores[fold != number], like[fold != number])
        probability[fold == number] = 1 / (1 + np.exp(-(slope * scores[fold == number] + intercept)))
    slope, intercept = platt(scores, like)
    order = np.lexsort((examples.keys, probability))
    bins = tuple(
        ReliabilityBin(float(probability[part].mean()), wilson(int(like[part].sum()), len(part)))
        for part in np.array_split(order, BINS)
    )
    share = float(like.mean())
    return Calibration(slope, intercept, float(np.mean((probability - like) ** 2)), share * (1 - share), bins)


def platt(scores: NDArray[np.float64], like: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and intercept of the log-odds of being like, given scores; the slope is at least ``FLATTEST``."""
    # Late: scipy.
    from scipy.optimize import minimize

    ours, others = int(like.sum()), int((~like).sum())
    wanted = np.where(like, (ours + 1) / (ours + 2), 1 / (others + 2))

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = point[0] * scores + point[1]
        slope = 1 / (1 + np.exp(-np.clip(odds, -500, 500))) - wanted
        value = float((np.logaddexp(0.0, odds) - wanted * odds).mean())
        return value, np.array([float((slope * scores).mean()), float(slope.mean())])

    bounds = [(FLATTEST, None), (None, None)]
    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1])

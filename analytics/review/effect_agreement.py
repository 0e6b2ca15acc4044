"""Do people and the measured effect agree about recipes? Agreement with votes, gain, and their rank correlation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from tamis.analytics.effect.verdict import Difference
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.review.agreement import DROP, Votes
from tamis.analytics.study.extrapolation import Interval, wilson

LEAST_RECIPES = 4
"""Fewer recipes are too few for a rank correlation."""


@dataclass(frozen=True, eq=False)
class MeasuredRecipe:
    """A recipe whose effect was measured.

    Attributes:
        title, target: names of the recipe and of its target.
        digest: of the recipe.
        headline: the measured difference against random draws.
        outcome: what the recipe decides on the documents that people voted on.
    """

    title: str
    target: str
    digest: str
    headline: Difference
    outcome: Outcome


@dataclass(frozen=True)
class RecipeAgreement:
    """Agreement of one measured recipe with people, beside its measured gain.

    Attributes:
        title, target: names of the recipe and of its target.
        digest: of the recipe.
        agreed: documents with a majority on which the recipe does what the majority says, 95% Wilson interval.
        gain: measured difference against random draws, positive is better, in the unit of the figure.
        low, high: its interval.
        verdict: of the measurement.
    """

    title: str
    target: str
    digest: str
    agreed: Interval
    gain: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class Relation:
    """Rank correlation of agreement and gain.

    Attributes:
        recipes: number of recipes.
        rho: Spearman's rank correlation of agreement and gain (Spearman 1904), NaN when undefined or too few.
        p: two-sided p-value of no correlation, NaN when ``rho`` is.
    """

    recipes: int
    rho: float
    p: float


def compare_recipes(
    votes: Votes, rows: NDArray[np.int64], measured: Iterable[MeasuredRecipe]
) -> tuple[RecipeAgreement, ...]:
    """Return agreement and gain of each recipe, the largest gain first.

    Args:
        votes: what people decided.
        rows: int64 (documents,), facts row of each voted document, -1 for one that is not in the corpus.
        measured: recipes on the same facts.
    """
    says = votes.consensus()
    use = (rows >= 0) & (says >= 0)
    found = []
    for one in measured:
        head = one.headline
        alike = (says[use] == DROP) == (one.outcome.deciding[rows[use]] > 0)
        ends = (-head.high, -head.low) if head.lower_is_better else (head.low, head.high)
        gain = -head.mean if head.lower_is_better else head.mean
        agreed = wilson(int(alike.sum()), int(use.sum()))
        found.append(RecipeAgreement(one.title, one.target, one.digest, agreed, gain, *ends, head.verdict))
    return tuple(sorted(found, key=lambda seen: (-seen.gain, seen.title, seen.digest)))


def relation(seen: Sequence[RecipeAgreement]) -> Relation:
    """Return the rank correlation of agreement with people and measured gain."""
    agreed = np.array([one.agreed.share for one in seen])
    gains = np.array([one.gain for one in seen])
    if len(seen) < LEAST_RECIPES or np.isnan(agreed).any() or np.ptp(agreed) == 0 or np.ptp(gains) == 0:
        return Relation(len(seen), float("nan"), float("nan"))
    found = spearmanr(agreed, gains)
    return Relation(len(seen), float(found.statistic), float(found.pvalue))

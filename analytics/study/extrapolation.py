"""From a sample to the whole: how many documents a rule will leave, with a conservative interval.

A rule that decides each document by itself keeps a share: its interval is Wilson's. Rules that compare documents keep
one of each group of alike documents, and in a sample of the part q a group of g documents shows Binomial(g, q) members.
With f1 and f2 the groups that show one and two members, r = q / (1 - q), and f0 the groups that show none:

* at least f0 >= f1^2 / (2 f2 + r f1) groups are unseen (by Cauchy-Schwarz; Chao and Lin 2012, Biometrics 68, lower
  bounds under sampling without replacement); equal when all groups are of one size;
* at most (N - n) f1 / n, since the chance that the next document begins a group only falls (Good 1953);
* for similarity that is no equivalence (near, semantic) only pairs surely thin by q^2: of d documents dropped in
  the sample, at most d / q^2 are dropped in the whole. Groups that one rarely drawn document holds together stay
  unseen: no sample shows them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Interval:
    """A share with its interval.

    Attributes:
        hits, of: the counts.
        low, high: ends of the 95% Wilson interval.
    """

    hits: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Return the share, NaN when ``of`` is 0."""
        return self.hits / self.of if self.of else float("nan")


def wilson(hits: int, of: int) -> Interval:
    """Return a share with its 95% Wilson score interval (Wilson 1927); 0 to 1 when ``of`` is 0."""
    if not of:
        return Interval(0, 0, 0.0, 1.0)
    # Late: scipy.
    from scipy.stats import binomtest

    found = binomtest(hits, of).proportion_ci(0.95, method="wilson")
    return Interval(hits, of, float(found.low), float(found.high))


Z = 1.959964
Method = Literal["share", "groups", "pairs", "amount", "compared", "unchanged"]
MEANING: Mapping[Method, str] = {
    "share": "share of the sample, Wilson interval",
    "groups": "groups of alike documents under thinning",
    "pairs": "pairs of similar documents under thinning",
    "amount": "an amount of the whole, scaled on the sample",
    "compared": "compares documents with each other: bounds only",
    "unchanged": "drops nothing",
}


@dataclass(frozen=True)
class Prediction:
    """The predicted documents of the whole corpus after a step.

    Attributes:
        step: id of the step.
        low, middle, high: documents, 95%.
        method: how it was derived, see ``MEANING``.
    """

    step: str
    low: int
    middle: int
    high: int
    method: Method

    def holds(self, documents: int) -> bool:
        """Say whether a count lies inside."""
        return self.low <= documents <= self.high


@dataclass(frozen=True)
class Expected:
    """A number of documents of the whole: an estimate with a 95% interval.

    Attributes:
        low, middle, high: documents; low <= middle <= high.
    """

    low: float
    middle: float
    high: float

    @classmethod
    def exactly(cls, documents: int) -> Expected:
        """Return a known number."""
        return cls(documents, documents, documents)

    def ordered(self) -> Expected:
        """Return a copy with the estimate inside the bounds."""
        low, high = max(min(self.low, self.high), 0.0), max(self.low, self.high)
        return Expected(low, min(max(self.middle, low), high), high)


@dataclass(frozen=True)
class DedupGroups:
    """What a deduplicating rule did in the sample.

    Attributes:
        entering: documents that reached it.
        kept: documents it kept.
        single: kept documents for which it dropped none (f1).
        double: kept documents for which it dropped one (f2).
        squares: sum over kept documents of the squared number of documents dropped for each.
    """

    entering: int
    kept: int
    single: int
    double: int
    squares: int


def share_kept(entering: Expected, hits: int, of: int) -> Expected:
    """Return what a rule that decides each document by itself leaves (Wilson 1927).

    Args:
        entering: documents of the whole that reach the rule.
        hits, of: documents of the sample it kept, and that reached it.
    """
    around = wilson(hits, of)
    middle = entering.middle * hits / max(of, 1)
    return Expected(entering.low * around.low, middle, entering.high * around.high).ordered()


def groups_kept(entering: Expected, found: DedupGroups, *, alike: bool) -> Expected:
    """Return what a rule that keeps one document of each group leaves.

    Args:
        entering: documents of the whole that reach the rule.
        found: what it did in the sample.
        alike: whether being alike is an equivalence (same text): any two of a group are alike.
    """
    n, kept = max(found.entering, 1), found.kept
    dropped = found.entering - kept
    # Errors of seen and unseen groups are not independent: ``kept`` already holds the seen groups, so errors of the
    # unseen part are divided by the square root of its share.
    apart = math.sqrt(max(1.0 - n / max(entering.high, n), 1e-6))
    sure_single = max(found.single - Z * math.sqrt(found.single) / apart, 0.0)
    many_double = found.double + Z * math.sqrt(found.double + 1.0) + 1.0
    low = min(
        kept + _unseen(n, whole, sure_single, many_double) for whole in (entering.low, entering.high) if whole >= kept
    ) if entering.high >= kept else entering.low  # fmt: skip
    if not alike:
        many = dropped + Z * math.sqrt(dropped + found.squares + 1.0) + 1.0
        pairs = min(whole - many * (max(whole, n) / n) ** 2 for whole in (entering.low, entering.high))
        low = min(low, max(pairs, kept))
    rate = found.single / n
    rate += (wilson(min(found.single, n), n).high - rate) / apart
    high = kept + max(entering.high - n, 0.0) * rate
    middle = kept + _unseen(n, entering.middle, found.single, found.double)
    return Expected(min(low, entering.low), min(middle, entering.middle), min(high, entering.high)).ordered()


def _unseen(n: int, whole: float, single: float, double: float) -> float:
    """Return the least number of groups that a sample of ``n`` of ``whole`` documents has not seen."""
    if whole <= n or single <= 0:
        return 0.0
    odds = n / (whole - n)
    return min(single * single / (2.0 * double + odds * single), (whole - n) * single / n)


def amount_kept(entering: Expected, hits: int, part: float, *, spread: float) -> Expected:
    """Return what a rule that stops at an amount leaves, from a run on the sample with the amount scaled.

    Args:
        entering: documents of the whole that reach the rule.
        hits: documents the scaled rule kept in the sample.
        part: of the whole that was drawn.
        spread: square root of (mean square cost of a kept document / typical square - 1); the coefficient of
            variation where the typical one is the mean.
    """
    middle = hits / part
    error = Z * math.sqrt((1.0 + spread * spread) / max(hits, 1))
    low, high = middle * max(1.0 - error, 0.0), middle * (1.0 + error)
    return Expected(min(low, entering.low), min(middle, entering.middle), min(high, entering.high)).ordered()

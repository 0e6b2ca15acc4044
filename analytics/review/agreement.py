"""Votes, agreement between reviewers, precision of rules. Pure functions of events and outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.study.extrapolation import Interval, wilson
from tamis.data.reviews import DECISIONS, Event, Subject

KEEP, DROP, UNSURE = range(3)
LEAST_SHARED = 2


@dataclass(frozen=True, eq=False)
class Votes:
    """The last decision of every reviewer on every document.

    Attributes:
        reviewers: names, sorted.
        documents: ids, sorted.
        table: int8 (documents, reviewers): 0 keep, 1 drop, 2 unsure, -1 no decision.
    """

    reviewers: tuple[str, ...]
    documents: tuple[str, ...]
    table: NDArray[np.int8]

    @classmethod
    def of(cls, events: Iterable[Event], *, about: Subject = "document") -> Votes:
        """Read decisions on documents, or ``about`` other subjects; a person's later decision replaces the earlier."""
        last = {
            (event.subject, event.reviewer): DECISIONS.index(event.value)
            for event in events
            if event.kind == "decision" and event.subject_kind == about
        }
        documents = tuple(sorted({document for document, _ in last}))
        reviewers = tuple(sorted({reviewer for _, reviewer in last}))
        row = {name: place for place, name in enumerate(documents)}
        column = {name: place for place, name in enumerate(reviewers)}
        table = np.full((len(documents), len(reviewers)), -1, dtype=np.int8)
        for (document, reviewer), value in last.items():
            table[row[document], column[reviewer]] = value
        return cls(reviewers, documents, table)

    def of_reviewer(self, name: str) -> NDArray[np.int8]:
        """Return the decisions of one person, int8 (documents,), -1 for none."""
        if name not in self.reviewers:
            return np.full(len(self.documents), -1, dtype=np.int8)
        return self.table[:, self.reviewers.index(name)]

    def counts(self) -> NDArray[np.int64]:
        """Return how often each document was decided keep, drop and unsure, int64 (documents, 3)."""
        return np.stack([(self.table == value).sum(axis=1) for value in (KEEP, DROP, UNSURE)], axis=1)

    def consensus(self) -> NDArray[np.int8]:
        """Return the majority of keep and drop for each document, int8, -1 for ties and if all are unsure."""
        keep, drop, _ = self.counts().T
        return np.where(keep > drop, KEEP, np.where(drop > keep, DROP, -1)).astype(np.int8)

    def disputed(self) -> NDArray[np.bool_]:
        """Return the documents that one person would keep and another drop, bool (documents,)."""
        keep, drop, _ = self.counts().T
        return np.asarray((keep > 0) & (drop > 0))


def cohen_kappa(one: NDArray[np.int8], other: NDArray[np.int8], *, values: int = 3) -> float:
    """Return Cohen's kappa of two people over the documents both decided; NaN when undefined.

    Source: Cohen 1960, "A coefficient of agreement for nominal scales".
    """
    both = (one >= 0) & (other >= 0)
    if not both.any():
        return float("nan")
    seen = np.bincount(one[both].astype(np.int64) * values + other[both], minlength=values**2).reshape(values, values)
    shares = seen / seen.sum()
    chance = float(shares.sum(axis=1) @ shares.sum(axis=0))
    return float("nan") if chance == 1 else (float(np.trace(shares)) - chance) / (1 - chance)


def krippendorff_alpha(table: NDArray[np.int8], *, values: int = 3) -> float:
    """Return Krippendorff's alpha for nominal values, any number of people and missing decisions; NaN when undefined.

    Args:
        table: int8 (units, people), -1 = no decision.
        values: number of values.

    Source: Krippendorff 2011, "Computing Krippendorff's alpha-reliability", by the coincidence matrix.
    """
    coincidence = np.zeros((values, values))
    for unit in table:
        counts = np.bincount(unit[unit >= 0].astype(np.int64), minlength=values).astype(np.float64)
        if (said := counts.sum()) >= LEAST_SHARED:
            coincidence += (np.outer(counts, counts) - np.diag(counts)) / (said - 1)
    totals = coincidence.sum(axis=0)
    paired = totals.sum()
    expected = paired**2 - float(totals @ totals)
    if paired < LEAST_SHARED or expected == 0:
        return float("nan")
    observed = paired - float(np.trace(coincidence))
    return 1.0 - (paired - 1) * observed / expected


@dataclass(frozen=True)
class ReviewerPair:
    """Agreement of two people.

    Attributes:
        one, other: names of the people.
        shared: number of documents that both decided.
        same: number of equal decisions among them.
        kappa: Cohen's kappa, NaN when undefined.
    """

    one: str
    other: str
    shared: int
    same: int
    kappa: float


def pairs_of(votes: Votes) -> tuple[ReviewerPair, ...]:
    """Return the agreement of each pair of people with shared documents, most shared first."""
    found = []
    for place, one in enumerate(votes.reviewers):
        for other in votes.reviewers[place + 1 :]:
            mine, theirs = votes.of_reviewer(one), votes.of_reviewer(other)
            both = (mine >= 0) & (theirs >= 0)
            if both.any():
                same = int((mine[both] == theirs[both]).sum())
                found.append(ReviewerPair(one, other, int(both.sum()), same, cohen_kappa(mine, theirs)))
    return tuple(sorted(found, key=lambda pair: (-pair.shared, pair.one, pair.other)))


@dataclass(frozen=True)
class StepPrecision:
    """Decisions of people on the documents of one step.

    Attributes:
        step: its id; empty for the documents that are kept.
        right: share of decided documents that people would treat alike: dropped ones dropped, kept ones kept.
        unsure: documents on which people are unsure or tied.
    """

    step: str
    right: Interval
    unsure: int


def precision_of_steps(votes: Votes, rows: NDArray[np.int64], outcome: Outcome) -> tuple[StepPrecision, ...]:
    """Return the precision of every step, and of keeping, by the majority of people.

    Args:
        votes: what people decided.
        rows: int64 (documents,), facts row of each voted document, -1 for one that is not in the corpus.
        outcome: what the recipe decided.
    """
    known = rows >= 0
    says, decided = votes.consensus()[known], outcome.deciding[rows[known]]
    found = []
    for number in range(len(outcome.steps) + 1):
        mine = says[decided == number]
        sure = mine[mine >= 0]
        hits = int((sure == (DROP if number else KEEP)).sum())
        name = outcome.steps[number - 1].id if number else ""
        found.append(StepPrecision(name, wilson(hits, len(sure)), int((mine < 0).sum())))
    return tuple(found)


@dataclass(frozen=True)
class AgainstChance:
    """Agreement of one person with the recipe, beside the agreement expected by chance.

    Attributes:
        reviewer: name of the person.
        agreed: share of keep and drop decisions that equal the recipe's.
        chance: agreement expected of decisions in the same proportions made at random.
        kappa: (agreed - chance) / (1 - chance), NaN when undefined.
    """

    reviewer: str
    agreed: Interval
    chance: float
    kappa: float


def against_chance(votes: Votes, rows: NDArray[np.int64], outcome: Outcome, reviewer: str) -> AgainstChance:
    """Compare one person's keep and drop decisions with the recipe's; arguments as ``precision_of_steps``."""
    mine = votes.of_reviewer(reviewer)
    use = (rows >= 0) & ((mine == KEEP) | (mine == DROP))
    said = mine[use] == DROP
    recipe = outcome.deciding[rows[use]] > 0
    agreed = wilson(int((said == recipe).sum()), int(use.sum()))
    if not agreed.of:
        return AgainstChance(reviewer, agreed, float("nan"), float("nan"))
    drops, dropped = float(said.mean()), float(recipe.mean())
    chance = drops * dropped + (1 - drops) * (1 - dropped)
    kappa = float("nan") if chance == 1 else (agreed.share - chance) / (1 - chance)
    return AgainstChance(reviewer, agreed, chance, kappa)


def progress(votes: Votes, documents: Sequence[str]) -> dict[str, int]:
    """Return how many of the documents each person has decided; the empty name counts those decided by anyone."""
    place = {name: k for k, name in enumerate(votes.documents)}
    rows = [place[name] for name in documents if name in place]
    decided = votes.table[rows] >= 0
    found = {name: int(decided[:, k].sum()) for k, name in enumerate(votes.reviewers)}
    return {"": int(decided.any(axis=1).sum()) if rows else 0, **found}

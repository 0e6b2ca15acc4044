"""What a selection is made of, before and after: shares by group, copies left, effective tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.budget import effective_tokens
from tamis.analytics.facts import Facts
from tamis.analytics.issues import find_issues
from tamis.analytics.plan import row_masks
from tamis.analytics.scene import Scene, as_condition

MOST_GROUPS = 40
CAUTION, DANGER = 4, 16
"""Copies of one document from which repetition loses value, and from which it is nearly worthless."""


@dataclass(frozen=True)
class Shift:
    """Shares of one group.

    Attributes:
        group: value of the column, empty for documents without one.
        documents, tokens: before.
        kept_documents: distinct documents after.
        kept_tokens: tokens after, copies counted.
        share_before, share_after: of all tokens.
    """

    group: str
    documents: int
    tokens: int
    kept_documents: int
    kept_tokens: int
    share_before: float
    share_after: float


@dataclass(frozen=True)
class Composition:
    """Shares by the values of one column, the largest before first.

    Attributes:
        column: the column.
        shifts: at most ``MOST_GROUPS``; the rest is summed up under ``other`` values.
        distance: total variation between the shares of tokens before and after, in [0, 1].
    """

    column: str
    shifts: tuple[Shift, ...]
    distance: float


@dataclass(frozen=True)
class Repetition:
    """Repeats in a selection.

    Attributes:
        tokens: of distinct documents.
        trained_tokens: copies counted.
        effective_tokens: D', what they are worth.
        mean_copies: per kept document.
        max_copies: the most copies of one document.
        duplicates_left: share of kept documents that have another kept document with the same normalised text.
        warning: ``none``, ``caution`` (above 4 copies) or ``danger`` (above 16).
    """

    tokens: int
    trained_tokens: int
    effective_tokens: float
    mean_copies: float
    max_copies: int
    duplicates_left: float
    warning: str


def composition(facts: Facts, copies: NDArray[np.int32], column: str) -> Composition:
    """Return how the shares of a column's values change.

    Raises:
        RecipeError: there is no such column.
    """
    encoded = facts.array(column).cast(pa.string()).fill_null("").dictionary_encode()
    codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    names = [str(name) for name in encoded.dictionary.to_pylist()]
    tokens = facts.whole("n_tokens") if "n_tokens" in facts.columns else facts.whole("bytes")

    def total(weights: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.bincount(codes, weights=weights, minlength=len(names)).astype(np.float64)

    before, after = total(tokens), total(tokens * copies)
    documents, kept = total(np.ones(facts.n, dtype=np.int64)), total((copies > 0).astype(np.int64))
    shares = [part / max(float(part.sum()), 1.0) for part in (before, after)]
    order = sorted(range(len(names)), key=lambda k: (-before[k], names[k]))

    def shift(group: str, members: list[int]) -> Shift:
        return Shift(
            group,
            documents=int(documents[members].sum()),
            tokens=int(before[members].sum()),
            kept_documents=int(kept[members].sum()),
            kept_tokens=int(after[members].sum()),
            share_before=float(shares[0][members].sum()),
            share_after=float(shares[1][members].sum()),
        )

    shown = [shift(names[k], [k]) for k in order[:MOST_GROUPS]]
    if len(order) > MOST_GROUPS:
        shown.append(shift(f"{len(order) - MOST_GROUPS} other values", order[MOST_GROUPS:]))
    return Composition(column, tuple(shown), float(0.5 * np.abs(shares[0] - shares[1]).sum()))


def repetition(facts: Facts, copies: NDArray[np.int32]) -> Repetition:
    """Return how much a selection repeats itself."""
    tokens = facts.whole("n_tokens") if "n_tokens" in facts.columns else facts.whole("bytes")
    kept = np.flatnonzero(copies > 0)
    most = int(copies.max(initial=0))
    left = 0.0
    if "norm_group" in facts.columns and len(kept):
        group = facts.whole("norm_group")[kept]
        members = group[group >= 0]
        _, places, sizes = np.unique(members, return_inverse=True, return_counts=True)
        left = float(np.count_nonzero(sizes[places] > 1)) / len(kept)
    return Repetition(
        tokens=int(tokens[kept].sum()),
        trained_tokens=int((tokens * copies).sum()),
        effective_tokens=effective_tokens(tokens.astype(np.float64), copies),
        mean_copies=float(copies[kept].mean()) if len(kept) else 0.0,
        max_copies=most,
        duplicates_left=left,
        warning="danger" if most > DANGER else "caution" if most > CAUTION else "none",
    )


@dataclass(frozen=True)
class IssueShift:
    """How often something that stands out occurs, before and after.

    Attributes:
        name, title: of the issue.
        before, after: share of documents.
    """

    name: str
    title: str
    before: float
    after: float


def issue_shifts(facts: Facts, copies: NDArray[np.int32]) -> tuple[IssueShift, ...]:
    """Return what is left of everything that stands out in a corpus, the most frequent before first."""
    kept = copies > 0
    found = []
    for issue in find_issues(Scene(facts)):
        masks = row_masks(facts, [as_condition(rule) for rule in issue.rules])
        there = np.logical_and.reduce(masks)
        after = float(there[kept].mean()) if kept.any() else 0.0
        found.append(IssueShift(issue.name, issue.title, float(there.mean()), after))
    return tuple(found)

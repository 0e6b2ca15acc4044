"""Near-duplicates as a rule: a document is dropped only for a kept document that is verified to be similar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from pydantic import Field, model_validator

import tamis.analytics.near  # noqa: F401 - registers the measure
from tamis.analytics.keep import Keeping
from tamis.analytics.operator import OPERATORS, Decision, Group, Measure, Pairs, Scope, View
from tamis.analytics.operators_sets import Within, group_codes
from tamis.analytics.signing import NearParams, expected_recall
from tamis.analytics.star import Graph, Star, greedy_star

MAX_PLACES = 1024


@OPERATORS.register
class NearDedup(Keeping):
    """Keeps up to ``max_copies`` of documents whose shingle sets are similar; candidates come from MinHash-LSH.

    Every pair is compared exactly before it counts. Documents are taken in the order of the keep policy, ties by id,
    and one is dropped only when ``max_copies`` kept documents are its direct matches; the most similar of them is named
    as its twin. Similarity above 0.5 is measured once, so moving the threshold decides at once.
    """

    name: ClassVar[str] = "near_dedup"
    term: ClassVar[str] = "fuzzy deduplication (MinHash-LSH, verified)"
    group: ClassVar[Group] = "Duplicates"
    scope: ClassVar[Scope] = "gather"
    summary: ClassVar[str] = "Drops documents that are nearly the same as a kept one."
    source: ClassVar[str] = (
        "Broder 1997 (resemblance and containment); Lee et al. 2021, arXiv 2107.06499; greedy star instead of connected"
        " components"
    )

    threshold: float = Field(0.8, ge=0.1, le=1, description="Smallest similarity at which a document is a duplicate.")
    similarity: Literal["jaccard", "containment"] = Field(
        "jaccard",
        description="Shared shingles over all shingles of both texts, or over those of the shorter text.",
    )
    unit: Literal["word", "character"] = Field("word", description="What a shingle is made of, in normalised text.")
    n: int = Field(5, ge=1, le=50, description="Words or characters in a shingle; a shorter text is one shingle.")
    bands: int = Field(20, ge=1, le=256, description="Bands of the signature; more bands find more pairs (jaccard).")
    rows: int = Field(4, ge=1, le=64, description="Places in a band; more places give fewer candidates (jaccard).")
    within: Within = None

    @model_validator(mode="after")
    def _signature_is_bounded(self) -> NearDedup:
        if self.bands * self.rows > MAX_PLACES:
            raise ValueError(f"bands times rows must not exceed {MAX_PLACES}")
        return self

    @property
    def params(self) -> NearParams:
        """Return how similarity is measured; thresholds from 0.5 up share one measurement."""
        floor = 0.5 if self.threshold >= 0.5 else math.floor(self.threshold * 10) / 10
        return NearParams(self.unit, self.n, self.similarity, self.bands, self.rows, floor)

    @property
    def expected_recall(self) -> float:
        """Return the chance to find a pair that lies exactly on the threshold; 1 for containment of long texts."""
        if self.similarity == "containment":
            return 1.0
        return expected_recall(self.threshold, bands=self.bands, rows=self.rows)

    def columns(self) -> frozenset[str]:
        return self.policy_columns() | ({self.within} if self.within else set())

    def measures(self) -> tuple[Measure, ...]:
        return (self.params.measure, *self.policy_measures())

    def keys(self) -> tuple[str, ...]:
        return (self.within,) if self.within else ()

    def decide(self, view: View) -> Decision:
        shown = f"{self.similarity} of {self.unit} {self.n}-grams >= {self.threshold:g}"
        return self.crowd(view, self.threshold).decision(view, self, shown)

    def crowd(self, view: View, level: float = 0.0) -> Crowd:
        """Return the documents with matches of at least this similarity."""
        measure = self.params.measure
        sets = view.evidence.array(measure, "first")[view.rows]
        pairs = at_least(view.evidence.pairs(measure), level)
        return Crowd.of(self, view, sets=sets, pairs=pairs, within=self.within)

    @property
    def level(self) -> float:
        """Return the smallest similarity of duplicates."""
        return self.threshold

    def at_level(self, level: float) -> NearDedup:
        """Return the same rule with another threshold."""
        return NearDedup.model_validate({**self.model_dump(), "threshold": level})

    def sentence(self) -> str:
        per = f" within each {self.within}" if self.within else ""
        alike = f"{self.threshold * 100:g}% of their {self.unit} {self.n}-grams ({self.similarity})"
        return f"Keep {self.policy_sentence()} of the documents that share {alike}{per}"


def at_least(pairs: Pairs, threshold: float) -> Pairs:
    """Return the pairs whose similarity reaches the threshold, compared in float32."""
    near = pairs.similarity >= np.float32(threshold)
    return Pairs(pairs.left[near], pairs.right[near], pairs.similarity[near])


@dataclass(frozen=True, eq=False)
class Crowd:
    """The documents of a view that have any match, ready to be decided.

    Attributes:
        members: int64 (m,), their places in the view.
        node: int64 (m,), node of each.
        graph: similarity of nodes.
        order: int64 (m,), members from first to last.
    """

    members: NDArray[np.int64]
    node: NDArray[np.int64]
    graph: Graph
    order: NDArray[np.int64]

    @classmethod
    def of(cls, operator: Keeping, view: View, *, sets: NDArray[np.int64], pairs: Pairs, within: str | None) -> Crowd:
        """Find the members.

        Args:
            operator: names the keep policy.
            view: the documents.
            sets: int64 (n,), number of the set each document belongs to; documents of one set are equal.
            pairs: similar sets.
            within: column whose values are decided on their own, or None.
        """
        codes, names = group_codes(view, within)
        size = 1 + max(int(part.max(initial=0)) for part in (sets, pairs.left, pairs.right))
        linked = np.zeros(size, dtype=bool)
        linked[pairs.left] = linked[pairs.right] = True
        many = np.bincount(sets, minlength=size) > 1
        members = np.flatnonzero((linked | many)[sets])
        nodes, node = np.unique(sets[members] * len(names) + codes[members], return_inverse=True)
        graph = Graph.of(len(nodes), _scoped(pairs, nodes, len(names)))
        order = np.lexsort((members, *reversed(operator.penalties(view, members))))
        return cls(members, node, graph, order)

    def star(self, copies: NDArray[np.int32], *, threshold: float = 0.0) -> Star:
        """Decide the members; ``copies`` int32 (m,) is how many kept matches each needs to be dropped."""
        return greedy_star(self.graph, self.node, self.order, threshold=threshold, copies=copies)

    def decision(self, view: View, operator: Keeping, threshold: str) -> Decision:
        """Decide the view; the value is the number of documents that a kept document stands for."""
        return _decision(view, self.members, self.star(operator.limits(view)[self.members]), threshold)


def _decision(view: View, members: NDArray[np.int64], star: Star, threshold: str) -> Decision:
    dropped = members[~star.kept]
    copies, twin = view.copies.copy(), np.full(len(view), -1, dtype=np.int64)
    similarity = np.full(len(view), np.nan, dtype=np.float32)
    copies[dropped] = 0
    place = members[star.twin[~star.kept]]
    twin[dropped] = view.rows[place]
    similarity[dropped] = star.similarity[~star.kept]
    stands_for = 1 + np.bincount(place, minlength=len(view)).astype(np.int32)
    stands_for[dropped] = stands_for[place]
    return Decision(copies=copies, value=pa.array(stands_for), twin=twin, similarity=similarity, threshold=threshold)


def _scoped(pairs: Pairs, nodes: NDArray[np.int64], groups: int) -> Pairs:
    """Return pairs of node numbers: nodes (set, group) of paired sets in the same group."""
    limits = tuple(np.searchsorted(nodes, side * groups + k) for side in (pairs.left, pairs.right) for k in (0, groups))
    count = _join(*limits, nodes, groups, pairs.similarity, *_empty(0))
    found = _empty(count)
    _join(*limits, nodes, groups, pairs.similarity, *found)
    return Pairs(*found)


def _empty(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    return np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64), np.empty(count, dtype=np.float32)


@njit(cache=True, nogil=True)
def _join(begin_a, end_a, begin_b, end_b, nodes, groups, values, left, right, similarity):  # type: ignore[no-untyped-def]
    count = 0
    for k in range(len(values)):
        i, j = begin_a[k], begin_b[k]
        while i < end_a[k] and j < end_b[k]:
            one, two = nodes[i] % groups, nodes[j] % groups
            if one == two:
                if len(left):
                    left[count], right[count], similarity[count] = i, j, values[k]
                count += 1
            i += one <= two
            j += two <= one
    return count

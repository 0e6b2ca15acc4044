"""Semantic duplicates as a rule: greedy leader, or the published rule of SemDeDup."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from numba import njit
from pydantic import Field, model_validator

from tamis.analytics.keep import Keeping
from tamis.analytics.operator import OPERATORS, Decision, Group, Measure, Pairs, Scope, View
from tamis.analytics.operators_near import Crowd, at_least
from tamis.analytics.operators_sets import Seed, Within
from tamis.analytics.semantic import SemanticParams
from tamis.analytics.star import Graph


@OPERATORS.register
class SemanticDedup(Keeping):
    """Drops documents whose embedding is within eps of a kept one, compared exactly inside k-means clusters.

    The rule ``greedy leader`` takes documents in the order of the keep policy and drops one only for a kept document
    within eps. The rule ``published`` takes those far from their centroid first and drops one for any document before
    it, kept or not: it drops more (8 to 14% measured), ignores the keep policy, and may leave a dropped document
    without a kept twin. A larger eps drops more. Cluster again afterwards: duplicates distort clusters.
    """

    name: ClassVar[str] = "semantic_dedup"
    term: ClassVar[str] = "semantic deduplication (SemDeDup)"
    group: ClassVar[Group] = "Duplicates"
    scope: ClassVar[Scope] = "gather"
    summary: ClassVar[str] = "Drops documents that mean nearly the same as a kept one."
    source: ClassVar[str] = "Abbas et al. 2023, arXiv 2303.09540; Tirumala et al. 2023 (D4), arXiv 2308.12284"
    warning: ClassVar[str | None] = (
        "Static vectors find other neighbours than a precise model and are refused unless they are allowed on purpose."
    )

    eps: float = Field(0.05, gt=0, le=0.5, description="Largest cosine distance of duplicates; larger drops more.")
    rule: Literal["greedy leader", "published"] = Field("greedy leader", description="Who is dropped for whom.")
    vectors: Literal["precise", "analysis"] = Field(
        "precise", description="Make precise vectors for this, or take those of the map and the clusters."
    )
    allow_static: bool = Field(False, description="Let static vectors decide although they are not precise.")
    documents_per_cluster: int = Field(500, ge=10, le=20_000, description="Documents over clusters of k-means.")
    seed: Seed = 0
    within: Within = None

    @model_validator(mode="after")
    def _published_keeps_one(self) -> SemanticDedup:
        if self.rule == "published" and (self.max_copies > 1 or self.cluster_copies or self.within):
            raise ValueError("the published rule has no max_copies and no within; use the greedy leader")
        return self

    @property
    def params(self) -> SemanticParams:
        """Return how closeness is measured; all eps up to 0.15 share one measurement."""
        floor = 0.85 if self.eps <= 0.15 else math.floor((1 - self.eps) * 10) / 10
        return SemanticParams(self.vectors, self.allow_static, self.documents_per_cluster, self.seed, floor)

    def columns(self) -> frozenset[str]:
        return self.policy_columns() | ({self.within} if self.within else set())

    def measures(self) -> tuple[Measure, ...]:
        return (self.params.measure, *self.policy_measures())

    def keys(self) -> tuple[str, ...]:
        return (self.within,) if self.within else ()

    def decide(self, view: View) -> Decision:
        if self.rule == "published":
            return self._published(view)
        return self.crowd(view, self.level).decision(view, self, f"cosine >= {self.level:g}")

    def crowd(self, view: View, level: float = 0.0) -> Crowd:
        """Return the documents with matches of at least this cosine."""
        measure = self.params.measure
        sets = view.evidence.array(measure, "first")[view.rows]
        pairs = at_least(view.evidence.pairs(measure), level)
        return Crowd.of(self, view, sets=sets, pairs=pairs, within=self.within)

    @property
    def level(self) -> float:
        """Return the smallest cosine of duplicates."""
        return 1 - self.eps

    def at_level(self, level: float) -> SemanticDedup:
        """Return the same rule with another threshold."""
        return SemanticDedup.model_validate({**self.model_dump(), "eps": round(1 - level, 6)})

    def _published(self, view: View) -> Decision:
        """Decide by the published rule."""
        measure = self.params.measure
        sets = view.evidence.array(measure, "first")[view.rows]
        distance = view.evidence.array(measure, "distance")[view.rows]
        pairs = view.evidence.pairs(measure)
        above = pairs.similarity > np.float32(1 - self.eps)
        size = 1 + max(int(part.max(initial=0)) for part in (sets, pairs.left, pairs.right))
        graph = Graph.of(size, Pairs(pairs.left[above], pairs.right[above], pairs.similarity[above]))
        order = np.lexsort((np.arange(len(view)), -np.nan_to_num(distance, nan=-1.0)))
        kept = np.ones(len(view), dtype=np.bool_)
        twin = np.full(len(view), -1, dtype=np.int64)
        similarity = np.full(len(view), np.nan, dtype=np.float32)
        _drop_published(graph.starts, graph.neighbours, graph.similarity, sets, order, kept, twin, similarity)
        return Decision(
            copies=np.where(kept, view.copies, 0).astype(np.int32),
            twin=np.where(twin >= 0, view.rows[twin], -1) if len(view) else twin,
            similarity=similarity,
            threshold=f"cosine > {self.level:g}, published rule",
        )

    def sentence(self) -> str:
        per = f" within each {self.within}" if self.within else ""
        if self.rule == "published":
            return f"Drop documents within {self.eps:g} of one farther from its centroid (SemDeDup as published)"
        return f"Keep {self.policy_sentence()} of the documents within cosine distance {self.eps:g}{per}"


@njit(cache=True, nogil=True)
def _drop_published(starts, neighbours, values, sets, order, kept, twin, similarity):  # type: ignore[no-untyped-def]
    """Drop each document that has an earlier one in its set or next to it; name the most similar kept one as twin."""
    before = np.full(len(starts) - 1, -1, dtype=np.int64)
    for d in order:
        own = sets[d]
        closest, to_kept = np.float32(-1), np.float32(-1)
        if before[own] >= 0:
            closest = np.float32(1)
            if kept[before[own]]:
                twin[d], to_kept = before[own], closest
        for k in range(starts[own], starts[own + 1]):
            other = before[neighbours[k]]
            if other < 0:
                continue
            closest = max(closest, values[k])
            if kept[other] and values[k] > to_kept:
                twin[d], to_kept = other, values[k]
        if closest >= 0:
            kept[d] = False
            similarity[d] = to_kept if to_kept >= 0 else closest
        if before[own] < 0:
            before[own] = d

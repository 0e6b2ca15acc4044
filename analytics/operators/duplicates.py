"""Near-duplicates as a rule: a document is dropped only for a kept document that is verified to be similar.

Semantic duplicates as a rule: greedy leader, or the published rule of SemDeDup.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field, model_validator

import tamis.analytics.duplicates.near  # noqa: F401 - registers the measure
from tamis.analytics.duplicates.candidates import ALL_PAIRS
from tamis.analytics.duplicates.greedy_star import PairGraph
from tamis.analytics.duplicates.image_near import PictureParams
from tamis.analytics.duplicates.near_passes import NearParams, banding, expected_recall
from tamis.analytics.duplicates.semantic import SemanticParams
from tamis.analytics.operators.crowd import Crowd
from tamis.analytics.operators.keep_policy import Keeping
from tamis.analytics.operators.operator import OPERATORS, Decision, Group, Of, Scope, View, is_said, spoken
from tamis.analytics.operators.sets import Seed, Within
from tamis.analytics.steps.measures import Measure, Pairs
from tamis.analytics.text.normal_form import CONVENTION, Convention

MAX_PLACES = 1024
BANDING = (20, 4)
LITTLE = 0.9
"""The sentence of a rule states its recall at the threshold when it is below this."""


class PairDedup(Keeping):
    """A rule that drops a document for a kept one that a measure pairs with it."""

    if TYPE_CHECKING:  # A field of the rules, where it stands in their own order.
        within: str | None

    @property
    @abstractmethod
    def params(self) -> NearParams | SemanticParams | PictureParams:
        """Return how pairs are measured."""

    @property
    def measure(self) -> Measure:
        """Return the measure of pairs."""
        return self.params.measure

    @property
    def floor(self) -> float:
        """Return the smallest similarity that is measured."""
        return self.params.floor

    @property
    @abstractmethod
    def level(self) -> float:
        """Return the smallest similarity of duplicates."""

    def columns(self) -> frozenset[str]:
        return self.policy_columns() | ({self.within} if self.within else set())

    def measures(self) -> tuple[Measure, ...]:
        return (self.measure, *self.policy_measures())

    def keys(self) -> tuple[str, ...]:
        return (self.within,) if self.within else ()

    def crowd(self, view: View, level: float = 0.0) -> Crowd:
        """Return the documents with matches of at least this similarity."""
        sets = self.sets(view)
        pairs = at_least(view.evidence.pairs(self.measure), level)
        return Crowd.of(self, view, sets=sets, pairs=pairs, within=self.within)

    def sets(self, view: View) -> NDArray[np.int64]:
        """Return the set of each document, int64 (n,)."""
        return view.evidence.array(self.measure, "first")[view.rows]


class TextPairDedup(PairDedup):
    """A rule on pairs of texts, or of parts of conversations."""

    if TYPE_CHECKING:  # As above.
        of: str | None

    @property
    @abstractmethod
    def params(self) -> NearParams | SemanticParams:
        """Return how pairs are measured."""

    @property
    def measure(self) -> Measure:
        """Return the measure of pairs."""
        return replace(self.params.measure, of=self.of or "")

    def columns(self) -> frozenset[str]:
        return super().columns() | (set() if self.of is None else {f"{self.of}.bytes"})

    @property
    def part(self) -> str:
        """Return the scope for a sentence, empty for whole texts."""
        return "" if self.of is None else f" of their {spoken(self.of)}"

    def sets(self, view: View) -> NDArray[np.int64]:
        """Return the set of each document, int64 (n,); one that says nothing in the scope is a set of its own."""
        first = view.evidence.array(self.measure, "first")
        sets = first[view.rows]
        silent = ~is_said(view, self.of)
        sets[silent] = len(first) + np.arange(int(silent.sum()))
        return sets


@OPERATORS.register
class NearDedup(TextPairDedup):
    """Keeps up to ``max_copies`` of documents whose shingle sets are similar; candidates come from MinHash-LSH.

    Every pair is compared exactly before it counts. Documents are taken in the order of the keep policy, ties by id,
    and one is dropped only when ``max_copies`` kept documents are its direct matches; the most similar of them is named
    as its twin. Similarity above 0.5 is measured once, so a new threshold needs no new measurement.
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
    bands: int = Field(
        BANDING[0], ge=1, le=256, description="Bands of the signature; more bands find more pairs (jaccard)."
    )
    rows: int = Field(
        BANDING[1], ge=1, le=64, description="Places in a band; more places give fewer candidates (jaccard)."
    )
    within: Within = None
    convention: Convention | None = Field(
        None,
        description="What a word is: words-1 (absent means this) counts symbols as words, letters-1 letters, marks and"
        " digits only, folded-1 also folds accents and numbers.",
        json_schema_extra={"new_recipes": "letters-1"},
    )
    recall: float | None = Field(
        None,
        ge=0.5,
        le=0.999,
        description="Chance to find a pair at the threshold: bands and rows follow it, and up to 1,024 different texts"
        " are compared all with all; absent: bands and rows as given.",
        json_schema_extra={"new_recipes": 0.99, "instead_of": ["bands", "rows"]},
    )
    of: Of = None

    @model_validator(mode="after")
    def _signature_is_bounded(self) -> NearDedup:
        if self.bands * self.rows > MAX_PLACES:
            raise ValueError(f"bands times rows must not exceed {MAX_PLACES}")
        if self.recall is not None and (self.bands, self.rows) != BANDING:
            raise ValueError("give recall, or bands and rows")
        return self

    @property
    def params(self) -> NearParams:
        """Return how similarity is measured; thresholds from 0.5 up share one measurement, with recall from 0.7 up."""
        floor = 0.5 if self.threshold >= 0.5 else math.floor(self.threshold * 10) / 10
        bands, rows = self._banding(floor)
        small = 0 if self.recall is None else ALL_PAIRS
        convention = self.convention or CONVENTION
        return NearParams(self.unit, self.n, self.similarity, bands, rows, floor, convention, small)

    def _banding(self, floor: float) -> tuple[int, int]:
        """Return bands and rows: those given, or for a recall those that reach it at the lowest threshold served."""
        if self.recall is None:
            return self.bands, self.rows
        return banding(0.7 if self.threshold >= 0.7 else floor, self.recall)

    @property
    def expected_recall(self) -> float:
        """Return the chance to find a pair that lies exactly on the threshold; 1 for containment of long texts."""
        if self.similarity == "containment":
            return 1.0
        return expected_recall(self.threshold, bands=self.params.bands, rows=self.params.rows)

    def decide(self, view: View) -> Decision:
        shown = f"{self.similarity} of {self.unit} {self.n}-grams >= {self.threshold:g}"
        return self.crowd(view, self.threshold).decision(view, self, shown)

    @property
    def level(self) -> float:
        """Return the smallest similarity of duplicates."""
        return self.threshold

    def sentence(self) -> str:
        per = f" within each {self.within}" if self.within else ""
        named = "" if self.convention is None else f", {self.convention}"
        alike = f"{self.threshold * 100:g}% of the {self.unit} {self.n}-grams{self.part} ({self.similarity}{named})"
        alike = alike if self.part else alike.replace("of the ", "of their ", 1)
        missed = f"; {self.caution()}" if self.caution() else ""
        return f"Keep {self.policy_sentence()} of the documents that share {alike}{per}{missed}"

    def caution(self) -> str:
        found = self.expected_recall
        return f"of pairs at the threshold {found:.0%} are found" if found < LITTLE else ""


def at_least(pairs: Pairs, threshold: float) -> Pairs:
    """Return the pairs whose similarity reaches the threshold, compared in float32."""
    near = pairs.similarity >= np.float32(threshold)
    return Pairs(pairs.left[near], pairs.right[near], pairs.similarity[near])


@OPERATORS.register
class SemanticDedup(TextPairDedup):
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
    rule: Literal["greedy leader", "published"] = Field("greedy leader", description="Which document is dropped.")
    vectors: Literal["precise", "analysis"] = Field(
        "precise", description="Make precise vectors for this, or take those of the map and the clusters."
    )
    allow_static: bool = Field(False, description="Let static vectors decide although they are not precise.")
    documents_per_cluster: int = Field(500, ge=10, le=20_000, description="Documents over clusters of k-means.")
    seed: Seed = 0
    within: Within = None
    of: Of = None

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

    def decide(self, view: View) -> Decision:
        if self.rule == "published":
            return self._published(view)
        return self.crowd(view, self.level).decision(view, self, f"cosine >= {self.level:g}")

    @property
    def level(self) -> float:
        """Return the smallest cosine of duplicates."""
        return 1 - self.eps

    def _published(self, view: View) -> Decision:
        """Decide by the published rule."""
        sets = self.sets(view)
        distance = view.evidence.array(self.measure, "distance")[view.rows]
        pairs = view.evidence.pairs(self.measure)
        above = pairs.similarity > np.float32(1 - self.eps)
        size = 1 + max(int(part.max(initial=0)) for part in (sets, pairs.left, pairs.right))
        graph = PairGraph.of(size, Pairs(pairs.left[above], pairs.right[above], pairs.similarity[above]))
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
        return f"Keep {self.policy_sentence()} of the documents within cosine distance {self.eps:g}{self.part}{per}"


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

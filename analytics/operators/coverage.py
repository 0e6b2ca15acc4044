"""Coverage sampling: few documents to which all the others are similar.

Coverage of documents by documents: greedy facility location on a sparse graph of similar ones.

A selection S covers document i by the similarity of its nearest member, max over j in S of s_ij, with s_ii = 1. Taking
the document that adds most, again and again, is within 1 - 1/e of the best selection of every size (Nemhauser, Wolsey
and Fisher 1978); gains only shrink, so most need not be computed again (Minoux 1978).
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from pydantic import Field

from tamis.analytics.duplicates.greedy_star import PairGraph
from tamis.analytics.duplicates.vector_neighbours import KIND as VECTOR_NEIGHBOURS
from tamis.analytics.duplicates.word_neighbours import NeighbourParams
from tamis.analytics.operators.operator import OPERATORS, Decision, Group, View
from tamis.analytics.operators.sampling import Choosing
from tamis.analytics.operators.sets import Seed
from tamis.analytics.steps.measures import Measure, Pairs


def coverage_order(graph: PairGraph) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Order all documents so that every first part covers the others as well as greedy choice can.

    Args:
        graph: similarities in [0, 1] between n documents.

    Returns:
        rank int64 (n,), 0 for the document taken first, ties to the smaller number; gain float64 (n,), by how much
        the coverage grew when it was taken, at most 1 + its number of neighbours.
    """
    rank = np.empty(len(graph), dtype=np.int64)
    gain = np.empty(len(graph), dtype=np.float64)
    _greedy(graph.starts, graph.neighbours, graph.similarity, rank, gain)
    return rank, gain


@njit(cache=True, nogil=True)
def _gain(starts, neighbours, similarity, covered, document):  # type: ignore[no-untyped-def]
    total = 1.0 - covered[document]
    for k in range(starts[document], starts[document + 1]):
        total += max(0.0, np.float64(similarity[k]) - covered[neighbours[k]])
    return total


@njit(cache=True, nogil=True)
def _greedy(starts, neighbours, similarity, rank, gain):  # type: ignore[no-untyped-def]
    count = len(rank)
    covered = np.zeros(count, dtype=np.float64)
    waiting = [(-_gain(starts, neighbours, similarity, covered, d), d) for d in range(count)]
    heapify(waiting)
    taken = 0
    while len(waiting) > 0:
        _, document = heappop(waiting)
        now = _gain(starts, neighbours, similarity, covered, document)
        if len(waiting) > 0 and (-now, document) > waiting[0]:
            heappush(waiting, (-now, document))
            continue
        rank[document], gain[document] = taken, now
        taken += 1
        covered[document] = 1.0
        for k in range(starts[document], starts[document + 1]):
            covered[neighbours[k]] = max(covered[neighbours[k]], np.float64(similarity[k]))


def nearest_chosen(graph: PairGraph, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the most similar chosen neighbour of each document that is not chosen, and how similar it is.

    Returns:
        int64 (n,), -1 where there is none; float32 (n,), NaN where there is none. Ties go to the smaller number.
    """
    twin = np.full(len(graph), -1, dtype=np.int64)
    value = np.full(len(graph), np.nan, dtype=np.float32)
    owner = np.repeat(np.arange(len(graph)), np.diff(graph.starts))
    use = chosen[graph.neighbours] & ~chosen[owner]
    owner, other, similarity = owner[use], graph.neighbours[use], graph.similarity[use]
    order = np.lexsort((other, -similarity, owner))
    owner, other, similarity = owner[order], other[order], similarity[order]
    first = np.r_[True, owner[1:] != owner[:-1]] if len(owner) else np.zeros(0, dtype=bool)
    twin[owner[first]], value[owner[first]] = other[first], similarity[first]
    return twin, value


@OPERATORS.register
class CoverageSample(Choosing):
    """Keeps the documents to which the others are most similar, one after the other (greedy facility location).

    Each next document is the one that adds most to the similarity of all documents to their nearest kept one, so
    the sample holds neither repeats nor only outliers. Similarity is the cosine of tf-idf between a document and
    its nearest ones, or that of the vectors of the analysis, as pictures need it; with ``within``, groups are covered
    on their own, and a number of documents balances them. A smaller sample is a part of a larger one.
    """

    name: ClassVar[str] = "coverage_sample"
    term: ClassVar[str] = "coverage sampling (facility location)"
    group: ClassVar[Group] = "Sampling"
    summary: ClassVar[str] = "Keeps few documents that represent all: the widest coverage at a given size."
    source: ClassVar[str] = "Nemhauser et al. 1978; Wei, Iyer and Bilmes 2015, PMLR 37 (facility location for data)"
    warning: ClassVar[str | None] = (
        "Outliers and noise are covered too: filter and deduplicate first. Groups of more than 4,096 documents "
        "are compared in blocks by keyed hash."
    )

    neighbours: int = Field(15, ge=1, le=100, description="Nearest documents that one document can represent.")
    seed: Seed = 0
    by: Literal["words", "vectors"] | None = Field(
        None,
        description="What is compared: words (absent means this), or the vectors of map and clusters, as for pictures.",
    )

    @property
    def measure(self) -> Measure:
        """Return the measure of neighbours."""
        return self.params.measure_by(VECTOR_NEIGHBOURS) if self.by == "vectors" else self.params.measure

    @property
    def params(self) -> NeighbourParams:
        """Return how neighbours are found."""
        return NeighbourParams(self.neighbours, self.within, self.seed)

    def columns(self) -> frozenset[str]:
        return self.size_columns()

    def measures(self) -> tuple[Measure, ...]:
        return (self.measure,)

    def decide(self, view: View) -> Decision:
        graph = _restrict_pairs(view.evidence.pairs(self.measure), view.rows)
        rank, gain = coverage_order(graph)
        chosen = self.choose(view, -rank.astype(np.float64))
        twin, similarity = nearest_chosen(graph, chosen)
        return Decision(
            copies=np.where(chosen, view.copies, 0).astype(np.int32),
            value=pa.array(gain),
            twin=np.where(twin >= 0, view.rows[twin], -1) if len(view) else twin,
            similarity=similarity,
            threshold=self.size_text(),
        )

    def sentence(self) -> str:
        alike = "their vectors" if self.by == "vectors" else "the words they share"
        return f"Keep {self.size_text()} that cover the others best by {alike}"


def _restrict_pairs(pairs: Pairs, rows: NDArray[np.int64]) -> PairGraph:
    """Return the graph of the documents of a view, numbered by their place in it."""
    size = 1 + max((int(part.max(initial=-1)) for part in (rows, pairs.left, pairs.right)), default=-1)
    place = np.full(size, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    left, right = place[pairs.left], place[pairs.right]
    there = (left >= 0) & (right >= 0)
    return PairGraph.of(len(rows), Pairs(left[there], right[there], pairs.similarity[there]))

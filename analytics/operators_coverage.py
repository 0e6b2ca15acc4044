"""A sample that covers: few documents to which all the others are similar."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from tamis.analytics.coverage import coverage_order, nearest_chosen
from tamis.analytics.operator import OPERATORS, Decision, Group, Measure, Pairs, View
from tamis.analytics.operators_sampling import Choosing
from tamis.analytics.operators_sets import Seed
from tamis.analytics.star import Graph
from tamis.analytics.word_neighbours import NeighbourParams


@OPERATORS.register
class CoverageSample(Choosing):
    """Keeps the documents to which the others are most similar, one after the other (greedy facility location).

    Each next document is the one that adds most to the similarity of all documents to their nearest kept one, so
    neither the same thing twice nor only oddities are kept. Similarity is the cosine of tf-idf between a document and
    its nearest ones; with ``within``, groups are covered on their own, and a number of documents balances them. A
    smaller sample is a part of a larger one.
    """

    name: ClassVar[str] = "coverage_sample"
    term: ClassVar[str] = "coverage sampling (facility location)"
    group: ClassVar[Group] = "Sampling"
    summary: ClassVar[str] = "Keeps few documents that stand for all: the widest coverage at a given size."
    source: ClassVar[str] = "Nemhauser et al. 1978; Wei, Iyer and Bilmes 2015, PMLR 37 (facility location for data)"
    warning: ClassVar[str | None] = (
        "Oddities and noise need covering too: filter first, and drop duplicates. Groups of more than 4,096 documents "
        "are compared in blocks by keyed hash."
    )

    neighbours: int = Field(15, ge=1, le=100, description="Nearest documents that one document can stand for.")
    seed: Seed = 0

    @property
    def params(self) -> NeighbourParams:
        """Return how neighbours are found."""
        return NeighbourParams(self.neighbours, self.within, self.seed)

    def columns(self) -> frozenset[str]:
        return self.size_columns()

    def measures(self) -> tuple[Measure, ...]:
        return (self.params.measure,)

    def decide(self, view: View) -> Decision:
        graph = _among(view.evidence.pairs(self.params.measure), view.rows)
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
        return f"Keep {self.size_text()} that cover the others best by the words they share"


def _among(pairs: Pairs, rows: NDArray[np.int64]) -> Graph:
    """Return the graph of the documents of a view, numbered by their place in it."""
    size = 1 + max((int(part.max(initial=-1)) for part in (rows, pairs.left, pairs.right)), default=-1)
    place = np.full(size, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    left, right = place[pairs.left], place[pairs.right]
    there = (left >= 0) & (right >= 0)
    return Graph.of(len(rows), Pairs(left[there], right[there], pairs.similarity[there]))

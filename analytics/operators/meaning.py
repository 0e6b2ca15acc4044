"""A rule that keeps or drops documents by how alike they are in meaning to one example: a sentence or a document."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tamis.analytics.operators.operator import OPERATORS, Digest, Group, RowOperator
from tamis.analytics.operators.predicate import number
from tamis.analytics.signals.likeness import Vectors, likeness_measure
from tamis.analytics.steps.measures import Measure
from tamis.data.sql import ident

SHOWN = 60
"""Characters of the example in a sentence."""


@OPERATORS.register
class SimilarMeaning(RowOperator):
    """Keeps or drops documents whose vector has at least a given cosine with that of a sentence or of one document.

    The vector of the example is stored and named by its digest, so the rule decides alike wherever documents are
    embedded by the same model.
    """

    name: ClassVar[str] = "similar_meaning"
    term: ClassVar[str] = "semantic search as a filter"
    group: ClassVar[Group] = "Relevance"
    summary: ClassVar[str] = "Keeps or drops documents that mean nearly the same as a sentence or as one document."
    source: ClassVar[str] = "Reimers and Gurevych 2019, arXiv 1908.10084 (cosine of sentence embeddings)"
    warning: ClassVar[str | None] = "Look at documents on both sides of the cut: a cosine has no meaning of its own."

    model: Digest = Field(description="Digest of the stored example; the search by meaning stores one.")
    target: str = Field("", max_length=200, description="The sentence or the document, for people.")
    min_cosine: float = Field(0.5, ge=-1, le=1, description="Smallest cosine of documents that match.")
    vectors: Vectors = Field(
        "analysis", description="Vectors of the map and the clusters, or precise ones made beside them."
    )

    @property
    def column(self) -> str:
        """Return the facts column that holds the cosines, float32."""
        return f"likeness_{self.model[:16]}_{self.vectors}"

    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def measures(self) -> tuple[Measure, ...]:
        return (likeness_measure(self.model, self.vectors, column=self.column),)

    def assets(self) -> tuple[str, ...]:
        return (self.model,)

    def match(self) -> str:
        return f"{ident(self.column)} >= {number(self.min_cosine)}"

    def value(self) -> str:
        return ident(self.column)

    def threshold(self) -> str:
        return f"cosine >= {self.min_cosine:g}"

    def sentence(self) -> str:
        example = f"“{shorten(self.target)}”" if self.target else "an example"
        return f"{self.mode.capitalize()} documents at least {self.min_cosine:.3g} like {example} in meaning"


def shorten(text: str, length: int = SHOWN) -> str:
    """Return the beginning of a text in one line."""
    folded = " ".join(text.split())
    return folded if len(folded) <= length else f"{folded[: length - 1].rstrip()}…"

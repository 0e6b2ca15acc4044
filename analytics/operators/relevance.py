"""Rules that keep documents relevant to a target, by a scorer that is fitted once and named by its digest."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tamis.analytics.operators.operator import OPERATORS, Decision, Group, View
from tamis.analytics.operators.rows import Digest
from tamis.analytics.operators.sampling import Choosing, gumbel
from tamis.analytics.operators.sets import Seed
from tamis.analytics.signals.likeness import Vectors
from tamis.analytics.signals.relevance import Input
from tamis.analytics.signals.relevance_step import relevance_measure
from tamis.analytics.steps.measures import Measure


class Relevance(Choosing):
    """Base of relevance rules: score every document, then keep the best or sample the better more often."""

    group: ClassVar[Group] = "Relevance"
    input: ClassVar[Input] = "words"

    model: Digest = Field(description="Digest of the fitted scorer; fit one from a target on the page Recipe.")
    target: str = Field("", max_length=200, description="Name of the target, for people.")
    temperature: float | None = Field(
        None, gt=0, le=1000, description="Absent keeps the best; a number samples by exp(score / temperature)."
    )
    seed: Seed = 0

    @property
    def column(self) -> str:
        """Return the facts column with the scores."""
        return f"{self.name}_{self.model[:16]}"

    def columns(self) -> frozenset[str]:
        return self.size_columns() | {self.column}

    def measures(self) -> tuple[Measure, ...]:
        return (relevance_measure(self.model, self.input, column=self.column),)

    def assets(self) -> tuple[str, ...]:
        return (self.model,)

    def decide(self, view: View) -> Decision:
        scores = view.numbers(self.column)
        return self.kept(view, self._noisy(view, scores), scores)

    def _noisy(self, view: View, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.temperature is None:
            return scores
        return scores / self.temperature + gumbel(view.keys, seed=self.seed, salt=self.name)

    def sentence(self) -> str:
        to = f" to {self.target}" if self.target else " to the target"
        if self.temperature is None:
            return f"Keep {self.size_text()} most relevant{to} by {self.term}"
        return f"Sample {self.size_text()} by relevance{to} by {self.term} (temperature {self.temperature:g})"


@OPERATORS.register
class DsirSelection(Relevance):
    """Scores documents by the mean log ratio of hashed word uni- and bigrams, target against corpus.

    As published the log ratios are summed, which favours long documents and leaves the sampling noise without effect;
    here they are averaged and the noise is set by a temperature.
    """

    name: ClassVar[str] = "dsir"
    term: ClassVar[str] = "importance resampling (DSIR)"
    summary: ClassVar[str] = "Keeps documents whose word pairs look like the target's."
    source: ClassVar[str] = "Xie et al. 2023, arXiv 2302.03169 (length-normalised here)"
    warning: ClassVar[str | None] = "Deduplicate first: every copy of a relevant document is kept."


@OPERATORS.register
class MooreLewisSelection(Relevance):
    """Scores documents by the difference of cross-entropies per word under a target model and a corpus model."""

    name: ClassVar[str] = "moore_lewis"
    term: ClassVar[str] = "cross-entropy difference (Moore-Lewis)"
    summary: ClassVar[str] = "Keeps documents that are likelier under a model of the target than of the corpus."
    source: ClassVar[str] = "Moore and Lewis 2010, ACL; Axelrod et al. 2011, EMNLP"
    warning: ClassVar[str | None] = "It can double the share of noise: filter and deduplicate first."


@OPERATORS.register
class TargetClassifier(Relevance):
    """Scores documents by the log-odds of a linear classifier on hashed word n-grams, target against corpus."""

    name: ClassVar[str] = "target_classifier"
    term: ClassVar[str] = "linear classifier on n-grams"
    summary: ClassVar[str] = "Keeps documents that a classifier takes for documents of the target."
    source: ClassVar[str] = "Joulin et al. 2016, arXiv 1607.01759; Li et al. 2024, arXiv 2406.11794 (DataComp-LM)"
    warning: ClassVar[str | None] = (
        "A classifier learns every difference of the target, format and layout included: look at what it keeps."
    )


@OPERATORS.register
class EmbeddingClassifier(Relevance):
    """Scores documents by the log-odds of a linear classifier on their embeddings, target against corpus."""

    name: ClassVar[str] = "embedding_classifier"
    term: ClassVar[str] = "linear classifier on embeddings"
    summary: ClassVar[str] = "Keeps documents whose embedding a classifier takes for one of the target."
    source: ClassVar[str] = "Penedo et al. 2024, arXiv 2406.17557 (FineWeb-Edu: a linear head on embeddings)"
    warning: ClassVar[str | None] = "It runs only on corpora embedded by the same model."
    input: ClassVar[Input] = "vectors"

    min_probability: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Keep documents of at least this probability instead of a size, calibrated if learnt from labels.",
    )
    vectors: Vectors | None = Field(
        None, description="Vectors of the map and the clusters (also when absent), or precise ones made beside them."
    )

    @model_validator(mode="after")
    def _has_one_size(self) -> EmbeddingClassifier:
        sizes = (self.share, self.documents, self.tokens, self.min_probability)
        if sum(size is not None for size in sizes) != 1:
            raise ValueError("give one of share, documents, tokens and min_probability")
        if self.min_probability is not None and (self.temperature is not None or self.within is not None):
            raise ValueError("min_probability decides each document alone: leave out temperature and within")
        return self

    @property
    def column(self) -> str:
        return super().column + ("_precise" if self.vectors == "precise" else "")

    def measures(self) -> tuple[Measure, ...]:
        precise = self.vectors == "precise"
        return (relevance_measure(self.model, self.input, column=self.column, precise=precise),)

    def choose(self, view: View, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which documents are kept, bool (n,): those of enough probability (never NaN), or as ``Choosing``."""
        if self.min_probability is None:
            return super().choose(view, scores)
        return scores >= math.log(self.min_probability / (1 - self.min_probability))

    def size_text(self) -> str:
        if self.min_probability is None:
            return super().size_text()
        return f"probability >= {self.min_probability:g}"

    def sentence(self) -> str:
        if self.min_probability is None:
            return super().sentence()
        to = f"“{self.target}”" if self.target else "the target"
        return f"Keep documents that belong to {to} with probability >= {self.min_probability:g}, by {self.term}"


@OPERATORS.register
class TargetSimilarity(Relevance):
    """Scores documents by the cosine to the nearest example of the target, or the mean of the nearest few."""

    name: ClassVar[str] = "target_similarity"
    term: ClassVar[str] = "embedding similarity (as BETR)"
    summary: ClassVar[str] = "Keeps documents that are close to an example of the target on the embedding map."
    source: ClassVar[str] = "Mizrahi et al. 2025, arXiv 2507.12466 (BETR)"
    warning: ClassVar[str | None] = "Near copies of the target come first: decontaminate against your test sets."
    input: ClassVar[Input] = "vectors"

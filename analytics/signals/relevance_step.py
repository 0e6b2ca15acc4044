"""Fitted scorers as stored tables, and the measure that scores every document with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding.step import read_or_embed
from tamis.analytics.embedding.stored_vectors import PRECISE, ShardVectors
from tamis.analytics.signals.relevance import Dsir, Input, LinearVectors, LinearWords, MooreLewis, Similarity
from tamis.analytics.steps.engine import PieceInput, shard_work
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.steps.stored_arrays import pack, unpack
from tamis.analytics.text.word_stream import CONVENTION, WordHashes
from tamis.data.errors import StoreError
from tamis.data.shards import Shard

Words = Dsir | MooreLewis | LinearWords
Vectors = LinearVectors | Similarity


METHODS: Mapping[str, type[Words] | type[Vectors]] = {
    kind.method: kind for kind in (Dsir, MooreLewis, LinearWords, LinearVectors, Similarity)
}


@dataclass(frozen=True)
class Scorer:
    """A fitted scorer and where it came from.

    Attributes:
        model: scores documents by words or by vectors.
        about: method, target, corpus, conventions and, for vectors, the embedding space.
    """

    model: Words | Vectors
    about: Mapping[str, Any]

    def table(self) -> pa.Table:
        """Return the form that is stored; its digest names the scorer."""
        words = {"words": CONVENTION} if self.model.input == "words" else {}
        return pack(self.model.arrays(), {**self.about, "method": self.model.method, **words})

    @classmethod
    def from_table(cls, table: pa.Table) -> Scorer:
        """Read a stored scorer.

        Raises:
            StoreError: the table is not a scorer, or the scorer splits words in another way.
        """
        arrays, about = unpack(table)
        method = str(about.get("method"))
        if method not in METHODS:
            raise StoreError("Unknown relevance method", value=method, allowed=METHODS)
        if METHODS[method].input == "words" and about.get("words") != CONVENTION:
            raise StoreError("The scorer splits words in another way", value=about.get("words"), fix="fit it again")
        return cls(METHODS[method].from_arrays(arrays), about)

    def of_texts(self, texts: pa.Array) -> NDArray[np.float64]:
        """Return the scores of texts, float64 (n,), NaN for texts without words.

        Raises:
            StoreError: the scorer reads vectors.
        """
        if isinstance(self.model, (LinearVectors, Similarity)):
            raise StoreError("This scorer reads vectors, not texts", value=self.model.method)
        return self.model.score(WordHashes.of(texts))

    def of_vectors(self, vectors: NDArray[np.floating], *, space: str) -> NDArray[np.float64]:
        """Return the scores of vectors, float64 (n,).

        Raises:
            StoreError: the scorer reads words, or vectors of another space.
        """
        if not isinstance(self.model, (LinearVectors, Similarity)):
            raise StoreError("This scorer reads words, not vectors", value=self.model.method)
        if space != self.about.get("space"):
            raise StoreError(
                "The scorer was fitted on another embedding than this corpus has",
                value=space,
                allowed=str(self.about.get("space")),
                fix="embed the corpus with the same model, or fit the scorer again",
            )
        return self.model.score(vectors)


def relevance_measure(model: str, kind: Input, *, column: str, precise: bool = False) -> Measure:
    """Return the measure that scores documents with the stored scorer ``model``.

    Args:
        model: digest of the scorer.
        kind: what it reads.
        column: name of the scores.
        precise: read the precise vectors beside those of the analysis.
    """
    vectors = (("vectors", "precise"),) if precise else ()
    return Measure("relevance", (("input", kind), ("model", model), *vectors), column=column)


def _by_words(shard: Shard, given: PieceInput) -> pa.Table:
    parts = [given.common.of_texts(texts) for texts in given.corpus.document_texts(shard)]
    return _scores(np.concatenate([np.empty(0), *parts]))


def _by_vectors(shard: Shard, given: PieceInput) -> pa.Table:
    scorer, embedder = given.common
    vectors = read_or_embed(shard, given, embedder)
    return _scores(scorer.of_vectors(vectors, space=str(scorer.about.get("space"))))


def _scores(found: NDArray[np.float64]) -> pa.Table:
    return pa.table({"value": pa.array(found.astype(np.float32), mask=np.isnan(found))})


def _step(measure: Measure) -> StepSpec:
    params = dict(measure.params)
    by_vectors = params["input"] == "vectors"
    source = PRECISE if params.get("vectors") == "precise" else "embeddings"

    def run(context: StepContext) -> None:
        scorer = Scorer.from_table(context.stored(str(params["model"])))
        if by_vectors:
            vectors = ShardVectors.of(context, str(scorer.about.get("space")), what="The scorer", step=source)
            common = (scorer, vectors.embedder)
            context.fill(shard_work(context.corpus, _by_vectors, common=common, own=vectors.own))
        else:
            context.fill(shard_work(context.corpus, _by_words, common=scorer))
        context.out.commit(rows=context.documents.n)

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents", source) if by_vectors else ("documents",),
        params=params,
        title="Scoring relevance to the target",
        estimate=lambda size: Estimate(0.5 + size.bytes / 20e6 + size.documents * 1e-5, size.documents * 4),
        run=run,
    )


MEASURES.register(MeasureKind("relevance", "Relevance to a target", step=_step))

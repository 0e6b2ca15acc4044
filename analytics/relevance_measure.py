"""Fitted scorers as stored tables, and the measure that scores every document with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding import shard_vectors
from tamis.analytics.measures import MEASURES, MeasureKind, step_name
from tamis.analytics.operator import Measure
from tamis.analytics.plain_arrays import pack, unpack
from tamis.analytics.relevance import Dsir, Input, LinearWords, MooreLewis
from tamis.analytics.relevance_vectors import LinearVectors, Similarity
from tamis.analytics.step import Estimate, StepContext, StepSpec
from tamis.analytics.word_hashes import CONVENTION, WordHashes
from tamis.data.errors import StoreError

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
            StoreError: it is not one, or it was fitted on words that are split otherwise.
        """
        arrays, about = unpack(table)
        method = str(about.get("method"))
        if method not in METHODS:
            raise StoreError("Unknown relevance method", value=method, allowed=METHODS)
        if METHODS[method].input == "words" and about.get("words") != CONVENTION:
            raise StoreError("The scorer splits words in another way", value=about.get("words"), fix="fit it again")
        return cls(METHODS[method].from_arrays(arrays), about)

    def of_texts(self, texts: pa.Array) -> NDArray[np.float64]:
        """Return the scores of texts, float64 (n,), NaN where there is none.

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


def relevance_measure(model: str, kind: Input, *, column: str) -> Measure:
    """Return the measure that scores documents with the stored scorer ``model``."""
    return Measure("relevance", (("input", kind), ("model", model)), column=column)


def _step(measure: Measure) -> StepSpec:
    params = dict(measure.params)
    by_vectors = params["input"] == "vectors"

    def run(context: StepContext) -> None:
        scorer = Scorer.from_table(context.stored(str(params["model"])))
        for shard in context.shards_to_do():
            if by_vectors:
                space = str(scorer.about.get("space"))
                vectors = shard_vectors(context, shard, space, what="The scorer")
                found = scorer.of_vectors(vectors, space=space)
            else:
                parts = [scorer.of_texts(texts) for texts in context.corpus.document_texts(shard)]
                found = np.concatenate([np.empty(0), *parts])
            values = pa.array(found.astype(np.float32), mask=np.isnan(found))
            context.out.write_table(shard.part, pa.table({"value": values}))
        context.out.commit(rows=context.documents.n)

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents", "embeddings") if by_vectors else ("documents",),
        params=params,
        title="Scoring relevance to the target",
        estimate=lambda size: Estimate(0.5 + size.bytes / 20e6 + size.documents * 1e-5, size.documents * 4),
        run=run,
    )


MEASURES.register(MeasureKind("relevance", "Relevance to a target", step=_step))

"""How alike in meaning documents are to one example: the cosines of their vectors and that of a sentence or document.

The example is stored like a fitted scorer, so ``target_similarity`` reads it too. Cosines are summed in double
precision in a fixed order: a document on the threshold is decided alike for any shards and threads, wherever its vector
is equal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.embedding.half_precision import REST, SCALE, SHIFT, SIGN
from tamis.analytics.embedding.kmeans import rescale_rows
from tamis.analytics.embedding.step import read_or_embed
from tamis.analytics.embedding.stored_vectors import PRECISE, ShardVectors
from tamis.analytics.signals.relevance import Similarity
from tamis.analytics.signals.relevance_step import Scorer
from tamis.analytics.steps.engine import PieceInput, shard_work
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.errors import StoreError
from tamis.data.shards import Shard

KIND = "likeness"
THREADS = 2
Vectors = Literal["analysis", "precise"]
UPSTREAM: Mapping[Vectors, str] = {"analysis": "embeddings", "precise": PRECISE}
"""Which step makes the vectors: those of map and clusters, or precise ones beside them."""

_LANES = 16


def likeness_measure(model: str, vectors: Vectors, *, column: str) -> Measure:
    """Return the measure of the cosine of every document and the stored example ``model``."""
    return Measure(KIND, (("model", model), ("vectors", vectors)), column=column)


def example_scorer(vector: NDArray[np.floating], *, space: str, target: str) -> Scorer:
    """Return an example in the form that is stored.

    Args:
        vector: (d,), not zero, of the example.
        space: digest that names its embedding space.
        target: the sentence, or the name of the document.
    """
    unit = rescale_rows(np.asarray(vector, dtype=np.float16)[None])
    return Scorer(Similarity(unit), {"target": target, "space": space})


def cosines(vectors: NDArray[np.float16], example: NDArray[np.floating], *, threads: int = 1) -> NDArray[np.float32]:
    """Return the cosine of each vector and one example.

    Args:
        vectors: float16 (n, d), finite, rows of zeros for documents without a vector.
        example: (d,), not zero.
        threads: to use; changes no bit.

    Returns:
        float32 (n,), in [-1, 1], NaN for rows of zeros.
    """
    found = np.empty(len(vectors), dtype=np.float32)
    wide = np.asarray(example, dtype=np.float64)
    unit = wide / math.sqrt(math.fsum(wide * wide))
    bits = np.ascontiguousarray(vectors, dtype=np.float16).view(np.uint16)
    cuts = np.linspace(0, len(bits), threads + 1).astype(np.int64)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda first, last: _cosines(bits[first:last], unit, found[first:last]), cuts[:-1], cuts[1:]))
    return found


@njit(cache=True, nogil=True)
def _cosines(bits, unit, found):  # type: ignore[no-untyped-def]
    """Sum in double precision: ``_LANES`` sums side by side, then one after the other; the rest goes to the first.

    Half precision becomes single as in ``half_precision``.
    """
    dimensions = bits.shape[1]
    wide = dimensions // _LANES * _LANES
    moved = np.zeros(dimensions, dtype=np.uint32)
    small = moved.view(np.float32)
    both, own = np.zeros(_LANES), np.zeros(_LANES)
    for row in range(len(bits)):
        for j in range(dimensions):
            half = np.uint32(bits[row, j])
            moved[j] = ((half & REST) << SHIFT) | ((half & SIGN) << np.uint32(16))
        both[:], own[:] = 0.0, 0.0
        for j in range(0, wide, _LANES):
            for k in range(_LANES):
                value = np.float64(small[j + k] * SCALE)
                both[k] += value * unit[j + k]
                own[k] += value * value
        for j in range(wide, dimensions):
            value = np.float64(small[j] * SCALE)
            both[0] += value * unit[j]
            own[0] += value * value
        dot = norm = 0.0
        for k in range(_LANES):
            dot += both[k]
            norm += own[k]
        found[row] = np.float32(max(-1.0, min(1.0, dot / np.sqrt(norm)))) if norm > 0.0 else np.float32(np.nan)


def _by_vectors(shard: Shard, given: PieceInput) -> pa.Table:
    example, embedder = given.common
    found = cosines(read_or_embed(shard, given, embedder), example, threads=given.threads)
    return pa.table({"value": pa.array(found, mask=np.isnan(found))})


def _example_of(scorer: Scorer) -> NDArray[np.float32]:
    """Return the vector of a stored example, float32 (d,).

    Raises:
        StoreError: it is another kind of scorer, or one of several examples.
    """
    model = scorer.model
    if not isinstance(model, Similarity) or len(model.vectors) != 1:
        raise StoreError("This is not one stored example", value=model.method, allowed="a sentence or one document")
    return np.asarray(model.vectors[0])


def _step(measure: Measure) -> StepSpec:
    params: dict[str, Any] = dict(measure.params)
    upstream = UPSTREAM[params["vectors"]]

    def run(context: StepContext) -> None:
        scorer = Scorer.from_table(context.stored(str(params["model"])))
        space = str(scorer.about.get("space"))
        vectors = ShardVectors.of(context, space, what="The example", step=upstream)
        common = (_example_of(scorer), vectors.embedder)
        context.fill(shard_work(context.corpus, _by_vectors, common=common, own=vectors.own, threads=THREADS))
        context.out.commit(rows=context.documents.n)

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents", upstream),
        params=params,
        title="Comparing meaning with an example",
        estimate=lambda size: Estimate(0.1 + size.documents * 1e-6, size.documents * 4),
        run=run,
    )


MEASURES.register(MeasureKind(KIND, "Likeness in meaning to an example", step=_step))

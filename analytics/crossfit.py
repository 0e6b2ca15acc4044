"""Bits per byte of every document under a language model of the other half of its corpus: the measure ``crossfit``."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.measures import MEASURES, SUPPORTING, MeasureKind, step_name
from tamis.analytics.ngram import NgramModel
from tamis.analytics.operator import Measure
from tamis.analytics.step import Estimate, StepContext, StepSpec
from tamis.analytics.words_step import NAME, WordTable, words_step
from tamis.data.documents import Documents
from tamis.data.hashing import key64, salted

PERPLEXITY = "crossfit_bits_per_byte"
"""Facts column with the values."""

CROSSFIT = Measure("crossfit", (), column=PERPLEXITY)

TRAINED = 64 << 20
"""UTF-8 bytes each of the two models is trained on at most."""

_ROWS = 65_536


def halves(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return which half each document belongs to, int64 (n,), 0 or 1, by keyed hash."""
    return (salted(keys, seed=0, salt="crossfit") >> np.uint64(63)).astype(np.int64)


def crossfit_bits(words: WordTable, documents: Documents, *, trained: int = TRAINED) -> NDArray[np.float32]:
    """Return bits per byte of each document under a model of the other half, float32 (n,), NaN for empty texts.

    Each model is trained on documents in the order of their keyed hashes, up to ``trained`` bytes.
    """
    keys = key64(documents.ids.to_pylist())
    half = halves(keys)
    order = np.lexsort((np.arange(documents.n), salted(keys, seed=1, salt="crossfit")))
    found = np.full(documents.n, np.nan, dtype=np.float32)
    for number in (0, 1):
        mine = order[half[order] == number]
        model = NgramModel.train(words.take(mine[np.cumsum(documents.bytes[mine]) <= trained]))
        others = np.flatnonzero(half != number)
        for first in range(0, len(others), _ROWS):
            rows = others[first : first + _ROWS]
            stream = words.take(rows)
            size = stream.bytes.astype(np.float64)
            found[rows] = np.divide(model.bits(stream), size, out=np.full(len(rows), np.nan), where=size > 0)
    return found


def _step(measure: Measure) -> StepSpec:
    def run(context: StepContext) -> None:
        documents = context.documents
        found = crossfit_bits(WordTable(context.inputs[NAME], documents), documents)
        in_source_order = found[documents.facts_rows]
        values = pa.array(in_source_order, mask=np.isnan(in_source_order))
        context.out.write_table("part-00000", pa.table({"value": values}))
        context.progress.advance(context.corpus.rows)
        context.out.commit(rows=documents.n)

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents", NAME),
        params={"trained": TRAINED, **dict(measure.params)},
        title="Scoring each half with a model of the other",
        estimate=lambda size: Estimate(2 + size.bytes / 30e6, size.documents * 4),
        run=run,
    )


SUPPORTING[NAME] = words_step
MEASURES.register(MeasureKind("crossfit", "Bits per byte under a model of the other half", step=_step))

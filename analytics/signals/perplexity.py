"""Perplexity of every document under a word model, as CCNet sorts web pages (Wenzek et al. 2019, arXiv 1911.00359).

The model is the word trigram of ``trigram_model`` (Witten-Bell, 65,536 word numbers), trained on the corpus itself or
on a reference. On the corpus, no document is scored by a model that has seen it: a hash of their words divides the
documents into two halves, so exact duplicates are in the same half, and the model of one half scores the other.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.signals.definitions import signal_table
from tamis.analytics.signals.signal import SIGNALS
from tamis.analytics.signals.word_numbers import WordTable
from tamis.analytics.steps.engine import Part, PieceInput, Work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.trigram_model import NgramModel
from tamis.analytics.text.word_stream import Vocabulary, WordHashes, WordStream
from tamis.data.corpus import Corpus
from tamis.data.hashing import mix_keys
from tamis.data.open_corpus import open_corpus

NAME = "perplexity"
VERSION = 1
TRAINING_BYTES = 32 << 20
ROWS = 16_384
_MIX = np.uint64(0xD6E8FEB86659FD93)
_ONE, _SHIFT = np.uint64(1), np.uint64(32)

PERPLEXITY = signal_table(
    "perplexity | mean words | Perplexity | 2 to the bits per word, the end counted, under a word trigram model that"
    " has not seen the document; NULL without words.",
    group="Language model",
    convention="wordpunct-1",
    source="Wenzek et al. 2019, arXiv 1911.00359; Witten and Bell 1991",
    step=NAME,
)
SIGNALS.register(*PERPLEXITY)


def perplexities(model: NgramModel, stream: WordStream) -> NDArray[np.float64]:
    """Return 2 ** (bits / (words + 1)) of each document, float64 (n,); NaN without words."""
    counts = stream.counts
    values = np.exp2(model.bits(stream) / (counts + 1))
    values[counts == 0] = np.nan
    return values


def perplexity_step(*, reference: str | Path | None = None, training_bytes: int = TRAINING_BYTES) -> StepSpec:
    """Return the step that measures ``perplexity``.

    Args:
        reference: a corpus to train on instead, for example of good prose; its documents with the smallest content
            hashes are taken up to ``training_bytes``.
        training_bytes: how much text a model is trained on.

    Raises:
        CorpusError: the reference cannot be read.
    """
    trained_on = None if reference is None else open_corpus(reference)

    def run(context: StepContext) -> None:
        table = WordTable(context.inputs["words"], context.documents)
        if trained_on is None:
            values = _cross_scored(context, table, training_bytes)
        else:
            model = NgramModel.train(_reference_stream(trained_on, table.vocabulary, training_bytes))
            values = _score_documents(context, table, np.arange(context.documents.n), model)
        context.out.write_table("facts", pa.table({NAME: PERPLEXITY[0].column(values)}))
        for name in context.out.parts():
            if name != "facts":
                context.out.drop_part(name)
        context.out.commit(rows=context.documents.n)

    return StepSpec(
        name=NAME,
        version=VERSION,
        upstream=("documents", "words"),
        params={
            "training_bytes": training_bytes,
            "reference": "" if trained_on is None else trained_on.text_fingerprint,
        },
        title="Measuring perplexity",
        estimate=lambda size: Estimate(6 + size.bytes / 25e6, size.documents * 4),
        run=run,
    )


def _score_documents(
    context: StepContext, table: WordTable, rows: NDArray[np.int64], model: NgramModel, *, side: int = 0
) -> NDArray[np.float64]:
    """Return the perplexities of the documents at facts rows ``rows``, in pieces that any machine can score."""

    def part(first: int) -> str:
        return f"scored-{side}-{first:010d}"

    def make(first: int, given: PieceInput) -> dict[str, Part]:
        return {part(first): perplexities(given.common, given.own)}

    firsts = range(0, len(rows), ROWS)
    context.fill(
        Work(
            firsts,
            lambda first: (part(first),),
            make,
            lambda first: min(ROWS, len(rows) - first),
            model,
            lambda first: table.take(rows[first : first + ROWS]),
        )
    )
    return np.concatenate([np.empty(0), *(context.out.read_array(part(first)) for first in firsts)])


def _cross_scored(context: StepContext, table: WordTable, training_bytes: int) -> NDArray[np.float64]:
    """Score each half of the documents by a model trained on the other half."""
    keys = _content_keys(context, table)
    half = mix_keys(keys, seed=0, salt="perplexity half") & _ONE
    order = np.lexsort((keys, mix_keys(keys, seed=0, salt="perplexity sample")))
    values = np.full(len(keys), np.nan)
    for side in range(2):
        chosen = order[half[order] != side]
        sizes = context.documents.bytes[chosen]
        chosen = np.sort(chosen[np.cumsum(sizes) <= training_bytes])
        model = NgramModel.train(table.take(chosen))
        rows = np.flatnonzero(half == side)
        values[rows] = _score_documents(context, table, rows, model, side=side)
    return values


def _content_keys(context: StepContext, table: WordTable) -> NDArray[np.uint64]:
    """Return a hash of each document's words, uint64 (n,) in id order."""
    keys = np.empty(context.documents.n, dtype=np.uint64)
    for first in range(0, len(keys), ROWS):
        rows = np.arange(first, min(first + ROWS, len(keys)))
        stream = table.take(rows)
        _hash(stream.words, stream.starts, keys[first : first + ROWS])
    return keys


def _reference_stream(corpus: Corpus, vocabulary: Vocabulary, training_bytes: int) -> WordStream:
    parts = [WordHashes.of(texts) for shard in corpus.shards() for texts in corpus.document_texts(shard)]
    stream = vocabulary.encode(WordHashes.joined(iter(parts)))
    keys = np.empty(len(stream), dtype=np.uint64)
    _hash(stream.words, stream.starts, keys)
    order = np.argsort(keys, kind="stable")
    return stream.take(np.sort(order[np.cumsum(stream.bytes[order]) <= training_bytes]))


@njit(cache=True, nogil=True)
def _hash(words, starts, keys):  # type: ignore[no-untyped-def]
    for document in range(len(starts) - 1):
        key = np.uint64(0)
        for i in range(starts[document], starts[document + 1]):
            key = (key ^ (key >> _SHIFT)) * _MIX + np.uint64(words[i]) + _ONE
        keys[document] = key

"""The step that fits an embedding model to the corpus: the static model is fitted to a sample of precise vectors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding.embedder import precise_embedder
from tamis.analytics.embedding.static_model import MINILM_SHA256, StaticModel, distillation, load_plain_model
from tamis.analytics.embedding.step import TUNED_MODEL, precise_estimate
from tamis.analytics.embedding.tuned_model import ITERATIONS, RIDGE, TunedModel, fit_tuned
from tamis.analytics.steps.step import Estimate, Size, StepContext, StepSpec
from tamis.data.errors import JobError
from tamis.data.hashing import key64, uniform

TUNED_VERSION = 3
SAMPLE_SECONDS = 160.0
"""Estimated time in which the precise model embeds the sample; it decides the size of the sample."""

MOST_SAMPLED = 40_000
"""Maximum size of the sample. On 63,905 descriptions a sample of 20,000 found 0.58 of the precise neighbours, one of
35,541 found 0.69."""

HELD_OUT = 2_000
NEIGHBOURS = 10
_BLOCK = 2_048


def sample_size(size: Size, *, seconds: float = SAMPLE_SECONDS) -> int:
    """Return the estimated number of documents that the precise model embeds in ``seconds``, at most 40,000."""
    whole = precise_estimate(size).seconds
    share = 1.0 if whole <= seconds else seconds / whole
    return min(MOST_SAMPLED, max(1, round(size.documents * share)))


def tuned_model_step(*, seconds: float = SAMPLE_SECONDS, seed: int = 0) -> StepSpec:
    """Return the step that fits token vectors to the precise model's embeddings of a sample of the corpus.

    The model is stored in the workspace as an asset; the artifact's facts name it and state the share of the precise
    model's 10 nearest neighbours that the tuned and the plain static model find, measured on held-out documents of the
    sample.

    Args:
        seconds: estimated cost of embedding the sample, which decides its size.
        seed: of the sample.
    """
    teacher = precise_embedder()

    def run(context: StepContext) -> None:
        texts = sample_texts(context, sample_size(_size(context), seconds=seconds), seed=seed)
        texts.sort(key=lambda text: (len(text), text))
        context.progress.step(TUNED_MODEL, len(texts) + _iteration_weight(texts) * ITERATIONS, "texts")
        parts = []
        for number, first in enumerate(range(0, len(texts), _BLOCK)):
            context.progress.check()
            block, name = texts[first : first + _BLOCK], f"sample-{number:05d}"
            if not context.out.has_part(name):
                context.out.write_array(name, teacher.encode(block))
            parts.append(context.out.read_array(name))
            context.progress.advance(len(block))
        targets = np.concatenate([np.empty((0, teacher.dimensions), dtype=np.float16), *parts])
        for number in range(len(parts)):
            context.out.drop_part(f"sample-{number:05d}")
        _fit(context, texts, targets)

    params = {
        "teacher": MINILM_SHA256,
        "compute": teacher.dtype,
        "base": distillation(),
        "seconds": seconds,
        "most": MOST_SAMPLED,
        "seed": seed,
        "iterations": ITERATIONS,
        "ridge": RIDGE,
    }
    return StepSpec(
        TUNED_MODEL, TUNED_VERSION, ("documents",), params, "Fitting the embedding to the corpus", _estimate, run
    )


def _estimate(size: Size) -> Estimate:
    sampled = sample_size(size)
    share = sampled / max(size.documents, 1)
    return Estimate(15 + share * precise_estimate(size).seconds + 1e-3 * sampled, 150_000_000)


def _size(context: StepContext) -> Size:
    return Size(context.corpus.rows, sum(shard.bytes for shard in context.corpus.shards()))


def _iteration_weight(texts: list[str]) -> int:
    return max(1, len(texts) // 200)


def sample_texts(context: StepContext, wanted: int, *, seed: int) -> list[str]:
    """Return the distinct texts of the documents with the smallest keyed hashes, in id order.

    Args:
        context: of the running step.
        wanted: number of documents to draw.
        seed: of the draw.
    """
    documents = context.documents
    keys = uniform(key64(documents.ids.to_pylist()), seed=seed, salt="tuned")
    chosen = np.zeros(documents.n, dtype=bool)
    chosen[np.argsort(keys, kind="stable")[:wanted]] = True
    found: dict[int, str] = {}
    first = 0
    for shard in context.corpus.shards():
        context.progress.check()
        for texts in context.corpus.document_texts(shard):
            rows = documents.facts_rows[first : first + len(texts)]
            mine = np.flatnonzero(chosen[rows])
            found |= dict(zip(rows[mine].tolist(), texts.take(pa.array(mine)).to_pylist(), strict=True))
            first += len(texts)
    return list(dict.fromkeys(found[row] for row in sorted(found)))


def _fit(context: StepContext, texts: list[str], targets: NDArray[np.float16]) -> None:
    """Fit the model, measure it on the held-out documents, store it and commit."""
    if context.workspace is None:
        raise JobError("A tuned model is stored in a workspace, and this step has none")
    base = load_plain_model(context.models)
    held = mark_held_out(len(texts))
    learnt = ~held
    model = fit_tuned(
        base,
        [text for text, there in zip(texts, learnt.tolist(), strict=True) if there],
        targets[learnt],
        progress=lambda: _advance(context, texts),
    )
    asset = context.workspace.put_table(model.table())
    facts = {"asset": asset, "documents": len(texts), "pairs": len(model.pairs), "neighbours": NEIGHBOURS}
    context.out.commit(rows=1, facts=facts | measure_neighbour_recall(base, model, texts, targets, held))


def _advance(context: StepContext, texts: list[str]) -> None:
    context.progress.check()
    context.progress.advance(_iteration_weight(texts))


def mark_held_out(documents: int) -> NDArray[np.bool_]:
    """Return which documents of the sample are held out from the fit, bool (n,): every tenth, at most ``HELD_OUT``."""
    every = max(10, documents // HELD_OUT)
    return np.arange(documents) % every == every - 1


def measure_neighbour_recall(
    base: StaticModel, model: TunedModel, texts: list[str], targets: NDArray[np.float16], held: NDArray[np.bool_]
) -> dict[str, float | int | None]:
    """Return the share of the precise model's neighbours among the held-out documents that each model finds."""
    rows = np.flatnonzero(held)
    if len(rows) <= NEIGHBOURS + 1:
        return {"held_out": len(rows), "recall": None, "recall_plain": None}
    chosen = [texts[row] for row in rows.tolist()]
    truth = _nearest(targets[rows])
    found = {"recall": _nearest(model.encode(chosen)), "recall_plain": _nearest(base.encode(chosen))}
    shares = {name: float(_overlap(nearest, truth).mean()) for name, nearest in found.items()}
    return {"held_out": len(rows), **shares}


def _nearest(vectors: NDArray[np.float16]) -> NDArray[np.int64]:
    """Return the nearest others of each vector by cosine, int64 (n, 10), ties to the smaller number."""
    wide = vectors.astype(np.float64)
    products = wide @ wide.T
    np.fill_diagonal(products, -np.inf)
    return np.argsort(-products, axis=1, kind="stable")[:, :NEIGHBOURS]


def _overlap(found: NDArray[np.int64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray((found[:, :, None] == truth[:, None, :]).any(axis=2).mean(axis=1))

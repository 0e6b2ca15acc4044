"""The step that embeds every document, shard by shard."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding.embedder import (
    BATCH,
    Embedder,
    PreciseEmbedder,
    checked_dtype,
    fast_embedder,
    precise_embedder,
    tuned_embedder,
)
from tamis.analytics.embedding.image_model import picture_embedder, picture_space
from tamis.analytics.embedding.image_network import BATCH as PICTURE_BATCH
from tamis.analytics.embedding.image_network import FEATURES
from tamis.analytics.embedding.picture_text_model import TwoTowers, two_towers
from tamis.analytics.embedding.static_model import DIMENSIONS, MAX_CHARACTERS, MINILM, distillation
from tamis.analytics.embedding.stored_vectors import PRECISE, embedder_of
from tamis.analytics.steps.engine import PieceInput, RowByRow, shard_work
from tamis.analytics.steps.measures import SUPPORTING
from tamis.analytics.steps.scopes import scoped_in_place
from tamis.analytics.steps.step import Estimate, Size, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.errors import SettingError
from tamis.data.picture_source import states_pictures
from tamis.data.shapes import PICTURE
from tamis.data.shards import Shard
from tamis.data.workspace import Workspace

EMBEDDINGS_VERSION = 1
TUNED_MODEL = "tuned_model"
_ROWS = 4096


def embeddings_step(
    tier: str = "fast", *, model: str = MINILM, dtype: str | None = None, name: str = "embeddings"
) -> StepSpec:
    """Return the step that embeds every document.

    Its parts, in source order, are float16 (rows, d) of unit rows; documents without an embedding are rows of zeros.

    Args:
        tier: ``fast`` (static, tens of thousands of texts a second), ``tuned`` (static, fitted to the corpus) or
            ``precise`` (a sentence-transformers model).
        model: of the precise tier, see ``precise_embedder``; of the tuned tier the digest of a stored model, by
            default the one that the step ``tuned_model`` fits.
        dtype: number format of the precise tier.
        name: name of the step, for analyses with two tiers.

    Raises:
        SettingError: unknown tier or model.
    """
    if tier == "precise":
        return _precise_step(precise_embedder(model, dtype=dtype), name)
    if tier == "tuned":
        return _tuned_step("" if model == MINILM else model, name)
    if tier != "fast":
        raise SettingError("Unknown embedding tier", value=tier, allowed="fast, tuned, precise")
    return _step(
        name,
        params={"tier": "fast", "model": distillation()},
        title="Embedding (fast tier)",
        estimate=fast_estimate,
        embedder=lambda context: fast_embedder(context.models),
    )


def _precise_step(embedder: PreciseEmbedder, name: str) -> StepSpec:
    return _step(
        name,
        params={
            "tier": "precise",
            "weights": embedder.weights,
            "compute": embedder.dtype,
            "batch": BATCH,
            "order": "same tokens",
        },
        title="Embedding (precise tier)",
        estimate=precise_estimate,
        embedder=lambda context: embedder,
    )


def _tuned_step(asset: str, name: str) -> StepSpec:
    """Return the step that embeds with a stored tuned model, or with the one that is fitted to the corpus."""

    def embedder(context: StepContext) -> Embedder:
        wanted = asset or str(context.inputs[TUNED_MODEL].facts["asset"])
        return tuned_embedder(context.stored(wanted), wanted, context.models)

    return _step(
        name,
        params={"tier": "tuned"} | ({"model": asset} if asset else {}),
        title="Embedding (tuned tier)",
        estimate=tuned_estimate,
        embedder=embedder,
        upstream=("documents",) if asset else ("documents", TUNED_MODEL),
    )


def picture_embeddings_step(
    tier: str = "fast", *, model: str = MINILM, dtype: str | None = None, name: str = "embeddings"
) -> StepSpec:
    """Return the step that embeds every picture; its parts are those of ``embeddings_step``.

    Args:
        tier: ``fast`` for the packaged model, ``precise`` for one of pictures and texts, see ``two_towers``.
        model: of the precise tier.
        dtype: number format; None for bfloat16 if the processor supports it.
        name: name of the step.

    Raises:
        SettingError: unknown tier or model.
    """
    if tier == "precise":
        if model == MINILM:
            raise SettingError(
                "The precise tier of pictures needs a model that reads pictures", value=model,
                fix="name a CLIP or SigLIP model: --model NAME or FOLDER, or choose --tier fast",
            )  # fmt: skip
        return _towers_step(two_towers(model, dtype=dtype, threads=os.cpu_count() or 1), name)
    if tier != "fast":
        raise SettingError("Unknown embedding tier of pictures", value=tier, allowed="fast, precise, given")
    compute = checked_dtype(dtype)
    return _step(
        name,
        params={"tier": "picture", "space": picture_space(compute), "compute": compute, "batch": PICTURE_BATCH},
        title="Embedding the pictures",
        estimate=picture_estimate,
        embedder=lambda context: picture_embedder(context.models, dtype=compute, threads=os.cpu_count() or 1),
    )


def _towers_step(embedder: TwoTowers, name: str) -> StepSpec:
    return _step(
        name,
        params={"tier": "precise", "reads": "pictures", "space": embedder.space, "compute": embedder.dtype},
        title="Embedding the pictures (precise tier)",
        estimate=lambda size: Estimate(10 + size.documents * 0.15, size.documents * 1024),
        embedder=lambda context: embedder,
    )


def _step(
    name: str,
    *,
    params: dict[str, Any],
    title: str,
    estimate: Callable[[Size], Estimate],
    embedder: Callable[[StepContext], Embedder],
    upstream: tuple[str, ...] = ("documents",),
) -> StepSpec:
    def run(context: StepContext) -> None:
        embed_corpus(context, embedder(context))

    return StepSpec(name, EMBEDDINGS_VERSION, upstream, params, title, estimate, run)


def embed_corpus(context: StepContext, embedder: Embedder) -> None:
    """Embed every shard that is not done yet and commit.

    Raises:
        SettingError: the embedder reads texts, and these are pictures without captions.
    """
    if embedder.reads == "texts" and not context.corpus.shape.has_texts:
        raise SettingError(
            "These pictures have no captions that this model could read", value=embedder.about["model"]["source"],
            fix="choose the vectors of the analysis: vectors: analysis",
        )  # fmt: skip
    context.fill(shard_work(context.corpus, _embedded, common=embedder, rows_of=_row_by_row(context.corpus, embedder)))
    commit_vectors(context, embedder)


def _row_by_row(corpus: Corpus, embedder: Embedder) -> RowByRow | None:
    """Return that vectors depend on their own row only, None where they do not."""
    # A transformer's vectors depend on the batch they are made in, those of the other tiers on the text alone.
    if isinstance(embedder, PreciseEmbedder):
        return None
    if embedder.reads == "texts":
        return RowByRow(content=embedder.space)
    columns = (corpus.shape.columns[PICTURE],)
    return RowByRow(columns=columns, content=embedder.space) if states_pictures(corpus) else None


def complete_vectors(context: StepContext, embedder: Embedder, known: Callable[[Shard], NDArray[np.float16]]) -> None:
    """Embed the documents whose vectors are not known, shard by shard, and commit all.

    Args:
        context: of the step.
        embedder: of the known vectors.
        known: returns the vectors of a shard, float16 (rows, d), NaN where they are to be made.
    """
    context.fill(shard_work(context.corpus, _completed, common=embedder, own=known))
    commit_vectors(context, embedder)


def _completed(shard: Shard, given: PieceInput) -> NDArray[np.float16]:
    vectors = np.array(given.own, dtype=np.float16)
    asked, first = [], 0
    for texts in _inputs(given.corpus, shard, given.common):
        given.check()
        wanted = np.flatnonzero(np.isnan(vectors[first : first + len(texts), 0]))
        asked += [texts.take(pa.array(wanted))] if len(wanted) else []
        first += len(texts)
    rows = np.flatnonzero(np.isnan(vectors[:, 0]))
    texts = pa.chunked_array(asked).combine_chunks() if asked else pa.array([], pa.string())
    for start in range(0, len(rows), _ROWS):
        given.check()
        vectors[rows[start : start + _ROWS]] = given.common.encode(texts.slice(start, _ROWS))
    return vectors


def commit_vectors(context: StepContext, embedder: Embedder) -> None:
    """Count the documents without a vector and commit the artifact."""
    missing = 0
    for shard in context.corpus.shards():
        # A half is zero if no bit but its sign is set; numpy reads integers fifteen times as fast.
        bits = np.bitwise_or.reduce(context.out.read_array(shard.part).view(np.uint16), axis=1)
        missing += int((bits & 0x7FFF == 0).sum())
    facts = dict(embedder.about) | {"space": embedder.space, "no_embedding": missing}
    context.out.commit(rows=context.documents.n, facts=facts)


def _embedded(shard: Shard, given: PieceInput) -> NDArray[np.float16]:
    """Return the vectors of a shard by the common embedder; the batches depend on the shard only."""
    embedder: Embedder = given.common
    pieces = [np.empty((0, embedder.dimensions), dtype=np.float16)]
    for texts in _inputs(given.corpus, shard, embedder):
        given.check()
        pieces.append(embedder.encode(texts))
        given.advance(len(texts))
    return np.concatenate(pieces)


def _inputs(corpus: Corpus, shard: Shard, embedder: Embedder) -> Iterator[pa.Array]:
    """Yield what an embedder reads of the documents of a shard, some at a time."""
    if embedder.reads == "texts":
        return corpus.document_texts(shard, max_rows=_ROWS)
    return (pictures for pictures, _ in corpus.document_pictures(shard))


def fast_estimate(size: Size) -> Estimate:
    """Return the cost of the fast tier, measured on two cores: 4.8 MB of text a second, 25,000 short texts."""
    read = min(size.bytes, size.documents * MAX_CHARACTERS)
    return Estimate(2 + size.documents * 2e-5 + read / 6e6, size.documents * DIMENSIONS * 2)


def tuned_estimate(size: Size) -> Estimate:
    """Return the cost of the tuned tier, without fitting its model: two thirds of the speed of the fast tier."""
    plain = fast_estimate(size)
    return Estimate(2 + 1.5 * plain.seconds, size.documents * 768)


def precise_estimate(size: Size) -> Estimate:
    """Return the cost of MiniLM in bfloat16 on two cores: about 20,000 tokens a second, at most 256 a text."""
    tokens = min(size.bytes / 4.5, size.documents * 256)
    return Estimate(6 + size.documents * 4e-4 + tokens / 20_000, size.documents * 768)


def picture_estimate(size: Size) -> Estimate:
    """Return the cost of the packaged picture model, measured on two cores: 100 to 200 pictures a second."""
    return Estimate(3 + size.documents / 150, size.documents * FEATURES * 2)


def read_or_embed(shard: Shard, given: PieceInput, embedder: Embedder | None) -> NDArray[np.float16]:
    """Return the vectors of a shard: its own input, or made by ``ShardVectors.embedder``."""
    if embedder is None:
        return np.asarray(given.own)
    return _embedded(shard, replace(given, common=embedder))


def embeddings_like(artifact: Artifact, workspace: Workspace) -> StepSpec:
    """Return the step that embeds another corpus in the space of an embeddings artifact.

    Raises:
        SettingError, StoreError: as ``embedder_of``.
    """
    found, scope = embedder_of(artifact, workspace), artifact.manifest.key["params"].get("of")
    if isinstance(found, PreciseEmbedder):
        step = _precise_step(found, "embeddings")
    elif isinstance(found, TwoTowers):
        step = _towers_step(found, "embeddings")
    elif artifact.facts["tier"] == "picture":
        step = picture_embeddings_step(dtype=artifact.facts["compute"])
    else:
        step = _tuned_step(found.space, "embeddings") if artifact.facts["tier"] == "tuned" else embeddings_step()
    return scoped_in_place(step, scope) if scope else step


SUPPORTING[PRECISE] = lambda: embeddings_step("precise", name=PRECISE)

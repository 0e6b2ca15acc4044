"""Fitted relevance scorers on a target and a corpus; each is stored under the digest of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.effect.target import Target, TargetEntry
from tamis.analytics.embedding.stored_vectors import load_vectors, text_embedder_of
from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.analytics.signals.relevance import Dsir, LinearVectors, LinearWords, MooreLewis, Similarity
from tamis.analytics.signals.relevance_step import METHODS, Scorer
from tamis.analytics.steps.chosen_texts import sample_within, words_of
from tamis.analytics.study.study import Study, find_artifact
from tamis.analytics.text.word_stream import WordHashes
from tamis.data.artifact import Artifact
from tamis.data.errors import RecipeError, SettingError
from tamis.data.progress import NullProgress, Progress
from tamis.data.store import ArtifactKey

VERSION = 1
CORPUS_BYTES = 32 << 20
MOST_TARGET = 5_000
OPERATOR_OF = {
    "dsir": "dsir",
    "moore_lewis": "moore_lewis",
    "classifier": "target_classifier",
    "embedding_classifier": "embedding_classifier",
    "similarity": "target_similarity",
}
"""Method -> name of the operator that uses it."""


def fit_scorer(study: Study, target: Target, method: str, *, nearest: int = 1, progress: Progress | None = None) -> str:
    """Fit a scorer on the visible half of a target against a sample of the corpus, store it, and return its digest.

    The sample takes documents by keyed hash up to 32 MB. A stored fit is reused.

    Args:
        study: the corpus.
        target: the wanted texts; only the half that recipes may see is read.
        method: one of ``METHODS``.
        nearest: number of largest cosines that count, for ``similarity``.
        progress: where to report.

    Raises:
        RecipeError: unknown method.
        SettingError: the method needs embeddings and the corpus has none.
    """
    if method not in METHODS:
        raise RecipeError("Unknown relevance method", value=method, allowed=METHODS)
    watch = progress or NullProgress()
    by_vectors = METHODS[method].input == "vectors"
    upstream = (embeddings_of(study).digest,) if by_vectors else ()
    params = {"target": target.digest, "halves": target.halves, "method": method, "bytes": CORPUS_BYTES}
    if method == "similarity":
        params["nearest"] = nearest
    key = ArtifactKey("scorer", VERSION, study.corpus.text_fingerprint, params, upstream)
    found = study.workspace.store.find(key)
    if found is not None and study.workspace.asset_path(str(found.facts["scorer"])).is_file():
        return str(found.facts["scorer"])
    watch.step("fitting", study.corpus.rows)
    with study.workspace.store.writer(key) as out:
        fit: Callable[..., Scorer] = _fit_vectors if by_vectors else _fit_words
        scorer = fit(study, target, method, nearest, watch)
        digest = study.workspace.put_table(scorer.table())
        out.commit(rows=len(target), facts={"scorer": digest})
    return digest


def relevance_operator(
    study: Study,
    target: Target,
    entry: TargetEntry,
    method: str,
    *,
    progress: Progress | None = None,
    **params: Any,
) -> Operator:
    """Fit a scorer and return the rule that uses it.

    Args:
        study: the corpus.
        target: the texts.
        entry: names the target in the rule.
        method: one of ``METHODS``.
        progress: where to report.
        params: of the operator, for example ``share=0.1``.
    """
    model = fit_scorer(study, target, method, progress=progress)
    return OPERATORS.build(OPERATOR_OF[method], {"model": model, "target": entry.name, **params})


def embeddings_of(study: Study) -> Artifact:
    """Return the embeddings of an analysed corpus.

    Raises:
        SettingError: it has none.
    """
    found = find_artifact(study, "embeddings")
    if found is None:
        raise SettingError("This needs embeddings", value=study.corpus.name, fix="analyse the corpus with embeddings")
    return found


def corpus_sample(study: Study, *, limit: int = CORPUS_BYTES, most: int | None = None) -> NDArray[np.int64]:
    """Return the facts rows that stand for the corpus in a fit, in the order of their keyed hashes, int64 (m,)."""
    return sample_within(study.facts.keys, study.documents.bytes, limit, seed=0, salt="corpus sample", most=most)


def _fit_words(study: Study, target: Target, method: str, nearest: int, progress: Progress) -> Scorer:
    wanted = WordHashes.of(target.seen)
    corpus = words_of(study.corpus, study.documents, corpus_sample(study), progress=progress)
    model: Dsir | MooreLewis | LinearWords
    if method == "dsir":
        model = Dsir.fit(wanted, corpus)
    elif method == "moore_lewis":
        model = MooreLewis.fit(wanted, corpus)
    else:
        model = LinearWords.fit(wanted, corpus)
    return Scorer(model, {"target": target.digest, "corpus": study.corpus.text_fingerprint})


def _fit_vectors(study: Study, target: Target, method: str, nearest: int, progress: Progress) -> Scorer:

    artifact = embeddings_of(study)
    wanted = text_embedder_of(artifact, study.workspace).encode(target.seen[:MOST_TARGET]).astype(np.float32)
    wanted = wanted[wanted.any(axis=1)]
    if not len(wanted):
        raise SettingError("No text of the target has an embedding", value=target.digest)
    model: LinearVectors | Similarity
    if method == "similarity":
        model = Similarity(wanted, nearest)
    else:
        rows = np.sort(corpus_sample(study, most=20 * max(len(wanted), 500)))
        vectors = load_vectors(artifact, study.documents)[rows].astype(np.float32)
        model = LinearVectors.fit(wanted, vectors[vectors.any(axis=1)])
    about = {"target": target.digest, "corpus": study.corpus.text_fingerprint, "space": artifact.facts["space"]}
    return Scorer(model, about)

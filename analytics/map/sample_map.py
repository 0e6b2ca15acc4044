"""A map of a keyed sample, drawn within a minute: people look at it until the map of all documents is there.

It is laid out like the map of all, from the same principal axes of vectors of the fast tier. Nothing is made from it:
the map of all documents is the same with and without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding.copies import Copies
from tamis.analytics.embedding.embedder import fast_embedder
from tamis.analytics.embedding.neighbours import NEIGHBOURS, knn_graph
from tamis.analytics.embedding.static_model import distillation
from tamis.analytics.map.layout import epochs_for, umap_layout
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.hashing import uniform
from tamis.data.store import ArtifactKey, Store

SAMPLE_MAP = "sample_map"
DOCUMENTS = 20_000
"""Documents of the sample: two processors embed, join and lay out so many within a minute."""

FROM = 3 * DOCUMENTS
"""Number of documents from which a map is first drawn for a sample; a smaller one is there nearly as soon."""

_VERSION = 1
_BLOCK = 2_000


def sample_map_step(*, seed: int = 0, documents: int = DOCUMENTS) -> StepSpec:
    """Return the step that lays out a keyed sample of the documents.

    Its artifact, in facts order: ``x`` and ``y`` float32 (n,), NaN for documents that are not drawn or have no vector.

    Args:
        seed: of the sample and the layout.
        documents: how many are drawn; all if there are fewer.
    """

    def run(context: StepContext) -> None:
        rows, progress = drawn_rows(context.documents, documents, seed=seed), context.progress
        epochs = epochs_for(len(rows))
        progress.step(SAMPLE_MAP, len(rows) * (epochs + 1), "points moved")
        vectors = _vectors(context, rows)
        copies = Copies.of(vectors)
        different = vectors[copies.rows]
        graph = knn_graph(different, k=NEIGHBOURS, seed=seed, check=progress.check)
        laid = umap_layout(different, graph, seed=seed, epochs=epochs, check=progress.check, advance=progress.advance)[
            copies.group
        ]
        for axis, name in enumerate("xy"):
            places = np.full(context.documents.n, np.nan, dtype=np.float32)
            places[rows] = laid[:, axis]
            context.out.write_array(name, places)
        context.out.commit(rows=context.documents.n, facts={"drawn": len(rows), "seed": seed, "tier": "fast"})

    return StepSpec(
        name=SAMPLE_MAP,
        version=_VERSION,
        upstream=("documents",),
        params={"documents": documents, "seed": seed, "model": distillation()},
        title="Drawing the map of a sample",
        estimate=lambda size: Estimate(25 + size.bytes / 500e6, size.documents * 8),
        run=run,
    )


def drawn_rows(documents: Documents, count: int, *, seed: int) -> NDArray[np.int64]:
    """Return the facts rows of the sample, int64, ascending: those with the smallest keyed hash of their id."""
    chance = uniform(documents.keys, seed=seed, salt=SAMPLE_MAP)
    return np.sort(np.lexsort((np.arange(documents.n), chance))[:count]).astype(np.int64)


def _vectors(context: StepContext, rows: NDArray[np.int64]) -> NDArray[np.float16]:
    """Return the vectors of the drawn documents, (m, d)."""
    embedder = fast_embedder(context.models)
    found = []
    for texts in _texts(context, rows):
        found.append(embedder.encode(texts))
        context.progress.advance(len(texts))
    return np.concatenate(found) if found else np.empty((0, 1), dtype=np.float16)


def _texts(context: StepContext, rows: NDArray[np.int64]) -> Iterator[pa.Array]:
    """Yield the texts of the drawn documents in their order, some at a time."""
    for start in range(0, len(rows), _BLOCK):
        context.progress.check()
        table = context.corpus.fetch(context.documents, rows[start : start + _BLOCK])
        yield context.corpus.texts_of(table)


@dataclass(frozen=True)
class Displacement:
    """How far the documents of a sample lie from where its own map had them, once the map of all is there.

    Attributes:
        median, most: distance as a share of the width of the map; ``most`` is the 95th percentile.
        turned: the same median after the turn, mirror image and scale that fit best (Procrustes): what of it is form.
        documents: that are on both maps.
    """

    median: float
    most: float
    turned: float
    documents: int


def find_displacement(
    corpus: Corpus, store: Store, documents: Artifact, full: Artifact, *, seed: int = 0
) -> Displacement | None:
    """Return how far the documents of a sample lie from where its map had them, None where no sample was drawn.

    Args:
        corpus: the corpus.
        store: that may hold the map of the sample.
        documents: artifact of the documents.
        full: artifact of the map of all of them.
        seed: of the sample.
    """
    step = sample_map_step(seed=seed)
    key = ArtifactKey(step.name, step.version, corpus.text_fingerprint, step.params, (documents.digest,))
    drawn = store.find(key)
    if drawn is None:
        return None
    before, after = (np.column_stack([found.array(axis) for axis in "xy"]) for found in (drawn, full))
    return displacement(before, after)


def displacement(before: NDArray[np.float32], after: NDArray[np.float32]) -> Displacement:
    """Compare two maps of the same documents.

    Args:
        before: float32 (n, 2), NaN for documents that are not on it.
        after: float32 (n, 2), the same.
    """
    there = np.isfinite(before[:, 0]) & np.isfinite(after[:, 0])
    if np.count_nonzero(there) < 2:
        return Displacement(0.0, 0.0, 0.0, int(np.count_nonzero(there)))
    old, new = before[there].astype(np.float64), after[there].astype(np.float64)
    width = float(np.ptp(np.percentile(new, [0.5, 99.5], axis=0), axis=0).max()) or 1.0
    moved = np.linalg.norm(new - old, axis=1) / width
    old_centred, new_centred = old - old.mean(axis=0), new - new.mean(axis=0)
    left, strength, right = np.linalg.svd(old_centred.T @ new_centred)
    scale = strength.sum() / max(float((old_centred**2).sum()), 1e-12)
    rest = np.linalg.norm(new_centred - scale * old_centred @ (left @ right), axis=1) / width
    return Displacement(float(np.median(moved)), float(np.percentile(moved, 95)), float(np.median(rest)), len(old))

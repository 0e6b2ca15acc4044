"""The documents nearest in meaning to one document, by its vector: for display, not for decisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding.kmeans import rescale_rows
from tamis.analytics.embedding.stored_vectors import PRECISE
from tamis.analytics.steps.measures import SUPPORTING
from tamis.analytics.steps.pipeline import plan_steps
from tamis.analytics.study.study import Study
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents

_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest documents.

    Attributes:
        rows: int64 (k,), facts rows, nearest first, ties by id; the document itself is left out.
        cosine: float32 (k,).
        tier: of the vectors, for the caption of a page.
        recall: measured share of true neighbours in their graph; 1.0 where all vectors were compared.
    """

    rows: NDArray[np.int64]
    cosine: NDArray[np.float32]
    tier: str
    recall: float = 1.0

    def table(self, ids: pa.Array) -> pa.Table:
        """Return ``row``, ``id`` and ``cosine``, given the ids of all documents."""
        return pa.table({"row": self.rows, "id": ids.take(pa.array(self.rows)), "cosine": self.cosine})


def vectors_of(study: Study) -> Artifact | None:
    """Return the vectors a study has, precise ones first, None when nothing was embedded yet."""
    return find_vectors(study, PRECISE) or find_vectors(study, "embeddings")


def find_vectors(study: Study, name: str) -> Artifact | None:
    """Return the artifact of a step, None when it has not run."""
    known = {name: make() for name, make in SUPPORTING.items()} | {step.name: step for step in study.evidence.steps}
    if name not in known:
        return None
    plan = plan_steps(study.corpus, study.workspace, study.evidence.steps_for([known[name]]))
    return next((study.workspace.store.find(one.key) for one in plan if one.spec.name == name), None)


def neighbours_of(study: Study, row: int, *, k: int = 10) -> Neighbours | None:
    """Return the neighbours of a document, from the neighbour graph where its vectors are those of the map.

    Without a graph, or when ``k`` exceeds its neighbours, all vectors are compared.

    Args:
        study: an analysed corpus.
        row: facts row of the document.
        k: how many neighbours.

    Returns:
        None when nothing was embedded yet, or the document has no vector.
    """
    vectors, graph = vectors_of(study), find_vectors(study, "knn")
    if vectors is None:
        return None
    if vectors.manifest.step == PRECISE:
        graph = None
    if graph is None or int(graph.facts["k"]) < k:
        return nearest_documents(vectors, study.documents, row, k=k)
    rows = np.asarray(graph.array("indices", mmap=True)[row, :k], dtype=np.int64)
    there = rows >= 0
    if not there.any():
        return None
    cosine = np.float32(1.0) - np.asarray(graph.array("distances", mmap=True)[row, :k], dtype=np.float32)
    return Neighbours(rows[there], cosine[there], str(vectors.facts["tier"]), float(graph.facts["recall"]))


def vector_of(vectors: Artifact, documents: Documents, row: int) -> NDArray[np.floating]:
    """Return the vector of one document by its facts row, (d,), zeros if it has none."""
    parts = [vectors.array(name, mmap=True) for name in vectors.parts("part-")]
    ends = np.cumsum([len(part) for part in parts])
    place = int(documents.part_order[row])
    which = int(np.searchsorted(ends, place, side="right"))
    return np.asarray(parts[which][place - (ends[which] - len(parts[which]))])


def nearest_documents(vectors: Artifact, documents: Documents, row: int, *, k: int = 10) -> Neighbours | None:
    """Compare one document with all others, exactly, part by part; None when it has no vector.

    Args:
        vectors: artifact of an embeddings step.
        documents: of the same corpus.
        row: facts row of the document.
        k: how many neighbours.
    """
    parts = [vectors.array(name, mmap=True) for name in vectors.parts("part-")]
    own = vector_of(vectors, documents, row)
    if not own.any():
        return None
    unit = rescale_rows(own[None])[0]
    rows, cosines = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.float32)]
    first = 0
    for part in parts:
        for start in range(0, len(part), _ROWS):
            piece = np.asarray(part[start : start + _ROWS])
            found = rescale_rows(piece) @ unit
            others = documents.facts_rows[first + start : first + start + len(piece)]
            found[(others == row) | ~piece.any(axis=1)] = -np.inf
            best = np.argpartition(-found, min(k, len(found) - 1))[:k] if len(found) > k else np.arange(len(found))
            rows.append(others[best])
            cosines.append(found[best])
        first += len(part)
    row_, cosine = np.concatenate(rows), np.concatenate(cosines)
    order = np.lexsort((row_, -cosine))[:k]
    order = order[np.isfinite(cosine[order])]
    return Neighbours(row_[order], cosine[order], str(vectors.facts["tier"]))

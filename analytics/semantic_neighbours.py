"""The documents nearest in meaning to one document, by its vector: for looking, not for deciding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.matrix import lengthened
from tamis.analytics.measures import SUPPORTING
from tamis.analytics.pipeline import plan_steps
from tamis.analytics.semantic import PRECISE
from tamis.analytics.study import Study
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents

_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest documents.

    Attributes:
        rows: int64 (k,), facts rows, nearest first, ties by id; the document itself is left out.
        cosine: float32 (k,).
        tier: of the vectors, so that a page can say what it shows.
    """

    rows: NDArray[np.int64]
    cosine: NDArray[np.float32]
    tier: str

    def table(self, ids: pa.Array) -> pa.Table:
        """Return ``row``, ``id`` and ``cosine``, given the ids of all documents."""
        return pa.table({"row": self.rows, "id": ids.take(pa.array(self.rows)), "cosine": self.cosine})


def vectors_of(study: Study) -> Artifact | None:
    """Return the vectors a study has, precise ones first, None when nothing was embedded yet."""
    known = {name: make() for name, make in SUPPORTING.items()} | {step.name: step for step in study.evidence.steps}
    for step in (known[name] for name in (PRECISE, "embeddings") if name in known):
        plan = plan_steps(study.corpus, study.workspace, study.evidence.steps_for([step]))
        found = next((study.workspace.store.find(one.key) for one in plan if one.spec.name == step.name), None)
        if found is not None:
            return found
    return None


def nearest_documents(vectors: Artifact, documents: Documents, row: int, *, k: int = 10) -> Neighbours | None:
    """Compare one document with all others, exactly, part by part; None when it has no vector.

    Args:
        vectors: artifact of an embeddings step.
        documents: of the same corpus.
        row: facts row of the document.
        k: how many neighbours.
    """
    parts = [vectors.array(name, mmap=True) for name in vectors.parts("part-")]
    ends = np.cumsum([len(part) for part in parts])
    place = int(documents.part_order[row])
    which = int(np.searchsorted(ends, place, side="right"))
    own = np.asarray(parts[which][place - (ends[which] - len(parts[which]))])
    if not own.any():
        return None
    unit = lengthened(own[None])[0]
    rows, cosines = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.float32)]
    first = 0
    for part in parts:
        for start in range(0, len(part), _ROWS):
            piece = np.asarray(part[start : start + _ROWS])
            found = lengthened(piece) @ unit
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

"""How alike every document is to one document or to a sentence: cosines of embeddings, for display and colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.embedding.kmeans import rescale_rows
from tamis.analytics.embedding.step import embedder_of
from tamis.analytics.study.map_points import MapGroups, bands_of
from tamis.analytics.study.nearest_documents import vectors_of
from tamis.analytics.study.study import Study
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents
from tamis.data.errors import RecipeError
from tamis.data.hashing import digest

LONGEST = 2_000
"""Characters of a sentence."""

_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class Likeness:
    """Similarity of all documents to a target. Exact: every vector is compared.

    Attributes:
        cosine: float32 (n,) in facts order, NaN for a document without a vector.
        tier: of the vectors.
        name: identifies target and vectors.
    """

    cosine: NDArray[np.float32]
    tier: str
    name: str

    def groups(self) -> MapGroups:
        """Return bands of cosine to colour the map by, between the percentiles 0.5 and 100."""
        known = self.cosine[~np.isnan(self.cosine)].astype(np.float64)
        low = float(np.partition(known, int(0.005 * (len(known) - 1)))[int(0.005 * (len(known) - 1))])
        return bands_of(self.cosine.astype(np.float64), low, float(known.max()), self.name)


def likeness(study: Study, target: int | str) -> Likeness:
    """Return how alike every document is to a target; cached.

    Args:
        study: an analysed corpus.
        target: facts row of a document, or a sentence.

    Raises:
        RecipeError: there are no vectors, the document has none, or the sentence is empty, too long or has none.
        SettingError: the vectors were given, so no sentence can be compared.
    """
    vectors = vectors_of(study)
    if vectors is None:
        raise RecipeError("Nothing is embedded yet, so nothing can be compared", fix="run the embedding step")
    name = f"likeness_{digest([vectors.digest, target])[:24]}"

    def measure() -> Likeness:
        own = _vector_at(vectors, study.documents, target) if isinstance(target, int) else _embedded(study, target)
        return Likeness(cosines(vectors, study.documents, own), str(vectors.facts["tier"]), name)

    return study.facts.memo.through((study.facts.digest, name), measure, size=lambda found: found.cosine.nbytes)


def _embedded(study: Study, sentence: str) -> NDArray[np.float32]:
    """Return the unit vector of a sentence in the space of the corpus, float32 (d,)."""
    vectors = vectors_of(study)
    assert vectors is not None
    if not sentence.strip() or len(sentence) > LONGEST:
        raise RecipeError("Not a sentence to compare with", value=len(sentence), allowed=f"1 to {LONGEST} characters")
    found = embedder_of(vectors, study.workspace).encode([sentence.strip()])[0]
    if not found.any():
        raise RecipeError("The model knows none of these words", value=sentence[:80], fix="write it another way")
    return np.asarray(rescale_rows(found[None])[0])


def _vector_at(vectors: Artifact, documents: Documents, row: int) -> NDArray[np.float32]:
    """Return the unit vector of a document, float32 (d,)."""
    if not 0 <= row < documents.n:
        raise RecipeError("There is no such document", value=row, allowed=f"0 to {documents.n - 1}")
    place, first = int(documents.part_order[row]), 0
    for name in vectors.parts("part-"):
        part = vectors.array(name, mmap=True)
        if place < first + len(part):
            own = np.asarray(part[place - first])
            if not own.any():
                raise RecipeError("This document has no embedding", value=row, fix="choose another one")
            return np.asarray(rescale_rows(own[None])[0])
        first += len(part)
    raise RecipeError("This document has no embedding", value=row, fix="choose another one")


def cosines(vectors: Artifact, documents: Documents, unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine of every document's vector with a unit vector, float32 (n,), NaN for documents without one."""
    found = np.full(documents.n, np.nan, dtype=np.float32)
    first = 0
    for name in vectors.parts("part-"):
        part = vectors.array(name, mmap=True)
        for start in range(0, len(part), _ROWS):
            piece = np.asarray(part[start : start + _ROWS])
            rows = documents.facts_rows[first + start : first + start + len(piece)]
            found[rows] = np.where(piece.any(axis=1), rescale_rows(piece) @ unit, np.nan)
        first += len(part)
    return found

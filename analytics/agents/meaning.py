"""How near in meaning every document is to a sentence, by the vectors the corpus has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding.kmeans import rescale_rows
from tamis.analytics.embedding.step import embedder_of, load_vectors
from tamis.analytics.study.nearest_documents import vectors_of
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError

_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class Likeness:
    """How near in meaning documents are to a sentence.

    Attributes:
        cosine: float32 (n,), in facts order, NaN for documents without a vector.
        tier: of the vectors.
    """

    cosine: NDArray[np.float32]
    tier: str


def documents_like(study: Study, sentence: str) -> Likeness:
    """Compare all documents with a sentence, exactly.

    Raises:
        SettingError: the corpus has no vectors, its model is not here, or it knows no word of the sentence.
    """
    artifact = vectors_of(study)
    if artifact is None:
        raise SettingError(
            "This corpus has no embedding", value=study.corpus.name, fix="search by words, regex or condition"
        )
    wanted = rescale_rows(embedder_of(artifact, study.workspace).encode(pa.array([sentence], pa.large_string())))[0]
    if not wanted.any():
        raise SettingError("The embedding knows no word of this", value=sentence, fix="use other words")
    vectors = load_vectors(artifact, study.documents)
    cosine = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), _ROWS):
        part = vectors[start : start + _ROWS]
        near = rescale_rows(part) @ wanted
        cosine[start : start + len(part)] = np.where(part.any(axis=1), near, np.float32(np.nan))
    return Likeness(cosine, str(artifact.facts["tier"]))

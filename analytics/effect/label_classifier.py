"""A classifier that people teach: labels become a linear classifier on embeddings, its rule, and what to label next.

Labels are documents of the corpus (by id, by a selection such as a search or a tag, by votes of reviewers) and texts
from elsewhere. The scorer is the one of ``embedding_classifier``, its scores calibrated to log-odds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.effect.holdout_curve import (
    Calibration,
    CurvePoint,
    LabelledVectors,
    calibrate,
    holdout_curve,
)
from tamis.analytics.effect.target import read_texts
from tamis.analytics.embedding.stored_vectors import PRECISE, load_vectors, text_embedder_of
from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.operators.relevance import EmbeddingClassifier
from tamis.analytics.signals.likeness import Vectors
from tamis.analytics.signals.relevance import LinearVectors
from tamis.analytics.signals.relevance_step import Scorer
from tamis.analytics.study.meaning import meaning_vectors
from tamis.analytics.study.scene import Scene
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.hashing import mix_keys

CANDIDATES, POOL, NEAREST = 2_000, 20_000, 10
SAME = 0.95
"""Cosine from which a document says hardly more than a labelled or a proposed one."""

_ROWS = 65_536


@dataclass(frozen=True)
class Examples:
    """The examples of one class.

    Attributes:
        rows: facts rows of documents of the corpus.
        texts: texts from elsewhere.
    """

    rows: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()

    def __add__(self, other: Examples) -> Examples:
        return Examples(self.rows + other.rows, self.texts + other.texts)

    @classmethod
    def of_ids(cls, study: Study, ids: Sequence[str]) -> Examples:
        """Return documents of the corpus by their ids.

        Raises:
            SettingError: the corpus has no document of an id.
        """
        places = pc.index_in(pa.array(ids, pa.string()), study.facts.ids)
        unknown = [name for name, place in zip(ids, places.to_pylist(), strict=True) if place is None]
        if unknown:
            raise SettingError(
                f"{len(unknown):,} of {len(ids):,} examples are no documents of this corpus",
                value=unknown[0],
                fix="give ids of this corpus, or the texts themselves",
            )
        return cls(rows=tuple(places.to_pylist()))

    @classmethod
    def of_selection(cls, study: Study, selection: Sequence[RowOperator]) -> Examples:
        """Return the documents that a selection holds: of any page, a search, or a tag.

        Raises:
            SettingError: it holds none.
            RecipeError: as ``Scene.build``.
        """
        rows = np.flatnonzero(Scene.build(study.facts, study.evidence, selection=selection).selected)
        if not len(rows):
            raise SettingError("This selection holds no document", fix="select examples")
        return cls(rows=tuple(rows.tolist()))

    @classmethod
    def of_file(cls, study: Study, path: str | Path) -> Examples:
        """Return the examples of a file: texts as ``read_texts`` reads them, or JSON Lines with ``id`` and no text.

        Raises:
            CorpusError: the file cannot be read.
            SettingError: unknown ids.
        """
        given = Path(path).expanduser()
        ids = _ids_of(given)
        if ids is not None:
            return cls.of_ids(study, ids)
        return cls(texts=tuple(text for text in read_texts(given) if text and text.strip()))


def _ids_of(path: Path) -> list[str] | None:
    """Return the ids of JSON Lines whose objects have ``id`` alone, None for any other file."""
    if path.suffix.lower() not in (".jsonl", ".ndjson") or not path.is_file():
        return None
    found = []
    for line in path.read_bytes().decode("utf-8", "replace").splitlines():
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            return None
        if not isinstance(value, Mapping) or set(value) != {"id"}:
            return None
        found.append(str(value["id"]))
    return found or None


@dataclass(frozen=True, eq=False)
class LabelClassifier:
    """A classifier learnt from labels, with what is known of it.

    Attributes:
        model: digest of the stored scorer; its scores are calibrated log-odds.
        name: of the class, for people.
        scorer: the scores.
        vectors: which vectors of the corpus it reads.
        tier: of these vectors, for people.
        examples: what it learnt from.
        curve: average precision of held-out examples by number of labels.
        calibration: whether its probabilities are what they say.
    """

    model: str
    name: str
    scorer: LinearVectors
    vectors: Vectors
    tier: str
    examples: LabelledVectors
    curve: tuple[CurvePoint, ...]
    calibration: Calibration

    def rule(self, min_probability: float = 0.5) -> EmbeddingClassifier:
        """Return the rule that keeps documents of at least this probability."""
        return EmbeddingClassifier(
            model=self.model,
            target=self.name,
            min_probability=min_probability,
            vectors="precise" if self.vectors == "precise" else None,
        )


def train_classifier(study: Study, like: Examples, unlike: Examples, *, name: str = "") -> LabelClassifier:
    """Fit a classifier on labels, cross-validate and calibrate it, and store its scorer.

    Args:
        study: a corpus with embeddings; precise ones are read where they exist.
        like, unlike: examples of the class and of what does not belong to it.
        name: of the class, for the rule's sentence.

    Raises:
        SettingError: nothing was embedded, one class is missing or has too few different examples, or an example
            has both labels.
    """
    artifact = meaning_vectors(study)
    own = load_vectors(artifact, study.documents)
    encode = text_embedder_of(artifact, study.workspace).encode if like.texts or unlike.texts else None
    parts = []
    for each in (like, unlike):
        found = [own[np.array(each.rows, dtype=np.int64)]]
        found += [encode(list(each.texts))] if encode is not None and each.texts else []
        parts.append(np.concatenate(found))
    examples = LabelledVectors.of(*parts)
    calibration = calibrate(examples)
    scorer = calibration.apply(examples.fit())
    about = {"target": name, "corpus": study.corpus.text_fingerprint, "space": str(artifact.facts["space"])}
    return LabelClassifier(
        model=study.workspace.put_table(Scorer(scorer, about).table()),
        name=name,
        scorer=scorer,
        vectors="precise" if artifact.manifest.step == PRECISE else "analysis",
        tier=str(artifact.facts["tier"]),
        examples=examples,
        curve=holdout_curve(examples),
        calibration=calibration,
    )


@dataclass(frozen=True)
class Informative:
    """A document whose label would teach much.

    Attributes:
        row: facts row.
        id: of the document.
        probability: that the classifier gives it.
        density: mean cosine with its nearest documents.
        value: uncertainty times density, 0 to 1.
    """

    row: int
    id: str
    probability: float
    density: float
    value: float


def next_to_label(study: Study, classifier: LabelClassifier, *, most: int = 10) -> tuple[Informative, ...]:
    """Return the documents whose labels would teach most: uncertain ones that stand for many others.

    Uncertainty is 1 - |2p - 1|. Density is the mean cosine with the ``NEAREST`` documents of a sample of ``POOL`` by
    keyed hash (of all, when there are no more). Only the ``CANDIDATES`` most uncertain documents are compared. A
    document that is nearly equal to a labelled or an earlier one is passed over. Ties go to the smaller id. Source:
    Settles and Craven 2008, "An analysis of active learning strategies", section 3.3 (information density).
    """
    vectors = load_vectors(meaning_vectors(study), study.documents)
    scores = scores_of(classifier.scorer, vectors)
    found = informative(vectors, scores, study.facts.keys, classifier.examples.vectors, most=most)
    return tuple(
        Informative(row, study.facts.ids[row].as_py(), probability, density, value)
        for row, probability, density, value in found
    )


def scores_of(model: LinearVectors, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the scores of many vectors, float64 (n,), NaN for rows of zeros; a block of them at a time."""
    parts = [model.score(vectors[start : start + _ROWS]) for start in range(0, len(vectors), _ROWS)]
    return np.concatenate([np.empty(0), *parts])


def informative(
    vectors: NDArray[np.floating],
    scores: NDArray[np.float64],
    keys: NDArray[np.uint64],
    labelled: NDArray[np.floating],
    *,
    most: int,
) -> list[tuple[int, float, float, float]]:
    """Return row, probability, density and value of each document to label, see ``next_to_label``.

    Args:
        vectors: (n, d), unit rows or zeros, in the order of ids.
        scores: float64 (n,), log-odds, NaN for rows of zeros.
        keys: uint64 (n,), of the ids.
        labelled: (m, d), unit rows that have a label.
        most: how many.
    """
    rows = np.flatnonzero(~np.isnan(scores))
    probability = 1 / (1 + np.exp(-np.clip(scores, -500, 500)))
    uncertainty = np.round(1 - np.abs(2 * probability - 1), 6)
    candidates = rows[np.lexsort((rows, -uncertainty[rows]))[:CANDIDATES]]
    pool = rows[np.lexsort((rows, mix_keys(keys[rows], seed=0, salt="density of labels")))[:POOL]]
    if not len(candidates):
        return []
    density = _density(vectors, candidates, pool)
    value = np.round(uncertainty[candidates] * density, 6)
    known = np.asarray(labelled, dtype=np.float32)
    found: list[tuple[int, float, float, float]] = []
    for place in np.lexsort((candidates, -value)):
        if len(found) == most:
            break
        row = int(candidates[place])
        own = vectors[row].astype(np.float32)
        if len(known) and float((known @ own).max()) >= SAME:
            continue
        known = np.concatenate([known, own[None]])
        found.append((row, float(probability[row]), float(density[place]), float(value[place])))
    return found


def _density(
    vectors: NDArray[np.floating], candidates: NDArray[np.int64], pool: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the mean cosine of each candidate with its nearest documents of the pool but itself, at least 0."""
    others = vectors[pool].astype(np.float32)
    found = np.zeros(len(candidates))
    for start in range(0, len(candidates), 256):
        part = candidates[start : start + 256]
        cosines = vectors[part].astype(np.float32) @ others.T
        cosines[part[:, None] == pool[None, :]] = -1.0
        nearest = min(NEAREST, len(pool))
        best = np.partition(cosines, len(pool) - nearest, axis=1)[:, len(pool) - nearest :]
        # Sums of single precision differ in the last bits between machines; four digits do not.
        found[start : start + len(part)] = np.round(np.maximum(best, 0.0).mean(axis=1, dtype=np.float64), 4)
    return found

"""Search by meaning: an example (a sentence or a document), how like it every document is, and floors for a cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.embedding.embedder import Embedder
from tamis.analytics.embedding.stored_vectors import PRECISE, text_embedder_of
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.meaning import SimilarMeaning
from tamis.analytics.recipe.plan import attach, row_masks
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.likeness import UPSTREAM, Vectors, cosines, example_scorer
from tamis.analytics.study.nearest_documents import find_vectors, vector_of, vectors_of
from tamis.analytics.study.scene import Scene, as_condition
from tamis.analytics.study.study import Study
from tamis.data.artifact import Artifact
from tamis.data.errors import RecipeError, SettingError
from tamis.data.progress import Progress

LONGEST = 200
"""Characters of an example's text that a rule names."""


@dataclass(frozen=True)
class Example:
    """What documents are compared with.

    Attributes:
        model: digest of its stored vector.
        text: the sentence, or what names the document.
        vectors: which vectors of the corpus are compared.
        tier: of these vectors, for people.
        space: digest that names their embedding space.
    """

    model: str
    text: str
    vectors: Vectors
    tier: str
    space: str

    def rule(self, floor: float) -> SimilarMeaning:
        """Return the condition that matches documents with at least this cosine."""
        return SimilarMeaning(
            model=self.model, target=self.text, vectors=self.vectors, min_cosine=floor, missing="drop"
        )

    @property
    def column(self) -> str:
        """Return the facts column that holds the cosines."""
        return self.rule(0.0).column

    def to_value(self) -> dict[str, str]:
        """Return the example as JSON values."""
        return dict(vars(self))

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Example:
        """Read what ``to_value`` returned.

        Raises:
            RecipeError: it is not an example.
        """
        names = [each.name for each in fields(cls)]
        if not isinstance(value, Mapping) or set(value) != set(names):
            raise RecipeError("This is not an example of a search by meaning", allowed=names)
        found = cls(**{name: str(each) for name, each in value.items()})  # type: ignore[arg-type]
        SimilarMeaning.model_validate({"model": found.model, "target": found.text, "vectors": found.vectors})
        return found


def meaning_vectors(study: Study) -> Artifact:
    """Return the vectors that a search by meaning compares: precise ones where they exist.

    Raises:
        SettingError: nothing was embedded yet.
    """
    found = vectors_of(study)
    if found is None:
        raise SettingError(
            "Search by meaning needs embeddings", value=study.corpus.name, fix="analyse the corpus with embeddings"
        )
    return found


def vector_space(study: Study, vectors: Vectors) -> str | None:
    """Return the digest that names the space of the vectors a study has, None if it does not have these."""
    found = find_vectors(study, UPSTREAM[vectors])
    return None if found is None else str(found.facts["space"])


def sentence_embedder(study: Study) -> Embedder:
    """Return the embedder whose vectors ``meaning_vectors`` returns. Keep it: a precise model takes seconds to load.

    Raises:
        SettingError: its model is not on this machine, or the vectors were given.
        StoreError: the workspace does not have the tuned model.
    """
    return text_embedder_of(meaning_vectors(study), study.workspace)


def prepare_meaning(study: Study) -> None:
    """Do what the first search by meaning would wait for: check the stored vectors and neighbours, load compiled code.

    It loads no precise model: that takes memory which people who never search do not need.
    """
    found = vectors_of(study)
    if found is None:
        return
    unit = np.zeros(int(found.facts["dimensions"]), dtype=np.float32)
    unit[0] = 1.0
    for name in found.parts("part-"):
        cosines(np.asarray(found.array(name, mmap=True))[:1], unit)
    graph = find_vectors(study, "knn")
    if graph is not None:
        for name in ("indices", "distances"):
            graph.array(name, mmap=True)
    if found.facts["tier"] in ("fast", "tuned"):
        sentence_embedder(study).encode(["a sentence"])


def sentence_example(study: Study, text: str, embedder: Embedder) -> Example:
    """Embed a sentence like the corpus and store it.

    Args:
        study: the corpus.
        text: the sentence.
        embedder: of ``sentence_embedder``.

    Raises:
        SettingError: the model knows no word of the sentence.
    """
    vector = embedder.encode([text])[0]
    if not vector.any():
        raise SettingError("The model knows no word of this sentence", value=text, fix="use other words")
    return _stored(study, vector, text, meaning_vectors(study))


def document_example(study: Study, row: int, text: str) -> Example:
    """Store the vector of a document as an example.

    Args:
        study: the corpus.
        row: facts row of the document.
        text: what names it for people; recipes keep it, so no text of the corpus.

    Raises:
        SettingError: the document has no vector.
    """
    artifact = meaning_vectors(study)
    vector = vector_of(artifact, study.documents, row)
    if not vector.any():
        raise SettingError("This document has no embedding", value=study.facts.ids[row].as_py())
    return _stored(study, vector, text, artifact)


def _stored(study: Study, vector: NDArray[np.floating], text: str, artifact: Artifact) -> Example:
    shown = " ".join(text.split())[:LONGEST]
    space = str(artifact.facts["space"])
    model = study.workspace.put_table(example_scorer(vector, space=space, target=shown).table())
    vectors: Vectors = "precise" if artifact.manifest.step == PRECISE else "analysis"
    return Example(model, shown, vectors, str(artifact.facts["tier"]), space)


@dataclass(frozen=True)
class Reach:
    """What lies above a floor.

    Attributes:
        documents: how many documents have at least the cosine, exact.
        compared: how many have a vector at all.
    """

    documents: int
    compared: int


def reach(scene: Scene, *, rule: SimilarMeaning) -> Reach:
    """Return how many documents a rule of ``Example.rule`` matches: the count that the rule itself gives.

    Args:
        scene: has the rule's column, see ``Scene.build``.
        rule: with the floor.
    """
    matched = row_masks(scene.facts, [as_condition(rule)])[0]
    return Reach(int(matched.sum()), int((~np.isnan(scene.facts.numbers(rule.column))).sum()))


def ranking(study: Study, example: Example, *, progress: Progress | None = None) -> Facts:
    """Return the facts with the cosines of an example as ``example.column``, measured if they are not yet.

    Args:
        study: the corpus.
        example: made on it.
        progress: where to report.
    """
    rule = example.rule(0.0)
    study.measure(Recipe(), [rule], progress=progress)
    return attach(study.facts, rule.measures(), study.evidence)


def nearest_above(values: NDArray[np.float64], floor: float) -> NDArray[np.int64]:
    """Return the rows with at least this cosine, int64 (m,), the nearest first, ties by row, none with NaN."""
    rows = np.flatnonzero(values >= floor)
    return rows[np.lexsort((rows, -values[rows]))]


def floor_of(facts: Facts, column: str, *, documents: int) -> float:
    """Return the largest floor that at least so many documents reach; ties come with the last of them.

    Args:
        facts: with the column.
        column: of cosines.
        documents: how many, from 1.

    Returns:
        The cosine of the last document, exactly as stored; that of the lowest when there are fewer.

    Raises:
        RecipeError: no document has a vector, or fewer than one is wanted.
    """
    values = facts.numbers(column)
    values = values[~np.isnan(values)]
    if documents < 1 or not len(values):
        raise RecipeError("Choose at least one document", value=documents, allowed=f"1 to {len(values)}")
    wanted = min(documents, len(values))
    return float(np.partition(values, len(values) - wanted)[len(values) - wanted])


def first_floor(facts: Facts, column: str) -> float:
    """Return a floor to begin with: that of the nearest 1% of documents, rounded down to two digits."""
    values = facts.numbers(column)
    there = int((~np.isnan(values)).sum())
    if not there:
        return 0.0
    return float(np.floor(100 * floor_of(facts, column, documents=max(10, there // 100))) / 100)

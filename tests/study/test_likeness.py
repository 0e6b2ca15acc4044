"""Similarity to a document or a sentence: exact cosines of all documents, in their order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from docstrings import write_corpus
from topics import topic_texts

from tamis.analytics.embedding.step import embeddings_step, load_vectors
from tamis.analytics.map.steps import knn_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.pipeline import documents_step
from tamis.analytics.study.likeness import likeness
from tamis.analytics.study.nearest_documents import vectors_of
from tamis.analytics.study.study import Study
from tamis.data.corpus import open_corpus
from tamis.data.errors import RecipeError
from tamis.data.workspace import Workspace


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return texts of four topics, two files, and one text that no model knows."""
    folder = tmp_path_factory.mktemp("likeness")
    table = pa.table({"text": [*topic_texts(20)[0], "\U0001d573"]})
    corpus = open_corpus(write_corpus(folder / "corpus", table, files=2, seed=3))
    measured = (documents_step(), embeddings_step(), knn_step(k=8))
    return Study.open(corpus, Workspace(folder / "home"), steps=(*measured, facts_step(measured)))


def all_vectors(study: Study) -> np.ndarray:
    artifact = vectors_of(study)
    assert artifact is not None
    found = load_vectors(artifact, study.documents).astype(np.float64)
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    return np.divide(found, norms, out=np.full_like(found, np.nan), where=norms > 0)


def test_every_cosine_is_that_of_the_vectors_and_a_document_is_most_like_itself(study: Study) -> None:
    unit = all_vectors(study)
    for row in (0, 40, 80):
        if np.isnan(unit[row]).any():
            continue
        found = likeness(study, row)
        assert found.cosine == pytest.approx(unit @ unit[row], abs=1e-3, nan_ok=True)
        assert int(np.nanargmax(found.cosine)) == row or found.cosine[row] == pytest.approx(np.nanmax(found.cosine))


def test_a_sentence_is_most_like_the_text_it_quotes(study: Study) -> None:
    row = int(np.flatnonzero(~np.isnan(all_vectors(study)[:, 0]))[5])
    text = study.corpus.fetch(study.documents, np.array([row])).column("text")[0].as_py()
    found = likeness(study, text[:2000])
    assert found.cosine[row] == pytest.approx(np.nanmax(found.cosine), abs=1e-3)
    assert found.name != likeness(study, row).name


def test_documents_without_a_vector_have_no_colour_and_all_others_have_one(study: Study) -> None:
    missing = np.isnan(all_vectors(study)[:, 0])
    assert missing.sum() == 1
    groups = likeness(study, "a ship on the sea").groups()
    codes = np.frombuffer(groups.data, dtype=np.uint8)
    assert (codes[missing] == 255).all() and (codes[~missing] < 16).all()


@pytest.mark.parametrize("target", ["", "   ", "x" * 3_000, "\U0001d573", -1, 10_000])
def test_what_cannot_be_compared_is_refused_in_words(study: Study, target: int | str) -> None:
    with pytest.raises(RecipeError, match=r"sentence|none of these words|no such document"):
        likeness(study, target)


def test_a_document_without_words_cannot_be_compared_with(study: Study) -> None:
    empty = int(np.flatnonzero(np.isnan(all_vectors(study)[:, 0]))[0])
    with pytest.raises(RecipeError, match="no embedding"):
        likeness(study, empty)


def test_without_vectors_nothing_is_compared(tmp_path: Path) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "corpus", pa.table({"text": ["one", "two"]})))
    steps = (documents_step(),)
    bare = Study.open(corpus, Workspace(tmp_path / "home"), steps=(*steps, facts_step(steps)))
    with pytest.raises(RecipeError, match="Nothing is embedded"):
        likeness(bare, 0)

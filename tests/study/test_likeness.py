"""Similarity to an example as colours: exact cosines of all documents, in their order."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from docstrings import write_corpus
from topics import topic_texts

from tamis.analytics.embedding.step import embeddings_step
from tamis.analytics.embedding.stored_vectors import load_vectors
from tamis.analytics.map.steps import knn_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.likeness import likeness
from tamis.analytics.study.meaning import document_example, sentence_embedder, sentence_example
from tamis.analytics.study.nearest_documents import vectors_of
from tamis.analytics.study.study import Study
from tamis.data.open_corpus import open_corpus
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
    for row in np.flatnonzero(~np.isnan(unit[:, 0]))[[0, 40, 79]].tolist():
        found = likeness(study, document_example(study, row, f"document {row}"))
        assert found.cosine == pytest.approx(unit @ unit[row], abs=1e-3, nan_ok=True)
        assert found.cosine[row] == pytest.approx(np.nanmax(found.cosine))


def test_documents_without_a_vector_have_no_colour_and_all_others_have_one(study: Study) -> None:
    missing = np.isnan(all_vectors(study)[:, 0])
    assert missing.sum() == 1
    ship = sentence_example(study, "a ship on the sea", sentence_embedder(study))
    codes = np.frombuffer(likeness(study, ship).groups().data, dtype=np.uint8)
    assert (codes[missing] == 255).all() and (codes[~missing] < 16).all()


def test_two_examples_have_two_names(study: Study) -> None:
    embedder = sentence_embedder(study)
    ship, law = (likeness(study, sentence_example(study, text, embedder)) for text in ("a ship at sea", "a law"))
    assert ship.name != law.name

"""The tuned tier learns the precise model's neighbours, and its model travels with a recipe."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from docstrings import docstrings, write_corpus
from hypothesis import given, settings
from hypothesis import strategies as st
from narrow_analysis import narrow_steps

from tamis.analytics.embedding.static_model import StaticModel, load_plain_model
from tamis.analytics.embedding.stored_vectors import embedder_of, load_vectors
from tamis.analytics.embedding.tuned_model import TunedModel, fit_tuned, frequent_pairs
from tamis.analytics.export.bundle import export_bundle
from tamis.analytics.export.run import run_bundle, verify_bundle
from tamis.analytics.map.options import MapOptions, write_options
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study, find_artifact
from tamis.data.errors import StoreError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


@pytest.fixture(scope="module")
def base(models: Path) -> StaticModel:
    return load_plain_model(models)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [text[:600] for text in docstrings().column("text").to_pylist() if text]


@pytest.fixture(scope="module")
def targets(texts: list[str]) -> np.ndarray:
    """Return a teacher that tells apart what a mean of token vectors cannot: each pair of words counts by itself."""
    found = np.zeros((len(texts), 48), dtype=np.float64)
    for row, text in enumerate(texts):
        words = text.lower().split()
        for pair in pairwise(words):
            seed = int.from_bytes(" ".join(pair).encode()[-8:], "little") % (1 << 32)
            found[row] += np.random.default_rng(seed).normal(size=48)
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.where(norms > 0, norms, 1.0)


@pytest.fixture(scope="module")
def model(base: StaticModel, texts: list[str], targets: np.ndarray) -> TunedModel:
    return fit_tuned(base, texts, targets, iterations=15)


def agreement(vectors: np.ndarray, targets: np.ndarray) -> float:
    """Return the share of the 5 nearest by ``targets`` that are among the 5 nearest by ``vectors``."""
    found = []
    for values in (vectors.astype(np.float64), targets):
        products = values @ values.T
        np.fill_diagonal(products, -np.inf)
        found.append(np.argsort(-products, axis=1, kind="stable")[:, :5])
    return float((found[0][:, :, None] == found[1][:, None, :]).any(axis=2).mean())


def test_it_finds_twice_the_neighbours_of_the_plain_static_model(
    base: StaticModel, model: TunedModel, texts: list[str], targets: np.ndarray
) -> None:
    plain, tuned = agreement(base.encode(texts), targets), agreement(model.encode(texts), targets)
    assert tuned > 2 * plain and tuned > 0.5


def test_the_fit_has_the_same_bits_on_any_number_of_threads(
    base: StaticModel, model: TunedModel, texts: list[str], targets: np.ndarray
) -> None:
    again = fit_tuned(base, texts, targets, iterations=15, threads=1)
    assert np.array_equal(again.vectors, model.vectors) and np.array_equal(again.pairs, model.pairs)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6), st.integers(0, 5))
def test_a_vector_depends_on_its_text_alone(model: TunedModel, texts: list[str], cut: int) -> None:
    whole = model.encode(texts)
    parts = np.concatenate([model.encode(texts[:cut]), model.encode(texts[cut:])])
    assert np.array_equal(whole, parts)
    norms = np.linalg.norm(whole.astype(np.float64), axis=1)
    assert np.all((np.abs(norms - 1) < 2e-3) | (norms == 0)) and model.encode(["", None, "\x00"]).any() == 0


def test_a_stored_model_is_read_back_and_another_table_refused(base: StaticModel, model: TunedModel) -> None:
    read = TunedModel.from_table(model.table(), base)
    assert np.array_equal(read.encode(["a list of names"]), model.encode(["a list of names"]))
    with pytest.raises(StoreError, match="not a stored model"):
        TunedModel.from_table(pa.table({"x": [1]}), base)
    other = StaticModel(base.vectors * 2, base.tokenizer, base.unknown)
    with pytest.raises(StoreError, match="another static model"):
        TunedModel.from_table(model.table(), other)


def test_pairs_count_once_per_document_and_never_across_documents() -> None:
    ids = np.array([1, 2, 1, 2, 1, 2, 3, 1, 2], dtype=np.int32)
    starts = np.array([0, 4, 6, 7, 9], dtype=np.int64)
    assert frequent_pairs(ids, starts).tolist() == [(1 << 20) + 2]


def test_the_tuned_tier_places_new_documents_where_its_bundle_runs(tmp_path: Path) -> None:
    table = docstrings()
    half = table.num_rows // 2
    home, away = Workspace(tmp_path / "home"), Workspace(tmp_path / "away")
    corpus = open_corpus(write_corpus(tmp_path / "half", table.slice(0, half)))
    write_options(home, corpus, MapOptions(tier="tuned", min_cluster_size=5))
    study = Study.open(corpus, home, steps=narrow_steps(corpus, home, "clusters", "tokens"))
    embeddings = study.workspace.store.open(study.facts.info("no_embedding").origin)
    assert embeddings.facts["tier"] == "tuned"

    clustering = study.facts.info("cluster").origin
    rule = OPERATORS.build("cluster", {"clusters": [0, 1], "clustering": clustering, "mode": "keep"})
    bundle = export_bundle(tmp_path / "bundle", study=study, recipe=Recipe(title="Two clusters").with_operator(rule))
    verify_bundle(bundle.folder, tmp_path / "half", workspace=Workspace(tmp_path / "third"))

    whole = write_corpus(tmp_path / "whole", table)
    run = run_bundle(bundle.folder, whole, tmp_path / "out", workspace=away)
    assert run.counts[-1].documents > study.evaluate(bundle.recipe).counts[-1].documents


def test_more_texts_are_embedded_into_the_space_of_the_corpus(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "home")
    corpus = open_corpus(write_corpus(tmp_path / "corpus", docstrings()))
    write_options(workspace, corpus, MapOptions(tier="tuned"))
    study = Study.open(corpus, workspace, steps=narrow_steps(corpus, workspace, "embeddings", "tokens"))
    embedded, fitted = find_artifact(study, "embeddings"), find_artifact(study, "tuned_model")
    assert embedded is not None and fitted is not None
    assert fitted.facts["recall"] > fitted.facts["recall_plain"] and fitted.facts["held_out"] > 20
    first = corpus.fetch(study.documents, np.array([0, 7]))
    made = embedder_of(embedded, workspace).encode(first.column("text").to_pylist())
    assert np.array_equal(made, load_vectors(embedded, study.documents)[[0, 7]])

"""Relevance scorers: what they prefer, that length does not count, that they survive storage."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from planted import planted_pool

from tamis.analytics.signals.relevance import Dsir, LinearVectors, LinearWords, MooreLewis, Similarity, bucket_shares
from tamis.analytics.signals.relevance_step import METHODS, Scorer
from tamis.analytics.steps.stored_arrays import pack, unpack
from tamis.analytics.text.word_stream import WordHashes
from tamis.data.errors import StoreError

POOL = planted_pool(documents=800, target=80, copied=0.0)
HASHES = WordHashes.of(POOL.texts)
TARGET = WordHashes.of(POOL.target)
ABOUT = {"target": "t", "corpus": "c"}


def _units(count: int, seed: int, *, around: int | None = None) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 16))
    if around is not None:
        rows[:, around] += 4
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("kind", [Dsir, MooreLewis, LinearWords])
def test_documents_of_the_target_domain_score_highest(kind: type[Dsir]) -> None:
    scores = kind.fit(TARGET, HASHES).score(HASHES)
    wanted, others = scores[POOL.kind == "target"], scores[POOL.kind != "target"]
    assert (wanted[:, None] > others[None, :]).mean() > 0.93


@pytest.mark.parametrize("kind", [Dsir, MooreLewis, LinearWords])
def test_a_text_said_twice_scores_about_the_same(kind: type[Dsir]) -> None:
    texts = POOL.texts.to_pylist()[:50]
    model = kind.fit(TARGET, HASHES)
    once = model.score(WordHashes.of(pa.array(texts, pa.large_string())))
    thrice = model.score(WordHashes.of(pa.array([f"{text} {text} {text}" for text in texts], pa.large_string())))
    assert np.corrcoef(once, thrice)[0, 1] > 0.9
    assert np.abs(once - thrice).mean() < 0.35 * np.abs(once).mean()


@pytest.mark.parametrize("kind", [Dsir, MooreLewis, LinearWords])
def test_texts_without_words_have_no_score(kind: type[Dsir]) -> None:
    scores = kind.fit(TARGET, HASHES).score(WordHashes.of(pa.array(["", None, "  "], pa.large_string())))
    assert np.isnan(scores).all()


def test_bucket_shares_are_a_distribution() -> None:
    shares = bucket_shares(TARGET, smoothing=1e-8)
    assert shares.sum() == pytest.approx(1.0)
    assert shares.min() > 0


def test_classifier_on_vectors_finds_the_direction() -> None:
    model = LinearVectors.fit(_units(60, 1, around=3), _units(400, 2))
    scores = model.score(np.concatenate([_units(50, 3, around=3), _units(50, 4), np.zeros((1, 16))]))
    assert (scores[:50, None] > scores[None, 50:100]).mean() > 0.97
    assert np.isnan(scores[100])


def test_similarity_is_the_largest_cosine_or_the_mean_of_the_largest() -> None:
    target, vectors = _units(30, 5), _units(10, 6)
    cosines = np.sort(vectors.astype(np.float64) @ target.T.astype(np.float64), axis=1)
    assert Similarity(target).score(vectors) == pytest.approx(cosines[:, -1], abs=1e-6)
    assert Similarity(target, 3).score(vectors) == pytest.approx(cosines[:, -3:].mean(axis=1), abs=1e-6)


def _fitted(method: str) -> Scorer:
    kind = METHODS[method]
    if method == "similarity":
        return Scorer(Similarity(_units(9, 1), 2), {**ABOUT, "space": "s"})
    if kind.input == "vectors":
        return Scorer(LinearVectors.fit(_units(9, 1), _units(40, 2)), {**ABOUT, "space": "s"})
    return Scorer(kind.fit(TARGET, HASHES), ABOUT)  # type: ignore[union-attr, call-arg, arg-type]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_scorer_survives_storage(method: str) -> None:
    scorer = _fitted(method)
    again = Scorer.from_table(scorer.table())
    assert again.table().equals(scorer.table())
    if METHODS[method].input == "words":
        assert np.array_equal(again.of_texts(POOL.texts), scorer.of_texts(POOL.texts))
        with pytest.raises(StoreError, match="reads words"):
            again.of_vectors(_units(2, 1), space="s")
    else:
        assert np.array_equal(again.of_vectors(_units(7, 8), space="s"), scorer.of_vectors(_units(7, 8), space="s"))
        with pytest.raises(StoreError, match="another embedding"):
            again.of_vectors(_units(2, 1), space="other")
        with pytest.raises(StoreError, match="reads vectors"):
            again.of_texts(POOL.texts)


@pytest.mark.parametrize("kind", [Dsir, LinearWords, MooreLewis])
def test_fitting_again_gives_the_same_bytes(kind: type[Dsir]) -> None:
    tables = [Scorer(kind.fit(TARGET, HASHES), ABOUT).table() for _ in range(2)]
    assert tables[0].equals(tables[1])


def test_plain_arrays_hold_numbers_only() -> None:
    arrays, about = unpack(pack({"b": np.arange(6.0).reshape(2, 3), "a": np.zeros(0, dtype=np.uint16)}, {"x": [1]}))
    assert about == {"x": [1]} and arrays["b"].tolist() == [[0, 1, 2], [3, 4, 5]] and arrays["a"].dtype == np.uint16
    with pytest.raises(StoreError, match="not stored"):
        pack({"a": np.array(["text"])}, {})
    with pytest.raises(StoreError, match="not a stored model"):
        unpack(pa.table({"x": [1]}))
    damaged = pack({"a": np.arange(4.0)}, {}).to_pylist()
    damaged[1]["data"] = b"short"
    with pytest.raises(StoreError, match="damaged"):
        unpack(pa.Table.from_pylist(damaged, schema=pack({}, {}).schema))

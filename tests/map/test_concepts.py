"""Complexity of concepts: a template family is the simplest one; frozen concepts assign any document."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from planted import Domain, invented

from tamis.analytics.map.concepts import Concepts, complexities, isolation, profile_sample, spread, text_profile
from tamis.analytics.operators.quotas import quotas
from tamis.analytics.text.word_stream import Vocabulary, WordHashes
from tamis.data.errors import StoreError
from tamis.data.hashing import key64

EACH = 320


def _family() -> tuple[list[str], NDArray[np.int32]]:
    """Return texts of three kinds: a template with names filled in, and two domains of free text."""
    random = np.random.default_rng(4)
    common = invented(150, np.random.default_rng(0))
    names = invented(400, random)
    template = Domain("template", common).text(random, 60)
    filled = [f"{random.choice(names)} {template} {random.choice(names)}" for _ in range(EACH)]
    free = [domain.text(random, 60) for domain in (Domain("sea", common), Domain("law", common)) for _ in range(EACH)]
    return filled + free, np.repeat(np.arange(3), EACH).astype(np.int32)


def _units(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _measured() -> NDArray[np.float64]:
    texts, labels = _family()
    hashes = WordHashes.of(pa.array(texts, pa.large_string()))
    stream = Vocabulary.of([hashes]).encode(hashes)
    keys = key64([f"d{k}" for k in range(len(texts))])
    # The template's vectors scatter most, as embeddings of templates filled with names do.
    random = np.random.default_rng(1)
    noise = np.repeat([0.9, 0.6, 0.6], EACH)[:, None] * random.normal(size=(len(texts), 8)) / np.sqrt(8)
    vectors = _units(np.eye(3, 8)[labels] + noise)
    centroids = _units(np.array([vectors[labels == k].mean(axis=0) for k in range(3)], dtype=np.float64))
    profiles = [text_profile(stream.take(rows)) for rows in profile_sample(keys, labels)]
    return complexities(spread(vectors, labels, centroids), isolation(centroids), profiles)


def test_template_family_has_the_lowest_redundancy_aware_and_measured_complexity() -> None:
    found = _measured()
    assert np.argmin(found[:, 1]) == 0 and np.argmin(found[:, 2]) == 0
    # The geometric measure is taken in by scatter: that is why there are three.
    assert np.argmax(found[:, 0]) == 0
    sizes = np.full(3, EACH)
    for column in (1, 2):
        tau = float(np.std(found[:, column]))
        assert np.argmin(quotas(found[:, column], sizes, 300, tau=tau)) == 0


def test_spread_and_isolation_are_mean_distances() -> None:
    centroids = np.eye(2, 3, dtype=np.float32)
    vectors = _units(np.array([[1.0, 0, 0], [1.0, 0, 1.0], [0, 1.0, 0]]))
    assert spread(vectors, np.array([0, 0, 1], dtype=np.int32), centroids).tolist() == pytest.approx(
        [(1 - np.sqrt(0.5)) / 2, 0.0], abs=1e-6
    )
    assert isolation(centroids).tolist() == [1.0, 1.0]
    assert np.isnan(isolation(centroids[:1])).all()


def test_small_concepts_have_no_curve() -> None:
    hashes = WordHashes.of(pa.array(["a b", "c d", "e f"], pa.large_string()))
    profile = text_profile(Vocabulary.of([hashes]).encode(hashes))
    assert np.isnan(profile.gain) and np.isnan(profile.curve).all() and profile.compression > 0


def test_profile_sample_is_of_each_label_and_bounded() -> None:
    labels = np.array([0] * 500 + [-1] * 5 + [2] * 3, dtype=np.int32)
    found = profile_sample(key64([str(k) for k in range(508)]), labels, most=100)
    assert [len(rows) for rows in found] == [100, 0, 3]
    assert set(labels[found[0]]) == {0} and set(labels[found[2]]) == {2}


def test_frozen_concepts_survive_storage_and_assign_by_the_nearest_centroid() -> None:
    concepts = Concepts(
        clusters=np.array([4, 9], dtype=np.int32),
        sizes=np.array([10, 20]),
        complexity=np.array([[0.1, 0.2, np.nan], [0.4, 0.5, 0.6]]),
        centroids=np.eye(2, 3, dtype=np.float32),
        space="s",
    )
    again = Concepts.from_table(concepts.table())
    assert again.table().equals(concepts.table()) and again.space == "s"
    vectors = np.array([[1, 0, 0], [0, 0.6, 0.8], [0, 0, 0]], dtype=np.float16)
    found = again.describe(vectors).to_pydict()
    assert found["cluster"] == [4, 9, -1]
    assert found["distance"][0] == pytest.approx(0.0, abs=1e-3) and found["distance"][2] is None
    assert found["measured"] == [None, 0.6, None] and found["geometric"] == [0.1, 0.4, None]
    with pytest.raises(StoreError, match="not a table of concepts"):
        Concepts.from_table(pa.table({"x": [1]}))

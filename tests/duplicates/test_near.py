"""Near-duplicates: shingles, signatures and pairs are those of plain Python, also of short, empty and equal texts."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from docstrings import docstrings, write_corpus
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_duplicates import edited, shingle_set, similarity

from tamis.analytics.duplicates.candidates import ALL_PAIRS, HUBS, RING
from tamis.analytics.duplicates.near import near_pairs, near_step
from tamis.analytics.duplicates.near_passes import NearParams, expected_recall
from tamis.analytics.duplicates.shingles import Shingles, band_keys, coefficients, signatures
from tamis.analytics.steps.pipeline import analyze
from tamis.data.errors import Cancelled
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import NullProgress
from tamis.data.workspace import Workspace

words = st.lists(st.sampled_from(["a", "B", "c", "dé", "日本", "--", "1.5", "x-y"]), max_size=14).map(" ".join)
units = st.sampled_from(["word", "character"])
PLAIN = settings(max_examples=60, deadline=None)


def large(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def family() -> list[str]:
    """Return docstrings and copies of them with more and more words replaced."""
    texts = [text for text in docstrings(("json", "logging")).column("text").to_pylist() if text and len(text) > 200]
    copies = [edited(text, share=share, seed=k) for k, text in enumerate(texts) for share in (0.01, 0.03, 0.1)]
    shortened = [text[: len(text) * 3 // 4] for text in texts]
    return sorted(set(texts + copies + shortened))


FAMILY = family()


@PLAIN
@given(st.lists(words, max_size=5), units, st.integers(1, 6))
def test_shingle_sets_are_those_of_plain_python(texts: list[str], unit: str, n: int) -> None:
    found = Shingles.of(large(texts), unit=unit, n=n)  # type: ignore[arg-type]
    plain = [shingle_set(text, unit=unit, n=n) for text in texts]
    assert found.counts.tolist() == [len(item) for item in plain]
    for i, j in itertools.combinations(range(len(texts)), 2):
        both = np.intersect1d(found.of_document(i), found.of_document(j))
        assert len(both) == len(plain[i] & plain[j])
        same = (found.identities()[i] == found.identities()[j]).all()
        assert same == (plain[i] == plain[j])


def test_sorted_sets_hold_the_same_hashes() -> None:
    found = Shingles.of(large(FAMILY[:20]), unit="word", n=3)
    for place in range(20):
        assert found.sorted().of_document(place).tolist() == sorted(found.of_document(place).tolist())


@PLAIN
@given(words, st.integers(1, 40))
def test_signatures_are_those_of_plain_python(text: str, places: int) -> None:
    found = Shingles.of(large([text]), unit="word", n=2)
    a, b = ([int(value) for value in side] for side in coefficients(places))
    low = [int(value) >> 32 for value in found.hashes]
    expected = [min((x * a[j] + b[j]) % 2**32 for x in low) for j in range(places)]
    assert signatures(found, places)[0].tolist() == expected


def test_signatures_estimate_the_jaccard_similarity() -> None:
    texts = FAMILY[:120]
    found = signatures(Shingles.of(large(texts), unit="word", n=2), 256)
    plain = [shingle_set(text, n=2) for text in texts]
    errors = [
        float((found[i] == found[j]).mean()) - similarity(plain[i], plain[j])
        for i, j in itertools.combinations(range(120), 2)
    ]
    assert abs(float(np.mean(errors))) < 0.002
    assert float(np.max(np.abs(errors))) < 5 * 0.5 / 16


def test_band_keys_are_equal_exactly_where_bands_are() -> None:
    found = signatures(Shingles.of(large(FAMILY), unit="word", n=1), 12)
    keys = band_keys(found, 4)
    for band in range(4):
        rows = found[:, band * 3 : band * 3 + 3]
        by_rows = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
        by_key = np.unique(keys[:, band], return_inverse=True)[1].ravel()
        assert len(set(zip(by_rows.tolist(), by_key.tolist(), strict=True))) == by_rows.max() + 1 == by_key.max() + 1
    assert not np.isin(keys[:, 0], keys[:, 1]).any()


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        (NearParams(), 0.8),
        (NearParams(n=2, bands=32, floor=0.3), 0.6),
        (NearParams(unit="character", n=9), 0.8),
        (NearParams(metric="containment"), 0.8),
    ],
)
def test_pairs_are_exact_and_nearly_all_are_found(params: NearParams, wanted: float) -> None:
    pairs, first = near_pairs(large(FAMILY), params)
    plain = [shingle_set(text, unit=params.unit, n=params.n) for text in FAMILY]
    found = dict(zip(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True), pairs.similarity, strict=True))
    for (i, j), value in found.items():
        assert value == np.float32(similarity(plain[i], plain[j], metric=params.metric))
        assert value >= np.float32(params.floor) and i < j
    alone = [row for row in range(len(FAMILY)) if first[row] == row]
    truth = [
        (i, j)
        for i, j in itertools.combinations(alone, 2)
        if similarity(plain[i], plain[j], metric=params.metric) >= wanted
    ]
    assert len(truth) > 50
    assert sum(pair in found for pair in truth) >= 0.99 * len(truth)
    for row, one in enumerate(first.tolist()):
        assert plain[row] == plain[one] and plain.index(plain[row]) == one


def test_short_texts_are_duplicates_when_equal_and_only_then() -> None:
    texts = ["Yes, no.", "yes no", "yes no!", "no yes", "yes", "", " ", "--", "--", "**", "one two three four"]
    pairs, first = near_pairs(large(texts), NearParams(n=5, floor=0.1))
    assert first.tolist() == [0, 0, 0, 3, 4, 5, 5, 7, 7, 9, 10]
    assert len(pairs.left) == 0


def test_a_hundred_thousand_identical_texts_make_no_pairs() -> None:
    texts = large(["The same text, again and again and again.", "", "Another one."] * 33_334)
    pairs, first = near_pairs(texts)
    assert len(pairs.left) == 0
    assert np.array_equal(first, np.arange(len(first)) % 3)


def template(number: int) -> list[str]:
    """Return texts that share all but their last word."""
    head = " ".join(f"word{k}" for k in range(30))
    return [f"{head} item{k}" for k in range(number)]


@pytest.mark.parametrize("metric", ["jaccard", "containment"])
def test_a_crowded_bucket_is_not_quadratic_and_hubs_meet_everybody(metric: str) -> None:
    texts = template(2 * ALL_PAIRS)
    pairs, _ = near_pairs(large(texts), NearParams(metric=metric))  # type: ignore[arg-type]
    assert len(texts) < len(pairs.left) <= len(texts) * (3 * HUBS + RING)
    longest = max(range(len(texts)), key=lambda row: (len(texts[row]), -row))
    met = set(pairs.left[pairs.right == longest]) | set(pairs.right[pairs.left == longest])
    assert len(met) == len(texts) - 1


@pytest.mark.parametrize("metric", ["jaccard", "containment"])
def test_pieces_of_any_size_give_the_same_pairs(monkeypatch: pytest.MonkeyPatch, metric: str) -> None:
    from tamis.analytics.duplicates import candidates

    texts, params = large(FAMILY + template(ALL_PAIRS + 10)), NearParams(metric=metric, n=3)  # type: ignore[arg-type]
    whole, _ = near_pairs(texts, params)
    monkeypatch.setattr(candidates, "PIECE", 1000)
    parts, _ = near_pairs(texts, params)
    assert whole.left.tobytes() == parts.left.tobytes() and whole.right.tobytes() == parts.right.tobytes()
    assert whole.similarity.tobytes() == parts.similarity.tobytes()
    assert len(whole.left) > 10_000


def test_containment_finds_a_part_that_jaccard_cannot() -> None:
    whole = " ".join(f"word{k}" for k in range(400))
    part = " ".join(f"word{k}" for k in range(100, 160))
    assert len(near_pairs(large([whole, part]))[0].left) == 0
    pairs, _ = near_pairs(
        large([whole, part, "unrelated words stand here on their own"]), NearParams(metric="containment")
    )
    assert (pairs.left.tolist(), pairs.right.tolist(), pairs.similarity.tolist()) == ([0], [1], [1.0])


def test_a_pair_exactly_on_the_floor_is_kept() -> None:
    one, two = " ".join(f"w{k}" for k in range(10)), " ".join(f"w{k}" for k in range(7))
    pairs, _ = near_pairs(large([one, two]), NearParams(n=1, floor=0.7, bands=200, rows=1))
    assert pairs.similarity.tolist() == [np.float32(0.7)]


def test_expected_recall_follows_the_formula() -> None:
    assert expected_recall(0.8, bands=20, rows=4) == pytest.approx(1 - (1 - 0.8**4) ** 20)
    assert expected_recall(1.0, bands=1, rows=9) == 1.0


class Stopping(NullProgress):
    """Progress that cancels at the given check."""

    def __init__(self, at: int) -> None:
        self.left = at

    def check(self) -> None:
        """Cancel when it is time."""
        self.left -= 1
        if self.left == 0:
            raise Cancelled("The work was stopped")


def test_step_gives_the_same_bytes_in_any_layout_and_after_being_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tamis.data import shards

    table = docstrings(("json", "email"))
    spec = near_step(NearParams(n=3).measure)
    results = []
    for seed, rows, stop in ((None, 10**6, 0), (5, 150, 4), (6, 90, 12)):
        monkeypatch.setattr(shards, "SHARD_ROWS", rows)
        corpus = open_corpus(write_corpus(tmp_path / f"corpus-{seed}", table, files=2, seed=seed))
        home = Workspace(tmp_path / f"home-{seed}")
        if stop:
            with pytest.raises(Cancelled):
                analyze(corpus, home, steps=[spec], progress=Stopping(stop))
        artifact = analyze(corpus, home, steps=[spec]).artifacts[spec.name]
        assert set(artifact.parts()) == {"left", "right", "similarity", "first"}
        results.append([artifact.array(name).tobytes() for name in ("left", "right", "similarity", "first")])
    assert results[0] == results[1] == results[2]
    assert len(results[0][0]) > 0


def test_step_agrees_with_texts_in_memory(tmp_path: Path) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "corpus", docstrings(("logging",)), files=2))
    params = NearParams(n=2, metric="containment", floor=0.6)
    spec = near_step(params.measure)
    analysis = analyze(corpus, Workspace(tmp_path / "home"), steps=[spec])
    texts = corpus.fetch(analysis.documents, np.arange(analysis.documents.n)).column("text").combine_chunks()
    pairs, first = near_pairs(texts.cast(pa.large_string()), params)
    artifact = analysis.artifacts[spec.name]
    assert np.array_equal(artifact.array("first"), first)
    assert np.array_equal(artifact.array("left"), pairs.left)
    assert np.array_equal(artifact.array("right"), pairs.right)
    assert np.array_equal(artifact.array("similarity"), pairs.similarity)

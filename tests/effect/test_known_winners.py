"""Experiments whose winner is known because it was planted: if one of these loses, a figure or a rule is wrong."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from planted import Domain, invented, planted_pool

from tamis.analytics.effect.bench import Bench, Protocol, Trial, random_copies, run_trials, training_set
from tamis.analytics.effect.label_probe import ProbeData, fit, probe_curve, word_features
from tamis.analytics.effect.verdict import Difference, compare, text_error
from tamis.analytics.operators.sampling import even_quotas, strata
from tamis.analytics.signals.relevance import Dsir, LinearWords, MooreLewis
from tamis.analytics.text.tfidf import Features
from tamis.analytics.text.word_stream import Vocabulary, WordHashes, WordStream
from tamis.data.hashing import key64, uniform

MARGIN = 0.08
PROTOCOL = Protocol(holdout_bytes=100_000)


class Planted:
    """The planted pool on its bench, at a budget of a tenth."""

    def __init__(self) -> None:
        self.pool = planted_pool()
        self.hashes = WordHashes.of(self.pool.texts)
        target = WordHashes.of(self.pool.target)
        vocabulary = Vocabulary.of([self.hashes])
        numbers = vocabulary.encode(target)
        n = len(self.pool)
        self.keys = key64([f"document {k}" for k in range(n)])
        self.seen = target.take(np.arange(150))
        bases = np.unique(self.pool.copy_of[self.pool.copy_of >= 0])
        group = self.pool.copy_of.copy()
        group[bases] = bases
        self.bench = Bench.prepare(
            vocabulary.encode(self.hashes),
            self.keys,
            self.hashes.bytes,
            group=group,
            stratum=np.zeros(n, dtype=np.int64),
            seen=numbers.take(np.arange(150)),
            unseen=numbers.take(np.arange(150, 300)),
            protocol=PROTOCOL,
        )
        self.budget = int(self.hashes.bytes.sum() * 0.1)

    def best(self, scores: NDArray[np.float64], *, deduplicated: bool) -> NDArray[np.int32]:
        """Return the selection of the highest scores within the budget."""
        open_ = self.bench.allowed & (self.bench.first | (not deduplicated))
        order = np.argsort(-np.where(open_ & ~np.isnan(scores), scores, -np.inf), kind="stable")
        order = order[open_[order]]
        copies = np.zeros(len(self.pool), dtype=np.int32)
        copies[order[np.cumsum(self.hashes.bytes[order]) <= self.budget]] = 1
        return copies

    def trials(self, copies: NDArray[np.int32], name: str = "recipe") -> tuple[Trial, ...]:
        """Return the trials of a selection."""
        return run_trials(self.bench, copies, name=name, budget=self.budget)

    def cost(self, copies: NDArray[np.int32]) -> float:
        """Return the mean bits per byte of the target."""
        return float(np.mean([trial.target for trial in self.trials(copies)]))

    def against_random(self, copies: NDArray[np.int32]) -> Difference:
        """Return the difference to random draws."""
        ours, others = self.trials(copies), random_trials()
        error = text_error(
            [trial.target_bits for trial in ours],
            [trial.target_bits for trial in others],
            self.bench.unseen.bytes,
        )
        costs = [[trial.target or 0.0 for trial in part] for part in (ours, others)]
        return compare("target bits per byte", "random", *costs, lower_is_better=True, text_error=error)


@cache
def planted() -> Planted:
    return Planted()


@cache
def random_trials() -> tuple[Trial, ...]:
    return planted().trials(random_copies(planted().bench, deduplicated=False), "random")


@cache
def scores(method: str) -> NDArray[np.float64]:
    made = planted()
    kind = {"dsir": Dsir, "classifier": LinearWords, "moore_lewis": MooreLewis}[method]
    corpus = made.hashes.take(np.argsort(made.keys, kind="stable"))
    return kind.fit(made.seen, corpus).score(made.hashes)


@pytest.mark.parametrize("method", ["dsir", "classifier", "moore_lewis"])
def test_target_aware_recipes_beat_random_and_deduplicated_random(method: str) -> None:
    made = planted()
    dedup = made.cost(random_copies(made.bench, deduplicated=True))
    random = float(np.mean([trial.target for trial in random_trials()]))
    for deduplicated in (False, True):
        copies = made.best(scores(method), deduplicated=deduplicated)
        assert made.cost(copies) < min(dedup, random) - MARGIN
        assert made.against_random(copies).verdict == "better"


def test_noise_with_duplicates_and_the_opposite_of_a_classifier_lose() -> None:
    made = planted()
    random = float(np.mean([trial.target for trial in random_trials()]))
    noisy = ((made.pool.kind == "noise") | (made.pool.copy_of >= 0)).astype(np.int32)
    anti = made.best(-scores("classifier"), deduplicated=False)
    assert random < made.cost(noisy) - MARGIN
    assert made.cost(noisy) < made.cost(anti) - MARGIN
    assert made.against_random(noisy).verdict == "worse"
    assert made.against_random(anti).verdict == "worse"


def test_another_random_draw_has_no_measurable_effect() -> None:
    made = planted()
    other = (made.bench.allowed & (uniform(made.keys, seed=9, salt="test") < 0.5)).astype(np.int32)
    assert made.against_random(other).verdict == "no measurable effect"


def test_deduplicated_random_never_covers_fewer_documents() -> None:
    made = planted()
    owner = np.where(made.pool.copy_of >= 0, made.pool.copy_of, np.arange(len(made.pool)))

    def covered(*, deduplicated: bool, seed: int) -> int:
        copies = random_copies(made.bench, deduplicated=deduplicated)
        rows = training_set(made.bench, copies, budget=3 * made.budget, seed=seed, salt="training set").rows
        return len(np.unique(owner[rows]))

    for seed in range(20):
        assert covered(deduplicated=True, seed=seed) >= covered(deduplicated=False, seed=seed)


def _labelled(sizes: dict[str, int], *, length: int = 25) -> tuple[WordStream, NDArray[np.int64]]:
    """Return texts of domains that share most of their words, and the domain of each."""
    random = np.random.default_rng(3)
    common = invented(400, np.random.default_rng(0))
    domains = {name: Domain(name, common, words=60) for name in sizes}
    texts = [domains[name].text(random, length) for name, size in sizes.items() for _ in range(size)]
    labels = np.repeat(np.arange(len(sizes)), list(sizes.values()))
    order = random.permutation(len(texts))
    hashes = WordHashes.of(pa.array([texts[k] for k in order], pa.large_string()))
    return Vocabulary.of([hashes]).encode(hashes), labels[order].astype(np.int64)


def _probe(stream: WordStream, labels: NDArray[np.int64], test: NDArray[np.bool_] | None = None) -> ProbeData:
    n = len(stream)
    keys = key64([f"labelled {k}" for k in range(n)])
    data = ProbeData.of(
        word_features(stream), keys, labels, np.full(n, -1, dtype=np.int64), usable=np.ones(n, dtype=bool), test=test
    )
    assert data is not None
    return data


def test_balanced_budget_beats_random_on_imbalanced_labels() -> None:
    stream, labels = _labelled({"one": 2500, "two": 2500, "three": 50, "four": 50})
    # The test set is balanced: rare labels count as much as frequent ones.
    test = np.zeros(len(labels), dtype=bool)
    for label in range(4):
        test[np.flatnonzero(labels == label)[:20]] = True
    data = _probe(stream, labels, test)
    balanced = np.zeros(len(labels), dtype=np.int32)
    for label in range(4):
        balanced[np.flatnonzero((labels == label) & ~test)[:90]] = 1
    curve = probe_curve(data, balanced, column="label", fractions=())
    assert curve is not None
    assert curve.difference.verdict == "better"
    assert curve.difference.mean > 0.1


def test_pruning_noisy_labels_by_hardness_is_worse_than_random_and_strata_are_not() -> None:
    stream, truth = _labelled(dict.fromkeys(("one", "two", "three", "four"), 900))
    noisy = uniform(np.arange(len(truth), dtype=np.uint64), seed=1, salt="noise") < 0.3
    labels = np.where(noisy, (truth + 1) % 4, truth)
    test = np.arange(len(truth)) % 5 == 0
    labels[test] = truth[test]
    data = _probe(stream, labels, test)
    hardness = _loss(data, labels, np.flatnonzero(~test))
    total = int(0.1 * np.count_nonzero(~test))
    order = np.argsort(-np.where(test, -np.inf, hardness), kind="stable")
    hardest = np.zeros(len(truth), dtype=np.int32)
    hardest[order[:total]] = 1
    curve = probe_curve(data, hardest, column="label", fractions=())
    assert curve is not None and curve.difference.verdict == "worse"
    # Coverage-centric selection: drop the hardest third, then the same number from every stratum.
    rest = order[: np.count_nonzero(~test)][int(0.35 * np.count_nonzero(~test)) :]
    level = strata(hardness[rest], 20)
    stratified = np.zeros(len(truth), dtype=np.int32)
    drawn = np.lexsort((uniform(data.keys[rest], seed=0, salt="draw"), level))
    sizes = np.bincount(level, minlength=20)
    rank = np.arange(len(rest)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    stratified[rest[drawn][rank < even_quotas(sizes, total)[level[drawn]]]] = 1
    curve = probe_curve(data, stratified, column="label", fractions=())
    assert curve is not None and curve.difference.verdict != "worse"


def _loss(data: ProbeData, labels: NDArray[np.int64], training: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how unlikely its label is to each document under a probe trained on the other half of the documents."""
    found = np.zeros(len(labels))
    half = training % 2
    for part in (0, 1):
        weights = fit(data.features, training[half == part], data.labels, data.classes).astype(np.float64)
        for place in training[half != part]:
            first, end = data.features.starts[place], data.features.starts[place + 1]
            columns, values = data.features.columns[first:end], data.features.values[first:end]
            score = values @ weights[columns] + weights[-1]
            found[place] = np.log(np.exp(score - score.max()).sum()) + score.max() - score[data.labels[place]]
    return found


def test_features_have_unit_length() -> None:
    stream, _ = _labelled({"one": 30, "two": 30})
    features = Features.of(stream, np.ones(65_536))
    squares = np.add.reduceat(features.values.astype(np.float64) ** 2, features.starts[:-1])
    assert squares == pytest.approx(np.ones(60), abs=1e-6)

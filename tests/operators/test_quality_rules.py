"""Curves of quality, merged scores, orthogonal scores and diversity: budgets are met, and the planted winner wins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.analytics.effect.composition import vendi
from tamis.analytics.embedding.stored_vectors import VECTORS, vectors_measure
from tamis.analytics.operators.diversity import diverse_order, vendi_of_order_two
from tamis.analytics.operators.operator import OPERATORS, Decision, SetOperator, View
from tamis.analytics.operators.quality import Spending
from tamis.analytics.operators.sampling import percentiles_within
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.evidence import GivenEvidence
from tamis.data.errors import ParameterError
from tamis.data.hashing import key64, uniform


def _view(columns: dict[str, Any], vectors: NDArray[np.floating] | None = None) -> View:
    n = len(next(iter(columns.values())))
    keys = key64([f"document {k}" for k in range(n)])
    arrays = {} if vectors is None else {(vectors_measure("analysis"), VECTORS): vectors}
    return View(np.arange(n), keys, np.ones(n, dtype=np.int32), pa.table(columns), GivenEvidence(arrays))


def _decide(name: str, view: View, **params: Any) -> Decision:
    rule = OPERATORS.build(name, params)
    assert isinstance(rule, SetOperator)
    return rule.decide(view)


def _scored(n: int = 2_000) -> View:
    """Return documents of two topics with a score and token counts that do not depend on it."""
    numbers = np.arange(n, dtype=np.uint64)
    return _view(
        {
            "score": uniform(numbers, seed=1, salt="score"),
            "topic": np.where(uniform(numbers, seed=2, salt="topic") < 0.8, "large", "small"),
            "n_tokens": (20 + 100 * uniform(numbers, seed=3, salt="tokens")).astype(np.int64),
        }
    )


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.5, np.nan, -np.inf]), st.integers(0, 2)), max_size=30))
def test_percentiles_are_the_middle_places_of_equal_values(items: list[tuple[float, int]]) -> None:
    values, codes = np.array([v for v, _ in items]), np.array([c for _, c in items], dtype=np.int64)
    found = percentiles_within(values, codes)
    plain = np.where(np.isnan(values), -np.inf, values)
    for k in range(len(items)):
        own = plain[codes == codes[k]]
        assert found[k] == pytest.approx(((own < plain[k]).sum() + (own == plain[k]).sum() / 2) / len(own))


@given(st.integers(0, 2**32), st.floats(0, 40_000), st.floats(0, 4), st.floats(0, 8))
def test_the_largest_scale_within_a_budget_is_found(seed: int, amount: float, power: float, rate: float) -> None:
    numbers = np.arange(60, dtype=np.uint64)
    place = uniform(numbers, seed=seed, salt="place")
    curve = np.where(place > 0.4, np.maximum(place - 0.4, 0) ** power * np.exp(rate * place), 0.0)
    tokens = (1 + 200 * uniform(numbers, seed=seed, salt="tokens")).astype(np.int64)
    spending = Spending(tokens, np.ones(60, dtype=np.int32), uniform(numbers, seed=seed, salt="drawn"), 5)
    scale = spending.scale(curve, amount)
    assert spending.cost(scale * curve) <= amount
    richer = spending.cost(scale * curve * (1 + 1e-9) + 1e-12 * (curve > 0))
    most = int((tokens * 5 * (curve > 0)).sum())
    assert richer > amount or spending.cost(scale * curve) == most


@pytest.mark.parametrize("share", [0.2, 1.0, 2.4])
def test_a_quality_curve_meets_its_budget_and_repeats_the_best_most(share: float) -> None:
    view = _scored()
    found = _decide("quality_curve", view, signal="score", share=share, within="topic")
    tokens, score = view.numbers("n_tokens"), view.numbers("score")
    topics = np.array(view.column("topic").to_pylist())
    for topic in ("large", "small"):
        own = topics == topic
        budget = share * tokens[own].sum()
        assert budget - 120 < (tokens * found.copies)[own].sum() <= budget
        place = percentiles_within(score[own], np.zeros(own.sum(), dtype=np.int64))
        assert not found.copies[own][place < 0.4].any()
        means = [found.copies[own][(place > low) & (place <= low + 0.2)].mean() for low in (0.4, 0.6, 0.8)]
        assert means == sorted(means) and means[2] > means[0]
    assert found.copies.max() <= 7


def test_topics_share_a_budget_by_weights_and_give_on_what_they_lack() -> None:
    view = _scored()
    tokens, small = view.numbers("n_tokens"), np.array(view.column("topic").to_pylist()) == "small"
    weights = [{"group": "small", "weight": 3}, {"group": "large", "weight": 1}]
    total = int(0.4 * tokens.sum())

    def spent(**more: Any) -> tuple[float, float]:
        copies = _decide("quality_curve", view, signal="score", tokens=total, within="topic", weights=weights, **more)
        cost = tokens * copies.copies
        return float(cost[small].sum()), float(cost[~small].sum())

    few, many = spent(max_copies=7)
    assert few / many == pytest.approx(3, rel=0.02)
    few, many = spent(max_copies=1)
    assert few <= tokens[small].sum() * 0.62 and few + many == pytest.approx(total, rel=0.01)


def test_a_flat_curve_treats_all_alike() -> None:
    copies = _decide("quality_curve", _scored(), signal="score", share=2, below=0, power=0, rate=0).copies
    assert set(copies.tolist()) <= {1, 2, 3} and np.mean(copies == 2) > 0.95


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "tokens or share"),
        ({"tokens": 5, "share": 0.5}, "tokens or share"),
        ({"tokens": 5, "weights": [{"group": "a", "weight": 1}]}, "weights need within"),
    ],
)
def test_a_quality_curve_says_what_it_lacks(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        OPERATORS.build("quality_curve", {"signal": "score", **params})


def _domains(n: int = 3_000) -> View:
    """Return documents of two domains; quality is higher in one of them, and two noisy scores see it."""
    numbers = np.arange(n, dtype=np.uint64)
    first = uniform(numbers, seed=0, salt="domain") < 0.5
    quality = uniform(numbers, seed=0, salt="quality") + np.where(first, 1.0, 0.0)
    noise = [uniform(numbers, seed=k, salt="noise") - 0.5 for k in (1, 2)]
    return _view(
        {
            "domain": np.where(first, "first", "second"),
            "quality": quality,
            "one": quality + noise[0],
            "two": -(quality + noise[1]),
            "n_tokens": np.full(n, 10),
        }
    )


def test_quadmix_keeps_domains_that_a_threshold_loses_and_merges_scores_better_than_one() -> None:
    view = _domains()
    both = [{"signal": "one"}, {"signal": "two", "weight": -1}]
    params: dict[str, Any] = {"threshold": 0.2, "within": "domain", "share": 0.1, "floor": 0}
    found = _decide("quadmix", view, scores=both, **params)
    kept, quality = found.copies > 0, view.numbers("quality")
    second = np.array(view.column("domain").to_pylist()) == "second"
    top = _decide("top_share", view, signal="one", share=0.1).copies > 0
    assert (top & second).sum() == 0 and abs(kept[second].mean() - kept[~second].mean()) < 0.02
    assert 2_970 < (view.numbers("n_tokens") * found.copies).sum() <= 3_000
    alone = _decide("quadmix", view, scores=both[:1], **params).copies > 0
    for domain in (second, ~second):
        assert quality[kept & domain].mean() > quality[alone & domain].mean()
        assert quality[kept & domain].mean() > quality[domain].mean() + 0.2


def test_quadmix_samples_along_its_curve() -> None:
    view = _domains(20_000)
    params = {"scores": [{"signal": "quality"}], "threshold": 0.5, "steepness": 8, "strength": 2, "floor": 0.05}
    found = _decide("quadmix", view, **params)
    rank = 1 - percentiles_within(view.numbers("quality"), np.zeros(len(view), dtype=np.int64))
    for low in np.arange(0, 1, 0.1):
        part = (rank >= low) & (rank < low + 0.1)
        r = rank[part]
        plain = np.where(r <= 0.5, (2 / (1 + np.exp(-8 * (0.5 - r)))) ** 2, 0) + 0.05
        assert found.copies[part].mean() == pytest.approx(plain.mean(), abs=0.03)


def test_a_domain_of_quadmix_can_do_otherwise() -> None:
    view = _domains()
    one = {"value": "second", "threshold": 0, "floor": 0}
    found = _decide("quadmix", view, scores=[{"signal": "one"}], within="domain", threshold=0.5, domains=[one])
    second = np.array(view.column("domain").to_pylist()) == "second"
    assert not found.copies[second].any() and found.copies[~second].any()


def test_quadmix_hears_in_each_domain_the_score_that_knows_it() -> None:
    """One score is right in the first domain and wrong in the second; the other is good for the second alone."""
    numbers = np.arange(4_000, dtype=np.uint64)
    first = uniform(numbers, seed=0, salt="domain") < 0.5
    quality, chance = (uniform(numbers, seed=0, salt=salt) for salt in ("quality", "chance"))
    view = _view(
        {
            "domain": np.where(first, "first", "second"),
            "fluency": np.where(first, quality, -quality),
            "facts": np.where(first, chance, quality),
            "n_tokens": np.full(len(numbers), 10),
        }
    )
    params: dict[str, Any] = {
        "scores": [{"signal": "fluency"}, {"signal": "facts", "weight": 0}], "within": "domain", "threshold": 0.2,
        "floor": 0,
    }  # fmt: skip
    own = [
        {"value": "second", "signal": "fluency", "weight": -0.5},
        {"value": "second", "signal": "facts", "weight": 2},
    ]
    alike, apart = (_decide("quadmix", view, **params, weights=each).copies > 0 for each in (None, own))
    assert np.array_equal(alike[first], apart[first])
    assert quality[alike & ~first].mean() < 0.25 and quality[apart & ~first].mean() > 0.85
    both = [{"signal": "fluency"}, {"signal": "facts", "weight": 1}]
    assert quality[_decide("quadmix", view, **{**params, "scores": both}).copies > 0].mean() < quality[apart].mean()


def test_weights_that_say_what_the_scores_say_change_nothing_but_the_digest() -> None:
    view = _domains()
    params: dict[str, Any] = {"scores": [{"signal": "one"}, {"signal": "two", "weight": -1}], "within": "domain"}
    same = [{"value": "second", "signal": "two", "weight": -1}]
    plain, stated = (_decide("quadmix", view, **params, weights=each) for each in (None, same))
    assert np.array_equal(plain.copies, stated.copies) and plain.value.equals(stated.value)
    recipes = [Recipe().with_operator("quadmix", **params, **more) for more in ({}, {"weights": same})]
    assert recipes[0].digest == "c0af417ba1bdc111d2a024b2d70d7dda9c967dde681f4de36b2b9e4bb6bc7904"
    assert recipes[0].digest != recipes[1].digest
    assert Recipe.from_yaml(recipes[1].to_yaml()) == recipes[1]
    assert Recipe().with_operator("quadmix", **params, weights=[]).digest == recipes[0].digest


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"weights": [{"value": "a", "signal": "one"}]}, "weights need within"),
        ({"within": "domain", "weights": [{"value": "a", "signal": "three"}]}, "not among the scores"),
        ({"within": "domain", "weights": [{"value": "a", "signal": "one"}] * 2}, "once only"),
        ({"within": "domain", "weights": [{"value": "a", "signal": "one", "weight": 0}]}, "must not be 0 in a"),
    ],
)
def test_weights_of_domains_that_cannot_be_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        OPERATORS.build("quadmix", {"scores": [{"signal": "one"}], **params})


def test_orthogonal_scores_hear_the_score_that_a_sum_outvotes() -> None:
    """Three scores tell of fluency, one of knowledge: the top of the sum holds the fluent, not the learned."""
    n, numbers = 2_000, np.arange(2_000, dtype=np.uint64)
    fluent, learned = numbers < 100, (numbers >= 100) & (numbers < 200)
    noise = [uniform(numbers, seed=k, salt="noise") for k in range(5)]
    fluency = 4.0 * noise[0] + 4.0 * fluent
    columns: dict[str, Any] = {f"fluency{k}": fluency + 0.1 * noise[k] for k in (1, 2, 3)}
    view = _view({**columns, "knowledge": noise[4] + 2.0 * learned})
    scores = [{"signal": name} for name in (*columns, "knowledge")]
    found = _decide("orthogonal_scores", view, scores=scores, share=0.1, components=2)
    kept = found.copies > 0
    assert kept.sum() == n // 10
    summed = sum((view.numbers(item["signal"]) - view.numbers(item["signal"]).mean()) for item in scores)
    top = np.argsort(-np.asarray(summed))[: n // 10]
    assert np.isin(np.flatnonzero(learned), top).mean() < 0.4
    assert kept[learned].mean() > 0.9 and kept[fluent].mean() > 0.9
    loadings = (found.resolved or {})["component 1"]
    assert min(loadings["fluency1"], loadings["fluency2"]) > 0.5 and abs(loadings["knowledge"]) < 0.2


def _families(*, families: int = 12, members: int = 20) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Return vectors of families, one of them much larger, and the family of each."""
    random = np.random.default_rng(2)
    sizes = [members * (12 if family == 0 else 1) for family in range(families)]
    owner = np.repeat(np.arange(families), sizes)
    centres = random.normal(size=(families, 24))
    found = centres[owner] + 0.4 * random.normal(size=(len(owner), 24))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16), owner


def test_a_diverse_sample_reaches_every_family_and_is_more_diverse_than_chance_or_coverage_of_one() -> None:
    vectors, owner = _families()
    view = _view({"n_tokens": np.full(len(owner), 10)}, vectors)
    kept = _decide("diverse_sample", view, documents=24).copies > 0
    assert kept.sum() == 24 and len(set(owner[kept].tolist())) == 12
    for seed in range(10):
        chance = _decide("random_sample", view, count=24, seed=seed).copies > 0
        for score in (vendi, vendi_of_order_two):
            assert score(vectors[kept]) > 1.1 * score(vectors[chance])
    tokens = _decide("diverse_sample", view, tokens=240).copies > 0
    assert np.array_equal(tokens, kept)
    more = _decide("diverse_sample", view, share=0.3).copies > 0
    assert not (kept & ~more).any()


@given(st.integers(0, 1000), st.integers(2, 7))
def test_each_diverse_document_keeps_the_score_highest(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, 3))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    order = diverse_order(vectors, count).tolist()
    assert sorted(order) == list(range(count)) and order[0] == 0
    for taken in range(1, count):
        scores = {k: vendi_of_order_two(vectors[[*order[:taken], k]]) for k in order[taken:]}
        assert scores[order[taken]] == pytest.approx(max(scores.values()), rel=1e-5)


def test_documents_without_a_vector_come_last() -> None:
    vectors, _ = _families(families=3, members=4)
    vectors[::2] = 0
    kept = _decide("diverse_sample", _view({"n_tokens": np.ones(len(vectors))}, vectors), share=0.5).copies > 0
    assert np.array_equal(kept, vectors.any(axis=1))

"""Sampling by scores: shares match weights, order of rows changes nothing, budgets are met."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chisquare

from tamis.analytics.operators.operator import OPERATORS, Decision, View
from tamis.analytics.operators.sampling import even_quotas, gumbel, round_share, strata
from tamis.analytics.study.evidence import GivenEvidence
from tamis.data.errors import RecipeError
from tamis.data.hashing import key64

N = 3000
RANDOM = np.random.default_rng(8)
TABLE = pa.table(
    {
        "score": pa.array(RANDOM.normal(size=N), mask=RANDOM.random(N) < 0.02),
        "n_tokens": RANDOM.integers(1, 200, size=N).astype(np.int32),
        "norm_count": RANDOM.choice([1, 1, 1, 2, 4, 7, 120, 5000], size=N).astype(np.int32),
        "lang": RANDOM.choice(["de", "en", "fr"], size=N, p=[0.1, 0.7, 0.2]),
    }
)
KEYS = key64([f"document {k}" for k in range(N)])


def _view(rows: np.ndarray | None = None, *, copies: np.ndarray | None = None) -> View:
    chosen = np.arange(N) if rows is None else rows
    times = np.ones(len(chosen), dtype=np.int32) if copies is None else copies[chosen]
    return View(chosen, KEYS[chosen], times, TABLE.take(pa.array(chosen)), GivenEvidence())


def _decide(name: str, view: View | None = None, **params: object) -> Decision:
    operator = OPERATORS.build(name, params)
    return operator.decide(_view() if view is None else view)  # type: ignore[attr-defined]


def _scores() -> np.ndarray:
    return TABLE.column("score").to_numpy()


def test_top_share_keeps_exactly_the_highest() -> None:
    kept = _decide("top_share", signal="score", share=0.29).copies > 0
    assert kept.sum() == 870
    assert np.nanmin(_scores()[kept]) >= np.nanmax(_scores()[~kept])
    lowest = _decide("top_share", signal="score", best="lowest", documents=100).copies > 0
    assert np.nanmax(_scores()[lowest]) <= np.nanmin(_scores()[~lowest])


def test_share_within_a_category_is_met_in_each_value() -> None:
    kept = _decide("top_share", signal="score", share=0.25, within="lang").copies > 0
    lang = np.array(TABLE.column("lang").to_pylist())
    for name in ("de", "en", "fr"):
        assert kept[lang == name].sum() == np.floor(0.25 * np.count_nonzero(lang == name) + 0.5)


def test_token_budget_counts_copies_and_is_not_exceeded() -> None:
    copies = np.full(N, 2, dtype=np.int32)
    decision = _decide("top_share", _view(copies=copies), signal="score", tokens=10_000)
    spent = int(decision.copies @ TABLE.column("n_tokens").to_numpy())
    assert 9_600 <= spent <= 10_000
    assert set(decision.copies.tolist()) == {0, 2}


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_softmax_sample_draws_in_proportion_to_the_weights(temperature: float) -> None:
    few = np.arange(6)
    view = _view(few)
    values = view.numbers("score")
    weights = np.exp((values - values.mean()) / values.std() / temperature)
    drawn = np.zeros(6)
    for seed in range(4000):
        params = {"signal": "score", "documents": 1, "temperature": temperature, "seed": seed}
        drawn += OPERATORS.build("softmax_sample", params).decide(view).copies  # type: ignore[attr-defined]
    assert drawn.sum() == 4000
    assert chisquare(drawn, 4000 * weights / weights.sum()).pvalue > 0.001


def test_gumbel_noise_has_its_mean_and_variance() -> None:
    noise = gumbel(KEYS, seed=1, salt="test")
    assert noise.mean() == pytest.approx(0.5772, abs=0.08)
    assert noise.var() == pytest.approx(np.pi**2 / 6, rel=0.12)


def test_high_temperature_is_random_and_low_temperature_is_the_top() -> None:
    top = _decide("top_share", signal="score", documents=500).copies
    cold = _decide("softmax_sample", signal="score", documents=500, temperature=0.001).copies
    hot = _decide("softmax_sample", signal="score", documents=500, temperature=900).copies
    assert np.count_nonzero(top != cold) < 20
    assert 0.1 < np.count_nonzero(top & hot) / 500 < 0.25


def test_stratified_share_takes_from_all_levels() -> None:
    decision = _decide("stratified_share", signal="score", share=0.2, strata=10)
    kept = decision.copies > 0
    assert kept.sum() == 600
    levels = strata(_scores(), 10)
    sizes = np.bincount(levels[levels >= 0], minlength=10)
    taken = np.bincount(levels[kept & (levels >= 0)], minlength=10)
    full = taken == sizes
    assert taken[~full].max() - taken[~full].min() <= 1
    assert taken[full].max(initial=0) <= taken[~full].min()
    without = _decide("stratified_share", signal="score", share=0.2, strata=10, drop_hardest=0.3).copies > 0
    cut = np.nanquantile(_scores(), 0.7)
    assert without.sum() == 600 and np.nanmax(_scores()[without]) <= cut


@pytest.mark.parametrize(("part", "low", "high"), [("low", 0.0, 0.4), ("middle", 0.3, 0.7), ("high", 0.6, 1.0)])
def test_perplexity_band_keeps_its_part_by_rank(part: str, low: float, high: float) -> None:
    kept = _decide("perplexity_band", signal="score", share=0.4, part=part).copies > 0
    assert kept.sum() == 1200
    known = np.sort(_scores()[~np.isnan(_scores())])
    inside = _scores()[kept]
    assert inside.min() >= known[max(int((low - 0.01) * len(known)), 0)]
    assert inside.max() <= known[min(int((high + 0.01) * len(known)), len(known) - 1)]


def test_even_quotas_give_leftovers_to_larger_strata() -> None:
    assert even_quotas(np.array([2, 100, 100]), 32).tolist() == [2, 15, 15]
    assert even_quotas(np.array([0, 5, 5]), 5).sum() == 5
    assert even_quotas(np.array([3, 1]), 100).tolist() == [3, 1]


def test_shares_round_like_people_do() -> None:
    assert round_share(0.29, np.array([100, 10])).tolist() == [29, 3]
    assert round_share(0.5, np.array([5])).tolist() == [3]


def test_mixture_meets_its_shares_of_tokens() -> None:
    weights = [{"group": "de", "weight": 1}, {"group": "en", "weight": 1}, {"group": "fr", "weight": 2}]
    decision = _decide("mixture", by="lang", weights=weights)
    tokens = TABLE.column("n_tokens").to_numpy() * decision.copies
    lang = np.array(TABLE.column("lang").to_pylist())
    total = {name: tokens[lang == name].sum() for name in ("de", "en", "fr")}
    assert total["de"] == pytest.approx(total["en"], rel=0.02)
    assert total["fr"] == pytest.approx(2 * total["de"], rel=0.02)
    # The largest mixture in these proportions uses up the group that runs out first.
    assert any((decision.copies[lang == name] > 0).all() for name in ("de", "en", "fr"))


def test_mixture_repeats_small_groups_up_to_the_cap() -> None:
    decision = _decide("mixture", by="lang", alpha=0.0, share=0.9, max_copies=2)
    lang = np.array(TABLE.column("lang").to_pylist())
    assert set(decision.copies[lang == "de"].tolist()) == {2}
    assert decision.copies[lang == "en"].max() == 1
    tokens = TABLE.column("n_tokens").to_numpy()
    assert decision.copies @ tokens == pytest.approx(0.9 * tokens.sum(), rel=0.01)


def test_mixture_by_weights_has_mean_weight_one_over_tokens() -> None:
    decision = _decide("mixture", by="lang", alpha=0.3, output="weights")
    tokens = TABLE.column("n_tokens").to_numpy()
    assert decision.weight is not None
    assert (decision.weight * tokens).sum() == pytest.approx(tokens.sum())
    assert decision.copies.min() == 1


def test_mixture_of_unknown_groups_is_an_error() -> None:
    with pytest.raises(RecipeError, match="No group of the mixture"):
        _decide("mixture", by="lang", weights=[{"group": "la", "weight": 1}])


def test_rehydration_follows_the_bins() -> None:
    decision = _decide("rehydrate")
    expected = {1: 1, 2: 2, 4: 3, 7: 5, 120: 8, 5000: 1}
    counts = TABLE.column("norm_count").to_pylist()
    assert decision.copies.tolist() == [expected[count] for count in counts]


def test_upsampling_has_the_right_mean_and_favours_the_best() -> None:
    decision = _decide("upsample", signal="score", above=50, max_copies=5)
    known = ~np.isnan(_scores())
    order = np.argsort(_scores()[known])
    copies = decision.copies[known][order]
    assert (copies[: len(copies) // 2] == 1).all()
    assert copies[-10:].mean() > 4.5
    assert copies[len(copies) // 2 :].mean() == pytest.approx(3.0, abs=0.1)
    assert (decision.copies[~known] == 1).all()


@pytest.mark.parametrize(
    "order", ["shuffle", "easy to hard", "hard to easy", "warm-up then random", "interleaved", "best last"]
)
def test_curriculum_places_every_document_once(order: str) -> None:
    params: dict[str, object] = {"order": order} | ({} if order == "shuffle" else {"difficulty": "score"})
    decision = _decide("curriculum", **params)
    assert decision.position is not None
    assert sorted(decision.position.tolist()) == list(range(N))
    assert (decision.copies == 1).all()


def test_curriculum_orders_are_what_they_are_called() -> None:
    scores = np.nan_to_num(_scores(), nan=-99.0)

    def ordered(**params: object) -> np.ndarray:
        position = _decide("curriculum", difficulty="score", **params).position
        assert position is not None
        return scores[np.argsort(position)]

    assert (np.diff(ordered(order="easy to hard")) >= 0).all()
    assert (np.diff(ordered(order="hard to easy")) <= 0).all()
    warm = ordered(order="warm-up then random", warm_up=0.2)
    assert warm[:600].max() <= warm[600:].min() and (np.diff(warm[600:]) < 0).any()
    last = ordered(order="best last", warm_up=0.2)
    assert last[2400:].min() >= last[:2400].max()
    slices = ordered(order="interleaved", slices=3)
    assert all((np.diff(part) >= 0).all() for part in np.split(slices, 3))
    assert abs(slices[:1000].mean() - slices[2000:].mean()) < 0.05 * 99


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("top_share", {"signal": "score", "share": 0.3}),
        ("softmax_sample", {"signal": "score", "share": 0.3}),
        ("stratified_share", {"signal": "score"}),
        ("mixture", {"by": "lang", "alpha": 0.3, "share": 0.4}),
        ("upsample", {"signal": "score"}),
        ("curriculum", {"order": "warm-up then random", "difficulty": "score"}),
    ],
)
def test_a_document_is_decided_the_same_in_any_order_of_rows(name: str, params: dict[str, object]) -> None:
    whole = _decide(name, **params)
    order = np.random.default_rng(3).permutation(N)
    # Rows carry their own numbers and keys, so a permuted view is the same set of documents.
    other = _decide(name, _view(order), **params)
    assert np.array_equal(whole.copies[order], other.copies)
    if whole.position is not None and other.position is not None:
        assert np.array_equal(whole.position[order], other.position)

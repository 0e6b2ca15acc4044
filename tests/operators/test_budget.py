"""Budgets: the projection against a reference solver, rounding, mixtures, effective tokens."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.analytics.operators.budget import effective_tokens
from tamis.analytics.operators.quotas import compute_floors, fill_shares, preferences, project, quotas, whole_numbers
from tamis.data.errors import RecipeError

quick = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def _problem(seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 40))
    low = np.floor(random.uniform(0, 20, count))
    high = low + np.floor(random.exponential(40, count))
    total = float(np.floor(random.uniform(low.sum(), high.sum() + 1)))
    return random.uniform(-10, 90, count), low, high, min(total, float(high.sum()))


def _by_bisection(
    wanted: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], total: float
) -> NDArray[np.float64]:
    """Solve the same problem by halving the interval of lambda until it is as narrow as floats allow."""
    left, right = float((low - wanted).min()) - 1.0, float((high - wanted).max()) + 1.0
    for _ in range(200):
        middle = (left + right) / 2
        if np.clip(wanted + middle, low, high).sum() < total:
            left = middle
        else:
            right = middle
    return np.clip(wanted + right, low, high)


@quick
@given(seeds)
def test_projection_agrees_with_a_reference_solver(seed: int) -> None:
    wanted, low, high, total = _problem(seed)
    found = project(wanted, low, high, total)
    assert np.abs(found - _by_bisection(wanted, low, high, total)).max() < 1e-9
    assert abs(found.sum() - total) < 1e-9
    assert np.all(low <= found) and np.all(found <= high)


@pytest.mark.parametrize("seed", range(6))
def test_projection_agrees_with_a_quadratic_programme(seed: int) -> None:
    from scipy.optimize import minimize

    wanted, low, high, total = _problem(seed + 100)
    start = low + (high - low) * (total - low.sum()) / max(float((high - low).sum()), 1.0)
    solved = minimize(
        lambda x: 0.5 * x @ x - wanted @ x,
        start,
        jac=lambda x: x - wanted,
        bounds=list(zip(low, high, strict=True)),
        constraints={"type": "eq", "fun": lambda x: x.sum() - total, "jac": lambda x: np.ones(len(x))},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    found = project(wanted, low, high, total)
    assert np.abs(found - solved.x).max() < 1e-5
    # The solver meets its budget to about 1e-9, so its objective may be better by as much of its own size.
    assert 0.5 * found @ found - wanted @ found <= solved.fun + 1e-9 * abs(solved.fun)


def test_budget_that_cannot_be_met_is_an_error() -> None:
    with pytest.raises(RecipeError, match="cannot be met"):
        project(np.array([1.0, 1.0]), np.zeros(2), np.array([3.0, 4.0]), 8.0)
    with pytest.raises(RecipeError, match="cannot be met"):
        project(np.array([1.0]), np.array([2.0]), np.array([1.0]), 1.5)
    with pytest.raises(RecipeError, match="cannot be met"):
        quotas(np.zeros(2), np.array([3, 4]), 8, tau=0.5)


@quick
@given(seeds)
def test_whole_quotas_meet_the_budget_within_their_bounds(seed: int) -> None:
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 200, size=random.integers(1, 30))
    total = int(random.integers(1, sizes.sum() + 1))
    found = quotas(random.normal(size=len(sizes)), sizes, total, tau=float(random.uniform(0.05, 3)))
    assert found.sum() == total
    assert np.all(found <= sizes) and np.all(found >= compute_floors(sizes, total))


def test_largest_remainders_win_and_ties_go_to_the_first() -> None:
    low, high = np.zeros(3, dtype=np.int64), np.full(3, 9)
    assert whole_numbers(np.array([1.2, 2.7, 0.1]), low, high, 4).tolist() == [1, 3, 0]
    assert whole_numbers(np.array([1.5, 1.5, 1.0]), low, high, 4).tolist() == [2, 1, 1]
    assert whole_numbers(np.array([2.0 - 1e-12, 1.0, 1.0]), low, high, 4).tolist() == [2, 1, 1]
    assert whole_numbers(np.array([0.5, 0.5, 3.0]), low, np.array([0, 9, 9]), 4).tolist() == [0, 1, 3]
    with pytest.raises(RecipeError, match="cannot be met"):
        whole_numbers(np.array([1.0]), np.array([0]), np.array([1]), 2)


def test_tau_and_alpha_do_what_they_say() -> None:
    complexity, sizes = np.array([0.1, 0.2, np.nan]), np.array([100.0, 300.0, 600.0])
    equal = preferences(complexity, sizes, tau=1e6)
    assert equal == pytest.approx([1 / 3] * 3, rel=1e-5)
    assert preferences(complexity, sizes, tau=1e6, alpha=1.0) == pytest.approx([0.1, 0.3, 0.6], rel=1e-5)
    strict = preferences(complexity, sizes, tau=0.01)
    assert strict[1] > strict[2] > strict[0]
    assert preferences(complexity, np.array([1.0, 0.0, 1.0]), tau=1.0)[1] == 0.0


def test_floor_is_half_an_equal_share_or_all_but_one() -> None:
    assert compute_floors(np.array([1, 3, 1000]), 60).tolist() == [0, 2, 10]
    assert compute_floors(np.array([5, 5]), 10, floor=0.0).tolist() == [0, 0]


def test_mixture_is_capped_at_supply_and_the_rest_goes_to_the_others() -> None:
    wanted, caps = np.array([1.0, 1.0, 2.0]), np.array([10.0, 100.0, 100.0])
    assert fill_shares(wanted, caps, 80.0).tolist() == pytest.approx([10.0, 70 / 3, 140 / 3])
    assert fill_shares(wanted, caps, 400.0).tolist() == [10.0, 100.0, 100.0]
    assert fill_shares(wanted, caps, None).tolist() == [10.0, 10.0, 20.0]
    assert fill_shares(np.array([1.0, 0.0]), np.array([0.0, 5.0]), 3.0).tolist() == [0.0, 0.0]


def test_effective_tokens_are_those_of_the_formula() -> None:
    tokens = np.array([100.0, 50.0, 10.0])
    assert effective_tokens(tokens, np.array([1, 1, 0], dtype=np.int32)) == 150.0
    four = effective_tokens(tokens[:1], np.array([4], dtype=np.int32))
    assert four == pytest.approx(100 + 100 * 15 * (1 - np.exp(-3 / 15)))
    assert 370 < four < 400
    assert effective_tokens(tokens[:1], np.array([1000], dtype=np.int32)) < 1_600.1

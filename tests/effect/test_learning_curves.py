"""Speed-up and the share of the data that is enough: exact where the answer is known, honest elsewhere."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.effect.learning_curves import Curve, RatioInterval, find_data_share, find_speed_up
from tamis.analytics.effect.proxy_agreement import AGREEMENT, trust_sentence
from tamis.analytics.effect.proxy_plan import SIZES

TOKENS = (100, 200, 400, 800)


def _falling(slope: float, start: float = 8.0, *, seed: int = 0) -> Curve:
    """Return a curve that is straight over the logarithm of the tokens."""
    return Curve(seed, TOKENS, tuple(start - slope * math.log2(t / 100) for t in TOKENS))


def _flat(loss: float, seed: int = 0) -> Curve:
    return Curve(seed, TOKENS, (9.0, 9.0, 9.0, loss))


def test_trust_in_a_proxy_is_what_the_documentation_published() -> None:
    text = (Path(__file__).parents[2] / "docs" / "effect.md").read_text("utf-8")
    for proxy, found in AGREEMENT.items():
        recipes = " and ".join(map(str, found.recipes))
        row = (proxy, found.larger, "both", recipes, f"{found.correlation:.2f} or more")
        assert f"| {' | '.join(map(str, row))} | {found.agree} of {found.pairs} |" in text
        assert found.pairs == sum(count * (count - 1) // 2 for count in found.recipes) and found.larger in SIZES
        assert f"in {found.agree} of {found.pairs} decisions" in trust_sentence(proxy)
    assert "No larger model" in trust_sentence("30M")


def test_a_curve_that_falls_twice_as_fast_needs_the_root_of_the_tokens() -> None:
    found = find_speed_up([_falling(2.0)] * 2, [_falling(1.0)] * 2)
    assert found.interval.middle == pytest.approx(800 / (100 * 2**1.5))
    assert "faster" in found.sentence and not found.least


@given(st.floats(0.2, 3.0), st.floats(0.2, 3.0))
def test_speed_up_of_the_other_way_round_is_its_inverse(a: float, b: float) -> None:
    ours, others = [_falling(a)], [_falling(b)]
    there = find_speed_up(ours, others).interval.middle
    assert there * find_speed_up(others, ours).interval.middle == pytest.approx(1.0)
    assert (there > 1) == (a > b) or math.isclose(there, 1.0)


def test_an_interval_over_seeds_that_covers_one_is_no_effect() -> None:
    ours = [_falling(1.1), _falling(0.9, seed=1), _falling(1.0, seed=2)]
    found = find_speed_up(ours, [_falling(1.0, seed=k) for k in range(3)])
    assert found.interval.low is not None and found.interval.low < 1 < (found.interval.high or 0)
    assert "no measurable effect" in found.sentence


def test_one_seed_has_no_interval_and_says_so() -> None:
    found = find_speed_up([_falling(2.0)], [_falling(1.0)])
    assert found.interval.low is None and "no interval" in found.sentence


def test_a_curve_that_begins_below_gives_a_bound() -> None:
    found = find_speed_up([_falling(1.0, 4.0)] * 2, [_falling(1.0)] * 2)
    assert found.least and "at least" in found.sentence and found.interval.middle == pytest.approx(8.0)


def test_the_share_lies_where_the_losses_cross() -> None:
    shares = {0.1: [_flat(3.0)] * 2, 0.4: [_flat(1.0)] * 2}
    found = find_data_share(shares, [_flat(2.0)] * 2)
    assert found.outcome == "reached" and found.interval is not None
    assert found.interval.middle == pytest.approx(0.2)


def test_a_share_that_no_seed_reaches_is_not_promised() -> None:
    found = find_data_share({0.1: [_flat(3.0)], 0.5: [_flat(2.5)]}, [_flat(2.0)])
    assert found.outcome == "not reached" and found.sentence == "no share up to 50.0% equals training on everything"


def test_seeds_that_disagree_are_not_certain() -> None:
    shares = {0.1: [_flat(3.0), _flat(3.0, 1)], 0.5: [_flat(1.0), _flat(2.5, 1)]}
    found = find_data_share(shares, [_flat(2.0), _flat(2.0, 1)])
    assert (found.outcome, found.reached) == ("in part", 1) and "not certain" in found.sentence


def test_the_smallest_share_tried_is_a_bound() -> None:
    found = find_data_share({0.1: [_flat(1.0)] * 3}, [_flat(2.0)] * 3)
    assert found.most and "10.0% of the data, the smallest share tried, is no worse" in found.sentence


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=8))
def test_an_interval_holds_its_middle(values: list[float]) -> None:
    found = RatioInterval.of(values)
    assert found.low is not None and found.high is not None
    assert found.low <= found.middle * (1 + 1e-9) and found.middle <= found.high * (1 + 1e-9)
    assert min(values) * (1 - 1e-9) <= found.middle <= max(values) * (1 + 1e-9)

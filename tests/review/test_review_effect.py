"""Votes beside measured effects: counts by hand, direction of better, ranks only where they say something."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic import synthetic_facts

from tamis.analytics.effect.verdict import Difference
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.agreement import DROP, KEEP, Votes
from tamis.analytics.review.effect_agreement import MeasuredRecipe, RecipeAgreement, compare_recipes, relation
from tamis.analytics.review.queues import places
from tamis.analytics.study.evidence import GivenEvidence
from tamis.analytics.study.extrapolation import wilson
from tamis.analytics.study.scene import Scene
from tamis.data.reviews import DECISIONS, Event, event_key

FACTS = synthetic_facts(400, seed=2)


def scene(least: int) -> Scene:
    recipe = Recipe().with_operator(OPERATORS.build("signal_range", {"signal": "n_words", "min": least}))
    return Scene.build(FACTS, GivenEvidence(), recipe=recipe)


def measured(least: int, mean: float, *, lower_is_better: bool = True) -> MeasuredRecipe:
    outcome = scene(least).outcome
    assert outcome is not None
    head = Difference("bits", "random", mean, 0.1, mean - 0.2, mean + 0.2, 1.0, 1.0 - mean, 5, lower_is_better)
    return MeasuredRecipe(f"at least {least}", "wiki", str(least), head, outcome)


def votes_of(deciding: NDArray[np.int16], flipped: int) -> Votes:
    """Return the votes of one person on the first 40 documents: what a recipe decides, some turned round."""
    events = []
    for row in range(40):
        drop = bool(deciding[row] > 0) != (row < flipped)
        subject = FACTS.ids[row].as_py()
        value = DECISIONS[DROP if drop else KEEP]
        events.append(Event(event_key(row), "Ada", "c", "document", subject, "decision", value))
    return Votes.of(events)


def test_agreement_is_counted_and_less_bits_are_a_gain() -> None:
    one = measured(100, -0.5)
    votes = votes_of(one.outcome.deciding, flipped=10)
    seen = compare_recipes(votes, places(scene(100), votes), [one])[0]
    assert (seen.agreed.hits, seen.agreed.of) == (30, 40)
    assert (seen.gain, seen.low, seen.high) == pytest.approx((0.5, 0.3, 0.7))
    assert seen.verdict == one.headline.verdict
    other = compare_recipes(votes, places(scene(100), votes), [measured(100, -0.5, lower_is_better=False)])[0]
    assert (other.gain, other.low, other.high) == pytest.approx((-0.5, -0.7, -0.3))


def test_documents_of_another_corpus_are_left_out() -> None:
    one = measured(100, -0.5)
    votes = votes_of(one.outcome.deciding, flipped=0)
    rows = places(scene(100), votes)
    rows[:5] = -1
    assert compare_recipes(votes, rows, [one])[0].agreed.of == 35


def test_recipes_come_in_the_order_of_their_gain() -> None:
    many = [measured(50, 0.1), measured(100, -0.5), measured(200, -0.2)]
    votes = votes_of(many[0].outcome.deciding, flipped=3)
    seen = compare_recipes(votes, places(scene(50), votes), many)
    assert [one.digest for one in seen] == ["100", "200", "50"]


def ranked(agreed: list[int], gains: list[float]) -> list[RecipeAgreement]:
    return [
        RecipeAgreement(str(place), "t", str(place), wilson(hits, 10), gain, gain, gain, "no measurable effect")
        for place, (hits, gain) in enumerate(zip(agreed, gains, strict=True))
    ]


def test_ranks_that_agree_correlate_and_opposite_ones_anticorrelate() -> None:
    assert relation(ranked([1, 3, 5, 9], [0.1, 0.2, 0.3, 0.4])).rho == pytest.approx(1.0)
    assert relation(ranked([9, 5, 3, 1], [0.1, 0.2, 0.3, 0.4])).rho == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("agreed", "gains"),
    [([], []), ([1, 2, 3], [0.1, 0.2, 0.3]), ([5] * 4, [0.1, 0.2, 0.3, 0.4]), ([1, 2, 3, 4], [0.1] * 4)],
)
def test_too_few_or_equal_ranks_say_nothing(agreed: list[int], gains: list[float]) -> None:
    found = relation(ranked(agreed, gains))
    assert math.isnan(found.rho) and found.recipes == len(agreed)

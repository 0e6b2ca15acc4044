"""The headline has the verdict and its price; a small target is told with the size that would do."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_study import planted_study

from tamis.analytics.effect.bench import Cleaning, Protocol
from tamis.analytics.effect.evaluation import evaluate_effect
from tamis.analytics.effect.headline import (
    LEAST_SCORED,
    enough_texts,
    find_general,
    headline_of,
    small_target,
)
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.result import Effect
from tamis.analytics.effect.verdict import Difference, Verdict
from tamis.analytics.recipe.recipe import Recipe

MEANS = {"better": -0.5, "worse": 0.5, "no measurable effect": 0.0}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Effect:
    study, target, _ = planted_study(tmp_path_factory.mktemp("planted"))
    bed = EffectStudy.open(study, target, protocol=Protocol(budget_bytes=60_000, draws=3, holdout_bytes=40_000))
    return evaluate_effect(bed, Recipe(title="nothing"))


def judged(item: Difference, verdict: str, half: float = 0.1) -> Difference:
    mean = MEANS[verdict]
    return replace(item, mean=mean, sd=half / 2, low=mean - half, high=mean + half)


def effect(measured: Effect, target: str, general: str, *, scored: int = 500, half: float = 0.1) -> Effect:
    found = tuple(
        judged(item, general if item.figure == "general bits per byte" else target, half)
        for item in measured.differences
    )
    return replace(measured, differences=found, cleaning=replace(measured.cleaning, scored_texts=scored))


@pytest.mark.parametrize(("target", "general"), list(product(get_args(Verdict), repeat=2)))
def test_the_headline_says_what_is_won_and_what_is_lost(measured: Effect, target: str, general: str) -> None:
    found = headline_of(effect(measured, target, general))
    assert found is not None and (found.verdict, found.price) == (target, general)
    assert found.title.startswith(f"{target.capitalize()} for ") and "general text" in found.title
    assert ("worse" in found.title.split("general text")[1]) == (general == "worse")
    assert ("at a price" in found.title) == (target == "better" and general == "worse")
    assert found.mixed == ({target, general} == {"better", "worse"})


def test_without_a_target_there_is_no_headline_but_a_general_loss(measured: Effect) -> None:
    bare = replace(measured, target="", target_digest="")
    assert headline_of(bare) is None
    general = find_general(bare)
    assert general is not None and general.figure == "general bits per byte"


def test_a_verdict_from_eleven_texts_names_the_size_that_would_do(measured: Effect) -> None:
    small = effect(measured, "better", "worse", scored=11)
    assert enough_texts(small, 22) == 200
    said = small_target(small, 22)
    assert "rests on 11 texts" in said and "About 200 texts would do" in said


def test_a_verdict_from_many_texts_needs_no_more(measured: Effect) -> None:
    assert small_target(effect(measured, "better", "worse", scored=LEAST_SCORED), 220) == ""


@given(scored=st.integers(1, 5000), half=st.floats(1e-4, 2.0))
def test_a_target_of_the_size_that_would_do_is_large_enough(measured: Effect, scored: int, half: float) -> None:
    small = effect(measured, "no measurable effect", "better", scored=scored, half=half)
    enough = enough_texts(small, 2 * scored)
    if enough is None:
        return
    more = enough // 2
    assert more > scored
    # The error falls with the root of the number of texts.
    grown = effect(measured, "no measurable effect", "better", scored=more, half=half * (scored / more) ** 0.5)
    assert enough_texts(grown, 2 * more) is None


def test_an_effect_without_scored_texts_warns_of_nothing(measured: Effect) -> None:
    assert small_target(replace(measured, cleaning=Cleaning()), 50) == ""

"""A second cut changes the first; steps get new names; percentiles stay percentiles beside ranges by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import synthetic_facts

from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.analytics.recipe.cuts import find_cut, join_cuts, with_cut
from tamis.analytics.recipe.plan import evaluate, freeze
from tamis.analytics.recipe.recipe import STEP_ID, Recipe
from tamis.analytics.study.evidence import GivenEvidence
from tamis.data.errors import ParameterError, RecipeError

FACTS = synthetic_facts(4_000, seed=1)


def rule(name: str, **params: object) -> Operator:
    return OPERATORS.build(name, params)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rule("signal_range", signal="n_words", min=5), rule("signal_range", signal="n_words", max=90)),
        (rule("signal_range", signal="n_words", min=5), rule("percentile_band", signal="n_words", low=5)),
        (
            rule("percentile_band", signal="n_words", low=5, within="source"),
            rule("grouped_range", signal="n_words", by="source", bounds=[{"value": "a", "min": 1}]),
        ),
        (rule("exact_dedup"), rule("exact_dedup", max_copies=3)),
        (rule("near_dedup", threshold=0.8), rule("near_dedup", threshold=0.7)),
        (rule("language", languages=["en"]), rule("language", languages=["de"])),
    ],
)
def test_a_second_cut_by_the_same_thing_changes_the_first(first: Operator, second: Operator) -> None:
    recipe, step = with_cut(Recipe().with_operator(first).with_operator("random_sample", share=0.5), second)
    assert [each.operator for each in recipe] == [second, rule("random_sample", share=0.5)]
    assert step == recipe.steps[0].id


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rule("signal_range", signal="n_words", min=5), rule("signal_range", signal="n_tokens", min=5)),
        (rule("signal_range", signal="n_words", min=5), rule("signal_range", signal="n_words", min=5, mode="drop")),
        (
            rule("percentile_band", signal="n_words", low=5, within="source"),
            rule("percentile_band", signal="n_words", low=5, within="lang"),
        ),
        (rule("exact_dedup"), rule("exact_dedup", within="source")),
        (rule("regex", pattern="a"), rule("regex", pattern="b")),
    ],
)
def test_a_cut_by_another_thing_is_a_step_of_its_own(first: Operator, second: Operator) -> None:
    recipe, step = with_cut(Recipe().with_operator(first), second, note="more")
    assert [each.operator for each in recipe] == [first, second]
    assert recipe.steps[1].id == step and recipe.steps[1].note == "more"


def test_a_step_that_is_switched_off_is_not_changed() -> None:
    recipe = Recipe().with_operator("signal_range", signal="n_words", min=5)
    off = recipe.replaced("signal-range", enabled=False)
    assert find_cut(off, rule("signal_range", signal="n_words", min=9)) is None
    assert find_cut(recipe, rule("signal_range", signal="n_words", min=9)) == recipe.steps[0]


def test_the_end_that_only_the_first_range_has_stays() -> None:
    first = rule("signal_range", signal="n_words", min=5, strict_min=True)
    joined = join_cuts(first, rule("signal_range", signal="n_words", max=90))
    assert joined == rule("signal_range", signal="n_words", min=5, strict_min=True, max=90)
    assert join_cuts(first, rule("signal_range", signal="n_words", min=7)).model_dump()["min"] == 7
    with pytest.raises(ParameterError, match="min must not be above max"):
        join_cuts(first, rule("signal_range", signal="n_words", max=3))


@given(st.text(max_size=90))
def test_a_step_can_be_called_anything_and_gets_an_id_that_is_allowed(name: str) -> None:
    recipe = Recipe().with_operator("exact_dedup").with_operator("language", languages=["en"])
    renamed = recipe.renamed("language", name)
    assert STEP_ID.fullmatch(renamed.steps[1].id) and renamed.steps[0] == recipe.steps[0]
    assert renamed.steps[1].operator == recipe.steps[1].operator


def test_a_new_name_is_the_nearest_id_and_never_that_of_another_step() -> None:
    recipe = Recipe().with_operator("exact_dedup").with_operator("language", languages=["en"])
    assert recipe.renamed("language", "Only English, please").steps[1].id == "only-english-please"
    assert recipe.renamed("language", "Exact dedup").steps[1].id == "exact-dedup-2"
    assert recipe.renamed("language", "language") == recipe == recipe.renamed("language", "  ")
    with pytest.raises(RecipeError, match="no such step"):
        recipe.renamed("nowhere", "x")


def test_what_is_wrong_with_a_rule_is_said_for_each_parameter() -> None:
    with pytest.raises(ParameterError) as caught:
        OPERATORS.build("near_dedup", {"threshold": 3, "n": 0})
    assert set(caught.value.faults) == {"threshold", "n"}
    with pytest.raises(ParameterError) as caught:
        OPERATORS.build("signal_range", {"signal": "n_words"})
    assert caught.value.faults == {"": "give min, max or both"}
    with pytest.raises(ParameterError) as caught:
        OPERATORS.build("category", {})
    assert set(caught.value.faults.values()) == {ParameterError.MISSING}


def test_ranges_by_hand_stand_beside_percentiles_and_only_change_their_groups() -> None:
    band = rule("percentile_band", signal="n_words", low=10, within="source")
    mixed = rule(
        "percentile_band", signal="n_words", low=10, within="source", bounds=[{"value": "source-03", "max": 100}]
    )
    plain, both = (evaluate(Recipe().with_operator(each), FACTS, GivenEvidence()) for each in (band, mixed))
    hand = np.array(FACTS.array("source").to_pylist()) == "source-03"
    words = FACTS.numbers("n_words")
    assert (plain.kept == both.kept)[~hand].all()
    assert (both.kept[hand] == (words[hand] <= 100)).all() and 0 < both.kept[hand].sum() < hand.sum()
    recipe = Recipe().with_operator(mixed)
    frozen = freeze(recipe, "percentile-band", outcome=evaluate(recipe, FACTS, GivenEvidence()))
    assert (evaluate(frozen, FACTS, GivenEvidence()).kept == both.kept).all()


def test_a_band_without_ranges_by_hand_keeps_the_digest_it_had() -> None:
    recipe = Recipe().with_operator("percentile_band", signal="n_words", low=10, within="source")
    assert recipe.digest == Recipe().with_operator("percentile_band", signal="n_words", low=10, within="source",
                                                   bounds=[]).digest  # fmt: skip
    assert "bounds" not in recipe.to_yaml()
    with pytest.raises(ParameterError, match="bounds by hand need within"):
        rule("percentile_band", signal="n_words", low=10, bounds=[{"value": "a", "min": 1}])

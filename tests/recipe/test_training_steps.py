"""Steps of training stand last in a recipe, each at most once and in one order, and change nothing before them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from operator_examples import EXAMPLES, evidence
from synthetic import synthetic_facts

from tamis.analytics.export.rule_export import lost_steps
from tamis.analytics.operators.operator import OPERATORS, TrainingOperator
from tamis.analytics.recipe.ledger import ledger
from tamis.analytics.recipe.outcome import Selection
from tamis.analytics.recipe.plan import attach, evaluate
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.data.errors import RecipeError

NAMES = ("split", "expand", "pack", "batches")


def step(name: str, *, id: str = "") -> Step:
    return Step(id or name, OPERATORS.build(name, EXAMPLES[name][0]))


def test_the_group_training_has_these_steps() -> None:
    turns = {kind.turn: kind.name for kind in OPERATORS if issubclass(kind, TrainingOperator)}
    assert [turns[turn] for turn in sorted(turns)] == list(NAMES)


@pytest.mark.parametrize("names", list(permutations(NAMES)))
def test_steps_added_in_any_order_stand_in_one(names: tuple[str, ...]) -> None:
    recipe = Recipe()
    for name in names:
        recipe = recipe.with_operator(name)
    recipe = recipe.with_operator("exact_dedup")
    assert [each.id for each in recipe] == ["exact-dedup", *NAMES]
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe


@pytest.mark.parametrize(
    "names", [names for names in permutations(NAMES, 2) if NAMES.index(names[0]) > NAMES.index(names[1])]
)
def test_another_order_is_refused_with_what_to_move(names: tuple[str, str]) -> None:
    first, second = names
    with pytest.raises(RecipeError, match=f"another order.*move {second} before {first}"):
        Recipe(steps=(step(first), step(second)))


def test_a_step_of_training_stands_once() -> None:
    with pytest.raises(RecipeError, match=r"two: pack .pack. and other .pack.*remove other"):
        Recipe(steps=(step("pack"), step("pack", id="other")))


@pytest.mark.parametrize("name", ["exact_dedup", "mojibake_repair"])
def test_rules_and_edits_come_before_training(name: str) -> None:
    with pytest.raises(RecipeError, match=f"come after all others: split .split. and {name}.*move {name} before split"):
        Recipe(steps=(step("split"), step(name)))


def test_only_moves_that_keep_the_order_are_possible() -> None:
    recipe = Recipe(steps=(step("exact_dedup"), step("mojibake_repair"), step("split"), step("pack")))
    moves = {(each.id, to) for each in recipe for to in range(-1, 5) if recipe.can_move(each.id, to=to)}
    for name, to in moves:
        recipe.moved(name, to=to)
    assert ("exact_dedup", 1) in moves and ("split", 3) not in moves and ("mojibake_repair", 2) not in moves


def test_steps_of_training_drop_nothing_and_change_no_count() -> None:
    facts = synthetic_facts(400, seed=3)
    plain = Recipe().with_operator("upsample", signal="unigram_entropy").with_operator("curriculum")
    whole = plain
    for name in NAMES:
        whole = whole.with_operator(name)
    before, after = (evaluate(recipe, facts, evidence(facts)) for recipe in (plain, whole))
    assert np.array_equal(before.copies, after.copies) and np.array_equal(before.deciding, after.deciding)
    assert before.position is not None and after.position is not None
    assert np.array_equal(before.position, after.position)
    assert {(count.documents, count.copies, count.tokens, count.bytes) for count in after.counts[-5:]} == {
        (before.output.documents, before.output.copies, before.output.tokens, before.output.bytes)
    }
    rows = [ledger(each, attach(facts, whole.measures(), evidence(facts))).num_rows for each in (before, after)]
    assert rows == [0, 0]
    assert Selection.from_outcome(after, facts).steps[-4:] == NAMES


def test_an_export_of_rules_names_each_step_it_cannot_express() -> None:
    recipe = Recipe().with_operator("signal_range", signal="n_words", min=1)
    for name in NAMES:
        recipe = recipe.with_operator(name)
    lost = lost_steps(recipe)
    assert [loss.step for loss in lost] == list(NAMES)
    assert all("not expressible" in loss.what and "tamis prepare" in loss.what for loss in lost)


@pytest.mark.parametrize(
    ("name", "params", "fault"),
    [
        ("split", {"validation": 0.6, "test": 0.4}, "leave something for train"),
        ("pack", {"separator": "none", "special": "x"}, "choose separator"),
        ("batches", {"mode": "mixture"}, "give by or difficulty"),
        ("batches", {"by": "source"}, "neither with free"),
        ("batches", {"mode": "mixture", "by": "source", "difficulty": "n_words"}, "give by or difficulty"),
    ],
)
def test_wrong_parameters_say_what_to_do(name: str, params: dict[str, object], fault: str) -> None:
    with pytest.raises(RecipeError, match=fault):
        OPERATORS.build(name, params)

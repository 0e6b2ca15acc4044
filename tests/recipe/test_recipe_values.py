"""Recipes are values: immutable, equal by content, with one digest."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.operators.operator import OPERATORS, Registry
from tamis.analytics.operators.rows import SignalRange
from tamis.analytics.recipe.recipe import Provenance, Recipe, Step, canonical_text
from tamis.data.errors import RecipeError

GOLDEN = Path(__file__).parents[1] / "golden"


def signal_range(**params: object) -> SignalRange:
    return OPERATORS.build("signal_range", {"signal": "n_words", **params})


def three() -> Recipe:
    recipe = Recipe(title="Three rules", why="To test", author="Nobody")
    recipe = recipe.with_step(
        Step("long", signal_range(min=50), provenance=(("min", Provenance("rule set", source="Gopher")),))
    )
    recipe = recipe.with_step(Step("english", OPERATORS.build("language", {"languages": ["en"]}), note="for now"))
    return recipe.with_step(Step("twins", OPERATORS.build("exact_dedup", {}), enabled=False))


def test_golden_yaml_and_canonical_json_stay_as_they_are() -> None:
    recipe = Recipe.from_yaml((GOLDEN / "recipe.yaml").read_text())
    assert recipe.to_yaml() == (GOLDEN / "recipe.yaml").read_text()
    assert canonical_text(recipe) + "\n" == (GOLDEN / "recipe.canonical.json").read_text()
    assert recipe.digest == (GOLDEN / "recipe.digest").read_text().strip()


def test_edits_return_copies() -> None:
    recipe = three()
    before = recipe.to_yaml()
    recipe.with_operator(signal_range(max=9))
    recipe.without("long")
    recipe.moved("twins", to=0)
    recipe.replaced("long", enabled=False)
    recipe.described(title="Other")
    assert recipe.to_yaml() == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.title = "Other"  # type: ignore[misc]


def test_edits_do_what_they_say() -> None:
    recipe = three()
    assert [step.id for step in recipe.moved("twins", to=0)] == ["twins", "long", "english"]
    assert [step.id for step in recipe.moved("long", to=9)] == ["english", "twins", "long"]
    assert [step.id for step in recipe.without("english")] == ["long", "twins"]
    assert recipe.replaced("long", operator=signal_range(min=60)).step("long").operator.min == 60
    assert [step.id for step in recipe.with_operator(signal_range(max=3), at=1)] == [
        "long", "signal-range", "english", "twins"
    ]  # fmt: skip
    assert recipe.fresh_id("long") == "long-2"


def test_digest_covers_what_decides_and_nothing_else() -> None:
    recipe = three()
    same = (
        recipe.described(title="Other", why="Other", author="Other"),
        recipe.replaced("english", note="another note"),
        recipe.replaced("long", provenance=()),
        recipe.without("twins"),
    )
    assert {other.digest for other in same} == {recipe.digest}
    other = (
        recipe.replaced("twins", enabled=True),
        recipe.replaced("long", operator=signal_range(min=51)),
        recipe.replaced("long", id="longer"),
        recipe.moved("english", to=0),
    )
    assert len({recipe.digest, *(changed.digest for changed in other)}) == 5


def test_digest_ignores_order_of_keys_comments_and_number_form() -> None:
    one = "schema_version: 1\ntitle: A\nsteps:\n- {id: a, operator: signal_range, params: {signal: x, min: 3}}\n"
    two = (
        "# a comment\nsteps:\n- params: {min: 3.0, signal: x, missing: keep}\n  operator: signal_range\n  id: a\n"
        "title: B\nschema_version: 1\n"
    )
    assert Recipe.from_yaml(one).digest == Recipe.from_yaml(two).digest


def test_sets_of_values_have_one_order() -> None:
    one = OPERATORS.build("language", {"languages": ["fr", "en", "fr"]})
    two = OPERATORS.build("language", {"languages": ["en", "fr"]})
    assert one == two


@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_numbers_survive_the_round_trip_exactly(value: float) -> None:
    recipe = Recipe().with_operator(signal_range(min=value))
    assert Recipe.from_yaml(recipe.to_yaml()).steps[0].operator.min == value


@given(st.text(max_size=80))
def test_texts_survive_the_round_trip_exactly(text: str) -> None:
    recipe = Recipe(title=text, why=text + "\n" + text).with_operator(signal_range(min=1), note=text)
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: A\nsteps: []", "schema_version"),
        ("schema_version: 2\nsteps: []", "unknown schema version"),
        ("schema_version: true\nsteps: []", "schema_version"),
        ("schema_version: 1\nsteps: {}\n", "must be a list"),
        ("schema_version: 1\nsteps: [1]", "must be a mapping"),
        ("schema_version: 1\nextra: 2", "Unknown key in recipe.*extra"),
        ("schema_version: 1\nsteps: [{id: a, operator: nothing}]", "Unknown operator.*signal_range"),
        ("schema_version: 1\nsteps: [{id: a}]", "must name its operator"),
        ("schema_version: 1\nsteps: [{id: A, operator: exact_dedup}]", "Step id is not allowed"),
        ("schema_version: 1\nsteps: [{id: ../a, operator: exact_dedup}]", "Step id is not allowed"),
        ("schema_version: 1\nsteps: [{id: a, operator: exact_dedup, extra: 1}]", "Unknown key in step"),
        ("schema_version: 1\nsteps: [{id: a, operator: exact_dedup, params: {deep: 1}}]", "deep"),
        ("schema_version: 1\nsteps: [{id: a, operator: exact_dedup, enabled: yes}]", "true or false"),
        ("schema_version: 1\nsteps: [{id: a, operator: exact_dedup, params: {max_copies: 0}}]", "max_copies"),
        ("schema_version: 1\nsteps: [{id: a, operator: exact_dedup, params: {max_copies: '2'}}]", "max_copies"),
        ("schema_version: 1\nsteps: [{id: a, operator: exact_dedup, params: {max_copies: true}}]", "max_copies"),
        ("schema_version: 1\nsteps: [{id: a, operator: signal_range, params: {signal: x, min: .nan}}]", "finite"),
        ("schema_version: 1\nsteps: [{id: a, operator: signal_range, params: {signal: x, min: .inf}}]", "finite"),
        ("schema_version: 1\nsteps: [{id: a, operator: signal_range, params: {signal: x, min: 2, max: 1}}]", "above"),
        ("schema_version: 1\nsteps: [{id: a, operator: signal_range, params: {signal: x}}]", "min, max"),
        ("schema_version: 1\nsteps: [{id: a, operator: regex, params: {pattern: '(?=a)'}}]", "RE2"),
        (
            "schema_version: 1\nsteps: [{id: a, operator: sql_predicate, params: {predicate: 'glob(1) = 2'}}]",
            "[Nn]ot allowed",
        ),
        ("schema_version: 1\nsteps: [{id: a, operator: id_list, params: {stored: ../../etc/passwd}}]", "stored"),
        (
            "schema_version: 1\nsteps: [{id: a, operator: exact_dedup}, {id: a, operator: exact_dedup}]",
            "same id",
        ),
        (
            "schema_version: 1\nsteps: [{id: a, operator: exact_dedup, provenance: {nothing: {kind: manual}}}]",
            "unknown parameter",
        ),
        (
            "schema_version: 1\nsteps: [{id: a, operator: exact_dedup, provenance: {max_copies: {kind: guess}}}]",
            "kind of provenance",
        ),
        (
            "schema_version: 1\nsteps: [{id: a, operator: all_of, params: {rules: [{operator: exact_dedup}]}}]",
            "decides documents together",
        ),
    ],
)
def test_what_the_schema_does_not_allow_is_named(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.from_yaml(text)


def test_registry_refuses_a_second_operator_of_the_same_name() -> None:
    registry = Registry()
    registry.register(SignalRange)
    with pytest.raises(RecipeError, match="twice"):
        registry.register(SignalRange)

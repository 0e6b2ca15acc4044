"""Rule sets are data: they expand into ordinary steps, survive text, and name signals that exist."""

from __future__ import annotations

import pytest

from tamis.analytics.recipe.presets import RULE_SETS, RuleSet, rule_set, steps, with_rule_set
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.signal import SIGNALS
from tamis.analytics.text.conventions import CONVENTIONS
from tamis.data.errors import RecipeError, SettingError

rule_sets = pytest.mark.parametrize("rules", RULE_SETS.values(), ids=RULE_SETS)


@rule_sets
@pytest.mark.parametrize("words", CONVENTIONS)
def test_rule_sets_read_signals_that_exist(rules: RuleSet, words: str) -> None:
    for name in rules.reads(words):
        assert name in SIGNALS or name in ("lang", "lang_confidence")


@rule_sets
def test_rule_sets_survive_the_text_of_a_recipe(rules: RuleSet) -> None:
    recipe = with_rule_set(Recipe(title=rules.title), rules.name)
    again = Recipe.from_yaml(recipe.to_yaml())
    assert again == recipe
    assert len(again.steps) == len(rules.rules)


@rule_sets
def test_every_number_says_where_it_comes_from(rules: RuleSet) -> None:
    for rule, step in zip(rules.rules, steps(rules), strict=True):
        stated = dict(step.provenance)
        numbers = {"min": rule.min, "max": rule.max} if rule.signal else {}
        assert {name for name, value in numbers.items() if value is not None} == set(stated)
        assert all(origin.kind == "rule set" and rules.name in origin.source for origin in stated.values())
        assert rule.reason in step.note


def test_a_rule_set_can_be_added_twice_and_edited() -> None:
    recipe = with_rule_set(with_rule_set(Recipe(), "c4"), "c4")
    assert len({step.id for step in recipe.steps}) == 6
    assert len(recipe.without(recipe.steps[0].id).steps) == 5


def test_word_conventions_change_the_columns_not_the_rules() -> None:
    plain, spacy = steps(rule_set("gopher-quality")), steps(rule_set("gopher-quality"), words="spacy")
    assert [step.id for step in plain] == [step.id for step in spacy]
    assert plain[0].params["signal"] == "n_words" and spacy[0].params["signal"] == "spacy_n_words"
    assert plain[6].params == spacy[6].params


def test_unknown_names_are_refused() -> None:
    with pytest.raises(RecipeError, match="gopher-quality"):
        rule_set("gopher")
    with pytest.raises(SettingError, match="unicode"):
        steps(rule_set("gopher-quality"), words="nonsense")

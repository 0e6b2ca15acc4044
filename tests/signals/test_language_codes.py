"""Languages are named by the codes of the detection: tags are folded, unknown ones refused with the nearest."""

from __future__ import annotations

import re

import pytest

from tamis.analytics.operators.budget import GroupWeight, Mixture
from tamis.analytics.operators.rows import Category, GroupBounds, GroupedRange, Language
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.language import model_path
from tamis.analytics.signals.language_codes import LANGUAGES, language_code
from tamis.data.errors import RecipeError

RECIPE = """
schema_version: 1
title: One language
steps:
  - id: one
    operator: language
    params: {languages: [%s]}
"""


def test_the_codes_are_those_of_the_model() -> None:
    labels = re.findall(rb"__label__([a-z-]+)\x00", model_path().read_bytes())
    assert sorted(LANGUAGES) == sorted(label.decode() for label in labels)


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_a_code_of_the_detection_stays_itself(code: str) -> None:
    assert language_code(code) == code


@pytest.mark.parametrize(
    ("tag", "code"),
    [("EN", "en"), ("en-US", "en"), ("pt_BR", "pt"), ("zh-Hant-TW", "zh"), (" De ", "de"), ("CKB", "ckb")],
)
def test_case_and_region_are_folded(tag: str, code: str) -> None:
    assert language_code(tag) == code
    assert Language(languages=(tag, code)).languages == (code,)


@pytest.mark.parametrize(
    ("tag", "nearest"), [("english", "en (English)"), ("Germn", "de (German)"), ("eng", "en (English)"), ("jp", "")]
)
def test_an_unknown_code_is_refused_with_the_nearest(tag: str, nearest: str) -> None:
    with pytest.raises(RecipeError, match=rf"'{tag}' is no language code.*{re.escape(nearest)}"):
        Recipe.from_yaml(RECIPE % tag)


def test_a_recipe_keeps_digest_and_bytes_of_proper_codes() -> None:
    recipe = Recipe.from_yaml(RECIPE % "de, en")
    assert recipe.digest == "b79630ea3828c947e4dcc7bb96b323f439581af126f1d45031d673b7f61ff750"
    assert Recipe.from_yaml(RECIPE % "EN, de-AT").digest == recipe.digest
    assert Recipe.from_yaml(recipe.to_yaml()).to_yaml() == recipe.to_yaml()


def test_every_rule_that_names_detected_languages_folds_them() -> None:
    assert Category(column="lang", values=("EN", "en-GB", "")).values == ("", "en")
    assert Category(column="source", values=("EN",)).values == ("EN",)
    bounds = (GroupBounds(value="EN", min=1), GroupBounds(value="", min=2))
    assert [bound.value for bound in GroupedRange(signal="n_words", bounds=bounds).bounds] == ["en", ""]
    weights = (GroupWeight(group="de-DE", weight=1),)
    assert [item.group for item in Mixture(by="lang", weights=weights).weights] == ["de"]
    with pytest.raises(ValueError, match="german"):
        Mixture(by="lang", weights=(GroupWeight(group="german", weight=1),))
    with pytest.raises(ValueError, match="two ranges"):
        GroupedRange(signal="n_words", bounds=(GroupBounds(value="EN", min=1), GroupBounds(value="en", min=2)))

"""Tags, notes and caps of selections: they bring back exactly what was selected, and a cap keeps exactly that many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import synthetic_facts

from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.tags import make_mark, notes_of, over_cap, preview_cap, selection_digest, tags_of
from tamis.analytics.study.evidence import GivenEvidence
from tamis.analytics.study.scene import Scene
from tamis.data.errors import RecipeError, SettingError
from tamis.data.reviews import Event, Kind

CORPUS = "c" * 64


def rule(least: int) -> RowOperator:
    built = OPERATORS.build("signal_range", {"signal": "n_tokens", "min": least})
    assert isinstance(built, RowOperator)
    return built


def listed(*ids: str) -> RowOperator:
    built = OPERATORS.build("id_list", {"ids": list(ids)})
    assert isinstance(built, RowOperator)
    return built


PAIR = (rule(10), listed("a", "b"))
FACTS = synthetic_facts(300, seed=5)
SHORT = OPERATORS.build("signal_range", {"signal": "n_words", "max": 300})
assert isinstance(SHORT, RowOperator)


def mark(kind: Kind, text: str, *, who: str = "Ada", before: int = 0) -> Event:
    return make_mark(kind, text, selection=PAIR, corpus=CORPUS, documents=7, who=who, before=before)


def test_a_tag_brings_back_the_selection() -> None:
    found = tags_of([mark("tag", "  odd   ones ")])
    assert [(one.text, one.who, one.documents) for one in found] == [("odd ones", "Ada", 7)]
    assert found[0].rules() == PAIR


def test_a_selection_is_the_same_in_any_order_of_its_rules() -> None:
    assert selection_digest(PAIR) == selection_digest(PAIR[::-1])
    assert selection_digest([rule(10)]) != selection_digest([rule(11)])


def test_a_tag_taken_away_is_gone_and_can_be_given_again() -> None:
    events = [mark("tag", "odd"), mark("untag", "odd", who="Grace")]
    assert tags_of(events) == ()
    again = mark("tag", "odd", before=1)
    assert again.key != events[0].key
    assert [one.text for one in tags_of([*events, again])] == ["odd"]


def test_notes_belong_to_their_selection() -> None:
    events = [mark("note", "line one\nline two"), mark("tag", "odd")]
    assert [one.text for one in notes_of(events, PAIR)] == ["line one\nline two"]
    assert notes_of(events, [rule(10)]) == ()


@pytest.mark.parametrize("text", ["", "   ", "x" * 61, "a\x00b"])
def test_tags_are_short_and_printable(text: str) -> None:
    with pytest.raises(SettingError, match="tag"):
        mark("tag", text)


def test_nothing_selected_cannot_be_tagged() -> None:
    with pytest.raises(RecipeError, match="Nothing is selected"):
        make_mark("tag", "odd", selection=(), corpus=CORPUS, documents=0, who="Ada")


@pytest.mark.parametrize(
    "rules",
    [None, [], ["x"], [{"operator": "signal_range"}], [{"operator": "id_list", "params": {"ids": ["a"]}}]],
)
def test_an_altered_selection_is_not_brought_back(rules: object) -> None:
    altered = replace(mark("tag", "odd"), context={"rules": rules})
    with pytest.raises(RecipeError):
        tags_of([altered])[0].rules()


@given(st.integers(0, 40), st.integers(0, 5))
def test_a_cap_keeps_exactly_as_many_of_the_selected_and_touches_nothing_else(most: int, seed: int) -> None:
    recipe = Recipe().with_operator(OPERATORS.build("signal_range", {"signal": "n_words", "min": 60}))
    scene = Scene.build(FACTS, GivenEvidence(), selection=(SHORT,), recipe=recipe)
    rows = over_cap(scene, most=most, seed=seed)
    chosen = np.flatnonzero(scene.selected & scene.kept)
    assert set(rows) <= set(chosen)
    assert len(chosen) - len(rows) == min(most, len(chosen))
    seen = preview_cap(scene, most=most, seed=seed)
    assert (seen.reached, seen.documents) == (len(chosen), len(rows))
    assert seen.tokens == FACTS.whole("n_tokens")[rows].sum()
    assert set(seen.dropped) <= set(rows) and len(seen.dropped) == min(6, len(rows))
    assert set(seen.kept) <= set(chosen) - set(rows) and len(seen.kept) == min(6, most, len(chosen))
    if len(rows):
        dropped = FACTS.ids.take(rows).to_pylist()
        capped = recipe.with_operator(OPERATORS.build("id_list", {"ids": dropped, "mode": "drop"}))
        after = Scene.build(FACTS, GivenEvidence(), selection=(SHORT,), recipe=capped)
        assert np.count_nonzero(after.selected & after.kept) == most
        assert np.array_equal(after.kept[~scene.selected], scene.kept[~scene.selected])


def test_a_larger_cap_keeps_what_a_smaller_one_keeps() -> None:
    scene = Scene.build(FACTS, GivenEvidence(), selection=(SHORT,), recipe=Recipe())
    assert set(over_cap(scene, most=12)) < set(over_cap(scene, most=4))
    with pytest.raises(RecipeError, match="Cap"):
        over_cap(scene, most=-1)

"""What is typed into the command bar is read as what it is, and a name nobody has is refused with the nearest one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operator_examples import CLUSTERING, evidence
from synthetic import synthetic_facts

from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.operators.patterns import words_of_pattern, words_pattern
from tamis.analytics.operators.selection import condition_in_words
from tamis.analytics.study.command import Join, Reachable, join_condition, read_command, suggestions
from tamis.analytics.study.scene import Scene
from tamis.data.errors import PredicateError, RecipeError

FACTS = synthetic_facts(2_000, seed=4, threads=2)
KNOWN = Reachable(
    FACTS,
    clusters={"-1": "unclustered", "3": "licence, notice", "12": "mail headers"},
    clustering=CLUSTERING,
    pages={"map": "Map", "quality": "Quality", "documents": "Documents"},
    actions={"undo": "Undo", "clear": "Clear the selection"},
)
ID = str(FACTS.ids[1_234].as_py())


def first(text: str, kind: str = "auto") -> tuple[str, str]:
    found = read_command(text, kind, KNOWN)[0]
    return found.kind, found.value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("all rights reserved", "words"),
        ("licence", "words"),
        ("n_tokens > 500", "condition"),
        ("lang in ('en', 'de') and n_words < 90", "condition"),
        ("/cop(y|ies)/", "regex"),
        ("source-03", "source"),
        ("Mail Headers", "cluster"),
        ("cluster 12", "cluster"),
        ("12", "words"),
        ("map", "page"),
        ("go to quality", "page"),
        ("undo", "action"),
        (ID, "id"),
        (f"  {ID} ", "id"),
        ("is this a > question", "words"),
    ],
)
def test_the_likeliest_reading_comes_first(text: str, kind: str) -> None:
    assert first(text)[0] == kind


def test_what_is_suggested_is_read_as_what_it_says() -> None:
    found = suggestions(KNOWN)
    assert {each.kind for each in found} == {"page", "action", "column", "cluster", "source"}
    assert len(found) == len(set(found)) < 1_000
    for each in found:
        if each.kind == "column":
            assert each.value in FACTS.columns and FACTS.info(each.value).role != "measure"
            continue
        (first_, *_) = read_command(each.value, each.kind, KNOWN)
        assert (first_.kind, first_.exact) == (each.kind, True), each
    (cluster,) = [each for each in found if each.title.startswith("mail headers")]
    rule = read_command(cluster.value, "cluster", KNOWN)[0].rule
    assert rule is not None and rule.clusters == (12,)  # type: ignore[attr-defined]
    assert not [each for each in suggestions(Reachable(FACTS, clusters=KNOWN.clusters)) if each.kind == "cluster"]


def test_other_readings_are_offered_after_it() -> None:
    kinds = [found.kind for found in read_command("licence", "auto", KNOWN)]
    assert kinds == ["words", "meaning", "cluster"]
    by_prefix = [found.value for found in read_command(ID[:6], "auto", KNOWN) if found.kind == "id"]
    assert ID in by_prefix


def test_a_corpus_without_vectors_offers_no_meaning() -> None:
    plain = Reachable(FACTS, meaning=False)
    assert [found.kind for found in read_command("a sentence about ships", "auto", plain)] == ["words"]
    with pytest.raises(RecipeError, match="needs embeddings"):
        read_command("a sentence about ships", "meaning", plain)


@pytest.mark.parametrize(
    ("text", "kind", "near"),
    [
        ("mail header", "cluster", None),
        ("male headers", "cluster", "mail headers"),
        ("sourse-03", "source", "source-03"),
        ("qualty", "page", "Quality"),
        ("und", "action", None),
        ("no such id at all", "id", None),
    ],
)
def test_a_chosen_kind_is_taken_or_refused_with_the_nearest_name(text: str, kind: str, near: str | None) -> None:
    try:
        found = read_command(text, kind, KNOWN)
        assert {each.kind for each in found} == {kind}
    except RecipeError as error:
        assert f"There is no {kind} of this name" in str(error)
        assert near is None or f"did you mean {near}" in str(error)
    else:
        assert near is None


def test_wrong_conditions_and_patterns_are_refused_when_chosen() -> None:
    with pytest.raises(PredicateError):
        read_command("n_tokens >", "condition", KNOWN)
    with pytest.raises(RecipeError, match="RE2"):
        read_command("(?<=a)b", "regex", KNOWN)
    with pytest.raises(RecipeError, match="not a part of the text"):
        read_command("n_tokens > 3", "condition", KNOWN, scope="prompt")
    with pytest.raises(RecipeError, match="Type what to look for"):
        read_command("  ", "auto", KNOWN)
    with pytest.raises(RecipeError, match="did you mean words"):
        read_command("x", "word", KNOWN)


def test_words_in_a_part_of_conversations_are_looked_for_there() -> None:
    rule = read_command("thank you", "words", KNOWN, scope="prompt")[0].rule
    assert rule is not None and condition_in_words(rule) == "whose prompt has the words “thank you”"


@given(st.text(min_size=1, max_size=60))
def test_words_are_said_as_words_whatever_their_signs(text: str) -> None:
    words = " ".join(text.split())
    if words:
        pattern = words_pattern(text)
        assert words_of_pattern(pattern) == words


@pytest.mark.parametrize("pattern", ["a.b", r"\bword\b", "a|b", "cop(y|ies)", r"a\d", "x*"])
def test_a_pattern_that_is_no_list_of_words_stays_a_pattern(pattern: str) -> None:
    assert words_of_pattern(pattern) is None
    rule = OPERATORS.build("regex", {"pattern": pattern, "ignore_case": True, "mode": "keep"})
    assert "matches" in rule.sentence()


def rule(predicate: str, mode: str = "keep") -> RowOperator:
    found = OPERATORS.build("sql_predicate", {"predicate": predicate, "mode": mode})
    assert isinstance(found, RowOperator)
    return found


def selected(*rules: RowOperator) -> np.ndarray:
    return Scene.build(FACTS, evidence(FACTS), selection=rules).selected


@pytest.mark.parametrize("mode", ["keep", "drop"])
def test_conditions_join_as_their_words_say(mode: str) -> None:
    """Documents without a value match no condition, so each part is asked for its own."""
    one, two, three = rule("mean_word_length > 5"), rule("n_words > 90", mode), rule("digit_share < 0.2")
    masks = [selected(each) for each in (one, two, three)]

    def joined(how: Join, *rules: RowOperator) -> np.ndarray:
        found: tuple[RowOperator, ...] = ()
        for each in rules:
            found = join_condition(found, each, how)
        return selected(*found)

    assert np.array_equal(joined("all", one, two, three), masks[0] & masks[1] & masks[2])
    assert np.array_equal(joined("any", one, two, three), masks[0] | masks[1] | masks[2])
    assert np.array_equal(selected(*join_condition((one,), two, "not")), masks[0] & ~masks[1])
    assert len(join_condition((one, two), three, "any")) == 2
    words = condition_in_words(join_condition((one,), two, "any")[0])
    assert words == f"where mean_word_length > 5 or {'not ' * (mode == 'drop')}where n_words > 90"


def test_no_more_conditions_are_joined_by_or_than_a_rule_holds() -> None:
    found: tuple[RowOperator, ...] = ()
    for number in range(30):
        found = join_condition(found, rule(f"n_words > {number}"), "any")
    with pytest.raises(RecipeError, match="Too many conditions"):
        join_condition(found, rule("n_words > 99"), "any")

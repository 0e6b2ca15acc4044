"""Marked are the places that the rules of a selection count, no others."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.operators.patterns import words_pattern
from tamis.analytics.study.command import join_condition
from tamis.analytics.study.hits import hit_spans, searched_patterns
from tamis.analytics.study.readings import Reading
from tamis.app.dashboard.text_view import snippet


def regex(pattern: str, *, mode: str = "keep", ignore_case: bool = True) -> RowOperator:
    rule = OPERATORS.build("regex", {"pattern": pattern, "mode": mode, "ignore_case": ignore_case})
    assert isinstance(rule, RowOperator)
    return rule


def test_every_pattern_that_is_asked_for_is_marked_and_none_that_is_excluded() -> None:
    selection = join_condition((regex("a"), regex("b", mode="drop")), regex("c", ignore_case=False), "any")
    selection = join_condition((regex("d"), *selection), regex("e"), "not")
    assert searched_patterns(selection) == (("d", True), ("a", True), ("c", False))


TEXT = "One line.\nAll  rights\nreserved; 100% ALL RIGHTS RESERVED \U0001f600 all rights."


def test_words_are_found_over_line_breaks_and_in_any_case() -> None:
    found = [TEXT[begin:end] for begin, end in hit_spans(TEXT, [(words_pattern("all rights reserved"), True)])]
    assert found == ["All  rights\nreserved", "ALL RIGHTS RESERVED"]


@given(
    st.text(alphabet="ab \n\U0001f600.", max_size=40),
    st.sampled_from(["a", "ab", "a+", "b|a ", r"\ba", "a*", "(a)(b)"]),
)
def test_marks_are_the_matches_of_re2(text: str, pattern: str) -> None:
    found = hit_spans(text, [(pattern, False)])
    joined = [text[a:b] for a, b in found]
    counted = pc.count_substring_regex(pa.array([text]), pattern)[0].as_py()
    assert len(found) <= max(counted, 0) and all(joined)
    expected = [match.span() for match in re.finditer(pattern, text) if match.group()]
    assert {at for a, b in found for at in range(a, b)} == {at for a, b in expected for at in range(a, b)}


def test_overlapping_hits_are_one() -> None:
    assert hit_spans("aabb", [("aab", False), ("bb", False)]) == [(0, 4)]


def test_signs_of_the_private_area_in_a_text_are_no_marks() -> None:
    text = "\ue000\ue001 x \ue000"
    assert hit_spans(text, [("x", False)]) == [(3, 4)]


def test_a_snippet_lies_around_its_first_hit() -> None:
    text = "word " * 200 + "needle and thread " + "word " * 200
    pieces = snippet(Reading(text), hit_spans(text, [("needle", True)]), length=80)
    assert [piece for piece, hit in pieces if hit] == ["needle"]
    assert pieces[0][0].startswith("…") and sum(len(piece) for piece, _ in pieces) <= 84
    assert snippet(Reading(text), (), length=20) == ((("word " * 4), False),)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$"])
def test_patterns_that_hang_other_engines_are_answered(pattern: str) -> None:
    assert hit_spans("a" * 20_000 + "b", [(pattern, False)]) == []

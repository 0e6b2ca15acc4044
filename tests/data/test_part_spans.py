"""Characters of a joined text are found again in the part they came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.data.part_spans import part_starts, spans_in_parts
from tamis.data.parts import SCOPES, MessagePart, Parts
from tamis.data.shapes import Shape

TEXTS = st.text(alphabet="ab \n\u05d0\U0001f600", max_size=8)
PARTS = st.lists(
    st.builds(MessagePart, st.integers(0, 8), st.integers(0, 4), TEXTS, st.integers(0, 3)), min_size=1, max_size=7
)
CONVERSATION = Shape("conversation", {"messages": "m"})
TEMPLATE = Shape("template", template="<{a}|{b}\n\n{c}|{d}>")


def joined(shape: Shape, parts: list[MessagePart]) -> str:
    return str(shape.join(Parts.of([parts]))[0].as_py())


def in_order(parts: list[MessagePart]) -> list[MessagePart]:
    return sorted(parts, key=lambda part: part.turn)


@pytest.mark.parametrize("scope", SCOPES)
@given(PARTS)
def test_every_part_of_a_scope_stands_in_the_text_where_it_is_said_to_begin(
    scope: str, parts: list[MessagePart]
) -> None:
    parts, shape = in_order(parts), CONVERSATION.in_scope(scope)
    text, starts = joined(shape, parts), part_starts(shape, parts)
    shown = [(start, part.text) for start, part in zip(starts, parts, strict=True) if start >= 0]
    assert all(text[start : start + len(said)] == said for start, said in shown)
    assert text == "\n\n".join(said for _, said in shown)


@given(PARTS)
def test_fields_of_a_template_stand_where_they_are_said_to_begin(parts: list[MessagePart]) -> None:
    parts = in_order(parts)
    text, starts = joined(TEMPLATE, parts), part_starts(TEMPLATE, parts)
    for start, part in zip(starts, parts, strict=True):
        assert (start < 0) == (not part.text)
        assert start < 0 or text[start : start + len(part.text)] == part.text
    assert [start for start in starts if start >= 0] == sorted(start for start in starts if start >= 0)


@given(PARTS, st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted).map(tuple), max_size=4))
def test_a_span_keeps_exactly_its_characters_that_a_part_holds(
    parts: list[MessagePart], spans: list[tuple[int, int]]
) -> None:
    parts = in_order(parts)
    starts, texts = part_starts(CONVERSATION, parts), [part.text for part in parts]
    found = spans_in_parts(spans, starts, texts)
    wanted = {at for begin, end in spans for at in range(begin, end)}
    for start, said, inside in zip(starts, texts, found, strict=True):
        kept = {start + at for begin, end in inside for at in range(begin, end)}
        assert kept == (wanted & set(range(start, start + len(said))) if start >= 0 else set())
        assert all(0 <= begin < end <= len(said) for begin, end in inside)


def test_a_span_over_the_blank_line_between_two_turns_marks_both_and_the_gap_in_neither() -> None:
    parts = [MessagePart(1, 0, "mail me", 0), MessagePart(2, 0, "", 1), MessagePart(2, 0, "at home", 2)]
    starts = part_starts(CONVERSATION, parts)
    assert starts == [0, -1, 9]
    assert spans_in_parts([(5, 11)], starts, [part.text for part in parts]) == [[(5, 7)], [], [(0, 2)]]

"""Text operations change what they say and nothing else; a second pass finds nothing left to do."""

from __future__ import annotations

import pyarrow as pa
import pytest
from generated_texts import generated_texts
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_examples import EXAMPLES, repeated_spans
from plain_signals import closed_c4_lines

from tamis.analytics.operators.operator import OPERATORS, TextOperator
from tamis.analytics.operators.text import drop_repeats, normalize_text, repair_mojibake
from tamis.analytics.signals.pii import find_pii

EDITS = [
    OPERATORS.build(kind.name, params).with_tables(repeated_spans)  # type: ignore[attr-defined]
    for kind in OPERATORS
    if issubclass(kind, TextOperator)
    for params in EXAMPLES[kind.name]
]
edits = pytest.mark.parametrize("operator", EDITS, ids=lambda operator: operator.name)


def edited(name: str, *texts: str | None, **params: object) -> list[str | None]:
    operator = OPERATORS.build(name, params)
    assert isinstance(operator, TextOperator)
    return operator.edit(pa.array(texts, type=pa.large_string())).to_pylist()


@edits
def test_null_stays_null_and_rows_stay_apart(operator: TextOperator) -> None:
    texts = [None, *generated_texts(60, seed=4), "", None]
    whole = operator.edit(pa.array(texts, type=pa.large_string()))
    assert whole.type == pa.large_string()
    alone = [operator.edit(pa.array([text], type=pa.large_string()))[0].as_py() for text in texts]
    assert whole.to_pylist() == alone
    assert [text is None for text in whole.to_pylist()] == [text is None for text in texts]


@edits
@pytest.mark.parametrize("text", ["", " \n\t ", "a\x00b", "\ufffd", "😀" * 50, "שלום " * 10, "x" * 200_000, "\n" * 999])
def test_hostile_text_survives(operator: TextOperator, text: str) -> None:
    (after,) = operator.edit(pa.array([text], type=pa.large_string())).to_pylist()
    assert isinstance(after, str) and len(after) <= len(text) + 100


@pytest.mark.parametrize("operator", [o for o in EDITS if type(o).idempotent], ids=lambda operator: operator.name)
def test_a_second_pass_changes_nothing(operator: TextOperator) -> None:
    once = operator.edit(pa.array(generated_texts(80, seed=5), type=pa.large_string()))
    assert operator.edit(once).to_pylist() == once.to_pylist()


@pytest.mark.parametrize(
    ("variant", "words", "terminal"), [("c4", 3, True), ("c4_any_end", 3, False), ("c4_tfds", 5, True)]
)
def test_c4_lines_are_those_of_the_plain_rules(variant: str, words: int, terminal: bool) -> None:
    for text in generated_texts(80, seed=6):
        _, kept = closed_c4_lines(text, words_per_line=words, terminal=terminal, to_the_end=True)
        assert edited("c4_lines", text, variant=variant) == ["\n".join(kept).strip()]


def test_c4_lines_example() -> None:
    text = "Menu\nThis line ends well.[12]\nno mark here at all\nToo short.\nWe use cookies on this site."
    assert edited("c4_lines", text) == ["This line ends well."]
    assert edited("c4_lines", text, variant="c4_any_end") == ["This line ends well.\nno mark here at all"]


def test_normal_forms_and_line_ends() -> None:
    assert normalize_text("e\u0301\r\nﬁ\rx\x00") == "é\nﬁ\nx"
    assert normalize_text("ﬁ", form="NFKC") == "fi"
    assert normalize_text("a\r\nb", line_ends=False) == "a\r\nb"


def test_mojibake_is_repaired_and_good_text_left_alone() -> None:
    assert repair_mojibake("cafÃ© and naÃ¯ve") == "café and naïve"
    for text in ("café", "plain &amp; ascii", "“quotes” stay — as they are", "日本語", "ﬁ"):
        assert repair_mojibake(text) == text


def test_redaction_leaves_no_personal_data() -> None:
    text = "mail a@b.org or call +49 30 1234567, card 4111 1111 1111 1111, host 8.8.8.8, password='hunter2hunter2'."
    (after,) = edited("pii_redaction", text)
    assert after == "mail <EMAIL> or call <PHONE>, card <CARD>, host <IP>, password='<SECRET>'."
    assert find_pii(after) == []
    (after,) = edited("pii_redaction", text, kinds=["email", "ip"], style="example")
    assert after is not None and "email@example.com" in after and "192.0.2.1" in after and "4111" in after


@given(st.text(alphabet="ab \n", max_size=60))
@settings(max_examples=200, deadline=None)
def test_removed_lines_had_an_earlier_copy(text: str) -> None:
    after = drop_repeats(text)
    before, kept = text.split("\n"), after.split("\n")
    filled = [line.strip() for line in kept if line.strip()]
    assert len(filled) == len(set(filled))
    assert set(filled) == {line.strip() for line in before if line.strip()}
    assert sum(not line.strip() for line in kept) == sum(not line.strip() for line in before)


def test_repeated_paragraphs_and_short_lines() -> None:
    assert drop_repeats("one\n\ntwo\n\none\n\nthree", unit="paragraph") == "one\n\ntwo\n\nthree"
    assert drop_repeats("--\na line\n--\na line\nend", shortest=3) == "--\na line\n--\nend"

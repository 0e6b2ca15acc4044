"""Rephrasing: nominees, requests, answers with guards."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tamis.analytics.export.rephrase import (
    DEFAULT_STYLES,
    STYLES,
    Nominee,
    nominate,
    read_rewrites,
    requests,
    rewrites_table,
)
from tamis.data.errors import CorpusError, SettingError

SOURCE = "The harbour of the town was built in 1874 by forty workers and it still holds 120 boats in winter today."


def _answer(text: str | None, *, parent: str = "a", style: str = "plain") -> str:
    body = {"model": "m-1", "choices": [{"message": {"content": text}}]} if text is not None else None
    return json.dumps({"custom_id": json.dumps([parent, style]), "response": {"body": body}})


def test_relevant_good_and_scarce_documents_come_first_with_styles_in_turn() -> None:
    found = nominate(
        ["a", "b", "c", "d"],
        np.array([3, 5, 7, 9]),
        relevance=np.array([1.0, 2.0, np.nan, 2.0]),
        quality=np.array([1.0, 2.0, 2.0, 2.0]),
        shortage=np.array([1.0, 1.0, 1.0, 4.0]),
        count=3,
        styles=("plain", "summary"),
    )
    assert [item.id for item in found][:2] == ["d", "b"]
    assert [item.style for item in found] == ["plain", "summary", "plain"]
    with pytest.raises(SettingError, match="Unknown style"):
        nominate(["a"], np.zeros(1, np.int64), relevance=np.zeros(1), quality=np.zeros(1), shortage=np.ones(1),
                 count=1, styles=("rap",))  # fmt: skip


def test_requests_have_the_batch_form() -> None:
    nominee = Nominee(3, "it's é", "summary", 1.0)
    [line] = requests([nominee], [SOURCE], model="m-1").decode().splitlines()
    value = json.loads(line)
    assert value["method"] == "POST" and value["url"] == "/v1/chat/completions"
    assert json.loads(value["custom_id"]) == ["it's é", "summary"]
    assert value["body"]["messages"][0]["content"] == STYLES["summary"].instruction
    assert value["body"]["messages"][1] == {"role": "user", "content": SOURCE}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Forty people made the town's harbour in 1874; in winter there is room for 120 boats even now.", ""),
        (None, "no answer"),
        ("Boats.", "length"),
        (SOURCE * 5, "length"),
        (SOURCE, "copied"),
        ("Forty people made the town's harbour in 1911; in winter there is room for 990 boats even now.", "numbers"),
    ],
)
def test_guards_compare_a_rewrite_with_its_source(text: str | None, fault: str) -> None:
    [found] = read_rewrites([_answer(text), ""], {"a": SOURCE})
    assert found.fault.startswith(fault) if not fault else fault in found.fault
    assert bool(found.fault) == bool(fault)
    assert rewrites_table([found]).num_rows == (0 if fault else 1)


def test_a_style_says_what_its_answers_may_have() -> None:
    problem = "Each of the 40 builders gets 3 coins a day from 1874 on. What do 12 days cost? 40 * 3 * 12 = 1440 coins."
    table = "| built | boats |\n|---|---|\n| 1874 | 120 |"
    faults = {
        style: read_rewrites([_answer(text, style=style)], {"a": SOURCE * 3})[0].fault
        for style, text in (("maths", problem), ("plain", problem), ("table", table), ("faq", table))
    }
    assert faults["maths"] == faults["table"] == ""
    assert "numbers" in faults["plain"] and "length" in faults["faq"]


def test_every_style_of_the_default_is_known() -> None:
    assert set(DEFAULT_STYLES) < set(STYLES)


def test_rewrites_keep_parent_style_and_model() -> None:
    text = "In 1874 forty people made a harbour, and 120 boats lie there when it is cold."
    table = rewrites_table(read_rewrites([_answer(text, style="question-answer")], {"a": SOURCE}))
    assert table.to_pylist() == [{"text": text, "parent_id": "a", "style": "question-answer", "model": "m-1"}]


@pytest.mark.parametrize("line", ["{", '{"custom_id": "x"}', "[]", _answer("x", parent="b"), _answer("x", style="rap")])
def test_lines_that_answer_nothing_are_errors(line: str) -> None:
    with pytest.raises(CorpusError, match="Line 1"):
        read_rewrites([line], {"a": SOURCE})

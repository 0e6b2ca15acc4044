"""Rule sets equal datatrove's own filters document by document: verdict, first reason, value, cleaned text."""

from __future__ import annotations

import pytest
from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION
from datatrove.utils.word_tokenizers import load_word_tokenizer
from docstrings import docstrings
from generated_texts import generated_texts
from parity import compare
from plain_signals import SYMBOLS, TERMINAL

from tamis.analytics.text.conventions import split_words

REASONS_SEEN = {
    "gopher-quality": 8,
    "gopher-repetition": 9,
    "c4": 4,
    "c4-tfds": 4,
    "fineweb-quality": 5,
    "fineweb": 12,
}
"""How many different outcomes the texts must produce at least, so that the comparison means something."""


@pytest.fixture(scope="module")
def texts() -> list[str]:
    real = [text for text in docstrings(("json", "logging")).column("text").to_pylist() if text]
    return [*real, *generated_texts(500)]


@pytest.mark.parametrize(("words", "injected"), [("unicode", True), ("spacy", False)])
def test_every_rule_set_equals_the_filter(texts: list[str], words: str, injected: bool) -> None:
    for name, parity in compare(texts, words=words, injected=injected).items():
        assert parity.documents == len(texts)
        assert not parity.differences, (name, parity.differences[0])
        assert len(parity.reasons) >= REASONS_SEEN[name], (name, parity.reasons)


def test_spacy_words_are_spacys(texts: list[str]) -> None:
    reference = load_word_tokenizer("en")
    for text in texts:
        assert split_words(text, "spacy") == reference.word_tokenize(text)


def test_special_cases_that_reach_over_a_space_are_seen() -> None:
    reference = load_word_tokenizer("en")
    for text in (
        "sed -i'' 's/before/after/g' file",
        ":) )",
        "a :( :) - ) b",
        "x:' ( 's",
        "Mr. . O.o . O",
        "lambda x: x.A + x.B",
        "8 ) o. O",
    ):
        assert split_words(text, "spacy") == reference.word_tokenize(text)


def test_known_deviation_datatrove_cuts_out_a_word_spacy_trips_over() -> None:
    reference = load_word_tokenizer("en")
    assert {tuple(split_words(text, "spacy")) for text in ["it IS_ALPHA is"] * 3} == {("it", "IS_ALPHA", "is")}
    assert [reference.word_tokenize("it IS_ALPHA is") for _ in range(2)][-1] == ["it", "is"]
    assert split_words("(IS_ALPHA).", "spacy") == ["(", "IS_ALPHA", ")", "."]


def test_mark_lists_are_datatroves() -> None:
    assert set(TERMINAL) == TERMINAL_PUNCTUATION
    assert SYMBOLS == PUNCTUATION_SET

"""Language and token counts: offline, deterministic, NULL where there is nothing to tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe, params_of
from tamis.analytics.signals.language import MAX_CHARACTERS, detect, language_columns, language_step
from tamis.analytics.signals.tokens import PIECE, count_tokens, tokenizer_path
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.pipeline import documents_step
from tamis.analytics.study.study import Study
from tamis.data.corpus import open_corpus
from tamis.data.errors import SettingError
from tamis.data.workspace import Workspace

TEXTS = {
    "en": "The quick brown fox jumps over the lazy dog.\nIt does so every day.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "ja": "すべての人間は自由であり平等である。",
    "ru": "Все люди рождаются свободными и равными.",
}


def test_language_is_detected_across_line_feeds() -> None:
    codes, confidence = detect(pa.array(TEXTS.values()))
    assert codes.to_pylist() == list(TEXTS)
    assert (confidence > 0.5).all() and (confidence <= 1).all()


@pytest.mark.parametrize("text", ["", "   \n", "123 456", "!!! ???", "ok", None, "\x00\x00"])
def test_too_few_letters_have_no_language(text: str | None) -> None:
    table = language_columns(pa.array([text], type=pa.large_string()))
    assert table.to_pylist() == [{"lang": None, "lang_confidence": None}]


def test_language_reads_the_beginning_only() -> None:
    start = (TEXTS["en"] + " ") * 40
    assert len(start) > MAX_CHARACTERS
    codes, confidence = detect(pa.array([start, start + TEXTS["ru"] * 100]))
    assert codes.to_pylist() == ["en", "en"]
    assert confidence[0] == confidence[1]


def test_tokens_of_the_named_vocabulary() -> None:
    texts = pa.array(["hello world", "Hello, World!", "", None, "tokenize"])
    assert count_tokens(texts).tolist() == [2, 4, 0, 0, 2]


def test_long_text_is_counted_whole() -> None:
    words = PIECE // 5
    counts = count_tokens(pa.array(["word " * words, "x" * (PIECE + 10)]))
    assert counts[0] == words
    assert counts.dtype == np.int32


def test_tokenizer_by_path(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(tokenizer_path().read_bytes())
    assert count_tokens(pa.array(["hello world"]), str(path)).tolist() == [2]


def test_unknown_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="minilm-wordpiece"):
        count_tokens(pa.array(["x"]), "nonsense")
    wrong = tmp_path / "tokenizer.json"
    wrong.write_text("{}")
    with pytest.raises(SettingError, match=r"not a tokenizer\.json"):
        count_tokens(pa.array(["x"]), str(wrong))


def test_a_rule_may_read_whole_texts_and_others_read_the_beginning(tmp_path: Path) -> None:
    notice = (TEXTS["de"] + " ") * 35
    assert len(notice) > MAX_CHARACTERS
    texts = [notice + TEXTS["en"] * 400, TEXTS["en"], TEXTS["de"], "123 456"]
    pq.write_table(pa.table({"id": list("abcd"), "text": texts}), tmp_path / "a.parquet")
    steps = (documents_step(), language_step())
    study = Study.open(
        open_corpus(tmp_path / "a.parquet"), Workspace(tmp_path / "home"), steps=(*steps, facts_step(steps))
    )
    kept = {}
    for read in (None, "whole"):
        rule = OPERATORS.build(
            "language", {"languages": ["en"], "min_confidence": 0.65, "read": read, "missing": "drop"}
        )
        recipe = Recipe(title="english").with_operator(rule)
        study.measure(recipe)
        outcome = study.evaluate(recipe)
        kept[read] = study.facts.ids.take(pa.array(np.flatnonzero(outcome.kept))).to_pylist()
    assert kept == {None: ["b"], "whole": ["a", "b"]}
    assert "read" not in params_of(OPERATORS.build("language", {"languages": ["en"]}))

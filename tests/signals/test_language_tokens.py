"""Language and token counts: offline, deterministic, NULL where there is nothing to tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import BPE, WordLevel
from tokenizers.pre_tokenizers import ByteLevel, Whitespace

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe, params_of
from tamis.analytics.signals.language import MAX_CHARACTERS, detect, language_columns, language_step
from tamis.analytics.signals.token_counter import BYTES, PIECE, WORDPIECE, count, tokenizer_name
from tamis.analytics.signals.tokens import count_tokens, token_columns, tokenizer_path
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
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
    assert counts.tolist() == [words, (PIECE + 10) // 2]
    assert counts.dtype == np.int32


ODD = [
    "a\x1cb\x85c \x0bd",
    "\u3000x\xa0y\u2003z",
    "[MASK]x y[SEP]",
    "e\u0301 \u0301a",
    "\ufffdab\x00c",
    "x" * 150 + " y",
]


def library_counts(texts: list[str]) -> list[int]:
    """Return what the tokenizers library counts when it is given the texts whole."""
    whole = Tokenizer.from_file(str(tokenizer_path(WORDPIECE)))
    whole.no_truncation()
    whole.no_padding()
    return [len(encoding.ids) for encoding in whole.encode_batch(texts, add_special_tokens=False)]


def test_wordpiece_counts_as_the_library_does_on_odd_texts() -> None:
    texts = [*ODD, *TEXTS.values()]
    assert count_tokens(pa.array(texts), WORDPIECE).tolist() == library_counts(texts)


@given(st.lists(st.text(max_size=60), max_size=8))
def test_wordpiece_counts_as_the_library_does(texts: list[str]) -> None:
    assert count_tokens(pa.array(texts, pa.string()), WORDPIECE).tolist() == library_counts(texts)


STRANGE = {
    "Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ" * 40,
    "Khmer": "មនុស្សទាំងអស់កើតមកមានសេរីភាពនិងសមភាព" * 40,
    "emoji": "😀" * 600,
    "Amharic": "የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው። " * 20,
    "base64": "QmFzZTY0IGlzIG5vdCBhIGxhbmd1YWdl" * 40,
}


@pytest.mark.parametrize("name", STRANGE)
def test_default_hides_no_text_behind_an_unknown_piece(name: str) -> None:
    text = STRANGE[name]
    size = len(text.encode())
    tokens = int(count_tokens(pa.array([text]))[0])
    assert size / 4 <= tokens <= size
    assert count_tokens(pa.array([text]), WORDPIECE)[0] < tokens


def test_default_counts_unknown_words_by_two_bytes_a_token_and_known_ones_as_wordpiece_does() -> None:
    known, strange = "The quick brown fox.", "አማርኛ"
    size = len(strange.encode())
    counts = count_tokens(pa.array([known, strange, f"{known} {strange}"])).tolist()
    assert counts == [5, size // 2, 5 + size // 2]


def test_unknown_share_is_the_share_of_bytes_that_the_vocabulary_lacks() -> None:
    texts = pa.array(["hello world", "አማርኛ", "hi አማርኛ", "", None], pa.large_string())
    for tokenizer in (BYTES, WORDPIECE):
        table = token_columns(texts, tokenizer)
        assert table.schema.field("unknown_share").type == pa.float32()
        shares = table.column("unknown_share").to_pylist()
        assert shares == [0.0, 1.0, pytest.approx(12 / 15), None, None]


def saved(tokenizer: Tokenizer, folder: Path) -> Path:
    """Save a tokenizer as a folder with a tokenizer.json."""
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_another_tokenizer_counts_as_it_does_itself(tmp_path: Path) -> None:
    letters = Tokenizer(BPE(vocab={letter: k for k, letter in enumerate(ByteLevel.alphabet())}, merges=[]))
    letters.pre_tokenizer = ByteLevel(add_prefix_space=False)
    folder = saved(letters, tmp_path / "bytes")
    texts = pa.array(["hello world", "አማርኛ", ""])
    assert count_tokens(texts, str(folder)).tolist() == [11, 12, 0]
    assert count(texts, str(folder)).unknown_bytes.tolist() == [0, 0, 0]

    words = Tokenizer(WordLevel({"hello": 0, "[UNK]": 1}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    folder = saved(words, tmp_path / "words")
    found = count(texts, str(folder / "tokenizer.json"))
    assert found.tokens("words").tolist() == [2, 1, 0]
    assert found.unknown_bytes.tolist() == [5, 12, 0]


def test_tokenizer_is_remembered_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    saved(words, tmp_path / "words")
    monkeypatch.chdir(tmp_path)
    assert tokenizer_name("words") == str(tmp_path / "words")
    assert tokenizer_name(BYTES) == BYTES


def test_tokenizer_by_path(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(tokenizer_path().read_bytes())
    assert count_tokens(pa.array(["hello world"]), str(path)).tolist() == [2]


def test_unknown_tokenizer_is_refused(tmp_path: Path) -> None:
    for unknown in ("nonsense", "no/such-model", str(tmp_path)):
        with pytest.raises(SettingError, match="minilm-wordpiece"):
            count_tokens(pa.array(["x"]), unknown)
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

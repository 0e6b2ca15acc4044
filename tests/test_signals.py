"""The fused pass equals plain Python, whatever the text, however it is cut."""

from __future__ import annotations

import ast
import inspect
import textwrap

import numpy as np
import plain_signals as plain
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.analytics.signal import SIGNALS, SignalRegistry
from tamis.analytics.signal_pass import UNSPACED_LIMIT, measure
from tamis.analytics.text_block import Block
from tamis.analytics.words import Words, word_hash
from tamis.data.errors import SettingError

PIECES = (
    "the", "be", "to", "of", "and", "that", "word", "Word", "don't", "e.g.", "U.S.", "a-b", "#", "...", "…", "•", "- ",
    " ", "  ", "\n", "\n\n", "\n\n\n", "\r\n", "\t", "\x0b", "\x1c", "\x85", "\u2028", "\u00a0", "\x00", ".", ",", "!",
    "x=5", "http://a.b/c", "me@x.org", "(", ")", '"', "'s", "漢字", "かな", "ไทย", "😀", "שלום", "مرحبا", "é",
    "\ufffd", "12", "3-4", "50%", "{", "}", "²", "Ⅷ", "this is a line", "this is a line\n", "\U0001d7d8", "e\u0301",
)  # fmt: skip
hostile_texts = st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=200)

HOSTILE = {
    "empty": "",
    "only white space": " \n\t \u00a0\n",
    "NUL": "a\x00b\x00\x00c",
    "replacement": "broken \ufffd text",
    "emoji": "👨‍👩‍👧‍👦 🇩🇪 😀😀😀 " * 20,
    "right to left": "שלום עולם, זה טקסט. مرحبا بالعالم \u202eabc\u202c",
    "long line": "long line of words " * 20_000,
    "long word": "x" * 100_000,
    "line feeds": "\n" * 1000,
    "highest code point": "\U0010ffff" * 10,
}


def rows(texts: list[str]) -> list[dict[str, float | None]]:
    return measure(pa.array(texts, type=pa.large_string())).to_pylist()


def unicode_words(text: str) -> list[str]:
    block = Block.of(pa.array([text]))
    return Words.unicode(block).of(block, 0)


def expected(text: str) -> dict[str, float | None]:
    words = unicode_words(text)
    return plain.quality(text, words) | plain.lines(text) | plain.repetition(text, words) | plain.characters(text)


@given(st.lists(hostile_texts, min_size=1, max_size=4))
@settings(max_examples=120, deadline=None)
def test_every_signal_equals_its_plain_reference(texts: list[str]) -> None:
    for text, measured in zip(texts, rows(texts), strict=True):
        for name, value in expected(text).items():
            got = measured[name]
            if got is None and (measured["unspaced_share"] or 0) > UNSPACED_LIMIT:
                continue
            want = None if value is None else float(np.float32(value))
            assert got == want, (name, text)


def docstrings() -> list[str]:
    source = ast.parse(inspect.getsource(textwrap) + inspect.getsource(ast) + inspect.getsource(inspect))
    nodes = [node for node in ast.walk(source) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    return [text for node in nodes if (text := ast.get_docstring(node))]


def test_real_documentation_equals_the_plain_reference() -> None:
    texts = docstrings()
    assert len(texts) > 100
    for text, measured in zip(texts, rows(texts), strict=True):
        for name, value in expected(text).items():
            assert measured[name] == (None if value is None else float(np.float32(value))), (name, text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_gives_defined_values(text: str) -> None:
    (measured,) = rows([text])
    for name, value in measured.items():
        signal = SIGNALS[name]
        assert value is None or np.isfinite(value), name
        assert value is None or signal.low is None or value >= signal.low, name
        assert value is None or signal.high is None or value <= signal.high, name


def test_text_without_spaces_has_no_word_counts() -> None:
    (measured,) = rows(["日本語の文章はスペースで区切られていません。"])
    assert measured["n_words"] is None and measured["top_2gram_share"] is None
    assert measured["n_lines"] == 1


@given(st.lists(hostile_texts, min_size=2, max_size=8))
@settings(max_examples=25, deadline=None)
def test_values_do_not_depend_on_neighbours_or_threads(texts: list[str]) -> None:
    whole = rows(texts)
    assert whole == [rows([text])[0] for text in texts]
    array = pa.array(texts, type=pa.large_string())
    assert measure(array, threads=2).to_pylist() == whole
    assert measure(array.slice(1), threads=1).to_pylist() == whole[1:]


def test_null_counts_as_empty() -> None:
    assert rows_of(pa.array([None, "a"])) == rows(["", "a"])


def rows_of(texts: pa.Array) -> list[dict[str, float | None]]:
    return measure(texts).to_pylist()


def test_chosen_signals_are_the_only_columns() -> None:
    batch = measure(pa.array(["one two"]), ["n_words", "n_chars"])
    assert batch.schema.names == ["n_chars", "n_words"]
    with pytest.raises(SettingError, match="n_words"):
        measure(pa.array(["x"]), ["nonsense"])


def test_registry_refuses_a_second_meaning() -> None:
    registry = SignalRegistry()
    signal = SIGNALS["n_words"]
    registry.register(signal)
    with pytest.raises(SettingError, match="twice"):
        registry.register(type(signal)(**{**vars(signal), "title": "Other"}))


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=30))
@settings(deadline=None)
def test_word_hash_is_the_hash_of_the_kernel(word: str) -> None:
    block = Block.of(pa.array([word]))
    words = Words.at(block, np.array([0]), np.array([len(word)]), np.array([0, 1]))
    assert int(words.hashes[0]) == word_hash(word)


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_bytes_that_are_not_utf8_still_decode(data: bytes) -> None:
    offsets = np.array([0, len(data)], dtype=np.int64)
    text = Block.decode(offsets, np.frombuffer(data, dtype=np.uint8)).text(0)
    assert len(text) <= len(data)
    if "\ufffd" not in data.decode("utf-8", "replace"):
        assert text == data.decode()


def test_unicode_words_are_what_the_convention_says() -> None:
    text = "Hello, world! Don't (stop)... well-known 'quoted' 50% John's IBM. a,b 3-4 e.g. http://x.y/z?q=1 me@x.org"
    words = (
        "Hello , world ! Do n't ( stop ) ... well - known ' quoted ' 50 % John 's IBM . a , b 3 - 4 e.g."
        " http://x.y/z?q=1 me@x.org"
    )
    assert " ".join(unicode_words(text)) == words

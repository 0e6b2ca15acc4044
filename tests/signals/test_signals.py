"""The fused pass equals plain Python, whatever the text, however it is cut."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import plain_signals as plain
import plain_signals_more as more
import pyarrow as pa
import pytest
from docstrings import docstrings
from generated_texts import PIECES, generated_texts
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.analytics.signals.measure import measure
from tamis.analytics.signals.signal import SIGNALS, SignalRegistry
from tamis.analytics.text.block import Block
from tamis.analytics.text.words import Words, word_hash
from tamis.data.errors import SettingError

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


def expected(text: str) -> plain.Values:
    words = unicode_words(text)
    values = plain.quality(text, words) | plain.lines(text) | plain.repetition(text, words) | plain.characters(text)
    values |= more.nemo(text) | more.refinedweb(text, words) | more.redpajama(text) | more.vocabulary(text)
    return values | more.reading(text, words) | more.shape(text) | more.pii(text) | plain.c4(text, unicode_words)


def differences(texts: list[str]) -> list[tuple[str, str, float | None, float | None]]:
    """Return (text, signal, reference, measured) wherever they differ; entropies and the like up to rounding."""
    measured = measure(pa.array(texts, type=pa.large_string()), unspaced=True).to_pylist()
    found = []
    for text, row in zip(texts, measured, strict=True):
        for name, want in expected(text).items():
            got = row[name]
            if want is None or got is None:
                same = want is got
            elif name in ROUNDED:
                same = bool(np.isclose(want, got, rtol=2e-6, atol=2e-5))
            else:
                same = np.float32(want) == np.float32(got)
            if not same:
                found.append((text, name, want, got))
    return found


ROUNDED = {"unigram_entropy", "mtld", "flesch"}


@given(st.lists(hostile_texts, min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_every_signal_equals_its_plain_reference(texts: list[str]) -> None:
    assert differences(texts) == []


def test_real_documentation_equals_the_plain_reference() -> None:
    texts = [text for text in docstrings(("json", "logging")).column("text").to_pylist() if text]
    assert len(texts) > 100
    assert differences(texts) == []


def test_generated_texts_equal_the_plain_reference() -> None:
    assert differences(generated_texts(150, seed=1)) == []


def test_title_case_letters_are_not_upper_case() -> None:
    assert differences(["İǅ", "ǅ", "Aǅ B"]) == []


def test_every_signal_has_a_plain_reference() -> None:
    assert set(expected("some text")) == set(SIGNALS.names())


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


def test_kernels_stay_inside_their_arrays() -> None:
    # Without compilation every index is checked by numpy; compiled code would write past the end in silence.
    code = (
        "import numpy as np, pyarrow as pa\nnp.seterr(all='ignore')\n"
        "from generated_texts import generated_texts\nfrom tamis.analytics.signals.measure import measure\n"
        "texts = ['', '\\n' * 7, ' ', 'a' * 50, *(text[:300] for text in generated_texts(40, 3))]\n"
        "for text in texts: measure(pa.array([text]))\n"
        "print(measure(pa.array(texts)).to_pylist())"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    texts = ["", "\n" * 7, " ", "a" * 50, *(text[:300] for text in generated_texts(40, 3))]
    assert run.stdout.strip() == str(measure(pa.array(texts)).to_pylist())

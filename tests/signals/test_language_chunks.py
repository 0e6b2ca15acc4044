"""Languages read from a table of words are those of the library, text by text, to the last bit."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from docstrings import docstrings
from hypothesis import given
from hypothesis import strategies as st
from plain_languages import library, plain_detect

from tamis.analytics.signals.language import detect, language_reader, model_path
from tamis.analytics.signals.language_file import LanguageModel, tree_of
from tamis.data.errors import SettingError

DECLARATION = {
    "am": "የሰው፡ልጅ፡ሁሉ፡ሲወለድ፡ነጻና፡በክብርና፡በመብትም፡እኩልነት፡ያለው፡ነው።",
    "ar": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "en": "All human beings are born free and equal in dignity and rights.",
    "hi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "vi": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi.",
    "zh": "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心,并应以兄弟关系的精神互相对待。",
}
SPACES = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2003\u200a\u2028\u2029\u202f\u205f\u3000"
ODD = [
    "",
    " ",
    None,
    "0123456789 10 11 12",
    "\x00" * 20,
    "only\x00zeros\x00part\x00these\x00words",
    "one word then </s> alle Menschen sind frei und gleich geboren",
    "</s>",
    "</s> </s> before anything was read here",
    "</s>glued to a word is an ordinary word",
    "__label__en __label__de __label__nonsense alle Menschen sind frei",
    "__label__ alone, and x__label__de inside of another word",
    "< > <de> <the> >< is as of markers",
    "a" * 95 + " " + "b" * 96 + " " + "c" * 97 + " and words after",
    "wort" * 4_000,
    *(f"{space}{DECLARATION['de']}{space}{DECLARATION['vi']}{space}" for space in SPACES),
    f"{SPACES}{DECLARATION['ru']}{SPACES}",
    "e\u0301te\u0301 a\u0300 la mer, \u0301 alone at a word's beginning",
    "\ufeffbyte order mark and \u200bzero width \u00adsoft hyphen",
    "😀 😀😀 emoji between words 👩‍👩‍👧‍👦 family",
    "\U0010ffff\ue000 private use and unassigned characters here",
]


def same(texts: list[str | None], *, characters: int | None = 2_000, threads: int = 1) -> bool:
    """Return whether codes and all bits of the probabilities are those of the library."""
    codes, chances = detect(pa.array(texts, pa.large_string()), characters=characters, threads=threads)
    expected, exact = plain_detect(texts, characters=characters)
    assert codes.to_pylist() == expected
    assert chances.dtype == np.float32
    if platform.machine() in ("x86_64", "AMD64"):
        return chances.tobytes() == exact.tobytes()
    # The library's sums may be fused there.
    return np.allclose(chances, exact, atol=1e-4, equal_nan=True)


@pytest.mark.parametrize("code", DECLARATION)
def test_a_sentence_of_every_script_is_read_as_the_library_reads_it(code: str) -> None:
    text = DECLARATION[code]
    assert same([text, text * 40, text[:12], text.upper(), text[::-1]])
    assert detect(pa.array([text]))[0].to_pylist() == [code]


def test_odd_texts_are_read_as_the_library_reads_them() -> None:
    assert same(ODD)
    assert same(ODD, characters=None)


def test_real_texts_are_read_as_the_library_reads_them() -> None:
    assert same(docstrings()["text"].to_pylist()[:1_500])


@given(st.lists(st.text(max_size=80), max_size=6))
def test_any_texts_are_read_as_the_library_reads_them(texts: list[str]) -> None:
    assert same([*texts])


WORDS = st.sampled_from([*" ".join(DECLARATION.values()).split(), "</s>", "__label__en", "\x00", "\u3000", *SPACES])


@given(st.lists(st.lists(WORDS, max_size=30).map(" ".join), max_size=6), st.integers(0, 60))
def test_texts_of_many_languages_and_any_length_read_are_those_of_the_library(texts: list[str], read: int) -> None:
    assert same([*texts], characters=read)
    assert same([*texts], characters=None)


def test_a_text_of_two_megabytes_is_read_whole() -> None:
    texts = [" ".join(DECLARATION.values()) * 1_500, DECLARATION["zh"].replace(",", "") * 16_000]
    assert all(len(text.encode()) > 2_000_000 for text in texts)
    assert same([*texts], characters=None)


def test_batches_threads_and_forgetting_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pa.array([*DECLARATION.values(), *docstrings()["text"].to_pylist()[:2_000]] * 2, pa.large_string())
    codes, chances = detect(texts)

    def again(size: int, threads: int) -> bool:
        parts = [detect(texts.slice(k, size), threads=threads) for k in range(0, len(texts), size)]
        return pa.concat_arrays([part[0] for part in parts]).equals(codes) and np.array_equal(
            np.concatenate([part[1] for part in parts]), chances, equal_nan=True
        )

    assert again(len(texts), 3)
    assert again(251, 2)
    monkeypatch.setattr(language_reader()._table, "_most", 0)
    assert again(251, 1)
    assert len(language_reader()._table) < 20_000


def test_the_model_in_the_file_is_the_library_s() -> None:
    model = LanguageModel.read(model_path())
    assert (len(model.labels), model.vectors.shape, model.lengths) == (176, (50_000, 16), (2, 4))
    every, _ = library().predict("Alle Menschen", k=176)
    assert len(every) > 50
    assert {f"__label__{label}" for label in model.labels} >= set(every)


def test_the_tree_takes_the_two_lightest_nodes() -> None:
    assert tree_of([8, 4, 2, 1]).tolist() == [[3, 2], [4, 1], [5, 0]]
    assert tree_of([2, 2, 2, 2]).tolist() == [[3, 2], [1, 0], [4, 5]]
    assert tree_of([5]).tolist() == []


def test_another_file_is_refused(tmp_path: Path) -> None:
    content = model_path().read_bytes()
    for name, changed in {"short": content[:1_000], "kind": b"x" + content[1:], "empty": b""}.items():
        path = tmp_path / name
        path.write_bytes(changed)
        with pytest.raises(SettingError, match="no fastText model of a known kind"):
            LanguageModel.read(path)

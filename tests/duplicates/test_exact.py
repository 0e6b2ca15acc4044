"""Exact duplicates are those with the same bytes, or the same normalised text, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_duplicates import normal_text, siphash128

from tamis.analytics.duplicates.exact import TextHashes, duplicate_columns, duplicate_groups, exact_step
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.text.normal_form import Convention, normalise_strings
from tamis.analytics.text.siphash import hash_slices
from tamis.data.documents import load_table
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

TRICKY = (
    "Straße STRASSE ﬁn ＡＢＣ １２３ ① ½ ﷺ ĳ K Å Ǆ ß ẞ İ ı ΐ ᾳ ͅ"
    " e\u0301 é a\u0315\u0300 a\u0300\u0315 한국어 각 각 日本語。です กำลัง ກໍາ မြန်မာ कि ❤️ ❤ 👍🏽 C++ a-b don't"
    " x\u00ady\u200bz \ufeff \u2028 \x00 \x7f \x85 ---- *** … ﹒ ´ ¨ 〆 ｶﾞ ゞ"
)
text = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=st.sampled_from(TRICKY), max_size=40),
    st.text(alphabet="ab -\n\u0301\u0315é日", max_size=12),
)


def large(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


@pytest.mark.parametrize("convention", get_args(Convention))
@given(texts=st.lists(text, max_size=8))
@settings(max_examples=200, deadline=None)
def test_normalised_text_is_that_of_plain_python(convention: Convention, texts: list[str]) -> None:
    assert normalise_strings(large(texts), convention) == [normal_text(item, convention) for item in texts]


FRAMED = "| Permission is hereby granted,\n| <name>, to use = and copy `it` in 2019+.\n*| No. 12,345"


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        ("words-1", "| permission is hereby granted | <name> to use = and copy `it` in 2019+ | no 12 345"),
        ("letters-1", "permission is hereby granted name to use and copy it in 2019 no 12 345"),
        ("folded-1", "permission is hereby granted name to use and copy it in 0 no 0 0"),
    ],
)
def test_symbols_are_words_in_one_convention_only(convention: Convention, expected: str) -> None:
    assert normalise_strings(large([FRAMED]), convention) == [expected]


def test_folded_convention_drops_accents_and_makes_every_number_one() -> None:
    left, right = "Café n\u0303 x12y ٣٤ 1.5", "cafe n X9Y 7 22.75"
    assert len(set(normalise_strings(large([left, right]), "folded-1"))) == 1
    assert len(set(normalise_strings(large([left, right]), "letters-1"))) == 2


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Straße", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("ﬁne print", "Fine\n\n  PRINT"),
        ("Hello, world!", "hello world"),
        ("soft\u00adhyphen", "softhyphen"),
        ("東京 です。", "東京です"),
        ("ｆｕｌｌ １", "full 1"),
        ("a\u0315\u0300", "a\u0300\u0315"),
    ],
)
def test_these_texts_are_the_same_when_normalised(left: str, right: str) -> None:
    assert len(set(normalise_strings(large([left, right])))) == 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("version 1.2", "version 1.3"),
        ("C++", "C"),
        ("---", "***"),
        ("a b", "ab"),
        ("resume", "résumé"),
        ("👍", "👎"),
        ("", " "),
    ],
)
def test_these_texts_stay_different(left: str, right: str) -> None:
    assert len(set(normalise_strings(large([left, right])))) == 2


def test_long_runs_of_marks_keep_the_order_of_plain_python() -> None:
    texts = ["a" + "\u0315\u0300" * 40 + "b", "\u0300" * 100, "é" * 5 + "\u0301\u0328" * 33]
    assert normalise_strings(large(texts)) == [normal_text(item) for item in texts]


def test_bytes_that_are_not_utf8_become_the_replacement_character() -> None:
    from tamis.analytics.text.normal_form import normalise

    data = np.frombuffer(b"ok \xff\xc3 \xe2\x82 \xed\xa0\x80 end", dtype=np.uint8)
    found = normalise(np.array([0, len(data)]), data)
    assert found.text(0) == "ok �� �� ��� end"


def test_siphash_gives_the_published_vectors() -> None:
    published = {0: "a3817f04ba25a8e66df67214c7550293", 1: "da87c1d86b99af44347659119b22fc45"}
    for size, expected in published.items():
        data = np.arange(size, dtype=np.uint8)
        assert hash_slices(data, np.array([0, size])).tobytes().hex() == expected


@given(st.lists(st.binary(max_size=40), max_size=5))
@settings(deadline=None)
def test_siphash_is_that_of_plain_python(parts: list[bytes]) -> None:
    data = np.frombuffer(b"".join(parts), dtype=np.uint8)
    offsets = np.cumsum([0, *map(len, parts)])
    found = hash_slices(data, offsets)
    assert [tuple(int(word) for word in row) for row in found] == [siphash128(part) for part in parts]


@given(st.lists(st.sampled_from(["a", "A", "a ", "b", "", " ", "!", "é", "E\u0301"]), max_size=12))
@settings(deadline=None)
def test_groups_hold_equal_texts_and_are_named_by_their_smallest_row(texts: list[str]) -> None:
    columns = duplicate_columns(TextHashes.of(large(texts)))
    for name, keys in (("text_group", texts), ("norm_group", [normal_text(item) for item in texts])):
        members = defaultdict(list)
        for row, key in enumerate(keys):
            members[key].append(row)
        expected = [members[key][0] if len(members[key]) > 1 else -1 for key in keys]
        assert columns.column(name).to_pylist() == expected
    counts = [sum(normal_text(other) == normal_text(item) for other in texts) for item in texts]
    assert columns.column("norm_count").to_pylist() == counts


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20))
def test_hashes_of_which_one_half_is_equal_are_not_equal(halves: list[tuple[int, int]]) -> None:
    group, count = duplicate_groups(np.array(halves, dtype=np.uint64).reshape(-1, 2))
    assert count.tolist() == [halves.count(each) for each in halves]
    assert group.tolist() == [halves.index(each) if halves.count(each) > 1 else -1 for each in halves]


def test_groups_of_nothing_are_nothing() -> None:
    group, count = duplicate_groups(np.empty((0, 2), dtype=np.uint64))
    assert len(group) == len(count) == 0


def test_hashes_do_not_depend_on_slices_of_arrow_arrays() -> None:
    texts = large(["skipped", "One", "two", "ONE "])
    whole, part = TextHashes.of(texts), TextHashes.of(texts.slice(1))
    assert (whole.norm[1:] == part.norm).all()
    assert (whole.raw[1:] == part.raw).all()


def test_step_writes_the_groups_of_every_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tamis.data import shards

    monkeypatch.setattr(shards, "SHARD_ROWS", 3)
    texts = ["same", "Same!", "other", None, "same", "", "", "alone"]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", row_group_size=2)
    corpus = open_corpus(tmp_path / "a.parquet")
    analysis = analyze(corpus, Workspace(tmp_path / "home"), steps=[exact_step()])
    table = load_table(analysis.artifacts["exact"], analysis.documents)
    assert len(analysis.artifacts["exact"].parts()) == len(corpus.shards()) > 1
    found = corpus.fetch(analysis.documents, np.arange(analysis.documents.n)).column("text").to_pylist()
    expected = duplicate_columns(TextHashes.of(large(found)))
    assert table.equals(expected)
    assert sorted(table.column("norm_count").to_pylist()) == [1, 1, 2, 2, 3, 3, 3]

"""IDF-weighted overlap with evaluation items: the formula, its thresholds, and what may not change it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_idf import share_of, strength_of, weights_of, words_of

from tamis.analytics.duplicates.evaluation_items import ITEMS, PARTS
from tamis.analytics.duplicates.evaluation_sets import EvaluationSets
from tamis.analytics.duplicates.idf_overlap import FLOOR, MOST, IdfIndex, leniency, required_share
from tamis.analytics.duplicates.shared_words import shared_words

WORDS = [f"w{k}" for k in range(60)]
few = st.sampled_from(WORDS[:12])
texts_of_any_length = st.one_of(
    st.lists(few, max_size=14),
    st.lists(st.sampled_from(WORDS), min_size=18, max_size=24),
    st.lists(st.sampled_from(WORDS), min_size=30, max_size=70),
)


def large(texts: Sequence[str]) -> pa.Array:
    return pa.array(list(texts), pa.large_string())


def items_of(rows: Sequence[dict[str, str]]) -> pa.Table:
    """Return items with the given parts; set and file are ``s`` and ``f`` unless stated."""
    filled = [{"set": "s", "file": "f", "row": k, **dict.fromkeys(PARTS)} | row for k, row in enumerate(rows)]
    return pa.Table.from_pylist(filled, schema=ITEMS)


def sets_of(texts: Sequence[str], **how: str) -> EvaluationSets:
    return EvaluationSets.of(items_of([{"whole": text} for text in texts]), **{"convention": "words-1", **how})  # type: ignore[arg-type]


def strengths(document: str, index: IdfIndex) -> dict[int, float]:
    """Return the kept strengths of a document by text."""
    (row,) = index.hits(large([document])).to_pylist()
    return dict(zip(row["texts"], row["strengths"], strict=True))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(texts_of_any_length, min_size=1, max_size=4), st.lists(texts_of_any_length, max_size=4), st.integers(1, 9)
)
def test_hits_are_those_of_plain_python(items: list[list[str]], others: list[list[str]], shortest: int) -> None:
    # Documents that hold items, cut or joined with other words, so that many lie around the floor.
    documents = [*others, *items, *(item[3:] + other for item in items for other in [*others, ["x"] * 30])]
    distinct = [list(item) for item in dict.fromkeys(tuple(item) for item in items) if item]
    index = IdfIndex(sets_of([" ".join(item) for item in items]), shortest)
    weights = weights_of(distinct)
    found = index.hits(large([" ".join(document) for document in documents])).to_pylist()
    for document, row in zip(documents, found, strict=True):
        truth = {
            place: strength_of(document, item, weights) for place, item in enumerate(distinct) if len(item) >= shortest
        }
        expected = {place: np.float32(value) for place, value in truth.items() if value >= FLOOR}
        got = dict(zip(row["texts"], row["strengths"], strict=True))
        assert set(got) == set(expected)
        assert all(got[place] == expected[place] for place in got)
        assert row["strengths"] == sorted(row["strengths"], reverse=True)
        assert row["whole"] == max([0.0, *row["strengths"]]) and row["prompt"] == 0
        for place, share in zip(row["texts"], row["shares"], strict=True):
            if len(distinct[place]) >= 20:
                assert abs(share - float(share_of(document, distinct[place], weights))) < 1e-6


def test_a_strength_right_at_the_floor_is_kept() -> None:
    # 23 words, f = 0.1: one missing of twenty equally heavy distinct ones is strength 0.5, which floats miss by a hair.
    item = [f"w{k}" for k in range(20)] + ["w0", "w1", "w2"]
    index = IdfIndex(sets_of([" ".join(item)]))
    assert strengths(" ".join(item).replace("w19", "other"), index) == {0: 0.5}


def missing(count: int, words: int) -> str:
    """Return a text of so many words of equal weight of which the last ``count`` are others."""
    return " ".join([f"w{k}" for k in range(words - count)] + [f"other{k}" for k in range(count)])


@pytest.mark.parametrize(
    ("words", "lost", "dropped"),
    [(19, 0, True), (19, 1, False), (20, 0, True), (20, 1, False), (35, 3, True), (35, 4, False), (50, 10, True),
     (50, 11, False), (100, 20, True), (100, 21, False)],
)  # fmt: skip
def test_the_share_that_is_asked_for_falls_from_one_at_20_words_to_the_threshold_at_50(
    words: int, lost: int, dropped: bool
) -> None:
    index = IdfIndex(sets_of([missing(0, words)]))
    assert (strengths(missing(lost, words), index).get(0, 0.0) >= np.float32(0.8)) == dropped


def test_the_required_share_is_a_line_between_20_and_50_words() -> None:
    asked = {words: required_share(words) for words in (8, 20, 35, 50, 500)}
    assert asked == {8: 1.0, 20: 1.0, 35: pytest.approx(0.9), 50: pytest.approx(0.8), 500: pytest.approx(0.8)}
    assert [leniency(words) for words in (0, 20, 35, 50, 51)] == [0, 0, 0.5, 1, 1]


def test_below_20_words_only_the_words_in_their_order_count() -> None:
    item = "the quick brown fox jumps over the lazy dog today"
    index = IdfIndex(sets_of([item]))
    assert strengths(f"He said: {item.upper()}! And left.", index) == {0: 1.0}
    assert strengths("today the lazy dog jumps over the quick brown fox", index) == {}
    assert strengths(item.replace("lazy", "very lazy"), index) == {}


def test_only_one_passage_counts_not_words_scattered_over_a_long_document() -> None:
    words = [f"w{k}" for k in range(60)]
    index = IdfIndex(sets_of([" ".join(words)]))
    scattered = " ".join(f"{word} {' '.join(['filler'] * 20)}" for word in words)
    assert strengths(scattered, index) == {}
    assert strengths(f"{scattered} {' '.join(words)} {scattered}", index) == {0: 1.0}


def test_rare_words_weigh_more_than_common_ones() -> None:
    common = [f"c{k}" for k in range(30)]
    items = [" ".join([*common, *(f"r{item}x{k}" for k in range(30))]) for item in range(8)]
    sets = sets_of(items)
    index = IdfIndex(sets)
    assert strengths(" ".join(common), index) == {}
    rare = strengths(items[0].replace(" ".join(common), "").strip(), index)
    assert list(rare) == [0] and rare[0] > 0.75


@pytest.mark.parametrize("convention", ["words-1", "letters-1", "folded-1"])
def test_case_accents_and_scripts_without_spaces_are_those_of_the_convention(convention: str) -> None:
    chinese = "敏捷的棕色狐狸跳过了懒狗然后回家睡觉直到第二天早晨才醒来吃饭"
    turkish = "Straße und ÖL " + " ".join(
        f"wort{'äöü'[k % 3]}{'abcdefghij'[k % 10]}{'xyz'[k // 10]}" for k in range(25)
    )
    index = IdfIndex(sets_of([chinese, turkish], convention=convention))
    assert strengths(f"前言。{chinese[:15]}，{chinese[15:]}。后记", index) == {0: 1.0}
    assert strengths(turkish.upper(), index) == {1: 1.0}
    assert index.evaluation.words.tolist() == [len(chinese), 28]


def test_empty_items_and_items_of_one_word_are_no_hits() -> None:
    sets = sets_of(["", "---", "word", "one two three four five six seven eight"])
    assert sets.words.tolist() == [1, 8]
    assert strengths("word --- one two three four five six seven eight", IdfIndex(sets)) == {1: 1.0}
    assert strengths("a word", IdfIndex(sets, shortest=1)) == {0: 1.0}
    nothing = EvaluationSets.of(items_of([]))
    assert IdfIndex(nothing).hits(large(["some text", ""])).column("texts").to_pylist() == [[], []]


@settings(max_examples=30, deadline=None)
@given(st.lists(texts_of_any_length, min_size=1, max_size=5), st.randoms(use_true_random=False), st.integers(1, 4))
def test_a_document_is_judged_by_itself_whatever_the_batch_and_order(
    items: list[list[str]], random: object, cuts: int
) -> None:
    index = IdfIndex(sets_of([" ".join(item) for item in items]))
    documents = [" ".join([*item[2:], *other]) for item in items for other in items]
    together = index.hits(large(documents)).to_pylist()
    order = list(range(len(documents)))
    random.shuffle(order)  # type: ignore[attr-defined]
    size = max(1, len(order) // cuts)
    apart = [row for first in range(0, len(order), size)
             for row in index.hits(large([documents[k] for k in order[first : first + size]])).to_pylist()]  # fmt: skip
    assert apart == [together[k] for k in order]


def test_no_more_than_the_strongest_hits_are_kept_of_a_document() -> None:
    stem = [f"s{k}" for k in range(60)]
    items = [" ".join([*stem, *(f"i{item}x{k}" for k in range(item // 10))]) for item in range(MOST + 40)]
    hits = strengths(" ".join(stem), IdfIndex(sets_of([f"{text} n{k}" for k, text in enumerate(items)])))
    assert len(hits) == MOST and min(hits.values()) > FLOOR
    assert max(hits) < MOST + 40 - 30


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=20, max_size=60), st.lists(st.sampled_from(WORDS), max_size=200))
def test_the_marked_words_are_those_that_the_share_counts(item: list[str], document: list[str]) -> None:
    sets, text = sets_of([" ".join(item)]), " ".join(document)
    shared = shared_words(text, " ".join(item), sets)
    assert shared.share == pytest.approx(float(share_of(document, item, weights_of([item]))))
    begin, end = shared.passage
    assert len(words_of(text[begin:end])) <= len(item) + len(item) // 4
    ours = {word for a, b in shared.document for word in text[a:b].split()}
    theirs = {word for a, b in shared.item for word in " ".join(item)[a:b].split()}
    assert ours == theirs <= set(item) & set(document)


def test_marks_fall_on_the_words_in_any_script_and_punctuation() -> None:
    item = "Wie heißt die Straße von Zürich? (groß-klein) 東京は日本の首都です。"
    document = "Frage: WIE heisst die STRASSE, von Zürich? groß/klein! 東京は、日本の首都 ok"
    shared = shared_words(document, item, sets_of([item]))
    marked = [document[a:b] for a, b in shared.document]
    assert marked == ["WIE heisst die STRASSE, von Zürich? groß", "klein", "東京は", "日本の首都"]
    assert [item[a:b] for a, b in shared.item] == [
        "Wie heißt die Straße von Zürich?",
        "groß",
        "klein",
        "東京は日本の首都",
    ]


def test_marks_of_a_short_item_are_its_words_in_their_order() -> None:
    item = "see the page of haskell for more information on haskell"
    document = f"haskell is for the page of others\n{item}"
    shared = shared_words(document, item, sets_of([item]))
    assert shared.passage == (document.index(item), len(document)) and shared.share == 1
    assert [document[a:b] for a, b in shared.document] == [item]

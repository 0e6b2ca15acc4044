"""The word stream, the vocabulary and the trigram model against plain references."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_language_model import PlainModel, plain_words
from planted import planted_pool

from tamis.analytics.text.trigram_model import NgramModel, bits_per_byte, last_gain, learning_curve
from tamis.analytics.text.word_stream import FREQUENT, SIZE, Vocabulary, WordHashes, WordStream

quick = settings(max_examples=40, deadline=None)
spaced = st.text(alphabet="abcXYZ éßİ01_.,;-!?'\n\t ", max_size=60)
POOL = planted_pool(documents=300, target=60)


def _hashes(texts: list[str | None]) -> WordHashes:
    return WordHashes.of(pa.array(texts, pa.large_string()))


def _stream(documents: list[list[int]]) -> WordStream:
    sizes = [len(document) for document in documents]
    words = np.array([word for document in documents for word in document], dtype=np.uint16)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return WordStream(words, starts, np.array([5 * size for size in sizes], dtype=np.int64))


@quick
@given(st.lists(spaced, max_size=5))
def test_words_are_those_of_the_plain_rule(texts: list[str]) -> None:
    found = _hashes(list(texts))
    assert found.counts.tolist() == [len(plain_words(text)) for text in texts]
    known: dict[str, int] = {}
    for text, first, end in zip(texts, found.starts[:-1], found.starts[1:], strict=True):
        for word, value in zip(plain_words(text), found.hashes[first:end].tolist(), strict=True):
            # A capital whose lower case is two characters stays as it is.
            if "İ" not in text:
                assert known.setdefault(word, value) == value
    assert len(set(known.values())) == len(known)


def test_letters_of_unspaced_scripts_are_words() -> None:
    assert _hashes(["東京タワー", "hello 東京", "", None]).counts.tolist() == [5, 3, 0, 0]


def test_words_of_some_documents_are_theirs() -> None:
    found = _hashes(["a b c", "", "d e", "f"])
    taken = found.take(np.array([2, 0, 2]))
    assert taken.counts.tolist() == [2, 3, 2]
    assert taken.hashes.tolist() == [*found.hashes[3:5], *found.hashes[0:3], *found.hashes[3:5]]
    joined = WordHashes.joined([found, found])
    assert len(joined) == 8 and joined.take(np.array([6])).hashes.tolist() == found.hashes[3:5].tolist()


def test_frequent_words_have_their_own_number() -> None:
    texts = [" ".join(f"w{k}" for k in range(40_500)), "w7 w7 w7 w8 w8"]
    hashes = _hashes(texts)
    vocabulary = Vocabulary.of([hashes])
    assert len(vocabulary.words) == FREQUENT
    numbers = vocabulary.encode(hashes)
    assert numbers.words[40_500] == 1 and numbers.words[40_503] == 2
    own = numbers.words[:40_500]
    assert len(np.unique(own[own <= FREQUENT])) == FREQUENT
    assert np.count_nonzero(own > FREQUENT) == 500 and own.max() < SIZE
    again = Vocabulary.of([hashes.take(np.array([1])), hashes.take(np.array([0]))])
    assert np.array_equal(again.words, vocabulary.words)


documents = st.lists(st.lists(st.integers(1, 6), max_size=12), min_size=1, max_size=6)


@quick
@given(documents, documents)
def test_bits_are_those_of_the_plain_model(training: list[list[int]], held_out: list[list[int]]) -> None:
    model = NgramModel.train(_stream(training))
    plain = PlainModel(training)
    assert model.bits(_stream(held_out)) == pytest.approx([plain.bits(document) for document in held_out], rel=1e-12)


@quick
@given(documents, st.integers(0, 2**16))
def test_copies_count_like_repeated_documents(training: list[list[int]], seed: int) -> None:
    copies = np.random.default_rng(seed).integers(0, 4, size=len(training)).astype(np.int32)
    repeated = [document for document, times in zip(training, copies, strict=True) for _ in range(times)]
    one = NgramModel.train(_stream(training), copies)
    two = NgramModel.train(_stream(repeated))
    assert one.bits(_stream(training)).tolist() == two.bits(_stream(training)).tolist()
    assert one.bytes == two.bytes


@pytest.mark.parametrize("context", [(), (2,), (1, 2), (9, 2), (9, 9)])
def test_probabilities_add_up_to_one(context: tuple[int, ...]) -> None:
    plain = PlainModel([[1, 2, 3, 1, 2, 4], [2, 2, 1]])
    assert sum(plain.probability(word, context) for word in range(SIZE)) == pytest.approx(1.0, rel=1e-9)


def test_model_survives_plain_arrays() -> None:
    hashes = WordHashes.of(POOL.texts)
    vocabulary = Vocabulary.of([hashes])
    stream = vocabulary.encode(hashes)
    model = NgramModel.train(stream)
    again = NgramModel.from_arrays(model.arrays())
    assert np.array_equal(model.bits(stream), again.bits(stream))


def test_order_of_training_documents_changes_no_bit() -> None:
    hashes = WordHashes.of(POOL.texts)
    stream = Vocabulary.of([hashes]).encode(hashes)
    order = np.random.default_rng(1).permutation(len(stream))
    one, two = NgramModel.train(stream), NgramModel.train(stream.take(order))
    assert np.array_equal(one.bits(stream), two.bits(stream))


def test_more_text_of_the_same_kind_costs_fewer_bits() -> None:
    kept = np.flatnonzero((POOL.kind != "noise") & (POOL.copy_of < 0))
    hashes = WordHashes.of(POOL.texts)
    stream = Vocabulary.of([hashes]).encode(hashes)
    curve = learning_curve(stream.take(kept[30:]), stream.take(kept[:30]), sizes=(15, 30, 60, 120, 100_000))
    assert np.isnan(curve[-1])
    assert np.all(np.diff(curve[:-1]) < 0)
    assert last_gain(curve) == pytest.approx(curve[2] - curve[3])
    assert np.isnan(last_gain(curve[-2:]))


def test_empty_texts_cost_their_end_only() -> None:
    nothing = NgramModel.train(_stream([]))
    assert nothing.bits(_stream([[]])).tolist() == [16.0]
    assert bits_per_byte(np.zeros(0), _stream([])) == 0.0

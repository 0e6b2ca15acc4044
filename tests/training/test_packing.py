"""Packing puts every token into exactly one place of one sequence, and best fit is what a plain loop gives."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.analytics.training.packing import NEVER, PARAGRAPH, SENTENCE, TOKEN, Method, Packing, Window, _cut, pack

METHODS: tuple[Method, ...] = ("best fit", "in order", "concatenate", "bucketed")
lengths_of = st.lists(st.integers(0, 60), max_size=60)


def window_of(lengths: list[int], seed: int) -> Window:
    """Return documents with random levels, among them runs of tokens that may not be parted."""
    draw = np.random.default_rng(seed)
    sizes = np.array(lengths, np.int64)
    levels = draw.choice([NEVER, TOKEN, SENTENCE, PARAGRAPH], int(sizes.sum()), p=[0.4, 0.4, 0.15, 0.05])
    for _ in range(3):
        at = int(draw.integers(0, len(levels) + 1))
        levels[at : at + 30] = NEVER
    starts = np.where(draw.random(len(sizes)) < 0.8, np.cumsum(sizes) - sizes, -1)
    return Window(sizes, levels.astype(np.uint8), starts)


def pieces_by_document(packing: Packing, documents: int) -> list[list[tuple[int, int]]]:
    found: list[list[tuple[int, int]]] = [[] for _ in range(documents)]
    for item, first, last in zip(packing.item.tolist(), packing.first.tolist(), packing.last.tolist(), strict=True):
        found[item].append((first, last))
    return [sorted(pieces) for pieces in found]


@settings(max_examples=200)
@given(lengths=lengths_of, length=st.integers(8, 40), method=st.sampled_from(METHODS), seed=st.integers(0, 999),
       parts=st.integers(1, 4), level=st.sampled_from([TOKEN, SENTENCE, PARAGRAPH]))  # fmt: skip
def test_every_token_has_one_place_or_is_counted_as_lost(
    lengths: list[int], length: int, method: Method, seed: int, parts: int, level: int
) -> None:
    whole = window_of(lengths, seed)
    borders = [len(lengths) * k // parts for k in range(parts + 1)]
    windows = [Window(whole.lengths[a:b], whole.levels, whole.starts[a:b]) for a, b in pairwise(borders)]
    packing = pack(windows, length=length, method=method, level=level)
    lost = 0
    for document, pieces in enumerate(pieces_by_document(packing, len(lengths))):
        at, start = 0, int(whole.starts[document])
        for first, last in [*pieces, (lengths[document], lengths[document])]:
            assert first >= at, "a token stands in two places"
            lost += first - at
            if first > at:
                # Each part that is lost is longer than a sequence, and could be parted nowhere inside.
                assert start >= 0
                inside = at + 1 + np.flatnonzero(whole.levels[start + at + 1 : start + first] != NEVER)
                assert (np.diff([at, *inside, first]) > length).all()
            at = last
        for edge in {place for piece in pieces for place in piece} - {0, lengths[document]}:
            assert start < 0 or whole.levels[start + edge] != NEVER, "cut where it must not be"
    assert lost == packing.lost and packing.tokens == sum(lengths)
    assert packing.used.sum() == sum(lengths) - lost
    assert (packing.used <= packing.room).all() and (packing.used > 0).all()
    assert (packing.room <= length).all() and (np.diff(packing.sequence) >= 0).all()
    assert packing.cut == sum(len(pieces) > 1 for pieces in pieces_by_document(packing, len(lengths)))
    assert (
        packing.padding == pytest.approx(1 - packing.used.sum() / max(packing.room.sum(), 1)) or not packing.sequences
    )


def plain_best_fit(sizes: list[int], length: int) -> list[list[int]]:
    """Return the pieces of each sequence: longest first, each into the fullest one with room, last touched first."""
    sequences: list[list[int]] = []
    rooms: list[int] = []
    touched: list[int] = []
    for time, piece in enumerate(sorted(range(len(sizes)), key=lambda k: (-sizes[k], k))):
        fits = [k for k, room in enumerate(rooms) if room >= sizes[piece]]
        if fits:
            best = min(fits, key=lambda k: (rooms[k], -touched[k]))
            sequences[best].append(piece)
        else:
            best = len(sequences)
            sequences.append([piece])
            rooms.append(length)
            touched.append(0)
        rooms[best] -= sizes[piece]
        touched[best] = time
    return sorted(sequences, key=lambda pieces: pieces[0])


@settings(max_examples=200)
@given(sizes=st.lists(st.integers(1, 70), max_size=80), length=st.integers(70, 90))
def test_best_fit_is_that_of_a_plain_loop(sizes: list[int], length: int) -> None:
    packing = pack([Window.plain(np.array(sizes, np.int64))], length=length, method="best fit")
    starts = packing.starts()
    found = [sorted(packing.item[a:b].tolist()) for a, b in pairwise(starts)]
    assert found == [sorted(pieces) for pieces in plain_best_fit(sizes, length)]


@pytest.mark.parametrize("length", [63, 64, 65, 4_095, 4_096, 4_097, 300_000])
def test_best_fit_of_long_sequences_is_that_of_a_plain_loop(length: int) -> None:
    sizes = (np.random.default_rng(length).pareto(1.0, 300) * length / 20 + 1).astype(np.int64).clip(1, length)
    packing = pack([Window.plain(sizes)], length=length, method="best fit")
    assert packing.sequences == len(plain_best_fit(sizes.tolist(), length))


def plain_cut(levels: NDArray[np.uint8], n: int, length: int) -> list[tuple[int, int]]:
    """Return the pieces of one document by the rule as it is stated."""
    pieces, at = [], 0
    while n - at > length:
        ends = [p for p in range(at + 1, at + length + 1) if levels[p] != NEVER]
        best = [[p for p in ends if levels[p] >= wanted and p > at + length // 2] for wanted in (PARAGRAPH, SENTENCE)]
        if not ends:
            at = next((p for p in range(at + length + 1, n) if levels[p] != NEVER), n)
            continue
        end = max(next((found for found in best if found), ends))
        pieces.append((at, end))
        at = end
    return [*pieces, (at, n)] if at < n else pieces


@given(n=st.integers(1, 120), length=st.integers(8, 30), seed=st.integers(0, 9999))
def test_a_long_document_is_cut_at_paragraph_then_sentence_then_token(n: int, length: int, seed: int) -> None:
    window = window_of([n], seed)
    levels = window.levels if window.starts[0] >= 0 else np.full(n, TOKEN, np.uint8)
    _, first, last, _ = _cut(window.lengths, window.levels, window.starts, length, PARAGRAPH)
    assert list(zip(first.tolist(), last.tolist(), strict=True)) == plain_cut(levels, n, length)


@given(lengths=lengths_of, length=st.integers(8, 40))
def test_joined_ends_leave_padding_in_the_last_sequence_only(lengths: list[int], length: int) -> None:
    packing = pack([Window.plain(np.array(lengths, np.int64))], length=length, method="concatenate")
    assert packing.sequences == math.ceil(sum(lengths) / length)
    assert (packing.used[:-1] == length).all()


@given(lengths=lengths_of, length=st.integers(8, 40), method=st.sampled_from(["in order", "concatenate"]))
def test_windows_change_nothing_for_methods_that_go_in_order(lengths: list[int], length: int, method: Method) -> None:
    sizes = np.array(lengths, np.int64)
    one = pack([Window.plain(sizes)], length=length, method=method)
    many = pack([Window.plain(sizes[k : k + 7]) for k in range(0, len(sizes), 7)], length=length, method=method)
    for name in ("sequence", "item", "first", "last", "room"):
        assert np.array_equal(getattr(one, name), getattr(many, name))


def test_buckets_hold_pieces_of_like_length() -> None:
    packing = pack([Window.plain(np.array([3, 60, 5, 64, 17, 100]))], length=100, method="bucketed")
    assert packing.room.tolist() == [100, 64, 64, 32, 8, 4]
    assert packing.item.tolist() == [5, 1, 3, 4, 2, 0]


def test_the_best_fit_is_fuller_than_filling_in_order() -> None:
    sizes = np.random.default_rng(0).lognormal(5, 1, 20_000).astype(np.int64) + 1
    found = {method: pack([Window.plain(sizes)], length=2048, method=method) for method in METHODS}
    assert found["best fit"].padding < 0.001 < found["in order"].padding < found["bucketed"].padding
    assert found["best fit"].cut < found["concatenate"].cut

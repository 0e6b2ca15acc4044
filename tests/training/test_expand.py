"""Copies and epochs come as often as they should, each epoch in an order of its own, copies a window apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.analytics.training.expand import Stream, expand, times_in_epoch
from tamis.data.errors import RecipeError
from tamis.data.hashing import key64

copies_of = st.lists(st.integers(1, 5), min_size=1, max_size=40)


def keys_of(n: int) -> NDArray[np.uint64]:
    return key64(f"document {k}" for k in range(n))


def least_gap(stream: Stream) -> int:
    last: dict[int, int] = {}
    gap = len(stream)
    for place, row in enumerate(stream.row.tolist()):
        if row in last:
            gap = min(gap, place - last[row] - 1)
        last[row] = place
    return gap


@given(copies=copies_of, epochs=st.integers(1, 4), seed=st.integers(0, 9), ordered=st.integers(0, 2))
def test_every_copy_of_every_epoch_comes_once(copies: list[int], epochs: int, seed: int, ordered: int) -> None:
    counts = np.array(copies, np.int32)
    position = np.random.default_rng(seed).permutation(len(counts))
    stream = expand(keys_of(len(counts)), counts, position=position, ordered=ordered, epochs=epochs, seed=seed)
    expected = sorted((row, e, c) for row, many in enumerate(copies) for e in range(epochs) for c in range(many))
    found = zip(stream.row.tolist(), stream.epoch.tolist(), stream.copy.tolist(), strict=True)
    assert sorted(found) == expected
    assert least_gap(stream) >= stream.window or max(copies) * epochs == 1


@settings(max_examples=60)
@given(copies=copies_of, epochs=st.integers(1, 3), window=st.integers(0, 12), seed=st.integers(0, 5))
def test_a_stated_window_holds_or_is_refused(copies: list[int], epochs: int, window: int, seed: int) -> None:
    counts = np.array(copies, np.int32)
    most, n = max(copies) * epochs, sum(copies) * epochs
    try:
        stream = expand(keys_of(len(counts)), counts, epochs=epochs, window=window, seed=seed)
    except RecipeError as error:
        assert "so far apart" in str(error) and window > 0
        assert n < 4 * most * max(window, 1) + most, "a window that surely fits was refused"
        return
    assert len(stream) == n
    assert least_gap(stream) >= min(window, n)


def test_any_order_of_documents_gives_the_same_stream() -> None:
    keys, draw = keys_of(200), np.random.default_rng(1)
    copies, weight = draw.integers(1, 4, 200).astype(np.int32), draw.random(200) * 3
    order = draw.permutation(200)
    stream = expand(keys, copies, weight=weight, epochs=2, window=5)
    again = expand(keys[order], copies[order], weight=weight[order], epochs=2, window=5)
    assert np.array_equal(stream.row, order[again.row]) and np.array_equal(stream.copy, again.copy)


@given(
    copies=copies_of,
    seed=st.integers(0, 100),
    epochs=st.integers(1, 6),
)
def test_weights_come_as_often_as_expected_over_all_epochs(copies: list[int], seed: int, epochs: int) -> None:
    draw = np.random.default_rng(seed)
    counts, weight = np.array(copies, np.int32), draw.random(len(copies)) * 3
    drawn = draw.random(len(copies))
    total = sum(times_in_epoch(counts, weight, drawn, epoch) for epoch in range(epochs))
    assert (np.abs(total - counts * weight * epochs) < 1).all()


def test_a_weight_below_one_leaves_documents_out_in_the_right_share() -> None:
    stream = expand(keys_of(10_000), np.ones(10_000, np.int32), weight=np.full(10_000, 0.3))
    assert 2_850 < len(stream) < 3_150


def test_each_epoch_is_shuffled_anew_and_the_order_of_the_recipe_is_kept_where_it_is_wanted() -> None:
    keys, ones, position = keys_of(500), np.ones(500, np.int32), np.arange(500)[::-1].copy()
    stream = expand(keys, ones, position=position, ordered=1, epochs=3, window=0)
    first, second, third = (stream.row[stream.epoch == epoch] for epoch in range(3))
    assert np.array_equal(first, position)
    assert np.mean(second == third) < 0.05 and np.mean(second == first) < 0.05
    assert abs(np.corrcoef(second, third)[0, 1]) < 0.15


def test_copies_of_an_epoch_are_spread_over_it() -> None:
    copies = np.where(np.arange(4_000) % 10 == 0, 4, 1).astype(np.int32)
    stream = expand(keys_of(4_000), copies)
    assert stream.window >= 300 and least_gap(stream) >= stream.window


def test_the_order_of_the_recipe_needs_a_step_that_orders() -> None:
    with pytest.raises(RecipeError, match="no step gives one"):
        expand(keys_of(3), np.ones(3, np.int32), ordered=1)

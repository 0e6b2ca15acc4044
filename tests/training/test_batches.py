"""Batches are a permutation, hold their mixture within one sequence, and any step or slice is computed alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.analytics.training.batches import BatchOrder, Mode, _floor_sum, difficulty_groups, majority_groups
from tamis.data.errors import SettingError

groups_of = st.lists(st.integers(0, 4), min_size=0, max_size=120)
modes = st.sampled_from(["free", "mixture", "homogeneous"])


def order_of(groups: list[int], size: int, mode: Mode, seed: int = 0) -> BatchOrder:
    names = tuple("abcde")
    return BatchOrder(size, mode, np.array(groups, np.int32), names, seed)


@given(groups=groups_of, size=st.integers(1, 17), mode=modes, seed=st.integers(0, 3))
def test_steps_are_a_permutation_and_each_is_computed_alone(
    groups: list[int], size: int, mode: Mode, seed: int
) -> None:
    batches = order_of(groups, size, mode, seed)
    whole = batches.order()
    assert sorted(whole.tolist()) == list(range(len(groups)))
    alone = [order_of(groups, size, mode, seed).step(number) for number in range(len(batches))]
    assert [len(rows) for rows in alone[:-1]] == [size] * (len(batches) - 1) if alone else len(batches) == 0
    assert np.concatenate([np.zeros(0, np.int64), *alone]).tolist() == whole.tolist()


@given(groups=groups_of, size=st.integers(1, 17), seed=st.integers(0, 3))
def test_every_full_batch_has_the_mixture_within_one_sequence(groups: list[int], size: int, seed: int) -> None:
    batches = order_of(groups, size, "mixture", seed)
    exact = np.bincount(batches.group, minlength=5) * size / max(len(groups), 1)
    for number in range(batches.full):
        held = np.bincount(batches.group[batches.step(number)], minlength=5)
        assert (np.floor(exact - 1e-9) <= held).all() and (held <= np.ceil(exact + 1e-9)).all()


@given(groups=groups_of, size=st.integers(1, 17))
def test_within_a_group_the_order_of_training_stays(groups: list[int], size: int) -> None:
    batches = order_of(groups, size, "mixture")
    order = batches.order()
    for group in range(5):
        own = order[batches.group[order] == group]
        assert (np.diff(own) > 0).all()


@given(groups=groups_of, size=st.integers(1, 9))
def test_homogeneous_batches_have_one_group_but_for_what_is_left_over(groups: list[int], size: int) -> None:
    batches = order_of(groups, size, "homogeneous")
    several = sum(len(set(batches.group[batches.step(k)].tolist())) > 1 for k in range(len(batches)))
    assert several == batches.mixed <= -(-5 * (size - 1) // size) + 1


@settings(max_examples=50)
@given(
    groups=groups_of,
    size=st.integers(1, 17),
    ranks=st.integers(1, 6),
    workers=st.integers(1, 4),
    first=st.integers(0, 9),
)
def test_ranks_and_workers_are_disjoint_and_complete(
    groups: list[int], size: int, ranks: int, workers: int, first: int
) -> None:
    batches = order_of(groups, size, "mixture")
    for number in range(len(batches)):
        parts = [batches.slice(number, rank=rank, ranks=ranks).tolist() for rank in range(ranks)]
        assert sum(parts, []) == batches.step(number).tolist()  # noqa: RUF017
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    steps = [list(batches.steps_of(worker=worker, workers=workers, first=first)) for worker in range(workers)]
    assert sorted(sum(steps, [])) == list(range(first, len(batches)))  # noqa: RUF017


def test_a_step_or_rank_that_is_not_there_is_refused() -> None:
    batches = order_of([0, 1, 2], 2, "free")
    with pytest.raises(SettingError, match=r"no such step: got 2\. allowed: 0 to 1"):
        batches.step(2)
    with pytest.raises(SettingError, match="no such rank"):
        batches.slice(0, rank=2, ranks=2)


@given(n=st.integers(0, 60), m=st.integers(1, 40), a=st.integers(0, 80), b=st.integers(-90, 90))
def test_the_sum_of_floors_is_that_of_a_loop(n: int, m: int, a: int, b: int) -> None:
    assert _floor_sum(n, m, a, b) == sum((a * i + b) // m for i in range(n))


def test_parts_by_difficulty_are_equal_and_keep_ties_together() -> None:
    values = np.array([5, 1, 3, np.nan, 3, 3, 9, 7, 2.0])
    part, names = difficulty_groups(values, bins=4)
    assert names == ("part 1 of 4", "part 2 of 4", "part 3 of 4", "part 4 of 4", "no value")
    assert part.tolist() == [2, 0, 1, 4, 1, 1, 3, 3, 0]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9), st.integers(0, 2)), min_size=1, max_size=40))
def test_a_sequence_belongs_to_the_group_with_most_tokens(pieces: list[tuple[int, int, int]]) -> None:
    pieces = sorted(pieces)
    sequence, tokens, group = (np.array(column, np.int64) for column in zip(*pieces, strict=True))
    found: NDArray[np.int32] = majority_groups(sequence, tokens, group.astype(np.int32), sequences=6, groups=3)
    for number in set(sequence.tolist()):
        sums = [int(tokens[(sequence == number) & (group == g)].sum()) for g in range(3)]
        assert found[number] == sums.index(max(sums))

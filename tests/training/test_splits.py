"""Splits never divide a group, depend on the set of documents only, and a leak check lists what a split divides."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.analytics.steps.measures import Pairs
from tamis.analytics.training.splits import VerifiedTwins, assign, check_leaks, join_groups, random_split
from tamis.data.hashing import key64

counts = st.integers(0, 300)
shares = st.tuples(st.floats(0, 0.5), st.floats(0, 0.4))


def keys_of(n: int) -> NDArray[np.uint64]:
    return key64(f"document {k}" for k in range(n))


def groups_of(n: int, seed: int) -> NDArray[np.int64]:
    codes = np.random.default_rng(seed).integers(0, max(n // 2, 1), n)
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


@given(n=counts, share=shares, seed=st.integers(0, 50))
def test_no_group_is_divided_and_no_share_exceeded(n: int, share: tuple[float, float], seed: int) -> None:
    groups, sizes = groups_of(n, seed), np.random.default_rng(seed).integers(1, 100, n)
    split = assign(keys_of(n), sizes, groups, validation=share[0], test=share[1], seed=seed)
    for group in range(int(groups.max(initial=-1)) + 1):
        assert len(set(split[groups == group].tolist())) == 1
    largest = int(np.bincount(groups, weights=sizes).max(initial=0)) if n else 0
    for number, part in ((1, share[0]), (2, share[1])):
        given_ = int(sizes[split == number].sum())
        assert given_ <= part * sizes.sum()
        # A group that stayed in train did not fit into what was left.
        assert given_ + largest > part * sizes.sum() or not (split == 0).any()


@given(n=st.integers(1, 300), seed=st.integers(0, 20))
def test_any_order_of_documents_gives_the_same_split(n: int, seed: int) -> None:
    keys, groups, sizes = keys_of(n), groups_of(n, seed), np.random.default_rng(seed).integers(1, 100, n)
    order = np.random.default_rng(seed + 1).permutation(n)
    whole = assign(keys, sizes, groups, validation=0.2, test=0.1, seed=seed)
    # Other numbers for the same groups, too.
    other = np.unique(groups[order][::-1], return_inverse=True)[1][::-1].astype(np.int64)
    assert np.array_equal(assign(keys[order], sizes[order], other, validation=0.2, test=0.1, seed=seed), whole[order])


def test_the_seed_decides() -> None:
    keys, own = keys_of(1000), np.arange(1000)
    first, second = (assign(keys, np.ones(1000, np.int64), own, validation=0.2, test=0, seed=s) for s in (0, 1))
    assert (first == 1).sum() == (second == 1).sum() == 200
    assert 20 < ((first == 1) & (second == 1)).sum() < 70


@settings(max_examples=50)
@given(n=st.integers(1, 60), data=st.data())
def test_groups_are_the_chains_of_links(n: int, data: st.DataObject) -> None:
    links = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40))
    code = np.array(data.draw(st.lists(st.integers(-1, 5), min_size=n, max_size=n)), dtype=np.int64)
    left, right = (
        np.array([min(a, b) for a, b in links] if k == 0 else [max(a, b) for a, b in links], np.int64) for k in (0, 1)
    )
    twins = VerifiedTwins(np.arange(n), Pairs(left, right, np.ones(len(links), np.float32)))
    found = join_groups(n, twins=twins, codes=[code])
    mark = list(range(n))
    edges = [*links, *((a, b) for a in range(n) for b in range(n) if code[a] == code[b] >= 0)]
    for _ in range(n):
        for a, b in edges:
            mark[a] = mark[b] = min(mark[a], mark[b])
    assert all((found[a] == found[b]) == (mark[a] == mark[b]) for a in range(n) for b in range(n))
    assert set(found.tolist()) == set(range(found.max() + 1))


def planted(pairs: int, others: int) -> tuple[NDArray[np.uint64], VerifiedTwins, pa.Array]:
    """Return documents of which the first ``2 * pairs`` are twins, two and two."""
    n = 2 * pairs + others
    left = np.arange(0, 2 * pairs, 2)
    links = Pairs(left, left + 1, np.full(pairs, 0.9, np.float32))
    return (
        keys_of(n),
        VerifiedTwins.of(np.arange(n), np.arange(n), links, level=0.8),
        pa.array([f"d{k}" for k in range(n)]),
    )


def test_planted_twins_never_cross_where_a_random_split_leaks_many() -> None:
    keys, twins, ids = planted(500, 1000)
    groups = join_groups(len(keys), twins=twins)
    ours = assign(keys, np.ones(len(keys), np.int64), groups, validation=0.1, test=0.1, seed=0)
    assert check_leaks(ours, twins, ids).pairs == 0
    random = check_leaks(random_split(keys, validation=0.1, test=0.1, seed=0), twins, ids)
    # Two of three splits differ with probability 2 (0.8 * 0.1 * 2 + 0.1 * 0.1) = 0.34.
    assert 130 <= random.pairs <= 210
    assert random.table.num_rows == random.pairs
    assert set(random.table.column("left_split").to_pylist()) == {"train", "validation", "test"}


@given(n=st.integers(1, 25), seed=st.integers(0, 1000))
def test_a_leak_check_counts_every_pair_of_twins_in_different_splits(n: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    first = np.array([draw.integers(0, k + 1) if draw.random() < 0.4 else k for k in range(n)])
    first = first[first]
    sets = np.unique(first)
    links = [(a, b) for a in sets for b in sets if a < b and draw.random() < 0.2]
    left, right = (np.array([link[k] for link in links], dtype=np.int64) for k in (0, 1))
    rows = np.flatnonzero(draw.random(n) < 0.8)
    twins = VerifiedTwins.of(rows, first, Pairs(left, right, np.full(len(links), 0.9, np.float32)), level=0.8)
    split = draw.integers(0, 3, len(rows)).astype(np.int8)
    known = {(int(a), int(b)) for a, b in links}
    expected = sum(
        split[a] != split[b]
        and (first[rows[a]] == first[rows[b]] or tuple(sorted((first[rows[a]], first[rows[b]]))) in known)
        for a in range(len(rows))
        for b in range(a + 1, len(rows))
    )
    found = check_leaks(split, twins, pa.array([f"d{k}" for k in rows], pa.string()))
    assert found.pairs == expected == sum(found.table.column("pairs").to_pylist())


def test_a_dropped_document_joins_no_others() -> None:
    pairs = Pairs(np.array([0, 1]), np.array([1, 2]), np.full(2, 0.9, np.float32))
    twins = VerifiedTwins.of(np.array([0, 2]), np.arange(3), pairs, level=0.8)
    assert join_groups(2, twins=twins).tolist() == [0, 1]

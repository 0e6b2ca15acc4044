"""Edits of clusters: documents are neither lost nor moved out of what was edited, and other numbers stay."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.analytics.map.cluster_edits import ClusterEdit, apply_edits
from tamis.data.errors import SettingError

RANDOM = np.random.default_rng(5)
LABELS = np.repeat(np.arange(-1, 6), 40).astype(np.int32)
VECTORS = RANDOM.normal(size=(len(LABELS), 8))
VECTORS = (VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)).astype(np.float16)
VECTORS[::50] = 0


def test_a_merge_takes_the_first_number_and_leaves_the_others_alone() -> None:
    found = apply_edits(LABELS, [ClusterEdit("merge", (3, 1, 5))], VECTORS)
    assert set(found[np.isin(LABELS, [1, 3, 5])]) == {3}
    others = ~np.isin(LABELS, [1, 3, 5])
    assert np.array_equal(found[others], LABELS[others])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 5), st.integers(2, 6))
def test_a_split_divides_only_its_cluster_the_largest_part_keeping_the_number(cluster: int, parts: int) -> None:
    found = apply_edits(LABELS, [ClusterEdit("split", (cluster,), parts)], VECTORS)
    inside = np.equal(LABELS, cluster)
    assert np.array_equal(found[~inside], LABELS[~inside])
    sizes = Counter(found[inside & VECTORS.any(axis=1)].tolist())
    assert set(sizes) == {cluster, *range(6, 6 + parts - 1)} and sizes[cluster] == max(sizes.values())
    assert np.array_equal(found, apply_edits(LABELS, [ClusterEdit("split", (cluster,), parts)], VECTORS))


def test_edits_follow_each_other() -> None:
    split = ClusterEdit("split", (2,), 3)
    assert np.array_equal(apply_edits(LABELS, [split, ClusterEdit("merge", (2, 6, 7))], VECTORS), LABELS)


@pytest.mark.parametrize(
    "edits",
    [
        [{"kind": "merge", "clusters": [1, 9]}],
        [{"kind": "split", "clusters": [4], "parts": 2}, {"kind": "merge", "clusters": [6, 8]}],
    ],
)
def test_an_edit_of_a_cluster_that_is_not_there_is_refused(edits: list[dict[str, object]]) -> None:
    with pytest.raises(SettingError, match="not there"):
        apply_edits(LABELS, [ClusterEdit.of(edit) for edit in edits], VECTORS)


@pytest.mark.parametrize(
    "value",
    [
        {"kind": "drop", "clusters": [1]},
        {"kind": "merge", "clusters": [1]},
        {"kind": "merge", "clusters": [1, 1]},
        {"kind": "split", "clusters": [1, 2]},
        {"kind": "split", "clusters": [-1]},
        {"kind": "split", "clusters": [1], "parts": 99},
        {"clusters": [1]},
        {"kind": "split", "clusters": [1], "shell": "rm"},
    ],
)
def test_edits_that_mean_nothing_are_refused(value: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        ClusterEdit.of(value)


def test_a_cluster_smaller_than_its_parts_is_not_split() -> None:
    labels = np.array([0, 0, 1], dtype=np.int32)
    with pytest.raises(SettingError, match="too small"):
        apply_edits(labels, [ClusterEdit("split", (0,), 3)], VECTORS[1:4])

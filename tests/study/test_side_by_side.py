"""Two corpora side by side: medians, distances, shares and topics are those of their documents."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import synthetic_facts

import tamis.analytics.study.standard_analysis  # noqa: F401 - declares the columns of every step
from tamis.analytics.study.side_by_side import (
    compare_shares,
    distribution_distance,
    points_on_map,
    side_by_side,
    topic_shares,
)

FIRST, SECOND = synthetic_facts(3_000, seed=1), synthetic_facts(2_000, seed=2)
NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


@given(NUMBERS, NUMBERS)
def test_the_distance_of_two_signals_is_that_of_kolmogorov_and_smirnov(first: list[float], second: list[float]) -> None:
    found = distribution_distance(np.sort(first), np.sort(second))
    shares = [[sum(x <= at for x in values) / len(values) for at in (*first, *second)] for values in (first, second)]
    assert found == pytest.approx(max(abs(a - b) for a, b in zip(*shares, strict=True)))
    assert found == distribution_distance(np.sort(second), np.sort(first))


def test_a_corpus_beside_itself_differs_in_nothing() -> None:
    found = side_by_side(FIRST, FIRST)
    assert found.first == found.second and found.sampled == FIRST.n
    assert set(found.signals.column("distance").to_pylist()) == {0.0}
    assert found.groups.column("first") == found.groups.column("second")


def test_sizes_medians_and_shares_are_those_of_the_documents() -> None:
    found = side_by_side(FIRST, SECOND, limit=100)
    assert (found.first.documents, found.second.documents) == (3_000, 2_000)
    assert found.second.tokens == SECOND.whole("n_tokens").sum()
    for row in found.signals.to_pylist():
        for facts, side in ((FIRST, "first"), (SECOND, "second")):
            values = facts.numbers(row["signal"])
            assert row[side] == np.quantile(values[np.isfinite(values)], 0.5, method="inverted_cdf")
    distances = found.signals.column("distance").to_pylist()
    assert distances == sorted(distances, reverse=True)
    for row in found.groups.to_pylist():
        for facts, side in ((FIRST, "first"), (SECOND, "second")):
            held = [value == row["value"] for value in facts.array(row["column"]).to_pylist()]
            assert row[side] == pytest.approx(np.mean(held))


def test_signals_of_a_map_are_not_compared() -> None:
    names = set(side_by_side(FIRST, SECOND).signals.column("signal").to_pylist())
    assert "n_words" in names and not names & {"x", "y", "cluster", "norm_group", "text_group"}


def test_the_most_different_values_come_first_and_absent_ones_count_as_none() -> None:
    found = compare_shares({"a": 0.5, "b": 0.4, None: 0.1}, {"a": 0.5, "c": 0.5}, limit=3)
    assert found.to_pylist() == [
        {"value": "c", "first": 0.0, "second": 0.5},
        {"value": "b", "first": 0.4, "second": 0.0},
        {"value": None, "first": 0.1, "second": 0.0},
    ]


def placed(n: int) -> pa.Table:
    """Return some documents of the second corpus on the map of the first, as ``FrozenMap.placed`` does."""
    x = SECOND.numbers("x")[:n]
    return pa.table(
        {
            "id": SECOND.ids.slice(0, n),
            "cluster": pa.array(SECOND.numbers("cluster")[:n].astype(np.int32)),
            "x": pa.array(x, mask=np.arange(n) % 10 == 0),
            "y": pa.array(SECOND.numbers("y")[:n], mask=np.arange(n) % 10 == 0),
        }
    )


def test_topics_are_shares_of_the_clusters_of_the_map() -> None:
    table = placed(500)
    found = {row["value"]: row for row in topic_shares(FIRST, table, limit=500).to_pylist()}
    here, there = FIRST.numbers("cluster"), table.column("cluster").to_numpy()
    for number in (-1, 0, 3):
        assert found[str(number)]["first"] == pytest.approx((here == number).mean())
        assert found[str(number)]["second"] == pytest.approx((there == number).mean())
    assert sum(row["second"] for row in found.values()) == pytest.approx(1.0)


def test_both_corpora_lie_on_the_map_with_the_same_points_every_time() -> None:
    first, second = points_on_map(FIRST, placed(500), n=100)
    assert first.shape == second.shape == (100, 2) and np.isfinite(second).all()
    shuffled = placed(500).take(pa.array(np.random.default_rng(0).permutation(500)))
    assert (points_on_map(FIRST, shuffled, n=100)[1] == second).all()
    assert len(points_on_map(FIRST, placed(500))[1]) == 450

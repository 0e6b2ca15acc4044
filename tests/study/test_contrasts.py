"""What the map says about a selection: contrasts are those of plain counting, hidden groups are told."""

from __future__ import annotations

from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import synthetic_facts

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.contrasts import (
    compared_columns,
    group_contrasts,
    rank_auc,
    signal_contrasts,
    value_ranks,
)
from tamis.analytics.study.evidence import GivenEvidence
from tamis.analytics.study.map_points import OTHER, LegendItem, bands_of, cluster_reach, hidden_words
from tamis.analytics.study.scene import Scene

FACTS = synthetic_facts(1_500, seed=7)
ODD = OPERATORS.build("signal_range", {"signal": "alpha_word_share", "max": 0.7})
SCENE = Scene.build(FACTS, GivenEvidence(), selection=(ODD,), recipe=Recipe())

numbers = st.lists(st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 0.5, 2.0, np.inf])), min_size=1, max_size=12)


def facts_of(values: list[float | None]) -> Facts:
    table = pa.table({"id": [f"{k:03d}" for k in range(len(values))], "v": pa.array(values, pa.float64())})
    return Facts.from_table(table, digest=repr(values))


@given(numbers, st.data())
def test_the_rank_measure_is_the_share_of_pairs_won(values: list[float | None], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    inside = [value for value, own in zip(values, chosen, strict=True) if own and value is not None]
    rest = [value for value, own in zip(values, chosen, strict=True) if not own and value is not None]
    found = rank_auc(value_ranks(facts_of(values), "v"), np.flatnonzero(chosen))
    if not inside or not rest:
        assert np.isnan(found)
        return
    won = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in product(inside, rest))
    assert found == pytest.approx(won / (len(inside) * len(rest)))


def test_the_signal_of_the_selection_differs_most_and_medians_are_values() -> None:
    found = signal_contrasts(SCENE, limit=5)
    assert found[0].column == "alpha_word_share" and found[0].auc == 0.0
    values = FACTS.numbers("alpha_word_share")
    assert found[0].selected in values[values <= 0.7] and found[0].rest in values[values > 0.7]
    assert [each.strength for each in found] == sorted((each.strength for each in found), reverse=True)
    assert {each.column for each in found} <= {info.name for info in compared_columns(FACTS)}


def test_groups_here_and_in_the_rest_add_up_to_all() -> None:
    rows, values = group_contrasts(SCENE, "source", limit=1_000)
    assert values == len(rows) and sum(row.selected for row in rows) == np.count_nonzero(SCENE.selected)
    assert sum(row.share for row in rows) == pytest.approx(1.0)
    sources = FACTS.array("source").to_pylist()
    for row in rows[:3]:
        outside = sum(own == row.value for own, inside in zip(sources, SCENE.selected, strict=True) if not inside)
        assert row.rest == pytest.approx(outside / (FACTS.n - int(SCENE.selected.sum())))


def test_a_rule_says_which_groups_were_hidden_or_which_few_were_shown() -> None:
    legend = [LegendItem(k, f"source {k}", 10) for k in range(5)] + [LegendItem(OTHER, "other", 3)]
    assert hidden_words(legend, [], "source") == ""
    assert hidden_words(legend, [1, 3], "source") == "without source source 1, source 3"
    assert hidden_words(legend, [0, 1, 2, 3, OTHER], "source") == "only source source 4"


@given(st.lists(st.text(st.characters(categories=["L"]), min_size=1, max_size=120), min_size=1, max_size=20), st.data())
def test_the_words_of_hidden_groups_fit_a_rule_and_name_each_or_count_it(names: list[str], data: st.DataObject) -> None:
    legend = [LegendItem(k, name, 1) for k, name in enumerate(names)]
    hidden = data.draw(st.sets(st.integers(0, len(names) - 1), min_size=1))
    words = hidden_words(legend, hidden, "source")
    square = [[0, 0], [1, 0], [1, 1]]
    params = {"vertices": square, "map": "a" * 64, "ids": "b" * 64, "documents": 3}
    rule = OPERATORS.build("map_polygon", {**params, "left_out": words})
    plain = OPERATORS.build("map_polygon", params)
    assert rule.sentence() == f"{plain.sentence()}, {words}"
    assert "left_out" not in Recipe().with_operator(plain).to_yaml()


def test_clusters_reach_as_far_as_their_documents_spread() -> None:
    reach = cluster_reach(FACTS)
    cluster, x, y = (FACTS.numbers(name) for name in ("cluster", "x", "y"))
    for number, (wide, high) in reach.items():
        own = (cluster == number) & ~np.isnan(x)
        assert (wide, high) == pytest.approx((np.std(x[own]), np.std(y[own])), abs=2e-6)


def test_bands_hold_every_value_once_and_leave_out_none() -> None:
    values = np.array([0.1, 0.2, np.nan, 0.95, -3.0, 7.0])
    found = bands_of(values, 0.0, 1.0, "likeness", bands=4)
    assert list(found.data) == [0, 0, 255, 3, 0, 3]
    assert sum(item.documents for item in found.legend) == len(values)

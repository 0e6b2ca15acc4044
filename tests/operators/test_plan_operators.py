"""Operators decide what their documentation says, checked against plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_examples import evidence
from synthetic import synthetic_facts

from tamis.analytics.facts.facts import Facts
from tamis.analytics.map.polygon import points_in_polygon
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.operators.sets import percentile
from tamis.analytics.recipe import plan
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.plan import evaluate, freeze
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.evidence import GivenEvidence
from tamis.data.errors import RecipeError

FACTS = synthetic_facts(2_000, seed=21, threads=2)


def run(name: str, facts: Facts = FACTS, **params: Any) -> Outcome:
    proof = evidence(facts) if "cluster" in facts.columns else GivenEvidence()
    return evaluate(Recipe().with_operator(OPERATORS.build(name, params)), facts, proof)


def small(**columns: Any) -> Facts:
    n = len(next(iter(columns.values())))
    ids = [f"{k:04d}" for k in range(n)]
    return Facts.from_table(pa.table({"id": ids, **columns}), digest=repr(columns), threads=1)


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({"min": 0.1}, [False, True, True, None]),
        ({"min": 0.1, "strict_min": True}, [False, False, True, None]),
        ({"max": 0.1}, [True, True, False, None]),
        ({"max": 0.1, "strict_max": True}, [True, False, False, None]),
        ({"min": 0.1, "max": 0.1}, [False, True, False, None]),
        ({"min": 0.1, "mode": "drop"}, [True, False, False, None]),
    ],
)
@pytest.mark.parametrize("missing", ["keep", "drop"])
@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
def test_range_ends_are_exact_in_any_float(
    params: Any, kept: list[bool | None], missing: str, kind: pa.DataType
) -> None:
    facts = small(s=pa.array([0.099999, 0.1, 0.100001, None], kind))
    found = run("signal_range", facts, signal="s", missing=missing, **params).kept.tolist()
    assert found == [missing == "keep" if want is None else want for want in kept]


def test_long_float_thresholds_equal_the_value_they_were_read_from() -> None:
    values = FACTS.numbers("mean_word_length")
    middle = float(np.sort(values[~np.isnan(values)])[700])
    found = run("signal_range", signal="mean_word_length", min=middle, strict_min=True, missing="drop")
    assert np.array_equal(found.kept, values > middle)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=40), st.floats(0, 100))
def test_percentile_is_the_smallest_value_that_so_many_do_not_exceed(values: list[float], p: float) -> None:
    found = percentile(np.array(values), p)
    assert found in values
    assert np.mean(np.array(values) <= found) * 100 >= p - 1e-9
    below = [value for value in values if value < found]
    if below:
        assert np.mean(np.array(values) <= max(below)) * 100 < p + 1e-9


def test_percentile_band_within_groups_is_the_band_of_each_group() -> None:
    outcome = run("percentile_band", signal="mean_word_length", low=10, high=90, within="lang", missing="drop")
    values, langs = FACTS.numbers("mean_word_length"), np.array(FACTS.array("lang").to_pylist())
    expected = np.zeros(FACTS.n, bool)
    for lang in set(langs):
        own = (langs == lang) & ~np.isnan(values)
        low, high = percentile(values[own], 10), percentile(values[own], 90)
        expected |= own & (values >= low) & (values <= high)
        assert outcome.resolved["percentile-band"][lang] == {"low": low, "high": high}
    assert np.array_equal(outcome.kept, expected)


def test_percentile_band_keeps_about_the_share_it_names() -> None:
    outcome = run("percentile_band", signal="unigram_entropy", low=20, missing="drop")
    assert abs(outcome.kept.mean() - 0.8) < 0.01


def test_percentile_band_without_any_value_drops_only_what_is_missing() -> None:
    facts = small(s=pa.array([None, None], pa.float32()))
    assert run("percentile_band", facts, signal="s", low=5, missing="keep").kept.all()
    assert not run("percentile_band", facts, signal="s", low=5, missing="drop").kept.any()


def _dedup_by_hand(group: Any, key: Any, copies: int) -> set[int]:
    members: dict[int, list[int]] = {}
    for row, name in enumerate(group):
        if name >= 0:
            members.setdefault(int(name), []).append(row)
    alone = {row for row, name in enumerate(group) if name < 0}
    return alone.union(*(sorted(rows, key=key)[:copies] for rows in members.values()))


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize(
    ("params", "key"),
    [
        ({"keep": "longest"}, lambda row: (-FACTS.numbers("bytes")[row], row)),
        ({"keep": "shortest"}, lambda row: (FACTS.numbers("bytes")[row], row)),
        ({"keep": "first id"}, lambda row: row),
        (
            {"keep": "highest signal", "signal": "digit_share"},
            lambda row: (-np.nan_to_num(FACTS.numbers("digit_share")[row], nan=-np.inf), row),
        ),
        (
            {"keep": "lowest signal", "signal": "digit_share"},
            lambda row: (np.nan_to_num(FACTS.numbers("digit_share")[row], nan=np.inf), row),
        ),
    ],
)
def test_exact_dedup_keeps_the_best_of_each_group(params: Any, key: Any, copies: int) -> None:
    outcome = run("exact_dedup", max_copies=copies, **params)
    group = FACTS.array("norm_group").to_numpy()
    assert set(np.flatnonzero(outcome.kept).tolist()) == _dedup_by_hand(group, key, copies)


def test_every_dropped_duplicate_names_a_kept_twin_of_its_group() -> None:
    outcome = run("exact_dedup", max_copies=2, keep="source order", sources=["source-05", "source-01"])
    trace = outcome.traces["exact-dedup"]
    group = FACTS.array("norm_group").to_numpy()
    dropped = np.flatnonzero(~outcome.kept)
    twins = trace.decision.twin[np.searchsorted(trace.rows, dropped)]
    assert len(dropped) > 20
    assert outcome.kept[twins].all()
    assert np.array_equal(group[twins], group[dropped])


def test_exact_dedup_within_a_category_never_compares_across_it() -> None:
    outcome = run("exact_dedup", within="lang")
    group, langs = FACTS.array("norm_group").to_numpy(), FACTS.array("lang").to_pylist()
    seen: dict[tuple[int, str], int] = {}
    for row in np.flatnonzero(outcome.kept):
        if group[row] >= 0:
            seen[(int(group[row]), langs[row])] = seen.get((int(group[row]), langs[row]), 0) + 1
    assert set(seen.values()) == {1}
    assert len(seen) == len({(int(g), lang) for g, lang in zip(group, langs, strict=True) if g >= 0})


def test_random_count_is_exact_and_nested() -> None:
    few, many = run("random_sample", count=100, seed=9), run("random_sample", count=300, seed=9)
    assert (few.output.documents, many.output.documents) == (100, 300)
    assert many.kept[few.kept].all()
    assert run("random_sample", count=10**9).output.documents == FACTS.n


def test_random_share_is_near_the_share_and_depends_on_the_seed() -> None:
    one, two = run("random_sample", share=0.3, seed=1), run("random_sample", share=0.3, seed=2)
    assert abs(one.kept.mean() - 0.3) < 0.05
    assert not np.array_equal(one.kept, two.kept)


def test_random_count_within_a_category_caps_each_value() -> None:
    outcome = run("random_sample", count=5, within="source")
    sources = np.array(FACTS.array("source").to_pylist())
    for source in set(sources):
        assert outcome.kept[sources == source].sum() == min(5, (sources == source).sum())


@pytest.mark.parametrize("unit", ["tokens", "bytes", "documents"])
@pytest.mark.parametrize("order", ["random", "highest", "lowest"])
def test_budget_is_never_exceeded_and_stops_as_late_as_it_can(unit: str, order: str) -> None:
    amount = {"tokens": 50_000, "bytes": 200_000, "documents": 321}[unit]
    params = {} if order == "random" else {"signal": "unigram_entropy"}
    outcome = run("token_budget", amount=amount, unit=unit, order=order, **params)
    sizes = {"tokens": FACTS.whole("n_tokens"), "bytes": FACTS.whole("bytes"), "documents": np.ones(FACTS.n, int)}[unit]
    spent = sizes[outcome.kept].sum()
    assert spent <= amount
    assert amount - spent < sizes.max()
    if order != "random":
        values = FACTS.numbers("unigram_entropy")
        edge = values[outcome.kept]
        rest = values[~outcome.kept]
        best, worst = (np.nanmin(edge), np.nanmax(rest)) if order == "highest" else (np.nanmin(rest), np.nanmax(edge))
        assert best >= worst


def test_lists_clusters_and_conjunctions_decide_by_membership() -> None:
    proof = evidence(FACTS)
    labels = FACTS.array("cluster").to_numpy()
    from operator_examples import CLUSTERING, ID_SET

    assert np.array_equal(run("cluster", clusters=[3, -1], clustering=CLUSTERING).kept, np.isin(labels, [3, -1]))
    inside = np.isin(FACTS.ids.to_pylist(), proof.frozen.ids(ID_SET).to_pylist())
    assert np.array_equal(run("id_list", stored=ID_SET, mode="drop").kept, ~inside)
    some = FACTS.ids.to_pylist()[5:9]
    assert np.flatnonzero(run("id_list", ids=some).kept).tolist() == [5, 6, 7, 8]
    rules = [{"operator": "id_list", "params": {"stored": ID_SET}}, {"operator": "cluster",
             "params": {"clusters": [3, -1], "clustering": CLUSTERING}}]  # fmt: skip
    both = run("all_of", rules=rules, mode="drop")
    assert np.array_equal(both.kept, ~(inside & np.isin(labels, [3, -1])))


def test_unknown_clustering_and_id_set_are_named() -> None:
    with pytest.raises(Exception, match="clustering"):
        run("cluster", clusters=[1], clustering="f" * 64)
    with pytest.raises(Exception, match="id set"):
        run("id_list", stored="f" * 64)


def _inside_by_hand(x: float, y: float, corners: list[tuple[float, float]]) -> bool:
    odd = False
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            odd = not odd
    return odd


coordinates = st.integers(-5, 5).map(float)


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9), st.lists(st.tuples(coordinates, coordinates))
)
def test_polygon_agrees_with_plain_python(
    corners: list[tuple[float, float]], points: list[tuple[float, float]]
) -> None:
    x, y = (np.array([point[k] for point in points], dtype=np.float32) for k in (0, 1))
    assert points_in_polygon(x, y, corners).tolist() == [_inside_by_hand(a, b, corners) for a, b in points]


def test_adjacent_polygons_share_no_point_and_miss_none() -> None:
    rng = np.random.default_rng(1)
    x, y = (np.round(rng.uniform(0, 2, 4000), 1) for _ in range(2))
    left = points_in_polygon(x, y, [(0, 0), (1, 0), (1, 2), (0, 2)])
    right = points_in_polygon(x, y, [(1, 0), (2, 0), (2, 2), (1, 2)])
    assert not (left & right).any()
    assert np.array_equal(left | right, (x < 2) & (y < 2))


@pytest.mark.parametrize("corners", [[(0, 0), (1, 1)], [(0, 0), (1, 1), (np.nan, 0)], [(0, 0)] * 3_000])
def test_impossible_polygon_is_refused(corners: list[tuple[float, float]]) -> None:
    with pytest.raises(RecipeError, match="polygon"):
        points_in_polygon(np.zeros(1), np.zeros(1), corners)


def test_points_without_a_place_are_outside() -> None:
    square = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    assert points_in_polygon(np.array([np.nan, 0.0]), np.array([0.0, 0.0]), square).tolist() == [False, True]


def test_later_steps_see_only_what_is_left() -> None:
    recipe = Recipe().with_operator(OPERATORS.build("language", {"languages": ["en"]}))
    recipe = recipe.with_operator(OPERATORS.build("random_sample", {"count": 10}))
    outcome = evaluate(recipe, FACTS, evidence(FACTS))
    langs = np.array(FACTS.array("lang").to_pylist())
    assert set(langs[outcome.kept]) == {"en"}
    assert len(outcome.traces["random-sample"].rows) == (langs == "en").sum()


def test_editing_a_late_step_does_not_repeat_early_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = synthetic_facts(800, seed=5)
    base = Recipe().with_operator(OPERATORS.build("signal_range", {"signal": "n_words", "min": 20}))
    base = base.with_operator(OPERATORS.build("exact_dedup", {}))
    first = base.with_operator(OPERATORS.build("token_budget", {"amount": 9_000}))
    evaluate(first, facts, evidence(facts))

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("an early step ran again")

    monkeypatch.setattr(type(base.steps[1].operator), "decide", fail)
    monkeypatch.setattr(plan, "_ask", fail)
    second = base.with_operator(OPERATORS.build("token_budget", {"amount": 8_000}))
    assert evaluate(second, facts, evidence(facts)).output.tokens <= 8_000


def test_frozen_percentile_band_keeps_the_same_documents_and_says_where_its_numbers_came_from() -> None:
    band = OPERATORS.build("percentile_band", {"signal": "mean_word_length", "low": 3.5, "high": 97})
    recipe = Recipe().with_operator(band)
    outcome = evaluate(recipe, FACTS, evidence(FACTS))
    frozen = freeze(recipe, "percentile-band", outcome=outcome, corpus="c" * 64)
    assert np.array_equal(evaluate(Recipe.from_yaml(frozen.to_yaml()), FACTS, evidence(FACTS)).kept, outcome.kept)
    assert [(name, origin.percentile) for name, origin in frozen.steps[0].provenance] == [("max", 97), ("min", 3.5)]


def test_frozen_band_within_groups_becomes_one_range_per_group() -> None:
    params = {"signal": "mean_word_length", "low": 20, "high": 90, "within": "lang", "missing": "drop"}
    recipe = Recipe().with_operator(OPERATORS.build("percentile_band", params))
    outcome = evaluate(recipe, FACTS, evidence(FACTS))
    frozen = Recipe.from_yaml(freeze(recipe, "percentile-band", outcome=outcome).to_yaml())
    assert frozen.steps[0].operator.name == "grouped_range"
    assert np.array_equal(evaluate(frozen, FACTS, evidence(FACTS)).kept, outcome.kept)
    with pytest.raises(RecipeError, match="Only a percentile band"):
        freeze(frozen, "percentile-band", outcome=outcome)


@pytest.mark.parametrize("mode", ["keep", "drop"])
@pytest.mark.parametrize("others", ["keep", "drop"])
def test_grouped_range_compares_each_group_with_its_own_bounds(mode: str, others: str) -> None:
    bounds = [{"value": "en", "min": 100}, {"value": "de", "min": 50, "max": 200}]
    outcome = run("grouped_range", signal="n_words", by="lang", bounds=bounds, others=others, mode=mode)
    words, langs = FACTS.numbers("n_words"), np.array(FACTS.array("lang").to_pylist())
    inside = ((langs == "en") & (words >= 100)) | ((langs == "de") & (words >= 50) & (words <= 200))
    known = np.isin(langs, ["en", "de"])
    expected = np.where(known, inside if mode == "keep" else ~inside, others == "keep")
    assert np.array_equal(outcome.kept, expected)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("signal_range", {"signal": "x", "min": 0}),
        ("sql_predicate", {"predicate": "cluster = 3"}),
        ("category", {"column": "cluster", "values": ["3"]}),
    ],
)
def test_rules_do_not_compare_numbers_that_mean_nothing_elsewhere(name: str, params: Any) -> None:
    with pytest.raises(RecipeError, match="cluster rule or a lasso"):
        run(name, **params)

"""Questions of pages give exactly what the documents hold."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import synthetic_facts

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study import queries
from tamis.analytics.study.evidence import GivenEvidence
from tamis.analytics.study.queries import Scene
from tamis.analytics.study.scene import Which
from tamis.data.errors import RecipeError
from tamis.data.hashing import mix_keys

FACTS = synthetic_facts(3_000, seed=3)
RECIPE = (
    Recipe()
    .with_operator(OPERATORS.build("signal_range", {"signal": "n_words", "min": 60}))
    .with_operator(OPERATORS.build("language", {"languages": ["en", "de"]}))
    .with_operator(OPERATORS.build("exact_dedup", {}))
)
SELECTION = (
    OPERATORS.build("signal_range", {"signal": "unigram_entropy", "min": 5.0}),
    OPERATORS.build("category", {"column": "source", "values": ["source-00", "source-01"]}),
)
SCENE = Scene.build(FACTS, GivenEvidence(), selection=SELECTION, recipe=RECIPE)


@pytest.mark.parametrize("column", ["n_words", "mean_word_length", "norm_count", "x"])
def test_histogram_places_every_document_once(column: str) -> None:
    found = queries.histogram(SCENE, column, bins=25)
    values = FACTS.numbers(column)
    assert found.all.sum() + found.below + found.above + found.missing == FACTS.n
    expected, _ = np.histogram(values[~np.isnan(values)], bins=found.edges)
    assert found.all.tolist() == expected.tolist()
    kept, _ = np.histogram(values[SCENE.kept & ~np.isnan(values)], bins=found.edges)
    assert found.kept.tolist() == kept.tolist()
    selected, _ = np.histogram(values[SCENE.selected & ~np.isnan(values)], bins=found.edges)
    assert found.selected.tolist() == selected.tolist()


def test_histogram_refuses_text() -> None:
    with pytest.raises(RecipeError, match="not numeric"):
        queries.histogram(SCENE, "source")


def test_totals_are_those_of_the_masks() -> None:
    found = queries.totals(SCENE)
    assert found.all.documents == FACTS.n
    assert found.kept.documents == SCENE.kept.sum() == SCENE.outcome.output.documents
    assert found.selected_kept.tokens == FACTS.whole("n_tokens")[SCENE.kept & SCENE.selected].sum()


def test_group_counts_add_up() -> None:
    found = queries.group_counts(SCENE, "source")
    assert sum(found.table.column("documents").to_pylist()) == FACTS.n
    assert sum(found.table.column("kept").to_pylist()) == SCENE.kept.sum()
    assert found.distinct == found.table.num_rows
    assert queries.group_counts(SCENE, "source", limit=3).table.num_rows == 3


def test_no_value_and_the_unclustered_group_are_no_value() -> None:
    clusters = FACTS.numbers("cluster")
    assert (clusters == -1).any()
    assert queries.count_values(SCENE, "cluster") == len(np.unique(clusters[clusters >= 0]))
    assert queries.count_values(SCENE, "source") == len(set(FACTS.array("source").to_pylist()) - {None})
    table = pa.table({"id": ["a", "b", "c"], "n_tokens": pa.array([1, 2, 3], pa.int64()), "source": ["x", None, "x"]})
    scene = Scene.build(Facts.from_table(table, digest="e" * 64), GivenEvidence())
    assert queries.count_values(scene, "source") == 1


def test_an_issue_says_how_many_of_its_documents_the_recipe_keeps() -> None:
    bare = {issue.name: issue for issue in queries.find_issues(Scene.build(FACTS, GivenEvidence()))}
    assert all(issue.kept == issue.documents for issue in bare.values())
    words = FACTS.numbers("n_words")
    for issue in queries.find_issues(SCENE):
        assert issue.documents == bare[issue.name].documents and issue.kept < issue.documents
    stop = next(issue for issue in queries.find_issues(SCENE) if issue.name == "no-stop-words")
    assert stop.kept == (SCENE.kept & (FACTS.numbers("stop_words") <= 1)).sum() and (words[SCENE.kept] >= 60).all()


def test_group_counts_are_those_of_a_loop_over_the_documents() -> None:
    table = pa.table(
        {
            "id": [f"d{k}" for k in range(9)],
            "n_tokens": pa.array([1, 2, None, 4, 5, 6, 7, 8, 9], pa.int64()),
            "kind": ["b", None, "a", "b", "a", None, "é", "b", "z"],
            "share": [0.5, 1.0, 1.0, None, 2.0, 0.5, 3.25, 1.0, 1e20],
        }
    )
    facts = Facts.from_table(table, digest="f" * 64)
    rule = OPERATORS.build("signal_range", {"signal": "n_tokens", "min": 3})
    scene = Scene.build(facts, GivenEvidence(), selection=[rule], recipe=Recipe().with_operator(rule))
    rows = queries.group_counts(scene, "kind").table.to_pylist()
    assert [(row["value"], row["documents"]) for row in rows] == [("b", 3), ("a", 2), (None, 2), ("z", 1), ("é", 1)]
    assert rows[0] == {"value": "b", "documents": 3, "kept": 2, "selected": 2, "tokens": 13, "kept_tokens": 12}
    shares = queries.group_counts(scene, "share")
    said = facts.query("SELECT DISTINCT share::VARCHAR AS value FROM facts").column("value").to_pylist()
    assert set(shares.table["value"].to_pylist()) == set(said)
    assert shares.distinct == 6 and shares.table["documents"].to_pylist() == [3, 2, 1, 1, 1, 1]


@given(st.integers(0, 60), st.integers(0, 3), st.sampled_from(["all", "selected", "kept", "dropped"]))
def test_sample_is_the_first_rows_of_a_part_in_hash_order(n: int, seed: int, which: Which) -> None:
    rows = np.flatnonzero(SCENE.mask(which))
    keys = mix_keys(FACTS.keys[rows], seed=seed, salt="sample")
    assert (
        queries.sample_rows(SCENE, which=which, n=n, seed=seed).tolist() == rows[np.lexsort((rows, keys))][:n].tolist()
    )


def test_cluster_table_counts_what_a_loop_over_the_documents_counts() -> None:
    table = queries.cluster_table(SCENE).to_pylist()
    clusters, facts = SCENE.facts.array("cluster").to_pylist(), SCENE.facts
    assert [row["cluster"] for row in table] == sorted(set(clusters))
    for row in table:
        inside = np.array([cluster == row["cluster"] for cluster in clusters])
        assert row["documents"] == inside.sum()
        assert row["kept"] == (inside & SCENE.kept).sum()
        assert row["selected"] == (inside & SCENE.selected).sum()
        assert row["tokens"] == facts.whole("n_tokens")[inside].sum()
        assert row["x"] == pytest.approx(facts.numbers("x")[inside].mean(), abs=1e-6)
    other = queries.cluster_table(Scene(SCENE.facts)).to_pylist()
    assert [row["documents"] for row in other] == [row["documents"] for row in table]
    assert not any(row["selected"] for row in other) and any(row["selected"] for row in table)


def test_attribution_is_that_of_plain_python_document_by_document() -> None:
    words, langs = FACTS.array("n_words").to_pylist(), FACTS.array("lang").to_pylist()
    rules = [{"signal_range": count is not None and count < 60, "language": lang not in ("en", "de")}
             for count, lang in zip(words, langs, strict=True)]  # fmt: skip
    left = [row for row, fails in enumerate(rules) if not any(fails.values())]
    groups = FACTS.array("norm_group").to_pylist()
    seen = [groups[row] for row in left if groups[row] >= 0]
    expected = [
        {"step": "signal-range", "operator": "signal_range"},
        {"step": "language", "operator": "language"},
        {"step": "exact-dedup", "operator": "exact_dedup"},
    ]
    for place, row in enumerate(expected[:2]):
        own, other = row["operator"], expected[1 - place]["operator"]
        row["first"] = sum(fails[own] and not (place and fails[other]) for fails in rules)
        row["any"] = sum(fails[own] for fails in rules)
        row["only"] = sum(fails[own] and not fails[other] for fails in rules)
    expected[2] |= {"first": len(seen) - len(set(seen)), "any": None, "only": None}
    assert queries.attribution(SCENE.outcome, FACTS).to_pylist() == expected
    assert 0 < expected[0]["only"] < expected[0]["any"] and expected[2]["first"] > 0


def test_dropped_by_group_adds_up() -> None:
    table = queries.dropped_by_group(SCENE, "source")
    assert sum(table.column("documents").to_pylist()) == np.count_nonzero(~SCENE.kept)


def test_cut_and_sweep_agree() -> None:
    swept = queries.sweep(SCENE, "n_words", side="min", points=20)
    for place in (0, 5, 19):
        rule = OPERATORS.build("signal_range", {"signal": "n_words", "min": float(swept.thresholds[place])})
        one = queries.cut(SCENE, rule)
        assert (one.documents, one.tokens) == (swept.documents[place], swept.tokens[place])
    above = queries.sweep(SCENE, "mean_word_length", side="max", points=7)
    rule = OPERATORS.build("signal_range", {"signal": "mean_word_length", "max": float(above.thresholds[3])})
    assert queries.cut(SCENE, rule).documents == above.documents[3]


def test_density_counts_every_document() -> None:
    found = queries.density(SCENE, width=16, height=9)
    assert found.counts.sum() + found.outside == FACTS.n
    assert found.counts.shape == (9, 16)
    assert queries.density(SCENE, which="kept").counts.sum() == SCENE.kept.sum()


def test_map_points_come_back_within_one_grid_cell() -> None:
    points = queries.map_points(FACTS)
    pairs = np.frombuffer(points.data, dtype="<u2").reshape(-1, 2).astype(float)
    x = points.bounds.low_x + pairs[:, 0] / 65_535 * (points.bounds.high_x - points.bounds.low_x)
    assert np.abs(x - FACTS.numbers("x")).max() <= (points.bounds.high_x - points.bounds.low_x) / 65_535
    assert len(points.data) == 4 * FACTS.n


@pytest.mark.parametrize("column", ["source", "cluster", "n_words", "kept", "selected"])
def test_map_groups_agree_with_their_legend(column: str) -> None:
    groups = queries.map_groups(SCENE, column)
    tally = np.bincount(np.frombuffer(groups.data, dtype=np.uint8), minlength=256)
    assert {item.code: item.documents for item in groups.legend} == {
        code: count for code, count in enumerate(tally.tolist()) if count or code in {i.code for i in groups.legend}
    }


def test_page_is_sorted_complete_and_filtered() -> None:
    first = queries.documents_page(SCENE, columns=["id", "n_words"], sort="n_words", descending=True, limit=7)
    second = queries.documents_page(
        SCENE, columns=["id", "n_words"], sort="n_words", descending=True, limit=7, offset=7
    )
    words = [*first.table.column("n_words").to_pylist(), *second.table.column("n_words").to_pylist()]
    assert words == sorted(FACTS.numbers("n_words"), reverse=True)[:14]
    dropped = queries.documents_page(SCENE, columns=["id"], which="dropped", step="language")
    assert dropped.total == len(SCENE.outcome.dropped_by("language"))
    some = queries.documents_page(SCENE, columns=["lang"], where="lang = 'en' and n_words > 100")
    assert some.total == np.count_nonzero(
        (np.array(FACTS.array("lang").to_pylist()) == "en") & (FACTS.numbers("n_words") > 100)
    )


def test_page_refuses_what_it_cannot_answer() -> None:
    with pytest.raises(RecipeError, match="Unknown column"):
        queries.documents_page(SCENE, columns=["nothing"])
    with pytest.raises(RecipeError, match="cannot be evaluated"):
        queries.documents_page(SCENE, columns=["id"], where="lang > 5")
    with pytest.raises(RecipeError, match="limits"):
        queries.documents_page(SCENE, columns=["id"], limit=5_000)


def test_sample_is_the_same_every_time_and_from_the_right_side() -> None:
    rows = queries.sample_rows(SCENE, which="dropped", n=10, seed=4)
    assert rows.tolist() == queries.sample_rows(SCENE, which="dropped", n=10, seed=4).tolist()
    assert not SCENE.kept[rows].any()
    assert rows.tolist() != queries.sample_rows(SCENE, which="dropped", n=10, seed=5).tolist()
    assert queries.sample_rows(SCENE, which="dropped", n=5, seed=4).tolist() == rows[:5].tolist()


def test_every_document_learns_why() -> None:
    for row in queries.sample_rows(SCENE, n=40):
        verdicts = queries.why(SCENE.outcome, FACTS, int(row))
        failed = [verdict.step for verdict in verdicts if verdict.passed is False]
        number = SCENE.outcome.deciding[row]
        assert (not failed) if number == 0 else failed[0] == SCENE.outcome.steps[number - 1].id


def test_polygon_rule_holds_exactly_the_rows_inside() -> None:
    stored: list[list[str]] = []

    def put(ids: pa.Array) -> str:
        stored.append(sorted(ids.to_pylist()))
        return "c" * 64

    square = [(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)]
    rule = queries.polygon_rule(FACTS, square, put)
    x, y = FACTS.numbers("x"), FACTS.numbers("y")
    inside = np.flatnonzero((np.abs(x) < 4) & (np.abs(y) < 4))
    assert stored[0] == [FACTS.ids[int(row)].as_py() for row in inside]
    assert rule.documents == len(inside)
    assert rule.map == queries.map_digest(FACTS)


@pytest.mark.parametrize("mode", ["keep", "drop"])
@pytest.mark.parametrize("parts", [1, 2])
def test_what_is_selected_is_what_the_saved_rule_keeps_or_drops(mode: str, parts: int) -> None:
    selection = (OPERATORS.build("signal_range", {"signal": "symbol_word_ratio", "max": 0.5}), *SELECTION)[:parts]
    scene = Scene.build(FACTS, GivenEvidence(), selection=selection)
    recipe = Recipe()
    for rule in queries.selection_rules(selection, mode=mode):
        recipe = recipe.with_operator(rule)
    kept = Scene.build(FACTS, GivenEvidence(), recipe=Recipe.from_yaml(recipe.to_yaml())).kept
    assert np.array_equal(kept, scene.selected if mode == "keep" else ~scene.selected)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("tokens", "n_tokens"),
        ("N_TOKENS", "n_tokens"),
        ("Copies", "norm_count"),
        ("langs", "lang"),
        ("year", "meta_year"),
    ],
)
def test_a_wrong_column_of_a_condition_is_refused_with_the_nearest_there_is(typed: str, meant: str) -> None:
    condition = OPERATORS.build("sql_predicate", {"predicate": f"{typed} > 50"})
    with pytest.raises(RecipeError, match=rf"No column {typed}; did you mean {meant}\?"):
        Scene.build(FACTS, GivenEvidence(), selection=(condition,))
    with pytest.raises(RecipeError, match=rf"does not have: got '{typed}'.*did you mean {meant}\?$"):
        Scene.build(FACTS, GivenEvidence(), recipe=Recipe().with_operator(condition))
    with pytest.raises(RecipeError, match=rf"Unknown column.*did you mean {meant}\?$"):
        FACTS.info(typed)


def test_a_condition_that_cannot_be_answered_makes_no_scene() -> None:
    for text in ("lang > 50", "nothing_like_it > 50"):
        condition = OPERATORS.build("sql_predicate", {"predicate": text})
        with pytest.raises(RecipeError, match=r"cannot be evaluated|No column nothing_like_it"):
            Scene.build(FACTS, GivenEvidence(), selection=(condition,))


@pytest.mark.parametrize("column", ["source", "n_words", "kept"])
def test_a_polygon_holds_none_of_the_hidden_groups(column: str) -> None:
    groups = queries.map_groups(SCENE, column)
    hidden = [item.code for item in groups.legend[:1]]
    square = [(-100.0, -100.0), (100.0, -100.0), (100.0, 100.0), (-100.0, 100.0)]
    kept: list[str] = []

    def put(ids: pa.Array) -> str:
        kept.extend(ids.to_pylist())
        return "0" * 64

    rule = queries.polygon_rule(FACTS, square, put, shown=queries.shown_rows(groups, hidden))
    codes = np.frombuffer(groups.data, dtype=np.uint8)
    inside = queries.polygon_rows(FACTS, square)
    assert kept == FACTS.ids.take(pa.array(inside[codes[inside] != hidden[0]])).to_pylist()
    assert 0 < rule.documents == len(kept) < len(inside)
    with pytest.raises(RecipeError, match="shown"):
        queries.polygon_rule(FACTS, square, put, shown=np.zeros(FACTS.n, dtype=bool))

"""What the pages show: axes that keep their values, findings that become rules, errors that stay short, one theme."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from synthetic import synthetic_facts

from tamis.analytics.effect.charts import spark
from tamis.analytics.effect.label_probe import ProbeCurve, ProbePoint
from tamis.analytics.effect.verdict import Difference
from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo, describe, distinct_titles
from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.operators.selection import condition_in_words
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.signal import SIGNALS
from tamis.analytics.study import queries
from tamis.analytics.study.evidence import GivenEvidence
from tamis.analytics.study.issues import find_issues, remedy
from tamis.analytics.study.queries import Scene
from tamis.app.dashboard.look import format_distinct
from tamis.app.dashboard.page_context import brief, plain
from tamis.app.dashboard.session import SharedView
from tamis.app.figures.clusters import fineness_figure, share_marks
from tamis.app.figures.effect import probe_figure
from tamis.app.figures.figures import (
    TREEMAP_MOST,
    axis_place,
    histogram_figure,
    round_values,
    treemap_figure,
)
from tamis.app.server.server import SCRIPT
from tamis.data.errors import RecipeError

ROOT = Path(__file__).parents[2]
FACTS = synthetic_facts(3_000, seed=3)
SCENE = Scene.build(FACTS, GivenEvidence(), recipe=Recipe())


@pytest.mark.parametrize(
    ("largest", "marks"),
    [(1.0, [0, 0.25, 0.5, 0.75, 1]), (0.62, [0, 0.25, 0.5, 0.75, 1]), (0.09, [0, 0.025, 0.05, 0.075, 0.1])],
)
def test_the_axis_of_what_is_in_no_cluster_has_round_marks_from_0_and_ends_at_all(
    largest: float, marks: list[float]
) -> None:
    sweep = [{"min_cluster_size": size, "clusters": 0, "unclustered": largest, "largest": 0.0} for size in (5, 10)]
    axis = fineness_figure(sweep, chosen=10).layout.yaxis2
    assert list(axis.tickvals) == marks and axis.range[1] < 1.05 * marks[-1]


@given(st.floats(0, 1))
def test_marks_of_shares_reach_every_share_and_no_further_than_five_steps(top: float) -> None:
    marks = share_marks(top)
    assert marks[0] == 0 and top <= marks[-1] <= 1 and len(marks) == 5
    assert len({f"{100 * mark:.3g}" for mark in marks}) == 5


def test_a_flat_probe_has_an_axis_from_0_to_1() -> None:
    flat = Difference("macro-F1", "random", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3, False, "a proxy")
    points = tuple(ProbePoint(fraction, 10, (0.0, 0.0), (0.0, 0.0), 0.0, 0.0) for fraction in (0.1, 1.0))
    axis = probe_figure(ProbeCurve("label", 2, 10, 0.5, points, flat, False)).layout.yaxis
    assert (axis.minallowed, axis.maxallowed, axis.rangemode) == (0, 1, "tozero")


@pytest.mark.parametrize("column", ["n_words", "norm_count", "mean_word_length"])
def test_a_logarithmic_histogram_places_every_document_once(column: str) -> None:
    found = queries.histogram(SCENE, column, bins=25, scale="log")
    values = FACTS.numbers(column)
    expected, _ = np.histogram(values[~np.isnan(values)], bins=found.edges)
    assert found.scale == "log"
    assert found.all.tolist() == expected.tolist()
    assert found.all.sum() + found.below + found.above + found.missing == FACTS.n


def test_negative_values_have_no_logarithmic_histogram() -> None:
    with pytest.raises(RecipeError, match="negative"):
        queries.histogram(SCENE, "n_words", low=-5.0, high=10.0, scale="log")


def test_the_median_is_a_value_of_the_column() -> None:
    values = np.sort(FACTS.numbers("n_words"))
    assert queries.extent(FACTS, "n_words").median == values[(len(values) - 1) // 2]


@given(st.floats(0, 1e9), st.sampled_from(["linear", "log"]))
def test_an_axis_is_even_in_the_value_or_in_the_logarithm_of_one_more(value: float, scale: str) -> None:
    place = float(axis_place(np.asarray([value]), scale)[0])
    assert (np.expm1(place) if scale == "log" else place) == pytest.approx(value, rel=1e-9, abs=1e-9)


@given(st.floats(0, 1e6), st.floats(1, 1e6))
def test_labels_of_the_axis_lie_within_it(low: float, width: float) -> None:
    marks = round_values(low, low + width)
    assert ((marks >= low) & (marks <= low + width)).all()
    assert (np.diff(marks) > 0).all()


def test_a_cut_stands_at_its_value_on_a_logarithmic_axis() -> None:
    found = queries.histogram(SCENE, "n_words", scale="log")
    figure = histogram_figure(found, title="Words", unit="words", height=200)
    assert list(figure.layout.xaxis.range) == pytest.approx(np.log1p(found.edges[[0, -1]]).tolist())


def test_a_small_histogram_draws_every_bin_that_holds_documents() -> None:
    assert spark([3, 0, 1], [0, 2, 0]).count("<rect") == 3


def test_every_finding_can_be_dropped_and_drops_as_many_as_it_shows() -> None:
    for issue in find_issues(SCENE):
        better = remedy(issue.rules)
        steps = [better] if better is not None else list(queries.selection_rules(issue.rules, mode="drop"))
        recipe = Recipe()
        for step in steps:
            recipe = recipe.with_operator(step)
        outcome = Scene.build(FACTS, GivenEvidence(), recipe=recipe).outcome
        assert outcome is not None
        assert outcome.input.documents - outcome.output.documents == issue.documents, issue.name


def test_a_condition_is_said_without_the_verb_of_a_rule() -> None:
    params = {"signal": "n_words", "min": 5}
    kept, dropped = (OPERATORS.build("signal_range", {**params, "mode": mode}) for mode in ("keep", "drop"))
    assert isinstance(kept, RowOperator)
    assert isinstance(dropped, RowOperator)
    assert condition_in_words(kept).startswith("with n_words")
    assert condition_in_words(dropped).startswith("not with n_words")


def test_a_long_list_of_what_is_allowed_is_left_out() -> None:
    error = RecipeError("Unknown column", value="x", allowed=[f"column_{k}" for k in range(99)], fix="choose another")
    assert brief(error) == "Unknown column: got 'x'. choose another."
    short = RecipeError("Unknown side", value="x", allowed=("min", "max"))
    assert brief(short) == str(short)


def test_streamlit_run_and_tamis_serve_read_the_same_settings() -> None:
    shipped = (ROOT / "app" / "streamlit.toml").read_text("utf-8")
    assert (ROOT / ".streamlit" / "config.toml").read_text("utf-8") == shipped


def test_a_treemap_of_many_clusters_joins_the_smallest_and_loses_no_document() -> None:
    rows = [
        {"cluster": k, "name": f"c{k}", "category": k % 3, "category_name": f"k{k % 3}", "documents": 5 + k, "kept": k}
        for k in range(TREEMAP_MOST + 50)
    ]
    tiles = treemap_figure(rows, height=300).data[0]
    leaves = [value for name, value in zip(tiles.ids, tiles.values, strict=True) if name.startswith("c")]
    assert len(leaves) == TREEMAP_MOST + 3 and sum(leaves) == sum(row["documents"] for row in rows) == tiles.values[0]
    assert sum("smaller" in label for label in tiles.labels) == 3


def test_no_two_signals_and_no_column_of_every_corpus_share_a_title() -> None:
    titles = [info.title.casefold() for info in COLUMNS]
    assert len(titles) > len(SIGNALS) > 100
    assert sorted(titles) == sorted(set(titles))


def test_columns_of_one_title_are_told_apart_by_their_names() -> None:
    columns = [
        describe("n_tokens", pa.int32()),
        ColumnInfo("meta_tokens", "integer", title="tokens"),
        ColumnInfo("meta_year", "integer", title="Year"),
    ]
    assert distinct_titles(columns) == {
        "n_tokens": "Tokens · n_tokens",
        "meta_tokens": "tokens · meta_tokens",
        "meta_year": "Year",
    }


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), unique=True))
def test_different_numbers_read_differently(numbers: list[float]) -> None:
    assert len(set(format_distinct(numbers))) == len(numbers)
    assert [float(text) for text in format_distinct([2001.0, 2001.25, 2001.5])] == [2001.0, 2001.2, 2001.5]


@pytest.mark.parametrize("stored", [{}, [], "text", {"selection": []}, {"selection": [], "recipe": {}, "more": 1}])
def test_what_is_not_a_view_is_refused_as_one(stored: object) -> None:
    with pytest.raises(RecipeError, match="not a view"):
        SharedView.from_value(stored)  # type: ignore[arg-type]


def test_streamlit_finds_no_pages_of_its_own_beside_the_script() -> None:
    # It would run a file of such a folder for the first address that somebody opens, and show nothing.
    assert SCRIPT.is_file() and not (SCRIPT.parent / "pages").exists()


_LINKS = re.compile(r"(https?://|www(?=\.))[-.\w]+|[-.\w+]+@[-\w]+(?:\.[-\w]+)+", re.IGNORECASE)
"""What GitHub's Markdown takes for an address, in text whose escapes are taken out."""


@given(
    st.lists(st.sampled_from(["http", "HTTPS", "://", "www", ".", "a", "-", "@", " ", "b.org", "\\", "/"]), max_size=12)
)
@example(["HTTPS", "://", "a", ".", "b.org"])
@example(["a", "@", "b.org"])
def test_no_address_in_a_text_becomes_a_link_in_a_label(parts: list[str]) -> None:
    label = re.sub(r"\\(.)", r"\1", plain("".join(parts)))
    assert not _LINKS.search(label)
    assert label.replace("\u2060", "") == "".join(parts)

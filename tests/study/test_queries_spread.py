"""A number within the groups of a category: percentiles as numpy counts them, and cuts per group as rules."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from synthetic import synthetic_facts

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.plan import row_masks
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.evidence import GivenEvidence
from tamis.analytics.study.numbers import SHARES, spread
from tamis.analytics.study.scene import Scene
from tamis.app.figures.spread import spread_figure
from tamis.data.errors import RecipeError

FACTS = synthetic_facts(4_000)
RULE = OPERATORS.build("signal_range", {"signal": "n_words", "min": 90})
RECIPE = Recipe(title="r").with_operator(OPERATORS.build("signal_range", {"signal": "mean_word_length", "max": 5.2}))


def _scene() -> Scene:
    return Scene.build(FACTS, GivenEvidence(), recipe=RECIPE)


@pytest.mark.parametrize("by", ["lang", "source", "label"])
def test_percentiles_and_drops_are_those_of_the_documents_of_each_group(by: str) -> None:
    scene = _scene()
    found = spread(scene, "n_words", by, rule=RULE, limit=500)  # type: ignore[arg-type]
    groups = np.array([value or "" for value in FACTS.array(by).cast(pa.string()).to_pylist()])
    values, kept = FACTS.numbers("n_words"), scene.kept
    passes = row_masks(FACTS, [RULE])[0]  # type: ignore[list-item]
    rows = found.table.to_pylist()
    assert {row["value"] for row in rows} == set(groups.tolist()) and found.groups == len(rows)
    assert [row["documents"] for row in rows] == sorted((row["documents"] for row in rows), reverse=True)
    for row in rows:
        mine = groups == row["value"]
        known = values[mine & ~np.isnan(values)]
        assert row["documents"] == mine.sum() and row["known"] == len(known)
        assert row["dropped"] == (mine & ~kept).sum() and row["tried"] == (mine & ~passes).sum()
        for share in SHARES:
            expected = np.quantile(known, share, method="inverted_cdf") if len(known) else None
            assert row[f"p{round(100 * share)}"] == expected


def test_the_figure_shows_the_largest_groups_first_and_escapes_their_names() -> None:
    found = spread(_scene(), "n_words", "source")
    figure = spread_figure(found, title="Words", unit="words", scale="log")
    shown = figure.layout.yaxis.ticktext
    assert len(shown) == min(18, found.groups) and figure.layout.yaxis.autorange == "reversed"
    medians = np.expm1(np.asarray(figure.data[2].x))
    assert np.allclose(medians, [row["p50"] for row in found.table.slice(0, len(shown)).to_pylist()])


def test_wrong_columns_are_refused() -> None:
    with pytest.raises(RecipeError, match="number and a category"):
        spread(_scene(), "lang", "source")
    with pytest.raises(RecipeError, match="number and a category"):
        spread(_scene(), "n_words", "mean_word_length")
    with pytest.raises(RecipeError, match="Number of groups"):
        spread(_scene(), "n_words", "lang", limit=0)

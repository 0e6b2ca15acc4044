"""A rule on what is not measured yet is refused in words, not as an unknown column."""

from __future__ import annotations

from pathlib import Path

import pytest
from docstrings import docstrings, write_corpus

from tamis.analytics.operators.rows import SignalRange
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.app.dashboard.open_corpus import open_so_far
from tamis.data.errors import RecipeError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


def test_rules_say_what_they_wait_for(tmp_path: Path) -> None:
    corpus, workspace = open_corpus(write_corpus(tmp_path / "corpus", docstrings(("json",)))), Workspace(tmp_path)
    assert open_so_far(workspace, "corpus", corpus) is None
    steps = {step.name: step for step in analysis_steps(corpus, workspace)}
    analyze(corpus, workspace, steps=[steps["documents"], steps["columns"]])
    opened = open_so_far(workspace, "corpus", corpus)
    assert opened is not None and {"signals", "map", "facts"} <= opened.missing
    assert not {"documents", "columns"} & opened.missing

    short, tokens = SignalRange(signal="bytes", min=10), SignalRange(signal="n_tokens", min=10)
    opened.require_measured(Recipe().with_operator(short), [short])
    with pytest.raises(RecipeError, match=f"Not measured yet.*{steps['tokens'].title}"):
        opened.require_measured(Recipe(), [short, tokens])
    with pytest.raises(RecipeError, match="Not measured yet"):
        opened.require_measured(Recipe().with_operator(tokens))
    assert opened.unmeasured(Recipe(), [SignalRange(signal="no_such_column", min=1)]) == frozenset()

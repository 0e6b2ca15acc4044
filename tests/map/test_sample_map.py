"""The map of a sample is drawn for the same documents from any files, changes nothing else, and says how it moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from docstrings import docstrings, write_corpus
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.map import sample_map
from tamis.analytics.map.options import MapOptions
from tamis.analytics.map.sample_map import SAMPLE_MAP, displacement, drawn_rows, find_displacement, sample_map_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.pipeline import analyze, plan_steps
from tamis.analytics.study import standard_analysis
from tamis.analytics.study.standard_analysis import analysis_steps, steps_on_screen
from tamis.app.dashboard.open_corpus import open_so_far
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

FAST = MapOptions(tier="fast")


def test_the_same_documents_lie_at_the_same_places_for_any_files(tmp_path: Path) -> None:
    table, found = docstrings(("json", "email")), []
    for name, files, seed in (("one", 1, None), ("many", 3, 7)):
        corpus = open_corpus(write_corpus(tmp_path / name, table, files=files, seed=seed))
        made = analyze(
            corpus, Workspace(tmp_path / f"{name}-home"), steps=[documents_step(), sample_map_step(documents=60)]
        )
        places = np.column_stack([made.artifacts[SAMPLE_MAP].array(axis) for axis in "xy"])
        rows = drawn_rows(made.documents, 60, seed=0)
        assert len(rows) == 60 and set(np.flatnonzero(np.isfinite(places[:, 0]))) <= set(rows.tolist())
        assert np.isfinite(places[rows]).mean() > 0.9
        found.append((made.documents.ids, places))
    assert found[0][0].equals(found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_a_large_corpus_is_first_shown_by_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, workspace = open_corpus(write_corpus(tmp_path / "corpus", docstrings(("json",)))), Workspace(tmp_path)
    small = steps_on_screen(corpus, workspace, options=FAST)
    assert [step.name for step in small] == [step.name for step in analysis_steps(corpus, workspace, options=FAST)]

    monkeypatch.setattr(standard_analysis, "FROM", 10)
    plan = plan_steps(corpus, workspace, steps_on_screen(corpus, workspace, options=FAST))
    plain = plan_steps(corpus, workspace, analysis_steps(corpus, workspace, options=FAST))
    keys = {step.spec.name: step.key.digest for step in plan}
    assert {name for name in keys if name not in {step.spec.name for step in plain}} == {SAMPLE_MAP}
    assert all(keys[step.spec.name] == step.key.digest for step in plain), "no other artifact depends on it"

    steps = {step.name: step for step in steps_on_screen(corpus, workspace)}
    analyze(corpus, workspace, steps=[steps["documents"], steps[SAMPLE_MAP]])
    opened = open_so_far(workspace, "corpus", corpus)
    assert opened is not None and {"x", "y"} <= opened.facts.columns.keys() and "map" in opened.missing
    assert opened.facts.info("x").origin == opened.analysis.artifacts[SAMPLE_MAP].digest


def test_displacement_tells_a_turn_from_another_form() -> None:
    random = np.random.default_rng(0)
    before = random.normal(size=(500, 2)).astype(np.float32)
    before[7] = np.nan
    assert displacement(before, before).median == 0.0
    turn = np.array([[0.0, -1.0], [1.0, 0.0]], dtype=np.float32)
    turned = displacement(before, 2 * before @ turn + 3)
    assert turned.documents == 499 and turned.median > 0.1 and turned.turned == pytest.approx(0.0, abs=1e-6)
    other = displacement(before, random.normal(size=(500, 2)).astype(np.float32))
    assert other.turned > 0.1


@given(st.floats(0.01, 100), st.floats(-50, 50))
def test_displacement_is_a_share_of_the_width(scale: float, shift: float) -> None:
    before = np.random.default_rng(1).normal(size=(200, 2))
    after = before + np.array([0.5, 0.0])
    plain = displacement(before.astype(np.float32), after.astype(np.float32))
    other = displacement((scale * before + shift).astype(np.float32), (scale * after + shift).astype(np.float32))
    assert other.median == pytest.approx(plain.median, rel=0.05)


def test_the_displacement_of_a_sample_is_found_again(tmp_path: Path) -> None:
    corpus, workspace = open_corpus(write_corpus(tmp_path / "corpus", docstrings(("json",)))), Workspace(tmp_path)
    steps = analysis_steps(corpus, workspace, options=FAST)
    names = ("documents", "embeddings", "knn", "map")
    made = analyze(corpus, workspace, steps=[each for each in steps if each.name in names]).artifacts
    maps = made["documents"], made["map"]
    assert find_displacement(corpus, workspace.store, *maps) is None
    analyze(corpus, workspace, steps=[steps[0], sample_map_step()])
    found = find_displacement(corpus, workspace.store, *maps)
    assert found is not None and found.documents > 0
    assert found.median < 0.01, "a sample of everything is laid out like the map of all"


def test_few_documents_have_no_displacement() -> None:
    nowhere = np.full((3, 2), np.nan, dtype=np.float32)
    assert displacement(nowhere, nowhere).documents == 0
    assert sample_map.FROM > sample_map.DOCUMENTS

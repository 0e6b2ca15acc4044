"""Without the model of pictures everything works that needs no vectors, and what needs them says how to get it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from labelled_pictures import write_labelled

from tamis.analytics.embedding.image_model import load_weights
from tamis.analytics.export.run import run_bundle
from tamis.analytics.map.options import MapOptions
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.standard_analysis import analysis_steps, why_unmapped
from tamis.analytics.study.study import Study
from tamis.app.dashboard.open_corpus import notes_of, open_analysed, plan_of
from tamis.data.errors import RecipeError, SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

RECIPE = """schema_version: 1
title: Without vectors
steps:
- {id: sharp, operator: signal_range, params: {signal: sharpness, min: 0.5}}
- {id: same, operator: image_exact_dedup, params: {}}
- {id: alike, operator: image_near_dedup, params: {}}
"""


def _missing(name: str) -> None:
    raise PackageNotFoundError(name)


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Workspace]:
    root = tmp_path_factory.mktemp("without")
    write_labelled(root / "corpus", {"fields": 6, "seas": 5})
    (root / "corpus" / "seas" / "again.png").write_bytes((root / "corpus" / "seas" / "seas-000.png").read_bytes())
    return root / "corpus", Workspace(root / "home")


@pytest.fixture(autouse=True)
def _no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.analytics.embedding.image_model.distribution", _missing)
    monkeypatch.setattr("tamis.analytics.embedding.image_model._converted", lambda models: models / "nothing")
    load_weights.cache_clear()


def test_signals_duplicates_rules_and_runs_need_no_model(without: tuple[Path, Workspace], tmp_path: Path) -> None:
    folder, home = without
    study = Study.open(open_corpus(folder), home)
    assert {"sharpness", "norm_group", "label"} <= set(study.facts.columns)
    assert not {"x", "cluster", "outlier"} & set(study.facts.columns)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    done = run_bundle(tmp_path / "recipe.yaml", folder, tmp_path / "out", workspace=home)
    assert [count.documents for count in done.counts] == [12, 12, 11, 11]


def test_the_analysis_is_complete_and_says_in_a_sentence_what_is_left_out(without: tuple[Path, Workspace]) -> None:
    folder, home = without
    corpus = open_corpus(folder)
    Study.open(corpus, home)
    assert all(step.done for step in plan_of(home, corpus))
    assert "pip install 'tamis[images]'" in why_unmapped(corpus, home)
    assert why_unmapped(corpus, home) in notes_of(home, corpus)
    assert open_analysed(home, "pictures", corpus).unmapped_words == why_unmapped(corpus, home)
    # A model of one's own is no reason to leave anything out.
    assert not why_unmapped(corpus, home, MapOptions(tier="precise", model="FOLDER"))


def test_rules_that_need_vectors_name_the_package(without: tuple[Path, Workspace]) -> None:
    study = Study.open(open_corpus(without[0]), without[1])
    for name, params in (
        ("diverse_sample", {"documents": 3}),
        ("coverage_sample", {"documents": 3, "by": "vectors"}),
        ("semantic_dedup", {"vectors": "analysis"}),
    ):
        with pytest.raises(SettingError, match=r"pip install 'tamis\[images\]'"):
            study.measure(Recipe().with_operator(name, **params))
    with pytest.raises(RecipeError, match=r"pip install 'tamis\[images\]'"):
        study.evaluate(Recipe().with_operator("mixture", by="cluster", alpha=0.5, unit="documents"))


def test_once_the_model_is_there_the_analysis_goes_on(
    without: tuple[Path, Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, home = open_corpus(without[0]), without[1]
    Study.open(corpus, home)
    monkeypatch.undo()
    steps = analysis_steps(corpus, home)
    assert {"embeddings", "map", "clusters"} <= {step.name for step in steps} and not why_unmapped(corpus, home)
    assert {"x", "cluster"} <= set(Study.open(corpus, home).facts.columns)

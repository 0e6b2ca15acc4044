"""The lock of a bundle states the plan of training, verify and diff compare it, and other locks keep their bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from training_corpus import full_recipe, planned, rows_of, study_of, write_rows

from tamis.analytics.export.bundle import Bundle, export_bundle, make_lock
from tamis.analytics.export.diff import diff_bundles
from tamis.analytics.export.lock import BundleLock
from tamis.analytics.export.run import run_bundle, verify_bundle
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("lock")
    return study_of(write_rows(folder / "corpus.parquet", rows_of(200, twins=12)), folder / "home")


@pytest.fixture(scope="module")
def bundle(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    study.measure(full_recipe())
    return export_bundle(tmp_path_factory.mktemp("out") / "bundle", study=study, recipe=full_recipe())


def test_the_lock_states_the_plan_only_where_there_is_one(study: Study, bundle: Bundle) -> None:
    assert bundle.lock is not None and bundle.lock.training == planned(study, full_recipe()).digest
    assert BundleLock.from_json(bundle.lock.to_json()) == bundle.lock
    plain = Recipe().with_operator("signal_range", signal="bytes", min=20)
    lock = make_lock(study, study.evaluate(plain))
    assert lock.training is None and "training" not in json.loads(lock.to_json())


def test_a_run_and_verify_agree_with_the_plan_and_name_another_one(
    study: Study, bundle: Bundle, tmp_path: Path
) -> None:
    run = run_bundle(bundle, study.corpus.path, tmp_path / "run", workspace=study.workspace)
    assert run.agrees is True
    found = verify_bundle(bundle, study.corpus.path, workspace=study.workspace)
    assert found.ok and found.checks[-1].name == "plan of training"
    assert bundle.lock is not None
    other = replace(bundle, lock=replace(bundle.lock, training="0" * 64))
    found = verify_bundle(other, study.corpus.path, workspace=study.workspace)
    assert not found.ok and found.first is not None and found.first.name == "plan of training"
    assert found.sentence.startswith("plan of training differs: expected 0000")


def test_verify_says_why_there_is_no_plan(study: Study, bundle: Bundle) -> None:
    step = next(step for step in bundle.recipe if step.operator.name == "pack")
    gone = bundle.recipe.replaced(step.id, operator=step.operator.model_copy(update={"tokenizer": "not/here"}))
    found = verify_bundle(replace(bundle, recipe=gone), study.corpus.path, workspace=study.workspace)
    assert "no plan: No such tokenizer" in found.checks[-1].found


def test_a_bundle_whose_training_cannot_work_is_not_exported(study: Study, tmp_path: Path) -> None:
    recipe = Recipe().with_operator("pack", special="<|nothing|>")
    with pytest.raises(RecipeError, match="no such special token"):
        export_bundle(tmp_path / "bundle", study=study, recipe=recipe)
    assert not (tmp_path / "bundle").exists()


def test_diff_compares_rules_and_plans(study: Study, bundle: Bundle, tmp_path: Path) -> None:
    changed = full_recipe(length=64)
    after = export_bundle(tmp_path / "after", study=study, recipe=changed)
    found = diff_bundles(bundle, after, study.corpus.path, workspace=study.workspace)
    assert [(rule.step, rule.params) for rule in found.rules] == [("pack", (("length", 128, 64),))]
    assert (found.documents.gained, found.documents.lost) == (0, 0)
    assert found.training == (bundle.lock.training, after.lock.training) and None not in found.training  # type: ignore[union-attr]
    assert found.training[0] != found.training[1]

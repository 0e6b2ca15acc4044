"""Effects measured on an analysed corpus: verdicts, caching, what is set apart, all figures that apply."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from planted_study import planted_study

from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.composition import composition, diversity, largest_cosines, repetition, vendi
from tamis.analytics.effect.evaluation import evaluate_effect, leave_one_out, random_trials
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.result import Effect
from tamis.analytics.effect.scorer_fit import fit_scorer, relevance_operator
from tamis.analytics.effect.target import Target, TargetEntry
from tamis.analytics.effect.verdict import compare, text_error
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.errors import Cancelled, RecipeError, SettingError
from tamis.data.progress import NullProgress

PROTOCOL = Protocol(budget_bytes=60_000, draws=5, holdout_bytes=40_000)
DEDUP = OPERATORS.build("exact_dedup", {})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, TargetEntry]:
    study, target, _ = planted_study(tmp_path_factory.mktemp("planted"))
    return study, target


@pytest.fixture(scope="module")
def bed(made: tuple[Study, TargetEntry]) -> EffectStudy:
    return EffectStudy.open(*made, protocol=PROTOCOL)


def _relevant(bed: EffectStudy, method: str = "classifier", **params: object) -> Recipe:
    assert bed.target is not None
    entry = TargetEntry("sea", bed.target.digest, "", 0, 0)
    rule = relevance_operator(bed.study, bed.target, entry, method, **(params or {"share": 0.08}))
    return Recipe(title=method).with_operator(DEDUP).with_operator(rule)


def test_relevant_recipe_is_better_and_its_opposite_is_worse(bed: EffectStudy) -> None:
    good = evaluate_effect(bed, _relevant(bed))
    assert good.verdict == "better" and good.headline is not None and good.headline.mean < -0.1
    assert {difference.against for difference in good.differences} == {"random", "dedup + random"}
    noise = Recipe().with_operator(OPERATORS.build("category", {"values": ["noise"]}))
    assert evaluate_effect(bed, noise).verdict == "worse"


def test_everything_has_no_measurable_effect(bed: EffectStudy) -> None:
    effect = evaluate_effect(bed, Recipe(title="nothing"))
    assert effect.verdict == "no measurable effect"
    assert effect.documents == bed.study.facts.n
    assert len([trial for trial in effect.trials if trial.name == "recipe"]) == PROTOCOL.draws


def test_effect_is_measured_once_and_read_back_whole(bed: EffectStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = _relevant(bed)
    first = evaluate_effect(bed, recipe)
    monkeypatch.setattr("tamis.analytics.effect.evaluation.measure_effect", None)
    assert evaluate_effect(bed, recipe) == first
    renamed = evaluate_effect(bed, recipe.described(title="another name"))
    assert renamed.title == "another name" and renamed.trials == first.trials
    assert Effect.from_json(first.to_json()) == first


def test_bench_found_again_gives_the_same_draws(bed: EffectStudy) -> None:
    again = EffectStudy.open(
        bed.study, TargetEntry("sea", bed.target.digest if bed.target else "", "", 0, 0), protocol=PROTOCOL
    )
    assert np.array_equal(again.bench.allowed, bed.bench.allowed)
    assert again.bench.cleaning == bed.bench.cleaning
    trials = [random_trials(item, 30_000, deduplicated=True) for item in (bed, again)]
    assert [trial.target for trial in trials[0]] == [trial.target for trial in trials[1]]


def test_all_figures_that_apply_are_there(bed: EffectStudy) -> None:
    effect = evaluate_effect(bed, _relevant(bed))
    assert effect.probe is not None and effect.probe.column == "label"
    assert {item.column for item in effect.compositions} == {"source", "label"}
    shift = {item.group: item for item in effect.compositions[0].shifts}
    assert shift["target"].share_after > 0.9 > 0.3 > shift["target"].share_before
    assert effect.coverage == () and effect.diversity.vendi_recipe is None
    assert effect.repetition.duplicates_left == 0.0
    assert any(item.name == "duplicates" and item.after == 0.0 < item.before for item in effect.issues)
    assert any("no embeddings" in note for note in effect.notes)


def test_without_a_target_there_is_no_verdict(made: tuple[Study, TargetEntry]) -> None:
    effect = evaluate_effect(EffectStudy.open(made[0], protocol=PROTOCOL), Recipe().with_operator(DEDUP))
    assert effect.headline is None and effect.verdict == "no measurable effect"
    assert [item.figure for item in effect.differences] == ["general bits per byte"]
    assert any("no target" in note for note in effect.notes)


def test_recipe_that_keeps_nothing_is_an_error(bed: EffectStudy) -> None:
    nobody = Recipe().with_operator(OPERATORS.build("sql_predicate", {"predicate": "bytes < 0", "missing": "drop"}))
    with pytest.raises(RecipeError, match="keeps no document"):
        evaluate_effect(bed, nobody)


def test_measurement_can_be_cancelled(bed: EffectStudy) -> None:
    class Stopped(NullProgress):
        def check(self) -> None:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        evaluate_effect(bed, _relevant(bed, share=0.31), progress=Stopped())


def test_attribution_says_which_step_helps(bed: EffectStudy) -> None:
    rows = leave_one_out(bed, _relevant(bed))
    assert [row.step for row in rows] == ["exact-dedup", "target-classifier"]
    assert rows[1].difference.mean > 0.1 and rows[1].verdict == "helps"
    assert rows[0].verdict in ("no measurable effect", "helps")


def test_scorer_is_fitted_once_and_needs_what_it_needs(bed: EffectStudy) -> None:
    assert bed.target is not None
    assert fit_scorer(bed.study, bed.target, "dsir") == fit_scorer(bed.study, bed.target, "dsir")
    with pytest.raises(RecipeError, match="Unknown relevance method"):
        fit_scorer(bed.study, bed.target, "magic")
    with pytest.raises(SettingError, match="needs embeddings"):
        fit_scorer(bed.study, bed.target, "similarity")


def test_scores_agree_with_the_scorer_whatever_the_order_of_rows(bed: EffectStudy) -> None:
    recipe = _relevant(bed, "dsir")
    kept = bed.copies(recipe)
    source = np.array(bed.study.facts.array("source").to_pylist())
    assert (source[kept > 0] == "target").mean() > 0.9


def test_composition_and_repetition_count_copies(bed: EffectStudy) -> None:
    facts = bed.study.facts
    copies = np.zeros(facts.n, dtype=np.int32)
    copies[:10] = 20
    found = repetition(facts, copies)
    assert found.max_copies == 20 and found.warning == "danger" and found.mean_copies == 20.0
    assert found.trained_tokens == 20 * found.tokens > found.effective_tokens
    mix = composition(facts, copies, "source")
    assert sum(item.share_after for item in mix.shifts) == pytest.approx(1.0)
    assert sum(item.kept_documents for item in mix.shifts) == 10
    assert 0 < mix.distance <= 1


def test_diversity_is_descriptive_and_ordered(bed: EffectStudy) -> None:
    same = np.tile(np.eye(1, 8), (50, 1))
    assert vendi(same) == pytest.approx(1.0)
    assert vendi(np.eye(8)) == pytest.approx(8.0)
    one = np.zeros(bed.study.facts.n, dtype=np.int32)
    one[bed.bench.allowed] = 1
    found = diversity(bed.bench, None, one, budget=50_000)
    assert found.compression_recipe == pytest.approx(found.compression_random)
    assert largest_cosines(np.eye(2, 3, dtype=np.float32), np.eye(3)[1:]).tolist() == [0.0, 1.0]


def test_verdicts_need_two_standard_deviations() -> None:
    def verdict(recipe: list[float], other: list[float], error: float = 0.0) -> str:
        return compare("x", "random", recipe, other, lower_is_better=True, text_error=error).verdict

    assert verdict([1.0], [1.1, 1.2, 1.15, 1.12, 1.18]) == "better"
    assert verdict([1.3], [1.1, 1.2, 1.15, 1.12, 1.18]) == "worse"
    assert verdict([1.12], [1.1, 1.2, 1.15, 1.12, 1.18]) == "no measurable effect"
    assert verdict([1.0], [1.1, 1.2, 1.15, 1.12, 1.18], error=0.2) == "no measurable effect"
    assert verdict([1.0, 1.0], [1.0, 1.0]) == "no measurable effect"
    bits = [np.array([8.0, 16.0]), np.array([10.0, 14.0])]
    assert text_error(bits[:1], bits[:1], np.array([4, 8])) == 0.0
    assert text_error(bits[:1], bits[1:], np.array([4, 8])) > 0.0


def test_folder_of_a_study_is_its_own(tmp_path: Path) -> None:
    study, target, pool = planted_study(tmp_path, documents=200, target=60)
    assert study.facts.n == len(pool) == 200
    assert len(Target.open(study.workspace, target.digest)) == 60

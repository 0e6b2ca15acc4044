"""Proxy models on a planted pool: known winners, honest numbers, results that are kept, and bad inputs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest
from planted_study import planted_study

from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.dataset_card import to_card
from tamis.analytics.effect.proxy_effect import measure_proxy
from tamis.analytics.effect.proxy_plan import ProxyPlan
from tamis.analytics.effect.proxy_result import ProxyEffect
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.report import collect_report
from tamis.analytics.effect.report_html import to_html
from tamis.analytics.effect.target import TargetEntry
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError, SettingError

PROTOCOL = Protocol(budget_bytes=60_000, holdout_bytes=40_000)
PLAN = ProxyPlan(tokens=33_000, seeds=2, shares=(0.3,))
CLEAN = Recipe(title="clean").with_operator(OPERATORS.build("category", {"values": ["target"]}))
NOISE = Recipe(title="noise").with_operator(OPERATORS.build("category", {"values": ["noise"]}))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, TargetEntry]:
    study, target, _ = planted_study(tmp_path_factory.mktemp("proxies"))
    return study, target


@pytest.fixture(scope="module")
def bed(made: tuple[Study, TargetEntry]) -> EffectStudy:
    return EffectStudy.open(*made, protocol=PROTOCOL)


@pytest.fixture(scope="module")
def told() -> list[ProxyEffect]:
    return []


@pytest.fixture(scope="module")
def clean(bed: EffectStudy, told: list[ProxyEffect]) -> ProxyEffect:
    return measure_proxy(bed, CLEAN, PLAN, listen=told.append)


def test_the_target_s_own_domain_beats_random_and_everything(clean: ProxyEffect) -> None:
    against = {item.against: item for item in clean.differences if item.figure == "target bits per byte"}
    assert clean.verdict == "better" and set(against) == {"random", "everything"}
    assert against["everything"].mean < 0
    assert clean.speed_up is not None and clean.speed_up.interval.middle > 1.2
    assert clean.data_share is not None and clean.data_share.outcome == "reached"
    assert clean.data_share.interval is not None and clean.data_share.interval.middle < 0.5


def test_noise_loses_and_says_so(bed: EffectStudy) -> None:
    found = measure_proxy(bed, NOISE, replace(PLAN, seeds=1, shares=()))
    assert found.verdict == "worse"
    assert found.speed_up is not None and found.speed_up.interval.middle < 1
    assert found.data_share is not None and found.data_share.outcome == "not reached"
    assert "no share up to" in found.sentences[-1]


def test_all_models_of_a_comparison_read_the_same_bytes_in_the_same_steps(clean: ProxyEffect) -> None:
    read = {curve.tokens for arm in clean.arms for curve in arm.curves}
    assert len(read) == 1 and read.pop()[-1] == clean.tokens
    assert {arm.name for arm in clean.arms} == {"recipe", "random", "everything", "share"}
    assert {tuple(curve.seed for curve in arm.curves) for arm in clean.arms} == {(0, 1)}


def test_a_run_too_short_to_repeat_the_smallest_selection_says_so(clean: ProxyEffect) -> None:
    share = next(arm for arm in clean.arms if arm.name == "share")
    assert (clean.caution == "") == (share.passes >= 1)
    once = tuple(replace(arm, passes=0.5) for arm in clean.arms)
    assert "read only 0.50 times" in replace(clean, arms=once).caution
    assert replace(clean, arms=once, data_share=None).caution == ""


def test_bytes_read_again_are_worth_less(clean: ProxyEffect) -> None:
    arms = {arm.name: arm for arm in clean.arms}
    assert arms["share"].passes > arms["recipe"].passes > arms["everything"].passes
    assert arms["share"].effective < arms["recipe"].effective <= clean.tokens + arms["recipe"].bytes
    assert arms["share"].bytes < arms["share"].effective


def test_curves_grow_while_the_models_train(clean: ProxyEffect, told: list[ProxyEffect]) -> None:
    points = [sum(len(curve.losses) for arm in found.arms for curve in arm.curves) for found in told]
    assert points == sorted(points) and len(set(points)) > 8
    assert not told[0].whole and not told[0].sentences and told[-1] == clean


def test_what_was_trained_once_is_read_back(
    bed: EffectStudy, clean: ProxyEffect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tamis.analytics.effect.proxy_ground.train_proxy", None)
    again = measure_proxy(bed, CLEAN.described(title="another name"), PLAN)
    assert replace(again, title="clean", recipe=clean.recipe) == clean
    assert ProxyEffect.from_json(clean.to_json()) == clean
    assert measure_proxy(bed, CLEAN, replace(PLAN, seeds=1)).arms[0].curves == clean.arms[0].curves[:1]


def test_a_recipe_that_keeps_everything_is_no_better_than_everything(bed: EffectStudy) -> None:
    found = measure_proxy(bed, Recipe(title="all"), replace(PLAN, seeds=1, shares=()))
    arms = {arm.name: arm.curves for arm in found.arms}
    assert arms["recipe"] == arms["everything"] == arms["random"]
    assert found.verdict == "no measurable effect"
    assert found.speed_up is not None and found.speed_up.interval.middle == 1.0


def test_models_need_a_target(made: tuple[Study, TargetEntry]) -> None:
    with pytest.raises(SettingError, match="need a target"):
        measure_proxy(EffectStudy.open(made[0], protocol=PROTOCOL), CLEAN, PLAN)


def test_a_recipe_that_keeps_too_few_bytes_is_an_error(bed: EffectStudy) -> None:
    few = Recipe().with_operator(OPERATORS.build("random_sample", {"count": 1}))
    with pytest.raises(RecipeError, match="too few bytes to train"):
        measure_proxy(bed, few, PLAN)


def test_a_gpu_that_is_absent_is_an_error(bed: EffectStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SettingError, match="no GPU"):
        measure_proxy(bed, CLEAN, replace(PLAN, device="cuda"))


def test_a_report_draws_the_curves_and_says_both_numbers(bed: EffectStudy, clean: ProxyEffect) -> None:
    report = collect_report(bed.study, CLEAN, proxies=[clean], examples=0)
    page, card = to_html(report), to_card(report)
    assert "Learning curves of 0.5M transformers" in page and page.count("<polyline") >= len(clean.arms)
    assert clean.speed_up is not None and clean.data_share is not None
    for number in (clean.speed_up, clean.data_share):
        assert escape(number.sentence) in page and number.sentence.split(":")[0] in card


def test_a_comparison_killed_on_its_way_ends_with_the_same_bytes(clean: ProxyEffect, tmp_path: Path) -> None:
    plan = replace(PLAN, seeds=1, shares=())
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], env=_environment(), check=False)
    assert killed.returncode == -signal.SIGKILL
    study, target, _ = planted_study(tmp_path)
    left = study.workspace.store
    assert any(orphan.kind == "partial" for orphan in left.orphans())
    found = measure_proxy(EffectStudy.open(study, target, protocol=PROTOCOL), CLEAN, plan)
    whole = {arm.name: arm.curves[:1] for arm in clean.arms}
    assert {arm.name: arm.curves for arm in found.arms} == {
        name: whole[name] for name in ("recipe", "random", "everything")
    }


_KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from planted_study import planted_study
from test_proxy_effect import CLEAN, PLAN, PROTOCOL
from tamis.analytics.effect.proxy_effect import measure_proxy
from tamis.analytics.effect.purpose import EffectStudy

def tell(found):
    if any(len(curve.losses) == 5 for arm in found.arms for curve in arm.curves):
        os.kill(os.getpid(), signal.SIGKILL)

study, target, _ = planted_study(Path(sys.argv[1]))
bed = EffectStudy.open(study, target, protocol=PROTOCOL)
measure_proxy(bed, CLEAN, replace(PLAN, seeds=1, shares=()), listen=tell)
"""


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])}


def test_scored_texts_are_of_the_unseen_half(bed: EffectStudy, clean: ProxyEffect, tmp_path: Path) -> None:
    assert bed.target is not None
    assert clean.scored_texts <= len(bed.bench.scored) and clean.scored_bytes <= PLAN.scored_bytes
    assert np.isfinite([item.mean for item in clean.differences]).all()

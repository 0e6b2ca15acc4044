"""Successive halving: it finds the planted winner, lists and explains every trial, and never reads the verdict half."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_study import planted_study

from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.curation import PLAINEST, Curation, choices, groups_column, start_ways
from tamis.analytics.effect.evaluation import evaluate_effect
from tamis.analytics.effect.halving import HalvingResult, SearchPlan, search_recipe
from tamis.analytics.effect.proxy_effect import Arm, ProxyGround
from tamis.analytics.effect.proxy_text import ordered_reading
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.target import Target, TargetEntry, save_target
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError

PROTOCOL = Protocol(budget_bytes=60_000, draws=2, holdout_bytes=40_000)
PLAN = SearchPlan(25_000, start=10, last="n-gram")
OPTIONS = {
    "rules": ["", "c4", "gopher-quality"],
    "duplicates": ["none", "exact"],
    "method": ["", "dsir", "classifier"],
    "spending": ["best", "sampled", "curve"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, TargetEntry]:
    study, entry, _ = planted_study(tmp_path_factory.mktemp("halving"))
    return study, entry


@pytest.fixture(scope="module")
def found(made: tuple[Study, TargetEntry]) -> HalvingResult:
    return search_recipe(*made, PLAN, protocol=PROTOCOL)


def test_the_recipe_is_better_on_the_half_that_the_search_never_read(
    made: tuple[Study, TargetEntry], found: HalvingResult
) -> None:
    study, entry = made
    bed = EffectStudy.open(study, entry, protocol=PROTOCOL)
    assert evaluate_effect(bed, found.recipe).verdict == "better"
    kept = bed.copies(found.recipe)
    assert 20_000 < int((study.facts.whole("n_tokens") * kept).sum()) <= 25_000


def test_the_search_never_reads_the_verdict_half(made: tuple[Study, TargetEntry], found: HalvingResult) -> None:
    study, entry = made
    seen = Target.open(study.workspace, entry.digest).seen.to_pylist()
    others = Target("", pa.array([f"{n} words about nothing at all" for n in range(400)], pa.large_string()))
    unread = others.texts.filter(pa.array(others.in_test)).to_pylist()
    swapped = save_target(study.workspace, "swapped", [*seen, *unread], origin="test")
    again = search_recipe(study, swapped, PLAN, protocol=PROTOCOL)
    assert again.trials == found.trials and again.way == found.way


def test_a_rung_keeps_its_best_third_and_lists_every_way_with_its_reason(found: HalvingResult) -> None:
    assert [trial.number for trial in found.trials] == list(range(len(found.trials)))
    assert len({trial.way for trial in found.trials if trial.rung == 0}) == PLAN.start
    ways: set[Curation] = set()
    for rung in found.rungs:
        here = [trial for trial in found.trials if trial.rung == rung.number and trial.loss is not None]
        assert len(here) == rung.tried and (not ways or {trial.way for trial in here} == ways)
        ways = {trial.way for trial in here if trial.kept}
        if rung is not found.rungs[-1]:
            stay = sorted(here, key=lambda trial: (trial.loss, trial.way.steps))[: math.ceil(len(here) / PLAN.keep)]
            assert ways == {trial.way for trial in stay} and len(ways) == rung.kept
    assert ways == {found.way}
    assert all(trial.why for trial in found.trials)


def test_a_way_that_selects_what_a_simpler_one_does_is_said_and_not_trained(found: HalvingResult) -> None:
    twins = [trial for trial in found.trials if trial.why.startswith("selects what")]
    assert twins and all(trial.loss is None and not trial.kept for trial in twins)


def test_reasons_name_every_rung_and_every_choice(found: HalvingResult) -> None:
    assert len(found.reasons) == len(found.rungs) + len(PLAINEST)
    score = next(line for line in found.reasons if line.startswith("Score:"))
    assert found.way.said("method") in score and "bits per byte" in score
    assert all(rung.best < rung.random for rung in found.rungs)


def test_a_search_is_repeatable_and_is_kept_as_json(made: tuple[Study, TargetEntry], found: HalvingResult) -> None:
    assert search_recipe(*made, PLAN, protocol=PROTOCOL) == found
    assert HalvingResult.from_json(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises(SettingError, match="not the result of a search"):
        HalvingResult.from_json({"version": 0})


def test_transformers_judge_the_last_ways_and_the_order_of_training(made: tuple[Study, TargetEntry]) -> None:
    plan = SearchPlan(25_000, start=4, last="0.5M", read=33_000, seeds=1)
    result = search_recipe(*made, plan, protocol=PROTOCOL)
    assert [rung.model for rung in result.rungs] == ["n-gram on a quarter", "n-gram", "0.5M", "order, 0.5M"]
    ordered = [trial for trial in result.trials if trial.rung == 3]
    assert [trial.way.order for trial in ordered] == ["", "best last", "short first"]
    assert len({trial.loss for trial in ordered}) == 3
    again = search_recipe(*made, plan, protocol=PROTOCOL)
    assert again == result


def test_an_order_of_training_changes_the_name_of_a_model_and_no_order_leaves_it(
    made: tuple[Study, TargetEntry],
) -> None:
    ground = ProxyGround(EffectStudy.open(*made, protocol=PROTOCOL), PLAN.proxy("0.5M"))
    rows, copies = np.arange(50), np.ones(50, dtype=np.int32)
    plain = Arm("search", 1.0, 0, rows, copies)
    ordered = [Arm("search", 1.0, 0, rows, copies, places) for places in (rows, rows[::-1], rows * 2)]
    keys = [ground.key(arm) for arm in (plain, *ordered)]
    assert "order" not in keys[0].params
    assert len({key.digest for key in keys}) == 3 and keys[1].digest == keys[3].digest


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 3)), min_size=1, max_size=12), st.integers(1, 900))
def test_a_stated_order_is_read_again_and_again_until_there_are_enough_bytes(
    documents: list[tuple[int, int]], tokens: int
) -> None:
    sizes, copies = (np.array(part) for part in zip(*documents, strict=True))
    copies[0] += copies.sum() == 0
    places = np.arange(len(sizes))[::-1]
    order = ordered_reading(sizes, copies.astype(np.int32), places, tokens=tokens)
    once = [k for k in range(len(sizes) - 1, -1, -1) for _ in range(copies[k])]
    assert order.tolist() == (once * len(order))[: len(order)]
    read = np.cumsum(sizes[order] + 1)
    assert read[-1] >= tokens and (len(order) == 1 or read[-2] < tokens)


@given(st.integers(1, 60), st.integers(0, 3))
def test_a_search_starts_from_different_ways_each_choice_tried_alone_first(count: int, seed: int) -> None:
    ways = start_ways(OPTIONS, count=count, seed=seed)
    assert len(ways) == len(set(ways)) == min(count, 42) and ways[0] == Curation()
    alone = [sum(getattr(way, name) != getattr(ways[0], name) for name in PLAINEST) for way in ways]
    assert alone[: min(count, 8)] == [0, *[1] * 7][: min(count, 8)]
    assert all(way.method or way.spending == "best" for way in ways)
    assert ways == start_ways(OPTIONS, count=42, seed=seed)[:count]


def test_a_corpus_offers_what_it_can_measure(made: tuple[Study, TargetEntry]) -> None:
    study, _ = made
    assert groups_column(study) == "source"
    offered = choices(study, by="source", near=True)
    assert offered["method"] == ["", "dsir", "moore_lewis", "classifier"] and "near" in offered["duplicates"]
    assert "fitted mixture" in offered["spending"]
    assert "fitted mixture" not in choices(study, by="", near=False)["spending"]
    with pytest.raises(SettingError, match="No column of this name"):
        choices(study, by="nothing", near=False)


def test_ways_say_what_they_are() -> None:
    way = Curation("gopher-quality", "near", "moore_lewis", "curve", "best last")
    assert way.sentence() == (
        "rule set gopher-quality, near duplicates dropped, relevance by moore lewis, copies by a quality curve, "
        "best last"
    )
    assert way.steps == 5 and Curation(duplicates="none", method="").steps == 0
    assert Curation(method="").sentence() == "exact duplicates dropped, a random draw"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tokens": 0}, "needs a budget"),
        ({"start": 0}, "needs a budget"),
        ({"keep": 1}, "one recipe in so many"),
        ({"last": "3B"}, "Unknown last model"),
        ({"last": "2M", "read": 100}, "Too few tokens"),
    ],
)
def test_a_plan_refuses_what_cannot_be_searched(changed: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        replace(PLAN, **changed)  # type: ignore[arg-type]


def test_a_plan_counts_its_trials() -> None:
    assert SearchPlan(1000).counts == (27, 9, 3) and SearchPlan(1000, last="2M").counts == (27, 9, 3, 1)
    assert SearchPlan(1000, last="n-gram").counts == (27, 9) and SearchPlan(1000, last="n-gram").seconds == 0

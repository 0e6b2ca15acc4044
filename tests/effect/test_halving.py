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
from tamis.analytics.effect.curation import (
    MOST_CHANGES,
    MOST_PLAIN,
    ORDERS,
    OTHERS,
    PLAINEST,
    Curation,
    Ingredients,
    changed_ways,
    choices,
    groups_column,
    plain_ways,
    start_ways,
)
from tamis.analytics.effect.evaluation import evaluate_effect
from tamis.analytics.effect.halving import HalvingResult, search_recipe
from tamis.analytics.effect.halving_plan import SearchPlan
from tamis.analytics.effect.proxy_arm import Arm
from tamis.analytics.effect.proxy_ground import ProxyGround
from tamis.analytics.effect.proxy_plan import ProxyPlan
from tamis.analytics.effect.proxy_text import ordered_reading
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.target import Target, TargetEntry, save_target
from tamis.analytics.effect.verdict import WIDTH
from tamis.analytics.study.standard_analysis import some_steps
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError

PROTOCOL = Protocol(budget_bytes=60_000, draws=2, holdout_bytes=40_000)
PLAN = SearchPlan(25_000, start=10, last="n-gram")
NAMES = ["n-gram on a quarter", "n-gram", "one change, n-gram", "final, n-gram"]
OPTIONS = {
    "rules": ["", "c4", "gopher-quality"],
    "duplicates": ["none", "exact"],
    "method": ["", "dsir", "classifier"],
    "spending": ["best", "sampled", "curve"],
    "amount": ["all", "half", "a quarter"],
}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, TargetEntry]:
    """Return a corpus that no rule set fits."""
    return planted_study(tmp_path_factory.mktemp("halving"))[:2]


@pytest.fixture(scope="module")
def made(bare: tuple[Study, TargetEntry]) -> tuple[Study, TargetEntry]:
    study, entry = bare
    steps = some_steps(study.corpus, study.workspace, ("columns", "signals", "tokens", "exact"))
    return Study.open(study.corpus, study.workspace, steps=steps), entry


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
    assert [rung.model for rung in found.rungs] == NAMES
    before: set[Curation] = set()
    for rung in found.rungs:
        here = [trial for trial in found.trials if trial.rung == rung.number and trial.loss is not None]
        kept = {trial.way for trial in here if trial.kept}
        assert len(here) == rung.tried and before <= {trial.way for trial in here} and len(kept) == rung.kept
        best = sorted(here, key=lambda trial: (trial.loss, trial.way.steps))
        plain = [trial.way for trial in best if not trial.way.method][:1] if rung.number in (1, 2) else []
        if rung is not found.rungs[-1]:
            assert kept == {trial.way for trial in best[: math.ceil(len(here) / PLAN.keep)]} | set(plain)
        before = kept
    assert before == {found.way}
    assert all(trial.why for trial in found.trials)


def test_the_last_model_judges_every_plain_recipe_whatever_a_cheaper_one_says(
    made: tuple[Study, TargetEntry], found: HalvingResult
) -> None:
    plain = plain_ways(choices(made[0], by="source", near=False))
    last = {trial.way: trial for trial in found.trials if trial.rung == 1}
    assert set(plain) <= set(last) and len(plain) > 1
    to_beat = min((last[way] for way in plain if last[way].loss is not None), key=lambda trial: trial.loss or 0.0)
    final = {trial.way: trial for trial in found.trials if trial.rung == 3}
    ours = final[found.way]
    assert to_beat.kept and ours.behind <= WIDTH * ours.error
    assert ours.way == to_beat.way or final[to_beat.way].behind > WIDTH * final[to_beat.way].error
    assert any("plain recipe" in line for line in found.reasons)


def test_ways_one_change_from_the_best_are_tried_on_the_last_model(found: HalvingResult) -> None:
    before = [trial for trial in found.trials if trial.rung == 1]
    best = next(trial for trial in before if trial.why.startswith("1 of"))
    fresh = {trial.way for trial in found.trials if trial.rung == 2} - {trial.way for trial in before}
    assert fresh and all(
        sum(getattr(way, name) != getattr(best.way, name) for name in PLAINEST) == 1 or not way.method for way in fresh
    )


def test_a_way_that_selects_what_a_simpler_one_does_is_said_and_not_trained(found: HalvingResult) -> None:
    twins = [trial for trial in found.trials if trial.why.startswith("selects what")]
    assert twins and all(trial.loss is None and not trial.kept for trial in twins)


def test_reasons_name_every_rung_and_every_choice(found: HalvingResult) -> None:
    assert len(found.reasons) == len(found.rungs) + 2 + len(PLAINEST)
    score = next(line for line in found.reasons if line.startswith("Score:"))
    assert found.way.said("method") in score and "bits per byte" in score
    assert all(rung.best < rung.random for rung in found.rungs)


def test_a_search_is_repeatable_and_is_kept_as_json(made: tuple[Study, TargetEntry], found: HalvingResult) -> None:
    assert search_recipe(*made, PLAN, protocol=PROTOCOL) == found
    assert HalvingResult.from_json(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises(SettingError, match="not the result of a search"):
        HalvingResult.from_json({"version": 0})


def test_transformers_judge_the_last_ways_and_the_order_of_training(bare: tuple[Study, TargetEntry]) -> None:
    plan = SearchPlan(25_000, start=2, keep=9, last="0.5M", read=33_000, seeds=1)
    result = search_recipe(*bare, plan, protocol=PROTOCOL)
    final = next(rung for rung in result.rungs if rung.model == "final, 0.5M")
    last = ["0.5M", "one change, 0.5M", "final, 0.5M", *["tie, n-gram"] * (final.kept > 1), "order, 0.5M"]
    assert [rung.model for rung in result.rungs] == ["n-gram on a quarter", "n-gram", *last]
    assert result.rungs[-1].random == final.random
    ordered = [trial for trial in result.trials if trial.model == "order, 0.5M"]
    orders = ["", *(order for order in ORDERS if result.way.method or order != "best last")]
    assert [trial.way.order for trial in ordered] == orders
    assert len({trial.loss for trial in ordered}) == len(orders)
    again = search_recipe(*bare, plan, protocol=PROTOCOL)
    assert again == result


def test_an_order_of_training_changes_the_name_of_a_model_and_no_order_leaves_it(
    made: tuple[Study, TargetEntry],
) -> None:
    ground = ProxyGround(EffectStudy.open(*made, protocol=PROTOCOL), ProxyPlan("0.5M", 100_000, 1, ()))
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
    # Three rule sets, duplicates left or dropped, and a random draw or two scores spent in three ways and amounts.
    assert len(ways) == len(set(ways)) == min(count, 3 * 2 * (1 + 2 * 3 * 3)) and ways[0] == Curation()
    alone = [sum(getattr(way, name) != getattr(ways[0], name) for name in PLAINEST) for way in ways]
    assert alone[: min(count, 10)] == [0, *[1] * 9][: min(count, 10)]
    assert all(way.method or (way.spending, way.amount) == ("best", "all") for way in ways)
    assert ways == start_ways(OPTIONS, count=114, seed=seed)[:count]


def test_changes_of_a_choice_are_those_with_the_lowest_loss_so_far() -> None:
    options = {**OPTIONS, "rules": ["", "c4", "fineweb", "gopher-quality", "nemo"]}
    losses = {Curation(name, method=""): loss for name, loss in (("nemo", 1.0), ("fineweb", 2.0), ("c4", 3.0))}
    changed = changed_ways(Curation(amount="half"), options, losses)
    assert {way.rules for way in changed} == {"", "nemo", "fineweb"}
    assert {way.method for way in changed} == {"classifier", "dsir", ""} and Curation(method="") in changed
    assert {way.amount for way in changed} == {"all", "half", "a quarter"}
    assert len(changed) == len(set(changed)) <= MOST_CHANGES and Curation(amount="half") not in changed
    # Nothing is spent in another way, or in part, without a score.
    plain = changed_ways(Curation("c4", method=""), options, losses)
    assert all(way.spending == "best" and way.amount == "all" for way in plain)
    assert len({way.method for way in plain} - {""}) == OTHERS


def test_a_budget_of_the_whole_corpus_is_refused(made: tuple[Study, TargetEntry]) -> None:
    have = int(made[0].facts.whole("n_tokens").sum())
    with pytest.raises(SettingError, match=rf"got {have}.*fewer than {have:,} tokens"):
        search_recipe(*made, replace(PLAN, tokens=have), protocol=PROTOCOL)


def test_the_amount_divides_the_budget(made: tuple[Study, TargetEntry]) -> None:
    study, entry = made
    bed = EffectStudy.open(study, entry, protocol=PROTOCOL, search=True)
    assert bed.target is not None
    parts = Ingredients(study, entry, bed.target, 24_000, "", PROTOCOL)
    tokens = study.facts.whole("n_tokens")
    for amount, most in (("all", 24_000), ("half", 12_000), ("a quarter", 6_000)):
        for spending in ("best", "sampled", "curve"):
            spent = int((tokens * bed.copies(parts.build(Curation("", "exact", "dsir", spending, amount)))).sum())  # type: ignore[arg-type]
            assert 0.9 * most < spent <= most


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
    way = Curation("gopher-quality", "near", "moore_lewis", "curve", "half", "best last")
    assert way.sentence() == (
        "rule set gopher-quality, near duplicates dropped, relevance by moore lewis, copies by a quality curve, "
        "half of the budget, best last"
    )
    assert way.steps == 6 and Curation(duplicates="none", method="").steps == 0
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


def test_a_plan_counts_its_trials_at_most() -> None:
    assert SearchPlan(1000).counts == (27, 9, 3 + MOST_PLAIN, 6 + MOST_CHANGES, 7)
    assert SearchPlan(1000, last="2M").counts[:4] == (27, 9, 3, 1 + MOST_PLAIN)
    assert SearchPlan(1000, last="n-gram").counts[:2] == (27, 9 + MOST_PLAIN)
    assert not SearchPlan(1000, last="n-gram").models and SearchPlan(1000, last="n-gram").seconds == 0
    assert SearchPlan(1000, last="2M").models["0.5M"] == 4
    assert SearchPlan(1000).seconds < SearchPlan(1000, seeds=3).seconds < SearchPlan(1000, seeds=3, last="2M").seconds


def test_a_search_measures_no_more_than_its_plan_says(found: HalvingResult) -> None:
    assert all(rung.tried <= most for rung, most in zip(found.rungs, PLAN.counts, strict=True))

"""The picture of a run counts every token once, and a boundary that is tried gives the picture of the run it makes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_examples import evidence
from synthetic import synthetic_facts

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.scene import Scene
from tamis.analytics.training.expand import once
from tamis.analytics.training.picture import (
    NOTHING,
    OTHER,
    draw,
    find_boundary,
    find_phases,
    group_documents,
    try_boundary,
)
from tamis.analytics.training.run_outline import RunOutline, outline_run
from tamis.analytics.training.spread import PARTS, RunProgress
from tamis.data.errors import RecipeError, SettingError

FACTS = synthetic_facts(3_000, threads=1)
SPLIT = ("split", {"validation": 0.05, "test": 0.05, "together": ["same text"]})
PACK = ("pack", {"length": 512})
WARM_UP = ("curriculum", {"order": "warm-up then random", "difficulty": "n_words", "warm_up": 0.2})
BEST_LAST = ("curriculum", {"order": "best last", "difficulty": "n_words", "warm_up": 0.3})
SLICES = ("curriculum", {"order": "interleaved", "difficulty": "n_words", "slices": 5})


def scene(*steps: tuple[str, dict[str, Any]]) -> Scene:
    recipe = Recipe()
    for name, params in steps:
        recipe = recipe.with_operator(OPERATORS.build(name, params))
    return Scene.build(FACTS, evidence(FACTS), recipe=recipe)


def outline(*steps: tuple[str, dict[str, Any]]) -> RunOutline:
    return outline_run(scene(*steps), evidence(FACTS))


items = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=25)


def by_hand(weights: list[int], codes: list[int], groups: list[int], parts: int) -> list[list[Fraction]]:
    """Return tokens by part and code, one document after the other, in fractions."""
    found = [[Fraction(0)] * 3 for _ in range(parts)]
    for group in set(groups):
        own = [place for place, each in enumerate(groups) if each == group]
        total, at = sum(weights[place] for place in own), 0
        for place in own:
            if not weights[place]:
                continue
            low, high = Fraction(at * parts, total), Fraction((at + weights[place]) * parts, total)
            for part in range(parts):
                inside = min(high, Fraction(part + 1)) - max(low, Fraction(part))
                if inside > 0:
                    found[part][codes[place]] += weights[place] * inside / (high - low)
            at += weights[place]
    return found


@given(items=items, parts=st.integers(1, 9))
def test_tokens_are_spread_as_by_hand_document_by_document(items: list[tuple[int, int, int]], parts: int) -> None:
    weights, codes, groups = (list(column) for column in zip(*items, strict=True))
    weight, group = np.array(weights, np.int64), np.array(groups, np.int32)
    totals = np.bincount(group, weights=weight, minlength=2).astype(np.int64)
    code, stream = np.array(codes, np.uint8), once(np.arange(len(weight)))
    progress = RunProgress(weight, weight, group, totals, parts, epochs=1)
    found = progress.spread(stream)
    expected = np.array(by_hand(weights, codes, groups, parts), dtype=np.float64)
    assert found.tokens(weight, code, 3) == pytest.approx(expected, abs=1e-9)
    assert found.epochs[:, 0] == pytest.approx(expected.sum(axis=1), abs=1e-9) and not found.again.any()
    assert found.done.tolist() == totals.tolist()


@given(items=items, parts=st.integers(1, 9), cut=st.integers(0, 25))
def test_two_stretches_of_a_run_lie_where_the_whole_run_has_them(
    items: list[tuple[int, int, int]], parts: int, cut: int
) -> None:
    weights, codes, groups = (np.array(column) for column in zip(*items, strict=True))
    totals = np.bincount(groups, weights=weights, minlength=2).astype(np.int64)
    progress = RunProgress(weights, weights, groups.astype(np.int32), totals, parts, epochs=1)
    whole, code = once(np.arange(len(weights))), codes.astype(np.uint8)
    first = progress.spread(once(whole.row[:cut]))
    second = progress.spread(once(whole.row[cut:]), first.done)
    together = first.tokens(weights, code, 3) + second.tokens(weights, code, 3)
    assert together == pytest.approx(progress.spread(whole).tokens(weights, code, 3), abs=1e-9)


@pytest.mark.parametrize("column", ["source", "lang", "cluster", "n_words", "compression_ratio"])
@pytest.mark.parametrize("batches", [{}, {"size": 8, "mode": "mixture", "by": "lang"}])
def test_a_picture_holds_every_token_of_the_run_once(column: str, batches: dict[str, Any]) -> None:
    run = outline(WARM_UP, SPLIT, ("expand", {"epochs": 2, "order": "recipe order"}), PACK, ("batches", batches))
    found = draw(run, group_documents(run, column))
    assert found.tokens.sum() == pytest.approx(2 * int(run.sizes[run.in_train].sum()))
    assert found.tokens.sum(axis=1) == pytest.approx(
        np.full(len(found.tokens), found.tokens.sum() / len(found.tokens)), rel=1e-9
    )
    assert found.again.sum() == pytest.approx(run.sizes[run.in_train].sum())
    assert found.shares.sum(axis=1) == pytest.approx(np.ones(len(found.tokens)))


def test_groups_are_the_largest_values_of_train_and_one_for_the_rest() -> None:
    run = outline(("category", {"column": "lang", "values": ["de"], "mode": "drop"}), SPLIT, PACK)
    few, many = group_documents(run, "lang"), group_documents(run, "source", most=6)
    assert "de" not in few.labels and OTHER not in few.labels and len(few.labels) == 7
    assert many.labels[-1] == OTHER and len(many.labels) == 6
    sums = draw(run, many).tokens.sum(axis=0)
    assert (np.diff(sums[:-1]) <= 0).all()
    values = np.array(FACTS.array("source").to_pylist())
    assert sums[:-1] == pytest.approx([run.sizes[run.in_train & (values == label)].sum() for label in many.labels[:-1]])


def test_a_number_is_shown_in_parts_of_equal_size_and_one_for_no_value() -> None:
    run = outline(SPLIT, PACK)
    groups = group_documents(run, "compression_ratio")
    sizes = np.bincount(groups.code[run.in_train])
    assert groups.labels[-1] == NOTHING and len(sizes) == 6
    assert sizes[:-1].max() - sizes[:-1].min() <= 2


@pytest.mark.parametrize(
    ("curriculum", "value", "field"), [(WARM_UP, 0.55, "warm_up"), (BEST_LAST, 0.1, "warm_up"), (SLICES, 9, "slices")]
)
@pytest.mark.parametrize(
    "more", [(), (SPLIT, PACK), (SPLIT, PACK, ("batches", {"size": 4, "mode": "mixture", "by": "source"}))]
)
def test_a_boundary_that_is_tried_gives_the_run_that_it_makes(
    curriculum: Any, value: float, field: str, more: Any
) -> None:
    here = scene(curriculum, *more)
    run = outline_run(here, evidence(FACTS))
    assert here.outcome is not None
    phases = find_phases(FACTS, here.outcome)
    assert phases is not None and phases.field == field
    groups = group_documents(run, "source")
    found, boundary = try_boundary(run, phases, phases.tried(value), groups)
    made = draw(outline((curriculum[0], {**curriculum[1], field: value}), *more), groups)
    assert (found.tokens == made.tokens).all() and not (found.tokens == draw(run, groups).tokens).all()
    assert boundary is not None and boundary.value == value and 0 < boundary.at < 1


@pytest.mark.parametrize("order", ["recipe order", "recipe order, then shuffle"])
def test_a_boundary_that_is_tried_keeps_copies_and_later_epochs(order: str) -> None:
    steps = (("upsample", {"signal": "n_words"}), WARM_UP, SPLIT, ("expand", {"epochs": 3, "order": order}), PACK)
    here = scene(*steps)
    run = outline_run(here, evidence(FACTS))
    assert here.outcome is not None
    phases = find_phases(FACTS, here.outcome)
    assert phases is not None
    groups = group_documents(run, "n_words")
    found, now = try_boundary(run, phases, phases.tried(0.4), groups)[0], draw(run, groups)
    try_boundary(run, phases, phases.tried(0.7), groups)
    assert (found.tokens == try_boundary(run, phases, phases.tried(0.4), groups)[0].tokens).all()
    assert found.tokens.sum(axis=0) == pytest.approx(now.tokens.sum(axis=0))
    assert found.again.sum() == pytest.approx(now.again.sum())
    assert found.epoch.tolist() == sorted(found.epoch.tolist()) and set(found.epoch.tolist()) == {0, 1, 2}


@given(value=st.floats(0.01, 0.95))
@settings(max_examples=15)
def test_a_boundary_stands_where_its_phase_ends(value: float) -> None:
    here = scene(WARM_UP, SPLIT, PACK)
    run = outline_run(here, evidence(FACTS))
    assert here.outcome is not None
    phases = find_phases(FACTS, here.outcome)
    assert phases is not None
    operator = phases.tried(value)
    boundary = find_boundary(run, phases, operator)
    assert boundary is not None
    easiest = phases.rows[phases.easy[: operator.part(len(phases.rows))]]
    head, made = (
        np.isin(np.arange(FACTS.n), easiest),
        outline((WARM_UP[0], {**WARM_UP[1], "warm_up": value}), SPLIT, PACK),
    )
    first = head[made.stream.row]
    assert not first[first.argmin() :].any(), "the phase is one stretch from the start"
    assert boundary.at == pytest.approx(run.sizes[run.in_train & head].sum() / run.sizes[run.in_train].sum())
    # A handle that is dropped where it stands changes the boundary by less than a part of the progress.
    back = np.interp(boundary.at * PARTS, np.arange(PARTS + 1), boundary.shares)
    assert back == pytest.approx(value, abs=3 / PARTS)


def test_an_order_that_nobody_follows_has_no_boundary() -> None:
    for steps in ((WARM_UP, ("expand", {"order": "shuffle"})), (("curriculum", {}),)):
        here = scene(*steps)
        run = outline_run(here, evidence(FACTS))
        assert here.outcome is not None
        phases = find_phases(FACTS, here.outcome)
        assert phases is not None and find_boundary(run, phases, phases.operator) is None
    assert scene(SPLIT).outcome is not None and find_phases(FACTS, scene(SPLIT).outcome) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("batches", [(), (("batches", {"size": 16, "mode": "mixture", "by": "source"}),)])
@pytest.mark.parametrize("pack", [(), (PACK,)])
def test_all_steps_together_read_every_token_of_the_stream_once(pack: Any, batches: Any) -> None:
    run = outline(SPLIT, ("expand", {"epochs": 2}), *pack, *batches)
    read = [run.read(number) for number in range(len(run.batches))]
    tokens = np.zeros(FACTS.n, dtype=np.int64)
    for step in read:
        np.add.at(tokens, step.rows, step.last - step.first)
    expected = np.where(run.in_train, 2 * run.sizes, 0)
    assert tokens.tolist() == expected.tolist()
    assert sum(step.sequences for step in read) == (run.packing.sequences if run.packing else len(run.stream))
    assert sum(int(step.again.sum()) for step in read) > 0


def test_a_step_that_is_not_there_is_refused() -> None:
    with pytest.raises(SettingError, match="no such step"):
        outline(SPLIT, PACK).read(10**9)
    with pytest.raises(RecipeError, match="no recipe"):
        outline_run(Scene.build(FACTS, evidence(FACTS)), evidence(FACTS))


def test_the_split_of_a_run_divides_no_group_and_covers_what_is_kept() -> None:
    run = outline(SPLIT)
    groups = FACTS.numbers("norm_group")[run.rows]
    for group in np.unique(groups[groups >= 0]):
        assert len(set(run.split[groups == group].tolist())) == 1
    assert sorted(run.rows.tolist()) == list(range(FACTS.n))
    assert [int((run.split == part).sum() > 0) for part in range(3)] == [1, 1, 1]
    assert run.leaks is None

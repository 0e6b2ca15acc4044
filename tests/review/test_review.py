"""Agreement and precision against published examples, and queues that say nothing about the answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from synthetic import synthetic_facts

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.agreement import (
    DROP,
    KEEP,
    UNSURE,
    Votes,
    against_chance,
    cohen_kappa,
    krippendorff_alpha,
    pairs_of,
    precision_of_steps,
    progress,
)
from tamis.analytics.review.queues import Queue, places, queue_rows, to_other_side
from tamis.analytics.study.evidence import GivenEvidence
from tamis.analytics.study.extrapolation import wilson
from tamis.analytics.study.scene import Scene
from tamis.data.errors import RecipeError
from tamis.data.reviews import DECISIONS, Event, event_key

FACTS = synthetic_facts(3_000)
EVIDENCE = GivenEvidence()
RECIPE = (
    Recipe(title="r")
    .with_operator(OPERATORS.build("signal_range", {"signal": "n_words", "min": 60, "max": 700}))
    .with_operator(OPERATORS.build("top_share", {"signal": "unigram_entropy", "share": 0.7}))
)


def _scene(recipe: Recipe | None = RECIPE, **selected: object) -> Scene:
    rules = [OPERATORS.build("signal_range", {"signal": "n_words", "max": 100})] if selected else []
    return Scene.build(FACTS, EVIDENCE, recipe=recipe, selection=rules)  # type: ignore[arg-type]


def _votes(table: dict[str, dict[str, int]]) -> Votes:
    events = [
        Event(event_key(who, document), who, "c", "document", document, "decision", DECISIONS[value])
        for document, said in table.items()
        for who, value in said.items()
    ]
    return Votes.of(events)


def test_alpha_of_the_published_example() -> None:
    # Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", part C: 12 units, 4 observers, nominal 0.743.
    said = """
        1 2 3 3 2 1 4 1 2 . . .
        1 2 3 3 2 2 4 1 2 5 . 3
        . 3 3 3 2 3 4 2 2 5 1 .
        1 2 3 3 2 4 4 1 2 5 1 .
    """
    rows = [[-1 if mark == "." else int(mark) - 1 for mark in line.split()] for line in said.strip().splitlines()]
    assert krippendorff_alpha(np.array(rows, dtype=np.int8).T, values=5) == pytest.approx(0.743, abs=5e-4)


def test_alpha_of_two_observers_of_the_published_example() -> None:
    # The same text, part B: two observers, ten units, five values, nominal 0.692.
    one = [1, 2, 3, 3, 2, 2, 4, 1, 2, 5]
    other = [1, 2, 3, 3, 2, 2, 4, 1, 2, 5]
    assert krippendorff_alpha(np.array([one, other], dtype=np.int8).T - 1, values=5) == 1
    pairs = ["aa", "ab", "bb", "bb", "bb", "bb", "bb", "bb", "cc", "ee", "de", "dd"]
    table = np.array([["abcde".index(mark) for mark in pair] for pair in pairs], dtype=np.int8)
    expected = 1 - (2 * 12 - 1) * 4 / (24**2 - sum(n * n for n in np.bincount(table.ravel())))
    assert krippendorff_alpha(table, values=5) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_kappa_is_that_of_the_reference(pairs: list[tuple[int, int]]) -> None:
    one, other = (np.array(side, dtype=np.int8) for side in zip(*pairs, strict=True))
    mine = cohen_kappa(one, other)
    if len(set(one.tolist()) | set(other.tolist())) == 1:
        assert np.isnan(mine)
    else:
        assert mine == pytest.approx(cohen_kappa_score(one, other))


@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_holds_the_share_and_stays_inside(hits: int, of: int) -> None:
    found = wilson(min(hits, of), of)
    assert 0 <= found.low <= found.share <= found.high <= 1
    centre = (found.hits + 1.959964**2 / 2) / (of + 1.959964**2)
    assert (found.low + found.high) / 2 == pytest.approx(centre, abs=1e-6)


def test_the_last_decision_of_a_person_counts() -> None:
    said = [
        Event(str(place), "Ada", "c", "document", "x", "decision", value)
        for place, value in enumerate(["keep", "drop"])
    ]
    votes = Votes.of([*said, replace(said[0], key="n", kind="note", value="hm")])
    assert votes.table.tolist() == [[DROP]] and votes.consensus().tolist() == [DROP]


def test_majority_ties_and_unsure_decide_nothing() -> None:
    votes = _votes({"a": {"x": KEEP, "y": DROP}, "b": {"x": UNSURE}, "c": {"x": DROP, "y": DROP, "z": KEEP}})
    assert votes.consensus().tolist() == [-1, -1, DROP]
    assert votes.disputed().tolist() == [True, False, True]
    assert progress(votes, ("a", "b", "nowhere")) == {"": 2, "x": 2, "y": 1, "z": 0}
    assert [(pair.one, pair.other, pair.shared, pair.same) for pair in pairs_of(votes)] == [
        ("x", "y", 2, 1), ("x", "z", 1, 0), ("y", "z", 1, 0),
    ]  # fmt: skip


def test_precision_counts_the_majority_step_by_step() -> None:
    scene = _scene()
    outcome = scene.outcome
    assert outcome is not None
    ids = FACTS.ids.to_pylist()
    first, second = outcome.dropped_by(outcome.steps[0].id)[:10], outcome.dropped_by(outcome.steps[1].id)[:4]
    kept = np.flatnonzero(outcome.kept)[:5]
    said = {ids[row]: {"Ada": DROP if place < 7 else KEEP} for place, row in enumerate(first)}
    said |= {ids[row]: {"Ada": UNSURE} for row in second} | {ids[row]: {"Ada": KEEP} for row in kept}
    votes = _votes({**said, "not in the corpus": {"Ada": DROP}})
    found = {item.step: item for item in precision_of_steps(votes, places(scene, votes), outcome)}
    assert (found[outcome.steps[0].id].right.hits, found[outcome.steps[0].id].right.of) == (7, 10)
    assert (found[outcome.steps[1].id].right.of, found[outcome.steps[1].id].unsure) == (0, 4)
    assert found[""].right.share == 1.0
    mine = against_chance(votes, places(scene, votes), outcome, "Ada")
    assert (mine.agreed.hits, mine.agreed.of) == (12, 15)
    drops, dropped = 7 / 15, 10 / 15
    assert mine.chance == pytest.approx(drops * dropped + (1 - drops) * (1 - dropped))


@pytest.mark.parametrize("kind", ["mixed", "dropped", "kept", "borderline", "selection"])
def test_a_queue_is_the_same_for_everyone_and_holds_what_it_says(kind: str) -> None:
    scene = _scene(selected=True)
    outcome = scene.outcome
    assert outcome is not None
    step = outcome.steps[0].id if kind in ("dropped", "borderline") else ""
    queue = Queue(kind, step, size=60)  # type: ignore[arg-type]
    rows = queue_rows(scene, queue, Votes.of(()))
    assert np.array_equal(rows, queue_rows(_scene(selected=True), queue, Votes.of(())))
    assert len(rows) == len(set(rows.tolist())) == 60
    dropped = outcome.deciding[rows]
    if kind == "mixed":
        assert (dropped > 0).sum() == 30 and (dropped[:20] > 0).any() and (dropped[:20] == 0).any()
    elif kind == "dropped":
        assert (dropped == 1).all()
    elif kind == "kept":
        assert (dropped == 0).all()
    elif kind == "selection":
        assert scene.selected[rows].all()
    else:
        words = FACTS.numbers("n_words")
        passed = np.flatnonzero((words >= 60) & (words <= 700))
        other = np.flatnonzero((words < 60) | (words > 700))
        nearest = {
            int(row): np.abs(words[row] - words[other if row in set(passed.tolist()) else passed]).min() for row in rows
        }
        assert list(nearest.values()) == sorted(nearest.values())
        assert (dropped > 0).any() and (dropped == 0).any()


def test_the_border_of_a_set_step_is_where_its_value_changes_sides() -> None:
    scene = _scene()
    assert scene.outcome is not None
    step = scene.outcome.steps[1].id
    rows = queue_rows(scene, Queue("borderline", step, size=40), Votes.of(()))
    trace = scene.outcome.traces[step]
    assert set(rows.tolist()) <= set(trace.rows.tolist())
    values = FACTS.numbers("unigram_entropy")
    spread = np.ptp(values[rows])
    assert spread < 0.1 * np.ptp(values[~np.isnan(values)])


@given(st.lists(st.tuples(st.integers(-9, 9), st.booleans()), min_size=1, max_size=20))
def test_distance_to_the_other_side_is_the_smallest(pairs: list[tuple[int, bool]]) -> None:
    values = np.array([float(value) for value, _ in pairs])
    passed = np.array([side for _, side in pairs])
    found = to_other_side(values, passed)
    for place, (value, side) in enumerate(pairs):
        others = [abs(value - other) for other, side_of in pairs if side_of != side]
        assert found[place] == (min(others) if others else np.inf)


def test_disagreement_finds_disputes_and_majorities_against_the_recipe() -> None:
    scene = _scene()
    assert scene.outcome is not None
    ids = FACTS.ids.to_pylist()
    kept, dropped = np.flatnonzero(scene.outcome.kept)[:3], np.flatnonzero(~scene.outcome.kept)[:3]
    votes = _votes(
        {
            ids[kept[0]]: {"Ada": KEEP},
            ids[kept[1]]: {"Ada": DROP},
            ids[kept[2]]: {"Ada": KEEP, "Bo": DROP},
            ids[dropped[0]]: {"Ada": DROP},
            ids[dropped[1]]: {"Ada": KEEP, "Bo": KEEP},
            ids[dropped[2]]: {"Ada": UNSURE},
        }
    )
    found = queue_rows(scene, Queue("disagreement"), votes)
    assert set(found.tolist()) == {int(kept[1]), int(kept[2]), int(dropped[1])}


def test_queues_that_cannot_be_made_say_why() -> None:
    with pytest.raises(RecipeError, match="Nothing is selected"):
        queue_rows(_scene(), Queue("selection"), Votes.of(()))
    with pytest.raises(RecipeError, match="no rules yet"):
        queue_rows(_scene(Recipe()), Queue("dropped"), Votes.of(()))
    with pytest.raises(RecipeError, match="no such active step"):
        queue_rows(_scene(), Queue("borderline", "nothing"), Votes.of(()))
    with pytest.raises(RecipeError, match="Size"):
        Queue(size=0)

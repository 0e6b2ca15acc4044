"""Figures of a classifier learnt from labels: known values, laws, and honesty where there is nothing to learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.effect.holdout_curve import (
    BINS,
    FLATTEST,
    FOLDS,
    LEAST,
    LabelledVectors,
    average_precision,
    calibrate,
    held_out_scores,
    holdout_curve,
    platt,
)
from tamis.analytics.effect.label_classifier import informative, scores_of
from tamis.analytics.signals.relevance import LinearVectors
from tamis.data.errors import SettingError
from tamis.data.hashing import key64

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=1, max_size=40)


def units(count: int, seed: int, *, around: int | None = None, pull: float = 4.0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, 16))
    if around is not None:
        rows[:, around] += pull
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def planted(*, pull: float = 3.0, count: int = 60) -> LabelledVectors:
    return LabelledVectors.of(units(count, 1, around=3, pull=pull), units(count, 2))


def test_average_precision_of_a_known_ranking() -> None:
    like = np.array([True, False, True, False, True])
    assert average_precision(like, np.arange(5.0)[::-1]) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)


@given(PAIRS)
def test_average_precision_lies_between_its_bounds_and_knows_ranks_alone(pairs: list[tuple[bool, int]]) -> None:
    like, scores = np.array([pair[0] for pair in pairs]), np.array([float(pair[1]) for pair in pairs])
    found = average_precision(like, scores)
    if not like.any():
        assert np.isnan(found)
        return
    assert 0 < found <= 1 + 1e-12
    assert average_precision(like, 3 * scores + 7) == found
    assert average_precision(like[::-1], scores[::-1]) == pytest.approx(found)
    assert average_precision(like, like.astype(float)) == pytest.approx(1.0)
    assert average_precision(like, np.zeros(len(like))) == pytest.approx(like.mean())


def test_more_labels_find_a_planted_class_better() -> None:
    curve = holdout_curve(planted())
    assert [point.labels for point in curve] == [10, 20, 40, 80, 96]
    assert curve[-1].average_precision > curve[0].average_precision
    assert curve[-1].average_precision > 0.9
    assert all(0 <= point.low <= point.average_precision <= point.high <= 1 for point in curve)


def test_labels_without_meaning_teach_nothing() -> None:
    examples = LabelledVectors.of(units(60, 5), units(60, 6))
    last, found = holdout_curve(examples)[-1], calibrate(examples)
    assert last.low < 0.55 < 0.7 > last.average_precision
    assert found.brier > found.constant - 0.02
    assert found.slope >= FLATTEST


def test_probabilities_of_a_planted_class_are_what_they_say() -> None:
    examples = planted(count=300)
    found = calibrate(examples)
    assert found.brier < 0.5 * found.constant == pytest.approx(0.125)
    assert len(found.bins) == BINS and sum(each.observed.of for each in found.bins) == len(examples)
    assert [each.predicted for each in found.bins] == sorted(each.predicted for each in found.bins)
    assert sum(each.observed.low <= each.predicted <= each.observed.high for each in found.bins) >= BINS - 1


def test_a_calibrated_scorer_ranks_as_before() -> None:
    examples = planted()
    model = examples.fit()
    found = calibrate(examples).apply(model)
    rows = units(40, 9)
    assert np.argsort(found.score(rows)).tolist() == np.argsort(model.score(rows)).tolist()


def test_a_sigmoid_is_found_again() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=20_000)
    slope, intercept = platt(scores, random.random(20_000) < 1 / (1 + np.exp(-(1.7 * scores - 0.4))))
    assert (slope, intercept) == pytest.approx((1.7, -0.4), abs=0.08)


@given(st.randoms(use_true_random=False))
def test_no_order_of_the_examples_changes_a_bit(random: object) -> None:
    like, unlike = units(LEAST + 3, 1, around=3), units(LEAST, 2)
    shuffle = np.random.default_rng(random.randrange(1 << 30)).permutation  # type: ignore[attr-defined]
    one, other = LabelledVectors.of(like, unlike), LabelledVectors.of(shuffle(like), shuffle(unlike))
    assert one.vectors.tobytes() == other.vectors.tobytes() and one.like.tolist() == other.like.tolist()
    assert held_out_scores(one, seed=1).tobytes() == held_out_scores(other, seed=1).tobytes()


def test_a_repeated_example_counts_once_and_never_tests_itself() -> None:
    like, unlike = units(30, 1, around=3), units(30, 2)
    once, twice = LabelledVectors.of(like, unlike), LabelledVectors.of(np.concatenate([like, like]), unlike)
    assert (once.repeated, twice.repeated, len(twice)) == (0, 30, 60)
    assert twice.keys.tolist() == once.keys.tolist()


def test_every_fold_has_both_classes() -> None:
    examples = LabelledVectors.of(units(LEAST, 1, around=3), units(4 * LEAST, 2))
    fold = examples.ranks(seed=0) % FOLDS
    for number in range(FOLDS):
        assert examples.like[fold == number].sum() == 2 and (~examples.like[fold == number]).sum() == 8


@pytest.mark.parametrize(
    ("like", "unlike", "message"),
    [
        (units(30, 1), np.empty((0, 16)), "Too few examples of the class “unlike”.*0"),
        (np.empty((0, 16)), units(30, 1), "Too few examples of the class “like”.*0"),
        (units(9, 1), units(30, 2), "Too few examples of the class “like”.*9"),
        (np.zeros((30, 16)), units(30, 2), "Too few examples of the class “like”.*0"),
        (units(30, 1), units(31, 1)[:30], "an example of both classes"),
    ],
)
def test_labels_that_cannot_teach_are_refused(like: np.ndarray, unlike: np.ndarray, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        LabelledVectors.of(like, unlike)


def test_the_crowd_in_doubt_comes_before_what_is_sure_and_what_is_alone() -> None:
    axis = np.eye(16)
    crowd = axis[0] + 0.25 * units(30, 1)
    alone = axis[1][None]
    sure = axis[2] + 0.25 * units(30, 2)
    rows = np.concatenate([sure, alone, crowd])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    model = LinearVectors(6.0 * axis[2], 0.0)
    scores = scores_of(model, rows)
    scores[30:] = 0.0
    keys = key64(str(row) for row in range(len(rows)))
    found = informative(rows, scores, keys, np.empty((0, 16)), most=3)
    assert len(found) >= 1 and found[0][0] > 30
    assert all(row >= 30 for row, *_ in found)
    assert found == informative(rows, scores, keys, np.empty((0, 16)), most=3)


def test_near_copies_of_a_label_and_of_each_other_are_passed_over() -> None:
    rows = np.repeat(units(3, 4), 5, axis=0)
    scores, keys = np.zeros(15), key64(str(row) for row in range(15))
    found = informative(rows, scores, keys, rows[:1], most=10)
    assert sorted(row for row, *_ in found) == [5, 10]
    scores[:] = np.nan
    assert informative(rows, scores, keys, rows[:1], most=10) == []

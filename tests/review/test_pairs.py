"""Answers about pairs: a document dropped as a duplicate is judged beside its twin, and only so."""

from __future__ import annotations

import numpy as np
import pytest
from operator_examples import evidence
from synthetic import synthetic_facts

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.review.agreement import precision_of_steps
from tamis.analytics.review.pairs import document_votes, pair_context, pair_subject, twin_rows
from tamis.analytics.review.queues import document_rows, places
from tamis.analytics.study.duplicate_groups import look, reaching_rows, step_like
from tamis.analytics.study.scene import Scene
from tamis.data.reviews import Event, from_table, to_table

FACTS = synthetic_facts(800, seed=4, threads=1)
EVIDENCE = evidence(FACTS)
SHORT = Step("short", OPERATORS.build("signal_range", {"signal": "n_words", "min": 40}))
NEAR = Step("near", OPERATORS.build("near_dedup", {"threshold": 0.6}))
LATE = Step("late", OPERATORS.build("signal_range", {"signal": "alpha_word_share", "min": 0.6}))
RECIPE = Recipe((SHORT, NEAR, LATE))
SCENE = Scene.build(FACTS, EVIDENCE, recipe=RECIPE)
IDS = FACTS.ids.to_pylist()


def pairs() -> list[tuple[int, int]]:
    """Return rows of dropped near-duplicates and of their kept twins."""
    assert SCENE.outcome is not None
    rows = np.flatnonzero(SCENE.outcome.deciding == 2)
    return list(zip(rows.tolist(), twin_rows(SCENE.outcome, rows).tolist(), strict=True))


def answer(one: int, other: int, value: str, *, by: str = "Ada", number: int = 0) -> Event:
    subject = pair_subject(IDS[one], IDS[other])
    context = pair_context(IDS[one], IDS[other])
    return Event(f"{by}{subject[:20]}{number}", by, "c", "pair", subject, "decision", value, context)


def decision(row: int, value: str, *, by: str = "Ada") -> Event:
    return Event(f"{by}/{IDS[row]}", by, "c", "document", IDS[row], "decision", value)


def test_only_documents_dropped_as_duplicates_have_a_twin_and_it_is_kept() -> None:
    outcome = SCENE.outcome
    assert outcome is not None
    twins = twin_rows(outcome, np.arange(FACTS.n))
    assert ((twins >= 0) == (outcome.deciding == 2)).all() and (twins >= 0).sum() > 5
    kept_by_rule = outcome.deciding[twins[twins >= 0]]
    assert ((kept_by_rule == 0) | (kept_by_rule == 3)).all()
    assert twin_rows(outcome, np.array([-1, -1])).tolist() == [-1, -1]


def test_the_precision_of_a_duplicate_rule_is_that_of_its_pairs() -> None:
    (one, twin), (two, other), (three, _) = pairs()[:3]
    events = [
        answer(one, twin, "drop"),
        answer(other, two, "keep"),
        decision(three, "keep"),  # Without its twin: no answer to what the rule asks.
        decision(one, "keep", by="Bo"),
    ]
    votes = document_votes(SCENE, events)
    assert set(votes.documents) == {IDS[one], IDS[two]}
    assert SCENE.outcome is not None
    found = {item.step: item for item in precision_of_steps(votes, places(SCENE, votes), SCENE.outcome)}
    assert (found["near"].right.share, found["near"].right.of) == (0.5, 2)


def test_an_answer_about_a_pair_counts_while_the_rule_names_this_pair() -> None:
    (one, twin), (two, other) = pairs()[:2]
    events = [answer(one, twin, "drop"), answer(one, other if other != twin else two, "keep")]
    votes = document_votes(SCENE, events)
    assert votes.documents == (IDS[one],) and votes.consensus().tolist() == [1]
    alone = Scene.build(FACTS, EVIDENCE, recipe=Recipe((SHORT,)))
    assert document_votes(alone, events).documents == ()
    assert document_votes(alone, [*events, decision(one, "keep")]).documents == (IDS[one],)


def test_the_order_of_a_pair_does_not_matter_and_a_later_answer_replaces_the_earlier() -> None:
    one, twin = pairs()[0]
    assert pair_subject(IDS[one], IDS[twin]) == pair_subject(IDS[twin], IDS[one])
    votes = document_votes(SCENE, [answer(one, twin, "drop"), answer(twin, one, "unsure", number=1)])
    assert votes.table.tolist() == [[2]]


@pytest.mark.parametrize("context", [{}, {"documents": "a"}, {"documents": ["a", 3]}, {"documents": ["x", "y"]}])
def test_an_answer_whose_documents_do_not_fit_its_subject_counts_for_nothing(context: dict[str, object]) -> None:
    one, twin = pairs()[0]
    event = answer(one, twin, "drop")
    forged = Event("k", "Eve", "c", "pair", event.subject, "decision", "drop", context)
    assert document_votes(SCENE, [forged]).documents == ()
    assert from_table(to_table([event])) == (event,)


def test_rows_of_ids_are_found_and_unknown_ids_have_none() -> None:
    assert document_rows(FACTS, [IDS[5], "not there", IDS[0]]).tolist() == [5, -1, 0]


@pytest.mark.parametrize("enabled", [True, False])
def test_a_rule_is_tried_on_what_reaches_it_at_its_place(enabled: bool) -> None:
    recipe = RECIPE.replaced("near", enabled=enabled)
    outcome = Scene.build(FACTS, EVIDENCE, recipe=recipe).outcome
    assert outcome is not None and step_like(recipe, NEAR.operator) == recipe.step("near")
    rows = reaching_rows(outcome, recipe, recipe.step("near"))
    assert rows is not None and SCENE.outcome is not None
    assert rows.tolist() == SCENE.outcome.traces["near"].rows.tolist()
    found = look(FACTS, EVIDENCE, NEAR.operator, rows=rows)
    assert len(found.dropped) == np.count_nonzero(SCENE.outcome.deciding == 2)
    exact = OPERATORS.build("exact_dedup", {})
    assert step_like(recipe, exact) is None
    end = reaching_rows(outcome, recipe, None)
    assert end is not None and end.tolist() == np.flatnonzero(outcome.deciding == 0).tolist()
    added = Scene.build(FACTS, EVIDENCE, recipe=recipe.with_operator(exact)).outcome
    assert added is not None
    dropped = len(look(FACTS, EVIDENCE, exact, rows=end).dropped)
    assert added.counts[-2].documents - added.counts[-1].documents == dropped
    assert reaching_rows(None, Recipe(), None) is None

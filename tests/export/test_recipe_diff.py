"""A diff says which rules changed and which documents that changes, with reasons."""

from __future__ import annotations

import numpy as np
import pytest
from operator_examples import evidence
from synthetic import synthetic_facts

from tamis.analytics.export.diff import diff_outcomes, diff_recipes
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.plan import evaluate
from tamis.analytics.recipe.recipe import Recipe, Step

FACTS = synthetic_facts(2_000, seed=4, threads=2)


def rule(step: str, minimum: int) -> Step:
    return Step(step, OPERATORS.build("signal_range", {"signal": "n_words", "min": minimum}))


BASE = Recipe((rule("a", 10), rule("b", 20), rule("c", 30), rule("d", 40)))


def changes(after: Recipe) -> list[tuple[str, str]]:
    return [(change.step, change.change) for change in diff_recipes(BASE, after)]


def test_equal_recipes_do_not_differ() -> None:
    assert diff_recipes(BASE, BASE) == ()


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (BASE.without("b"), [("b", "removed")]),
        (BASE.with_step(rule("e", 1), at=1), [("e", "added")]),
        (BASE.replaced("c", operator=rule("c", 31).operator), [("c", "changed")]),
        (BASE.replaced("c", enabled=False), [("c", "switched off")]),
        (BASE.moved("a", to=3), [("a", "moved")]),
        (BASE.moved("d", to=0), [("d", "moved")]),
        (BASE.moved("a", to=1).without("d"), [("a", "moved"), ("d", "removed")]),
    ],
)
def test_changed_rules_are_named(after: Recipe, expected: list[tuple[str, str]]) -> None:
    found = changes(after)
    assert found == expected or (
        len(found) == len(expected) and {kind for _, kind in found} == {k for _, k in expected}
    )


def test_changed_parameters_are_shown() -> None:
    (change,) = diff_recipes(BASE, BASE.replaced("c", operator=rule("c", 31).operator))
    assert change.params == (("min", 30.0, 31.0),)
    assert change.before != change.after


def test_documents_and_reasons_add_up() -> None:
    start = Recipe().with_operator(rule("x", 60).operator)
    start = start.with_operator(OPERATORS.build("language", {"languages": ["en", "de"]}))
    end = start.replaced("signal-range", operator=rule("x", 90).operator).with_operator(
        OPERATORS.build("random_sample", {"share": 0.5})
    )
    end = end.replaced("language", operator=OPERATORS.build("language", {"languages": ["en", "fr"]}))
    proof = evidence(FACTS)
    before, after = evaluate(start, FACTS, proof), evaluate(end, FACTS, proof)
    found = diff_outcomes(before, after, FACTS)
    assert found.gained == np.count_nonzero(~before.kept & after.kept)
    assert found.lost == np.count_nonzero(before.kept & ~after.kept)
    assert found.same + found.gained + found.lost + found.recounted == FACTS.n
    reasons = found.reasons.to_pylist()
    for change, total in (("gained", found.gained), ("lost", found.lost)):
        assert sum(row["documents"] for row in reasons if row["change"] == change) == total
    assert {row["after"] for row in reasons if row["change"] == "lost"} <= {"signal-range", "language", "random-sample"}
    by_source = [row for row in found.groups.to_pylist() if row["column"] == "source"]
    everything = diff_outcomes(before, after, FACTS, limit=1_000).groups.to_pylist()
    assert sum(row["lost"] for row in everything if row["column"] == "source") == found.lost
    assert 0 < len(by_source) <= 30
    assert len(found.rows) == found.gained + found.lost


def test_an_outcome_does_not_differ_from_itself() -> None:
    outcome = evaluate(BASE, FACTS, evidence(FACTS))
    found = diff_outcomes(outcome, outcome, FACTS)
    assert (found.same, found.gained, found.lost, found.reasons.num_rows) == (FACTS.n, 0, 0, 0)

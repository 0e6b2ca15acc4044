"""Why a document was dropped is one sentence with the value of this document and the cut that decided."""

from __future__ import annotations

import re

import numpy as np
import pytest
from operator_examples import evidence
from synthetic import synthetic_facts

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.queries import DECIDED, Scene, deciding_steps, documents_page, why
from tamis.analytics.study.reasons import reason, verdict_words

FACTS = synthetic_facts(1_500, seed=7, threads=2)


def scene(*operators: tuple[str, dict[str, object]]) -> Scene:
    recipe = Recipe()
    for name, params in operators:
        recipe = recipe.with_operator(OPERATORS.build(name, params))
    return Scene.build(FACTS, evidence(FACTS), recipe=recipe)


def test_a_near_duplicate_names_similarity_twin_and_cut() -> None:
    found = scene(("signal_range", {"signal": "n_words", "min": 5}), ("near_dedup", {"threshold": 0.8}))
    outcome = found.outcome
    assert outcome is not None
    row = int(outcome.dropped_by(outcome.steps[1].id)[0])
    said = reason(outcome, found.facts, row)
    verdict = why(outcome, found.facts, row)[1]
    assert said.twin == verdict.twin and verdict.similarity is not None and verdict.similarity >= np.float32(0.8)
    expected = f"Dropped by step 2, near-duplicate: {verdict.similarity:.2f} similar to “a twin”, cut 0.80"
    assert said.sentence("a twin") == expected


def test_an_exact_copy_names_its_twin_and_no_size_of_a_group() -> None:
    found = scene(("exact_dedup", {}))
    outcome = found.outcome
    assert outcome is not None
    said = reason(outcome, found.facts, int(outcome.dropped_by(outcome.steps[0].id)[0]))
    assert said.sentence("a twin").startswith("Dropped by step 1, exact duplicate: the same as “a twin”, same ")


@pytest.mark.parametrize(
    ("name", "params", "fails"),
    [
        ("near_dedup", {"threshold": 0.8}, r"fails, [01]\.\d\d similar to a kept document \(jaccard .* >= 0\.8\)"),
        ("exact_dedup", {}, r"fails, the same as a kept document \(same .*\)"),
    ],
)
def test_the_verdict_of_a_duplicate_rule_sets_no_size_of_a_group_against_a_threshold(
    name: str, params: dict[str, object], fails: str
) -> None:
    found = scene((name, params), ("signal_range", {"signal": "n_words", "max": 60}))
    outcome = found.outcome
    assert outcome is not None
    rules = [step.operator for step in outcome.steps]

    def words(row: int) -> list[str]:
        return [verdict_words(each, rule) for each, rule in zip(why(outcome, found.facts, row), rules, strict=True)]

    row = int(outcome.dropped_by(outcome.steps[0].id)[0])
    assert re.fullmatch(fails, words(row)[0])
    for other in np.flatnonzero(outcome.deciding == 0)[:100].tolist():
        first, last = words(other)
        assert re.fullmatch(r"passes(, kept for \d+ others?)?", first)
        assert re.fullmatch(r"passes, \d+; asked for: <= 60", last)
    twin = reason(outcome, found.facts, row).twin
    assert twin is not None and words(twin)[0].startswith("passes, kept for ")


def test_a_cut_names_the_value_of_the_document() -> None:
    found = scene(("signal_range", {"signal": "n_words", "min": 60}))
    outcome = found.outcome
    assert outcome is not None
    row = int(np.flatnonzero(outcome.deciding == 1)[0])
    value = int(FACTS.whole("n_words")[row])
    assert reason(outcome, found.facts, row).sentence() == (
        f"Dropped by step 1, signal-range: {value}, where the cut is >= 60. "
        f"The rule: {outcome.steps[0].operator.sentence()}"
    )
    kept = int(np.flatnonzero(outcome.deciding == 0)[0])
    assert reason(outcome, found.facts, kept).sentence() == "Kept: no step of 1 drops it"


def test_of_ranges_per_group_only_that_of_the_documents_own_group_is_told() -> None:
    bounds = [{"value": f"source-{k:02d}", "min": 100 + k} for k in range(20)]
    found = scene(("grouped_range", {"signal": "n_words", "by": "source", "bounds": bounds, "others": "keep"}))
    outcome = found.outcome
    assert outcome is not None
    sources = FACTS.array("source").to_pylist()
    for row in np.flatnonzero(outcome.deciding == 1)[:20]:
        (verdict,) = why(outcome, found.facts, int(row))
        number = int(sources[row].removeprefix("source-"))
        assert verdict.threshold == f"{sources[row]}: {100 + number}.."
    other = next(row for row, source in enumerate(sources) if source == "source-30")
    assert why(outcome, found.facts, other)[0].threshold == "no range for source source-30"


@pytest.mark.parametrize("descending", [False, True])
def test_the_deciding_step_is_a_column_that_sorts_all_rows(descending: bool) -> None:
    found = scene(("signal_range", {"signal": "n_words", "min": 60}), ("exact_dedup", {}))
    outcome = found.outcome
    assert outcome is not None
    page = documents_page(found, columns=["n_words"], sort=DECIDED, descending=descending, limit=1_000)
    numbers = outcome.deciding[page.rows]
    assert (np.diff(numbers.astype(int)) * (-1 if descending else 1) >= 0).all()
    names = ["no step", "1 signal-range", "2 exact-dedup"]
    assert deciding_steps(outcome, page.rows) == [names[number] for number in numbers]
    only = documents_page(found, columns=[], which="dropped", step=outcome.steps[1].id, sort=DECIDED)
    assert only.total == len(outcome.dropped_by(outcome.steps[1].id))
    plain = Scene.build(FACTS, evidence(FACTS))
    assert documents_page(plain, columns=[], sort=DECIDED).rows[0] == 0
    assert deciding_steps(plain.outcome, np.array([0])) == []

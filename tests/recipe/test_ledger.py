"""The ledger says of every dropped document which rule dropped it, by which value and threshold, and for which twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import OPERATORS, Decision, SetOperator, View
from tamis.analytics.recipe.ledger import LEDGER_SCHEMA, ledger, ledger_blocks
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.plan import evaluate
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.study.evidence import GivenEvidence

IDS = [f"d{row}" for row in range(10)]
FACTS = Facts.from_table(
    pa.table({"id": IDS, "bytes": [5, 100, 7, 100, 100, 900, 100, 100, 800, 1]}), digest="ten documents"
)
SHORT = OPERATORS.build("signal_range", {"signal": "bytes", "min": 10})
LONG = OPERATORS.build("signal_range", {"signal": "bytes", "max": 500})


class Odd(SetOperator):
    """Drops documents of odd place in its view, for the one before; the last one has no twin."""

    name = "odd"
    term = "Odd"
    each: bool = False

    def decide(self, view: View) -> Decision:
        place = np.arange(len(view))
        odd = place % 2 == 1
        twin = np.where(odd, view.rows[place - 1], -1)
        twin[-1] = -1
        return Decision(
            copies=(~odd).astype(np.int32),
            value=pa.array(place * 10),
            twin=twin,
            similarity=np.where(twin < 0, np.nan, 0.5 + place / 16).astype(np.float32),
            threshold=pa.array(place / 4) if self.each else "odd",
        )


class Bare(SetOperator):
    """Drops everything and says nothing."""

    name = "bare"
    term = "Bare"

    def decide(self, view: View) -> Decision:
        return Decision(copies=np.zeros(len(view), np.int32))


def outcome(*operators: Any) -> Outcome:
    """Return what steps named s1, s2 ... do."""
    recipe = Recipe(tuple(Step(f"s{number}", operator) for number, operator in enumerate(operators, start=1)))
    return evaluate(recipe, FACTS, GivenEvidence())


def rows(*expected: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return ledger rows of their values."""
    return [dict(zip(LEDGER_SCHEMA.names, row, strict=True)) for row in expected]


@pytest.mark.parametrize("each", [False, True])
def test_every_row_holds_the_value_threshold_and_twin_of_its_own_document(each: bool) -> None:
    # Odd sees d1, d3, d4, d5, d6, d7, d8 and drops d3, d5, d7; LONG then drops d8.
    found = outcome(SHORT, Odd(each=each), LONG)
    limits = ["0.25", "0.75", "1.25"] if each else ["odd"] * 3
    wanted = rows(
        ("d0", "s1", "signal_range", "5", SHORT.threshold(), None, None),
        ("d2", "s1", "signal_range", "7", SHORT.threshold(), None, None),
        ("d3", "s2", "odd", "10", limits[0], "d1", 0.5625),
        ("d5", "s2", "odd", "30", limits[1], "d4", 0.6875),
        ("d7", "s2", "odd", "50", limits[2], "d6", 0.8125),
        ("d8", "s3", "signal_range", "800", LONG.threshold(), None, None),
        ("d9", "s1", "signal_range", "1", SHORT.threshold(), None, None),
    )
    assert ledger(found, FACTS).to_pylist() == wanted
    for size in (1, 2, 3, 7, 8):
        blocks = list(ledger_blocks(found, FACTS, rows=size))
        assert [len(block) for block in blocks] == [size] * (7 // size) + [7 % size] * (7 % size > 0)
        assert pa.concat_tables(blocks).to_pylist() == wanted


def test_a_document_without_a_twin_has_none() -> None:
    found = ledger(outcome(LONG, Odd()), FACTS).to_pylist()
    assert found[-1] == rows(("d9", "s2", "odd", "70", "odd", None, None))[0]
    assert found[0] == rows(("d1", "s2", "odd", "10", "odd", "d0", 0.5625))[0]


def test_a_rule_that_says_nothing_leaves_everything_open() -> None:
    assert ledger(outcome(Bare()), FACTS).to_pylist() == rows(
        *((name, "s1", "bare", None, None, None, None) for name in IDS)
    )


def test_a_rule_without_a_value_shows_none() -> None:
    rule = OPERATORS.build("all_of", {"rules": [{"operator": "signal_range", "params": {"signal": "bytes", "min": 7}}]})
    found = ledger(outcome(rule), FACTS)
    assert found.column("id").to_pylist() == ["d0", "d9"]
    assert rule.value() is None and found.column("value").to_pylist() == [None, None]


def test_a_recipe_that_drops_nothing_has_an_empty_ledger() -> None:
    found = ledger(outcome(), FACTS)
    assert (found.num_rows, found.schema) == (0, LEDGER_SCHEMA)


class Named(type(SHORT)):  # type: ignore[misc]
    """A range whose documents match items of another corpus."""

    def twins(self, rows: Any, evidence: Any) -> pa.Array:
        return pa.array([f"item {row}" for row in rows])


def test_matches_outside_the_corpus_are_named_where_there_is_evidence() -> None:
    rule = Named(**SHORT.model_dump())
    found = outcome(rule)
    with_items, without = ledger(found, FACTS, GivenEvidence()), ledger(found, FACTS)
    assert with_items.column("twin").to_pylist() == ["item 0", "item 2", "item 9"]
    assert without.column("twin").to_pylist() == [None, None, None]
    assert with_items.schema == LEDGER_SCHEMA

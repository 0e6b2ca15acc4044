"""What let each kept document in: the value that every step of a recipe compared, beside the ledger of the dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.recipe import Step
from tamis.data.parquet import ROW_GROUP_ROWS

VALUE, THRESHOLD = "value:", "threshold:"
"""Prefixes of the columns of a step; the second is there only where documents have thresholds of their own."""


@dataclass(frozen=True)
class AdmittingStep:
    """A step that saw documents and kept them.

    Attributes:
        id: of the step.
        rule: name of its operator.
        sentence: the rule in words.
        threshold: of all documents, None where it has none or each has its own.
    """

    id: str
    rule: str
    sentence: str
    threshold: str | None


def admitting_steps(outcome: Outcome) -> tuple[AdmittingStep, ...]:
    """Return the steps of a recipe that decide documents, in order."""
    found = []
    for step in _deciding(outcome):
        operator = step.operator
        threshold = operator.threshold() if isinstance(operator, RowOperator) else _decision_threshold(outcome, step)
        found.append(AdmittingStep(step.id, operator.name, operator.sentence(), threshold))
    return tuple(found)


def admission_schema(outcome: Outcome) -> pa.Schema:
    """Return the columns of ``admission_blocks``: ``id``, ``copies``, and those of each step."""
    names = [name for step in _deciding(outcome) for name in _names(outcome, step)]
    return pa.schema([("id", pa.string()), ("copies", pa.int32()), *((name, pa.string()) for name in names)])


def admission_blocks(outcome: Outcome, facts: Facts, *, rows: int = ROW_GROUP_ROWS) -> Iterator[pa.Table]:
    """Yield a row per kept document in id order, ``rows`` at a time: what each step compared, as text.

    Args:
        outcome: what the recipe did.
        facts: the same facts, with the measured columns of the recipe (``plan.attach``).
        rows: of a block; only one block is in memory.
    """
    schema, kept = admission_schema(outcome), np.flatnonzero(outcome.copies)
    for start in range(0, len(kept), rows):
        block = kept[start : start + rows]
        columns = {"id": facts.ids.take(pa.array(block)), "copies": pa.array(outcome.copies[block])}
        columns |= _row_values(outcome, facts, block) | _set_values(outcome, block)
        yield pa.table([columns[name] for name in schema.names], schema=schema)


def _deciding(outcome: Outcome) -> list[Step]:
    return [step for step in outcome.steps if isinstance(step.operator, RowOperator) or step.id in outcome.traces]


def _names(outcome: Outcome, step: Step) -> list[str]:
    if isinstance(step.operator, RowOperator):
        return [] if step.operator.value() is None else [f"{VALUE}{step.id}"]
    decision = outcome.traces[step.id].decision
    own = decision.threshold is not None and not isinstance(decision.threshold, str)
    return [*([] if decision.value is None else [f"{VALUE}{step.id}"]), *([f"{THRESHOLD}{step.id}"] if own else [])]


def _decision_threshold(outcome: Outcome, step: Step) -> str | None:
    threshold = outcome.traces[step.id].decision.threshold
    return threshold if isinstance(threshold, str) else None


def _row_values(outcome: Outcome, facts: Facts, block: NDArray[np.int64]) -> dict[str, pa.Array]:
    """Return what row rules compared, one query for all of them."""
    asked: dict[str, str] = {}
    read: set[str] = set()
    for step in _deciding(outcome):
        if isinstance(step.operator, RowOperator) and (expression := step.operator.value()) is not None:
            asked[f"{VALUE}{step.id}"] = expression
            read |= step.operator.columns()
    if not asked:
        return {}
    source = facts.source(sorted(read), also={"copies": outcome.copies})
    shown = ", ".join(f"CAST({expression} AS VARCHAR) AS v{place}" for place, expression in enumerate(asked.values()))
    inside = f"row BETWEEN {int(block[0])} AND {int(block[-1])} AND copies > 0"
    found = facts.query(f"SELECT {shown} FROM {source} WHERE {inside} ORDER BY row", source)
    return {name: found.column(place).combine_chunks() for place, name in enumerate(asked)}


def _set_values(outcome: Outcome, block: NDArray[np.int64]) -> dict[str, pa.Array]:
    columns = {}
    for step in _deciding(outcome):
        if isinstance(step.operator, RowOperator):
            continue
        trace = outcome.traces[step.id]
        places = pa.array(np.searchsorted(trace.rows, block))
        for name in _names(outcome, step):
            values = trace.decision.value if name.startswith(VALUE) else trace.decision.threshold
            assert isinstance(values, pa.Array)
            columns[name] = values.take(places).cast(pa.string())
    return columns

"""The removal ledger: one row per dropped document that says which rule dropped it, by which value, and why."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import Decision, Evidence, RowOperator
from tamis.analytics.recipe.outcome import Outcome, Trace
from tamis.analytics.recipe.recipe import Step
from tamis.data.parquet import ROW_GROUP_ROWS

LEDGER_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("step", pa.string()),
        ("rule", pa.string()),
        ("value", pa.string()),
        ("threshold", pa.string()),
        ("twin", pa.string()),
        ("similarity", pa.float32()),
    ]
)


def ledger(outcome: Outcome, facts: Facts, evidence: Evidence | None = None) -> pa.Table:
    """Return the ledger in id order, as ``LEDGER_SCHEMA``.

    ``value`` is what the rule compared, as text, and for duplicates the number of documents that the kept one
    represents; ``twin`` is the id of the kept document that a duplicate was dropped for, or file and row of the item of
    another corpus that it matches; ``similarity`` is the similarity to a kept document. NULL where a rule has none.

    Args:
        outcome: what the recipe did.
        facts: the same facts, with the measured columns of the recipe (``plan.attach``).
        evidence: the evidence the recipe was evaluated with; None leaves out matches with other corpora.
    """
    blocks = ledger_blocks(outcome, facts, evidence)
    return pa.concat_tables([LEDGER_SCHEMA.empty_table(), *blocks]).combine_chunks()


def ledger_blocks(
    outcome: Outcome, facts: Facts, evidence: Evidence | None = None, *, rows: int = ROW_GROUP_ROWS
) -> Iterator[pa.Table]:
    """Yield the ledger in consecutive blocks of ``rows`` rows, the last one shorter: only one is in memory."""
    dropped = np.flatnonzero(outcome.deciding)
    values = {
        number: _values(step, step.operator, outcome, facts)
        for number, step in enumerate(outcome.steps, start=1)
        if isinstance(step.operator, RowOperator) and np.any(outcome.deciding == number)
    }
    done = dict.fromkeys(values, 0)
    for start in range(0, len(dropped), rows):
        block = dropped[start : start + rows]
        deciding = outcome.deciding[block]
        parts, places = [], []
        for number in np.unique(deciding).tolist():
            inside = np.flatnonzero(deciding == number)
            step = outcome.steps[number - 1]
            if isinstance(step.operator, RowOperator):
                value = values[number].slice(done[number], len(inside))
                done[number] += len(inside)
                parts.append(_row_part(step, step.operator, block[inside], value, facts, evidence))
            else:
                parts.append(_set_part(step, outcome.traces[step.id], block[inside], facts))
            places.append(inside)
        back = np.argsort(np.concatenate(places))
        yield pa.concat_tables(parts).take(pa.array(back)).combine_chunks()


def _values(step: Step, operator: RowOperator, outcome: Outcome, facts: Facts) -> pa.Array:
    """Return what a row rule compared, as text, of all documents it dropped in id order."""
    expression, number = operator.value(), outcome.number(step.id)
    if expression is None:
        return pa.nulls(int(np.count_nonzero(outcome.deciding == number)), pa.string())
    source = facts.source(operator.columns(), also={"deciding": outcome.deciding})
    found = facts.query(
        f"SELECT CAST({expression} AS VARCHAR) AS value FROM {source} WHERE deciding = {number} ORDER BY row", source
    )
    return found.column("value").combine_chunks()


def _row_part(
    step: Step,
    operator: RowOperator,
    dropped: NDArray[np.int64],
    value: pa.Array,
    facts: Facts,
    evidence: Evidence | None,
) -> pa.Table:
    empty = Decision(copies=np.zeros(len(dropped), dtype=np.int32), threshold=operator.threshold())
    part = _part(step, dropped, value, empty, np.arange(len(dropped)), facts)
    twins = None if evidence is None else operator.twins(dropped, evidence)
    return part if twins is None else part.set_column(part.schema.get_field_index("twin"), "twin", twins)


def _set_part(step: Step, trace: Trace, dropped: NDArray[np.int64], facts: Facts) -> pa.Table:
    places = np.searchsorted(trace.rows, dropped)
    value = trace.decision.value
    shown = pa.nulls(len(dropped), pa.string()) if value is None else value.take(pa.array(places)).cast(pa.string())
    return _part(step, dropped, shown, trace.decision, places, facts)


def _part(
    step: Step,
    dropped: NDArray[np.int64],
    value: pa.Array,
    decision: Decision,
    places: NDArray[np.int64],
    facts: Facts,
) -> pa.Table:
    count = len(dropped)
    if decision.threshold is None or isinstance(decision.threshold, str):
        threshold = pa.array([decision.threshold], pa.string()).take(pa.array(np.zeros(count, dtype=np.int64)))
    else:
        threshold = decision.threshold.take(pa.array(places)).cast(pa.string())
    twins = np.full(count, -1) if decision.twin is None else decision.twin[places]
    similarity = np.full(count, np.nan, np.float32) if decision.similarity is None else decision.similarity[places]
    columns = [
        facts.ids.take(pa.array(dropped)),
        _repeated(step.id, count),
        _repeated(step.operator.name, count),
        value,
        threshold,
        facts.ids.take(pa.array(twins, mask=twins < 0)),
        pa.array(similarity, pa.float32(), mask=np.isnan(similarity)),
    ]
    return pa.table(columns, schema=LEDGER_SCHEMA)


def _repeated(text: str, count: int) -> pa.Array:
    return pa.array([text], pa.string()).take(pa.array(np.zeros(count, dtype=np.int64)))

"""Questions about single documents: pages of a table, samples side by side, why one was kept or dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts, Source
from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.operators.predicate import parse_predicate
from tamis.analytics.operators.rows import GroupedRange
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.plan import row_masks
from tamis.analytics.study.scene import Scene, Which
from tamis.data.errors import PredicateError, RecipeError
from tamis.data.hashing import mix_keys
from tamis.data.sql import ident, literal

MAX_PAGE = 1_000
DECIDED = "decided_by"
"""Name to sort a page by: the number of the step that dropped a document, 0 for kept ones."""


@dataclass(frozen=True)
class Page:
    """Some rows of the documents table.

    Attributes:
        table: ``row`` (facts row) and the columns asked for, in the order asked for.
        total: how many documents there are in all.
        offset: place of the first one.
    """

    table: pa.Table
    total: int
    offset: int

    @property
    def rows(self) -> NDArray[np.int64]:
        """Return the facts rows, int64 (m,), in page order."""
        return np.asarray(self.table.column("row").to_numpy(), dtype=np.int64)


@dataclass(frozen=True)
class Verdict:
    """The verdict of one step on one document.

    Attributes:
        step: id of the step.
        operator: its operator.
        passed: whether the document passed; None when it did not reach the step or the step decides nothing.
        value: the value compared, as text, or None.
        threshold: the threshold of the comparison.
        twin: facts row of the kept twin, or None.
        similarity: similarity to the twin.
    """

    step: str
    operator: str
    passed: bool | None
    value: str | None = None
    threshold: str | None = None
    twin: int | None = None
    similarity: float | None = None


def documents_page(
    scene: Scene,
    *,
    columns: Sequence[str],
    which: Which = "all",
    step: str | None = None,
    sort: str | None = None,
    descending: bool = False,
    where: str | None = None,
    id_contains: str | None = None,
    offset: int = 0,
    limit: int = 50,
) -> Page:
    """Return a page of the documents table.

    Args:
        scene: the documents.
        columns: facts columns to show.
        which: all, selected, kept or dropped documents.
        step: only documents dropped by this step.
        sort: a facts column to sort by, or ``DECIDED``; ties go by id, and so does all without it. NULL comes last.
        descending: largest first.
        where: a predicate, as in the operator ``sql_predicate``.
        id_contains: only documents whose id contains this text.
        offset, limit: the page.

    Raises:
        RecipeError: unknown columns, a wrong predicate, or a page outside the limits.
    """
    if not 1 <= limit <= MAX_PAGE or offset < 0:
        raise RecipeError("Page is outside the limits", value=(offset, limit), allowed=f"1 to {MAX_PAGE} rows")
    wanted = list(dict.fromkeys(columns))
    predicate = parse_predicate(where) if where and where.strip() else None
    conditions = [scene.where(which)]
    if predicate is not None:
        conditions.append(f"coalesce({predicate.sql}, FALSE)")
    if id_contains:
        conditions.append(f"contains(id, {literal(id_contains)})")
    also: dict[str, Any] = {"flag": scene.flags}
    if scene.outcome is not None and (step is not None or sort == DECIDED):
        also[DECIDED] = scene.outcome.deciding
    if scene.outcome is not None and step is not None:
        conditions.append(f"{DECIDED} = {scene.outcome.number(step)}")
    sort = None if sort == DECIDED and scene.outcome is None else sort
    reads = {*wanted, *([sort] if sort and sort != DECIDED else []), *(predicate.columns if predicate else ())}
    for name in sorted(reads):
        scene.facts.info(name)
    source = scene.facts.source(reads, also=also)
    direction = "DESC" if descending else "ASC"
    order = f"{ident(sort)} {direction} NULLS LAST, row" if sort else f"row {direction}"
    body = f"FROM {source} WHERE {' AND '.join(f'({part})' for part in conditions)}"
    total, rows = _count_and_read(scene.facts, body, f"ORDER BY {order} LIMIT {limit} OFFSET {offset}", source)
    return Page(scene.facts.table(["row", *wanted], rows), total, offset)


def _count_and_read(facts: Facts, body: str, page: str, source: Source) -> tuple[int, NDArray[np.int64]]:
    """Return how many rows there are in all, and the facts rows of the page, int64 (m,), in page order."""
    try:
        total = facts.query(f"SELECT count(*) {body}", source).column(0)[0].as_py()
        rows = facts.query(f"SELECT row {body} {page}", source).column(0).to_numpy()
    except duckdb.Error as error:
        raise PredicateError("Condition cannot be evaluated", value=str(error).splitlines()[0]) from None
    return int(total), np.asarray(rows, dtype=np.int64)


def sample_rows(
    scene: Scene, *, which: Which = "all", step: str | None = None, n: int = 20, seed: int = 0
) -> NDArray[np.int64]:
    """Return the facts rows of a random sample, int64 (<= n,), in hash order: the same for the same seed.

    Args:
        scene: the documents.
        which: all, selected, kept or dropped.
        step: only documents dropped by this step.
        n: how many.
        seed: of the keyed hash.
    """
    mask = scene.mask(which)
    if step is not None and scene.outcome is not None:
        mask = mask & (scene.outcome.deciding == scene.outcome.number(step))
    return sample_of(scene.facts, mask, n=n, seed=seed)


def sample_of(facts: Facts, mask: NDArray[np.bool_], *, n: int, seed: int = 0) -> NDArray[np.int64]:
    """Return the facts rows of a random sample of some documents, int64 (<= n,), as ``sample_rows`` does.

    Args:
        facts: the documents.
        mask: bool (facts.n,), those to draw from.
        n: how many.
        seed: of the keyed hash.
    """
    order = facts.memo.through(
        ("sample order", facts.digest, seed), lambda: _sample_order(facts, seed), size=lambda rows: int(rows.nbytes)
    )
    found, start, reach = np.zeros(0, dtype=np.int64), 0, max(1024, 4 * n)
    while start < facts.n and len(found) < n:
        part = order[start : start + reach]
        found = np.concatenate([found, part[mask[part]]])
        start, reach = start + reach, 2 * reach
    return found[:n]


def _sample_order(facts: Facts, seed: int) -> NDArray[np.int64]:
    """Return all rows in hash order, int64 (n,)."""
    return np.argsort(mix_keys(facts.keys, seed=seed, salt="sample"), kind="stable")


def deciding_steps(outcome: Outcome | None, rows: NDArray[np.int64]) -> list[str]:
    """Return for each document number and id of the step that dropped it, or "no step"; nothing without a recipe."""
    if outcome is None or not outcome.steps:
        return []
    named = ["no step", *(f"{number} {step.id}" for number, step in enumerate(outcome.steps, start=1))]
    return [named[int(number)] for number in outcome.deciding[rows]]


def row_of(facts: Facts, id_: str) -> int | None:
    """Return the facts row of an id, None if no document has it."""
    row = int(pc.index(facts.ids, pa.scalar(id_, facts.ids.type)).as_py())
    return row if row >= 0 else None


def rows_of(facts: Facts, ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the facts rows of known ids, ascending int64 (m,); unknown ids are left out."""
    found = pc.index_in(pa.array(list(ids), pa.string()), facts.ids).drop_null()
    return np.unique(np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64))


def why(outcome: Outcome, facts: Facts, row: int) -> tuple[Verdict, ...]:
    """Return the verdict of every active step on one document, in order.

    Row rules give a verdict even after the document was dropped; set steps only if it reached them.
    """
    number = int(outcome.deciding[row])
    verdicts = []
    for place, step in enumerate(outcome.steps, start=1):
        operator = step.operator
        if isinstance(operator, RowOperator):
            passed = bool(row_masks(facts, [operator])[0][row])
            value = _value(facts, operator, row)
            verdicts.append(Verdict(step.id, operator.name, passed, value, _threshold(facts, operator, row)))
        elif step.id in outcome.traces and (number == 0 or place <= number):
            verdicts.append(_set_verdict(outcome, step.id, operator.name, row))
        else:
            verdicts.append(Verdict(step.id, operator.name, None))
    return tuple(verdicts)


def _value(facts: Facts, operator: RowOperator, row: int) -> str | None:
    expression = operator.value()
    if expression is None:
        return None
    source = facts.source(operator.columns())
    found = facts.query(f"SELECT CAST({expression} AS VARCHAR) AS value FROM {source} WHERE row = {int(row)}", source)
    value = found.column("value")[0].as_py()
    return None if value is None else str(value)


def _threshold(facts: Facts, operator: RowOperator, row: int) -> str | None:
    """Return the threshold that a row rule sets for one document: of ranges per group, that of its own group."""
    if not isinstance(operator, GroupedRange):
        return operator.threshold()
    own = facts.table([operator.by], np.asarray([row])).column(operator.by)[0].as_py()
    value = "" if own is None else str(own)
    bound = next((each.text() for each in operator.bounds if each.value == value), None)
    return bound or f"no range for {operator.by} {value or 'none'}"


def _set_verdict(outcome: Outcome, step_id: str, operator: str, row: int) -> Verdict:
    trace = outcome.traces[step_id]
    place = int(np.searchsorted(trace.rows, row))
    if place >= len(trace.rows) or trace.rows[place] != row:
        return Verdict(step_id, operator, None)
    decision = trace.decision
    value = None if decision.value is None else decision.value[place].as_py()
    threshold = decision.threshold
    twin = None if decision.twin is None or decision.twin[place] < 0 else int(decision.twin[place])
    return Verdict(
        step=step_id,
        operator=operator,
        passed=bool(decision.copies[place] > 0),
        value=None if value is None else f"{value:.6g}" if isinstance(value, float) else str(value),
        threshold=threshold if threshold is None or isinstance(threshold, str) else threshold[place].as_py(),
        twin=twin,
        similarity=float(decision.similarity[place]) if twin is not None and decision.similarity is not None else None,
    )

"""Running a recipe on facts.

Row rules do not depend on each other, so one DuckDB statement evaluates all new ones; each result, a mask over the
documents, is cached by its predicate. Set rules see the documents that reach them; their result is cached by all steps
before them. An edit of a late step therefore recomputes only that step.

Freezing: numbers that a step derived from one corpus become fixed numbers with their provenance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo, Kind, suggest_column
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import (
    OPERATORS,
    Decision,
    Evidence,
    Operator,
    RowOperator,
    SetOperator,
    TextOperator,
    View,
)
from tamis.analytics.operators.sets import PercentileBand
from tamis.analytics.operators.token_costs import COST_COLUMNS
from tamis.analytics.recipe.outcome import Count, Outcome, Trace
from tamis.analytics.recipe.recipe import Provenance, Recipe, operator_digest
from tamis.analytics.steps.measures import Measure
from tamis.analytics.steps.per_row import PICTURES_STEP
from tamis.analytics.steps.scopes import on_scope, split_scope
from tamis.data.errors import RecipeError
from tamis.data.progress import NullProgress, Progress

MASKS_PER_STATEMENT = 60

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _State:
    """The documents between two steps."""

    deciding: NDArray[np.int16]
    copies: NDArray[np.int32]
    position: NDArray[np.int64] | None
    weight: NDArray[np.float64] | None
    count: Count

    @property
    def size(self) -> int:
        """Return the bytes held."""
        arrays = (self.deciding, self.copies, self.position, self.weight)
        return sum(array.nbytes for array in arrays if array is not None)


def evaluate(recipe: Recipe, facts: Facts, evidence: Evidence, *, progress: Progress | None = None) -> Outcome:
    """Return what a recipe does to the documents of ``facts``.

    Args:
        recipe: its active steps run in order.
        facts: the documents.
        evidence: measured pairs, arrays and id sets that rules read.
        progress: receives the steps; may cancel between them.

    Raises:
        RecipeError: a rule names an unknown column, compares incompatible types, or lacks a measurement.
    """
    progress = progress or NullProgress()
    recipe = _with_tables(recipe, evidence)
    facts = attach(facts, recipe.measures(), evidence)
    check_columns(recipe, facts)
    rules = {step.id: step.operator for step in recipe.active if isinstance(step.operator, RowOperator)}
    masks = row_masks(facts, list(rules.values()), names=list(rules))
    by_step = dict(zip(rules, masks, strict=True))
    state = _start(facts)
    counts, traces = [state.count], {}
    progress.step("recipe", len(recipe.active), "steps")
    for number, step in enumerate(recipe.active, start=1):
        progress.check()
        if isinstance(step.operator, SetOperator):
            state, traces[step.id] = _set_step(recipe, number, step.operator, state, facts, evidence)
        elif step.id in by_step:
            state = _row_step(number, by_step[step.id], state, facts)
        state = replace(state, count=replace(state.count, step=step.id))
        counts.append(state.count)
        progress.advance()
    return Outcome(
        recipe=recipe,
        facts=facts.digest,
        deciding=state.deciding,
        copies=state.copies,
        position=_without_gaps(state.position),
        weight=state.weight,
        counts=tuple(counts),
        traces=traces,
        errors=facts.errors,
    )


def _with_tables(recipe: Recipe, evidence: Evidence) -> Recipe:
    """Return the recipe with text steps that hold the stored tables they name; its digest stays."""
    for step in recipe.active:
        if isinstance(step.operator, TextOperator) and step.operator.assets():
            recipe = recipe.replaced(step.id, operator=step.operator.with_tables(evidence.table))
    return recipe


def attach(facts: Facts, measures: Iterable[Measure], evidence: Evidence) -> Facts:
    """Return facts with the measured columns that rules read."""
    for measure in measures:
        if measure.column is None or measure.column in facts.columns:
            continue
        values = evidence.array(measure, measure.column)
        facts = facts.with_column(_measured(measure, values), _arrow(values))
    return facts


def _measured(measure: Measure, values: NDArray[Any]) -> ColumnInfo:
    """Return the description of a measured column."""
    name = str(measure.column)
    scope, column = split_scope(name)
    plain = COLUMNS.get(column) if scope else None
    if plain is not None:
        return on_scope(plain, scope)
    kinds: dict[str, Kind] = {"b": "boolean", "i": "integer", "u": "integer", "O": "category"}
    return ColumnInfo(name, kinds.get(values.dtype.kind, "number"), title=measure.kind, role="measure")


def _arrow(values: NDArray[Any]) -> Any:
    """Return an array for the facts: NaN is NULL there."""
    if values.dtype.kind == "O":
        return pa.array(values.tolist(), pa.string())
    return pa.array(values, mask=np.isnan(values)) if values.dtype.kind == "f" else pa.array(values)


def check_columns(recipe: Recipe, facts: Facts) -> None:
    """Refuse rules that name columns the facts do not have, or columns that are valid on this map only.

    Raises:
        RecipeError: names the step, the column and the columns there are.
    """
    for step in recipe.active:
        for name in sorted(step.operator.columns()):
            if name not in facts.columns:
                raise RecipeError(
                    f"Step {step.id} needs a column that this corpus does not have",
                    value=name,
                    allowed=facts.columns,
                    fix=_missing(name, facts),
                )
            if isinstance(step.operator, RowOperator) and facts.columns[name].role in ("map", "cluster"):
                raise RecipeError(
                    f"Step {step.id} compares {name}, whose numbers are valid on this map only",
                    fix="use a cluster rule or a lasso instead: they store their documents",
                )


_MAPPED = ("cluster", "concept", "density", "outlier", "x", "y")


def _missing(name: str, facts: Facts) -> str:
    """Return what to do about a column that a corpus does not have."""
    if "megapixels" in facts.columns and name in _MAPPED:
        return "the model of pictures makes it: pip install 'tamis[images]', then analyse again"
    if "megapixels" in facts.columns and name == "n_tokens":
        return "pictures without captions have no tokens: give a share or a number of documents (unit: documents)"
    known = COLUMNS.get(name)
    if known is not None and known.step == PICTURES_STEP:
        return "it is measured on pictures, and this corpus holds texts: choose a column of texts"
    if "megapixels" in facts.columns and known is not None and known.step == "signals":
        return "it is measured on texts, and these pictures have no captions: choose a column of pictures"
    near = suggest_column(name, facts.columns)
    return near or "choose another column, or run the analysis step that measures it"


def check_condition(operator: RowOperator, facts: Facts) -> None:
    """Refuse a condition that names columns the facts do not have.

    Raises:
        RecipeError: names the column, the nearest one there is, and all there are.
    """
    for name in sorted(operator.columns()):
        if name not in facts.columns:
            near = suggest_column(name, facts.columns)
            raise RecipeError(f"No column {name}; {near}" if near else f"No column {name}", allowed=facts.columns)


def row_masks(facts: Facts, operators: Sequence[RowOperator], *, names: Sequence[str] | None = None) -> list[Mask]:
    """Return which documents each rule lets pass, bool (n,) each; one statement evaluates those not cached.

    Raises:
        RecipeError: DuckDB cannot evaluate a rule, for example text compared with a number; names the rule.
    """
    keys = [("mask", facts.digest, operator.keeps()) for operator in operators]
    found = {key: mask for key in dict.fromkeys(keys) if (mask := facts.memo.get(key)) is not None}
    wanted = [place for place, key in enumerate(keys) if key not in found]
    wanted = list({keys[place]: place for place in wanted}.values())
    for start in range(0, len(wanted), MASKS_PER_STATEMENT):
        part = wanted[start : start + MASKS_PER_STATEMENT]
        labels = [operators[place].name if names is None else names[place] for place in part]
        for place, mask in zip(part, _ask(facts, [operators[place] for place in part], labels), strict=True):
            found[keys[place]] = facts.memo.put(keys[place], mask, size=mask.nbytes)
    return [found[key] for key in keys]


def _ask(facts: Facts, operators: Sequence[RowOperator], labels: Sequence[str]) -> list[Mask]:
    """Evaluate rules in one scan; every rule becomes one bit of an integer per document."""
    columns = frozenset().union(*(operator.columns() for operator in operators))
    source = facts.source(columns)
    bits = " | ".join(f"(({operator.keeps()})::UBIGINT << {k})" for k, operator in enumerate(operators))
    try:
        packed = facts.query(f"SELECT {bits or '0'} AS bits FROM {source}", source).column("bits").to_numpy()
    except duckdb.Error as error:
        if len(operators) > 1:
            return [_ask(facts, [operator], [label])[0] for operator, label in zip(operators, labels, strict=True)]
        first = str(error).splitlines()[0]
        raise RecipeError(f"Step {labels[0]} cannot be evaluated", value=first) from None
    return [(packed >> np.uint64(k)) & np.uint64(1) == 1 for k in range(len(operators))]


def _start(facts: Facts) -> _State:
    """Return all documents, one copy each."""
    copies = np.ones(facts.n, dtype=np.int32)
    total = facts.memo.through(("input", facts.digest), lambda: _count(facts, copies), size=lambda _: 64)
    return _State(deciding=np.zeros(facts.n, dtype=np.int16), copies=copies, position=None, weight=None, count=total)


def _count(facts: Facts, copies: NDArray[np.int32], rows: NDArray[np.int64] | slice = slice(None)) -> Count:
    """Return what some rows hold, all of them by default."""
    held = copies[rows].astype(np.int64)
    return Count(
        step="",
        documents=int(np.count_nonzero(held)),
        copies=int(held.sum()),
        tokens=int(held @ facts.whole("n_tokens")[rows]),
        bytes=int(held @ facts.whole("bytes")[rows]),
    )


def _row_step(number: int, mask: Mask, state: _State, facts: Facts) -> _State:
    """Drop what a row rule does not let pass."""
    gone = np.flatnonzero((state.deciding == 0) & ~mask)
    copies, deciding = state.copies.copy(), state.deciding.copy()
    copies[gone], deciding[gone] = 0, number
    position = None if state.position is None else state.position.copy()
    weight = None if state.weight is None else state.weight.copy()
    if position is not None:
        position[gone] = -1
    if weight is not None:
        weight[gone] = np.nan
    return _State(deciding, copies, position, weight, state.count.without(_count(facts, state.copies, gone)))


def _set_step(
    recipe: Recipe, number: int, operator: SetOperator, state: _State, facts: Facts, evidence: Evidence
) -> tuple[_State, Trace]:
    """Let a set rule decide, or reuse its decision from the same steps before."""
    before: list[Operator] = [step.operator for step in recipe.active[:number]]
    key = ("state", facts.digest, operator_digest(before))

    def decide() -> tuple[_State, Trace]:
        rows = np.flatnonzero(state.deciding == 0)
        columns = operator.columns()
        costs = {name for name in COST_COLUMNS if name in facts.columns} if "n_tokens" in columns else set()
        view = View(
            rows=rows,
            keys=facts.keys[rows],
            copies=state.copies[rows],
            table=facts.table(sorted(columns | costs), rows),
            evidence=evidence,
        )
        decision = operator.decide(view)
        _check_decision(operator, decision, view)
        return _apply(number, decision, rows, state, facts), Trace(rows, decision)

    return facts.memo.through(key, decide, size=lambda pair: pair[0].size + _weight(pair[1]))


def _weight(trace: Trace) -> int:
    """Return roughly how many bytes a trace holds."""
    decision = trace.decision
    arrays = (trace.rows, decision.copies, decision.twin, decision.similarity, decision.position, decision.weight)
    return sum(array.nbytes for array in arrays if array is not None) + (decision.value.nbytes if decision.value else 0)


def _check_decision(operator: SetOperator, decision: Decision, view: View) -> None:
    """Refuse a decision that does not cover its view."""
    if len(decision.copies) != len(view) or (len(view) and int(decision.copies.min()) < 0):
        raise RecipeError(f"Operator {operator.name} did not decide every document", value=len(decision.copies))


def _apply(number: int, decision: Decision, rows: NDArray[np.int64], state: _State, facts: Facts) -> _State:
    """Write a decision into a copy of the state; positions become 0..m-1 without gaps."""
    copies, deciding = state.copies.copy(), state.deciding.copy()
    copies[rows] = decision.copies
    gone = decision.copies == 0
    deciding[rows[gone]] = number
    position, weight = state.position, state.weight
    if position is not None:
        position = np.where(copies == 0, -1, position)
    if decision.position is not None:
        kept = rows[~gone]
        position = np.full(facts.n, -1, dtype=np.int64)
        position[kept[np.lexsort((kept, decision.position[~gone]))]] = np.arange(len(kept))
    if decision.weight is not None:
        weight = np.full(facts.n, np.nan)
        weight[rows] = decision.weight
    if weight is not None:
        weight = np.where(copies == 0, np.nan, weight)
    return _State(deciding, copies, position, weight, _count(facts, copies))


def _without_gaps(position: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """Return positions renumbered from 0, so that documents dropped after the ordering leave no gaps."""
    if position is None:
        return None
    kept = np.flatnonzero(position >= 0)
    found = np.full(len(position), -1, dtype=np.int64)
    found[kept[np.argsort(position[kept], kind="stable")]] = np.arange(len(kept))
    return found


def freeze(recipe: Recipe, step_id: str, *, outcome: Outcome, corpus: str = "") -> Recipe:
    """Return the recipe with a percentile band replaced by the range of values it found, or the range of each group.

    The range keeps the same documents wherever the signal means the same, instead of adapting to each corpus.

    Args:
        recipe: the recipe of ``outcome``.
        step_id: a step with the operator ``percentile_band``.
        outcome: holds the values of the percentiles.
        corpus: fingerprint of the corpus, for the provenance.

    Raises:
        RecipeError: another operator, or no value was found.
    """
    band = recipe.step(step_id).operator
    if not isinstance(band, PercentileBand):
        raise RecipeError("Only a percentile band can be frozen", value=band.name, allowed="percentile_band")
    found = outcome.resolved.get(step_id, {})
    if not any(found.values()):
        raise RecipeError("The percentile band found no value here", value=step_id, fix="evaluate the recipe first")
    if band.within is not None:
        origin = Provenance("percentile", source=corpus)
        return recipe.replaced(step_id, operator=_build_grouped_range(band, found), provenance=(("bounds", origin),))
    percentiles = {"min": band.low, "max": band.high}
    bounds = _bounds(found)
    origins = tuple(
        (name, Provenance("percentile", percentile=percentiles[name], source=corpus)) for name in sorted(bounds)
    )
    params = {"signal": band.signal, "missing": band.missing, **bounds}
    return recipe.replaced(step_id, operator=OPERATORS.build("signal_range", params), provenance=origins)


def freeze_bands(recipe: Recipe, *, outcome: Outcome, corpus: str = "", steps: Sequence[str] | None = None) -> Recipe:
    """Return the recipe with some percentile bands frozen, all active ones by default; see ``freeze``.

    Args:
        recipe: the recipe of ``outcome``.
        outcome: holds the values of the percentiles.
        corpus: fingerprint of the corpus, for the provenance.
        steps: ids of the steps to freeze.

    Raises:
        RecipeError: as ``freeze``, or there is no percentile band.
    """
    bands = [step.id for step in recipe.active if isinstance(step.operator, PercentileBand)]
    if not bands and not steps:
        raise RecipeError("The recipe has no percentile band to freeze", allowed="steps with percentile_band")
    for step_id in bands if steps is None else steps:
        recipe = freeze(recipe, step_id, outcome=outcome, corpus=corpus)
    return recipe


def _bounds(found: Mapping[str, float]) -> dict[str, float]:
    """Return the ends of a band by the parameter names of a range."""
    return {name: found[end] for end, name in (("low", "min"), ("high", "max")) if end in found}


def _build_grouped_range(band: PercentileBand, found: Mapping[str, Any]) -> Operator:
    """Return one range per group; groups without any value have none."""
    bounds = [{"value": group, **_bounds(ends)} for group, ends in sorted(found.items()) if ends]
    params = {"signal": band.signal, "by": band.within, "bounds": bounds, "missing": band.missing}
    return OPERATORS.build("grouped_range", params)

"""Why documents were dropped: by a recipe on a corpus, or by a finished run. Answers as they may leave."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tamis.analytics.agents.answers import LedgerAnswer, LedgerRow, WhyAnswer
from tamis.analytics.agents.disclosure import Disclosure, number
from tamis.analytics.agents.questions import require_measured, row_of
from tamis.analytics.export.run_folder import Run
from tamis.analytics.recipe.ledger import LEDGER_SCHEMA, ledger_blocks
from tamis.analytics.recipe.plan import attach
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError, SettingError, StoreError
from tamis.data.listing import RUN_FILE
from tamis.data.names import inside
from tamis.data.parquet import read_parquet

MOST_ROWS = 200
_LEDGER, _SELECTION = "ledger.parquet", "selection.parquet"


def explain(study: Study, recipe: Recipe, document: str, disclosure: Disclosure, *, seconds: float = 60) -> WhyAnswer:
    """Return whether a recipe keeps a document, and the ledger's row if it does not.

    Raises:
        RecipeError: there is no such document, or the recipe does not fit the corpus.
    """
    row_of(study, document)
    for row in _rows(study, recipe, seconds=seconds, document=document).to_pylist():
        found = _disclosed(row, _shown_steps(study, recipe, disclosure), disclosure)
        return WhyAnswer(document, False, found.sentence, found)
    return WhyAnswer(document, True, "kept")


def read_ledger(
    study: Study,
    recipe: Recipe,
    disclosure: Disclosure,
    *,
    step: str = "",
    offset: int = 0,
    limit: int = 50,
    seconds: float = 60,
) -> LedgerAnswer:
    """Return a page of the ledger of a recipe on a corpus, of one step where ``step`` names it.

    Raises:
        RecipeError: the recipe has no such step, does not fit the corpus, or the page is outside the limits.
    """
    if step:
        recipe.index(step)
    shown = _shown_steps(study, recipe, disclosure)
    return _page(_rows(study, recipe, seconds=seconds, step=step), shown, disclosure, offset, limit)


def explain_run(study: Study, run: str, document: str, disclosure: Disclosure) -> WhyAnswer:
    """Return what a finished run of the corpus decided about a document.

    Raises:
        SettingError: the workspace has no such run, or it is of another corpus.
        RecipeError: the run saw no such document.
    """
    ledger, selection = run_tables(study, run)
    known = _of_id(selection, document)
    if not known.num_rows:
        raise RecipeError("The run saw no such document", value=document, fix="take an id of a search")
    for row in _of_id(ledger, document).to_pylist():
        found = _disclosed(row, (), disclosure)
        return WhyAnswer(document, False, found.sentence, found)
    return WhyAnswer(document, True, "kept")


def read_run_ledger(
    study: Study, run: str, disclosure: Disclosure, *, step: str = "", offset: int = 0, limit: int = 50
) -> LedgerAnswer:
    """Return a page of the ledger of a finished run of the corpus.

    Raises:
        SettingError: the workspace has no such run, or it is of another corpus.
    """
    ledger, _ = run_tables(study, run)
    if step:
        ledger = ledger.filter(pc.equal(ledger.column("step"), step))
    return _page(ledger, (), disclosure, offset, limit)


def run_tables(study: Study, run: str) -> tuple[pa.Table, pa.Table]:
    """Return the ledger and the ids of the selection of a finished run of a corpus.

    Raises:
        SettingError: the workspace has no such run, or it is of another corpus; the message lists those of this one.
    """
    runs = study.workspace.runs
    folder = inside(runs, run, what="Name of a run")
    known = {path.parent.name for path in runs.glob(f"*/{RUN_FILE}") if _is_of(study, path.parent)}
    if run not in known:
        raise SettingError("There is no such run of this corpus", value=run, allowed=known or "none yet")
    return read_parquet(folder / _LEDGER), read_parquet(folder / _SELECTION).select(["id"])


def _is_of(study: Study, folder: Path) -> bool:
    try:
        return Run.open(folder).corpus == study.corpus.fingerprint
    except StoreError:
        return False


def _rows(study: Study, recipe: Recipe, *, seconds: float, step: str = "", document: str | None = None) -> pa.Table:
    """Return the ledger's rows of one step or document, of all by default."""
    require_measured(study, recipe, seconds=seconds)
    facts = attach(study.facts, recipe.measures(), study.evidence)
    found = [LEDGER_SCHEMA.empty_table()]
    for block in ledger_blocks(study.evaluate(recipe), facts, study.evidence):
        part = block if not step else block.filter(pc.equal(block.column("step"), step))
        found.append(part if document is None else _of_id(part, document))
    return pa.concat_tables(found)


def _of_id(table: pa.Table, document: str) -> pa.Table:
    return table.filter(pc.equal(table.column("id").cast(pa.string()), document))


def _shown_steps(study: Study, recipe: Recipe, disclosure: Disclosure) -> frozenset[str]:
    """Return the steps that read only columns whose values may leave; what a step measured leaves as a number."""
    known = study.facts.columns
    return frozenset(
        step.id
        for step in recipe.active
        if all(name in known and disclosure.shows(known[name]) for name in step.operator.columns())
    )


def _page(table: pa.Table, shown: Collection[str], disclosure: Disclosure, offset: int, limit: int) -> LedgerAnswer:
    if not 1 <= limit <= MOST_ROWS or offset < 0:
        raise RecipeError("Page is outside the limits", value=(offset, limit), allowed=f"1 to {MOST_ROWS} rows")
    rows = table.slice(offset, limit).to_pylist()
    return LedgerAnswer(table.num_rows, tuple(_disclosed(row, shown, disclosure) for row in rows))


def _disclosed(row: Mapping[str, Any], shown: Collection[str], disclosure: Disclosure) -> LedgerRow:
    """Return a row of the ledger; of steps that are not ``shown`` a value leaves as a number only."""
    value = row["value"]
    hidden = not (disclosure.texts or row["step"] in shown or value is None or _is_number(value))
    return LedgerRow(
        id=row["id"],
        step=row["step"],
        rule=row["rule"],
        value=None if hidden else value,
        threshold=None if hidden else row["threshold"],
        twin=row["twin"],
        similarity=number(row["similarity"]),
    )


def _is_number(value: str) -> bool:
    try:
        return number(float(value)) is not None
    except ValueError:
        return False

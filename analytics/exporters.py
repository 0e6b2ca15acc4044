"""The rule part of a recipe in other tools' languages, each with a list of what gets lost.

Rules read columns that Tamis measured. ``rule_columns`` is the table that goes with an export: the ids, the columns the
rules read and, where a tool needs it, the texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from tamis.analytics.facts import Facts
from tamis.analytics.operator import RowOperator, SetOperator, TextOperator
from tamis.analytics.plan import attach
from tamis.analytics.recipe import Recipe
from tamis.analytics.recipe_step import Step
from tamis.analytics.study import Study
from tamis.analytics.study_texts import texts_of
from tamis.data.errors import RecipeError

Tool = Literal["sql", "datatrove", "data-juicer"]


@dataclass(frozen=True)
class Loss:
    """Something an export does not say, or says differently.

    Attributes:
        step: id of the step.
        what: one sentence.
        dropped: the step is not in the export at all.
    """

    step: str
    what: str
    dropped: bool


@dataclass(frozen=True)
class Export:
    """A recipe in another language.

    Attributes:
        tool: which.
        text: the file.
        suffix: of its name.
        losses: what gets lost; empty when the export decides exactly as the row rules do.
        columns: what it reads of ``rule_columns``.
        needs_text: whether it reads texts as well.
    """

    tool: Tool
    text: str
    suffix: str
    losses: tuple[Loss, ...]
    columns: tuple[str, ...]
    needs_text: bool = False


def row_steps(recipe: Recipe) -> tuple[tuple[Step, RowOperator], ...]:
    """Return the active steps that decide each document by itself."""
    return tuple((step, step.operator) for step in recipe.active if isinstance(step.operator, RowOperator))


def lost_steps(recipe: Recipe) -> tuple[Loss, ...]:
    """Return the active steps that are not row rules, as losses."""
    found = []
    for step in recipe.active:
        if isinstance(step.operator, SetOperator):
            what = f"{step.operator.sentence()}: decides documents together; run the bundle with Tamis for it."
            found.append(Loss(step.id, what, dropped=True))
        elif isinstance(step.operator, TextOperator):
            what = f"{step.operator.sentence()}: changes texts when they are written; run the bundle with Tamis for it."
            found.append(Loss(step.id, what, dropped=True))
    return tuple(found)


def rule_part(recipe: Recipe) -> Recipe:
    """Return a copy with the row rules only: what an export without losses decides."""
    for step in recipe.active:
        if not isinstance(step.operator, RowOperator):
            recipe = recipe.without(step.id)
    return recipe


def export_rules(recipe: Recipe, facts: Facts, tool: Tool) -> Export:
    """Return the rule part of a recipe for a tool.

    Args:
        recipe: what to export.
        facts: says which columns there are and of which types; measured columns need not be attached.
        tool: ``sql``, ``datatrove`` or ``data-juicer``.

    Raises:
        RecipeError: unknown tool.
    """
    from tamis.analytics.export_datatrove import to_datatrove
    from tamis.analytics.export_juicer import to_data_juicer
    from tamis.analytics.export_sql import to_sql

    known: Mapping[str, Callable[[Recipe, Facts], Export]] = {
        "sql": to_sql,
        "datatrove": to_datatrove,
        "data-juicer": to_data_juicer,
    }
    if tool not in known:
        raise RecipeError("Unknown tool to export for", value=tool, allowed=known)
    return known[tool](recipe, facts)


def rule_columns(study: Study, recipe: Recipe, export: Export) -> pa.Table:
    """Return what an export reads: ``id``, its columns in id order and, where it needs them, ``text``.

    Raises:
        RecipeError: a column has not been measured.
    """
    facts = attach(study.facts, recipe.measures(), study.evidence)
    table = facts.table(["id", *(name for name in export.columns if name != "id")])
    if not export.needs_text:
        return table
    rows = table_rows(facts)
    return table.append_column("text", texts_of(study.corpus, study.documents, rows))


def table_rows(facts: Facts) -> pa.Array:
    """Return all facts rows, int64 (n,)."""
    return pa.array(range(facts.n), pa.int64()).to_numpy()


def header(recipe: Recipe, losses: tuple[Loss, ...], *, mark: str) -> str:
    """Return comment lines that say what the file is and what it leaves out."""
    lines = [
        f"{recipe.title}: rule part of the recipe {recipe.digest[:16]}, exported by Tamis.",
        *(recipe.why.splitlines() if recipe.why else []),
    ]
    lines += ["", "What gets lost:"] if losses else ["", "Nothing gets lost: it decides exactly as the recipe does."]
    lines += [f"- {loss.step}: {loss.what}" for loss in losses]
    plain = (" ".join(line.split()) for line in lines)
    return "".join(f"{mark} {line}".rstrip() + "\n" for line in plain)

"""Row rules as one SQL statement for DuckDB, with the predicates that Tamis itself evaluates."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from tamis.analytics.export.data_juicer import to_data_juicer
from tamis.analytics.export.datatrove import to_datatrove
from tamis.analytics.export.rule_export import Export, Tool, header, lost_steps, row_steps
from tamis.analytics.facts.facts import Facts
from tamis.analytics.recipe.plan import attach
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.chosen_texts import texts_of
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError, StoreError
from tamis.data.parquet import sync, write_bytes, write_parquet
from tamis.data.sql import ident


def export_rules(recipe: Recipe, facts: Facts, tool: Tool) -> Export:
    """Return the rule part of a recipe for a tool.

    Args:
        recipe: what to export.
        facts: says which columns there are and of which types; measured columns need not be attached.
        tool: ``sql``, ``datatrove`` or ``data-juicer``.

    Raises:
        RecipeError: unknown tool.
    """
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


def write_rules(folder: str | Path, *, study: Study, recipe: Recipe, tool: Tool) -> Export:
    """Write the rule part of a recipe for a tool, with the table it reads beside it, and return it.

    Args:
        folder: to make; it appears when it is complete, in place of an earlier export for the same tool.
        study: the corpus; what the recipe needs must have been measured.
        recipe: what to export.
        tool: ``sql``, ``datatrove`` or ``data-juicer``.

    Raises:
        RecipeError: unknown tool, or a column has not been measured.
        StoreError: something else is at ``folder``.
    """
    export = export_rules(recipe, study.facts, tool)
    target = Path(folder).expanduser().absolute()
    if target.exists() and not _replaceable(target, export, study):
        raise StoreError("Something else is at this path", value=str(target), fix="choose another folder")
    draft = target.with_name(f".{target.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    write_parquet(rule_columns(study, recipe, export), draft / export.table)
    write_bytes(draft / export.file, export.text.encode())
    if target.exists():
        shutil.rmtree(target)
    draft.rename(target)
    sync(target.parent)
    return export


def _replaceable(target: Path, export: Export, study: Study) -> bool:
    """Say whether a folder is empty, or holds an earlier export for the same tool and no file of the corpus."""
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    ours = target.is_dir() and (not found or {export.file} <= found <= {export.file, export.table})
    return ours and not any(file.path.resolve().is_relative_to(target.resolve()) for file in study.corpus.files)


def table_rows(facts: Facts) -> pa.Array:
    """Return all facts rows, int64 (n,)."""
    return pa.array(range(facts.n), pa.int64()).to_numpy()


TABLE = "documents.parquet"


def to_sql(recipe: Recipe, facts: Facts) -> Export:
    """Return a statement that selects the ids of the documents that pass every row rule, in id order.

    It reads the columns of ``rule_columns`` from ``documents.parquet``.
    """
    steps = row_steps(recipe)
    losses = lost_steps(recipe)
    conditions = [f"  -- {step.id}: {_comment(rule.sentence())}\n  ({rule.keeps()})" for step, rule in steps]
    where = "\nWHERE\n" + "\n  AND\n".join(conditions) if conditions else ""
    select = f"SELECT {ident('id')}\nFROM read_parquet('{TABLE}'){where}\nORDER BY {ident('id')};\n"
    text = f"{header(recipe, losses, mark='--')}\n{select}"
    columns = sorted(frozenset().union(*(rule.columns() for _, rule in steps)) - {"id"})
    return Export("sql", text, ".sql", losses, tuple(columns))


def _comment(text: str) -> str:
    return " ".join(text.split())

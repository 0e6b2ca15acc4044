"""Row rules as one SQL statement for DuckDB, the very predicates that Tamis itself asks."""

from __future__ import annotations

from tamis.analytics.exporters import Export, header, lost_steps, row_steps
from tamis.analytics.facts import Facts
from tamis.analytics.recipe import Recipe
from tamis.data.sql import ident

TABLE = "documents.parquet"


def to_sql(recipe: Recipe, facts: Facts) -> Export:
    """Return a statement that selects the ids of the documents that pass every row rule, in id order.

    It reads the columns of ``exporters.rule_columns`` from ``documents.parquet``.
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

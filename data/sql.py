"""Quoting for SQL text: every name and every literal that Tamis writes into a statement passes through here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime

from tamis.data.errors import RecipeError


def ident(name: str) -> str:
    """Return ``name`` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """Return ``value`` as a SQL literal; numbers are parenthesised so that ``x - -1`` never becomes a comment.

    Raises:
        RecipeError: for NaN, infinities, NUL characters and unknown types.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return f"({value})"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise RecipeError("Numbers must be finite", value=value)
        return f"({value!r}::DOUBLE)"
    if isinstance(value, str):
        if "\x00" in value:
            raise RecipeError("Text may not hold a NUL character", value=value)
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, (datetime, date)):
        return f"TIMESTAMP '{value.isoformat(sep=' ') if isinstance(value, datetime) else value.isoformat()}'"
    raise RecipeError("Value has no SQL form", value=value)


def literals(values: Iterable[object]) -> str:
    """Return a parenthesised list for ``IN``; an empty list matches nothing."""
    items = [literal(value) for value in values]
    return "(" + ", ".join(items or ["NULL"]) + ")"

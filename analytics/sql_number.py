"""Numbers and patterns as predicates write them."""

from __future__ import annotations

import math
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from tamis.data.errors import PredicateError, RecipeError
from tamis.data.sql import literal


def number(value: float) -> str:
    """Return a number as SQL that compares exactly with FLOAT, DOUBLE and integer columns alike.

    A short decimal is written as DECIMAL, which takes the precision of the column it meets: a FLOAT holding 0.1 equals
    0.1. A number of more digits is a DOUBLE, which equals the very FLOAT it was read from.
    """
    if isinstance(value, int):
        return f"({int(value)})"
    if not math.isfinite(value):
        raise RecipeError("Numbers must be finite", value=value)
    if value.is_integer() and abs(value) < 2**53:
        return f"({int(value)})"
    decimal = Decimal(repr(value))
    if len(decimal.as_tuple().digits) <= 7 and 1e-9 < abs(value) < 1e9:
        return f"({decimal:f})"
    return literal(value)


def check_regex(pattern: str) -> str:
    """Return the pattern if RE2 accepts it.

    Raises:
        PredicateError: it is not a regular expression of RE2 (no look-around, no back-references).
    """
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise PredicateError(
            "Regular expression is not accepted by RE2", value=pattern, fix=first_line(error)
        ) from None
    return pattern


def first_line(error: Exception) -> str:
    """Return what an error says, in one short line."""
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__

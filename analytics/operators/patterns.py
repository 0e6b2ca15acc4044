"""Regular expressions of RE2 in rules, and those that stand for plain words."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from tamis.data.errors import PredicateError


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


_SPECIAL = frozenset("\\.+*?()|[]{}^$")
_GAP = r"\s+"


def words_pattern(words: str) -> str:
    """Return a pattern that finds the words in this order with any white space between them."""
    escaped = ["".join("\\" + mark if mark in _SPECIAL else mark for mark in word) for word in words.split()]
    return _GAP.join(escaped)


def words_of_pattern(pattern: str) -> str | None:
    """Return the words that ``words_pattern`` made a pattern from, None for any other pattern."""
    words = " ".join(re.sub(r"\\(.)", r"\1", word) for word in pattern.split(_GAP))
    return words if words and words_pattern(words) == pattern else None


def first_line(error: Exception) -> str:
    """Return what an error says, in one short line."""
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__

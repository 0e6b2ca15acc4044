"""What row rules ask, as small conditions that other languages can write: ranges, sets of values, conjunctions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa

from tamis.analytics.facts import Facts
from tamis.analytics.operator import RowOperator
from tamis.analytics.operators_grouped import GroupedRange
from tamis.analytics.operators_rows import Category, Language, Regex, SignalRange
from tamis.analytics.operators_selection import AllOf, IdList
from tamis.data.errors import RecipeError


@dataclass(frozen=True)
class Between:
    """A number lies in a range.

    Attributes:
        column: which.
        low, high: None where open.
        strict_low, strict_high: the end itself does not pass.
    """

    column: str
    low: float | None = None
    high: float | None = None
    strict_low: bool = False
    strict_high: bool = False


@dataclass(frozen=True)
class OneOf:
    """A text is one of some values."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Matches:
    """A pattern occurs in the text at least so often."""

    pattern: str
    ignore_case: bool
    least: int


@dataclass(frozen=True)
class ByGroup:
    """A number lies in the range of its group; ``others`` says what a group without a range does."""

    column: str
    by: str
    ranges: Mapping[str, Between]
    others: bool


@dataclass(frozen=True)
class Every:
    """All of some rules let the document pass."""

    rules: tuple[Rule, ...]


Test = Between | OneOf | Matches | ByGroup | Every


@dataclass(frozen=True)
class Rule:
    """A row rule: tests that all hold, kept or dropped where they do, and what happens where they do not apply.

    Attributes:
        tests: their conjunction is unknown when one of them has no value and none fails.
        keep: keep the documents for which they hold, else drop them.
        missing: what happens when they are unknown.
    """

    tests: tuple[Test, ...]
    keep: bool
    missing: bool


def rule_of(operator: RowOperator, facts: Facts) -> Rule | None:
    """Return what a rule asks, or None for rules that have no such form (predicates, clusters, stored sets).

    Numbers are made comparable with the columns' own precision, as the SQL of the rule does it.
    """
    tests = _tests(operator, facts)
    if tests is None:
        return None
    return Rule(tests, operator.mode == "keep", operator.missing == "keep")


def _tests(operator: RowOperator, facts: Facts) -> tuple[Test, ...] | None:
    if isinstance(operator, SignalRange):
        low, high = (comparable(end, operator.signal, facts) for end in (operator.min, operator.max))
        return (Between(operator.signal, low, high, operator.strict_min, operator.strict_max),)
    if isinstance(operator, Language):
        known = OneOf("lang", operator.languages)
        if operator.min_confidence is None:
            return (known,)
        return (known, Between("lang_confidence", comparable(operator.min_confidence, "lang_confidence", facts)))
    if isinstance(operator, Category):
        return (OneOf(operator.column, operator.values),) if _is_text(operator.column, facts) else None
    if isinstance(operator, Regex):
        return (Matches(operator.pattern, operator.ignore_case, operator.min_matches),)
    if isinstance(operator, IdList) and operator.stored is None:
        return (OneOf("id", operator.ids),)
    if isinstance(operator, GroupedRange) and _is_text(operator.by, facts):
        ranges = {
            bound.value: Between(
                operator.signal,
                comparable(bound.min, operator.signal, facts),
                comparable(bound.max, operator.signal, facts),
            )
            for bound in operator.bounds
        }
        kept = (operator.others == "keep") == (operator.mode == "keep")
        return (ByGroup(operator.signal, operator.by, ranges, kept),)
    if isinstance(operator, AllOf):
        inner = [rule_of(rule, facts) for rule in operator.rules]
        return (Every(tuple(rule for rule in inner if rule is not None)),) if None not in inner else None
    return None


def comparable(value: float | None, column: str, facts: Facts) -> float | None:
    """Return a bound that compares in double precision as it does in SQL: a short decimal against a FLOAT column
    counts as the nearest FLOAT."""
    if value is None or float(value).is_integer():
        return None if value is None else int(value)
    digits = len(Decimal(repr(float(value))).as_tuple().digits)
    single = column in facts.columns and facts.array(column).type == pa.float32()
    return float(np.float32(value)) if single and digits <= 7 and 1e-9 < abs(value) < 1e9 else float(value)


def _is_text(column: str, facts: Facts) -> bool:
    try:
        kind = facts.array(column).type
    except RecipeError:
        return False
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))

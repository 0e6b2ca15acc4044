"""The rule part of a recipe in the languages of other tools, each with a list of losses.

Rules read columns that Tamis measured. ``rule_columns`` is the table that goes with an export: the ids, the columns the
rules read and, where a tool needs it, the texts.

Row rules as small conditions that other languages can express: ranges, sets of values, conjunctions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

import numpy as np
import pyarrow as pa

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import RowOperator, SetOperator, TextOperator, TrainingOperator
from tamis.analytics.operators.rows import Category, GroupedRange, Language, Regex, SignalRange
from tamis.analytics.operators.selection import AllOf, IdList
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.data.errors import RecipeError

Tool = Literal["sql", "datatrove", "data-juicer"]
TOOLS: tuple[Tool, ...] = get_args(Tool)


@dataclass(frozen=True)
class Loss:
    """A difference between an export and the recipe.

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
        losses: the differences; empty when the export decides exactly as the row rules do.
        columns: what it reads of ``rule_columns``.
        needs_text: whether it reads texts as well.
    """

    tool: Tool
    text: str
    suffix: str
    losses: tuple[Loss, ...]
    columns: tuple[str, ...]
    needs_text: bool = False

    @property
    def file(self) -> str:
        """Return the name of the file."""
        return f"rules{self.suffix}"

    @property
    def table(self) -> str:
        """Return where the file expects ``rule_columns``, below the folder it lies in."""
        return "documents/part-0.parquet" if self.tool == "datatrove" else "documents.parquet"


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
        elif isinstance(step.operator, TrainingOperator):
            what = f"{step.operator.sentence()}: not expressible as a rule; run tamis prepare for it."
            found.append(Loss(step.id, what, dropped=True))
    return tuple(found)


def rule_part(recipe: Recipe) -> Recipe:
    """Return a copy with the row rules only, which an export without losses equals."""
    for step in recipe.active:
        if not isinstance(step.operator, RowOperator):
            recipe = recipe.without(step.id)
    return recipe


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
    """A pattern occurs in the text at least ``least`` times."""

    pattern: str
    ignore_case: bool
    least: int


@dataclass(frozen=True)
class ByGroup:
    """A number lies in the range of its group; ``others`` is the answer for groups without a range."""

    column: str
    by: str
    ranges: Mapping[str, Between]
    others: bool


@dataclass(frozen=True)
class Every:
    """All of some rules let the document pass."""

    rules: tuple[PlainRule, ...]


Test = Between | OneOf | Matches | ByGroup | Every


@dataclass(frozen=True)
class PlainRule:
    """A row rule: tests whose conjunction decides, and the answer where they do not apply.

    Attributes:
        tests: their conjunction is unknown when one of them has no value and none fails.
        keep: keep the documents for which they hold, else drop them.
        missing: what happens when they are unknown.
    """

    tests: tuple[Test, ...]
    keep: bool
    missing: bool


def rule_of(operator: RowOperator, facts: Facts) -> PlainRule | None:
    """Return the plain form of a rule, or None for rules without one (predicates, clusters, stored sets).

    Numbers are made comparable with the columns' own precision, as the SQL of the rule does.
    """
    tests = _tests(operator, facts)
    if tests is None:
        return None
    return PlainRule(tests, operator.mode == "keep", operator.missing == "keep")


def _tests(operator: RowOperator, facts: Facts) -> tuple[Test, ...] | None:
    if isinstance(operator, SignalRange):
        low, high = (comparable(end, operator.signal, facts) for end in (operator.min, operator.max))
        return (Between(operator.signal, low, high, operator.strict_min, operator.strict_max),)
    if isinstance(operator, Language) and operator.read is None:
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

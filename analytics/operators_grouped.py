"""Thresholds that differ by group: what is short in one language is long in another."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tamis.analytics.operator import OPERATORS, Group, Measure, RowOperator
from tamis.analytics.parameters import CategoryColumn, NumericColumn, named_list
from tamis.analytics.signal_measures import signal_measures
from tamis.analytics.sql_number import number
from tamis.data.sql import ident, literal


class GroupBounds(BaseModel):
    """The range that one value of the category asks for; both ends pass."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: str = Field(description="Value of the category; empty text stands for documents without one.")
    min: float | None = Field(None, description="Lowest passing value; absent means no lower end.")
    max: float | None = Field(None, description="Highest passing value; absent means no upper end.")

    @model_validator(mode="after")
    def _has_a_range(self) -> GroupBounds:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min must not be above max")
        return self

    def condition(self, column: str) -> str:
        """Return the SQL condition on the quoted column."""
        parts = [f"{column} >= {number(self.min)}"] if self.min is not None else []
        parts += [f"{column} <= {number(self.max)}"] if self.max is not None else []
        return " AND ".join(parts)

    def text(self) -> str:
        """Return the range as the ledger shows it."""
        low = "" if self.min is None else f"{self.min:g}"
        high = "" if self.max is None else f"{self.max:g}"
        return f"{self.value or 'none'}: {low}..{high}"


@OPERATORS.register
class GroupedRange(RowOperator):
    """Keeps or drops by a range of a signal that is stated for each value of a category, such as each language.

    A frozen percentile band within groups becomes this rule.
    """

    name: ClassVar[str] = "grouped_range"
    term: ClassVar[str] = "heuristic filter per group"
    group: ClassVar[Group] = "Filter"
    summary: ClassVar[str] = "Keeps documents whose signal lies in the range stated for their group."
    source: ClassVar[str] = "Wenzek et al. 2019, arXiv 1911.00359; Penedo et al. 2025, arXiv 2506.20920 (per language)"

    signal: NumericColumn = Field(description="The numeric column to compare.")
    by: CategoryColumn = Field("lang", description="The category whose values have ranges of their own.")
    bounds: tuple[GroupBounds, ...] = Field(
        min_length=1,
        max_length=2_000,
        description="The range of each value, as value, min and max.",
    )
    others: Literal["keep", "drop"] = Field("keep", description="What happens to documents of values without a range.")

    @model_validator(mode="after")
    def _values_differ(self) -> GroupedRange:
        if len({bound.value for bound in self.bounds}) != len(self.bounds):
            raise ValueError("a value has two ranges")
        return self

    def columns(self) -> frozenset[str]:
        return frozenset({self.signal, self.by})

    def measures(self) -> tuple[Measure, ...]:
        return (*signal_measures(self.signal), *signal_measures(self.by))

    def match(self) -> str:
        column = ident(self.signal)
        cases = " ".join(f"WHEN {literal(bound.value)} THEN {bound.condition(column)}" for bound in self.bounds)
        kept = (self.others == "keep") == (self.mode == "keep")
        otherwise = "TRUE" if kept else "FALSE"
        return f"CASE coalesce(CAST({ident(self.by)} AS VARCHAR), '') {cases} ELSE {otherwise} END"

    def value(self) -> str:
        return ident(self.signal)

    def threshold(self) -> str:
        return named_list(tuple(bound.text() for bound in self.bounds), most=10)

    def sentence(self) -> str:
        return f"{self.mode.capitalize()} documents with {self.signal} in the range of their {self.by}"

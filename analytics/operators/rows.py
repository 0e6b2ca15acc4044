"""Rules that decide each document from its own columns.

Thresholds that differ by group: what is short in one language is long in another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from tamis.analytics.operators.operator import (
    OPERATORS,
    CategoryColumn,
    Digest,
    Group,
    LanguageSet,
    NumericColumn,
    Of,
    RowOperator,
    TextSet,
    named_list,
    spoken,
    value_in,
)
from tamis.analytics.operators.patterns import check_regex, words_of_pattern
from tamis.analytics.operators.predicate import number, parse_predicate
from tamis.analytics.signals.language import whole_language_measure
from tamis.analytics.signals.step import signal_measures
from tamis.analytics.steps.measures import Measure
from tamis.data.hashing import digest
from tamis.data.sql import ident, literal, literals

__all__ = ["Category", "CategoryColumn", "Digest", "Language", "NumericColumn", "Regex", "SignalRange", "SqlPredicate"]


@OPERATORS.register
class SignalRange(RowOperator):
    """Keeps or drops the documents whose signal lies in a range; each end may be inclusive or strict."""

    name: ClassVar[str] = "signal_range"
    term: ClassVar[str] = "heuristic filter"
    group: ClassVar[Group] = "Filter"
    summary: ClassVar[str] = "Keeps documents whose signal lies between two thresholds."
    source: ClassVar[str] = "Rae et al. 2021, arXiv 2112.11446, appendix A1; Penedo et al. 2024, arXiv 2406.17557"

    signal: NumericColumn = Field(description="The numeric column to compare.")
    min: float | None = Field(None, description="Lowest passing value; absent means no lower end.")
    max: float | None = Field(None, description="Highest passing value; absent means no upper end.")
    strict_min: bool = Field(False, description="Also exclude documents exactly at the lowest value.")
    strict_max: bool = Field(False, description="Also exclude documents exactly at the highest value.")

    @model_validator(mode="after")
    def _has_a_range(self) -> SignalRange:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min must not be above max")
        return self

    def columns(self) -> frozenset[str]:
        return frozenset({self.signal})

    def measures(self) -> tuple[Measure, ...]:
        return signal_measures(self.signal)

    def match(self) -> str:
        parts = []
        if self.min is not None:
            parts.append(f"{ident(self.signal)} {'>' if self.strict_min else '>='} {number(self.min)}")
        if self.max is not None:
            parts.append(f"{ident(self.signal)} {'<' if self.strict_max else '<='} {number(self.max)}")
        return " AND ".join(parts)

    def value(self) -> str:
        return ident(self.signal)

    def threshold(self) -> str:
        parts = []
        if self.min is not None:
            parts.append(f"{'>' if self.strict_min else '>='} {self.min:g}")
        if self.max is not None:
            parts.append(f"{'<' if self.strict_max else '<='} {self.max:g}")
        return " and ".join(parts)

    def sentence(self) -> str:
        return f"{self.mode.capitalize()} documents with {self.signal} {self.threshold()}"


@OPERATORS.register
class Language(RowOperator):
    """Keeps or drops languages as detected from the text, optionally only where detection is confident."""

    name: ClassVar[str] = "language"
    term: ClassVar[str] = "language filter"
    group: ClassVar[Group] = "Filter"
    summary: ClassVar[str] = "Keeps documents in the named languages, as detected from the text."
    source: ClassVar[str] = (
        "Joulin et al. 2016, arXiv 1607.01759 (fastText lid.176); Wenzek et al. 2019, arXiv 1911.00359"
    )

    languages: LanguageSet = Field(min_length=1, description="Language codes, for example en; en-US and EN are en.")
    min_confidence: float | None = Field(None, ge=0, le=1, description="Least confidence of the detection.")

    read: Literal["whole"] | None = Field(
        None, description="Detect the language of the whole text, not of its first 2,000 characters."
    )
    of: Of = None

    @property
    def lang(self) -> str:
        """Return the facts column of the detected language."""
        return "lang" if self.of is None else f"{self.of}.lang"

    @property
    def column(self) -> str:
        """Return the facts column that holds the confidence that a whole text is in one of the languages."""
        return f"language_{digest([self.languages, self.read, *([self.of] if self.of else [])])[:16]}"

    def columns(self) -> frozenset[str]:
        if self.read is not None:
            return frozenset({self.column})
        return frozenset({self.lang} if self.min_confidence is None else {self.lang, f"{self.lang}_confidence"})

    def measures(self) -> tuple[Measure, ...]:
        if self.read is None:
            return ()
        return (replace(whole_language_measure(self.languages, self.column), of=self.of or ""),)

    def match(self) -> str:
        if self.read is not None:
            least = "> 0" if self.min_confidence is None else f">= {number(self.min_confidence)}"
            return f"{ident(self.column)} {least}"
        # A plain name needs no quotes: the statements of older recipes keep their text.
        lang, confidence = (name if self.of is None else ident(name) for name in (self.lang, f"{self.lang}_confidence"))
        sure = "" if self.min_confidence is None else f" AND {confidence} >= {number(self.min_confidence)}"
        return f"{lang} IN {literals(self.languages)}{sure}"

    def value(self) -> str:
        return "lang" if self.read is None and self.of is None else ident(self.column if self.read else self.lang)

    def threshold(self) -> str:
        sure = "" if self.min_confidence is None else f" at {self.min_confidence:g}"
        return f"{named_list(self.languages, most=20)}{sure}"

    def sentence(self) -> str:
        sure = "" if self.min_confidence is None else f" with confidence of at least {self.min_confidence:g}"
        whole = "" if self.read is None else ", read as a whole"
        part = "" if self.of is None else f" whose {spoken(self.of)} is"
        return f"{self.mode.capitalize()} documents{part} in {named_list(self.languages)}{sure}{whole}"


@OPERATORS.register
class Category(RowOperator):
    """Keeps or drops values of a category such as source or label."""

    name: ClassVar[str] = "category"
    term: ClassVar[str] = "metadata filter"
    group: ClassVar[Group] = "Filter"
    summary: ClassVar[str] = "Keeps documents whose source, label or other category is one of the named values."
    source: ClassVar[str] = "Common practice; Gao et al. 2020, arXiv 2101.00027 (The Pile, components by source)"

    column: CategoryColumn = Field("source", description="The category to look at.")
    values: TextSet = Field(min_length=1, description="The values that match.")

    @field_validator("values")
    @classmethod
    def _are_in_the_column(cls, values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return tuple(sorted({value_in(info.data.get("column", ""), value) for value in values}))

    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def match(self) -> str:
        return f"CAST({ident(self.column)} AS VARCHAR) IN {literals(self.values)}"

    def value(self) -> str:
        return ident(self.column)

    def threshold(self) -> str:
        return named_list(self.values, most=20)

    def sentence(self) -> str:
        return f"{self.mode.capitalize()} documents with {self.column} {named_list(self.values)}"


@OPERATORS.register
class Regex(RowOperator):
    """Counts the matches of a regular expression in the text; the count is measured once, then compared."""

    name: ClassVar[str] = "regex"
    term: ClassVar[str] = "regular expression filter"
    group: ClassVar[Group] = "Filter"
    summary: ClassVar[str] = "Keeps or drops documents whose text matches a regular expression (RE2 syntax)."
    source: ClassVar[str] = "RE2, github.com/google/re2: linear time, no back-references"

    pattern: str = Field(min_length=1, max_length=1_000, description="Regular expression in RE2 syntax.")
    ignore_case: bool = Field(False, description="Treat upper and lower case as equal.")
    min_matches: int = Field(1, ge=1, description="How many matches a document needs.")
    mode: Literal["keep", "drop"] = Field("drop", description="Keep only the matching documents, or drop them.")
    of: Of = None

    @model_validator(mode="after")
    def _is_a_pattern(self) -> Regex:
        check_regex(self.pattern)
        return self

    @property
    def column(self) -> str:
        """Return the facts column that holds the number of matches."""
        return f"regex_{digest([self.pattern, self.ignore_case, *([self.of] if self.of else [])])[:16]}"

    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def measures(self) -> tuple[Measure, ...]:
        params = (("ignore_case", self.ignore_case), ("pattern", self.pattern))
        return (Measure("regex", params, column=self.column, of=self.of or ""),)

    def match(self) -> str:
        return f"{ident(self.column)} >= {number(self.min_matches)}"

    def value(self) -> str:
        return ident(self.column)

    def threshold(self) -> str:
        return f">= {self.min_matches}"

    def sentence(self) -> str:
        times = "" if self.min_matches == 1 else f" at least {self.min_matches} times"
        part = "text" if self.of is None else spoken(self.of)
        words = words_of_pattern(self.pattern) if self.ignore_case else None
        says = f"matches {self.pattern!r}" if words is None else f"has the words “{words}”"
        return f"{self.mode.capitalize()} documents whose {part} {says}{times}"


@OPERATORS.register
class SqlPredicate(RowOperator):
    """Keeps or drops by one boolean expression over facts columns, checked and rebuilt before it runs."""

    name: ClassVar[str] = "sql_predicate"
    term: ClassVar[str] = "SQL predicate"
    group: ClassVar[Group] = "Filter"
    summary: ClassVar[str] = "Keeps documents for which a condition over the columns is true."
    source: ClassVar[str] = "DuckDB SQL, an allow-list of operators and functions"

    predicate: str = Field(
        min_length=1,
        max_length=4_000,
        description="A condition such as n_words > 100 AND lang = 'en'.",
        json_schema_extra={"widget": "predicate"},
    )

    @model_validator(mode="after")
    def _is_a_condition(self) -> SqlPredicate:
        parse_predicate(self.predicate)
        return self

    def columns(self) -> frozenset[str]:
        return frozenset(parse_predicate(self.predicate).columns)

    def match(self) -> str:
        return parse_predicate(self.predicate).sql

    def threshold(self) -> str:
        return self.predicate

    def sentence(self) -> str:
        return f"{self.mode.capitalize()} documents where {self.predicate}"


class GroupBounds(BaseModel):
    """The range for one value of the category; both ends pass."""

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

    @property
    def ends(self) -> dict[str, float]:
        """Return the ends that there are, by ``min`` and ``max``."""
        return {name: value for name, value in (("min", self.min), ("max", self.max)) if value is not None}

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


def in_column(bounds: Iterable[GroupBounds] | None, column: str) -> tuple[GroupBounds, ...]:
    """Return ranges with their values as a category column holds them.

    Raises:
        ValueError: two ranges are of one value, or the language detection has no such language.
    """
    found = tuple(bound.model_copy(update={"value": value_in(column, bound.value)}) for bound in bounds or ())
    if len({bound.value for bound in found}) != len(found):
        raise ValueError("a value has two ranges")
    return found


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

    @field_validator("bounds")
    @classmethod
    def _are_in_the_column(cls, bounds: tuple[GroupBounds, ...], info: ValidationInfo) -> tuple[GroupBounds, ...]:
        return in_column(bounds, info.data.get("by", ""))

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

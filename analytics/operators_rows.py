"""Rules that decide each document from its own columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from tamis.analytics.operator import OPERATORS, Group, Measure, RowOperator
from tamis.analytics.polygon import MAX_VERTICES
from tamis.analytics.predicate import check_regex, number, parse_predicate
from tamis.data.hashing import digest
from tamis.data.sql import ident, literals

MAX_INLINE_IDS = 10_000


def _sorted_texts(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


def _sorted_numbers(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(values)))


TextSet = Annotated[tuple[str, ...], AfterValidator(_sorted_texts)]
NumberSet = Annotated[tuple[int, ...], AfterValidator(_sorted_numbers)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
NumericColumn = Annotated[str, Field(min_length=1, max_length=200, json_schema_extra={"widget": "numeric column"})]
AnyColumn = Annotated[str, Field(min_length=1, max_length=200, json_schema_extra={"widget": "column"})]
CategoryColumn = Annotated[str, Field(min_length=1, max_length=200, json_schema_extra={"widget": "category column"})]


def named_list(values: tuple[Any, ...], *, most: int = 4) -> str:
    """Return values for a sentence: the first few, then how many more."""
    shown = ", ".join(str(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"


def set_measure(stored: str) -> Measure:
    """Return the measure that says which documents are in a stored id set."""
    return Measure("id_set", (("digest", stored),), column=f"in_{stored[:16]}")


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

    languages: TextSet = Field(min_length=1, description="Language codes, for example en.")
    min_confidence: float | None = Field(None, ge=0, le=1, description="Least confidence of the detection.")

    def columns(self) -> frozenset[str]:
        return frozenset({"lang"} if self.min_confidence is None else {"lang", "lang_confidence"})

    def match(self) -> str:
        sure = "" if self.min_confidence is None else f" AND lang_confidence >= {number(self.min_confidence)}"
        return f"lang IN {literals(self.languages)}{sure}"

    def value(self) -> str:
        return "lang"

    def threshold(self) -> str:
        sure = "" if self.min_confidence is None else f" at {self.min_confidence:g}"
        return f"{named_list(self.languages, most=20)}{sure}"

    def sentence(self) -> str:
        sure = "" if self.min_confidence is None else f" with confidence of at least {self.min_confidence:g}"
        return f"{self.mode.capitalize()} documents in {named_list(self.languages)}{sure}"


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

    @model_validator(mode="after")
    def _is_a_pattern(self) -> Regex:
        check_regex(self.pattern)
        return self

    @property
    def column(self) -> str:
        """Return the facts column that holds the number of matches."""
        return f"regex_{digest([self.pattern, self.ignore_case])[:16]}"

    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def measures(self) -> tuple[Measure, ...]:
        params = (("ignore_case", self.ignore_case), ("pattern", self.pattern))
        return (Measure("regex", params, column=self.column),)

    def match(self) -> str:
        return f"{ident(self.column)} >= {number(self.min_matches)}"

    def value(self) -> str:
        return ident(self.column)

    def threshold(self) -> str:
        return f">= {self.min_matches}"

    def sentence(self) -> str:
        times = "" if self.min_matches == 1 else f" at least {self.min_matches} times"
        return f"{self.mode.capitalize()} documents whose text matches {self.pattern!r}{times}"


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


@OPERATORS.register
class Cluster(RowOperator):
    """Keeps or drops clusters of one frozen clustering; a bundle carries its assignments and centroids."""

    name: ClassVar[str] = "cluster"
    term: ClassVar[str] = "topic filter"
    group: ClassVar[Group] = "Selection"
    summary: ClassVar[str] = "Keeps or drops whole clusters of the embedding map."
    source: ClassVar[str] = "Campello et al. 2013 (HDBSCAN); assignments are stored, never recomputed"

    clusters: NumberSet = Field(min_length=1, description="Cluster numbers; -1 is the unclustered group.")
    clustering: Digest = Field(description="Digest of the clustering the numbers belong to.")

    @property
    def column(self) -> str:
        """Return the facts column that holds the cluster under this clustering."""
        return f"cluster_{self.clustering[:16]}"

    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def measures(self) -> tuple[Measure, ...]:
        return (Measure("cluster", (("clustering", self.clustering),), column=self.column),)

    def match(self) -> str:
        return f"{ident(self.column)} IN {literals(self.clusters)}"

    def value(self) -> str:
        return ident(self.column)

    def threshold(self) -> str:
        return named_list(self.clusters, most=20)

    def sentence(self) -> str:
        noun = "cluster" if len(self.clusters) == 1 else "clusters"
        return f"{self.mode.capitalize()} {noun} {named_list(self.clusters)}"


@OPERATORS.register
class IdList(RowOperator):
    """Keeps or drops listed documents: a short list in the recipe, or a stored set named by its digest."""

    name: ClassVar[str] = "id_list"
    term: ClassVar[str] = "document list"
    group: ClassVar[Group] = "Selection"
    summary: ClassVar[str] = "Keeps or drops the documents of a list."
    source: ClassVar[str] = "Common practice: block lists and allow lists of documents"

    ids: TextSet = Field((), max_length=MAX_INLINE_IDS, description="Document ids, for short lists.")
    stored: Digest | None = Field(None, description="Digest of a stored id set, for long lists.")

    @model_validator(mode="after")
    def _has_one_list(self) -> IdList:
        if bool(self.ids) == (self.stored is not None):
            raise ValueError("give either ids or stored")
        return self

    def columns(self) -> frozenset[str]:
        return frozenset({"id"} if self.stored is None else {f"in_{self.stored[:16]}"})

    def measures(self) -> tuple[Measure, ...]:
        return () if self.stored is None else (set_measure(self.stored),)

    def assets(self) -> tuple[str, ...]:
        return () if self.stored is None else (self.stored,)

    def match(self) -> str:
        return f"id IN {literals(self.ids)}" if self.stored is None else ident(f"in_{self.stored[:16]}")

    def threshold(self) -> str:
        return "listed ids" if self.stored is None else f"id set {self.stored[:12]}"

    def sentence(self) -> str:
        what = (
            f"{len(self.ids)} listed documents" if self.stored is None else f"the documents of set {self.stored[:12]}"
        )
        return f"{self.mode.capitalize()} {what}"


@OPERATORS.register
class MapPolygon(RowOperator):
    """Keeps or drops what a lasso on the map held. The stored id set decides; the polygon is there to be seen."""

    name: ClassVar[str] = "map_polygon"
    term: ClassVar[str] = "lasso on the map"
    group: ClassVar[Group] = "Selection"
    summary: ClassVar[str] = "Keeps or drops the documents inside an area drawn on the map."
    source: ClassVar[str] = "Even-odd rule in float64; the documents inside are frozen as an id set"

    vertices: tuple[tuple[float, float], ...] = Field(
        min_length=3, max_length=MAX_VERTICES, description="Corners in map coordinates, for display."
    )
    map: Digest = Field(description="Digest of the map it was drawn on.")
    ids: Digest = Field(description="Digest of the stored set of documents inside; this set decides.")
    documents: int = Field(ge=0, description="How many documents were inside when it was drawn.")

    def columns(self) -> frozenset[str]:
        return frozenset({f"in_{self.ids[:16]}"})

    def measures(self) -> tuple[Measure, ...]:
        return (set_measure(self.ids),)

    def assets(self) -> tuple[str, ...]:
        return (self.ids,)

    def match(self) -> str:
        return ident(f"in_{self.ids[:16]}")

    def threshold(self) -> str:
        return f"area of {len(self.vertices)} corners"

    def sentence(self) -> str:
        return f"{self.mode.capitalize()} the {self.documents} documents inside an area of the map"


def _build_rule(value: object) -> RowOperator:
    if isinstance(value, RowOperator):
        return value
    if not isinstance(value, Mapping) or set(value) - {"operator", "params"}:
        raise ValueError("a rule is a mapping with operator and params")
    built = OPERATORS.build(str(value.get("operator")), value.get("params") or {})
    if not isinstance(built, RowOperator):
        raise ValueError(f"{built.name} decides documents together and cannot be one part of a condition")
    return built


def _plain_rule(rule: RowOperator) -> dict[str, Any]:
    return {"operator": rule.name, "params": rule.model_dump(mode="json", exclude_none=True)}


RULE_SCHEMA = {
    "type": "object",
    "properties": {"operator": {"type": "string"}, "params": {"type": "object"}},
    "required": ["operator"],
    "additionalProperties": False,
}
Rule = Annotated[
    RowOperator,
    PlainValidator(_build_rule),
    PlainSerializer(_plain_rule, return_type=dict),
    WithJsonSchema(RULE_SCHEMA),
]


@OPERATORS.register
class AllOf(RowOperator):
    """Matches the documents that every one of its rules lets pass: what a selection made of several parts becomes."""

    name: ClassVar[str] = "all_of"
    term: ClassVar[str] = "conjunction of filters"
    group: ClassVar[Group] = "Selection"
    summary: ClassVar[str] = "Keeps or drops the documents that satisfy several conditions at once."
    source: ClassVar[str] = "Boolean conjunction; no method of its own"

    rules: tuple[Rule, ...] = Field(min_length=1, max_length=30, description="The conditions, each a rule of its own.")

    def columns(self) -> frozenset[str]:
        return frozenset().union(*(rule.columns() for rule in self.rules))

    def measures(self) -> tuple[Measure, ...]:
        return tuple(dict.fromkeys(measure for rule in self.rules for measure in rule.measures()))

    def assets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(asset for rule in self.rules for asset in rule.assets()))

    def match(self) -> str:
        return " AND ".join(rule.keeps() for rule in self.rules)

    def threshold(self) -> str:
        return "; ".join(rule.threshold() or rule.name for rule in self.rules)

    def sentence(self) -> str:
        parts = " and ".join(f"({rule.sentence()})" for rule in self.rules)
        return f"{self.mode.capitalize()} documents for which all of these hold: {parts}"

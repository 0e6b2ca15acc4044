"""Rules that come from selections on the pages: clusters, lists, areas of the map, conjunctions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from tamis.analytics.map.polygon import MAX_VERTICES
from tamis.analytics.operators.operator import (
    OPERATORS,
    Digest,
    Group,
    NumberSet,
    RowOperator,
    TextSet,
    measures_of,
    named_list,
)
from tamis.analytics.steps.measures import Measure
from tamis.data.sql import ident, literals

MAX_INLINE_IDS = 10_000


def set_measure(stored: str) -> Measure:
    """Return the measure that says which documents are in a stored id set."""
    return Measure("id_set", (("digest", stored),), column=f"in_{stored[:16]}")


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
    """Keeps or drops the documents inside a lasso. The stored id set decides; the polygon is for display."""

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
    documents: int = Field(
        ge=0,
        description="How many documents were inside when it was drawn.",
        json_schema_extra={"widget": "hidden"},
    )
    left_out: str | None = Field(
        None,
        min_length=1,
        max_length=300,
        description="Groups that the legend hid when it was drawn, in words; the stored set is without them.",
        json_schema_extra={"widget": "hidden"},
    )

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
        without = f", {self.left_out}" if self.left_out else ""
        return f"{self.mode.capitalize()} the {self.documents} documents inside an area of the map{without}"


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


def _rules() -> Any:
    return Field(min_length=1, max_length=30, description="The conditions, each a rule of its own.")


class Joined(RowOperator):
    """Base of rules that are made of several rules, each decided from the document's own columns."""

    group: ClassVar[Group] = "Selection"

    rules: tuple[Rule, ...]

    def columns(self) -> frozenset[str]:
        return frozenset().union(*(rule.columns() for rule in self.rules))

    def measures(self) -> tuple[Measure, ...]:
        return tuple(dict.fromkeys(measure for rule in self.rules for measure in measures_of(rule)))

    def assets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(asset for rule in self.rules for asset in rule.assets()))


@OPERATORS.register
class AllOf(Joined):
    """Matches the documents that pass all of its rules: the form of a selection of several parts."""

    name: ClassVar[str] = "all_of"
    term: ClassVar[str] = "conjunction of filters"
    summary: ClassVar[str] = "Keeps or drops the documents that satisfy several conditions at once."
    source: ClassVar[str] = "Boolean conjunction; no method of its own"

    # A recipe names its own parameters before inherited ones.
    rules: tuple[Rule, ...] = _rules()

    def match(self) -> str:
        return " AND ".join(rule.keeps() for rule in self.rules)

    def threshold(self) -> str:
        return "; ".join(rule.threshold() or rule.name for rule in self.rules)

    def sentence(self) -> str:
        parts = " and ".join(f"({rule.sentence()})" for rule in self.rules)
        return f"{self.mode.capitalize()} documents for which all of these hold: {parts}"


@OPERATORS.register
class AnyOf(Joined):
    """Matches the documents that pass at least one of its rules: conditions joined by or."""

    name: ClassVar[str] = "any_of"
    term: ClassVar[str] = "disjunction of filters"
    summary: ClassVar[str] = "Keeps or drops the documents that satisfy at least one of several conditions."
    source: ClassVar[str] = "Boolean disjunction; no method of its own"

    # A recipe names its own parameters before inherited ones.
    rules: tuple[Rule, ...] = _rules()

    def match(self) -> str:
        return " OR ".join(rule.keeps() for rule in self.rules)

    def threshold(self) -> str:
        return " or ".join(rule.threshold() or rule.name for rule in self.rules)

    def sentence(self) -> str:
        parts = " or ".join(condition_in_words(rule) for rule in self.rules)
        return f"{self.mode.capitalize()} documents {parts}"


def condition_in_words(rule: RowOperator) -> str:
    """Return a rule as a condition in words: its sentence without the verb."""
    words = rule.sentence().removeprefix(f"{rule.mode.capitalize()} ").removeprefix("documents ")
    return words if rule.mode == "keep" else f"not {words}"

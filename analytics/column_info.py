"""What people are told about the columns of the facts table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa

Kind = Literal["number", "integer", "category", "boolean", "text"]
Role = Literal["id", "source", "language", "label", "signal", "size", "duplicate", "cluster", "map", "meta", "measure"]


@dataclass(frozen=True)
class ColumnInfo:
    """What people are told about one facts column.

    Attributes:
        name: the column's name in predicates and recipes.
        type: what kind of value it holds.
        title: a short name for axes and tables.
        unit: the unit of its numbers, empty when they have none.
        help: one sentence.
        role: what the column is for.
        low, high: the possible range of a number, None where open.
        origin: digest of the artifact the values came from; rules name clusterings and maps by it.
        step: name of the analysis step that made it.
    """

    name: str
    type: Kind
    title: str = ""
    unit: str = ""
    help: str = ""
    role: Role = "meta"
    low: float | None = None
    high: float | None = None
    origin: str = ""
    step: str = ""

    @property
    def numeric(self) -> bool:
        """Say whether histograms and ranges make sense."""
        return self.type in ("number", "integer")


def describe(name: str, kind: pa.DataType) -> ColumnInfo:
    """Return what can be said about a column from its name and type alone."""
    core = CORE.get(name)
    if core is not None:
        return core
    if pa.types.is_boolean(kind):
        type_: Kind = "boolean"
    elif pa.types.is_integer(kind):
        type_ = "integer"
    elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        type_ = "number"
    else:
        type_ = "category"
    role: Role = "meta" if name.startswith("meta_") or type_ == "category" else "signal"
    title = re.sub(r"[_\s]+", " ", name.removeprefix("meta_")).strip().capitalize()
    return ColumnInfo(name=name, type=type_, title=title, role=role)


def _core(
    name: str,
    type_: Kind,
    title: str,
    role: Role,
    help_: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
) -> ColumnInfo:
    return ColumnInfo(name=name, type=type_, title=title, role=role, help=help_, unit=unit, low=low, high=high)


CORE: Mapping[str, ColumnInfo] = {
    info.name: info
    for info in (
        _core("id", "text", "Id", "id", "Identifier of the document."),
        _core("source", "category", "Source", "source", "Where the document comes from, as the corpus says."),
        _core("language", "category", "Stated language", "language", "Language as the corpus states it."),
        _core("label", "category", "Label", "label", "Label as the corpus gives it."),
        _core("lang", "category", "Language", "language", "Language detected from the text."),
        _core(
            "lang_confidence",
            "number",
            "Language confidence",
            "signal",
            "Confidence of the detected language.",
            low=0,
            high=1,
        ),
        _core("bytes", "integer", "Size", "size", "Length of the text in UTF-8 bytes.", unit="bytes", low=0),
        _core(
            "n_tokens",
            "integer",
            "Tokens",
            "size",
            "Length of the text in tokens of the named tokenizer.",
            unit="tokens",
            low=0,
        ),
        _core(
            "text_group",
            "integer",
            "Raw duplicate group",
            "duplicate",
            "Documents with exactly the same text share a group; -1 stands alone.",
        ),
        _core(
            "norm_group",
            "integer",
            "Duplicate group",
            "duplicate",
            "Documents with the same normalised text share a group; -1 stands alone.",
        ),
        _core(
            "norm_count",
            "integer",
            "Copies",
            "duplicate",
            "How many documents have the same normalised text, this one included.",
            unit="documents",
            low=1,
        ),
        _core("cluster", "integer", "Cluster", "cluster", "Cluster on the embedding map; -1 is unclustered."),
        _core("concept", "integer", "Concept", "cluster", "Nearest k-means centroid; -1 only without an embedding."),
        _core("density", "number", "Local density", "signal", "How much closer its neighbours lie to theirs.", low=0),
        _core("no_embedding", "boolean", "No embedding", "signal", "No word of the text is known to the embedding."),
        _core("x", "number", "Map x", "map", "Horizontal position on the map."),
        _core("y", "number", "Map y", "map", "Vertical position on the map."),
        _core("outlier", "number", "Outlier score", "signal", "Mean distance to the nearest neighbours.", low=0),
    )
}


def with_origin(info: ColumnInfo, origin: str) -> ColumnInfo:
    """Return the info of a column whose values came from the artifact ``origin``."""
    return replace(info, origin=origin)

"""Descriptions of the columns of the facts table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import pyarrow as pa

from tamis.data.errors import SettingError
from tamis.data.nearest import ask_whether, nearest_names

Kind = Literal["number", "integer", "category", "boolean", "text"]
Role = Literal["id", "source", "language", "label", "signal", "size", "duplicate", "cluster", "map", "meta", "measure"]


@dataclass(frozen=True)
class ColumnInfo:
    """The description of one facts column.

    Attributes:
        name: the column's name in predicates and recipes.
        type: type of its values.
        title: a short name for axes and tables.
        unit: the unit of its numbers, empty when they have none.
        help: one sentence.
        role: purpose of the column.
        low, high: possible range of a number, None if unbounded.
        origin: digest of the artifact that holds the values; rules name clusterings and maps by it.
        step: name of the analysis step that makes it.
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


@dataclass
class ColumnRegistry:
    """The facts columns that steps declare, by name; refuses a column that two steps declare."""

    _columns: dict[str, ColumnInfo] = field(default_factory=dict)
    _arrays: dict[str, dict[str, str]] = field(default_factory=dict)

    def declare(self, step: str, *columns: ColumnInfo, arrays: Mapping[str, str] | None = None) -> None:
        """Add the columns of a step.

        Args:
            step: name of the step.
            columns: its columns; a second declaration by the same step replaces the first.
            arrays: for a step whose artifact holds arrays (n,) in id order: array name to column name.

        Raises:
            SettingError: another step declares the column.
        """
        for info in columns:
            known = self._columns.get(info.name)
            if known is not None and known.step != step:
                raise SettingError("Two steps declare one column", value=info.name, allowed=[known.step, step])
            self._columns[info.name] = replace(info, step=step)
        if arrays:
            self._arrays[step] = dict(arrays)

    def __iter__(self) -> Iterator[ColumnInfo]:
        return iter(tuple(self._columns.values()))

    def get(self, name: str) -> ColumnInfo | None:
        """Return a column, None when no step declares it."""
        return self._columns.get(name)

    def arrays(self, step: str) -> Mapping[str, str]:
        """Return array name to column name of a step, empty for one that writes tables."""
        return self._arrays.get(step, {})


COLUMNS = ColumnRegistry()


def describe(name: str, kind: pa.DataType, *, path: str = "") -> ColumnInfo:
    """Return the description of a column from its name, its type and its path in the corpus."""
    declared = COLUMNS.get(name)
    if declared is not None:
        return declared
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
    if path and title.casefold() != re.sub(r"[\W_]+", " ", path).strip().casefold():
        # The name alone does not identify the column: it has added digits or lacks letters of the path.
        title = path
    help_ = f"Column {path} of the corpus." if path else ""
    return ColumnInfo(name=name, type=type_, title=title, role=role, help=help_)


def distinct_titles(columns: Iterable[ColumnInfo]) -> dict[str, str]:
    """Return a unique title for each column by name: columns that share a title get their name appended.

    Selection lists identify entries by their text, so equal titles would count as one entry.
    """
    titles = {info.name: info.title for info in columns}
    uses = Counter(title.casefold() for title in titles.values())
    return {name: title if uses[title.casefold()] == 1 else f"{title} · {name}" for name, title in titles.items()}


def suggest_column(name: str, columns: Mapping[str, ColumnInfo]) -> str | None:
    """Return the question "did you mean" for columns with similar names or titles; None without one."""
    meant = {info.title: info.name for info in columns.values() if info.title} | {each: each for each in columns}
    same = [column for each, column in meant.items() if each.casefold() == name.casefold()]
    return ask_whether(dict.fromkeys(same or (meant[each] for each in nearest_names(name, meant))))

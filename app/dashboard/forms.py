"""One form for every operator, made from its parameters: types, bounds, choices and help come from the class."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from traceback import format_tb
from typing import Any, Literal, get_args, get_origin

import pyarrow as pa
import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from streamlit.delta_generator import DeltaGenerator

from tamis.analytics.duplicates.evaluation_sets import list_evaluations
from tamis.analytics.duplicates.references import list_references
from tamis.analytics.facts.column_info import Kind
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import OPERATORS, Operator, new_params, spoken
from tamis.analytics.steps.scopes import scope_columns
from tamis.app.dashboard.open_corpus import Opened
from tamis.app.dashboard.page_context import brief, plain, show_fault
from tamis.app.dashboard.session import widget
from tamis.data.errors import ParameterError, TamisError
from tamis.data.workspace import Workspace

LOG = logging.getLogger(__name__)
MOST_LISTED = 200
"""Values of a list that are shown one by one; longer lists stay unchanged."""

_NOT_TYPED = ("vertices", "map", "clustering", "stored", "rules")


@dataclass(frozen=True)
class Known:
    """What the fields of a form can offer.

    Attributes:
        facts: their columns can be chosen.
        opened: the corpus; its clusters can be chosen.
    """

    facts: Facts
    opened: Opened

    @property
    def clustering(self) -> str:
        """Return the digest of the clustering in use, empty when there is none."""
        return self.facts.info("cluster").origin if "cluster" in self.facts.columns else ""


@contextmanager
def guard_form(name: str) -> Iterator[None]:
    """Lay out the form of an operator; if that fails, show a message in its place and go on.

    The log holds no error message, since one may quote the corpus.
    """
    place = st.empty()
    try:
        with place.container():
            yield
    except Exception as error:
        kind = type(error).__name__
        LOG.error("The form of %s failed: %s\n%s", name, kind, "".join(format_tb(error.__traceback__)))
        reason = brief(error) if isinstance(error, TamisError) else f"its form failed ({kind})."
        show_fault(f"This step cannot be edited here: {reason} {_BY_HAND}", at=place)


_BY_HAND = "Change it in the recipe's YAML: copy it, then use the tab Save and load."


@dataclass(frozen=True)
class Filled:
    """What a form holds.

    Attributes:
        kind: the operator.
        values: of the fields, ready for ``OPERATORS.build``.
        slots: the empty place under each field, for what is wrong with it; the one of the name "" is below them all.
    """

    kind: type[Operator]
    values: Mapping[str, Any]
    slots: Mapping[str, DeltaGenerator]

    def build(self, *, wanted: bool) -> Operator | None:
        """Return the operator, or say under the fields what is wrong and return None.

        Args:
            wanted: whether a person asked for it; else what is not filled in yet is said quietly.
        """
        try:
            return OPERATORS.build(self.kind.name, self.values)
        except ParameterError as error:
            faults = error.faults
        except TamisError as error:
            self.show(error)
            return None
        open_ = [name for name, fault in faults.items() if not wanted and _is_open(fault)]
        for name in faults.keys() - set(open_):
            fault = "Fill this in." if faults[name] == ParameterError.MISSING else faults[name]
            show_fault(fault, at=self._slot(name))
        if open_:
            hints = [faults[""] if name == "" else f"fill in {_title(name)}" for name in sorted(open_, key=str)]
            self.slots[""].caption(plain(f"To do: {'; '.join(hints)}."))
        return None

    def show(self, error: TamisError) -> None:
        """Show an error under the field that holds the value it names, below all fields if none does."""
        named = str(error.value or "")
        holders = [name for name, value in self.values.items() if value == error.value and named]
        holders += [name for name, value in self.values.items() if isinstance(value, str) and named and named in value]
        show_fault(error, at=self._slot(holders[0] if holders else ""))

    def _slot(self, name: str) -> DeltaGenerator:
        return self.slots.get(name, self.slots[""])


def _is_open(fault: str) -> bool:
    """Return whether a fault is only that something is not filled in yet."""
    return fault == ParameterError.MISSING or fault.startswith("give ") or "should have at least 1 " in fault


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def operator_form(kind: type[Operator], values: Mapping[str, Any], *, known: Known, scope: str) -> Filled:
    """Show the fields of an operator and return what they hold.

    An untouched form holds the operator it shows.

    Args:
        kind: the operator.
        values: initial values of the fields.
        known: what the fields can offer.
        scope: prefix of the widget keys, such as a step's id.
    """
    filled = {name: value for name, value in values.items() if _hidden(name, kind.model_fields[name], values)}
    fresh = {} if values else new_params(kind)
    if "clustering" in kind.model_fields and kind.model_fields["clustering"].is_required():
        filled = {"clustering": known.clustering} | filled
    fields = {name: info for name, info in kind.model_fields.items() if not _hidden(name, info, values)}
    if "of" in fields and not values.get("of") and not known.opened.study.corpus.shape.scopes:
        # Plain text has no parts.
        del fields["of"]
    cells: list[DeltaGenerator] = []
    slots: dict[str, DeltaGenerator] = {}
    for name, info in fields.items():
        # Rows of two, so that a narrow screen keeps the order.
        cells = cells or list(st.columns(2, gap="small"))
        with cells.pop(0):
            value = _field(name, info, values.get(name, fresh.get(name, _default(info))), known, scope, filled)
            slots[name] = st.empty()
        if value is not None and value != "" and not (value == [] and _optional(info)):
            filled[name] = value
    return Filled(kind, filled, {**slots, "": st.empty()})


def _default(info: FieldInfo) -> Any:
    """Return the value of an untouched field; required fields start empty."""
    return None if info.is_required() else info.get_default(call_default_factory=True)


def _hidden(name: str, info: FieldInfo, values: Mapping[str, Any]) -> bool:
    """Return whether a field cannot be typed: existing digests and drawn areas stay unchanged."""
    named = _widget(info)
    stored = bool(values.get(name)) and any(getattr(item, "pattern", None) == _DIGEST for item in info.metadata)
    return named == "hidden" or name in _NOT_TYPED or (stored and named not in _STORED)


_DIGEST = "^[0-9a-f]{64}$"


def _optional(info: FieldInfo) -> bool:
    return type(None) in get_args(info.annotation)


def _kinds(info: FieldInfo) -> tuple[Any, ...]:
    """Return the types a field takes, None left out."""
    options = (info.annotation,) if get_origin(info.annotation) in (tuple, Literal) else get_args(info.annotation)
    return tuple(kind for kind in options or (info.annotation,) if kind is not type(None))


def _widget(info: FieldInfo) -> str:
    extras = [info.json_schema_extra, *(getattr(item, "json_schema_extra", None) for item in info.metadata)]
    for option in get_args(info.annotation):
        extras += [getattr(item, "json_schema_extra", None) for item in getattr(option, "__metadata__", ())]
    return next((str(extra["widget"]) for extra in extras if isinstance(extra, dict) and extra.get("widget")), "")


def _field(name: str, info: FieldInfo, value: Any, known: Known, scope: str, filled: Mapping[str, Any]) -> Any:
    """Show one field and return its value."""
    key, title = widget("form", scope, name), _title(name)
    options = _columns(_widget(info), known)
    if options is not None:
        return _column_field(title, key, info, value, options)
    if _widget(info) in _STORED:
        return _stored_field(title, key, info, value)
    if name == "clusters":
        return _clusters_field(title, key, info, value, known, str(filled.get("clustering")))
    if name == "of":
        return _part_field(title, key, info, value, known)
    return _plain_field(title, key, info, value, known)


def _part_field(title: str, key: str, info: FieldInfo, value: str | None, known: Known) -> str | None:
    """Show the parts that documents of the corpus have; another part stays as it is."""
    choices = [None, *known.opened.study.corpus.shape.scopes]
    if value not in choices:
        choices.append(value)
    return st.selectbox(
        title, choices, index=choices.index(value), key=key, help=info.description,
        format_func=lambda part: "(the whole text)" if part is None else spoken(part),
    )  # fmt: skip


def _column_field(title: str, key: str, info: FieldInfo, value: Any, options: Mapping[str, str]) -> str | None:
    """Show the columns by title and name; a column that the corpus lacks stays as it is.

    Args:
        title: of the field.
        key: of the widget.
        info: the field.
        value: the chosen column.
        options: title by name.
    """
    choices = [*([None] if _optional(info) else []), *options]
    if value is not None and value not in choices:
        choices.append(value)

    def label(column: str | None) -> str:
        if column is None:
            return "(none)"
        return f"{options[column]} · {column}" if column in options else f"{column} · not in this corpus"

    index = choices.index(value) if value in choices else 0
    return st.selectbox(title, choices, index=index, key=key, help=info.description, format_func=label)


_STORED: Mapping[str, tuple[Callable[[Workspace], Mapping[str, Any]], str]] = {
    "reference": (list_references, "`tamis reference NAME FILES...`"),
    "evaluation": (list_evaluations, "`tamis evaluation store NAME FILES...`"),
}
"""What fields offer by name: how it is listed, and the command that stores one."""


def _stored_field(title: str, key: str, info: FieldInfo, value: Any) -> str | None:
    """Show the stored references or evaluation sets by name; the rule holds the digest."""
    listed, command = _STORED[_widget(info)]
    names = {entry.digest: entry.name for entry in listed(Workspace.default()).values()}
    options = [*names, *([value] if value and value not in names else [])]
    if not options:
        st.caption(f"{title}: none is stored yet. {command} stores one.")
        return None
    index = options.index(value) if value in options else 0
    return st.selectbox(
        title, options, index=index, key=key, help=info.description,
        format_func=lambda digest: names.get(digest, digest[:16]),
    )  # fmt: skip


def _clusters_field(title: str, key: str, info: FieldInfo, value: Any, known: Known, clustering: str) -> list[int]:
    """Show the clusters of the clustering in use by name; clusters of another one are numbers that can be removed."""
    names = known.opened.cluster_names() if clustering == known.clustering else {}
    shown = {int(number): f"{name} · {number}" for number, name in names.items()}
    if names:
        shown[-1] = "unclustered · -1"
    shown = {number: f"cluster {number}" for number in value or ()} | shown
    if not shown:
        st.caption("This corpus has no clusters yet.")
    return st.multiselect(
        title, sorted(shown), default=list(value or ()), key=key, help=info.description,
        format_func=shown.__getitem__, placeholder="Choose clusters",
    )  # fmt: skip


def _columns(named: str, known: Known) -> dict[str, str] | None:
    """Return the columns that a widget offers, title by name; those on scopes of conversations come last."""
    fits: dict[str, tuple[str, ...]] = {
        "numeric column": ("number", "integer"),
        "category column": ("category",),
        "column": get_args(Kind),
    }
    if named not in fits:
        return None
    columns = known.facts.columns
    further = scope_columns(columns.values(), known.opened.study.corpus.shape.scopes)
    offered = [*columns.values(), *(info for info in further if info.name not in columns)]
    return {info.name: info.title for info in offered if info.type in fits[named]}


def _plain_field(title: str, key: str, info: FieldInfo, value: Any, known: Known) -> Any:
    kinds, help_ = _kinds(info), info.description
    if get_origin(kinds[0]) is tuple:
        return _list_field(title, key, info, value, known)
    if get_origin(kinds[0]) is Literal:
        choices = [*([None] if kinds[0] is not info.annotation else []), *get_args(kinds[0])]
        return st.selectbox(
            title, choices, index=choices.index(value) if value in choices else 0, key=key, help=help_,
            format_func=lambda choice: "(as in older recipes)" if choice is None else choice,
        )  # fmt: skip
    if bool in kinds:
        return st.toggle(title, value=bool(value), key=key, help=help_)
    if float in kinds:
        shown = None if value is None else float(value)
        return st.number_input(title, value=shown, step=None, format="%.6g", key=key, help=help_)
    if int in kinds:
        return st.number_input(title, value=None if value is None else int(value), step=1, key=key, help=help_)
    if str in kinds:
        return st.text_input(title, value="" if value is None else str(value), key=key, help=help_)
    raise TypeError(f"no field shows {info.annotation}")


def _list_field(title: str, key: str, info: FieldInfo, value: Any, known: Known) -> list[Any]:
    """Show a list: rows as a table, values one by one, so a value may hold commas and white space."""
    item, values = get_args(_kinds(info)[0])[0], list(value or ())
    if isinstance(item, type) and issubclass(item, BaseModel):
        return _table_field(title, key, info, values, item, known)
    if get_origin(item) is Literal:
        return st.multiselect(title, list(get_args(item)), default=values, key=key, help=info.description)
    if item is not str:
        raise TypeError(f"no field shows {info.annotation}")
    if len(values) > MOST_LISTED:
        st.caption(f"{title}: {len(values)} values, as they are. Change them in the recipe's YAML.")
        return values
    return st.multiselect(
        title, values, default=values, key=key, help=info.description, accept_new_options=True,
        placeholder="Type a value, then Enter",
    )  # fmt: skip


def _table_field(
    title: str, key: str, info: FieldInfo, value: Any, row: type[BaseModel], known: Known
) -> list[dict[str, Any]]:
    """Show a list of rows as a table that can be edited, one column per field of the row."""
    rows = [item.model_dump() if isinstance(item, BaseModel) else dict(item) for item in value or ()]
    names = list(row.model_fields)
    st.caption(f"{title}: {info.description}")
    columns = {name: [item.get(name) for item in rows] for name in names}
    edited = st.data_editor(
        pa.table({name: pa.array(columns[name], _arrow_type(row.model_fields[name])) for name in names}),
        hide_index=True, row_height=28, height=min(300, 110 + 28 * len(rows)), num_rows="dynamic",
        key=f"{key}/{len(rows)}",
        column_config={name: _table_column(name, row.model_fields[name], columns[name], known) for name in names},
    )  # fmt: skip
    filled = [{name: item[name] for name in names if item[name] is not None} for item in edited.to_pylist()]
    return [item for item in filled if item]


def _table_column(name: str, info: FieldInfo, values: Collection[Any], known: Known) -> Any:
    """Return how a table shows one field of its rows: columns of the corpus are chosen, all else is typed."""
    title, options = name.replace("_", " "), _columns(_widget(info), known)
    if options is None:
        return st.column_config.Column(title, help=info.description)
    others = [value for value in values if value is not None and value not in options]
    return st.column_config.SelectboxColumn(
        title, help=info.description, options=[*options, *dict.fromkeys(others)],
        format_func=lambda column: f"{options[str(column)]} · {column}" if str(column) in options else str(column),
    )  # fmt: skip


def _arrow_type(info: FieldInfo) -> pa.DataType:
    kinds = _kinds(info)
    return pa.float64() if float in kinds else pa.int64() if int in kinds else pa.string()

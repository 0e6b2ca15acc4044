"""One form for every operator, made from its parameters: types, bounds, choices and help come from the class."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import pyarrow as pa
import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tamis.analytics.duplicates.references import list_references
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.app.dashboard.session import widget
from tamis.data.errors import RecipeError
from tamis.data.workspace import Workspace


def operator_form(kind: type[Operator], values: Mapping[str, Any], *, facts: Facts, scope: str) -> dict[str, Any]:
    """Show the fields of an operator and return what is filled in, ready for ``OPERATORS.build``.

    Args:
        kind: the operator.
        values: what the fields show first.
        facts: whose columns can be chosen.
        scope: what the widgets belong to, such as a step's id.
    """
    filled: dict[str, Any] = {}
    fields = {name: info for name, info in kind.model_fields.items() if not _hidden(name, info)}
    cells = st.columns(2, gap="small")
    for place, (name, info) in enumerate(fields.items()):
        with cells[place % 2]:
            value = _field(name, info, values.get(name, _default(info)), facts, scope)
        if value is not None and value != "":
            filled[name] = value
    hidden = {name: values[name] for name, info in kind.model_fields.items() if _hidden(name, info) and name in values}
    return hidden | filled


def build(kind: type[Operator], filled: Mapping[str, Any]) -> Operator | None:
    """Return the operator, or show what is wrong with the fields and return None."""
    try:
        return OPERATORS.build(kind.name, filled)
    except RecipeError as error:
        st.text(str(error))
        return None


def _default(info: FieldInfo) -> Any:
    """Return what an untouched field holds; required fields start empty."""
    return None if info.is_required() else info.get_default(call_default_factory=True)


def _hidden(name: str, info: FieldInfo) -> bool:
    """Say whether a field is not for typing: digests and drawn areas ride along unchanged."""
    return _widget(info) == "hidden" or name in ("vertices", "map", "clustering", "stored", "rules")


def _widget(info: FieldInfo) -> str:
    extra = info.json_schema_extra
    named = extra.get("widget", "") if isinstance(extra, dict) else ""
    for item in info.metadata:
        inner = getattr(item, "json_schema_extra", None)
        if isinstance(inner, dict):
            named = named or str(inner.get("widget", ""))
    for option in get_args(info.annotation):
        for item in getattr(option, "__metadata__", ()):
            inner = getattr(item, "json_schema_extra", None)
            if isinstance(inner, dict):
                named = named or str(inner.get("widget", ""))
    return str(named)


def _field(name: str, info: FieldInfo, value: Any, facts: Facts, scope: str) -> Any:
    """Show one field and return its value."""
    key, title = widget("form", scope, name), name.replace("_", " ").capitalize()
    options = _columns(_widget(info), facts)
    optional = type(None) in get_args(info.annotation)
    if options is not None:
        choices = [*([None] if optional else []), *options]
        index = choices.index(value) if value in choices else 0
        return st.selectbox(
            title, choices, index=index, key=key, help=info.description,
            format_func=lambda column: "(none)" if column is None else f"{facts.info(column).title} · {column}",
        )  # fmt: skip
    if _widget(info) == "reference":
        return _reference_field(title, key, info, value)
    return _plain_field(title, key, info, value)


def _reference_field(title: str, key: str, info: FieldInfo, value: Any) -> str | None:
    """Show the stored references by name; the rule holds the digest."""
    names = {entry.digest: entry.name for entry in list_references(Workspace.default()).values()}
    options = [*names, *([value] if value and value not in names else [])]
    if not options:
        st.caption(f"{title}: none is stored yet. `tamis reference NAME FILES...` stores one.")
        return None
    index = options.index(value) if value in options else 0
    return st.selectbox(
        title, options, index=index, key=key, help=info.description,
        format_func=lambda digest: names.get(digest, digest[:16]),
    )  # fmt: skip


def _columns(named: str, facts: Facts) -> list[str] | None:
    if named == "numeric column":
        return [name for name, info in facts.columns.items() if info.numeric]
    if named == "category column":
        return [name for name, info in facts.columns.items() if info.type == "category"]
    return list(facts.columns) if named == "column" else None


def _plain_field(title: str, key: str, info: FieldInfo, value: Any) -> Any:
    kinds = [kind for kind in (get_args(info.annotation) or (info.annotation,)) if kind is not type(None)]
    if get_origin(info.annotation) is Literal:
        choices = list(get_args(info.annotation))
        return st.selectbox(
            title, choices, index=choices.index(value) if value in choices else 0, key=key, help=info.description
        )
    if bool in kinds:
        return st.toggle(title, value=bool(value), key=key, help=info.description)
    if int in kinds and float not in kinds:
        return st.number_input(
            title, value=None if value is None else int(value), step=1, key=key, help=info.description
        )
    if float in kinds:
        shown = None if value is None else float(value)
        return st.number_input(title, value=shown, step=None, format="%.6g", key=key, help=info.description)
    if (row := _row_model(info)) is not None:
        return _table_field(title, key, info, value, row)
    if get_origin(info.annotation) is tuple or isinstance(value, (tuple, list)):
        return _list_field(title, key, info, value)
    return st.text_input(title, value="" if value is None else str(value), key=key, help=info.description)


def _row_model(info: FieldInfo) -> type[BaseModel] | None:
    """Return the model of the rows of a field that holds a list of them."""
    kinds = [kind for kind in get_args(info.annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return kinds[0] if get_origin(info.annotation) is tuple and kinds else None


def _table_field(title: str, key: str, info: FieldInfo, value: Any, row: type[BaseModel]) -> list[dict[str, Any]]:
    """Show a list of rows as a table that can be edited, one column per field of the row."""
    rows = [item.model_dump() if isinstance(item, BaseModel) else dict(item) for item in value or ()]
    names = list(row.model_fields)
    st.caption(f"{title}: {info.description}")
    columns = {name: [item.get(name) for item in rows] for name in names}
    edited = st.data_editor(
        pa.table({name: pa.array(columns[name], _arrow_type(row.model_fields[name])) for name in names}),
        hide_index=True, row_height=28, height=min(300, 110 + 28 * len(rows)), num_rows="dynamic",
        key=f"{key}/{len(rows)}",
        column_config={
            name: st.column_config.Column(name.replace("_", " "), help=row.model_fields[name].description)
            for name in names
        },
    )  # fmt: skip
    filled = [{name: item[name] for name in names if item[name] is not None} for item in edited.to_pylist()]
    return [item for item in filled if item]


def _arrow_type(info: FieldInfo) -> pa.DataType:
    kinds = get_args(info.annotation) or (info.annotation,)
    return pa.float64() if float in kinds else pa.int64() if int in kinds else pa.string()


def _list_field(title: str, key: str, info: FieldInfo, value: Any) -> list[Any]:
    """Show a list as text, one value per comma; numbers where the values are numbers."""
    shown = ", ".join(str(item) for item in value or ())
    text = st.text_input(title, value=shown, key=key, help=f"{info.description} Separate values by commas.")
    items = [item.strip() for item in text.split(",") if item.strip()]
    whole = int in get_args(info.annotation)
    return [json.loads(item) if whole and item.lstrip("-").isdigit() else item for item in items]

"""How rows become documents: what was found, seen on the first rows, and another choice tried before it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tamis.analytics.study.readings import ShapePreview, preview_shape
from tamis.app.dashboard import cache, login, session
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import brief, plain, show_fault
from tamis.app.dashboard.text_view import reader
from tamis.app.pages import roles_form
from tamis.data.corpus import Corpus
from tamis.data.errors import RoleError, SettingError, TamisError
from tamis.data.repair import is_text
from tamis.data.schema import paths
from tamis.data.shapes import KIND_NAMES, PICTURE, SIDE_SLOTS, SLOTS, Shape
from tamis.data.workspace import Workspace

READ_LIMIT = 600
SHOWN = 3
_NONE = ""
_KINDS = {
    "text": "text: one column",
    "conversation": "conversation: turns",
    "preference": "preference: a better and a worse answer",
    "prompt": "prompt: with an answer to check",
    "template": "template: several columns joined",
    "image": "image: a picture, with or without a caption",
}
_FIRST = {
    "conversation": ("messages", "user", "assistant", "system"),
    "preference": ("prompt", "chosen", "rejected", "responses"),
    "prompt": ("prompt", "answer", "system"),
    "image": ("image", "caption"),
}
_KEYED = ("messages", "user", "assistant", "prompt", "chosen", "rejected")
_PER_ROW = 4


@dataclass
class _Fields:
    """The fields of a shape on screen: what each holds, and where to write what is wrong with it."""

    values: dict[str, str]
    cells: dict[str, DeltaGenerator]


def preview(found: ShapePreview) -> None:
    """Show the first rows as documents, and how many of those looked at are none, with the reasons."""
    rows = [
        f'<div class="tamis-row"><div class="nr">row {place}</div>{reader(each, limit=READ_LIMIT)}</div>'
        for place, each in enumerate(found.readings, start=1)
    ]
    st.html(f'<div class="tamis-rows">{"".join(rows)}</div>')
    st.html(f'<div class="tamis-muted">{escape(counted(found))}</div>')


def counted(found: ShapePreview) -> str:
    """Return in words how many of the rows looked at are no documents, with the reasons."""
    looked = f"of the first {count(found.rows)} rows"
    if not found.refused:
        return f"All {looked} are documents; {count(len(found.readings))} are shown."
    reasons = "; ".join(f"{reason} ({count(number)})" for reason, number in found.reasons[:5])
    more = f"; {count(len(found.reasons) - 5)} more reasons" if len(found.reasons) > 5 else ""
    return f"{count(found.refused)} {looked} are no documents: {reasons}{more}."


def note(workspace: Workspace, name: str, corpus: Corpus) -> None:
    """Say what the shape leaves unread in the texts, and offer owners the shape that reads it."""
    found = cache.unread_shape(cache.key_of(workspace, name))
    if found is None:
        return
    said, shape = found
    title = "Read them as calls" if shape.calls else "Open as turns"
    with st.container(horizontal=True, vertical_alignment="center", key="rendered_note"):
        st.markdown(f":material/forum: {plain(said[0].upper() + said[1:].split(';')[0])}.")
        if login.may("owner") and st.button(title, key="shape/rendered", help="The analysis runs anew"):
            _keep(workspace, name, corpus, shape)


def show(workspace: Workspace, name: str, corpus: Corpus) -> bool:
    """Offer another shape: its kind, its columns, its keys or its template, with what it makes of the first rows.

    Returns:
        whether the form is open, so that the first rows are shown.
    """
    if not st.toggle("Choose how rows become documents", key=session.widget("shape", name, "open")):
        return False
    scope = session.widget("shape", name, corpus.fingerprint[:16])
    kinds = list(KIND_NAMES)
    cell, _ = st.columns([1, 2])
    kind = cell.selectbox(
        "A row is", kinds, index=kinds.index(corpus.shape.kind), format_func=_KINDS.__getitem__, key=f"{scope}/kind"
    )
    fields = _fields(corpus, _start(corpus, kind), f"{scope}/{kind}")
    shape = _tried(corpus, kind, fields)
    if shape is None:
        return True
    owner = login.may("owner")
    changed = shape.spec != corpus.shape.spec
    if st.button("Use this", key=f"{scope}/use", type="primary", disabled=not (owner and changed)):
        _keep(workspace, name, corpus, shape)
    if not changed:
        st.caption("This is the shape in use.")
    return True


def _start(corpus: Corpus, kind: str) -> Shape | None:
    """Return the shape from which the form of a kind begins: the one in use, or what the columns suggest."""
    if corpus.shape.kind == kind:
        return corpus.shape
    try:
        return corpus.with_roles({"text": f"{kind}:"}).shape
    except TamisError:
        return None


def _fields(corpus: Corpus, start: Shape | None, scope: str) -> _Fields:
    """Show the fields of a kind, filled from a shape."""
    kind = scope.rpartition("/")[2]
    known = paths(corpus.schema)
    if kind == "template":
        fields = _Fields({}, {})
        example = "\n\n".join(f"{{{path}}}" for path, each in known.items() if is_text(each)) or "{title}\n\n{body}"
        box = st.container()
        fields.values["template"] = box.text_area(
            "Template", start.template if start else example, key=f"{scope}/template",
            help="Columns stand in braces, as in {title}; everything else stands in every document.",
        )  # fmt: skip
        fields.cells["template"] = box
        return fields
    slots = ("text",) if kind == "text" else (*_FIRST[kind], *(s for s in SLOTS[kind] if s not in _FIRST[kind]))
    fields = _Fields({}, {})
    _selects(corpus, slots[:_PER_ROW], start, scope, fields)
    if kind == "text":
        return fields
    if set(slots) & set(_KEYED):
        cells = st.columns(_PER_ROW)
        for cell, key, title in zip(
            cells, ("role_key", "text_key"), ("Key of the role", "Key of the text"), strict=False
        ):
            now = getattr(start, key) if start else {"role_key": "role", "text_key": "content"}[key]
            fields.values[key] = cell.text_input(title, now, key=f"{scope}/{key}", help="In the objects of a message")
            fields.cells[key] = cell
    more = (*slots[_PER_ROW:], *(SIDE_SLOTS if kind != PICTURE else ()))
    if not more:
        return fields
    if st.toggle("More columns", key=f"{scope}/more", value=bool(start and set(more) & set(start.columns))):
        for at in range(0, len(more), _PER_ROW):
            _selects(corpus, more[at : at + _PER_ROW], start, scope, fields)
    elif start:
        fields.values |= {slot: path for slot, path in start.columns.items() if slot in more}
    return fields


def _selects(corpus: Corpus, slots: Sequence[str], start: Shape | None, scope: str, fields: _Fields) -> None:
    """Show a select of columns for each of some slots."""
    known = paths(corpus.schema)
    fitting = [path for path, kind in known.items() if is_text(kind)] if slots == ("text",) else list(known)
    for cell, slot in zip(st.columns(_PER_ROW), slots, strict=False):
        now = start.columns.get(slot, _NONE) if start else _NONE
        options = fitting if slot == "text" else [_NONE, *fitting]
        options = options if now in options else [*options, now]
        fields.values[slot] = cell.selectbox(
            f"{slot.capitalize()} column", options, index=options.index(now), key=f"{scope}/{slot}",
            format_func=lambda path: path or "(none)",
        )  # fmt: skip
        fields.cells[slot] = cell


def _tried(corpus: Corpus, kind: str, fields: _Fields) -> Shape | None:
    """Show what the chosen shape makes of the first rows; what is wrong stands at its field, and None is returned."""
    keys = ("role_key", "text_key", "template")
    columns = {slot: path for slot, path in fields.values.items() if slot not in keys and path}
    try:
        given: dict[str, Any] = {key: value for key in keys if (value := fields.values.get(key, ""))}
        shape = Shape(kind, columns, **given)
        trial = corpus.with_roles({"text": shape.spec})
        found = preview_shape(trial, shown=SHOWN)
    except (RoleError, SettingError) as error:
        _fault(fields, _field_of(error, fields.values), brief(error))
        return None
    if found.rows and found.refused == found.rows:
        reason = found.reasons[0][0]
        field = _field_of_reason(reason, fields.values)
        _fault(fields, field, f"None of the first {count(found.rows)} rows is a document then: {reason}.")
        return None
    preview(found)
    return trial.shape


def _field_of(error: TamisError, values: Mapping[str, str]) -> str | None:
    """Return the field that an error is about."""
    if "template" in values:
        return "template"
    value = str(error.value)
    return next((field for field, held in values.items() if held and held == value), None)


def _field_of_reason(reason: str, values: Mapping[str, str]) -> str | None:
    """Return the field that makes every row no document."""
    if "role" in reason and "role_key" in values:
        return "role_key"
    if reason.endswith("as its text") and "text_key" in values:
        return "text_key"
    return next((field for field, held in values.items() if held and reason.startswith(held)), None)


def _fault(fields: _Fields, field: str | None, said: str) -> None:
    """Write what is wrong at a field, or at the first one."""
    place = fields.cells.get(field or "") or next(iter(fields.cells.values()))
    place.html(f'<div class="tamis-fault" role="alert">{escape(said)}</div>')


def _keep(workspace: Workspace, name: str, corpus: Corpus, shape: Shape) -> None:
    try:
        roles_form.change(workspace, name, corpus, {**corpus.explicit_roles, "text": shape.spec})
    except TamisError as error:
        show_fault(error)
    else:
        st.rerun()

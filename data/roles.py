"""Roles of the columns of a corpus: text, id, source, language, label."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import pyarrow as pa

from tamis.data.errors import RoleError, SettingError
from tamis.data.find_shape import Sampler, checked_shape, find_shape, wanted_kind
from tamis.data.nearest import did_you_mean
from tamis.data.never_text import CONSTANT, ID_NAMES, SOURCE_NAMES, has_few_words, why_never, why_never_by_values
from tamis.data.paths import find_path, path_of, walk
from tamis.data.picture_paths import check_pictures
from tamis.data.repair import is_text
from tamis.data.schema import type_at
from tamis.data.shapes import PICTURE, SIDE_SLOTS, Shape

_TEXT = ("text", "content", "body", "document", "raw_content", "raw_text", "sentence", "passage", "message", "article",
         "abstract", "description", "comment", "review", "question", "prompt", "instruction", "output")  # fmt: skip
_LANGUAGE = ("language", "lang", "lang_code", "language_code", "locale", "bcp47")
_DEEPEST = 2
_LABEL_OF_TARS = "cls"
"""What tar shards of pictures call the file with the label of a sample."""
_LABEL = ("label", "category", "class", "topic", "section", "kind", "intent")


@dataclass(frozen=True)
class Roles:
    """Columns by meaning; each is a path, see ``data/paths.py``.

    Attributes:
        text: the text that is curated: a path, or the shape of the rows (``data/shapes.py``).
        id: document id; text or integer, used when unique and never NULL.
        source: origin of a document.
        language: language that the corpus states.
        label: class or topic that the corpus states.
    """

    text: str
    id: str | None = None
    source: str | None = None
    language: str | None = None
    label: str | None = None

    def known(self) -> dict[str, str]:
        """Return the roles that have a column, by role."""
        return {role: path for role, path in asdict(self).items() if path is not None}


ROLES = tuple(field.name for field in fields(Roles))


@dataclass(frozen=True)
class _Column:
    """A column or field: its path, the path without quotes, and its type."""

    path: str
    plain: str
    kind: pa.DataType

    @property
    def name(self) -> str:
        """Return the last name of the path."""
        return self.plain.rsplit(".", 1)[-1]


def find_roles(schema: pa.Schema, chosen: Mapping[str, str] | None = None, *, samples: Sampler) -> Roles:
    """Return the roles chosen by hand, the others detected by name, type and, for the text, values.

    Args:
        schema: union schema of the corpus.
        chosen: path by role; an empty path says that no column has the role. The text may also be a shape, or ``kind:``
            to find a shape of that kind.
        samples: returns values of columns; called when the text cannot be found by name alone.

    Raises:
        RoleError: unknown role or column, wrong type, or no column can be the text.
    """
    picked: dict[str, str | None] = {}
    for role, path in (chosen or {}).items():
        if role not in ROLES:
            raise RoleError("Unknown column role", value=role, allowed=ROLES)
        if role != "text":
            picked[role] = _checked(role, path, schema) if path else None
    known = [_Column(path_of(schema, names), ".".join(names), kind) for names, kind in walk(schema)]
    text = _text(schema, (chosen or {}).get("text"), known, samples)
    shape = Shape.parse(text)
    labels = (*_LABEL, _LABEL_OF_TARS) if shape is not None and shape.kind == PICTURE else _LABEL
    used = {text} if shape is None else {path for slot, path in shape.columns.items() if slot not in SIDE_SLOTS}
    taken = used | {path for path in picked.values() if path}
    found: dict[str, str | None] = {}
    for role, names in (("id", ID_NAMES), ("source", SOURCE_NAMES), ("language", _LANGUAGE), ("label", labels)):
        fitting = [column for column in _named(names, known, role) if column.path not in taken]
        detected = fitting[0].path if fitting else None
        found[role] = picked.get(role, detected)
        taken |= {path for path in (found[role],) if path}
    return Roles(text=text, **found)


def _text(schema: pa.Schema, given: str | None, known: Sequence[_Column], samples: Sampler) -> str:
    """Return the path or shape of the text: the given one, or what is found."""
    kind = wanted_kind(given)
    if given and kind is None:
        try:
            shape = None if find_path(schema, given) else Shape.parse(given)
        except SettingError as error:
            raise RoleError(str(error)) from error
        return _checked("text", given, schema) if shape is None else _spec(shape, schema, samples)
    found = None if kind == "text" else find_shape(schema, samples, kind)
    if found is None and kind not in (None, "text"):
        raise RoleError(
            f"The columns hold no {kind}", value=schema.names, fix=f"""state it: --shape '{kind}:{{"slot":"column"}}'"""
        )
    return _find_text(known, samples) if found is None else _spec(found, schema, samples)


def _spec(shape: Shape, schema: pa.Schema, samples: Sampler) -> str:
    """Return a shape as text, checked against the columns."""
    checked = checked_shape(shape, schema)[0]
    if checked.kind == PICTURE:
        path = checked.columns[PICTURE]
        kind = type_at(schema, path)
        check_pictures(schema, path, samples([path])[path] if kind is not None and is_text(kind) else ())
    return checked.spec


def _checked(role: str, path: str, schema: pa.Schema) -> str:
    kind = type_at(schema, path)
    if kind is None:
        known = [path_of(schema, names) for names, _ in walk(schema)]
        what = f"The corpus has no such column for the role {role}"
        raise RoleError(what, value=path, allowed=known, fix=did_you_mean(path, known))
    if not _fits(role, kind):
        wanted = "text" if role == "text" else "text, integers or true/false"
        raise RoleError(f"Column {path} cannot be the {role}", value=str(kind), allowed=wanted)
    names = find_path(schema, path)
    assert names is not None  # its type is known
    return path_of(schema, names)


def _fits(role: str, kind: pa.DataType) -> bool:
    if role == "text" or is_text(kind):
        return is_text(kind)
    return bool(pa.types.is_integer(kind) or (pa.types.is_boolean(kind) and role != "id"))


def _named(names: Sequence[str], known: Sequence[_Column], role: str) -> list[_Column]:
    """Return the fitting columns by the order of ``names``, top level before nested, exact names before others."""
    found = [
        (names.index(column.name.lower()), column.plain.count("."), column.name not in names, column.path, column)
        for column in known
        if column.name.lower() in names and column.plain.count(".") <= _DEEPEST and _fits(role, column.kind)
    ]
    return [column for *_, column in sorted(found, key=lambda item: item[:-1])]


def _find_text(known: Sequence[_Column], samples: Sampler) -> str:
    """Return the text: by name, else the only candidate, else the candidate that is three times as long as the others.

    Raises:
        RoleError: no column can be the text; the message gives the reason for each.
    """
    texts = [column for column in known if is_text(column.kind)]
    named = _named(_TEXT, known, "text")
    if named and len(texts) == 1:
        return named[0].path
    values = samples([column.path for column in texts])
    against = {column.path: why_never_by_values(values.get(column.path, ())) for column in named}
    usable = [column for column in named if against[column.path] is None]
    usable = usable or [column for column in named if against[column.path] == CONSTANT]
    if usable:
        return usable[0].path
    return _longest(known, texts, values, samples)


def _longest(
    known: Sequence[_Column],
    texts: Sequence[_Column],
    values: Mapping[str, Sequence[str | None]],
    samples: Sampler,
) -> str:
    """Return the only candidate for the text, or the one whose values are three times as long as any other's."""
    why = {column.path: why_never(column.name, values.get(column.path, ())) for column in texts}
    lists = [column.path for column in known if pa.types.is_list(column.kind)]
    sizes = {path: _mean_bytes(held) for path, held in {**values, **(samples(lists) if lists else {})}.items()}
    left = [path for path in why if why[path] is None]
    for path in left:
        rivals = [other for other in (*left, *lists) if other != path and sizes.get(other, 0) > sizes.get(path, 0)]
        if rivals and has_few_words(values.get(path, ())):
            why[path] = f"it has few words, and {rivals[0]} is longer"
    left = sorted((path for path in why if why[path] is None), key=lambda path: (-sizes.get(path, 0.0), path))
    if len(left) == 1 or (left and sizes.get(left[0], 0.0) >= 3.0 * max(sizes.get(left[1], 0.0), 1.0)):
        return left[0]
    raise RoleError(
        "No column can be recognised as the text",
        allowed="; ".join(_reason(column, values, why, left) for column in known) or "a column of text",
        fix=_nearest_shape(known) or "name it with --text COLUMN, or with roles={'text': COLUMN}",
    )


def _nearest_shape(known: Sequence[_Column]) -> str | None:
    """Return what to do where a list of objects may be messages with fields of other names."""
    for column in known:
        kind = column.kind
        if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
            texts = [field.name for field in kind.value_type if is_text(field.type)]
            if len(texts) > 1:
                keys = json.dumps({"messages": column.path, "role_key": texts[0], "text_key": texts[1]})
                return (
                    f"if {column.path} holds messages, state which of its fields ({', '.join(texts[:4])}) are role and "
                    f"text: --shape 'conversation:{keys}'; else name the text with --text COLUMN"
                )
    return None


def _reason(
    column: _Column, values: Mapping[str, Sequence[str | None]], why: Mapping[str, str | None], left: Sequence[str]
) -> str:
    """Return a column for the message: path, type, an example, why it is not taken."""
    if column.path not in why:
        return f"{column.path} ({_short(str(column.kind))}) is not text"
    example = next((value for value in values.get(column.path, ()) if value), None)
    shown = "text" if example is None else f"text such as {_short(example)!r}"
    if column.path in left:
        others = " and ".join(path for path in left if path != column.path)
        return f"{column.path} ({shown}) may be it, as may {others}"
    return f"{column.path} ({shown}) is not taken: {why[column.path]}"


def _short(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _mean_bytes(values: Sequence[str | None]) -> float:
    sizes = [len(value.encode()) for value in values if value is not None]
    return sum(sizes) / len(sizes) if sizes else 0.0

"""Paths to columns: names joined by dots, a name in double quotes where it holds a dot or a quote itself.

    text                  the column text
    meta.source           the field source of the struct meta
    meta."dc.title"       the field dc.title of the struct meta
    "meta.source"         the column meta.source, beside a struct meta that has a field source

A quote inside quotes is doubled. A column with exactly this name wins over a field, unless every name is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pyarrow as pa

_PIECE = re.compile(r'"((?:[^"]|"")*)"|([^".]*)')
Pieces = tuple[str, ...]


def quoted(name: str) -> str:
    """Return a name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def split_path(path: str) -> tuple[Pieces, tuple[bool, ...]] | None:
    """Return the names of a path and which of them are quoted; None when its quotes do not match."""
    names: list[str] = []
    marked: list[bool] = []
    at = 0
    while True:
        found = _PIECE.match(path, at)
        assert found is not None  # the pattern matches empty text
        inside = found.group(1)
        names.append(found.group(2) if inside is None else inside.replace('""', '"'))
        marked.append(inside is not None)
        at = found.end()
        if at == len(path):
            return tuple(names), tuple(marked)
        if path[at] != ".":
            return None
        at += 1


def join_path(names: Sequence[str], *, quote_all: bool = False) -> str:
    """Return the path of names, quoting those that need it or all of them."""
    return ".".join(quoted(name) if quote_all or "." in name or '"' in name else name for name in names)


def find_path(schema: pa.Schema, path: str) -> Pieces | None:
    """Return the column and the fields that a path names, None when the schema does not have them."""
    parsed = split_path(path)
    if parsed is not None and all(parsed[1]) and _has(schema, parsed[0]):
        return parsed[0]
    if schema.get_field_index(path) >= 0:
        return (path,)
    for names, marked in (parsed or _unquoted(path), _unquoted(path)):
        # The name of a column may have dots that are not quoted: the longest matching name wins.
        for count in range(len(names), 0, -1):
            whole = (".".join(names[:count]), *names[count:])
            if (count == 1 or not any(marked[:count])) and _has(schema, whole):
                return whole
    return None


def _unquoted(path: str) -> tuple[Pieces, tuple[bool, ...]]:
    names = tuple(path.split("."))
    return names, (False,) * len(names)


def path_of(schema: pa.Schema, names: Sequence[str]) -> str:
    """Return the shortest path by which ``find_path`` finds these names."""
    spellings = (".".join(names), join_path(names), join_path(names, quote_all=True))
    return next(path for path in spellings if find_path(schema, path) == tuple(names))


def type_of(schema: pa.Schema, names: Sequence[str]) -> pa.DataType | None:
    """Return the type of a column or field by its names, None when there is none or several of one name."""
    place = schema.get_field_index(names[0])
    kind: pa.DataType = schema.field(place).type if place >= 0 else None
    for name in names[1:]:
        if kind is None or not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            return None
        kind = kind.field(name).type
    return kind


def _has(schema: pa.Schema, names: Sequence[str]) -> bool:
    return type_of(schema, names) is not None


def walk(schema: pa.Schema) -> Iterator[tuple[Pieces, pa.DataType]]:
    """Yield every column and every field inside structs, in schema order, as names and type.

    Fields that share one name within their struct cannot be told apart and are left out.
    """

    def below(names: Pieces, kind: pa.DataType) -> Iterator[tuple[Pieces, pa.DataType]]:
        yield names, kind
        if pa.types.is_struct(kind):
            for field in kind:
                if kind.get_field_index(field.name) >= 0:
                    yield from below((*names, field.name), field.type)

    for field in schema:
        yield from below((field.name,), field.type)

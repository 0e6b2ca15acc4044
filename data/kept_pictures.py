"""The pictures of kept rows and what stands beside them, whatever form the source has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError, PictureError
from tamis.data.features import FEATURES, features_in
from tamis.data.paths import Pieces, find_path, type_of
from tamis.data.picture_source import NamedPicture, find_pictures, read_named
from tamis.data.repair import is_text
from tamis.data.schema import field_of
from tamis.data.shapes import PICTURE
from tamis.data.tar_reader import KEY

SOURCE = "source row of the picture"
"""Column of batches of kept pictures, int64: position of the row in the source. It is not written."""

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""A picture as the library ``datasets`` keeps it."""

BYTES, PATH = "bytes", "path"


@dataclass(frozen=True)
class KeptPictures:
    """The pictures of a corpus.

    Attributes:
        corpus: of pictures.
    """

    corpus: Corpus

    @cached_property
    def names(self) -> Pieces:
        """Return the names that lead to the column of pictures."""
        path = self.corpus.shape.columns[PICTURE]
        return find_path(self.corpus.schema, path) or (path,)

    @property
    def are_files(self) -> bool:
        """Return whether the column names files."""
        return is_text(type_of(self.corpus.schema, self.names))

    def bytes_of(self, rows: pa.Table) -> Iterator[bytes]:
        """Yield the encoded picture of each row.

        Raises:
            CorpusError: a file is gone or was changed since the corpus was opened.
        """
        return map(picture_bytes, self.places(rows))

    def places(self, rows: pa.Table) -> Iterator[bytes | NamedPicture]:
        """Yield where the picture of each row is: its bytes, or its file. Raises as ``bytes_of``."""
        for held in find_pictures(self.corpus, rows.column(SOURCE).to_numpy(), self.values(rows)):
            if isinstance(held, PictureError):
                raise CorpusError(f"A picture cannot be read any more: {held}", fix="open the corpus again")
            yield held

    def values(self, rows: pa.Table) -> pa.Array:
        """Return the column of pictures, (n,)."""
        return _at(rows, self.names)

    def own_names(self, rows: pa.Table) -> list[str]:
        """Return the name of each picture in the source, empty where it has none."""
        values = self.values(rows)
        if is_text(values.type):
            return _texts(values)
        if pa.types.is_struct(values.type) and values.type.get_field_index(PATH) >= 0:
            return _texts(field_of(values, [PATH]))
        if KEY in rows.column_names and is_text(rows.schema.field(KEY).type):
            return _texts(_at(rows, (KEY,)))
        return [""] * rows.num_rows

    def labels(self, rows: pa.Table) -> list[str]:
        """Return the label of each row as text, empty where it has none or more than one value."""
        path = self.corpus.roles.label
        names = find_path(self.corpus.schema, path) if path else None
        if not path or not names:
            return [""] * rows.num_rows
        classes = self.corpus.labels.get(path, ())
        return [_label(value, classes) for value in _at(rows, names).to_pylist()]

    def captions(self, rows: pa.Table) -> list[str | None]:
        """Return the caption of each row, None where it has none."""
        path = self.corpus.shape.columns.get("caption")
        names = find_path(self.corpus.schema, path) if path else None
        return _at(rows, names).to_pylist() if names else [None] * rows.num_rows

    def beside(self, rows: pa.Table) -> pa.Table:
        """Return the columns beside the pictures; of an object of bytes and path the path stays as ``path``."""
        head, values = self.names[0], self.values(rows)
        place = rows.column_names.index(head)
        left = rows.drop_columns([head, SOURCE])
        if not (pa.types.is_struct(values.type) and values.type.get_field_index(PATH) >= 0):
            return left
        name = PATH if PATH not in left.column_names else f"{head}_{PATH}"
        return left.add_column(place, name, field_of(values, [PATH]))

    def written_schema(self, schema: pa.Schema) -> pa.Schema:
        """Return the schema of files with pictures in a column, which ``datasets`` reads as its ``Image``.

        Args:
            schema: of the source's columns and the added ones, with the features the source states.
        """
        place = schema.get_field_index(self.names[0])
        field = _with_picture(schema.field(place), self.names[1:])
        changed = schema.set(place, field)
        if len(self.names) > 1 or field.type != IMAGE or not field.nullable:
            return changed
        stated = {**features_in(schema), self.names[0]: {"_type": "Image"}}
        block = json.dumps({"info": {"features": stated}}).encode()
        return changed.with_metadata({**(schema.metadata or {}), FEATURES: block})

    def put(self, rows: pa.Table, pictures: Sequence[bytes | None], paths: Sequence[str | None]) -> pa.Table:
        """Return rows with pictures in their column, ready for the types of ``written_schema``.

        Args:
            rows: as read.
            pictures: bytes of each.
            paths: of each; an object that has bytes keeps its own.
        """
        raw, values = pa.array(pictures, pa.large_binary()), self.values(rows)
        if pa.types.is_struct(values.type) and values.type.get_field_index(BYTES) >= 0:
            made = _put(values, (BYTES,), raw)
        else:
            made = pa.StructArray.from_arrays([raw, pa.array(paths, pa.large_string())], [BYTES, PATH])
        head, *inner = self.names
        return rows.set_column(rows.column_names.index(head), head, _put(_at(rows, (head,)), inner, made))


def picture_bytes(place: bytes | NamedPicture) -> bytes:
    """Return the bytes of a picture.

    Raises:
        CorpusError: its file is gone or was changed since the corpus was opened.
    """
    held = read_named(place) if isinstance(place, NamedPicture) else place
    if isinstance(held, PictureError):
        raise CorpusError(f"A picture cannot be read any more: {held}", fix="open the corpus again")
    return held


def _with_picture(field: pa.Field, names: Sequence[str]) -> pa.Field:
    """Return a field with the type of a written picture at the given names inside structs."""
    kind = field.type
    if names:
        inner = [_with_picture(child, names[1:]) if child.name == names[0] else child for child in kind]
        return field.with_type(pa.struct(inner))
    with_bytes = pa.types.is_struct(kind) and kind.get_field_index(BYTES) >= 0
    return field if with_bytes else field.with_type(IMAGE).with_nullable(True)


def _put(column: pa.Array, names: Sequence[str], values: pa.Array) -> pa.Array:
    """Return a column with other values, of any type, in the field at the given names inside structs."""
    if not names:
        return values
    kinds = [field.name for field in column.type]
    children = [
        _put(column.field(place), names[1:], values) if name == names[0] else column.field(place)
        for place, name in enumerate(kinds)
    ]
    return pa.StructArray.from_arrays(children, kinds, mask=column.is_null() if column.null_count else None)


def _at(rows: pa.Table, names: Sequence[str]) -> pa.Array:
    return field_of(rows.column(names[0]).combine_chunks(), names[1:])


def _texts(values: pa.Array) -> list[str]:
    return [text or "" for text in values.to_pylist()]


def _label(value: object, classes: Sequence[str]) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(classes):
        return classes[value]
    return str(value) if isinstance(value, (str, int, bool)) else ""

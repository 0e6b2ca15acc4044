"""The pictures of kept rows and what stands beside them, whatever form the source has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

import pyarrow as pa

from tamis.data.byte_text import is_bytes
from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError, PictureError
from tamis.data.features import feature_image
from tamis.data.paths import find_path
from tamis.data.picture_source import NamedPicture, find_pictures, read_named
from tamis.data.repair import is_text
from tamis.data.schema import field_of, type_at
from tamis.data.shapes import PICTURE
from tamis.data.tar_reader import KEY

SOURCE = "source position of the picture"
"""Column of batches of pictures, int64: which row of the source a row is; it is not written."""

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""A picture as the library ``datasets`` keeps it."""


@dataclass(frozen=True)
class KeptPictures:
    """The pictures of a corpus.

    Attributes:
        corpus: of pictures.
    """

    corpus: Corpus

    @property
    def path(self) -> str:
        """Return the path of the column of pictures."""
        return self.corpus.shape.columns[PICTURE]

    @property
    def names(self) -> Sequence[str]:
        """Return the names that lead to that column."""
        return find_path(self.corpus.schema, self.path) or (self.path,)

    @property
    def are_files(self) -> bool:
        """Say whether the column names files."""
        kind = type_at(self.corpus.schema, self.path)
        return kind is not None and is_text(kind)

    def bytes_of(self, rows: pa.Table) -> Iterator[bytes]:
        """Yield the encoded picture of each row.

        Raises:
            CorpusError: a file is gone or was changed since the corpus was opened.
        """
        for held in self.places(rows):
            yield held if isinstance(held, bytes) else read_whole(held)

    def places(self, rows: pa.Table) -> Iterator[bytes | NamedPicture]:
        """Yield where the picture of each row is: its bytes, or its file. Raises as ``bytes_of``."""
        column = field_of(_one(rows.column(self.names[0])), self.names[1:])
        for held in find_pictures(self.corpus, rows.column(SOURCE).to_numpy(), column):
            if isinstance(held, PictureError):
                raise CorpusError(f"A picture cannot be read any more: {held}", fix="open the corpus again")
            yield held

    def own_names(self, rows: pa.Table) -> list[str]:
        """Return the name that each picture has in the source, empty where it has none."""
        column = field_of(_one(rows.column(self.names[0])), self.names[1:])
        if is_text(column.type):
            return [text or "" for text in column.to_pylist()]
        if pa.types.is_struct(column.type) and column.type.get_field_index("path") >= 0:
            return [text or "" for text in field_of(column, ["path"]).to_pylist()]
        if KEY in rows.column_names and is_text(rows.schema.field(KEY).type):
            return [text or "" for text in rows.column(KEY).to_pylist()]
        return [""] * rows.num_rows

    def labels(self, rows: pa.Table) -> list[str]:
        """Return the label of each row as text, empty where it has none or it is not one value."""
        path = self.corpus.roles.label
        place = find_path(self.corpus.schema, path) if path else None
        if not path or not place:
            return [""] * rows.num_rows
        names = self.corpus.labels.get(path, ())
        values = field_of(_one(rows.column(place[0])), place[1:]).to_pylist()
        return [_label(value, names) for value in values]

    def beside(self, rows: pa.Table) -> pa.Table:
        """Return the columns beside the pictures; of a picture's own fields only the name stays, as ``path``."""
        head = self.names[0]
        place = rows.column_names.index(head)
        column = _one(rows.column(head))
        own = field_of(column, self.names[1:])
        left = rows.drop_columns([head, *([SOURCE] if SOURCE in rows.column_names else [])])
        if pa.types.is_struct(own.type) and own.type.get_field_index("path") >= 0:
            name = "path" if "path" not in left.column_names else f"{head}_path"
            left = left.add_column(min(place, left.num_columns), name, field_of(own, ["path"]))
        return left


def image_field(field: pa.Field) -> pa.Field:
    """Return the field of the column of pictures in a file: as ``datasets`` keeps it, where it is bytes or names."""
    return field.with_type(IMAGE).with_nullable(True) if is_text(field.type) or is_bytes(field.type) else field


def read_whole(named: NamedPicture) -> bytes:
    """Return the bytes of a picture file. Raises ``CorpusError`` if it is gone or was changed."""
    held = read_named(named)
    if isinstance(held, PictureError):
        raise CorpusError(f"{named.name} cannot be read any more: {held}", fix="open the corpus again")
    return held


def checksum(raw: bytes) -> str:
    """Return the sha256 of bytes."""
    return sha256(raw).hexdigest()


def stem_of(name: str) -> str:
    """Return the name of a file without folder and end."""
    return PurePosixPath(name.replace("\\", "/")).stem


def _label(value: object, names: Sequence[str]) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return names[value]
    return str(value) if isinstance(value, (str, int, bool)) else ""


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


__all__ = ["IMAGE", "SOURCE", "KeptPictures", "Path", "feature_image", "image_field"]

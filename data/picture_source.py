"""Encoded pictures of a corpus: bytes in a column, or files that a column names, below the folder of the corpus."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.data.byte_text import is_bytes
from tamis.data.errors import CorpusError, PictureError, RoleError
from tamis.data.formats import PICTURE_SUFFIXES, PICTURES
from tamis.data.picture import MOST_PICTURE_BYTES
from tamis.data.repair import is_text
from tamis.data.schema import type_at
from tamis.data.shapes import PICTURE
from tamis.data.shards import Shard

if TYPE_CHECKING:
    from tamis.data.corpus import Corpus

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//|[^\\/])")
_NONE = "the row has no picture"
Held = bytes | PictureError
"""Encoded bytes of a picture, or why there are none."""


@dataclass(frozen=True)
class NamedPicture:
    """The file of a picture.

    Attributes:
        path: where it is.
        name: its path below the folder of the corpus, or what names it there.
        sha256: of its bytes when the corpus was opened, empty where they were not read then.
    """

    path: Path
    name: str
    sha256: str = ""


Place = bytes | NamedPicture | PictureError
"""Where a picture is: in its row, in a file, or nowhere."""


def is_address(text: str) -> bool:
    """Say whether a text is an address such as ``https://...`` or ``data:...``, not a path."""
    return _ADDRESS.match(text) is not None


def is_picture_path(text: str) -> bool:
    """Say whether a text is the path of a picture file by its end; addresses are none."""
    return not is_address(text) and PurePath(text).suffix.lower() in PICTURE_SUFFIXES


def check_pictures(schema: pa.Schema, path: str, values: Sequence[str | None]) -> None:
    """Check the column of pictures.

    Args:
        schema: of the corpus.
        path: the column.
        values: some of its values, if it is text.

    Raises:
        RoleError: it holds neither bytes nor paths, or addresses.
    """
    kind = type_at(schema, path)
    if kind is None or not (is_text(kind) or is_bytes(kind) or _fields(kind)):
        raise RoleError(
            f"Column {path} holds no pictures", value=str(kind),
            allowed="bytes, an object with the fields bytes and path, or text with paths of files",
        )  # fmt: skip
    held = [value for value in values if value] if is_text(kind) else []
    if held and all(map(is_address, held)):
        raise RoleError(
            f"Column {path} holds addresses, and nothing is fetched from the network", value=held[0],
            fix="download the pictures first, for example with img2dataset, and open what it writes",
        )  # fmt: skip


def states_pictures(corpus: Corpus) -> bool:
    """Say whether the files of a corpus of pictures hold the pictures themselves, not only paths of other files."""
    kind = type_at(corpus.schema, corpus.shape.columns[PICTURE])
    return all(opened.format == PICTURES for opened in corpus.opened) or (kind is not None and not is_text(kind))


def _fields(kind: pa.DataType) -> list[str]:
    """Return which of ``bytes`` and ``path`` an object has."""
    return [name for name in ("bytes", "path") if pa.types.is_struct(kind) and kind.get_field_index(name) >= 0]


@dataclass(frozen=True)
class PictureBatch:
    """Some rows of a shard with their encoded pictures.

    Attributes:
        pictures: bytes of each row's picture, or why there are none.
        rows: further columns.
    """

    pictures: Sequence[Held]
    rows: pa.RecordBatch

    @property
    def encoded(self) -> pa.Array:
        """Return the bytes, large_binary (n,), NULL where there are none."""
        return pa.array([each if isinstance(each, bytes) else None for each in self.pictures], pa.large_binary())


def read_batches(
    corpus: Corpus, shard: Shard, *, columns: Sequence[str] = (), max_rows: int = 256, max_bytes: int = 64 << 20
) -> Iterator[PictureBatch]:
    """Yield all rows of a shard with their encoded pictures, in source order.

    Args:
        corpus: a corpus of pictures.
        shard: one of its shards.
        columns: further columns, by path.
        max_rows: maximum rows per batch.
        max_bytes: maximum encoded bytes per batch, unless a single picture is larger.

    Raises:
        CorpusError: a file of the corpus was changed since it was opened.
    """
    wanted = [corpus.shape.columns[PICTURE], *columns]
    first = shard.first
    for piece in shard.pieces:
        opened = corpus.opened[piece.file]
        own = replace(shard, first=first, rows=piece.rows, pieces=(piece,))
        folders = _folders(corpus, piece.file)
        names = iter(
            document for mark in piece.marks for document in opened.probe.documents[mark.row : mark.row + mark.rows]
        )
        for batch in corpus.batches(own, columns=wanted, max_rows=max_rows, max_bytes=max_bytes):
            rows = batch.select(range(1, batch.num_columns))
            if opened.format == PICTURES:
                known = [next(names) for _ in range(batch.num_rows)]
                held = map(read_named, (NamedPicture(Path(each.path), each.name, each.sha256) for each in known))
            else:
                held = _held(batch.column(0), folders)
            yield from _in_bytes(held, rows, max_bytes)
        first += piece.rows


def _in_bytes(held: Iterator[Held], rows: pa.RecordBatch, max_bytes: int) -> Iterator[PictureBatch]:
    """Yield batches of limited bytes: what a column names may be far larger than its path."""
    found: list[Held] = []
    start = size = 0
    for each in held:
        here = len(each) if isinstance(each, bytes) else 0
        if found and size + here > max_bytes:
            yield PictureBatch(found, rows.slice(start, len(found)))
            start, found, size = start + len(found), [], 0
        found.append(each)
        size += here
    if found:
        yield PictureBatch(found, rows.slice(start, len(found)))


def pictures_at(corpus: Corpus, positions: NDArray[np.int64]) -> list[Held]:
    """Return the encoded pictures at source positions, in the requested order.

    Raises:
        CorpusError: a file of the corpus was changed since it was opened.
    """
    column = None
    if any(file.format != PICTURES for file in corpus.opened):
        column = corpus.column_at(positions, corpus.shape.columns[PICTURE])
    return [_read_place(place) for place in find_pictures(corpus, positions, column)]


def find_pictures(corpus: Corpus, positions: NDArray[np.int64], column: pa.Array | None) -> Iterator[Place]:
    """Yield where the pictures at source positions are.

    Args:
        corpus: a corpus of pictures.
        positions: int64 (m,).
        column: the column of pictures at these positions, (m,); not needed for files of pictures.
    """
    starts = np.cumsum([0, *(file.rows for file in corpus.files)])
    files = (np.searchsorted(starts, positions, side="right") - 1).tolist()
    for at, (file, position) in enumerate(zip(files, positions.tolist(), strict=True)):
        opened = corpus.opened[file]
        if opened.format == PICTURES:
            named = opened.probe.documents[position - int(starts[file])]
            yield NamedPicture(Path(named.path), named.name, named.sha256)
        elif column is not None:
            yield from _places(column.slice(at, 1), _folders(corpus, file))


def _folders(corpus: Corpus, file: int) -> tuple[Path, ...]:
    """Return the folders below which the paths in a file of a corpus are looked for, all inside the corpus."""
    root = Path(corpus.root)
    if corpus.opened[file].format == PICTURES:
        return (root,)
    return tuple(dict.fromkeys((corpus.files[file].path.parent, root)))


def _held(column: pa.Array, folders: Sequence[Path]) -> Iterator[Held]:
    """Yield the bytes of each value of the column of pictures."""
    return map(_read_place, _places(column, folders))


def _places(column: pa.Array, folders: Sequence[Path]) -> Iterator[Place]:
    """Yield where the picture of each value of the column of pictures is."""
    if is_bytes(column.type):
        for value in column:
            held = value.as_py()
            yield held if held is not None else PictureError(_NONE)
        return
    if is_text(column.type):
        for text in column.to_pylist():
            yield _find(text, folders)
        return
    names = _fields(column.type)
    raw = pc.struct_field(column, ["bytes"]) if "bytes" in names else pa.nulls(len(column), pa.large_binary())
    texts = pc.struct_field(column, ["path"]) if "path" in names else pa.nulls(len(column), pa.large_string())
    for value, text in zip(raw, texts.to_pylist(), strict=True):
        held = value.as_py()
        yield held if isinstance(held, bytes) else _find(text, folders)


def _find(text: str | None, folders: Sequence[Path]) -> NamedPicture | PictureError:
    """Return the file that a text names."""
    if text is None or not text.strip():
        return PictureError(_NONE)
    if is_address(text):
        return PictureError("its picture is an address, and nothing is fetched from the network")
    try:
        for folder in folders:
            file = folder / text
            if not file.resolve().is_relative_to(folders[-1].resolve()):
                return PictureError("its picture lies outside the folder of the corpus")
            if file.is_file():
                return NamedPicture(file, text)
    except (OSError, ValueError, RuntimeError) as error:
        return _unreadable(error)
    return PictureError("the file of its picture is missing")


def _unreadable(error: Exception) -> PictureError:
    return PictureError(f"its picture cannot be read ({getattr(error, 'strerror', None) or error})")


def _read_place(place: Place) -> Held:
    return read_named(place) if isinstance(place, NamedPicture) else place


def read_named(named: NamedPicture) -> Held:
    """Return the bytes of a file; where they were hashed when the corpus was opened, they must be the same.

    Raises:
        CorpusError: they are not, or the file is gone.
    """
    try:
        if named.path.stat().st_size > MOST_PICTURE_BYTES:
            return PictureError(f"the picture is larger than {MOST_PICTURE_BYTES >> 20} MiB")
        held = named.path.read_bytes()
    except OSError as error:
        if not named.sha256:
            return _unreadable(error)
        raise CorpusError(f"{named.name} is no longer there", value=str(named.path)) from error
    if named.sha256 and sha256(held).hexdigest() != named.sha256:
        raise CorpusError(f"{named.name} was changed since the corpus was opened", fix="open the corpus again")
    return held

"""Encoded pictures of a corpus: bytes in a column, or files that a column names, below the folder of the corpus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tamis.data.byte_text import is_bytes
from tamis.data.errors import CorpusError, PictureError
from tamis.data.file_hashes import FileHashes
from tamis.data.formats import PICTURES
from tamis.data.hashing import digest
from tamis.data.picture import MOST_PICTURE_BYTES
from tamis.data.picture_paths import fields_of, is_address
from tamis.data.repair import is_text
from tamis.data.schema import type_at
from tamis.data.shapes import PICTURE
from tamis.data.shards import Shard, cut_shards
from tamis.data.source_files import fingerprint_of, text_fingerprint_of

if TYPE_CHECKING:
    from tamis.data.corpus import Corpus

LOST = "Put the file back as it was, or analyse the corpus again"
"""What to do about a picture that is gone or was changed."""
_NONE = "the row has no picture"
_FIRST_ROWS = 1024

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


def states_pictures(corpus: Corpus) -> bool:
    """Say whether the files of a corpus of pictures hold the pictures themselves, not paths of other files."""
    return not any(file.named for file in corpus.files)


def with_named_pictures(corpus: Corpus, probes: Path | None = None, check: Callable[[], None] = lambda: None) -> Corpus:
    """Return the corpus with the content of the picture files that it names in its fingerprints, if it names any.

    So a corpus whose pictures were changed is another corpus.

    Args:
        corpus: any corpus.
        probes: folder that remembers the checksums of files.
        check: called between batches; may raise.

    Raises:
        CorpusError: a file of the corpus was changed since it was opened.
    """
    named = _named_by(corpus, probes, check) if corpus.shape.kind == PICTURE else [""] * len(corpus.files)
    files = tuple(replace(file, named=each) for file, each in zip(corpus.files, named, strict=True))
    if files == corpus.files:
        return corpus
    prints = fingerprint_of(files, corpus.roles), text_fingerprint_of(files, corpus.roles)
    return replace(corpus, files=files, fingerprint=prints[0], text_fingerprint=prints[1])


def _named_by(corpus: Corpus, probes: Path | None, check: Callable[[], None]) -> list[str]:
    """Return for each file of a corpus a digest of the pictures that it names, empty where it holds them."""
    hashes, column = FileHashes.of(probes), corpus.shape.columns[PICTURE]
    kind = type_at(corpus.schema, column)
    found = ["" for _ in corpus.files]
    for number, opened in enumerate(corpus.opened):
        if opened.format == PICTURES or kind is None or is_bytes(kind):
            continue
        names: set[str] = set()
        for shard in cut_shards([opened.probe.marks]):
            own = replace(shard, pieces=tuple(replace(piece, file=number) for piece in shard.pieces))
            for at, batch in enumerate(corpus.batches(own, columns=[column], max_rows=_FIRST_ROWS)):
                check()
                values = _paths_in(batch.column(0))
                names.update(value for value in values if value)
                if not at and not names and not is_text(kind) and _states_bytes_only(corpus.files[number].path, column):
                    break
        if names:
            folders = _folders(corpus, number)
            told = [[name, _sum_of(name, folders, hashes)] for name in sorted(names)]
            found[number] = digest(told)
    hashes.save()
    return found


def _states_bytes_only(file: Path, column: str) -> bool:
    """Say whether a Parquet file states that every row of a column of objects has bytes, so that none is searched."""
    try:
        about = pq.ParquetFile(file).metadata
    except (pa.ArrowException, OSError):
        return False
    leaves = [number for number in range(about.num_columns) if about.schema.column(number).path == f"{column}.bytes"]
    if len(leaves) != 1:
        return False
    stated = [about.row_group(group).column(leaves[0]).statistics for group in range(about.num_row_groups)]
    return all(each is not None and each.has_null_count and not each.null_count for each in stated)


def _paths_in(column: pa.Array) -> list[str | None]:
    """Return the paths of rows that have no bytes."""
    if is_text(column.type):
        return list(column.to_pylist())
    names = fields_of(column.type)
    if "path" not in names:
        return []
    paths = pc.struct_field(column, ["path"])
    if "bytes" not in names:
        return list(paths.to_pylist())
    return list(pc.if_else(pc.struct_field(column, ["bytes"]).is_null(), paths, None).to_pylist())


def _sum_of(name: str, folders: Sequence[Path], hashes: FileHashes) -> str | None:
    file = _file_of(name, folders)
    try:
        return None if isinstance(file, PictureError) else hashes.sha256(file)
    except OSError:
        return None


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
                files = (NamedPicture(Path(each.path), each.name, each.sha256) for each in known)
                held: Iterator[Held] = map(read_named, files)
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
    names = fields_of(column.type)
    raw = pc.struct_field(column, ["bytes"]) if "bytes" in names else pa.nulls(len(column), pa.large_binary())
    texts = pc.struct_field(column, ["path"]) if "path" in names else pa.nulls(len(column), pa.large_string())
    for value, text in zip(raw, texts.to_pylist(), strict=True):
        held = value.as_py()
        yield held if isinstance(held, bytes) else _find(text, folders)


def _find(text: str | None, folders: Sequence[Path]) -> NamedPicture | PictureError:
    """Return the file that a text names."""
    file = PictureError(_NONE) if text is None else _file_of(text, folders)
    return file if isinstance(file, PictureError) else NamedPicture(file, text or "")


def _file_of(text: str, folders: Sequence[Path]) -> Path | PictureError:
    """Return the file that a text names: below the first of the folders that has it, never outside the last."""
    if not text.strip():
        return PictureError(_NONE)
    if is_address(text):
        return PictureError("its picture is an address, and nothing is fetched from the network")
    root = folders[-1].resolve()
    try:
        for folder in folders:
            file = (folder / text).resolve()
            if not file.is_relative_to(root):
                return PictureError("its picture lies outside the folder of the corpus")
            if file.is_file():
                return file
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
        raise CorpusError(f"{named.name} is no longer there", fix=LOST) from error
    if named.sha256 and sha256(held).hexdigest() != named.sha256:
        raise CorpusError(f"{named.name} was changed since the corpus was opened", fix=LOST)
    return held

"""Forms of curated pictures: columns of a format, WebDataset tars, files in folders. The bytes of a picture stay."""

from __future__ import annotations

import errno
import io
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.data.curated_files import FileForm
from tamis.data.documents import Documents
from tamis.data.formats import PICTURES
from tamis.data.hashing import file_sha256
from tamis.data.kept_pictures import KeptPictures, picture_bytes
from tamis.data.picture_names import FileNames, picture_suffix, safe_name
from tamis.data.picture_source import NamedPicture
from tamis.data.row_json import row_lines

PICTURE_GROUP = 128
"""Rows of a row group at most, and rows in memory at once."""

PICTURE_SHARD = 32 * PICTURE_GROUP
"""Rows of a file."""

GROUP_BYTES = 64 << 20
"""Bytes of the pictures of a row group, unless one is larger: readers hold a group, and a page less than 2 GiB."""

METADATA, FILE_NAME = "metadata.jsonl", "file_name"

_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES)
"""Errors of a link to a file that can be read: on another file system, one without links, of too many links."""


@dataclass(frozen=True)
class PictureColumnsForm:
    """A format of columns with the bytes of each picture, or with the place of its file.

    Attributes:
        form: the format.
        pictures: of the corpus.
        embed: whether bytes are written; else the absolute paths of the files.
    """

    form: FileForm
    pictures: KeptPictures
    embed: bool

    def name(self, number: int, count: int) -> str:
        """Return the name of a file of the format."""
        return self.form.name(number, count)

    def write(self, path: Path, groups: Iterable[pa.Table], *, number: int, schema: pa.Schema) -> None:
        """Write a file whose row groups hold at most ``GROUP_BYTES``."""
        filled = (table for group in groups for table in self._fill(group))
        self.form.write(path, filled, number=number, schema=schema)

    def _fill(self, group: pa.Table) -> Iterator[pa.Table]:
        names, first = self.pictures.own_names(group), 0
        for held in _pieces(self.pictures.places(group), embed=self.embed):
            rows, own = group.slice(first, len(held)), names[first : first + len(held)]
            paths = [name or None for name in own] if self.embed else [str(place) for place in held]
            yield self.pictures.put(rows, [raw if isinstance(raw, bytes) else None for raw in held], paths)
            first += len(held)


def _pieces(places: Iterator[bytes | NamedPicture], *, embed: bool) -> Iterator[list[bytes | Path]]:
    """Yield runs of pictures of limited bytes, or the paths of all at once."""
    held: list[bytes | Path] = []
    size = 0
    for place in places:
        if not embed and isinstance(place, NamedPicture):
            held.append(place.path.resolve())
            continue
        raw = picture_bytes(place)
        if held and size + len(raw) > GROUP_BYTES:
            yield held
            held, size = [], 0
        held.append(raw)
        size += len(raw)
    if held:
        yield held


@dataclass(frozen=True)
class PictureTarForm:
    """WebDataset: ``KEY.jpg`` or another end by content, ``KEY.txt`` with the caption, ``KEY.json`` with all columns.

    ``KEY`` is the number of the row; times and owners are constant. Without a slot for captions there is no text.

    Attributes:
        pictures: of the corpus.
    """

    pictures: KeptPictures

    def name(self, number: int, count: int) -> str:
        """Return ``part-00000.tar`` and so on."""
        return f"part-{number:05d}.tar"

    def write(self, path: Path, groups: Iterable[pa.Table], *, number: int, schema: pa.Schema) -> None:
        """Write a tar file."""
        row, has_captions = number * PICTURE_SHARD, "caption" in self.pictures.corpus.shape.columns
        with path.open("wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for group in groups:
                others = _lines(self.pictures.beside(group))
                captions, names = self.pictures.captions(group), self.pictures.own_names(group)
                rows = zip(self.pictures.bytes_of(group), captions, names, others, strict=True)
                for raw, caption, name, line in rows:
                    key = f"{row:09d}"
                    _add(tar, key + (picture_suffix(raw, name) or ".bin"), raw)
                    if has_captions:
                        # Loaders take the members of the first samples for those of all.
                        _add(tar, f"{key}.txt", (caption or "").encode())
                    _add(tar, f"{key}.json", line)
                    row += 1


def _add(tar: tarfile.TarFile, name: str, raw: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(raw), 0o644
    tar.addfile(member, io.BytesIO(raw))
    # The library keeps every member it has written.
    tar.members.clear()  # type: ignore[attr-defined]


@dataclass(frozen=True)
class PlacedPicture:
    """A picture in a folder.

    Attributes:
        name: its path below the folder.
        bytes: its size.
        sha256: of its content.
    """

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class PictureFolderForm:
    """Files of pictures, labels as folders, and ``metadata.jsonl`` with what stands beside them, a line a picture.

    A file of the source is linked where it lies on the same file system, else copied.

    Attributes:
        pictures: of the corpus.
        id_column: the column of document ids: the name of a picture that has none.
        placed: the pictures written so far, in order.
    """

    pictures: KeptPictures
    id_column: str
    placed: list[PlacedPicture] = field(default_factory=list)

    def name(self, number: int, count: int) -> str:
        """Return ``metadata.jsonl``."""
        return METADATA

    def write(self, path: Path, groups: Iterable[pa.Table], *, number: int, schema: pa.Schema) -> None:
        """Write the lines, and the pictures into folders beside them."""
        names = FileNames()
        # Names that systems or loaders read otherwise.
        names.give("", METADATA.removesuffix(".jsonl"), ".jsonl")
        with path.open("wb") as file:
            for group in groups:
                placed = [place_picture(path.parent, *each) for each in self._wishes(group, names)]
                self.placed.extend(placed)
                named = pa.array([each.name for each in placed], pa.large_string())
                beside = _renamed(self.pictures.beside(group)).add_column(0, FILE_NAME, named)
                file.writelines(line + b"\n" for line in _lines(beside))

    def _wishes(self, group: pa.Table, names: FileNames) -> Iterator[tuple[bytes | NamedPicture, str]]:
        """Yield the place of each picture and its name in the folder."""
        ids = group.column(self.id_column).to_pylist()
        own, labels = self.pictures.own_names(group), self.pictures.labels(group)
        for place, name, label, document in zip(self.pictures.places(group), own, labels, ids, strict=True):
            stem = safe_name(PurePosixPath(name).stem) or safe_name(document) or "picture"
            yield place, names.give(safe_name(label), stem, picture_suffix(_head(place), name))


def place_picture(folder: Path, place: bytes | NamedPicture, name: str) -> PlacedPicture:
    """Link or write a picture into a folder; what an interrupted run has put there stays.

    Raises:
        CorpusError: its file is gone or was changed since the corpus was opened.
        OSError: the disk is full.
    """
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    raw = picture_bytes(place)
    placed = PlacedPicture(name, len(raw), sha256(raw).hexdigest())
    if _is_there(target, place, placed):
        return placed
    # Never written over: it may be a link to a file of the source.
    target.unlink(missing_ok=True)
    if not (isinstance(place, NamedPicture) and _link(place.path, target)):
        target.write_bytes(raw)
    return placed


def _is_there(target: Path, place: bytes | NamedPicture, placed: PlacedPicture) -> bool:
    """Say whether a file is the picture, whole."""
    try:
        if target.stat().st_size != placed.bytes:
            return False
        same = isinstance(place, NamedPicture) and target.samefile(place.path)
        return same or file_sha256(target) == placed.sha256
    except OSError:
        return False


def remove_others(folder: Path, placed: Sequence[PlacedPicture]) -> None:
    """Remove files of a folder that are neither its pictures nor what stands beside them."""
    known = {METADATA, *(each.name for each in placed)}
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in known:
            path.unlink()


def _link(source: Path, target: Path) -> bool:
    """Make a link to a file and say whether that was possible."""
    try:
        os.link(source.resolve(), target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True


def _head(place: bytes | NamedPicture) -> bytes:
    if isinstance(place, bytes):
        return place[:32]
    with place.path.open("rb") as file:
        return file.read(32)


def _renamed(beside: pa.Table) -> pa.Table:
    """Return columns with other names for those that ``imagefolder`` takes for names of files or for the picture."""
    ends = (FILE_NAME, f"{FILE_NAME}s")
    names = list(beside.column_names)
    for place, name in enumerate(names):
        if name in ("image", *ends) or name.endswith(tuple(f"_{end}" for end in ends)):
            names[place] = max([f"{name}_", *(f"{other}_" for other in names if other.startswith(name))], key=len)
    return beside.rename_columns(names)


def _lines(table: pa.Table) -> list[bytes]:
    batches = table.combine_chunks().to_batches()
    return [line for batch in batches for line in row_lines(batch)]


def placed_table(placed: Sequence[PlacedPicture]) -> pa.Table:
    """Return the files of a folder, a row each: name, bytes, sha256."""
    columns = {
        "file_name": pa.array([each.name for each in placed], pa.large_string()),
        "bytes": pa.array([each.bytes for each in placed], pa.int64()),
        "sha256": pa.array([each.sha256 for each in placed], pa.large_string()),
    }
    return pa.table(columns)


def room_for_pictures(
    pictures: KeptPictures, documents: Documents, copies: NDArray[np.int32], folder: Path, format: str
) -> int:
    """Return the bytes that pictures need on disk, about: exact for files of pictures, by their share for others.

    Args:
        pictures: of the corpus.
        documents: its documents.
        copies: int32 (n,), how often each is written.
        folder: where they are written.
        format: ``folder`` needs nothing where files can be linked, ``paths`` nothing at all.
    """
    corpus = pictures.corpus
    files = corpus.opened
    if format == "paths" or (format == "folder" and pictures.are_files and _same_disk(folder, Path(corpus.root))):
        return 0
    if files[0].format == PICTURES:
        sizes = np.array([each.bytes for each in files[0].probe.documents], dtype=np.int64)
        return int((sizes[documents.order] * copies).sum())
    # Rows with bytes are held once more until they are sorted.
    return int(2 * sum(file.bytes for file in files) * min(1.0, int(copies.sum()) / max(corpus.rows, 1)))


def _same_disk(one: Path, other: Path) -> bool:
    above = next(each for each in (one, *one.parents) if each.exists())
    return above.stat().st_dev == other.stat().st_dev

"""Opening the files of a corpus: content hash, probe, and the reasons why a file cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from tamis.data.arrow_reader import ArrowReader
from tamis.data.csv_reader import CsvReader
from tamis.data.errors import CorpusError
from tamis.data.file_hashes import FileHashes
from tamis.data.formats import (
    ONE_EACH,
    PICTURES,
    TEXTS,
    BadLine,
    Cut,
    LineReader,
    Mark,
    Probe,
    Reader,
    RowLines,
    detect_compression,
    format_of,
    named_json,
)
from tamis.data.hashing import canonical_json, digest, file_sha256
from tamis.data.json_reader import JsonReader, holds_json
from tamis.data.jsonl_reader import JsonlReader
from tamis.data.listing import FileListing, list_files
from tamis.data.parquet import write_bytes
from tamis.data.parquet_reader import ParquetReader
from tamis.data.path_columns import ORIGINS, PathColumns, path_values
from tamis.data.picture_files import PictureFiles, PictureFilesReader
from tamis.data.probe_store import PROBE_VERSION, encode_probe, recall_probe
from tamis.data.progress import Progress
from tamis.data.repair import Repairs, is_text
from tamis.data.schema import as_json, at_path, head_of, type_at
from tamis.data.session_log import SESSIONS, SessionReader, are_sessions
from tamis.data.tar_reader import TAR_VERSION, TarReader
from tamis.data.text_files import TextFiles, TextFilesReader, check_texts
from tamis.data.warc_reader import WarcReader

READER_VERSION = 1
"""Version of the readers, part of every fingerprint: raised whenever the same bytes give other rows."""

FEW, SMALL = 64, 1 << 16
"""If there are more than ``FEW`` files, those below ``SMALL`` bytes are read again: caching each would take longer."""

OnBad = Literal["fail", "skip"]
_WITHOUT_LINES: Mapping[str, Reader] = {
    "parquet": ParquetReader(),
    "arrow": ArrowReader(),
    TEXTS: TextFilesReader(),
    PICTURES: PictureFilesReader(),
}
"""Readers of formats without lines that could be left out, whose files are not compressed as a whole."""
_WITH_LINES: Mapping[str, Callable[[str, bool], Reader]] = {
    "jsonl": JsonlReader, "json": JsonReader, "csv": CsvReader, "tar": TarReader, "warc": WarcReader,
    SESSIONS: SessionReader,
}  # fmt: skip
"""Readers of the other formats, by compression and whether lines are left out."""

_SAMPLE_FILES = 3
_SAMPLE_ROWS = 1_000
_SAMPLE_BYTES = 1 << 20


@dataclass(frozen=True)
class LeftOut:
    """A file or line that is left out.

    Attributes:
        file: path below the corpus root.
        line: number of the line, from 1; None for the whole file.
        reason: the reason, a sentence.
    """

    file: str
    line: int | None
    reason: str


@dataclass(frozen=True)
class OpenedFile:
    """A file with its probe and its state when it was hashed.

    Attributes:
        path: path of the file; the root for ``texts`` and ``pictures``.
        name: path below the corpus root.
        format: ``parquet``, ``jsonl``, ``json``, ``csv``, ``arrow``, or ``texts`` and ``pictures`` for all files of
            text and of pictures together.
        compression: empty, ``gz``, ``zst``, ``bz2`` or ``xz``.
        bytes: size on disk.
        sha256: of its content.
        stamp: inode and modification time in ns when it was hashed.
        probe: its content.
        on_bad_line: whether lines that cannot be read are left out.
        path_schema: columns taken from its path, which replace columns of the same name in the file.
        path_texts: their values as written in the path.
        path_values: their values.
    """

    path: Path
    name: str
    format: str
    compression: str
    bytes: int
    sha256: str
    stamp: tuple[int, int]
    probe: Probe
    on_bad_line: OnBad = "fail"
    path_schema: pa.Schema = field(default_factory=lambda: pa.schema([]))
    path_texts: Mapping[str, str | None] = field(default_factory=dict)
    path_values: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def schema(self) -> pa.Schema:
        """Return the plain schema of its rows: columns of the file, then columns of its path."""
        held = [column for column in self.probe.schema if column.name not in self.path_schema.names]
        return pa.schema([*held, *self.path_schema])

    @cached_property
    def names(self) -> frozenset[str]:
        """Return the names of the columns of ``schema``."""
        return frozenset(self.schema.names)

    @property
    def content(self) -> list[Any]:
        """Return what determines its rows: hash, format, compression, and the columns of its path, if any."""
        return [self.sha256, self.format, self.compression, *([dict(self.path_texts)] if self.path_texts else [])]

    def read(self, cut: Cut, repairs: Repairs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of ``cut`` with the requested columns, also those of the path."""
        held = tuple(name for name in cut.columns if name not in self.path_schema.names)
        reader = _reader(self.format, self.compression, self.on_bad_line)
        for batch in reader.read(self.path, self.probe, replace(cut, columns=held), repairs):
            if len(held) == len(cut.columns):
                yield batch
                continue
            arrays = [batch.column(name) if name in held else self._same(name, batch.num_rows) for name in cut.columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(cut.columns))

    def lines(self, marks: Sequence[Mark]) -> RowLines | None:
        """Return the rows of consecutive marks as lines of JSON, as the file has them; None for other formats."""
        reader = _reader(self.format, self.compression, self.on_bad_line)
        return reader.lines(self.path, self.probe, marks) if isinstance(reader, LineReader) else None

    def _same(self, name: str, rows: int) -> pa.Array:
        return pa.repeat(pa.scalar(self.path_values[name], self.path_schema.field(name).type), rows)

    def verify(self) -> None:
        """Raise ``CorpusError`` if the content is another one than when it was hashed."""
        if self.format in ONE_EACH:
            check_texts(self.probe.documents)
        elif not self.path.is_file() or file_sha256(self.path) != self.sha256:
            raise CorpusError(f"{self.name} was changed since the corpus was opened", fix="open the corpus again")

    def check_unchanged(self) -> None:
        """Raise ``CorpusError`` if the file is missing or was changed since it was hashed.

        Files of text and pictures are not looked at: their readers hash each.
        """
        if self.format in ONE_EACH:
            return
        try:
            stat = self.path.stat()
        except OSError as error:
            raise CorpusError(f"{self.name} is no longer there", value=str(self.path)) from error
        if (stat.st_size, stat.st_ino, stat.st_mtime_ns) != (self.bytes, *self.stamp):
            raise CorpusError(f"{self.name} was changed since the corpus was opened", fix="open the corpus again")

    def check_text(self, path: str | None) -> None:
        """Raise ``CorpusError`` if the file has no text at ``path``; a file without rows is not checked."""
        if not self.probe.rows or path is None:
            return
        kind = type_at(self.schema, path)
        if kind is None:
            raise CorpusError(f"{self.name} has no column {path}", value=self.schema.names)
        if not is_text(kind) and not pa.types.is_null(kind):
            raise CorpusError(f"Column {path} of {self.name} is not text", value=str(kind), allowed="text")


def _reader(kind: str, compression: str, on_bad_line: OnBad) -> Reader:
    if kind in _WITHOUT_LINES:
        return _WITHOUT_LINES[kind]
    skip = on_bad_line == "skip"
    return _WITH_LINES[kind](compression, skip)


@dataclass(frozen=True)
class Opening:
    """The readable files of a corpus.

    Attributes:
        root: folder that holds them.
        files: the readable ones, in an order that depends on their rows only.
        left_out: bad files and bad lines.
        notes: what is left out, and what was read in another way than the file states.
    """

    root: str
    files: tuple[OpenedFile, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def open_files(
    path: str | Path,
    *,
    on_bad_file: OnBad,
    on_bad_line: OnBad,
    path_columns: PathColumns,
    probes: Path | None,
    progress: Progress,
    sessions: bool = True,
) -> Opening:
    """Open the files of a corpus; with ``sessions``, logs of sessions as one document each.

    Raises:
        CorpusError: a bad file (with ``fail``), or no readable file.
    """
    listing = list_files(path)
    if listing.one_each:
        files = TextFiles() if listing.one_each == TEXTS else PictureFiles(listing.beside, probes)
        return _open_together(listing, files, on_bad_file, path_columns, progress)
    opened, bad, notes = [], [], list(listing.notes)
    logs = sessions and are_sessions(listing.files)
    sizes = [file.stat().st_size for file in listing.files]
    hashes = FileHashes.of(probes)
    progress.step("opening", sum(sizes), "bytes")
    for file, size in zip(listing.files, sizes, strict=True):
        progress.check()
        name = file.relative_to(listing.root).as_posix()
        try:
            notes_in = probes if size >= SMALL or len(sizes) <= FEW else None
            thorough = on_bad_file == "skip"
            reading = _Reading(thorough, on_bad_line, notes_in, logs)
            one = _open_file(file, name, reading, hashes if notes_in is not None else FileHashes(None))
        except CorpusError as error:
            if on_bad_file == "fail":
                raise with_way_out(error, len(sizes)) from error
            bad.append(LeftOut(name, None, str(error)))
        else:
            opened.append(one)
            bad += [_left_out(name, line) for line in one.probe.bad_lines]
            notes += [f"{name}: {note}" for note in one.probe.notes]
        progress.advance(size)
    hashes.save()
    if not opened:
        raise CorpusError("No file can be read", value=[item.reason for item in bad])
    return Opening(str(listing.root), _with_paths(listing.root, opened, path_columns), tuple(bad), tuple(notes))


def _left_out(name: str, line: BadLine) -> LeftOut:
    if not line.member:
        return LeftOut(name, line.line, line.reason)
    return LeftOut(f"{name}/{line.member}", None, f"{name}/{line.member} {line.reason}")


def _open_together(
    listing: FileListing,
    files: TextFiles | PictureFiles,
    on_bad_file: OnBad,
    path_columns: PathColumns,
    progress: Progress,
) -> Opening:
    """Open files of text and code, or of pictures, as one file whose rows they are."""
    bad = []
    progress.step("opening", len(listing.files), "files")
    base = f"{listing.root}/"
    for file in listing.files:
        progress.check()
        name = str(file).removeprefix(base)
        try:
            files.add(file, name)
        except CorpusError as error:
            if on_bad_file == "fail":
                raise with_way_out(error, len(listing.files)) from error
            bad.append(LeftOut(name, None, str(error)))
        progress.advance(1)
    held, kind = files.opened(), listing.one_each
    if held is None:
        raise CorpusError("No file can be read", value=[item.reason for item in bad], allowed=files.allowed)
    one = OpenedFile(listing.root, kind, kind, "", held.bytes, held.sha256, (0, 0), held.probe)
    # Their own paths are a column already.
    wanted: PathColumns = path_columns if isinstance(path_columns, tuple) else "found"
    return Opening(
        str(listing.root),
        _with_paths(listing.root, [one], wanted),
        tuple(bad),
        (*listing.notes, *held.probe.notes),
    )


def with_way_out(error: CorpusError, files: int) -> CorpusError:
    """Return the error of one file; where there are other files and it says not what to do, it says how to go on."""
    if files == 1 or error.fix:
        return error
    fix = "repair the file, or leave it out with --skip-bad-files"
    return CorpusError(error.what, value=error.value, allowed=error.allowed, fix=fix)


def _with_paths(root: Path, files: Sequence[OpenedFile], wanted: PathColumns) -> tuple[OpenedFile, ...]:
    """Return the files with the columns of their paths, sorted by content; a column in a file is never an origin."""
    found = path_values(root, [file.path for file in files], wanted=wanted)
    held = {name for file in files for name in file.probe.schema.names}
    names = {name for name in found.schema.names if not (name in ORIGINS and name in held)}
    known = []
    for file, texts, values in zip(files, found.texts, found.values, strict=True):
        mine = names & texts.keys()
        known.append(
            replace(
                file,
                path_schema=pa.schema([column for column in found.schema if column.name in mine]),
                path_texts={name: texts[name] for name in texts if name in mine},
                path_values={name: values[name] for name in values if name in mine},
            )
        )
    return tuple(sorted(known, key=lambda file: (*file.content[:3], canonical_json(file.content[3:]), file.name)))


@dataclass(frozen=True)
class _Reading:
    """How files are opened: the arguments of ``open_files`` that concern one file."""

    thorough: bool
    on_bad_line: OnBad
    probes: Path | None
    logs: bool


def _open_file(path: Path, name: str, reading: _Reading, hashes: FileHashes) -> OpenedFile:
    thorough, on_bad_line, probes = reading.thorough, reading.on_bad_line, reading.probes
    kind, compression = format_of(path) or ("parquet", "")
    try:
        stat = path.stat()
        sha256 = hashes.sha256(path)
        compression = compression if kind in _WITHOUT_LINES else detect_compression(path, compression)
        if kind == "jsonl" and named_json(path) and holds_json(path, compression):
            kind = "json"
        kind = SESSIONS if reading.logs else kind
    except OSError as error:
        raise CorpusError(f"{name} cannot be read: {error.strerror or error}") from error
    version = [PROBE_VERSION, *([TAR_VERSION] if kind == "tar" else [])]
    lines = [] if kind in _WITHOUT_LINES or on_bad_line == "fail" else ["skip"]
    remembered = digest([sha256, kind, compression, READER_VERSION, thorough, *version, *lines])
    probe = recall_probe(probes, remembered)
    if probe is None:
        probe = _reader(kind, compression, on_bad_line).probe(path, thorough=thorough)
        if probes is not None:
            # No fsync per file: an incomplete probe is not read back.
            write_bytes(probes / f"{remembered}.json", encode_probe(probe), durable=False)
    stamp = (stat.st_ino, stat.st_mtime_ns)
    file = OpenedFile(path, name, kind, compression, stat.st_size, sha256, stamp, probe, on_bad_line)
    file.check_unchanged()
    return file


def sample_values(files: Sequence[OpenedFile], wanted: Sequence[str]) -> dict[str, list[str | None]]:
    """Return the first values of columns in each of the largest files; lists as JSON text.

    Args:
        files: the corpus.
        wanted: paths of columns of text or lists; files without a column add no values to it.
    """
    found: dict[str, list[str | None]] = {path: [] for path in wanted}
    for file in sorted(files, key=lambda file: (-file.bytes, file.sha256))[:_SAMPLE_FILES]:
        marks = [mark for mark in file.probe.marks if mark.rows]
        heads = {path: head for path in wanted if (head := head_of(file.probe.schema, path))}
        if not marks or not heads:
            continue
        cut = Cut((marks[0],), tuple(dict.fromkeys(heads.values())), _SAMPLE_ROWS, _SAMPLE_BYTES)
        for batch in file.read(cut, Repairs()):
            for path in heads:
                values = at_path(batch, path).to_pylist()
                found[path] += [
                    value if value is None or isinstance(value, str) else as_json(value) for value in values
                ]
            break
    return found

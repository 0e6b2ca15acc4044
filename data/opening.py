"""Opening the files of a corpus: content hash, probe, and the reasons why one cannot be read."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from tamis.data.csv_reader import CsvReader
from tamis.data.errors import CorpusError
from tamis.data.formats import Cut, Mark, Probe, Reader, format_of, list_files
from tamis.data.hashing import digest, file_sha256
from tamis.data.jsonl_reader import JsonlReader
from tamis.data.parquet import write_bytes
from tamis.data.parquet_reader import ParquetReader
from tamis.data.progress import Progress
from tamis.data.repair import Repairs, is_text
from tamis.data.schema import as_json, at_path, head_of, type_at

READER_VERSION = 1
"""Raised whenever the same bytes are read as other rows: it is part of every fingerprint."""

PROBE_VERSION = 2
"""Raised whenever a probe tells more: it is part of the names probes are remembered by. 2 knows text in bytes, UUIDs
and names of labels; a fingerprint names the columns that are read as text for it."""

OnBadFile = Literal["fail", "skip"]
_SAMPLE_FILES = 3
_SAMPLE_ROWS = 1_000
_SAMPLE_BYTES = 1 << 20


@dataclass(frozen=True)
class OpenedFile:
    """A file, what it holds, and how it looked when it was hashed.

    Attributes:
        path: where it is.
        name: path below the corpus root.
        format: ``parquet``, ``jsonl`` or ``csv``.
        compression: empty, ``gz`` or ``zst``.
        bytes: size on disk.
        sha256: of its content.
        stamp: inode and modification time in ns when it was hashed.
        probe: what it holds.
    """

    path: Path
    name: str
    format: str
    compression: str
    bytes: int
    sha256: str
    stamp: tuple[int, int]
    probe: Probe

    def check_unchanged(self) -> None:
        """Raise ``CorpusError`` when the file is gone or looks changed since it was hashed."""
        try:
            stat = self.path.stat()
        except OSError as error:
            raise CorpusError(f"{self.name} is no longer there", value=str(self.path)) from error
        if (stat.st_size, stat.st_ino, stat.st_mtime_ns) != (self.bytes, *self.stamp):
            raise CorpusError(f"{self.name} was changed since the corpus was opened", fix="open the corpus again")

    def check_text(self, path: str) -> None:
        """Raise ``CorpusError`` when the file has no text at ``path``; a file without rows may be anything."""
        if not self.probe.rows:
            return
        kind = type_at(self.probe.schema, path)
        if kind is None:
            raise CorpusError(f"{self.name} has no column {path}", value=self.probe.schema.names)
        if not is_text(kind) and not pa.types.is_null(kind):
            raise CorpusError(f"Column {path} of {self.name} is not text", value=str(kind), allowed="text")


def reader_of(file: OpenedFile) -> Reader:
    """Return the reader of a file's format."""
    return _reader(file.format, file.compression)


def _reader(kind: str, compression: str) -> Reader:
    if kind == "parquet":
        return ParquetReader()
    return JsonlReader(compression) if kind == "jsonl" else CsvReader(compression)


def open_files(
    path: str | Path, *, on_bad_file: OnBadFile, probes: Path | None, progress: Progress
) -> tuple[str, list[OpenedFile], list[str]]:
    """Return the root, the sound files sorted by content hash, and notes about the files left out.

    Raises:
        CorpusError: a bad file (with ``fail``), or no sound file at all.
    """
    root, files = list_files(path)
    opened, notes = [], []
    sizes = [file.stat().st_size for file in files]
    progress.step("opening", sum(sizes), "bytes")
    for file, size in zip(files, sizes, strict=True):
        progress.check()
        try:
            opened.append(_open_file(file, root, thorough=on_bad_file == "skip", probes=probes))
        except CorpusError as error:
            if on_bad_file == "fail":
                raise
            notes.append(f"left out: {error}")
        progress.advance(size)
    if not opened:
        raise CorpusError("No file can be read", value=notes)
    return root, sorted(opened, key=lambda item: (item.sha256, item.format, item.compression, item.name)), notes


def _open_file(path: Path, root: str, *, thorough: bool, probes: Path | None) -> OpenedFile:
    kind, compression = format_of(path) or ("", "")
    name = str(path.relative_to(root)) if path.is_relative_to(root) else path.name
    try:
        stat = path.stat()
        sha256 = file_sha256(path)
    except OSError as error:
        raise CorpusError(f"{name} cannot be read: {error.strerror or error}") from error
    remembered = digest([sha256, kind, compression, READER_VERSION, PROBE_VERSION, thorough])
    probe = _recall(probes, remembered)
    if probe is None:
        probe = _reader(kind, compression).probe(path, thorough=thorough)
        if probes is not None:
            write_bytes(probes / f"{remembered}.json", _encode(probe))
    file = OpenedFile(path, name, kind, compression, stat.st_size, sha256, (stat.st_ino, stat.st_mtime_ns), probe)
    file.check_unchanged()
    return file


def _encode(probe: Probe) -> bytes:
    schema = base64.b64encode(probe.schema.serialize().to_pybytes()).decode()
    return json.dumps({**asdict(probe), "schema": schema}).encode()


def _recall(probes: Path | None, name: str) -> Probe | None:
    if probes is None or not (probes / f"{name}.json").is_file():
        return None
    try:
        value = json.loads((probes / f"{name}.json").read_bytes())
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(value["schema"])))
        marks = tuple(Mark(**mark) for mark in value["marks"])
        labels = {column: tuple(names) for column, names in value["labels"].items()}
        recoded, uuids = tuple(value["recoded"]), tuple(value["uuids"])
        return Probe(value["rows"], schema, marks, value["dialect"], recoded, uuids, labels)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowInvalid):
        return None


def sample_values(files: Sequence[OpenedFile], wanted: Sequence[str]) -> dict[str, list[str | None]]:
    """Return the first values of columns in each of the largest files; lists as JSON text.

    Args:
        files: the corpus.
        wanted: paths of columns of text or lists; files without one of them add nothing to it.
    """
    found: dict[str, list[str | None]] = {path: [] for path in wanted}
    for file in sorted(files, key=lambda file: (-file.bytes, file.sha256))[:_SAMPLE_FILES]:
        marks = [mark for mark in file.probe.marks if mark.rows]
        heads = {path: head for path in wanted if (head := head_of(file.probe.schema, path))}
        if not marks or not heads:
            continue
        cut = Cut((marks[0],), tuple(dict.fromkeys(heads.values())), _SAMPLE_ROWS, _SAMPLE_BYTES)
        for batch in reader_of(file).read(file.path, file.probe, cut, Repairs()):
            for path in heads:
                values = at_path(batch, path).to_pylist()
                found[path] += [
                    value if value is None or isinstance(value, str) else as_json(value) for value in values
                ]
            break
    return found

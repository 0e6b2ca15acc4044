"""Reading text and source code: each file is one document with its path and the end of its name as columns."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyarrow as pa

from tamis.data.errors import CorpusError
from tamis.data.formats import TEXTS, Cut, Mark, Probe, TextFile, slices
from tamis.data.hashing import digest
from tamis.data.repair import Repairs, repair

MOST_BYTES = 64 << 20
"""Bytes of a text file above which it is refused."""

MARK_FILES, MARK_BYTES = 512, 1 << 20
SCHEMA = pa.schema([(name, pa.large_string()) for name in ("text", "path", "extension")])

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SHOWN = 3


class TextFilesReader:
    """The format ``texts``: all text files of a corpus, in the order of their names."""

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Raise ``CorpusError``: text files are opened together, by ``open_text_files``."""
        raise CorpusError(f"{path.name} is one of several files of text")

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the cut; every file is hashed again as it is read."""
        for mark in cut.marks:
            for start, stop in slices(mark.rows, mark, cut):
                documents = probe.documents[mark.row + start : mark.row + stop]
                columns = [_column(name, documents, repairs) for name in cut.columns]
                yield pa.RecordBatch.from_arrays(
                    columns, schema=pa.schema([SCHEMA.field(name) for name in cut.columns])
                )


@dataclass(frozen=True)
class OpenedTexts:
    """Text files, opened together.

    Attributes:
        probe: their content.
        bytes: of all.
        sha256: over the names and contents of all.
    """

    probe: Probe
    bytes: int
    sha256: str


class TextFiles:
    """The text files of a corpus while they are opened, one after another."""

    allowed = "text in UTF-8 or UTF-16"

    def __init__(self) -> None:
        self._found: list[TextFile] = []
        self._binary: list[str] = []
        self._empty: list[str] = []

    def add(self, path: Path, name: str) -> None:
        """Take a file; one that holds a NUL among its first 8,192 bytes is no text and is left out.

        Raises:
            CorpusError: the file cannot be read, or is too large.
        """
        try:
            size = path.stat().st_size
            if size > MOST_BYTES:
                raise CorpusError(
                    f"{name} is larger than a document may be",
                    value=f"{size >> 20:,} MiB",
                    allowed=f"{MOST_BYTES >> 20} MiB",
                    fix="split it, write its documents as JSON Lines, or leave it out with --skip-bad-files",
                )
            raw = path.read_bytes()
        except OSError as error:
            raise CorpusError(f"{name} cannot be read: {error.strerror or error}") from error
        if b"\0" in raw[:8192] and not raw.startswith(_UTF_16):
            self._binary.append(name)
            return
        if not raw:
            self._empty.append(name)
        self._found.append(TextFile(str(path), repair(name), len(raw), sha256(raw).hexdigest()))

    def opened(self) -> OpenedTexts | None:
        """Return all files, None when there are none."""
        if not self._found:
            return None
        documents = tuple(sorted(self._found, key=lambda file: (file.name, file.sha256)))
        empty = named_files("{} without any byte count as errors: they have no text", self._empty)
        notes = (*empty, *named_files("left out: {} that holds bytes, not text", self._binary))
        probe = Probe(
            len(documents), SCHEMA, tuple(_marks(documents)), places=(0, 1, 2), notes=notes, documents=documents
        )
        whole = digest([TEXTS, [[file.name, file.sha256] for file in documents]])
        return OpenedTexts(probe, sum(file.bytes for file in documents), whole)


def check_texts(documents: Sequence[TextFile]) -> None:
    """Raise ``CorpusError`` if a file is missing or has other content than when it was opened."""
    for file in documents:
        _read(file)


def named_files(sentence: str, names: Sequence[str]) -> Iterator[str]:
    """Yield the sentence with the count and the first names of files, nothing for none; ``{}`` stands for the count."""
    if names:
        count = f"{len(names):,} file" + ("" if len(names) == 1 else "s")
        more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        yield f"{sentence.format(count)} ({', '.join(map(repair, sorted(names)[:_SHOWN]))}{more})"


def _marks(documents: Sequence[TextFile]) -> Iterator[Mark]:
    first = size = 0
    for row, file in enumerate(documents):
        size += file.bytes
        if row + 1 - first >= MARK_FILES or size >= MARK_BYTES or row + 1 == len(documents):
            yield Mark(first, row + 1 - first, first, size)
            first, size = row + 1, 0


def _column(name: str, documents: Sequence[TextFile], repairs: Repairs) -> pa.Array:
    if name == "path":
        return pa.array([file.name for file in documents], pa.large_string())
    if name == "extension":
        return pa.array([file.name.rpartition(".")[2].lower() for file in documents], pa.large_string())
    return pa.array([_text(_read(file), repairs) for file in documents], pa.large_string())


def _read(file: TextFile) -> bytes:
    try:
        raw = Path(file.path).read_bytes()
    except OSError as error:
        raise CorpusError(f"{file.name} is no longer there", value=file.path) from error
    if sha256(raw).hexdigest() != file.sha256:
        raise CorpusError(f"{file.name} was changed since the corpus was opened", fix="open the corpus again")
    return raw


def _text(raw: bytes, repairs: Repairs) -> str | None:
    """Return the text of a file, without its byte order mark; None for a file without any byte."""
    if raw.startswith(_UTF_16):
        text = raw.decode("utf-16", "surrogatepass" if len(raw) % 2 == 0 else "replace")
    else:
        raw = raw.removeprefix(codecs.BOM_UTF8)
        text = raw.decode("utf-8", "surrogateescape")
    whole = repair(text)
    repairs["text"] += whole != text
    return whole if raw else None

"""Reading picture files: each file is one document with its path, the end of its name, and what stands beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import pyarrow as pa

from tamis.data.errors import CorpusError
from tamis.data.file_hashes import FileHashes
from tamis.data.formats import PICTURES, Cut, Mark, Probe, TextFile, rows_only, slices
from tamis.data.hashing import digest
from tamis.data.picture_notes import Beside
from tamis.data.repair import Repairs, repair
from tamis.data.schema import as_json
from tamis.data.text_files import OpenedTexts, named_files

IMAGE, PATH, EXTENSION = "image", "path", "extension"
OWN = (IMAGE, PATH, EXTENSION)
"""Columns that every corpus of picture files has; ``image`` is the path below the root, as ``path`` is."""

LABEL, SPLIT = "label", "split"
MARK_FILES, MARK_BYTES = 512, 8 << 20

_SPLITS = frozenset(("train", "training", "test", "testing", "val", "valid", "validation", "dev"))
_TEXT = pa.large_string()


class PictureFilesReader:
    """The format ``pictures``: all picture files of a corpus, in the order of their names; no picture is opened."""

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Raise ``CorpusError``: picture files are opened together, by ``PictureFiles``."""
        raise CorpusError(f"{path.name} is one of several pictures")

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the cut: paths, and what stands beside the pictures."""
        schema = pa.schema([probe.schema.field(name) for name in cut.columns])
        for mark in cut.marks:
            for start, stop in slices(mark.rows, mark, cut):
                first, last = mark.row + start, mark.row + stop
                columns = [_column(name, probe, first, last) for name in cut.columns]
                yield pa.RecordBatch.from_arrays(columns, schema=schema) if columns else rows_only(last - first)


class PictureFiles:
    """The picture files of a corpus while they are opened, one after another.

    Args:
        beside: files that describe them: ``metadata.jsonl``, ``metadata.csv``, COCO-like JSON, captions as text.
        probes: folder that remembers the checksums of files, None to read all of them.
    """

    allowed = "pictures"

    def __init__(self, beside: Sequence[Path], probes: Path | None) -> None:
        self._beside = tuple(beside)
        self._hashes = FileHashes.of(probes)
        self._found: list[TextFile] = []
        self._outside: list[str] = []
        self._root: Path | None = None

    def add(self, path: Path, name: str) -> None:
        """Take a file; a link that leads out of the folder is left out.

        Raises:
            CorpusError: the file cannot be read.
        """
        if self._root is None:
            self._root = path.parents[len(PurePosixPath(name).parts) - 1]
        try:
            if path.is_symlink() and not path.resolve().is_relative_to(self._root.resolve()):
                self._outside.append(name)
                return
            held = TextFile(str(path), repair(name), path.stat().st_size, self._hashes.sha256(path))
        except OSError as error:
            raise CorpusError(f"{name} cannot be read: {error.strerror or error}") from error
        self._found.append(held)

    def opened(self) -> OpenedTexts | None:
        """Return all files, None when there are none.

        Raises:
            CorpusError: a file that describes them cannot be read.
        """
        self._hashes.save()
        if not self._found or self._root is None:
            return None
        documents = tuple(sorted(self._found, key=lambda file: (file.name, file.sha256)))
        names = [file.name for file in documents]
        notes = list(named_files("left out: {} that leads out of the folder by a link", self._outside))
        beside = Beside.read(self._root, self._beside, names)
        table = _with_folders(beside.table, names)
        fields = [*(pa.field(name, _TEXT) for name in OWN), *table.schema]
        probe = Probe(
            len(documents),
            pa.schema(fields),
            tuple(_marks(documents)),
            places=tuple(range(len(fields))),
            notes=(*notes, *beside.notes),
            documents=documents,
            beside=table if table.num_columns else None,
        )
        told = [] if probe.beside is None else [[table.column_names, digest(as_json(table.to_pylist()))]]
        whole = digest([PICTURES, [[file.name, file.sha256] for file in documents], *told])
        return OpenedTexts(probe, sum(file.bytes for file in documents), whole)


def _with_folders(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return what stands beside pictures with their label and split by folder, where nothing else states them."""
    folders = [PurePosixPath(name).parts[:-1] for name in names]
    found = {
        SPLIT: [next((each for each in parts if each.lower() in _SPLITS), None) for parts in folders],
        LABEL: [next((each for each in reversed(parts) if each.lower() not in _SPLITS), None) for parts in folders],
    }
    for name, values in found.items():
        if name not in table.column_names and len(set(values) - {None}) > 1:
            column = pa.array(values, _TEXT)
            table = table.append_column(name, column) if table.num_columns else pa.table({name: column})
    return table


def _marks(documents: Sequence[TextFile]) -> Iterator[Mark]:
    first = size = 0
    for row, file in enumerate(documents):
        size += file.bytes
        if row + 1 - first >= MARK_FILES or size >= MARK_BYTES or row + 1 == len(documents):
            yield Mark(first, row + 1 - first, first, size)
            first, size = row + 1, 0


def _column(name: str, probe: Probe, first: int, last: int) -> pa.Array:
    if name not in OWN and probe.beside is not None:
        return probe.beside.column(name).slice(first, last - first).combine_chunks()
    names = [file.name for file in probe.documents[first:last]]
    return pa.array([each.rpartition(".")[2].lower() for each in names] if name == EXTENSION else names, _TEXT)

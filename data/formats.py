"""Files of a corpus: which there are, in which format, and how their bytes are opened."""

from __future__ import annotations

import glob
import gzip
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import pyarrow as pa
import zstandard

from tamis.data.errors import CorpusError
from tamis.data.repair import Repairs

_SUFFIXES = {
    ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".csv": "csv", ".tsv": "csv",
}  # fmt: skip
_PACKED = {".gz": "gz", ".zst": "zst"}
SUFFIXES = (*_SUFFIXES, *(f"{plain}{packed}" for plain in (".jsonl", ".csv", ".tsv") for packed in _PACKED))


@dataclass(frozen=True)
class Mark:
    """A place in a file where reading can begin.

    Attributes:
        row: first row after the mark.
        rows: rows up to the next mark.
        offset: byte offset in the decompressed file, or the number of the row group for Parquet.
        bytes: decompressed bytes up to the next mark.
    """

    row: int
    rows: int
    offset: int
    bytes: int


@dataclass(frozen=True)
class Probe:
    """What one pass over a file, or its footer, tells.

    Attributes:
        rows: number of rows.
        schema: plain schema of the file, in the file's order.
        marks: places where reading can begin, in order, covering all rows.
        dialect: the delimiter of a CSV file.
        recoded: columns that version 1 of the reader read as bytes and this one reads as text, sorted.
        uuids: columns of UUIDs, read as text, sorted.
        labels: names of the labels 0, 1, ... of columns that state them.
    """

    rows: int
    schema: pa.Schema
    marks: tuple[Mark, ...]
    dialect: str = ""
    recoded: tuple[str, ...] = ()
    uuids: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Cut:
    """A run of rows to read: consecutive marks of one file.

    Attributes:
        marks: the marks, consecutive.
        columns: top-level columns wanted, all of them in the file.
        max_rows: rows per batch at most.
        max_bytes: bytes per batch, at most unless a single row is larger.
    """

    marks: tuple[Mark, ...]
    columns: tuple[str, ...]
    max_rows: int
    max_bytes: int


def slices(rows: int, mark: Mark, cut: Cut) -> Iterator[tuple[int, int]]:
    """Divide the rows of a mark, taken as equally long, into batches as (start, stop)."""
    if not rows:
        return
    size = max(1, min(cut.max_rows, cut.max_bytes // max(1, mark.bytes // rows)))
    yield from pairwise([*range(0, rows, size), rows])


def rows_only(rows: int) -> pa.RecordBatch:
    """Return a batch of ``rows`` rows without columns."""
    return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))


class Reader(Protocol):
    """One file format."""

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Return what the file holds; raises ``CorpusError`` naming the file and the reason when it is damaged."""

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterable[pa.RecordBatch]:
        """Yield the rows of ``cut`` in file order, text valid UTF-8, columns in the order of ``cut.columns``."""


def format_of(path: Path) -> tuple[str, str] | None:
    """Return (format, compression) of a file by its name, None when it is not one of ours."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if not suffixes:
        return None
    packed = _PACKED.get(suffixes[-1], "")
    inner = suffixes[-2] if packed and len(suffixes) > 1 else suffixes[-1]
    kind = _SUFFIXES.get(inner)
    return None if kind is None or (packed and kind == "parquet") else (kind, packed)


def list_files(path: str | Path) -> tuple[str, list[Path]]:
    """Return the common root and the data files of a file, a folder (with sub-folders) or a glob, sorted by name.

    Raises:
        CorpusError: nothing is there, or nothing of a known format.
    """
    given = Path(path).expanduser()
    if given.is_dir():
        found = [item for item in given.rglob("*") if item.is_file() and not _hidden(item, given)]
        root = given
    elif given.is_file():
        found, root = [given], given.parent
    else:
        root = _fixed_part(given)
        found = [item for item in root.glob(str(given.absolute().relative_to(root))) if item.is_file()]
    if not found:
        raise CorpusError("There is nothing to open", value=str(path), allowed="a file, a folder or a glob")
    files = sorted(item.absolute() for item in found if format_of(item))
    if given.is_dir():
        # Folders of data often hold descriptions as .json; they are data only where nothing else is.
        files = [item for item in files if item.suffix.lower() != ".json"] or files
    if not files:
        raise CorpusError(
            "No file has a known format", value=[item.name for item in sorted(found)[:5]], allowed=", ".join(SUFFIXES)
        )
    return str(root.absolute()), files


def _fixed_part(pattern: Path) -> Path:
    """Return the folder that all matches of a glob lie in."""
    pieces = pattern.absolute().parts
    fixed = next((index for index, piece in enumerate(pieces) if glob.has_magic(piece)), len(pieces) - 1)
    return Path(*pieces[:fixed])


def _hidden(item: Path, root: Path) -> bool:
    return any(piece.startswith((".", "_")) for piece in item.relative_to(root).parts)


def open_stream(path: Path, compression: str) -> BinaryIO:
    """Open a file for reading decompressed bytes.

    A damaged or truncated file raises OSError, EOFError or ``zlib.error`` while reading, never a short result.
    """
    raw = path.open("rb")
    if compression == "gz":
        return _buffered(_Closing(gzip.GzipFile(fileobj=raw, mode="rb"), raw))
    if compression == "zst":
        return _buffered(_Zstandard(raw))
    return raw


def _buffered(raw: io.RawIOBase) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(raw, 1 << 20))


class _Closing(io.RawIOBase):
    """A readable that closes the file below it too."""

    def __init__(self, inner: gzip.GzipFile, below: BinaryIO) -> None:
        self._inner, self._below = inner, below

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        return self._inner.readinto(buffer)

    def close(self) -> None:
        self._inner.close()
        self._below.close()
        super().close()


class _Zstandard(io.RawIOBase):
    """Zstandard frames one after another; unlike the library's own stream it refuses a truncated last frame."""

    def __init__(self, below: BinaryIO) -> None:
        self._below = below
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._fresh = True
        self._ready = memoryview(b"")
        self._packed = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self._ready:
            if not self._packed:
                self._packed = self._below.read(1 << 14)
                if not self._packed:
                    if self._fresh:
                        return 0
                    raise EOFError("Compressed file ended before the end of its last frame")
            self._decode()
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _decode(self) -> None:
        try:
            self._ready = memoryview(self._frame.decompress(self._packed))
        except zstandard.ZstdError as error:
            raise OSError(f"not a sound zstandard file: {error}") from error
        self._fresh, self._packed = False, b""
        if self._frame.eof:
            self._packed = self._frame.unused_data
            self._frame, self._fresh = zstandard.ZstdDecompressor().decompressobj(), True

    def close(self) -> None:
        self._below.close()
        super().close()

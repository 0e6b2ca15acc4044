"""Formats of the files of a corpus: detection by name and first bytes, readers and what they return, byte streams."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePath
from typing import BinaryIO, Protocol, cast, runtime_checkable

import pyarrow as pa
import zstandard

from tamis.data.errors import CorpusError
from tamis.data.repair import Repairs

_SUFFIXES = {
    ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
    ".csv": "csv", ".tsv": "csv",
    ".arrow": "arrow", ".arrows": "arrow", ".feather": "arrow", ".ipc": "arrow",
    ".warc": "warc", ".wet": "warc",
    ".tar": "tar", ".tgz": "tar",
}  # fmt: skip
_TEXT_NAMES = """
    txt text md markdown mdx rst adoc asciidoc org tex bib html htm xhtml css scss less vue svelte
    py pyi pyx rb pl pm php lua r jl js mjs cjs jsx ts mts cts tsx dart coffee
    java kt kts groovy scala clj cljs cs fs fsx vb c h cc cpp cxx hh hpp hxx m mm cu cuh
    go rs zig nim d swift v sv vhd vhdl f f90 f95 for pas ada adb ads asm s
    hs lhs ml mli ex exs erl hrl elm lisp lsp cl el scm rkt lean agda idr coq thy
    sh bash zsh fish ps1 bat cmd awk sed sql graphql proto thrift cmake mk gradle tf sol wat
    srt vtt po
"""
TEXT_SUFFIXES = frozenset(f".{name}" for name in _TEXT_NAMES.split())
"""Ends of names of text and source code: one document a file."""

PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif")
)
"""Ends of names of picture files: one document a file."""

_PACKED = {
    ".gz": "gz", ".gzip": "gz",
    ".zst": "zst", ".zstd": "zst",
    ".bz2": "bz2",
    ".xz": "xz",
}  # fmt: skip
_INSIDE = (*_PACKED, ".snappy", ".lz4", ".br", ".brotli", ".lzo")
"""Suffixes that writers add after ``.parquet`` to name the compression inside the file."""

_JSON_FORMATS = [("jsonl", packed) for packed in ("", *_PACKED.values())]
_PARQUET = b"PAR1"
_MAGIC = {b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz"}
_PACKABLE = ("jsonl", "csv", "warc", "tar")
"""Formats whose files may be compressed as a whole."""

SUFFIXES = (
    *_SUFFIXES,
    *(f"{plain}{packed}" for plain in (".jsonl", ".json", ".csv", ".tsv", ".tar", ".warc") for packed in _PACKED),
)
WINDOW = 1 << 27
"""Bytes a Zstandard frame may refer back to: the default limit of the library."""


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
class BadLine:
    """A line or a member that cannot be read.

    Attributes:
        line: its number, from 1.
        reason: what is wrong.
        member: its name inside the file, empty for a line.
    """

    line: int
    reason: str
    member: str = ""


@dataclass(frozen=True)
class TextFile:
    """A file that is one document.

    Attributes:
        path: where it is.
        name: its path below what was opened, with ``/``, valid Unicode.
        bytes: its size.
        sha256: of its content.
    """

    path: str
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Probe:
    """The content of a file, found in one pass or from its footer.

    Attributes:
        rows: number of rows.
        schema: plain schema of the file, in the file's order.
        marks: places where reading can begin, in order, covering all rows.
        dialect: the delimiter of a CSV file.
        recoded: columns whose values are read in another form than the file holds, since version 1 of the reader did
            otherwise: bytes and UUIDs as text, strings of JSON as what they say; sorted.
        uuids: columns of UUIDs, read as text, sorted.
        labels: names of the labels 0, 1, ... of columns that state them.
        source: original schema of a Parquet file with its metadata; None for formats without types.
        places: position of each column of ``schema`` in the file, from 0.
        bad_lines: lines left out.
        notes: what was read in another way than the file states, one sentence each.
        documents: the files of the formats ``texts`` and ``pictures``, one a row.
        beside: what stands beside pictures, such as labels and captions: a row a file; None for nothing.
        maker: name and version of the package whose doing the texts are, empty where they are the file's own.
    """

    rows: int
    schema: pa.Schema
    marks: tuple[Mark, ...]
    dialect: str = ""
    recoded: tuple[str, ...] = ()
    uuids: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source: pa.Schema | None = None
    places: tuple[int, ...] = ()
    bad_lines: tuple[BadLine, ...] = ()
    notes: tuple[str, ...] = ()
    documents: tuple[TextFile, ...] = ()
    beside: pa.Table | None = None
    maker: str = ""


@dataclass(frozen=True)
class Cut:
    """A run of rows to read: consecutive marks of one file.

    Attributes:
        marks: the marks, consecutive.
        columns: top-level columns to read, all of them in the file.
        max_rows: maximum rows per batch.
        max_bytes: maximum bytes per batch, unless a single row is larger.
    """

    marks: tuple[Mark, ...]
    columns: tuple[str, ...]
    max_rows: int
    max_bytes: int


MAX_BAD_LINES = 100_000
"""A file with more bad lines than this counts as another format."""

REPAIR = "repair the line, or leave out the line with --skip-bad-lines or the file with --skip-bad-files"


class BadLines(list[BadLine]):
    """Bad lines of one file, in order; unless ``skip`` is set, the first one is an error.

    Args:
        path: the file.
        skip: whether lines are left out.
    """

    def __init__(self, path: Path, *, skip: bool) -> None:
        super().__init__()
        self.path, self.skip = path, skip

    def add(self, line: int | None, says: str, cause: Exception | None = None) -> None:
        """Record a bad line by number; raises ``CorpusError`` when lines are not skipped or too many are bad."""
        if not self.skip:
            where = "a line" if line is None else f"line {line}"
            raise CorpusError(f"{self.path.name}, {where} {says}", fix=REPAIR) from cause
        if line is not None:
            self.append(BadLine(line, says))
        if len(self) > MAX_BAD_LINES:
            raise CorpusError(f"{self.path.name} has more than {MAX_BAD_LINES:,} lines that cannot be read")

    def check(self, rows: int) -> None:
        """Raise ``CorpusError`` when no line could be read."""
        if self and not rows:
            raise CorpusError(f"{self.path.name} has no line that can be read: line {self[0].line} {self[0].reason}")


def slices(rows: int, mark: Mark, cut: Cut) -> Iterator[tuple[int, int]]:
    """Yield the batches of a mark as (start, stop), assuming rows of equal length."""
    if not rows:
        return
    size = max(1, min(cut.max_rows, cut.max_bytes // max(1, mark.bytes // rows)))
    yield from pairwise([*range(0, rows, size), rows])


def join_batches(batches: Iterable[pa.RecordBatch], *, max_rows: int, max_bytes: int) -> Iterator[pa.RecordBatch]:
    """Join consecutive batches of one schema up to the limits; no batch is split."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if held and (rows + batch.num_rows > max_rows or size + batch.nbytes > max_bytes):
            yield pa.concat_batches(held) if len(held) > 1 else held[0]
            held, rows, size = [], 0, 0
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
    if held:
        yield pa.concat_batches(held) if len(held) > 1 else held[0]


def rows_only(rows: int) -> pa.RecordBatch:
    """Return a batch of ``rows`` rows without columns."""
    return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))


class Reader(Protocol):
    """One file format."""

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Return what the file holds; raises ``CorpusError`` naming the file and the reason when it is damaged."""

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterable[pa.RecordBatch]:
        """Yield the rows of ``cut`` in file order, text valid UTF-8, columns in the order of ``cut.columns``."""


RowLines = Iterator[list[bytes]]
"""Rows as lines of JSON without line feeds, mark by mark."""


@runtime_checkable
class LineReader(Protocol):
    """A format whose rows are objects of JSON."""

    def lines(self, path: Path, probe: Probe, marks: Sequence[Mark]) -> RowLines:
        """Yield the rows of each mark, one line each without line feed: the very bytes where a row is a line."""


TEXTS, PICTURES = "texts", "pictures"
"""Formats of files that are one document each; all of a corpus are read as one file."""

ONE_EACH = (TEXTS, PICTURES)


def format_of(path: PurePath) -> tuple[str, str] | None:
    """Return (format, compression) of a file by its name, None when the format is not supported.

    The last suffix decides; one more after ``.parquet`` may name the compression inside the file, as writers do.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    last = suffixes.pop() if suffixes else ""
    if last in _SUFFIXES:
        return _SUFFIXES[last], "gz" if last == ".tgz" else ""
    if last in TEXT_SUFFIXES:
        return TEXTS, ""
    if last in PICTURE_SUFFIXES:
        return PICTURES, ""
    kind = _SUFFIXES.get(suffixes[-1]) if suffixes else None
    if kind == "parquet":
        return (kind, "") if last in _INSIDE else None
    return (kind, _PACKED[last]) if kind in _PACKABLE and last in _PACKED else None


def named_json(path: PurePath) -> bool:
    """Say whether a name ends as JSON does, packed or not: its content says whether it is JSON or JSON Lines."""
    return any(suffix.lower() == ".json" for suffix in path.suffixes[-2:]) and format_of(path) in _JSON_FORMATS


def is_parquet(path: Path) -> bool:
    """Say whether a file begins with the bytes of Parquet; False for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_PARQUET)) == _PARQUET
    except OSError:
        return False


def detect_compression(path: Path, named: str) -> str:
    """Return the compression of a text file: by its first bytes, else by its name."""
    with path.open("rb") as file:
        head = file.read(max(map(len, _MAGIC)))
    return next((packed for magic, packed in _MAGIC.items() if head.startswith(magic)), named)


def open_stream(path: Path, compression: str) -> BinaryIO:
    """Open a file for reading decompressed bytes.

    A damaged or truncated file raises OSError, EOFError, ``zlib.error`` or ``lzma.LZMAError`` while reading; it never
    returns a short result.
    """
    raw = path.open("rb")
    if compression == "gz":
        return _buffered(_Closing(gzip.GzipFile(fileobj=raw, mode="rb"), raw))
    if compression == "zst":
        return _buffered(_Zstandard(raw))
    if compression == "bz2":
        return _buffered(_Closing(bz2.BZ2File(raw), raw))
    if compression == "xz":
        return _buffered(_Closing(lzma.LZMAFile(raw), raw))
    return raw


def _buffered(raw: io.RawIOBase) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(raw, 1 << 20))


class _Closing(io.RawIOBase):
    """A readable stream that also closes the underlying file."""

    def __init__(self, inner: gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile, below: BinaryIO) -> None:
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
    """Consecutive Zstandard frames; unlike the library's own stream it refuses a truncated last frame."""

    def __init__(self, below: BinaryIO) -> None:
        self._below = below
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._fresh, self._head = True, b""
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
        if self._fresh:
            self._head = self._packed
        try:
            self._ready = memoryview(self._frame.decompress(self._packed))
        except zstandard.ZstdError as error:
            raise OSError(_too_wide(self._head) or f"not a sound zstandard file: {error}") from error
        self._fresh, self._packed = False, b""
        if self._frame.eof:
            self._packed = self._frame.unused_data
            self._frame, self._fresh = zstandard.ZstdDecompressor().decompressobj(), True

    def close(self) -> None:
        self._below.close()
        super().close()


def _too_wide(head: bytes) -> str:
    """Return what to do about a frame whose window exceeds the limit of this reader, empty for any other frame."""
    try:
        window = zstandard.get_frame_parameters(head).window_size
    except zstandard.ZstdError:
        return ""
    if window <= WINDOW:
        return ""
    return (
        f"it may be sound, but its Zstandard window is {window >> 20:,} MiB (--long) and this reader takes "
        f"{WINDOW >> 20}; compress it again: zstd -dc --long=31 FILE | zstd -o NEW"
    )

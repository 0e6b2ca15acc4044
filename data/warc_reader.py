"""Reading web archives: the texts of WET, the main content of the pages of WARC (packages of the extra ``web``)."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tamis.data.errors import CorpusError
from tamis.data.formats import BadLine, Cut, Mark, Probe, slices
from tamis.data.inference import to_batch
from tamis.data.repair import Repairs
from tamis.data.streams import ForwardStream, open_at
from tamis.data.web_pages import HTML, SCHEMA, NoPageError, WebPage, extractor, need_web_packages, web_page

if TYPE_CHECKING:
    from fastwarc.warc import WarcRecord

MARK_ROWS, MARK_BYTES = 256, 1 << 20
_MEMBERS = "members"
_FIX = "get the file again, or read the whole records before that place with --skip-bad-files"
_SHOWN = 5
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class WarcReader:
    """The WARC format; a row is a record with text or a page, a mark is a run of records.

    Where each record is compressed by itself, as archives are, offsets are those of the compressed file, so reading can
    begin anywhere; the dialect of such a file is ``members``.

    Attributes:
        compression: as ``formats.open_stream`` takes it.
        skip: not used; a record that cannot be read ends the file.
    """

    compression: str = ""
    skip: bool = False

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Read the whole file once; with ``thorough`` a file that breaks off is read up to there."""
        need_web_packages()
        if path.stat().st_size == 0:
            raise CorpusError(f"{path.name} is empty (zero bytes)")
        dialect = _MEMBERS if self.compression == "gz" and _has_members(path) else ""
        found = _Archive()
        bad: tuple[BadLine, ...] = ()
        try:
            with open_at(path, self._packing(dialect), 0) as stream:
                found.read(_Counted(stream), path)
        except CorpusError as error:
            if not (thorough and found.row):
                raise
            bad = (BadLine(found.row + 1, f"{error.what}; the rest of the file is left out"),)
        marks = found.all_marks()
        return Probe(
            found.row,
            SCHEMA,
            marks,
            dialect,
            places=tuple(range(len(SCHEMA))),
            bad_lines=bad,
            notes=tuple(_passed(found.passed)),
            maker=extractor() if found.pages else "",
        )

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the cut; memory holds one mark."""
        need_web_packages()
        schema = pa.schema([SCHEMA.field(name) for name in cut.columns])
        texts = not {"text", "source_bytes"}.isdisjoint(cut.columns)
        with open_at(path, self._packing(probe.dialect), cut.marks[0].offset) as stream:
            for mark in cut.marks:
                data = stream.read(mark.bytes)
                if len(data) != mark.bytes:
                    raise CorpusError(f"{path.name} is shorter than when it was opened", fix="open it again")
                found = (page for _, page in _pages(io.BytesIO(data), path, Counter()) if page is not None)
                pages = list(islice(found, mark.rows))
                for start, stop in slices(len(pages), mark, cut):
                    rows = [page.row() if texts else page.values for page in pages[start:stop]]
                    yield to_batch(rows, schema, repairs)

    def _packing(self, dialect: str) -> str:
        return "" if dialect == _MEMBERS else self.compression


@dataclass
class _Archive:
    """What has been seen of an archive: rows, marks, records that are no pages."""

    marks: list[Mark] = field(default_factory=list)
    passed: Counter[str] = field(default_factory=Counter)
    row: int = 0
    pages: int = 0
    held: int = 0
    begun: int = 0
    at: int = 0

    def read(self, stream: _Counted, path: Path) -> None:
        """Take all records; what is whole stays when a ``CorpusError`` is raised."""
        try:
            for at, page in _pages(stream, path, self.passed):
                self.at = at
                if self.held >= MARK_ROWS or (self.held and self.at - self.begun >= MARK_BYTES):
                    self._close()
                if page is not None:
                    self.row, self.held = self.row + 1, self.held + 1
                    self.pages += page.kind in HTML
        finally:
            # The last mark may end behind its last page: reading stops there.
            self.at = stream.position

    def all_marks(self) -> tuple[Mark, ...]:
        """Return the marks of all rows."""
        self._close()
        return tuple(self.marks)

    def _close(self) -> None:
        if self.held:
            self.marks.append(Mark(self.row - self.held, self.held, self.begun, self.at - self.begun))
            self.held, self.begun = 0, self.at


class _Counted:
    """Bytes of a file and how many were read."""

    def __init__(self, stream: ForwardStream) -> None:
        self._stream, self.position = stream, 0

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        data = self._stream.read(size)
        self.position += len(data)
        return data

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self.position


def _pages(stream: Any, path: Path, passed: Counter[str]) -> Iterator[tuple[int, WebPage | None]]:
    """Yield the offset of every record, and the page it is; count answers that are no pages.

    Raises:
        CorpusError: the file is damaged or breaks off.
    """
    for number, record in enumerate(_records(stream, path), start=1):
        content = record.reader.read()
        if len(content) != record.content_length or "Content-Length" not in record.headers:
            raise CorpusError(f"{path.name} breaks off in record {number:,}", fix=_FIX)
        try:
            page = web_page(record, content)
        except NoPageError as error:
            passed[str(error)] += 1
            page = None
        yield record.stream_pos, page


def _records(stream: Any, path: Path) -> Iterator[WarcRecord]:
    # Late: fastwarc.
    from fastwarc.warc import ArchiveIterator

    count = 0
    try:
        for record in ArchiveIterator(stream, parse_http=False):
            yield record
            count += 1
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path.name} is no sound web archive after record {count:,} ({error})", fix=_FIX) from error
    if not count:
        raise CorpusError(f"{path.name} holds no record of a web archive")


def _has_members(path: Path) -> bool:
    """Say whether the second record of a compressed archive begins a member of its own."""
    with path.open("rb") as file:
        try:
            places = [record.stream_pos for record, _ in zip(_records(file, path), range(2), strict=False)]
        except CorpusError:
            return False
        if len(places) < 2 or places[0] != 0 or places[1] <= 0:
            return False
        file.seek(places[1])
        return file.read(2) == _GZIP


def _passed(kinds: Counter[str]) -> Iterator[str]:
    """Yield a sentence about the answers that are no pages."""
    if kinds:
        most = ", ".join(f"{kind} {count:,}" for kind, count in kinds.most_common(_SHOWN))
        more = f" and {len(kinds) - _SHOWN} more kinds" if len(kinds) > _SHOWN else ""
        yield f"{sum(kinds.values()):,} records are left out, they are no pages: {most}{more}"

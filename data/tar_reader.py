"""Reading tar shards of text, JSON and pictures, as WebDataset writes them: members of one name are one row."""

from __future__ import annotations

import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa

from tamis.data.errors import CorpusError
from tamis.data.formats import PICTURE_SUFFIXES, TEXT_SUFFIXES, BadLine, Cut, Mark, Probe, slices
from tamis.data.inference import ColumnTypes, to_batch
from tamis.data.jsonl_reader import repaired_keys
from tamis.data.repair import Repairs, repair
from tamis.data.streams import ForwardStream, open_at
from tamis.data.text_files import MOST_BYTES

TAR_VERSION = 2
"""Version of what is found in a tar file: raised when it changes, so that what is remembered is found again."""

MARK_ROWS, MARK_BYTES = 512, 8 << 20
KEY, IMAGE = "key", "image"

_MEMBER = re.compile(r"((?:.*/|)[^./][^./]*)[.]([^/]+)", re.DOTALL)
_META = re.compile(r"__[^/]*__(?:/.*)?", re.DOTALL)
"""Members that describe the shard, as WebDataset names them."""

_OTHER_TEXT = ("caption", "cls", "csv", "id", "jsonl", "label", "ndjson", "toml", "transcript", "tsv", "url", "xml",
               "yaml", "yml")  # fmt: skip
_TEXTS = frozenset(suffix[1:] for suffix in TEXT_SUFFIXES).union(_OTHER_TEXT)
_PICTURES = frozenset(suffix[1:] for suffix in PICTURE_SUFFIXES)
_FIX = "get the file again, or read the whole rows before that place with --skip-bad-files"
_REPAIR = "repair it, or leave out the member with --skip-bad-lines or the file with --skip-bad-files"
_SHOWN = 5


@dataclass(frozen=True)
class TarReader:
    """The tar format; a row is a run of members whose path up to the first dot of the name is the same.

    Its columns are ``key``, that path, and one for each ending: text as it is, ``json`` with its types. The first
    picture of a row is ``image``, whatever its ending, further ones have their own. Other members are left out.

    Attributes:
        compression: as ``formats.open_stream`` takes it.
        skip: whether members that cannot be read are left out.
    """

    compression: str = ""
    skip: bool = False

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Read the whole file once; with ``thorough`` a file that breaks off is read up to there."""
        if path.stat().st_size == 0:
            raise CorpusError(f"{path.name} is empty (zero bytes)")
        seen = _TarContent()
        bad: list[BadLine] = []
        with open_at(path, self.compression, 0) as stream:
            shard = _Shard(stream, path, None, self.skip)
            try:
                for sample in shard.samples():
                    seen.add(sample)
            except tarfile.TarError as error:
                says = f"breaks off after {seen.row:,} whole row{'' if seen.row == 1 else 's'} ({error})"
                if not (thorough and seen.row):
                    raise CorpusError(f"{path.name} {says}", fix=_FIX) from error
                bad = [BadLine(seen.row + 1, f"{says}; the rest is left out", shard.member)]
        marks = seen.all_marks()
        return Probe(
            seen.row,
            seen.types.schema,
            marks,
            places=seen.types.places,
            bad_lines=(*shard.bad, *bad),
            notes=tuple(_left_out(shard.passed)),
        )

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the cut."""
        schema = pa.schema([probe.schema.field(name) for name in cut.columns])
        with open_at(path, self.compression, cut.marks[0].offset) as stream:
            samples = _Shard(stream, path, frozenset(cut.columns), skip=True).samples()
            for mark in cut.marks:
                for start, stop in slices(mark.rows, mark, cut):
                    values = [sample.values for sample in islice(samples, stop - start)]
                    if len(values) != stop - start:
                        raise CorpusError(f"{path.name} is shorter than when it was opened", fix="open it again")
                    yield to_batch(values, schema, repairs)


@dataclass(frozen=True)
class _Sample:
    """A row: its values by column, the bytes of its members from ``offset`` to ``end``."""

    values: dict[str, Any]
    offset: int
    end: int


@dataclass
class _TarContent:
    """What has been seen of a file: types, rows and marks."""

    types: ColumnTypes = field(default_factory=ColumnTypes)
    marks: list[Mark] = field(default_factory=list)
    row: int = 0
    held: list[_Sample] = field(default_factory=list)

    def add(self, sample: _Sample) -> None:
        """Take one more row."""
        self.held.append(sample)
        self.row += 1
        if len(self.held) >= MARK_ROWS or sample.end - self.held[0].offset >= MARK_BYTES:
            self._close()

    def all_marks(self) -> tuple[Mark, ...]:
        """Return the marks of all rows."""
        self._close()
        return tuple(self.marks)

    def _close(self) -> None:
        if self.held:
            self.types.see([sample.values for sample in self.held])
            first, rows = self.held[0].offset, len(self.held)
            self.marks.append(Mark(self.row - rows, rows, first, self.held[-1].end - first))
            self.held = []


class _Shard:
    """The samples of a tar file from a member on.

    Args:
        stream: its bytes, at the header of a member.
        path: the file.
        columns: which columns to read; None for all.
        skip: whether members that cannot be read are left out.
    """

    def __init__(self, stream: ForwardStream, path: Path, columns: frozenset[str] | None, skip: bool) -> None:
        self._bytes, self._path, self._columns, self._skip = _TarBytes(stream), path, columns, skip
        self.bad: list[BadLine] = []
        self.passed: Counter[str] = Counter()
        self.member = ""

    def samples(self) -> Iterator[_Sample]:
        """Yield the rows; raises ``tarfile.TarError`` after the last whole one when the file breaks off."""
        values: dict[str, Any] = {}
        offset = end = 0
        for info in self._members():
            name = info.name.removeprefix("./")
            named = None if _META.fullmatch(name) else _MEMBER.fullmatch(name)
            if named is None:
                self.passed["without an ending or hidden"] += 1
                continue
            key, column = repair(named[1]), repair(named[2].lower())
            if values and key != values[KEY]:
                yield _Sample(values, offset, end)
                values = {}
            if not values:
                values, offset = {KEY: key}, info.offset
            end = info.offset_data + info.size
            value = self._value(info, column)
            if isinstance(value, bytes) and IMAGE not in values:
                column = IMAGE
            if value is not None:
                values[column] = value
        if values:
            yield _Sample(values, offset, end)

    def _members(self) -> Iterator[tarfile.TarInfo]:
        with tarfile.open(fileobj=cast(IO[bytes], self._bytes), mode="r:") as tar:
            while (info := tar.next()) is not None:
                self.member = repair(info.name)
                # The library keeps every member it has seen.
                tar.members.clear()  # type: ignore[attr-defined]
                if info.isreg():
                    yield info
            if self._bytes.block.strip(b"\0"):
                # The library takes a header that is none for the end.
                raise tarfile.ReadError("what follows is no header")

    def _value(self, info: tarfile.TarInfo, column: str) -> Any:
        ending = column.rpartition(".")[2]
        if ending != "json" and ending not in _TEXTS and ending not in _PICTURES:
            self.passed[ending] += 1
            return None
        if self._columns is not None and not {column, IMAGE if ending in _PICTURES else column} & self._columns:
            return None
        if info.size > MOST_BYTES:
            self._refuse(info, f"is larger than a document may be: {info.size >> 20:,} MiB, allowed {MOST_BYTES >> 20}")
            return None
        self._bytes.seek(info.offset_data)
        raw = self._bytes.read(info.size)
        if len(raw) < info.size:
            raise tarfile.ReadError("unexpected end of data")
        if ending in _PICTURES:
            # What a file holds is found without keeping its pictures.
            return b"" if self._columns is None else raw
        text = raw.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        if ending != "json":
            return text
        try:
            return json.loads(text, object_pairs_hook=repaired_keys)
        except (ValueError, RecursionError) as error:
            self._refuse(info, f"is not JSON ({error})")
            return None

    def _refuse(self, info: tarfile.TarInfo, says: str) -> None:
        name = repair(info.name)
        if not self._skip:
            raise CorpusError(f"{self._path.name}/{name} {says}", fix=_REPAIR)
        self.bad.append(BadLine(len(self.bad) + 1, says, name))


class _TarBytes:
    """Bytes of a tar file as the library reads them: forwards, and the last one again."""

    def __init__(self, stream: ForwardStream) -> None:
        self._stream = stream
        self._last, self._again = b"", b""
        self.block = b""

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._stream.position - len(self._again)

    def seek(self, to: int) -> None:
        """Go forwards to an offset, or back by one byte."""
        if self._last and to == self.tell() - 1:
            self._again = self._last
        elif to > self.tell():
            size = to - self._stream.position
            self._again = b""
            self._stream.skip(size)
            self._last = b""

    def read(self, size: int) -> bytes:
        """Return the next bytes; ``block`` keeps the last of the size of a header."""
        data = self._again[:size]
        self._again = self._again[len(data) :]
        data += self._stream.read(size - len(data))
        self._last = data[-1:]
        if size == tarfile.BLOCKSIZE:
            self.block = data
        return data


def _left_out(passed: Counter[str]) -> Iterator[str]:
    """Yield a sentence about the members that are not read."""
    if passed:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in passed.most_common(_SHOWN))
        more = f" and {len(passed) - _SHOWN} more kinds" if len(passed) > _SHOWN else ""
        yield f"{sum(passed.values()):,} members are left out, they are neither text, JSON nor pictures: {kinds}{more}"

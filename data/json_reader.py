"""Reading JSON: an array of objects, an object that holds one, or one object; types found over the whole file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from tamis.data.errors import CorpusError
from tamis.data.formats import BadLine, BadLines, Cut, Mark, Probe, RowLines, slices
from tamis.data.inference import ColumnTypes, to_batch
from tamis.data.json_stream import JsonBlock, JsonFaultError, JsonStream
from tamis.data.jsonl_reader import repaired_keys
from tamis.data.repair import Repairs
from tamis.data.streams import open_at

RECORD_KEYS = frozenset(
    ("text", "content", "body", "document", "messages", "conversation", "conversations", "dialog", "dialogue", "turns",
     "prompt", "instruction", "question", "query", "chosen", "rejected", "completion", "response")
)  # fmt: skip
"""Keys that make an object a record of its own, also when it holds an array of objects."""

_LOOKS_AT = 64 << 20


@dataclass(frozen=True)
class JsonReader:
    """The JSON format: the records are the elements of the array, and a mark is a run of elements.

    Of several arrays of objects in one object the one with most elements counts. A file that breaks off has no record
    that is not whole.

    Attributes:
        compression: as ``formats.open_stream`` takes it.
        skip: whether elements that are not objects are left out.
    """

    compression: str = ""
    skip: bool = False

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Read the whole file once: records, types, places where reading can begin.

        With ``thorough`` a file that breaks off is read up to there.
        """
        found: dict[str, _Records] = {}
        fault: JsonFaultError | None = None
        try:
            with open_at(path, self.compression, 0) as source:
                span = _collect(JsonStream(source), path, found)
            if span is not None:
                found = {"": self._one(path, span)}
        except JsonFaultError as error:
            fault = error
        if not found:
            assert fault is not None  # a whole text has records, be it one
            if fault.ended and path.stat().st_size == 0:
                raise CorpusError(f"{path.name} is empty (zero bytes)")
            raise CorpusError(f"{path.name}, line {fault.line} is not JSON ({fault.reason})", fix=_FIX) from fault
        name, records = max(found.items(), key=lambda item: (item[1].row, item[0]))
        if fault is not None and not (thorough and records.row):
            raise CorpusError(f"{path.name} {_broken(fault, records.row)}", fix=_FIX) from fault
        records.check(self.skip)
        return records.probe(_notes(name, sorted(set(found) - {name})), fault)

    def _one(self, path: Path, span: tuple[int, int]) -> _Records:
        """Return the object between two bytes as the only record of a file."""
        with open_at(path, self.compression, span[0]) as source:
            data = source.read(span[1] - span[0])
        records = _Records(path)
        records.add(JsonBlock(_objects(data), [1], *span))
        return records

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the cut."""
        schema = pa.schema([probe.schema.field(name) for name in cut.columns])
        with open_at(path, self.compression, cut.marks[0].offset) as stream:
            for mark in cut.marks:
                data = stream.read(mark.bytes)
                if len(data) != mark.bytes:
                    raise CorpusError(f"{path.name} is shorter than when it was opened", fix="open it again")
                values = _objects(data)
                for start, stop in slices(len(values), mark, cut):
                    yield to_batch(values[start:stop], schema, repairs)

    def lines(self, path: Path, probe: Probe, marks: Sequence[Mark]) -> RowLines:
        """Yield the records of each mark, one line each: as they stand, but for line breaks between their tokens."""
        with open_at(path, self.compression, marks[0].offset) as stream:
            for mark in marks:
                data = stream.read(mark.bytes)
                if len(data) != mark.bytes:
                    raise CorpusError(f"{path.name} is shorter than when it was opened", fix="open it again")
                yield list(_raw_objects(data.decode("utf-8", "surrogateescape")))


@dataclass
class _Records:
    """The records of one array: types, marks, and elements that are none."""

    path: Path
    types: ColumnTypes = field(default_factory=ColumnTypes)
    marks: list[Mark] = field(default_factory=list)
    row: int = 0
    seen: int = 0
    end: int | None = None

    def __post_init__(self) -> None:
        self.bad = BadLines(self.path, skip=True)

    def add(self, block: JsonBlock) -> None:
        """Take more elements; a mark begins where the one before it ended."""
        for place, value in enumerate(block.values):
            if not isinstance(value, dict):
                says = f"holds element {self.seen + place + 1:,}, which is not an object but of type"
                self.bad.add(block.lines[place], f"{says} {type(value).__name__}")
        values = [value for value in block.values if isinstance(value, dict)]
        self.seen += len(block.values)
        if not values:
            return
        self.types.see(values)
        begun = block.offset if self.end is None else self.end
        self.marks.append(Mark(self.row, len(values), begun, block.end - begun))
        self.row, self.end = self.row + len(values), block.end

    def check(self, skip: bool) -> None:
        """Raise ``CorpusError`` when there are elements that are no objects, or only such elements."""
        for line in self.bad[:1]:
            BadLines(self.path, skip=skip).add(line.line, line.reason)
        self.bad.check(self.row)

    def probe(self, notes: tuple[str, ...], fault: JsonFaultError | None) -> Probe:
        """Return what was found, with the place where the file breaks off."""
        bad, marks = tuple(self.bad), tuple(self.marks)
        if fault is not None:
            bad += (BadLine(fault.line, f"{_broken(fault, self.row)}; the rest of the file is left out"),)
        return Probe(self.row, self.types.schema, marks, places=self.types.places, bad_lines=bad, notes=notes)


_FIX = "get the file again, or read the whole records before that place with --skip-bad-files"


def _broken(fault: JsonFaultError, rows: int) -> str:
    after = f"after {rows:,} whole record" + ("" if rows == 1 else "s")
    if fault.ended:
        return f"breaks off in line {fault.line:,}, {after} ({fault.reason})"
    return f"is not JSON from line {fault.line:,} on, {after} ({fault.reason})"


def _notes(name: str, others: list[str]) -> tuple[str, ...]:
    if not name:
        return ()
    beside = f"; {', '.join(others)} is not read" if others else ""
    return (f"its records are the elements of {name}{beside}",)


def _collect(stream: JsonStream, path: Path, found: dict[str, _Records]) -> tuple[int, int] | None:
    """Read one JSON text into records by key of their array, no key for an array alone.

    Returns:
        The bytes of an object that is itself the record, as (start, end).
    """
    span = None
    if stream.peek() == "[":
        found[""] = _Records(path)
        _fill(stream, found[""])
    else:
        start, alone = stream.offset, True
        try:
            for key in stream.members():
                alone = alone and key not in RECORD_KEYS
                if stream.begins_objects():
                    found[key] = _Records(path)
                    _fill(stream, found[key])
                else:
                    stream.value()
        finally:
            # A record that breaks off is no array of records.
            if not alone:
                found.clear()
        span = None if found else (start, stream.offset)
    if stream.peek():
        reason = "something follows what should be the only value; one object per line is JSON Lines"
        raise JsonFaultError(stream.line, reason, ended=False)
    return span


def _fill(stream: JsonStream, records: _Records) -> None:
    for block in stream.elements():
        records.add(block)


def _objects(data: bytes) -> list[dict[str, Any]]:
    """Return the objects among the elements that lie between two places of an array."""
    try:
        text, broken = data.decode("utf-8"), b"\\ud" in data or b"\\uD" in data
    except UnicodeDecodeError:
        text, broken = data.decode("utf-8", "surrogateescape"), True
    text = "[" + text.strip(" \t\r\n,") + "]"
    values = json.loads(text, object_pairs_hook=repaired_keys) if broken else json.loads(text)
    return [value for value in values if isinstance(value, dict)]


_BREAK = re.compile(r"(?<=([{\[]))?[ \t]*[\r\n][ \t\r\n]*(?=([}\]]))?")


def _raw_objects(text: str) -> Iterator[bytes]:
    """Yield the objects among some elements of an array as they are spelt, each on one line."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        if text[at] in " \t\r\n,":
            at += 1
            continue
        value, stop = decoder.raw_decode(text, at)
        if isinstance(value, dict):
            # Strings hold no line breaks, so each of these lies between two tokens.
            line = _BREAK.sub(lambda found: "" if found[1] or found[2] else " ", text[at:stop])
            yield line.encode("utf-8", "surrogateescape")
        at = stop


JsonContent = Literal["lines", "line", "records", "object"]
"""``lines``: one object per line; ``records``: one value with records; ``line`` and ``object``: one object that may be
anything, on one line or several."""


def json_content(path: Path, compression: str) -> JsonContent:
    """Return what a file named as JSON holds.

    A single object that holds an array of objects is ``records``, unless it has one of ``RECORD_KEYS``: then it is
    ``records`` itself on several lines, and ``lines`` on one. At most the first ``_LOOKS_AT`` bytes are read, to the
    end of the block.
    """
    with open_at(path, compression, 0) as source:
        stream = JsonStream(source)
        begun = stream.peek()
        if begun == "[":
            return "records"
        return _object_content(stream) if begun == "{" else "lines"


def _object_content(stream: JsonStream) -> JsonContent:
    line, alone, held = stream.line, True, False

    def content(*, more: bool = False, many: bool = False) -> JsonContent:
        if many:
            return "object" if alone and not held else "records"
        if more or not alone:
            return "lines"
        return "records" if held else "line"

    try:
        for key in stream.members():
            alone = alone and key not in RECORD_KEYS
            if not stream.begins_objects():
                stream.value()
                continue
            held = True
            for _ in stream.elements():
                if stream.offset >= _LOOKS_AT:
                    return content(many=stream.line > line)
        many = stream.line > line
        return content(more=bool(stream.peek()), many=many)
    except JsonFaultError:
        return content(many=stream.line > line)


def holds_json(path: Path, compression: str) -> bool:
    """Say whether a file named as JSON is read as one value, and not as one object per line."""
    return json_content(path, compression) in ("records", "object")

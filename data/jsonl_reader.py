"""Reading JSON Lines: one object per line, plain or compressed, types found over the whole file."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tamis.data.errors import CorpusError
from tamis.data.formats import BadLines, Cut, Mark, Probe, slices
from tamis.data.inference import ColumnTypes, to_batch
from tamis.data.repair import Repairs, repair
from tamis.data.streams import open_at

BLOCK_BYTES = 4 << 20
BLOCK_ROWS = 8192
_BOM = "\ufeff"
_ARRAY = "; if it is one JSON array, its name must end in .json"


@dataclass(frozen=True)
class JsonlReader:
    """The JSON Lines format.

    Attributes:
        compression: as ``formats.open_stream`` takes it.
        skip: whether lines that cannot be read are left out.
    """

    compression: str = ""
    skip: bool = False

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Read the whole file once: rows, types, places where reading can begin."""
        marks: list[Mark] = []
        types = ColumnTypes()
        bad = BadLines(path, skip=self.skip)
        row = offset = end = line = 0
        with open_at(path, self.compression, 0) as stream:
            for lines in _blocks(stream):
                values = list(_objects(lines, line, bad))
                end, line = end + sum(map(len, lines)), line + len(lines)
                if not values:
                    # Readers skip a mark without rows: its bytes belong to the next mark.
                    continue
                types.see(values)
                marks.append(Mark(row, len(values), offset, end - offset))
                row, offset = row + len(values), end
        if not end:
            raise CorpusError(f"{path.name} is empty (zero bytes)")
        bad.check(row)
        return Probe(row, types.schema, tuple(marks), places=types.places, bad_lines=tuple(bad))

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the cut."""
        schema = pa.schema([probe.schema.field(name) for name in cut.columns])
        with open_at(path, self.compression, cut.marks[0].offset) as stream:
            for mark in cut.marks:
                data = stream.read(mark.bytes)
                if len(data) != mark.bytes:
                    raise CorpusError(f"{path.name} is shorter than when it was opened", fix="open it again")
                values = list(_objects(data.split(b"\n"), None, BadLines(path, skip=self.skip)))
                for start, stop in slices(len(values), mark, cut):
                    yield to_batch(values[start:stop], schema, repairs)

    def lines(self, path: Path, probe: Probe, marks: Sequence[Mark]) -> Iterator[list[bytes]]:
        """Yield the lines of the rows of each mark as they stand, without line feed and byte order mark."""
        with open_at(path, self.compression, marks[0].offset) as stream:
            for mark in marks:
                data = stream.read(mark.bytes)
                if len(data) != mark.bytes:
                    raise CorpusError(f"{path.name} is shorter than when it was opened", fix="open it again")
                lines = data.removeprefix(codecs.BOM_UTF8).split(b"\n")
                yield [line for line in lines if self._is_row(line, sound=not probe.bad_lines)]

    def _is_row(self, line: bytes, *, sound: bool) -> bool:
        """Say whether a line is a row; where all that are not blank are known to be, most need no parsing."""
        if sound and line[:1] == b"{":
            return True
        return any(True for _ in _objects([line], None, BadLines(Path(), skip=True)))


def _blocks(stream: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield whole lines, about ``BLOCK_BYTES`` and at most ``BLOCK_ROWS`` at a time."""
    held: list[bytes] = []
    size = 0
    for line in stream:
        held.append(line)
        size += len(line)
        if size >= BLOCK_BYTES or len(held) >= BLOCK_ROWS:
            yield held
            held, size = [], 0
    if held:
        yield held


def repaired_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON with every key valid Unicode; of equal keys the last one counts."""
    return {repair(key): value for key, value in pairs}


def _objects(lines: list[bytes], first: int | None, bad: BadLines) -> Iterator[dict[str, Any]]:
    for number, raw in enumerate(lines):
        try:
            text, broken = raw.decode("utf-8"), False
        except UnicodeDecodeError:
            text, broken = raw.decode("utf-8", "surrogateescape"), True
        if number == 0 and text.startswith(_BOM):
            text = text[1:]
        if not text or text.isspace():
            continue
        line = None if first is None else first + number + 1
        try:
            # Only lines that may hold lone surrogates need a check of every key.
            broken = broken or "\\ud" in text or "\\uD" in text
            value = json.loads(text, object_pairs_hook=repaired_keys) if broken else json.loads(text)
        except (ValueError, RecursionError) as error:
            other = _ARRAY if line == 1 and text.lstrip().startswith("[") else ""
            bad.add(line, f"is not JSON ({error}); the file may be truncated or of another format{other}", error)
            continue
        if isinstance(value, dict):
            yield value
        else:
            other = _ARRAY if line == 1 and isinstance(value, list) else ""
            bad.add(line, f"is not a JSON object but of type {type(value).__name__}{other}")

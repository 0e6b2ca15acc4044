"""Reading CSV: a header, one record per row (quoted line breaks allowed), types found over the whole file."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from tamis.data.errors import CorpusError
from tamis.data.formats import BadLines, Cut, Mark, Probe, rows_only, slices
from tamis.data.inference import to_array
from tamis.data.jsonl_reader import BLOCK_BYTES, BLOCK_ROWS
from tamis.data.repair import Repairs, repair
from tamis.data.streams import open_at

_BOM = "\ufeff"
_UNNAMED = "Unnamed: 0"
_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_BOOL = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}
_DELIMITERS = ",\t;|"

# Memory alone limits a cell; the library's default of 128 KiB is far below a long document.
csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True)
class CsvReader:
    """The CSV format; the delimiter (comma, tab, semicolon or bar) is the most frequent one in the header.

    Empty cells of number and true/false columns are NULL, of text columns empty text. Numbers with leading zeros stay
    text, so nothing is lost.

    Attributes:
        compression: as ``formats.open_stream`` takes it.
        skip: whether records that cannot be read are left out.
    """

    compression: str = ""
    skip: bool = False

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Read the whole file once: rows, types, places where reading can begin."""
        with open_at(path, self.compression, 0) as stream:
            lines, bad = _Lines(iter(stream)), BadLines(path, skip=self.skip)
            records = _records(lines, bad)
            names, notes = _header(records, path)
            columns = [_CsvColumn() for _ in names]
            marks: list[Mark] = []
            row, offset = 0, lines.consumed
            for block, end in _blocks(records, lines, len(names), bad):
                for column, values in zip(columns, zip(*block, strict=True), strict=False):
                    column.see(values)
                marks.append(Mark(row, len(block), offset, end - offset))
                row, offset = row + len(block), end
            bad.check(row)
        schema = pa.schema([pa.field(name, column.kind) for name, column in zip(names, columns, strict=True)])
        places = tuple(range(len(names)))
        return Probe(row, schema, tuple(marks), lines.delimiter, places=places, bad_lines=tuple(bad), notes=notes)

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the cut."""
        names = probe.schema.names
        schema = pa.schema([probe.schema.field(name) for name in cut.columns])
        with open_at(path, self.compression, cut.marks[0].offset) as stream:
            for mark in cut.marks:
                data = stream.read(mark.bytes)
                if len(data) != mark.bytes:
                    raise CorpusError(f"{path.name} is shorter than when it was opened", fix="open it again")
                text = (line.decode("utf-8", "surrogateescape") for line in io.BytesIO(data))
                rows = list(_sound(csv.reader(text, delimiter=probe.dialect, strict=True), len(names)))
                for start, stop in slices(len(rows), mark, cut):
                    columns = dict(zip(names, zip(*rows[start:stop], strict=True), strict=True))
                    arrays = [
                        to_array(_typed(columns[f.name], f.type), f.type, name=f.name, repairs=repairs) for f in schema
                    ]
                    yield pa.RecordBatch.from_arrays(arrays, schema=schema) if arrays else rows_only(stop - start)


@dataclass
class _Lines:
    """Decoded lines and their size in bytes: at the end of a record this is where the next one begins."""

    source: Iterator[bytes]
    consumed: int = 0
    count: int = 0
    delimiter: str = ","
    ended: bool = False

    def __iter__(self) -> Iterator[str]:
        for line in self.source:
            self.consumed += len(line)
            self.count += 1
            text = line.decode("utf-8", "surrogateescape")
            yield text[1:] if self.count == 1 and text.startswith(_BOM) else text
        self.ended = True


def _delimiter(header: bytes) -> str:
    bare = re.sub(r'"[^"]*"', "", header.decode("utf-8", "surrogateescape"))
    return max(_DELIMITERS, key=lambda mark: (bare.count(mark), -_DELIMITERS.index(mark)))


def _records(lines: _Lines, bad: BadLines) -> Iterator[list[str]]:
    first = next(lines.source, b"")
    if not first:
        raise CorpusError(f"{bad.path.name} is empty (zero bytes)")
    lines.source, lines.delimiter = chain([first], lines.source), _delimiter(first)
    reader = csv.reader(iter(lines), delimiter=lines.delimiter, strict=True)
    while True:
        begun = lines.count + 1
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if lines.ended and bad.skip:
                raise CorpusError(
                    f"{bad.path.name}, line {begun} opens a quote that never closes",
                    fix="repair the line, or leave out the file with --skip-bad-files",
                ) from error
            bad.add(lines.count, f"is not CSV ({error}); the file may be truncated or of another format", cause=error)


def _sound(reader: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    """Yield the records of a block; records that the probe left out are skipped here too."""
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue
        if len(record) == width:
            yield record


def _header(records: Iterable[list[str]], path: Path) -> tuple[list[str], tuple[str, ...]]:
    """Return the names of the columns and notes about them."""
    names, notes = [repair(name) for name in next(iter(records), [])], []
    if len(names) > 1 and not names[0] and "" not in names[1:] and _UNNAMED not in names:
        # pandas writes its index as a column without a name by default, and reads it back by this name.
        names[0] = _UNNAMED
        notes.append(f"the first column has no name and is read as {_UNNAMED}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CorpusError(f"{path.name} has several columns of the same name", value=twice)
    if not names or "" in names:
        raise CorpusError(f"{path.name} has columns without a name", value=names, fix="give every column a name")
    return names, tuple(notes)


def _blocks(
    records: Iterable[list[str]], lines: _Lines, width: int, bad: BadLines
) -> Iterator[tuple[list[list[str]], int]]:
    """Yield records and the byte where the next one begins."""
    held: list[list[str]] = []
    begun = lines.consumed
    for record in records:
        if not record:
            continue
        if len(record) != width:
            says = f"has {len(record)} cells but the header has {width}; the file may be truncated"
            bad.add(lines.count, says)
            continue
        held.append(record)
        if len(held) >= BLOCK_ROWS or lines.consumed - begun >= BLOCK_BYTES:
            yield held, lines.consumed
            held, begun = [], lines.consumed
    if held:
        yield held, lines.consumed


@dataclass
class _CsvColumn:
    """The narrowest type of the cells seen so far; empty cells fit every type."""

    fits: list[tuple[pa.DataType, Callable[[str], Any]]] = field(
        default_factory=lambda: [
            (pa.int64(), _INT.fullmatch),
            (pa.float64(), _FLOAT.fullmatch),
            (pa.bool_(), _BOOL.get),
        ]
    )
    any: bool = False

    def see(self, cells: Sequence[str]) -> None:
        """Update the type with more cells."""
        if not self.fits:
            return
        filled = [cell for cell in cells if cell]
        self.any = self.any or bool(filled)
        self.fits = [(kind, test) for kind, test in self.fits if all(test(cell) is not None for cell in filled)]

    @property
    def kind(self) -> pa.DataType:
        """Return the type; text when no cell held a value."""
        return self.fits[0][0] if self.fits and self.any else pa.large_string()


def _typed(cells: Sequence[str], kind: pa.DataType) -> Sequence[Any]:
    if pa.types.is_integer(kind):
        return [int(cell) if cell else None for cell in cells]
    if pa.types.is_floating(kind):
        return [float(cell) if cell else None for cell in cells]
    if pa.types.is_boolean(kind):
        return [_BOOL[cell] if cell else None for cell in cells]
    return cells

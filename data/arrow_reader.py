"""Reading Arrow IPC: files, streams (as ``datasets`` saves them) and Feather version 2, mapped into memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa

from tamis.data.errors import CorpusError
from tamis.data.formats import Cut, Mark, Probe, rows_only, slices
from tamis.data.parquet_reader import first_line
from tamis.data.repair import Repairs, repair_batch
from tamis.data.schema import conform
from tamis.data.typed_probe import SAMPLE_ROWS, check_names, typed_probe

MARK_ROWS = 1_000
MARK_BYTES = 1 << 20
_FILE, _FEATHER_1 = b"ARROW1", b"FEA1"


class ArrowReader:
    """The Arrow IPC format; a mark is a run of record batches, which are never split between shards.

    The offset of a mark is the number of its first batch in a file, the byte of its first message in a stream.
    """

    def probe(self, path: Path, *, thorough: bool) -> Probe:
        """Read the lengths of all batches; with ``thorough`` check every value too."""
        with _opened(path, None) as batches:
            schema = batches.schema
            notes: tuple[str, ...] = ()
            check_names(schema, path.name)
            marks, row = _marks(batches)
            if isinstance(batches, _ArrowStream):
                notes = batches.check_end()
        probe = typed_probe(schema, marks, row, partial(_first_rows, path), notes)
        if thorough:
            for _ in self.read(path, probe, Cut(probe.marks, tuple(schema.names), 8192, 16 << 20), Repairs()):
                pass
        return probe

    def read(self, path: Path, probe: Probe, cut: Cut, repairs: Repairs) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the cut; memory holds one batch."""
        schema = pa.schema([probe.schema.field(name) for name in cut.columns])
        if not cut.columns:
            yield from (rows_only(stop - start) for mark in cut.marks for start, stop in slices(mark.rows, mark, cut))
            return
        with _opened(path, cut.columns) as batches:
            for mark in cut.marks:
                left = mark.rows
                for batch in batches.after(mark) if left else ():
                    for start, stop in slices(batch.num_rows, mark, cut):
                        yield repair_batch(_conformed(batch.slice(start, stop - start), schema, path), repairs)
                    left -= batch.num_rows
                    if left <= 0:
                        break
                if left:
                    raise CorpusError(f"{path.name} is shorter than when it was opened", fix="open it again")


class _ArrowFile:
    """Batches of a file with a footer."""

    def __init__(self, source: pa.NativeFile, options: pa.ipc.IpcReadOptions) -> None:
        self._reader = pa.ipc.open_file(source, options=options)
        self.schema: pa.Schema = self._reader.schema

    def lengths(self) -> Iterator[tuple[int, int, int]]:
        """Yield the offset, rows and bytes of each batch."""
        for number in range(self._reader.num_record_batches):
            batch = self._reader.get_batch(number)
            yield number, batch.num_rows, batch.get_total_buffer_size()

    def after(self, mark: Mark) -> Iterator[pa.RecordBatch]:
        """Yield the batches from a mark on."""
        for number in range(mark.offset, self._reader.num_record_batches):
            yield self._reader.get_batch(number)


class _ArrowStream:
    """Batches of a stream, which has no footer; one with dictionaries can only be read from its beginning."""

    def __init__(self, source: pa.NativeFile, options: pa.ipc.IpcReadOptions) -> None:
        self._source = source
        self._reader = pa.ipc.open_stream(source, options=options)
        self.schema: pa.Schema = self._reader.schema
        self._jumps = not any(map(_has_dictionary, self.schema.types))
        self._last = 0

    def lengths(self) -> Iterator[tuple[int, int, int]]:
        """Yield the offset, rows and bytes of each batch."""
        at = self._source.tell()
        for batch in self._batches():
            yield at, batch.num_rows, self._source.tell() - at
            at = self._source.tell()
        self._last = at

    def after(self, mark: Mark) -> Iterator[pa.RecordBatch]:
        """Yield the batches from a mark on."""
        if self._jumps:
            self._source.seek(mark.offset)
        while self._source.tell() < mark.offset:
            self._reader.read_next_batch()
        yield from self._batches()

    def check_end(self) -> tuple[str, ...]:
        """Return a note if nothing marks the end; raises ``CorpusError`` when something follows it."""
        if self._source.tell() < self._source.size():
            raise pa.ArrowInvalid("something follows the end of the stream")
        return () if self._source.tell() > self._last else ("no mark ends the stream; it may be truncated",)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        while True:
            try:
                yield self._reader.read_next_batch()
            except StopIteration:
                return


def _marks(batches: _ArrowFile | _ArrowStream) -> tuple[list[Mark], int]:
    """Return runs of batches of at least ``MARK_ROWS`` rows or ``MARK_BYTES`` bytes, and the number of rows."""
    marks: list[Mark] = []
    row = rows = size = first = 0
    for offset, length, width in batches.lengths():
        first = first if rows or size else offset
        rows, size = rows + length, size + width
        if rows >= MARK_ROWS or size >= MARK_BYTES:
            marks.append(Mark(row, rows, first, size))
            row, rows, size = row + rows, 0, 0
    if rows:
        marks.append(Mark(row, rows, first, size))
    return marks, row + rows


def _first_rows(path: Path, mark: Mark, columns: Sequence[str]) -> pa.RecordBatch | None:
    with _opened(path, columns) as batches:
        for batch in batches.after(mark):
            if batch.num_rows:
                head = batch.slice(0, SAMPLE_ROWS)
                _check(head, path)
                return head
    return None


def _conformed(batch: pa.RecordBatch, schema: pa.Schema, path: Path) -> pa.RecordBatch:
    _check(batch, path)
    arrays = [conform(batch.column(field.name), field.type, decode=True) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _check(batch: pa.RecordBatch, path: Path) -> None:
    """Raise ``CorpusError`` unless every offset lies inside its buffer; text that is not UTF-8 is repaired later."""
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            try:
                storage = array.storage if isinstance(array, pa.ExtensionArray) else array
                storage.view(_as_bytes(storage.type)).validate(full=True)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                says = f"{path.name} is not a sound Arrow file: column {name}: {first_line(error)}"
                raise CorpusError(says) from error


def _as_bytes(kind: pa.DataType) -> pa.DataType:
    """Return the type with bytes in place of text."""
    types = pa.types
    if types.is_string(kind):
        return pa.binary()
    if types.is_large_string(kind):
        return pa.large_binary()
    if types.is_string_view(kind):
        return pa.binary_view()
    if types.is_struct(kind):
        return pa.struct([field.with_type(_as_bytes(field.type)) for field in kind])
    if types.is_list(kind):
        return pa.list_(_as_bytes(kind.value_type))
    if types.is_large_list(kind):
        return pa.large_list(_as_bytes(kind.value_type))
    return pa.map_(_as_bytes(kind.key_type), _as_bytes(kind.item_type)) if types.is_map(kind) else kind


def _has_dictionary(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return True
    if isinstance(kind, pa.BaseExtensionType):
        return _has_dictionary(kind.storage_type)
    return any(_has_dictionary(kind.field(place).type) for place in range(kind.num_fields))


@contextlib.contextmanager
def _opened(path: Path, columns: Sequence[str] | None) -> Iterator[_ArrowFile | _ArrowStream]:
    """Open a file or a stream by its first bytes; turn every error into a ``CorpusError`` that names it.

    Args:
        path: the file.
        columns: which columns to read; None for all.
    """
    if path.stat().st_size == 0:
        raise CorpusError(f"{path.name} is empty (zero bytes)")
    try:
        with pa.memory_map(str(path)) as source:
            head = source.read(len(_FILE))
            if head.startswith(_FEATHER_1):
                raise CorpusError(f"{path.name} is Feather of version 1", fix="write it again as version 2")
            kind = _ArrowFile if head == _FILE else _ArrowStream
            source.seek(0)
            options = pa.ipc.IpcReadOptions(use_threads=False)
            if columns is not None:
                names = kind(source, options).schema.names
                options.included_fields = sorted(names.index(name) for name in columns)
                source.seek(0)
            yield kind(source, options)
    except pa.ArrowNotImplementedError as error:
        raise CorpusError(
            f"{path.name} holds something this reader does not know: {first_line(error)}",
            fix="the file may be sound; write it again with the column as another type, such as text, or without it",
        ) from error
    except (OSError, UnicodeDecodeError, pa.lib.ArrowException) as error:
        raise CorpusError(f"{path.name} is not a sound Arrow file: {first_line(error)}") from error

"""Writing curated rows in one streaming pass: sorted by document id, in bounded memory, with bytes that depend on the
rows only.

The rows of a row group are gathered in a spill file until the pass ends; then each row group is sorted and written.
So the memory needed is the spill buffer and one row group, whatever the size and the layout of the input.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.data.byte_text import UUID, text_uuid
from tamis.data.corpus import Corpus
from tamis.data.curated_files import FileForm, ParquetForm
from tamis.data.documents import Documents
from tamis.data.errors import StoreError
from tamis.data.features import with_features
from tamis.data.markers import Markers, WrittenFile
from tamis.data.parquet import atomic_write, write_error
from tamis.data.paths import path_of
from tamis.data.progress import NullProgress, Progress

GROUP_ROWS = 16_384
SHARD_ROWS = 4 * GROUP_ROWS
SPILL_BYTES = 128 << 20
_RANK = "rank"


@dataclass(frozen=True)
class RankedBatch:
    """Rows and their positions in the output.

    Attributes:
        ranks: int64 (m,), position of each row in the output, from 0.
        batch: the rows, (m,).
    """

    ranks: NDArray[np.int64]
    batch: pa.RecordBatch

    def chosen(self, rows: NDArray[np.bool_]) -> RankedBatch:
        """Return some of the rows, bool (m,)."""
        return self if rows.all() else RankedBatch(self.ranks[rows], self.batch.filter(pa.array(rows)))


def curated_schema(corpus: Corpus, extra: Mapping[str, pa.DataType] | None = None) -> pa.Schema:
    """Return the schema of a curated corpus: all source columns sorted by name, then the ``extra`` columns in order.

    UUIDs are written as UUIDs.

    Raises:
        StoreError: an extra column has the name of a source column.
    """
    added = [pa.field(name, kind) for name, kind in (extra or {}).items()]
    clash = sorted({field.name for field in added} & set(corpus.schema.names))
    if clash:
        raise StoreError("A column of the output has the name of a source column", value=clash, fix="rename it")
    fields = [corpus.schema.field(name) for name in sorted(corpus.schema.names)]
    return pa.schema([*(field.with_type(UUID) if field.name in corpus.uuids else field for field in fields), *added])


def written_schema(
    corpus: Corpus, extra: Mapping[str, pa.DataType] | None = None, *, origins: bool = False
) -> pa.Schema:
    """Return the schema of the files: the source's columns with their own types, then the ``extra`` columns.

    Where the source states features of the ``datasets`` library, so do the files, of every column they have.

    Args:
        corpus: the source.
        extra: columns that are added.
        origins: whether to write the columns that state where a row was found (``Corpus.origins``).
    """
    source = corpus.source_schema
    left_out = () if origins else corpus.origins
    fields = [field for field in source if field.name not in left_out]
    added = [pa.field(name, kind) for name, kind in (extra or {}).items()]
    return with_features(pa.schema([*fields, *added], source.metadata))


@dataclass(frozen=True)
class Picked:
    """The rows of a batch that are written, once per copy.

    Attributes:
        rows: int64 (m,), row within the batch.
        documents: int64 (m,), facts row.
        ranks: int64 (m,), position in the output.
    """

    rows: NDArray[np.int64]
    documents: NDArray[np.int64]
    ranks: NDArray[np.int64]


class Picker:
    """Tells which source rows are written, and where.

    Args:
        rows: number of source rows.
        documents: the documents among them.
        copies: int32 (n,) in facts order; 0 leaves a document out, k writes it k times in a row.
    """

    def __init__(self, rows: int, documents: Documents, copies: NDArray[np.int32]) -> None:
        self._copies, self._ends = copies, np.cumsum(copies, dtype=np.int64)
        self._facts_row = np.full(rows, -1, dtype=np.int64)
        self._facts_row[documents.order] = np.arange(documents.n)

    def times(self, first: int, count: int) -> NDArray[np.int32]:
        """Return how often each of some consecutive source rows is written, int32 (count,)."""
        rows = self._facts_row[first : first + count]
        return np.where(rows >= 0, self._copies[rows], np.int32(0)) if len(self._copies) else np.zeros(count, np.int32)

    def pick(self, first: int, count: int) -> Picked:
        """Return the written rows of a batch that begins at source row ``first``."""
        times = self.times(first, count)
        picked = np.repeat(np.arange(count), times)
        taken = self._facts_row[first : first + count][picked]
        within = np.arange(len(picked)) - np.repeat(np.cumsum(times) - times, times)
        return Picked(picked, taken, self._ends[taken] - self._copies[taken] + within)


def kept_batches(
    corpus: Corpus,
    documents: Documents,
    copies: NDArray[np.int32],
    *,
    extra: Mapping[str, pa.Array] | None = None,
    progress: Progress | None = None,
) -> Iterator[RankedBatch]:
    """Yield the rows of the kept documents in one pass over the corpus, with their positions in id order.

    Args:
        corpus: the corpus.
        documents: its documents.
        copies: int32 (n,) in facts order; 0 leaves a document out, k writes it k times in a row.
        extra: columns to add, (n,) values in facts order, as named in ``curated_schema``.
        progress: advanced by source rows; checked for cancellation before every shard.

    Raises:
        CorpusError: a file is damaged or was changed since the corpus was opened.
    """
    watch = NullProgress() if progress is None else progress
    schema = curated_schema(corpus, {name: values.type for name, values in (extra or {}).items()})
    picker = Picker(corpus.rows, documents, copies)
    names = [name for name in schema.names if name not in (extra or {})]
    for shard in corpus.shards():
        watch.check()
        first = shard.first
        for batch in corpus.batches(shard, columns=[path_of(corpus.schema, (name,)) for name in names]):
            picked = picker.pick(first, batch.num_rows)
            first += batch.num_rows
            if not len(picked.rows):
                continue
            columns = batch.take(pa.array(picked.rows)).columns
            arrays = [text_uuid(c) if name in corpus.uuids else c for name, c in zip(names, columns, strict=True)]
            added = [values.take(pa.array(picked.documents)) for values in (extra or {}).values()]
            yield RankedBatch(picked.ranks, pa.RecordBatch.from_arrays([*arrays, *added], schema=schema))
        watch.advance(shard.rows)


def write_sorted(
    batches: Iterable[RankedBatch],
    folder: Path,
    *,
    rows: int,
    schema: pa.Schema,
    written: pa.Schema | None = None,
    form: FileForm | None = None,
    shard_rows: int = SHARD_ROWS,
    group_rows: int = GROUP_ROWS,
    spill_bytes: int = SPILL_BYTES,
    markers: Markers | None = None,
) -> tuple[WrittenFile, ...]:
    """Write rows in the order of their ranks into files of ``shard_rows`` rows; equal rows give equal bytes.

    Args:
        batches: every rank from 0 to ``rows - 1`` exactly once, in any order.
        folder: where to write; made when missing. A spill folder inside it is removed at the end.
        rows: total number of rows.
        schema: of the batches.
        written: schema of the files with metadata, see ``written_schema``; by default that of the batches.
        form: format and names of the files; by default Parquet, ``part-00000.parquet`` and so on.
        shard_rows: rows per file, a multiple of ``group_rows``; the last file may have fewer.
        group_rows: rows per row group; one row group must fit into memory.
        spill_bytes: rows held in memory before they are spilled to disk.
        markers: of the run; files that it already marked as complete stay, and their rows are skipped.

    Raises:
        StoreError: ranks are missing, repeated or out of range, or the disk is full. Only complete files have their
            final name; writing again replaces all of them.

    One process at a time may write to a folder: unfinished files of an interrupted one are removed.
    """
    for stale in folder.glob(".*.tmp"):
        stale.unlink(missing_ok=True)
    shape = form or ParquetForm()
    starts = range(0, max(rows, 1), shard_rows)
    sizes = [min(rows - start, shard_rows) for start in starts]
    paths = [folder / shape.name(number, len(starts)) for number in range(len(starts))]
    whole = [markers.whole(path, rows=size) if markers else None for path, size in zip(paths, sizes, strict=True)]
    missing = np.array([file is None for file in whole])
    spill = _Spill(folder / ".spill", schema, group_rows=group_rows, limit=spill_bytes)
    try:
        for ranked in batches:
            _check_range(ranked.ranks, rows)
            spill.add(ranked.chosen(missing[ranked.ranks // shard_rows]))
        spill.close()
        files = []
        for number, (path, file, start, size) in enumerate(zip(paths, whole, starts, sizes, strict=True)):
            if file is None:
                with atomic_write(path) as temporary:
                    shape.write(temporary, spill.groups(start, size), number=number, schema=written or spill.schema)
                file = WrittenFile.at(path, rows=size)
                if markers:
                    markers.mark(file)
            files.append(file)
        return tuple(files)
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        spill.remove()


def _check_range(ranks: NDArray[np.int64], rows: int) -> None:
    outside = ranks[(ranks < 0) | (ranks >= rows)]
    if len(outside):
        what = f"Rows 0 to {rows - 1} of the output do not occur exactly once: one has another number"
        raise StoreError(what, value=int(outside[0]), fix="this is a fault of the program; please report it")


class _Spill:
    """Rows by the row group they belong to: in memory up to a limit, then on disk."""

    def __init__(self, folder: Path, schema: pa.Schema, *, group_rows: int, limit: int) -> None:
        self.folder, self.schema, self.group_rows, self.limit = folder, schema.remove_metadata(), group_rows, limit
        # The name of the rank column must differ from every source column.
        self._rank = max([_RANK, *(f"{name}_" for name in self.schema.names)], key=len)
        self._ranked = self.schema.append(pa.field(self._rank, pa.int64()))
        self._held: list[pa.RecordBatch] = []
        self._sorted: dict[int, pa.RecordBatch] = {}
        self._bytes = 0
        # An interrupted run may have left rows, or a partial row.
        self.remove()

    def add(self, ranked: RankedBatch) -> None:
        """Buffer rows; spill the buffer when it exceeds the limit."""
        if not ranked.batch.num_rows:
            return
        held = pa.RecordBatch.from_arrays([*ranked.batch.columns, pa.array(ranked.ranks)], schema=self._ranked)
        self._held.append(held)
        self._bytes += held.nbytes
        if self._bytes > self.limit:
            self._flush()

    def close(self) -> None:
        """Sort the rest of the buffer into groups; call after the last row."""
        self._sorted = dict(self._by_group())

    def groups(self, start: int, size: int) -> Iterator[pa.Table]:
        """Yield the groups of a file that begins at rank ``start``, each sorted by rank. Raises as ``group``."""
        for first in range(start, start + size, self.group_rows):
            yield self.group(first // self.group_rows, first, min(self.group_rows, start + size - first))

    def group(self, number: int, first: int, count: int) -> pa.Table:
        """Return the rows of one group, sorted by rank.

        Raises:
            StoreError: the ranks are not exactly ``first`` to ``first + count - 1``.
        """
        held = self._sorted.pop(number, None)
        batches = [*self._spilled(number), *([] if held is None else [held])]
        table = pa.Table.from_batches(batches, schema=self._ranked).combine_chunks()
        ranks = table.column(self._rank).to_numpy()
        order = np.argsort(ranks, kind="stable")
        if not np.array_equal(ranks[order], np.arange(first, first + count)):
            raise StoreError(f"Rows {first} to {first + count - 1} of the output do not occur exactly once")
        return table.drop_columns([self._rank]).take(pa.array(order)).combine_chunks()

    def remove(self) -> None:
        """Delete the spill folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.arrows"

    def _flush(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        for number, batch in self._by_group():
            with self._path(number).open("ab") as file, pa.ipc.new_stream(file, self._ranked, options=options) as out:
                out.write_batch(batch)

    def _by_group(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the buffered rows as one batch per group and empty the buffer."""
        held, self._held, self._bytes = self._held, [], 0
        if not held:
            return
        whole = pa.concat_batches(held)
        group = whole.column(self._rank).to_numpy() // self.group_rows
        held.clear()
        order = np.argsort(group, kind="stable")
        numbers, starts = np.unique(group[order], return_index=True)
        rows = whole.take(pa.array(order))
        for number, start, stop in zip(numbers, starts, [*starts[1:], len(order)], strict=True):
            yield int(number), rows.slice(start, stop - start)

    def _spilled(self, number: int) -> Iterator[pa.RecordBatch]:
        path = self._path(number)
        if not path.is_file():
            return
        with path.open("rb") as file:
            while file.read(1):
                file.seek(-1, 1)
                with pa.ipc.open_stream(file) as stream:
                    yield from stream

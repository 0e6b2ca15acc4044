"""The kept rows as lines of JSON: of a JSON source the very lines, of other sources one object a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.data.corpus import Corpus
from tamis.data.curated import Picker, RankedBatch
from tamis.data.curated_files import LINE
from tamis.data.documents import Documents
from tamis.data.errors import CorpusError
from tamis.data.formats import Cut
from tamis.data.opening import OpenedFile
from tamis.data.progress import NullProgress, Progress
from tamis.data.repair import Repairs
from tamis.data.row_json import row_lines
from tamis.data.shards import Piece, Shard

TEXT, ID = "text", "id"
LINES = pa.schema([(LINE, pa.large_binary())])
WITH_IDS = pa.schema([(LINE, pa.large_binary()), (ID, pa.string())])
WITH_TEXTS = pa.schema([(LINE, pa.large_binary()), (ID, pa.string()), (TEXT, pa.large_string())])

_ROWS, _BYTES = 8192, 16 << 20


def kept_lines(
    corpus: Corpus,
    documents: Documents,
    copies: NDArray[np.int32],
    *,
    schema: pa.Schema = LINES,
    progress: Progress | None = None,
) -> Iterator[RankedBatch]:
    """Yield the lines of the kept documents in one pass over the corpus, with their positions in id order.

    Args:
        corpus: the corpus.
        documents: its documents.
        copies: int32 (n,) in facts order; 0 leaves a document out, k writes it k times in a row.
        schema: ``LINES``, or more columns: ``WITH_IDS`` or ``WITH_TEXTS``.
        progress: advanced by source rows; checked for cancellation before every shard.

    Raises:
        CorpusError: a file is damaged or was changed since the corpus was opened.
    """
    watch = NullProgress() if progress is None else progress
    picker = Picker(corpus.rows, documents, copies)
    for shard in corpus.shards():
        watch.check()
        first, texts = shard.first, _Feed(corpus.texts(shard) if TEXT in schema.names else ())
        for lines in _shard_lines(corpus, shard, picker.times(shard.first, shard.rows) > 0):
            picked = picker.pick(first, len(lines))
            first += len(lines)
            own = texts.take(len(lines)) if TEXT in schema.names else None
            if not len(picked.rows):
                continue
            columns = {LINE: pa.array([lines[row] for row in picked.rows], pa.large_binary())}
            if ID in schema.names:
                columns[ID] = documents.ids.take(pa.array(picked.documents))
            if own is not None:
                columns[TEXT] = own.take(pa.array(picked.rows))
            yield RankedBatch(picked.ranks, pa.RecordBatch.from_pydict(columns, schema=schema))
        watch.advance(shard.rows)


def _shard_lines(corpus: Corpus, shard: Shard, wanted: NDArray[np.bool_]) -> Iterator[Sequence[bytes | None]]:
    """Yield the lines of a shard in source order, bool (rows,) tells which are needed; the others may be None."""
    start = 0
    for piece in shard.pieces:
        opened = corpus.opened[piece.file]
        opened.check_unchanged()
        rows = 0
        for lines in _piece_lines(opened, piece, wanted[start : start + piece.rows]):
            rows += len(lines)
            yield lines
        opened.check_unchanged()
        if rows != piece.rows:
            raise CorpusError(f"{opened.name} was changed since the corpus was opened", fix="open the corpus again")
        start += piece.rows


def _piece_lines(opened: OpenedFile, piece: Piece, wanted: NDArray[np.bool_]) -> Iterator[Sequence[bytes | None]]:
    return opened.lines(piece.marks) or _made_lines(opened, piece, wanted)


def _made_lines(opened: OpenedFile, piece: Piece, wanted: NDArray[np.bool_]) -> Iterator[list[bytes | None]]:
    """Yield the rows of a file that has no lines of JSON: its own columns, in its order, no column of its path."""
    schema, own = opened.probe.schema, set(opened.path_schema.names)
    names = [name for _, name in sorted(zip(opened.probe.places, schema.names, strict=True)) if name not in own]
    first = 0
    for batch in opened.read(Cut(piece.marks, tuple(names), _ROWS, _BYTES), Repairs()):
        mine = np.flatnonzero(wanted[first : first + batch.num_rows])
        lines: list[bytes | None] = [None] * batch.num_rows
        for row, line in zip(mine, row_lines(batch.take(pa.array(mine)), opened.probe.source), strict=True):
            lines[row] = line
        first += batch.num_rows
        yield lines


class _Feed:
    """Arrays of one type, taken again in pieces of other sizes."""

    def __init__(self, arrays: Iterable[pa.Array]) -> None:
        self._arrays = iter(arrays)
        self._held = pa.array([], pa.large_string())

    def take(self, count: int) -> pa.Array:
        """Return the next ``count`` values."""
        pieces, missing = [self._held[:count]], count - len(self._held)
        self._held = self._held[count:]
        while missing > 0:
            array = next(self._arrays)
            pieces.append(array[:missing])
            self._held, missing = array[missing:], missing - len(array)
        return pa.concat_arrays(pieces)

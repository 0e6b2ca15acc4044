"""Random access to rows: their blocks are decoded once and cached up to a limit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.data.errors import CorpusError
from tamis.data.formats import Cut
from tamis.data.opening import OpenedFile
from tamis.data.repair import Repairs

_BLOCK_ROWS = 4096
_BLOCK_BYTES = 8 << 20
_THREADS = 4
_Key = tuple[int, int, tuple[str, ...], int]


class RowCache:
    """Least recently used decoded blocks of source rows.

    Args:
        max_bytes: maximum decoded bytes in the cache.
    """

    def __init__(self, max_bytes: int = 256 << 20) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._blocks: OrderedDict[_Key, tuple[int, pa.RecordBatch]] = OrderedDict()
        self._bytes = 0

    def rows(
        self, file: OpenedFile, number: int, wanted: NDArray[np.int64], *, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Return rows of one file, in the requested order.

        Args:
            file: the file.
            number: its index in the corpus.
            wanted: rows of the file, int64 (m,).
            columns: top-level columns; those that the file lacks are left out. None for all.
        """
        names = tuple(file.schema.names if columns is None else (each for each in columns if each in file.names))
        marks = file.probe.marks
        index = np.searchsorted([mark.row for mark in marks], wanted, side="right") - 1
        places = [np.flatnonzero(index == mark) for mark in np.unique(index)]

        def read(mine: NDArray[np.int64]) -> pa.Table:
            mark = int(index[mine[0]])
            return self._from_mark(file, (number, mark, names), wanted[mine] - marks[mark].row)

        with ThreadPoolExecutor(_THREADS) as threads:
            pieces = list(threads.map(read, places))
        back = np.argsort(np.concatenate(places), kind="stable")
        return pa.concat_tables(pieces).take(pa.array(back))

    def _from_mark(
        self, file: OpenedFile, place: tuple[int, int, tuple[str, ...]], local: NDArray[np.int64]
    ) -> pa.Table:
        """Return rows of one mark: from cached blocks if possible, else by decoding the mark up to the last row."""
        found: dict[int, pa.RecordBatch] = {}
        missing = {int(row) for row in local}
        with self._lock:
            for key, (first, block) in list(self._blocks.items()):
                if key[:3] == place:
                    hits = {row for row in missing if first <= row < first + block.num_rows}
                    found |= {row: block.slice(row - first, 1) for row in hits}
                    missing -= hits
                    if hits:
                        self._blocks.move_to_end(key)
        if missing:
            found |= self._decode(file, place, missing)
        return pa.Table.from_batches([found[int(row)] for row in local])

    def _decode(
        self, file: OpenedFile, place: tuple[int, int, tuple[str, ...]], missing: set[int]
    ) -> dict[int, pa.RecordBatch]:
        found: dict[int, pa.RecordBatch] = {}
        _, mark, names = place
        cut = Cut((file.probe.marks[mark],), names, _BLOCK_ROWS, _BLOCK_BYTES)
        first = 0
        for block in file.read(cut, Repairs()):
            hits = {row for row in missing if first <= row < first + block.num_rows}
            if hits:
                found |= {row: block.slice(row - first, 1) for row in hits}
                missing = missing - hits
                self._keep((*place, first), first, block)
            if not missing:
                break
            first += block.num_rows
        if missing:
            raise CorpusError(f"{file.name} was changed since the corpus was opened", fix="open the corpus again")
        return found

    def _keep(self, key: _Key, first: int, block: pa.RecordBatch) -> None:
        with self._lock:
            if key in self._blocks:
                return
            self._blocks[key] = (first, block)
            self._bytes += block.nbytes
            while self._bytes > self.max_bytes and len(self._blocks) > 1:
                _, (_, old) = self._blocks.popitem(last=False)
                self._bytes -= old.nbytes

"""Random access to rows: their blocks are decoded once and cached up to a limit."""

from __future__ import annotations

import threading
from collections import OrderedDict
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
_Key = tuple[int, int, int]


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

    def rows(self, file: OpenedFile, number: int, wanted: NDArray[np.int64]) -> pa.Table:
        """Return rows of one file with all columns, in the requested order.

        Args:
            file: the file.
            number: its index in the corpus.
            wanted: rows of the file, int64 (m,).
        """
        marks = file.probe.marks
        index = np.searchsorted([mark.row for mark in marks], wanted, side="right") - 1
        places = [np.flatnonzero(index == mark) for mark in np.unique(index)]

        def read(mine: NDArray[np.int64]) -> pa.Table:
            mark = int(index[mine[0]])
            return self._from_mark(file, number, mark, wanted[mine] - marks[mark].row)

        with ThreadPoolExecutor(_THREADS) as threads:
            pieces = list(threads.map(read, places))
        back = np.argsort(np.concatenate(places), kind="stable")
        return pa.concat_tables(pieces).take(pa.array(back))

    def _from_mark(self, file: OpenedFile, number: int, mark: int, local: NDArray[np.int64]) -> pa.Table:
        """Return rows of one mark: from cached blocks if possible, else by decoding the mark up to the last row."""
        found: dict[int, pa.RecordBatch] = {}
        missing = {int(row) for row in local}
        with self._lock:
            for key, (first, block) in list(self._blocks.items()):
                if key[:2] == (number, mark):
                    hits = {row for row in missing if first <= row < first + block.num_rows}
                    found |= {row: block.slice(row - first, 1) for row in hits}
                    missing -= hits
                    if hits:
                        self._blocks.move_to_end(key)
        if missing:
            found |= self._decode(file, number, mark, missing)
        return pa.Table.from_batches([found[int(row)] for row in local])

    def _decode(self, file: OpenedFile, number: int, mark: int, missing: set[int]) -> dict[int, pa.RecordBatch]:
        found: dict[int, pa.RecordBatch] = {}
        cut = Cut((file.probe.marks[mark],), tuple(file.schema.names), _BLOCK_ROWS, _BLOCK_BYTES)
        first = 0
        for block in file.read(cut, Repairs()):
            hits = {row for row in missing if first <= row < first + block.num_rows}
            if hits:
                found |= {row: block.slice(row - first, 1) for row in hits}
                missing = missing - hits
                self._keep((number, mark, first), first, block)
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

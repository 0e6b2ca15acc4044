"""The samples of a split, read from the stores by slices: texts of a stream, or packed sequences of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.training.data import LOSS_MASK, MESSAGES, PIECES_SCHEMA, TokenFormat
from tamis.analytics.training.expand import Stream
from tamis.analytics.training.packing import Packing
from tamis.analytics.training.text_store import TextStore
from tamis.analytics.training.token_store import TokenStore

_BATCH_TOKENS = 1 << 20
_BATCH_BYTES = 8 << 20
_BATCH_ROWS = 8192


def _slices(sizes: NDArray[np.int64], most: int, first: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of runs of samples of about ``most`` in all, at least one sample each."""
    ends = np.cumsum(sizes)
    at = 0
    while at < len(sizes):
        before = int(ends[at - 1]) if at else 0
        last = int(np.searchsorted(ends, before + most, side="right"))
        last = min(max(last, at + 1), at + _BATCH_ROWS, len(sizes))
        yield first + at, first + last
        at = last


@dataclass(frozen=True, eq=False)
class TextSamples:
    """Documents of a stream as texts.

    Attributes:
        store: the texts.
        ids: string (documents,), in facts order.
        stream: rows are facts rows.
        order: int64 (samples,), place in the stream of each sample.
        schema: of the samples.
    """

    store: TextStore
    ids: pa.Array
    stream: Stream
    order: NDArray[np.int64]
    schema: pa.Schema

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Return the bytes of each sample, int64 (samples,)."""
        return self.store.bytes_of(self.stream.row[self.order])

    def batches(self, first: int, last: int) -> Iterator[pa.RecordBatch]:
        """Yield the samples ``first`` to ``last - 1``."""
        for begin, end in _slices(self.sizes[first:last], _BATCH_BYTES, first):
            at = self.order[begin:end]
            rows = self.stream.row[at]
            columns = [self.ids.take(pa.array(rows)).cast(pa.string()), self.store.texts(rows)]
            columns += [self.store.messages(rows)] if MESSAGES in self.schema.names else []
            columns += [pa.array(part[at].astype(np.int32)) for part in (self.stream.copy, self.stream.epoch)]
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def pieces(self, first: int, last: int) -> pa.Table:
        """Return the index rows of the samples ``first`` to ``last - 1``: one each."""
        nothing = np.zeros(last - first, dtype=np.int64)
        at = self.order[first:last]
        tokens = (nothing, nothing)
        return _index(
            self.ids, self.stream, at, np.arange(first, last), nothing, tokens, (nothing, self.sizes[first:last])
        )


@dataclass(frozen=True, eq=False)
class TokenSamples:
    """Packed sequences.

    Attributes:
        store: the tokens.
        ids: string (documents,), in facts order.
        stream: rows are facts rows.
        packing: of the stream.
        order: int64 (samples,), sequence of each sample.
        schema: of the samples.
        form: length and padding.
    """

    store: TokenStore
    ids: pa.Array
    stream: Stream
    packing: Packing
    order: NDArray[np.int64]
    schema: pa.Schema
    form: TokenFormat

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return self.packing.starts()

    @cached_property
    def _places(self) -> NDArray[np.int64]:
        """Return the tokens of each sample, padding counted if it is written, int64 (samples,)."""
        return (self.packing.room if self.form.padded else self.packing.used)[self.order]

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Return the bytes of each sample, int64 (samples,)."""
        return self._places * (self.form.dtype.itemsize + (LOSS_MASK in self.schema.names))

    def _pieces_of(self, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pieces of samples, int64 (p,), and how many each sample has, int64 (samples,)."""
        begins, ends = self._starts[self.order[first:last]], self._starts[self.order[first:last] + 1]
        counts = ends - begins
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(begins, counts) + within, counts

    def batches(self, first: int, last: int) -> Iterator[pa.RecordBatch]:
        """Yield the samples ``first`` to ``last - 1``."""
        for begin, end in _slices(self._places[first:last], _BATCH_TOKENS, first):
            yield self._batch(begin, end)

    def _batch(self, first: int, last: int) -> pa.RecordBatch:
        pieces, counts = self._pieces_of(first, last)
        packing = self.packing
        rows = self.stream.row[packing.item[pieces]]
        begins, ends = packing.first[pieces], packing.last[pieces]
        sizes = self._places[first:last]
        borders = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        lengths = pa.ListArray.from_arrays(
            pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)),
            pa.array((ends - begins).astype(np.int32)),
        )
        used = packing.used[self.order[first:last]]
        columns = [
            self._listed(self.store.gather("ids", rows, begins, ends), used, borders, self.form.pad or 0),
            lengths,
        ]
        if LOSS_MASK in self.schema.names:
            columns.append(self._listed(self.store.gather("mask", rows, begins, ends), used, borders, 0))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _listed(
        self, values: NDArray[np.uint16], used: NDArray[np.int64], borders: NDArray[np.int32], filling: int
    ) -> pa.ListArray:
        """Return values as a list per sample, with padding where it is written."""
        if self.form.padded:
            wide = np.full(int(borders[-1]), filling, dtype=values.dtype)
            within = np.arange(len(values)) - np.repeat(np.cumsum(used) - used, used)
            wide[np.repeat(borders[:-1].astype(np.int64), used) + within] = values
            values = wide
        return pa.ListArray.from_arrays(pa.array(borders), pa.array(values))

    def pieces(self, first: int, last: int) -> pa.Table:
        """Return the index rows of the samples ``first`` to ``last - 1``."""
        pieces, counts = self._pieces_of(first, last)
        item = self.packing.item[pieces]
        rows = self.stream.row[item]
        begins, ends = self.packing.first[pieces], self.packing.last[pieces]
        places = (self.store.byte_places(rows, begins), self.store.byte_places(rows, ends))
        within = np.arange(len(pieces)) - np.repeat(np.cumsum(counts) - counts, counts)
        return _index(
            self.ids, self.stream, item, np.repeat(np.arange(first, last), counts), within, (begins, ends), places
        )


def _index(
    ids: pa.Array,
    stream: Stream,
    item: NDArray[np.int64],
    sample: NDArray[np.int64],
    piece: NDArray[np.int64],
    tokens: tuple[NDArray[np.int64], NDArray[np.int64]],
    places: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> pa.Table:
    """Return rows of ``PIECES_SCHEMA``."""
    columns = [
        pa.array(sample),
        pa.array(piece.astype(np.int32)),
        ids.take(pa.array(stream.row[item])).cast(pa.string()),
        pa.array(stream.copy[item].astype(np.int32)),
        pa.array(stream.epoch[item].astype(np.int32)),
        *(pa.array(part) for part in (*tokens, *places)),
    ]
    return pa.table(columns, schema=PIECES_SCHEMA)

"""Texts as bytes for proxy models: the order in which a selection is read, the windows in which texts are scored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.effect.proxy_plan import SYMBOLS
from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.word_stream import gather_slices
from tamis.data.hashing import mix_keys

END = SYMBOLS - 1
"""The symbol after every text, and before the first."""

_ROWS = 64


@dataclass(frozen=True, eq=False)
class ByteTexts:
    """Texts as symbols.

    Attributes:
        symbols: uint16 (s,), the bytes of every text, each text followed by ``END``.
        starts: int64 (n + 1,), where each text begins.
    """

    symbols: NDArray[np.uint16]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, texts: pa.Array) -> ByteTexts:
        """Read a string array; NULL counts as an empty text."""
        offsets, data = utf8_buffers(texts)
        sizes = np.diff(offsets)
        starts = np.zeros(len(sizes) + 1, dtype=np.int64)
        np.cumsum(sizes + 1, out=starts[1:])
        symbols = np.full(int(starts[-1]), END, dtype=np.uint16)
        places = np.ones(int(starts[-1]), dtype=bool)
        places[starts[1:] - 1] = False
        symbols[places] = data[int(offsets[0]) : int(offsets[-1])]
        return cls(symbols, starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def bytes(self) -> NDArray[np.int64]:
        """Return the bytes of each text, int64 (n,)."""
        return np.diff(self.starts) - 1

    def stream(self, order: NDArray[np.int64], tokens: int) -> NDArray[np.uint16]:
        """Return ``tokens`` + 1 symbols: the end of a text, then the texts in an order that has enough of them."""
        read, _ = gather_slices(self.symbols, self.starts, order)
        return np.concatenate([np.array([END], dtype=np.uint16), read[:tokens]])

    def windows(self, context: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Yield what to score, texts of similar length together.

        A text longer than the context is read in windows one after the other; each begins with the symbol before it.

        Yields:
            int64 (b, w) symbols to read; int64 (b, w) symbols that follow, -100 beyond the end; int64 (b,) the texts.
        """
        sizes = self.bytes
        counts = -(-sizes // context)
        text = np.repeat(np.arange(len(sizes)), counts)
        first = np.arange(len(text)) - np.repeat(np.cumsum(counts) - counts, counts)
        length = np.minimum(sizes[text] - first * context, context)
        order = np.argsort(length, kind="stable")
        padded = np.concatenate([[END], self.symbols]).astype(np.int64)
        for begin in range(0, len(order), _ROWS):
            rows = order[begin : begin + _ROWS]
            wide = int(length[rows].max())
            places = (self.starts[text[rows]] + first[rows] * context)[:, None] + np.arange(wide)
            inside = np.arange(wide) < length[rows][:, None]
            places = np.where(inside, places, 0)
            # One symbol to the left; before the first byte of a text stands the end of the one before it.
            yield padded[places], np.where(inside, padded[places + 1], -100), text[rows]


def context_order(contexts: int, *, block: int, seed: int) -> NDArray[np.int64]:
    """Return the order in which the contexts of a stream are read, int64 (contexts,): shuffled within each block."""
    places = np.arange(contexts)
    return np.lexsort((mix_keys(places.astype(np.uint64), seed=seed, salt="proxy contexts"), places // block))


def reading_order(
    keys: NDArray[np.uint64], sizes: NDArray[np.int64], copies: NDArray[np.int32], *, tokens: int, seed: int
) -> NDArray[np.int64]:
    """Return the documents in the order they are read, until ``tokens`` symbols are there, int64 (m,).

    Every pass over the selection reads each copy of a document once, in the order of a hash keyed by seed, pass and
    copy; so the order does not depend on the rows, and the random selections of two comparisons are paired.

    Args:
        keys: uint64 (n,), of the documents' ids.
        sizes: int64 (n,), bytes of each.
        copies: int32 (n,), copies of each in the selection, 0 for none; one of them is above 0.
        tokens: symbols wanted; a text has one more than it has bytes.
        seed: of the order.
    """
    found, spent, number = [], 0, 0
    while spent < tokens:
        rows, marks = [], []
        for copy in range(int(copies.max())):
            part = np.flatnonzero(copies > copy)
            rows.append(part)
            marks.append(mix_keys(keys[part], seed=seed, salt=f"proxy pass {number} copy {copy}"))
        listed = np.concatenate(rows)
        order = listed[np.lexsort((keys[listed], np.concatenate(marks)))]
        total = np.cumsum(sizes[order] + 1)
        enough = int(np.searchsorted(total, tokens - spent)) + 1
        found.append(order[:enough])
        spent += int(total[min(enough, len(total)) - 1])
        number += 1
    return np.concatenate(found).astype(np.int64)


def ordered_reading(
    sizes: NDArray[np.int64], copies: NDArray[np.int32], places: NDArray[np.int64], *, tokens: int
) -> NDArray[np.int64]:
    """Return the documents in a stated order, again and again until ``tokens`` symbols are there, int64 (m,).

    Args:
        sizes: int64 (n,), bytes of each.
        copies: int32 (n,), copies of each, one after the other; one of them is above 0.
        places: int64 (n,), all different: where each document stands.
        tokens: symbols wanted; a text has one more than it has bytes.
    """
    order = np.argsort(places)
    once = np.repeat(order, copies[order])
    passes = -(-tokens // int((sizes[once] + 1).sum()))
    many = np.tile(once, passes)
    enough = int(np.searchsorted(np.cumsum(sizes[many] + 1), tokens)) + 1
    return many[:enough].astype(np.int64)

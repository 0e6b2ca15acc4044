"""Texts as tokens for proxy models: the order in which a selection is read, the windows in which texts are scored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.effect.proxy_plan import SYMBOLS, find_tokenizer
from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.word_stream import gather_slices
from tamis.analytics.training.tokenizer import RAW
from tamis.data.hashing import mix_keys

END = SYMBOLS - 1
"""The symbol after every text of bytes, and before the first."""


@dataclass(frozen=True, eq=False)
class TokenTexts:
    """Texts as symbols.

    Attributes:
        symbols: unsigned (s,), the tokens of every text, each text followed by ``end``; uint16 for bytes.
        starts: int64 (n + 1,), where each text begins.
        bytes: int64 (n,), UTF-8 bytes of each text.
        end: the symbol after every text, and before the first: one more than every token.
    """

    symbols: NDArray[np.unsignedinteger[Any]]
    starts: NDArray[np.int64]
    bytes: NDArray[np.int64]
    end: int

    @classmethod
    def of(cls, texts: pa.Array, tokenizer: str = RAW) -> TokenTexts:
        """Read a string array; NULL counts as an empty text.

        Raises:
            SettingError: as ``find_tokenizer``.
        """
        offsets, data = utf8_buffers(texts)
        tokens: NDArray[np.unsignedinteger[Any]] = data[int(offsets[0]) : int(offsets[-1])]
        borders, end = offsets, END
        if tokenizer != RAW:
            known = find_tokenizer(tokenizer)
            found = known.encode(texts.cast(pa.large_string()).fill_null(""))
            tokens, borders, end = found.ids, found.offsets, known.vocabulary
        sizes = np.diff(borders)
        starts = np.zeros(len(sizes) + 1, dtype=np.int64)
        np.cumsum(sizes + 1, out=starts[1:])
        symbols = np.full(int(starts[-1]), end, dtype=np.min_scalar_type(end))
        places = np.ones(int(starts[-1]), dtype=bool)
        places[starts[1:] - 1] = False
        symbols[places] = tokens
        return cls(symbols, starts, np.diff(offsets), end)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Return the tokens of each text, int64 (n,), without its end."""
        return np.diff(self.starts) - 1

    def first(self) -> TokenTexts:
        """Return the first text alone."""
        return TokenTexts(self.symbols[: self.starts[1]], self.starts[:2], self.bytes[:1], self.end)

    def stream(self, order: NDArray[np.int64], tokens: int) -> NDArray[np.unsignedinteger[Any]]:
        """Return ``tokens`` + 1 symbols: the end of a text, then the texts in an order that has enough of them."""
        read, _ = gather_slices(self.symbols, self.starts, order)
        return np.concatenate([np.array([self.end], dtype=self.symbols.dtype), read[:tokens]])

    def windows(
        self, context: int, rows: int = 64
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Yield what to score, texts of similar length together.

        A text longer than the context is read in windows one after the other; each begins with the symbol before it.

        Args:
            context: most symbols of a window.
            rows: windows at a time.

        Yields:
            int64 (b, w) symbols to read; int64 (b, w) symbols that follow, -100 beyond the end; int64 (b,) the texts.
        """
        sizes = self.sizes
        counts = -(-sizes // context)
        text = np.repeat(np.arange(len(sizes)), counts)
        first = np.arange(len(text)) - np.repeat(np.cumsum(counts) - counts, counts)
        length = np.minimum(sizes[text] - first * context, context)
        order = np.argsort(length, kind="stable")
        padded = np.concatenate([[self.end], self.symbols]).astype(np.int64)
        for begin in range(0, len(order), rows):
            taken = order[begin : begin + rows]
            wide = int(length[taken].max())
            places = (self.starts[text[taken]] + first[taken] * context)[:, None] + np.arange(wide)
            inside = np.arange(wide) < length[taken][:, None]
            places = np.where(inside, places, 0)
            # One symbol to the left; before the first byte of a text stands the end of the one before it.
            yield padded[places], np.where(inside, padded[places + 1], -100), text[taken]


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
        sizes: int64 (n,), symbols of each.
        copies: int32 (n,), copies of each in the selection, 0 for none; one of them is above 0.
        tokens: symbols wanted; a text has one more, its end.
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
        sizes: int64 (n,), symbols of each.
        copies: int32 (n,), copies of each, one after the other; one of them is above 0.
        places: int64 (n,), all different: where each document stands.
        tokens: symbols wanted; a text has one more, its end.
    """
    order = np.argsort(places)
    once = np.repeat(order, copies[order])
    passes = -(-tokens // int((sizes[once] + 1).sum()))
    many = np.tile(once, passes)
    enough = int(np.searchsorted(np.cumsum(sizes[many] + 1), tokens)) + 1
    return many[:enough].astype(np.int64)

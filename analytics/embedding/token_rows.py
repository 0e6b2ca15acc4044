"""Texts as rows of token ids; a tokenizer that parts texts by known rules reads each distinct chunk once."""

from __future__ import annotations

import json
from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.chunk_table import MOST, ChunkTable
from tamis.analytics.text.token_cuts import token_cuts

_BATCH = 1024
_ENCODED = 1 << 16
"""Chunks encoded at once."""


class TokenRows:
    """A tokenizer that returns the ids of its tokens.

    Args:
        tokenizer: the text of a ``tokenizer.json``.
        most_characters: of a text that are read.
        most_tokens: of a text that are returned.
        most_chunks: number of chunks after which they are forgotten; changes no id.
    """

    def __init__(self, tokenizer: str, *, most_characters: int, most_tokens: int, most_chunks: int = MOST) -> None:
        # Late: tokenizers.
        from tokenizers import Tokenizer

        self._encoder = Tokenizer.from_str(tokenizer)
        self._encoder.no_padding()
        self._encoder.enable_truncation(most_tokens)
        cuts = token_cuts(json.loads(tokenizer))
        self._chunks = None if cuts is None else ChunkTable(cuts, most=most_chunks)
        self._ids, self._starts = np.empty(0, dtype=np.int32), np.zeros(1, dtype=np.int64)
        self._characters, self._most = most_characters, most_tokens
        self._lock = Lock()

    def read(self, texts: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the ids of all tokens, int32 (t,), and where those of each text begin, int64 (n + 1,).

        Args:
            texts: string array (n,); NULL has no token.
        """
        offsets, data = utf8_buffers(texts)
        if (np.diff(offsets) > self._characters).any():
            offsets, data = utf8_buffers(pc.utf8_slice_codeunits(texts, 0, self._characters))
        if self._chunks is None:
            return _joined([self._encoded(data, offsets)])
        with self._lock:
            if self._chunks.is_full:
                self._chunks.clear()
                self._ids, self._starts = self._ids[:0], self._starts[:1]
            read = self._chunks.read(data, offsets[:-1], offsets[1:])
            self._encode_new(self._chunks)
            long = _joined([self._encoded(data, span) for span in read.long] or [self._encoded(data, offsets[:1])])
            return _rows(read.numbers, read.firsts, self._ids, self._starts, *long, self._most)

    def _encode_new(self, chunks: ChunkTable) -> None:
        """Encode the chunks that are new in the table."""
        parts = [(self._ids, self._starts)]
        for first in range(len(self._starts) - 1, len(chunks), _ENCODED):
            parts.append(self._encoded(chunks.bytes, chunks.starts[first : first + _ENCODED + 1]))
        if len(parts) > 1:
            self._ids, self._starts = _joined(parts)

    def _encoded(
        self, data: NDArray[np.uint8], offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return ids and starts of texts that are read whole."""
        held = data[offsets[0] : offsets[-1]].tobytes()
        texts = [held[first:end].decode() for first, end in pairwise((offsets - offsets[0]).tolist())]
        rows: list[list[int]] = []
        for first in range(0, len(texts), _BATCH):
            batch = texts[first : first + _BATCH]
            rows += [one.ids for one in self._encoder.encode_batch_fast(batch, add_special_tokens=False)]
        starts = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return np.fromiter((one for row in rows for one in row), dtype=np.int32, count=int(starts[-1])), starts


def _joined(parts: list[Any]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return rows of ids and their starts, one part after the other."""
    ids = np.concatenate([part[0] for part in parts])
    sizes = np.concatenate([np.zeros(1, dtype=np.int64), *(np.diff(part[1]) for part in parts)])
    return ids, np.cumsum(sizes)


@njit(cache=True, nogil=True)
def _rows(numbers, firsts, ids, starts, long_ids, long_starts, most):  # type: ignore[no-untyped-def]
    """Return the ids of each text's chunks, at most ``most`` of a text, and where those of each text begin."""
    begins = np.zeros(len(firsts), dtype=np.int64)
    for text in range(len(firsts) - 1):
        size = 0
        for k in range(firsts[text], firsts[text + 1]):
            number = numbers[k]
            if number >= 0:
                size += starts[number + 1] - starts[number]
            else:
                size += long_starts[-number] - long_starts[-1 - number]
        begins[text + 1] = begins[text] + min(size, most)
    found = np.empty(begins[-1], dtype=np.int32)
    for text in range(len(firsts) - 1):
        at, end = begins[text], begins[text + 1]
        for k in range(firsts[text], firsts[text + 1]):
            number = numbers[k]
            if number >= 0:
                source, first, size = ids, starts[number], starts[number + 1] - starts[number]
            else:
                source, first = long_ids, long_starts[-1 - number]
                size = long_starts[-number] - first
            for j in range(min(size, end - at)):
                found[at + j] = source[first + j]
            at += min(size, end - at)
    return found, begins

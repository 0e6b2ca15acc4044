"""Tf-idf: documents as sparse rows of weighted word numbers, each row of unit length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.word_stream import SIZE, WordStream


@dataclass(frozen=True, eq=False)
class Features:
    """Documents as sparse rows of unit length.

    Attributes:
        columns: int32 (z,), word number of each value.
        values: float32 (z,).
        starts: int64 (n + 1,).
    """

    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of(cls, stream: WordStream, idf: NDArray[np.float64]) -> Features:
        """Return (1 + ln tf) * idf of each document's words, divided by the length of the row."""
        columns = np.empty(len(stream.words), dtype=np.int32)
        values = np.empty(len(stream.words), dtype=np.float32)
        starts = np.zeros(len(stream) + 1, dtype=np.int64)
        count = _features(stream.words, stream.starts, idf, columns, values, starts)
        return cls(columns[:count].copy(), values[:count].copy(), starts)

    @classmethod
    def of_vectors(cls, vectors: NDArray[np.floating]) -> Features:
        """Return vectors as rows: each minus the mean of all, of unit length; a column stands for a dimension.

        Args:
            vectors: (n, d), d at most ``SIZE``.
        """
        rows = np.asarray(vectors, dtype=np.float32) - np.mean(vectors, axis=0, dtype=np.float64).astype(np.float32)
        lengths = np.sqrt((rows.astype(np.float64) ** 2).sum(axis=1))
        rows /= np.maximum(lengths, 1e-9).astype(np.float32)[:, None]
        count, width = rows.shape
        columns = np.tile(np.arange(width, dtype=np.int32), count)
        return cls(columns, rows.ravel(), np.arange(count + 1, dtype=np.int64) * width)


def inverse_frequencies(stream: WordStream) -> NDArray[np.float64]:
    """Return ln((1 + n) / (1 + documents with the word)) + 1 per word number, float64 (SIZE,)."""
    found = np.zeros(SIZE)
    _document_counts(stream.words, stream.starts, found)
    return np.asarray(np.log((1.0 + len(stream)) / (1.0 + found)) + 1.0, dtype=np.float64)


@njit(cache=True, nogil=True)
def _document_counts(words, starts, found):  # type: ignore[no-untyped-def]
    last = np.full(len(found), -1, dtype=np.int64)
    for d in range(len(starts) - 1):
        for i in range(starts[d], starts[d + 1]):
            if last[words[i]] != d:
                last[words[i]] = d
                found[words[i]] += 1


@njit(cache=True, nogil=True)
def _features(words, starts, idf, columns, values, firsts):  # type: ignore[no-untyped-def]
    count = 0
    for d in range(len(starts) - 1):
        own = np.sort(words[starts[d] : starts[d + 1]])
        first, i = count, 0
        length = 0.0
        while i < len(own):
            stop = i
            while stop < len(own) and own[stop] == own[i]:
                stop += 1
            value = (1.0 + np.log(stop - i)) * idf[own[i]]
            columns[count], values[count] = own[i], value
            length += value * value
            count += 1
            i = stop
        for k in range(first, count):
            values[k] /= np.sqrt(length)
        firsts[d + 1] = count
    return count

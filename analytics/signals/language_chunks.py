"""Languages of many texts at once: what fastText finds for each, bit for bit, from a table of their words.

fastText averages the vectors of a text's words and of the words' character n-grams, then walks down a tree of labels.
Which vectors a word has depends on the word alone and is found out once. The sums are made per text in the order of its
words, in 32 bits, and the walk leaves out the branches that the library (0.9.2) leaves out. So labels and probabilities
are the library's to the last bit, as long as it was built without fused multiplication and addition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.signals.language_file import LABEL, LanguageModel
from tamis.analytics.text.chunk_table import MOST, ChunkTable, Cuts, each_block

_BASIS, _PRIME, _SIGN = np.uint32(2166136261), np.uint32(16777619), np.uint32(0xFFFFFF00)
_SPREAD, _HALF = np.uint32(0x9E3779B1), np.uint32(15)
_LABEL = np.frombuffer(LABEL, dtype=np.uint8)
_OPEN, _CLOSE = np.uint8(60), np.uint8(62)
_NEVER = 1 << 40
"""More than any number of a word in the vocabulary."""


class LanguageReader:
    """A model and the words that it has read.

    Args:
        model: whose labels are found.
        cuts: where texts are cut into words.
        most: number of words after which they are forgotten.
    """

    def __init__(self, model: LanguageModel, cuts: Cuts, *, most: int = MOST) -> None:
        self._model = model
        self._table = ChunkTable(cuts, most=most)
        self._kept = KeptBuckets.of(model)
        self._lock = Lock()
        self._forget()

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the labels."""
        return self._model.labels

    def _forget(self) -> None:
        """Forget all words but those of the model, whose numbers are the rows of their vectors."""
        words = self._model.words
        self._table.clear()
        self._table.add(np.frombuffer(b"".join(words), dtype=np.uint8), np.cumsum([0, *map(len, words)]))
        self._rows = VectorRows(self._model, self._kept)

    def predict(
        self, data: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64], *, threads: int = 1
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the likeliest label of each text, int32 (n,), and its probability, float32 (n,).

        Args:
            data: uint8, UTF-8 bytes.
            begins: int64 (n,), where each text begins.
            ends: int64 (n,), where each text ends.
            threads: blocks of texts that are done at once; changes no bit.
        """
        labels, chances = np.empty(len(begins), dtype=np.int32), np.empty(len(begins), dtype=np.float32)
        with self._lock:
            if self._table.is_full:
                self._forget()
            found = self._table.read(data, begins, ends, threads=threads)
            starts = self._table.starts[len(self._rows) :]
            self._rows.add(self._table.bytes, starts[:-1], starts[1:], first=len(self._rows))
            rows, long = self._rows, VectorRows(self._model, self._kept)
            long.add(data, found.long[:, 0], found.long[:, 1], first=_NEVER)
            held = rows.firsts, rows.rows, long.firsts, long.rows, self._model.vectors

        def find(first: int, end: int) -> None:
            means = _means(found.numbers, found.firsts[first : end + 1], *held)
            _walk(means, self._model.nodes, self._model.children, labels[first:end], chances[first:end])

        each_block(find, ends - begins, threads)
        return labels, chances


class VectorRows:
    """Which rows of a model's vectors each of some words has.

    Attributes:
        firsts: int64, where the rows of each word begin in ``rows``, and room for more words.
        rows: int32, the rows of all words, and room for more.
    """

    def __init__(self, model: LanguageModel, kept: KeptBuckets) -> None:
        self._model, self._kept = model, kept
        self._words = 0
        self.firsts, self.rows = np.zeros(64, dtype=np.int64), np.empty(1 << 10, dtype=np.int32)

    def __len__(self) -> int:
        return self._words

    def add(self, data: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64], *, first: int) -> None:
        """Add words.

        Args:
            data: uint8, UTF-8 bytes.
            begins: int64 (n,), where each word begins.
            ends: int64 (n,), where each word ends.
            first: number of the first; a number below the size of the vocabulary is that word of it.
        """
        model, words = self._model, self._words + len(begins)
        least, most = model.lengths
        rows = int(self.firsts[self._words]) + len(begins) + (most - least + 1) * int((ends - begins + 2).sum())
        self.firsts, self.rows = _with_room(self.firsts, words + 1), _with_room(self.rows, rows)
        vocabulary = len(model.words)
        _find_rows(
            *(data, begins, ends, first, vocabulary, self._kept.bits, self._kept.rows, model.buckets, least, most),
            *(self.firsts[self._words :], self.rows),
        )
        self._words = words


Number = TypeVar("Number", bound=np.generic)


def _with_room(values: NDArray[Number], size: int) -> NDArray[Number]:
    """Return an array of at least ``size`` numbers that begins with the given ones."""
    if size <= len(values):
        return values
    longer = np.empty(max(size, 2 * len(values)), dtype=values.dtype)
    longer[: len(values)] = values
    return longer


@dataclass(frozen=True, eq=False)
class KeptBuckets:
    """The n-gram buckets of a model that have a vector.

    Attributes:
        bits: uint64, a bit for each bucket: most are not kept, and this small table says so.
        rows: int32 (slots, 2), bucket + 1 and row of ``vectors``, linear probing.
    """

    bits: NDArray[np.uint64]
    rows: NDArray[np.int32]

    @classmethod
    def of(cls, model: LanguageModel) -> KeptBuckets:
        """Make the tables of a model."""
        bits = np.zeros(model.buckets // 64 + 1, dtype=np.uint64)
        rows = np.zeros((1 << (4 * len(model.kept)).bit_length() - 1, 2), dtype=np.int32)
        _fill(model.kept, bits, rows)
        return cls(bits, rows)


@njit(cache=True, nogil=True)
def _bucket_slot(bucket, rows):  # type: ignore[no-untyped-def]
    """Return the slot that holds a bucket, or the free one where it belongs."""
    mask = np.uint32(len(rows) - 1)
    slot = np.uint32(np.uint32(bucket) * _SPREAD) >> _HALF & mask
    while rows[slot, 0] != 0 and rows[slot, 0] != bucket + 1:
        slot = np.uint32(slot + np.uint32(1)) & mask
    return slot


@njit(cache=True, nogil=True)
def _fill(kept, bits, rows):  # type: ignore[no-untyped-def]
    for k in range(len(kept)):
        bucket = kept[k, 0]
        bits[bucket >> 6] |= np.uint64(1) << np.uint64(bucket & 63)
        slot = _bucket_slot(bucket, rows)
        rows[slot, 0], rows[slot, 1] = bucket + 1, kept[k, 1]


@njit(cache=True, nogil=True)
def _find_rows(data, begins, ends, first, vocabulary, bits, kept, buckets, least, most, firsts, rows):  # type: ignore[no-untyped-def]
    """Write the rows of words: that of a word of the vocabulary, then those of its n-grams with ``<`` and ``>``."""
    at = firsts[0]
    for k in range(len(begins)):
        begin, size = begins[k], ends[k] - begins[k]
        known = first + k < vocabulary
        if known:
            rows[at] = first + k
            at += 1
        silent = first + k == 0  # the end of a text
        if not known and size >= len(_LABEL):
            silent = True
            for i in range(len(_LABEL)):
                silent = silent and data[begin + i] == _LABEL[i]
        if not silent:
            at = _find_grams(data, begin, size, bits, kept, buckets, least, most, rows, at)
        firsts[k + 1] = at


@njit(cache=True, nogil=True)
def _find_grams(data, begin, size, bits, kept, buckets, least, most, rows, at):  # type: ignore[no-untyped-def]
    for i in range(-1, size + 1):
        if 0 <= i < size and (data[begin + i] & 0xC0) == 0x80:
            continue
        value, j, length = _BASIS, i, 0
        while j <= size and length < most:
            length += 1
            while True:
                byte = _OPEN if j < 0 else (_CLOSE if j == size else data[begin + j])
                # The library widens a byte with its sign.
                wide = np.uint32(byte) | _SIGN if byte >= 0x80 else np.uint32(byte)
                value = np.uint32((value ^ wide) * _PRIME)
                j += 1
                if j >= size or (data[begin + j] & 0xC0) != 0x80:
                    break
            if length >= least and not (length == 1 and (i < 0 or j > size)):
                bucket = np.int32(value % np.uint32(buckets))
                if (bits[bucket >> 6] >> np.uint64(bucket & 63)) & np.uint64(1):
                    rows[at] = kept[_bucket_slot(bucket, kept), 1]
                    at += 1
    return at


@njit(cache=True, nogil=True)
def _means(numbers, texts, firsts, rows, long_firsts, long_rows, vectors):  # type: ignore[no-untyped-def]
    """Return the mean vector of each text, float32 (n, d): its words up to the first end of text, then that."""
    width = vectors.shape[1]
    out = np.zeros((len(texts) - 1, width), dtype=np.float32)
    for d in range(len(texts) - 1):
        total, mean = 1, out[d]
        for c in range(texts[d], texts[d + 1]):
            number = numbers[c]
            if number == 0:
                break
            if number > 0:
                held, begin, end = rows, firsts[number], firsts[number + 1]
            else:
                held, begin, end = long_rows, long_firsts[-1 - number], long_firsts[-number]
            for k in range(begin, end):
                vector = vectors[held[k]]
                for j in range(width):
                    mean[j] += vector[j]
            total += end - begin
        scale = np.float32(1.0 / total)
        for j in range(width):
            mean[j] = (mean[j] + vectors[0, j]) * scale
    return out


@njit(cache=True, nogil=True)
def _smoothed_log(value):  # type: ignore[no-untyped-def]
    return np.float32(math.log(np.float64(value) + 1e-5))


@njit(cache=True, nogil=True)
def _walk(means, nodes, children, labels, chances):  # type: ignore[no-untyped-def]
    """Write the likeliest label of each mean and its probability: depth first, left first, the last of equal ones."""
    count = len(children) + 1
    stack, scores = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.float32)
    least = _smoothed_log(np.float32(0.0))
    for d in range(len(means)):
        best, label, waiting = np.float32(-np.inf), -1, 1
        stack[0], scores[0] = 2 * count - 2, np.float32(0.0)
        while waiting:
            waiting -= 1
            node, score = stack[waiting], scores[waiting]
            if score < least or score < best:
                continue
            if node < count:
                best, label = score, node
                continue
            product = np.float32(0.0)
            for j in range(means.shape[1]):
                product += nodes[node - count, j] * means[d, j]
            right = np.float32(1.0 / np.float64(np.float32(1.0) + math.exp(-product)))
            stack[waiting], scores[waiting] = children[node - count, 1], score + _smoothed_log(right)
            stack[waiting + 1] = children[node - count, 0]
            scores[waiting + 1] = score + _smoothed_log(np.float32(1.0 - np.float64(right)))
            waiting += 2
        labels[d], chances[d] = label, math.exp(best)

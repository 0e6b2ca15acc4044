"""A word-trigram language model with Witten-Bell smoothing: small, exact, and fast enough to train dozens of models.

Probability of a word after two others, interpolated with the shorter contexts (Witten and Bell 1991, "The
zero-frequency problem"; Chen and Goodman 1998, section 2.6):

    P(w | u v) = (c(u v w) + T(u v) P(w | v)) / (c(u v) + T(u v))

where c counts occurrences and T distinct continuations; below the single word lies the uniform distribution over the
vocabulary. The end of a text is scored too. Bits are per byte of UTF-8 text; the cost to spell a word outside the
vocabulary is left out, since it is the same for every model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.word_stream import END, SIZE, WordStream

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_ONE, _16, _32, _64 = np.uint64(1), np.uint64(16), np.uint64(32), np.uint64(64)
_START = 10  # tables begin with 2**10 places


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A trained model, as plain arrays.

    Attributes:
        unigrams: int64 (SIZE, 3), per word: occurrences, occurrences as a context, distinct words after it.
        bigram_keys: uint64 (b,), 0 = free place, else the two words in one number plus 1.
        bigram_counts: int32 (b, 3), occurrences, occurrences as a context, distinct words after it.
        trigram_keys, trigram_counts: uint64 (t,) and int32 (t,), the same for three words, occurrences only.
        bytes: UTF-8 bytes of the training texts, copies counted.
    """

    unigrams: NDArray[np.int64]
    bigram_keys: NDArray[np.uint64]
    bigram_counts: NDArray[np.int32]
    trigram_keys: NDArray[np.uint64]
    trigram_counts: NDArray[np.int32]
    bytes: int

    @classmethod
    def train(cls, stream: WordStream, copies: NDArray[np.int32] | None = None) -> NgramModel:
        """Count the words of documents.

        Args:
            stream: the documents.
            copies: int32 (n,), weight of each document, 1 by default; 0 leaves a document out.
        """
        times = np.ones(len(stream), dtype=np.int32) if copies is None else copies.astype(np.int32)
        unigrams = np.zeros((SIZE, 3), dtype=np.int64)
        two, pairs, three, triples = _train(stream.words, stream.starts, times, unigrams)
        return cls(unigrams, two, pairs, three, triples, int(stream.bytes @ times.astype(np.int64)))

    def bits(self, stream: WordStream) -> NDArray[np.float64]:
        """Return the cost of each document under the model in bits, float64 (n,)."""
        found = np.empty(len(stream), dtype=np.float64)
        total = float(self.unigrams[:, 0].sum())
        types = float(np.count_nonzero(self.unigrams[:, 0]))
        _bits(stream.words, stream.starts, self._arrays, total, types, found)
        return found

    @property
    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return (self.unigrams, self.bigram_keys, self.bigram_counts, self.trigram_keys, self.trigram_counts)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the model as named arrays without free slots, for ``from_arrays``."""
        two, three = np.flatnonzero(self.bigram_keys), np.flatnonzero(self.trigram_keys)
        return {
            "unigrams": self.unigrams,
            "bigram_keys": self.bigram_keys[two],
            "bigram_counts": self.bigram_counts[two],
            "trigram_keys": self.trigram_keys[three],
            "trigram_counts": self.trigram_counts[three],
            "bytes": np.array([self.bytes], dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> NgramModel:
        """Restore the model from the arrays of ``arrays``."""
        two, counts = _placed(arrays["bigram_keys"], arrays["bigram_counts"])
        three, times = _placed(arrays["trigram_keys"], arrays["trigram_counts"][:, None])
        return cls(arrays["unigrams"], two, counts, three, times[:, 0].copy(), bytes=int(arrays["bytes"][0]))


def bits_per_byte(bits: NDArray[np.float64], stream: WordStream) -> float:
    """Return the bits per byte of documents together; 0 for no text."""
    return float(bits.sum()) / max(int(stream.bytes.sum()), 1)


def learning_curve(
    stream: WordStream, held_out: WordStream, sizes: tuple[int, ...] = (15, 30, 60, 120, 240)
) -> NDArray[np.float64]:
    """Return the bits per byte of held-out documents after training on the first 15, 30, ... documents.

    Args:
        stream: the training documents in the order in which they are added.
        held_out: documents that are not among them.
        sizes: number of training documents of each point.

    Returns:
        float64 (len(sizes),), NaN if there are fewer documents than a point needs.
    """
    points = np.full(len(sizes), np.nan)
    for place, size in enumerate(sizes):
        if size <= len(stream) and held_out.bytes.sum() > 0:
            model = NgramModel.train(stream.take(np.arange(size)))
            points[place] = bits_per_byte(model.bits(held_out), held_out)
    return points


def last_gain(curve: NDArray[np.float64]) -> float:
    """Return the gain of the last doubling of a learning curve in bits per byte; NaN without two points."""
    known = curve[~np.isnan(curve)]
    return float(known[-2] - known[-1]) if len(known) > 1 else float("nan")


def _placed(keys: NDArray[np.uint64], counts: NDArray[np.int32]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Return a table that holds the given entries."""
    size = 1 << max(_START, int(np.ceil(np.log2(max(len(keys), 1) / 0.7))))
    table, values = np.zeros(size, dtype=np.uint64), np.zeros((size, counts.shape[1]), dtype=np.int32)
    _place(keys, np.ascontiguousarray(counts), table, values)
    return table, values


@njit(cache=True, nogil=True, inline="always")
def _find(key, keys):  # type: ignore[no-untyped-def]
    """Return the slot of a key, or the free slot where it belongs.

    Not ``hash_table.find``: ``arrays`` gives the entries by slot, and stored models keep their bytes.
    """
    last = np.uint64(len(keys) - 1)
    mixed = key * _FACTOR
    slot = (mixed ^ (mixed >> _32)) & last
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + _ONE) & last
    return np.int64(slot)


@njit(cache=True, nogil=True)
def _place(keys, counts, table, values):  # type: ignore[no-untyped-def]
    for k in range(len(keys)):
        if keys[k] != 0:
            slot = _find(keys[k], table)
            table[slot] = keys[k]
            values[slot] = counts[k]


@njit(cache=True, nogil=True)
def _doubled(keys, counts):  # type: ignore[no-untyped-def]
    table = np.zeros(2 * len(keys), dtype=np.uint64)
    values = np.zeros((2 * len(keys), counts.shape[1]), dtype=np.int32)
    _place(keys, counts, table, values)
    return table, values


@njit(cache=True, nogil=True)
def _train(words, starts, copies, unigrams):  # type: ignore[no-untyped-def]
    two, two_counts = np.zeros(1 << _START, dtype=np.uint64), np.zeros((1 << _START, 3), dtype=np.int32)
    three, three_counts = np.zeros(1 << _START, dtype=np.uint64), np.zeros((1 << _START, 1), dtype=np.int32)
    two_used, three_used = 0, 0
    for d in range(len(starts) - 1):
        times = copies[d]
        if times == 0:
            continue
        u, v = np.uint64(END), np.uint64(END)
        for i in range(starts[d], starts[d + 1] + 1):
            w = np.uint64(words[i]) if i < starts[d + 1] else np.uint64(END)
            if 10 * (two_used + 2) > 7 * len(two):
                two, two_counts = _doubled(two, two_counts)
            if 10 * (three_used + 1) > 7 * len(three):
                three, three_counts = _doubled(three, three_counts)
            key = ((u << _16) | v) + _ONE
            context = _find(key, two)
            if two[context] == 0:
                two[context] = key
                two_used += 1
            long = ((u << _32) | (v << _16) | w) + _ONE
            slot = _find(long, three)
            if three[slot] == 0:
                three[slot] = long
                three_used += 1
                two_counts[context, 2] += 1
            three_counts[slot, 0] += times
            two_counts[context, 1] += times
            key = ((v << _16) | w) + _ONE
            event = _find(key, two)
            if two[event] == 0:
                two[event] = key
                two_used += 1
            if two_counts[event, 0] == 0:
                unigrams[v, 2] += 1
            two_counts[event, 0] += times
            unigrams[v, 1] += times
            unigrams[w, 0] += times
            u, v = v, w
    return two, two_counts, three, three_counts[:, 0].copy()


@njit(cache=True, nogil=True)
def _bits(words, starts, model, total, types, found):  # type: ignore[no-untyped-def]
    unigrams, two, two_counts, three, three_counts = model
    for d in range(len(starts) - 1):
        u, v = np.uint64(END), np.uint64(END)
        bits = 0.0
        for i in range(starts[d], starts[d + 1] + 1):
            w = np.uint64(words[i]) if i < starts[d + 1] else np.uint64(END)
            p = 1.0 / SIZE
            if total > 0:
                p = (unigrams[w, 0] + types * p) / (total + types)
            if unigrams[v, 1] > 0:
                key = ((v << _16) | w) + _ONE
                slot = _find(key, two)
                count = two_counts[slot, 0] if two[slot] == key else 0
                p = (count + unigrams[v, 2] * p) / (unigrams[v, 1] + unigrams[v, 2])
                key = ((u << _16) | v) + _ONE
                slot = _find(key, two)
                if two[slot] == key and two_counts[slot, 1] > 0:
                    long = ((u << _32) | (v << _16) | w) + _ONE
                    place = _find(long, three)
                    count = three_counts[place] if three[place] == long else 0
                    p = (count + two_counts[slot, 2] * p) / (two_counts[slot, 1] + two_counts[slot, 2])
            bits -= np.log2(p)
            u, v = v, w
        found[d] = bits

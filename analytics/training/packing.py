"""Packing: pieces of documents put into sequences of limited length, every token exactly once.

A document longer than a sequence is cut: after the last paragraph that ends in the second half of what fits, else after
the last sentence there, else between the last two tokens that may be parted. Tokens that may not be parted and are more
than fit are lost, and counted.

Documents are packed in windows of the stream, so the order of training holds from window to window, and memory and time
do not grow with the stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

Method = Literal["best fit", "in order", "concatenate", "bucketed"]

NEVER, TOKEN, SENTENCE, PARAGRAPH = range(4)
"""How well a text may be cut before a token: not at all, between two tokens, after a sentence, after a paragraph."""

_ONE = np.uint64(1)


@dataclass(frozen=True, eq=False)
class Window:
    """Some consecutive documents of a stream.

    Attributes:
        lengths: int64 (m,), tokens of each.
        levels: uint8, how well each document may be cut before each of its tokens (``NEVER`` to ``PARAGRAPH``), for
            those documents where ``starts`` is not negative.
        starts: int64 (m,), where the levels of each document begin; -1 where they are not needed or all ``TOKEN``.
    """

    lengths: NDArray[np.int64]
    levels: NDArray[np.uint8]
    starts: NDArray[np.int64]

    @classmethod
    def plain(cls, lengths: NDArray[np.int64]) -> Window:
        """Return documents that may be cut between any two tokens."""
        return cls(lengths, np.zeros(0, dtype=np.uint8), np.full(len(lengths), -1, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Packing:
    """Pieces of the documents of a stream, by sequence, then by place in the sequence.

    Attributes:
        sequence: int64 (p,), ascending from 0.
        item: int64 (p,), place of the document in the stream.
        first: int64 (p,), its first token in the piece.
        last: int64 (p,), the token after its last one in the piece.
        length: most tokens of a sequence.
        room: int64 (sequences,), tokens of each sequence with its padding.
        tokens: of all documents.
        cut: documents that are cut.
        lost: tokens that are in no sequence.
    """

    sequence: NDArray[np.int64]
    item: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    length: int
    room: NDArray[np.int64]
    tokens: int
    cut: int
    lost: int

    @property
    def sequences(self) -> int:
        """Return the number of sequences."""
        return len(self.room)

    @property
    def used(self) -> NDArray[np.int64]:
        """Return the tokens of each sequence without padding, int64 (sequences,)."""
        sizes = (self.last - self.first).astype(np.float64)
        return np.bincount(self.sequence, weights=sizes, minlength=self.sequences).astype(np.int64)

    @property
    def padding(self) -> float:
        """Return the share of all places of the sequences that hold no token, in [0, 1]."""
        places = int(self.room.sum())
        return 1 - (self.tokens - self.lost) / places if places else 0.0

    def starts(self) -> NDArray[np.int64]:
        """Return the first piece of each sequence, int64 (sequences + 1,)."""
        return np.searchsorted(self.sequence, np.arange(self.sequences + 1))


def pack(
    windows: Iterator[Window] | Sequence[Window], *, length: int, method: Method, level: int = PARAGRAPH
) -> Packing:
    """Return the packing of a stream.

    Args:
        windows: the documents of the stream, in order.
        length: most tokens of a sequence.
        method: ``best fit`` puts the longest pieces first, each into the fullest sequence of its window with room for
            it (Ding et al. 2024, arXiv 2404.10830); ``in order`` opens a new sequence when a piece does not fit;
            ``concatenate`` cuts at every ``length`` tokens; ``bucketed`` puts one piece into each sequence, those of
            like length (up to the same power of two) together, and pads to the end of the bucket.
        level: the best place to cut at that is looked for: ``PARAGRAPH``, ``SENTENCE`` or ``TOKEN``.
    """
    parts: list[tuple[NDArray[np.int64], ...]] = []
    tokens = lost = cut = items = sequences = fill = 0
    for window in windows:
        placed = _place(window, length, method, level, fill)
        # The first sequence of a window is the one that the window before left open, if it did.
        first = sequences - (1 if fill else 0)
        order = np.argsort(placed.where, kind="stable")
        columns = (placed.where + first, placed.item + items, placed.first, placed.last)
        parts.append(tuple(column[order] for column in columns))
        sequences, fill = max(sequences, first + int(placed.where.max(initial=-1)) + 1), placed.fill
        cut += int(np.count_nonzero(np.bincount(placed.item, minlength=1) > 1))
        tokens, lost = tokens + int(window.lengths.sum()), lost + placed.lost
        items += len(window.lengths)
    parts = parts or [tuple(np.zeros(0, dtype=np.int64) for _ in range(4))]
    sequence, item, begin, end = (np.concatenate(part) for part in zip(*parts, strict=True))
    room = np.full(sequences, length, dtype=np.int64)
    if method == "bucketed":
        room = _buckets(end - begin, length)
    return Packing(sequence, item, begin, end, length, room, tokens, cut, lost)


@dataclass(frozen=True, eq=False)
class _Placed:
    """The pieces of a window, in order of the stream, the sequence of each, and what is left open."""

    item: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    where: NDArray[np.int64]
    lost: int
    fill: int = 0


def _place(window: Window, length: int, method: Method, level: int, fill: int) -> _Placed:
    held = window.lengths, window.levels, window.starts, length
    if method == "concatenate":
        item, first, last, where, lost, fill = _concatenate(*held, fill)
        return _Placed(item, first, last, where, int(lost), int(fill))
    item, first, last, lost = _cut(*held, level)
    sizes = last - first
    if method == "in order":
        where, fill = _next_fit(sizes, length, fill)
        return _Placed(item, first, last, where, int(lost), int(fill))
    if method == "bucketed":
        where = np.empty(len(sizes), dtype=np.int64)
        where[np.argsort(-_buckets(sizes, length), kind="stable")] = np.arange(len(sizes))
        return _Placed(item, first, last, where, int(lost))
    return _Placed(item, first, last, _best_fit(sizes, length), int(lost))


def _buckets(sizes: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Return the smallest power of two that holds each size, at most the length, int64 (p,)."""
    powers = np.int64(1) << np.arange(max(length - 1, 1).bit_length() + 1)
    return np.minimum(powers[np.searchsorted(powers, sizes)], length)


@njit(cache=True, nogil=True)
def _next_cut(levels, start, n, begin, length, level):  # type: ignore[no-untyped-def]
    """Return the end of the piece that begins at a token, and where the next one begins; both are the same unless
    tokens that may not be parted are lost."""
    if n - begin <= length:
        return n, n
    high = begin + length
    if start < 0:
        return high, high
    for wanted in range(level, TOKEN, -1):
        for place in range(high, begin + length // 2, -1):
            if levels[start + place] >= wanted:
                return place, place
    for place in range(high, begin, -1):
        if levels[start + place] >= TOKEN:
            return place, place
    for place in range(high + 1, n):
        if levels[start + place] >= TOKEN:
            return begin, place
    return begin, n


@njit(cache=True, nogil=True)
def _cut(lengths, levels, starts, length, level):  # type: ignore[no-untyped-def]
    """Return item, first and last token of the pieces of documents, int64 (p,) each, and the number of lost tokens."""
    count = 0
    for k in range(len(lengths)):
        at = 0
        while at < lengths[k]:
            end, after = _next_cut(levels, starts[k], lengths[k], at, length, level)
            count += end > at
            at = after
    item, first, last = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    count, lost = 0, 0
    for k in range(len(lengths)):
        at = 0
        while at < lengths[k]:
            end, after = _next_cut(levels, starts[k], lengths[k], at, length, level)
            if end > at:
                item[count], first[count], last[count] = k, at, end
                count += 1
            lost += after - end
            at = after
    return item, first, last, lost


@njit(cache=True, nogil=True)
def _concatenate(lengths, levels, starts, length, fill):  # type: ignore[no-untyped-def]
    """Return item, first and last token and sequence of all pieces, the number of lost tokens, and the open tokens.

    Sequence 0 is the one that holds ``fill`` tokens already, if there are any.
    """
    room = len(lengths) + 2 * (lengths.sum() // length + 1)
    out = np.empty((4, room), dtype=np.int64)
    count, lost, sequence = 0, 0, 0 if fill else -1
    for k in range(len(lengths)):
        at, n, start = 0, lengths[k], starts[k]
        while at < n:
            if fill == 0 or fill == length:
                sequence, fill = sequence + 1, 0
            end = min(n, at + length - fill)
            if start >= 0 and end < n:
                while end > at and levels[start + end] == NEVER:
                    end -= 1
            if end == at and fill:
                # Nothing of it fits: the sequence ends here.
                fill = length
                continue
            if end == at:
                end, after = _next_cut(levels, start, n, at, length, TOKEN)
                lost, at, sequence = lost + after - at, after, sequence - 1
                continue
            if count == out.shape[1]:
                wider = np.empty((4, 2 * count), dtype=np.int64)
                wider[:, :count] = out
                out = wider
            out[0, count], out[1, count], out[2, count], out[3, count] = k, at, end, sequence
            count, fill, at = count + 1, fill + end - at, end
    return out[0, :count].copy(), out[1, :count].copy(), out[2, :count].copy(), out[3, :count].copy(), lost, fill


@njit(cache=True, nogil=True)
def _next_fit(sizes, length, fill):  # type: ignore[no-untyped-def]
    """Return the sequence of each piece, int64 (p,), and the open tokens; 0 is the open sequence, if there is one."""
    where = np.empty(len(sizes), dtype=np.int64)
    sequence = 0 if fill else -1
    for k in range(len(sizes)):
        if fill == 0 or fill + sizes[k] > length:
            sequence, fill = sequence + 1, 0
        where[k] = sequence
        fill += sizes[k]
    return where, fill


@njit(cache=True, nogil=True)
def _best_fit(sizes, length):  # type: ignore[no-untyped-def]
    """Return the sequence of each piece by best-fit decreasing, int64 (p,).

    Sequences with the same room left are a stack; a set of bits says which rooms there are, and a second one which of
    its words are not empty. Sequences are numbered by their longest piece, in the order of the stream.
    """
    n = len(sizes)
    order = _longest_first(sizes, length)
    stack, below = np.full(length + 1, -1, dtype=np.int64), np.empty(n, dtype=np.int64)
    bits = np.zeros((length >> 6) + 1, dtype=np.uint64)
    words = np.zeros((len(bits) >> 6) + 1, dtype=np.uint64)
    where, opened, count = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64), 0
    for k in order:
        room = _least(bits, words, sizes[k])
        if room < 0:
            room, chosen = length, count
            opened[count] = k
            count += 1
        else:
            chosen = stack[room]
            stack[room] = below[chosen]
            if stack[room] < 0:
                bits[room >> 6] &= ~(_ONE << np.uint64(room & 63))
                if bits[room >> 6] == 0:
                    words[room >> 12] &= ~(_ONE << np.uint64((room >> 6) & 63))
        where[k] = chosen
        room -= sizes[k]
        if room:
            below[chosen] = stack[room]
            stack[room] = chosen
            bits[room >> 6] |= _ONE << np.uint64(room & 63)
            words[room >> 12] |= _ONE << np.uint64((room >> 6) & 63)
    number = np.empty(n, dtype=np.int64)
    number[np.argsort(opened[:count])] = np.arange(count)
    for k in range(n):
        where[k] = number[where[k]]
    return where


@njit(cache=True, nogil=True)
def _longest_first(sizes, length):  # type: ignore[no-untyped-def]
    """Return the pieces by falling size, those of one size in order, int64 (p,): a counting sort."""
    starts = np.zeros(length + 2, dtype=np.int64)
    for size in sizes:
        starts[length - size + 1] += 1
    for k in range(1, len(starts)):
        starts[k] += starts[k - 1]
    out = np.empty(len(sizes), dtype=np.int64)
    for k in range(len(sizes)):
        slot = length - sizes[k]
        out[starts[slot]] = k
        starts[slot] += 1
    return out


@njit(cache=True, nogil=True)
def _least(bits, words, size):  # type: ignore[no-untyped-def]
    """Return the smallest number in a set that is at least ``size``, -1 if there is none."""
    word = size >> 6
    found = bits[word] >> np.uint64(size & 63)
    if found:
        return size + _low_bit(found)
    word += 1
    if word >= len(bits):
        return -1
    upper = word >> 6
    left = words[upper] >> np.uint64(word & 63)
    if left:
        word += _low_bit(left)
        return (word << 6) + _low_bit(bits[word])
    for more in range(upper + 1, len(words)):
        if words[more]:
            word = (more << 6) + _low_bit(words[more])
            return (word << 6) + _low_bit(bits[word])
    return -1


@njit(cache=True, nogil=True)
def _low_bit(word):  # type: ignore[no-untyped-def]
    """Return the place of the lowest bit of a word that is not 0."""
    place = 0
    for width in (32, 16, 8, 4, 2, 1):
        if word & ((_ONE << np.uint64(width)) - _ONE) == 0:
            word >>= np.uint64(width)
            place += width
    return place

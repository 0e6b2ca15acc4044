"""Chunks: the pieces that many texts share, numbered once, so that what depends on a piece alone is found out once.

A text is cut where the kinds of two neighbouring characters say so, for example at white space. One pass over the UTF-8
bytes of a batch gives every text as a row of chunk numbers; equal chunks have one number as long as the table holds
them. Chunks are compared byte by byte, so the numbers are exact. Numbers depend on the order of the texts: what is kept
must depend on the chunks only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.hash_table import first_slot
from tamis.analytics.text.normal_form import decode_point

T = TypeVar("T")

GAP = 0
"""The kind of characters that belong to no chunk; they end the chunk before them."""
KINDS = 8
LONGEST = 96
"""Bytes of the longest chunk that the table keeps; longer ones are rarely equal."""
MOST = 1 << 20
"""Chunks that a table holds before it starts anew: about 70 MB."""

_SMALL, _LARGE = 1 << 17, 1 << 20
"""Bytes of a block of texts."""
_AT_ONCE = 256
_PRIME, _SEED = np.uint64(0x100000001B3), np.uint64(0xCBF29CE484222325)
_EXACT = 8
"""Chunks of fewer bytes are their own keys: a one, then the bytes."""
_ONE, _EIGHT, _LONG = np.uint64(1), np.uint64(8), np.uint64(1 << 63)


@dataclass(frozen=True, eq=False)
class Cuts:
    """Where texts are cut.

    Attributes:
        kinds: uint8 (0x110000,), the kind of each code point, below ``KINDS``; those of ``GAP`` are left out.
        between: bool (KINDS, KINDS), whether a chunk ends between a character of one kind and the next of another.
    """

    kinds: NDArray[np.uint8]
    between: NDArray[np.bool_]

    @classmethod
    def of(cls, kinds: NDArray[np.uint8], pairs: Sequence[tuple[int, int]] = ()) -> Cuts:
        """Return cuts at ``GAP`` and between the pairs of kinds."""
        between = np.zeros((KINDS, KINDS), dtype=np.bool_)
        between[:, GAP] = between[GAP] = True
        for pair in pairs:
            between[pair] = True
        return cls(kinds, between)


@dataclass(frozen=True)
class Chunked:
    """Texts as rows of chunks.

    Attributes:
        numbers: int32 (c,), number of each chunk; -1 - k is the k-th of the long ones.
        firsts: int64 (n + 1,), where the chunks of each text begin in ``numbers``.
        long: int64 (k, 2), begin and end in the data of the chunks that are too long to keep, each occurrence.
    """

    numbers: NDArray[np.int32]
    firsts: NDArray[np.int64]
    long: NDArray[np.int64]


class ChunkTable:
    """The distinct chunks of the texts read so far.

    Args:
        cuts: where texts are cut.
        most: number of chunks after which ``is_full`` asks to start anew.
    """

    def __init__(self, cuts: Cuts, *, most: int = MOST) -> None:
        self.cuts = cuts
        self._most = most
        self.clear()

    def clear(self) -> None:
        """Forget all chunks."""
        self._keys, self._numbers = np.zeros(1 << 12, dtype=np.uint64), np.zeros(1 << 12, dtype=np.int32)
        self._starts, self._bytes = np.zeros(1 << 11, dtype=np.int64), np.empty(1 << 14, dtype=np.uint8)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        """Return whether the table holds as many chunks as it may."""
        return self._count >= self._most

    @property
    def starts(self) -> NDArray[np.int64]:
        """Return where each chunk begins in ``bytes``, int64 (len + 1,)."""
        return self._starts[: self._count + 1]

    @property
    def bytes(self) -> NDArray[np.uint8]:
        """Return the UTF-8 bytes of all chunks, uint8."""
        return self._bytes[: self._starts[self._count]]

    def texts(self, first: int = 0) -> pa.Array:
        """Return the chunks from number ``first`` on, large_string."""
        offsets = pa.py_buffer(self.starts[first:].tobytes())
        return pa.LargeStringArray.from_buffers(self._count - first, offsets, pa.py_buffer(self.bytes))

    def add(self, data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        """Number chunks that are given one by one, int64 (k + 1,) offsets into ``data``; those known keep theirs."""
        spans = np.stack([offsets[:-1], offsets[1:]], axis=1)
        self._insert(data, np.arange(len(spans)), spans, np.empty(len(spans), dtype=np.int32), 0)

    def _insert(
        self,
        data: NDArray[np.uint8],
        places: NDArray[np.int64],
        spans: NDArray[np.int64],
        numbers: NDArray[np.int32],
        kept: int,
    ) -> NDArray[np.int64]:
        held = self._keys, self._numbers, self._starts, self._bytes, self._count
        *held, long = _insert(data, places, spans, numbers, kept, *held)
        self._keys, self._numbers, self._starts, self._bytes, self._count = held
        return long

    def read(
        self, data: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64], *, threads: int = 1
    ) -> Chunked:
        """Cut texts into chunks and number those that are new.

        Args:
            data: uint8, UTF-8 bytes.
            begins: int64 (n,), where each text begins.
            ends: int64 (n,), where each text ends.
            threads: blocks of texts that are read at once.
        """
        held = self.cuts.kinds, self.cuts.between, self._keys, self._numbers, self._starts, self._bytes
        found = each_block(
            lambda first, end: _look_up(data, *held, begins[first:end], ends[first:end]), ends - begins, threads
        )
        long = [np.empty((0, 2), dtype=np.int64)]
        for numbers, _, places, spans in found:
            long.append(self._insert(data, places, spans, numbers, sum(map(len, long))))
        numbers = np.concatenate([np.empty(0, dtype=np.int32), *(one[0] for one in found)])
        sizes = np.concatenate([np.zeros(1, dtype=np.int64), *(one[1] for one in found)])
        return Chunked(numbers, np.cumsum(sizes), np.concatenate(long))


def each_block(do: Callable[[int, int], T], sizes: NDArray[np.int64], threads: int) -> list[T]:
    """Return what a function returns for the first and end of each block of texts, in order, in several threads.

    Args:
        do: releases the interpreter lock.
        sizes: int64 (n,), bytes of each text.
        threads: blocks at once.
    """
    blocks = _blocks(sizes, threads)
    if threads == 1 or len(blocks) < 2:
        return [do(*block) for block in blocks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda block: do(*block), blocks))


def _blocks(sizes: NDArray[np.int64], threads: int) -> list[tuple[int, int]]:
    """Return (first, end) of runs of texts of about equal size: as many as threads, or more if they are large."""
    if not len(sizes):
        return []
    total = np.cumsum(sizes)
    size = min(_LARGE, max(_SMALL, int(total[-1]) // threads + 1))
    edges = np.searchsorted(total, np.arange(size, int(total[-1]), size)) + 1
    borders = np.unique(np.concatenate([[0], edges, [len(sizes)]])).tolist()
    return list(pairwise(borders))


@njit(cache=True, nogil=True)
def _slot(data, begin, end, key, keys, numbers, starts, held):  # type: ignore[no-untyped-def]
    """Return the slot that holds the chunk, or the free slot where it belongs, number 0."""
    mask = len(keys) - 1
    slot = first_slot(key, mask)
    while numbers[slot] != 0:
        if keys[slot] == key and (end - begin < _EXACT or _is_same(data, begin, end, numbers[slot], starts, held)):
            return slot
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def _is_same(data, begin, end, number, starts, held):  # type: ignore[no-untyped-def]
    at = starts[number - 1]
    if starts[number] - at != end - begin:
        return False
    k = 0
    while k < end - begin and held[at + k] == data[begin + k]:
        k += 1
    return k == end - begin


@njit(cache=True, nogil=True)
def _key(size, short, mixed):  # type: ignore[no-untyped-def]
    """Return the key of a chunk: its bytes if they fit, else a hash that no short chunk has."""
    return short if size < _EXACT else mixed | _LONG


@njit(cache=True, nogil=True)
def _longer(values, size):  # type: ignore[no-untyped-def]
    """Return an array of at least ``size`` rows that begins with the given ones."""
    out = np.empty((max(size, 2 * len(values)), *values.shape[1:]), dtype=values.dtype)
    out[: len(values)] = values
    return out


@njit(cache=True, nogil=True)
def _look_up(data, kinds, between, keys, numbers, starts, held, begins, ends):  # type: ignore[no-untyped-def]
    """Return the numbers of all chunks (-1 where unknown), chunks per text, places and spans of the unknown ones."""
    room = 0
    for d in range(len(begins)):
        room += ends[d] - begins[d]
    # An array that could grow would cost twice the time of the whole pass.
    found, places, spans = np.empty(room, np.int32), np.empty(room, np.int64), np.empty((room, 2), np.int64)
    sizes = np.empty(len(begins), dtype=np.int64)
    some, some_spans = np.empty(_AT_ONCE, dtype=np.uint64), np.empty((_AT_ONCE, 2), dtype=np.int64)
    count, waiting, unknown = 0, 0, 0
    for d in range(len(begins)):
        i, end, before = begins[d], ends[d], np.uint8(GAP)
        begin, short, mixed, first = i, _ONE, _SEED, count + waiting
        while True:
            kind, width = np.uint8(GAP), 1
            if i < end:
                byte = data[i]
                if byte < 0x80:
                    kind = kinds[byte]
                else:
                    point, width = decode_point(data, i, end)
                    kind = kinds[point]
            if before != GAP and between[before, kind]:
                some[waiting], some_spans[waiting, 0], some_spans[waiting, 1] = _key(i - begin, short, mixed), begin, i
                waiting += 1
                if waiting == _AT_ONCE:
                    unknown = _find(
                        *(data, some, some_spans, waiting, keys, numbers, starts, held),
                        *(found, count, places, spans, unknown),
                    )
                    count, waiting = count + waiting, 0
            if i >= end:
                break
            if before == GAP or between[before, kind]:
                begin, short, mixed = i, _ONE, _SEED
            for k in range(i, i + width):
                value = np.uint64(data[k])
                short, mixed = (short << _EIGHT) | value, (mixed ^ value) * _PRIME
            before = kind
            i += width
        sizes[d] = count + waiting - first
    unknown = _find(data, some, some_spans, waiting, keys, numbers, starts, held, found, count, places, spans, unknown)
    return found[: count + waiting].copy(), sizes, places[:unknown].copy(), spans[:unknown].copy()


@njit(cache=True, nogil=True)
def _find(data, some, some_spans, waiting, keys, numbers, starts, held, found, count, places, spans, unknown):  # type: ignore[no-untyped-def]
    """Write the numbers of some chunks; done for many in a row, so that the processor waits for many slots at once."""
    mask = len(keys) - 1
    for k in range(waiting):
        begin, end, key = some_spans[k, 0], some_spans[k, 1], some[k]
        slot = first_slot(key, mask)
        number = numbers[slot]
        while number != 0 and (
            keys[slot] != key or (end - begin >= _EXACT and not _is_same(data, begin, end, number, starts, held))
        ):
            slot = (slot + 1) & mask
            number = numbers[slot]
        found[count + k] = number - 1
        if number == 0:
            places[unknown], spans[unknown, 0], spans[unknown, 1] = count + k, begin, end
            unknown += 1
    return unknown


@njit(cache=True, nogil=True)
def _rehashed(keys, numbers):  # type: ignore[no-untyped-def]
    """Return a table of twice as many slots."""
    wider, moved = np.zeros(2 * len(keys), dtype=np.uint64), np.zeros(2 * len(keys), dtype=np.int32)
    for slot in range(len(keys)):
        if numbers[slot] != 0:
            place = first_slot(keys[slot], len(wider) - 1)
            while moved[place] != 0:
                place = (place + 1) & (len(wider) - 1)
            wider[place], moved[place] = keys[slot], numbers[slot]
    return wider, moved


@njit(cache=True, nogil=True)
def _insert(data, places, spans, found, kept, keys, numbers, starts, held, count):  # type: ignore[no-untyped-def]
    """Number the unknown chunks and write the numbers to ``found``; return the table and the spans of the long ones."""
    long, many = np.empty((16, 2), dtype=np.int64), 0
    for k in range(len(places)):
        begin, end = spans[k, 0], spans[k, 1]
        if end - begin > LONGEST:
            if many == len(long):
                long = _longer(long, 0)
            long[many, 0], long[many, 1] = begin, end
            many += 1
            found[places[k]] = np.int32(-kept - many)
            continue
        short, mixed = _ONE, _SEED
        for i in range(begin, end):
            byte = np.uint64(data[i])
            short, mixed = (short << _EIGHT) | byte, (mixed ^ byte) * _PRIME
        key = _key(end - begin, short, mixed)
        slot = _slot(data, begin, end, key, keys, numbers, starts, held)
        if numbers[slot] == 0:
            if 2 * count >= len(keys):
                keys, numbers = _rehashed(keys, numbers)
                slot = _slot(data, begin, end, key, keys, numbers, starts, held)
            if count + 2 > len(starts):
                starts = _longer(starts, 0)
            at = starts[count]
            if at + end - begin > len(held):
                held = _longer(held, at + end - begin)
            for i in range(end - begin):
                held[at + i] = data[begin + i]
            keys[slot], numbers[slot] = key, count + 1
            starts[count + 1] = at + end - begin
            count += 1
        found[places[k]] = numbers[slot] - np.int32(1)
    return keys, numbers, starts, held, count, long[:many].copy()

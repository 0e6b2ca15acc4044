"""Pictures that may be near-duplicates: those of which a hash is near to a hash of the other, or of a part of it.

A copy whose edges were cut off has another hash, but one near to that of the same part of the whole. So besides the
whole picture some parts are hashed, from its 32 x 32 means; what is inside plain borders has hashes of its own. Hashes
are near when at most 7 of 64 bits differ. Then one of their four 16-bit words differs in at most one bit; those with
such a word are looked up, so that no near pair is missed and few others are compared.

Source: Norouzi, Punjani and Fleet 2012, Fast search in Hamming space with multi-index hashing.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.signals.image_hashes import CELLS, FINE, hash_means
from tamis.data.progress import NullProgress, Progress, spread

RADIUS = 7
"""Bits in which near hashes differ at most; their 4 words then differ in one bit at most in one of them."""
_WORDS, _BITS = 4, 16
_SLICE = 5
"""Slices of a cell: the borders of all parts lie between slices."""
_ALL = CELLS * _SLICE
PARTS = (
    # top, bottom, left, right
    (0, _ALL, 0, _ALL),
    (4, _ALL - 4, 4, _ALL - 4),
    (8, _ALL - 8, 8, _ALL - 8),
    (0, _ALL - 8, 0, _ALL - 8),
    (0, _ALL - 8, 8, _ALL),
    (8, _ALL, 0, _ALL - 8),
    (8, _ALL, 8, _ALL),
)
"""Parts that are hashed, in slices: all; less 2.5% or 5% on every side; less 5% at two sides that meet."""
INNER = len(PARTS)
"""What stands for a part where what is inside plain borders is compared."""
QUARTERS = 4
View = tuple[int, int]
"""How a picture is looked at: a turn, 0 to 7, see ``turn_picture``, and one of ``PARTS`` or ``INNER``."""
UPRIGHT: tuple[View, ...] = tuple((0, part) for part in range(INNER + 1))
TURNED: tuple[View, ...] = tuple((turn, part) for turn in range(1, 2 * QUARTERS) for part in (0, 1, INNER))
_RANGE = 4096


@dataclass(frozen=True, eq=False)
class Hashed:
    """Hashes of pictures.

    Attributes:
        whole: uint64 (n, 2), phash and dhash.
        inner: uint64 (n, 2), those of what is inside plain borders.
        views: how the pictures are looked at besides.
        seen: uint64 (n, v, 2), their hashes in each view.
        plain: bool (n,), pictures of hardly any content: their hashes are noise.
    """

    whole: NDArray[np.uint64]
    inner: NDArray[np.uint64]
    views: tuple[View, ...]
    seen: NDArray[np.uint64]
    plain: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Attempts:
    """Pairs of pictures and how one is laid on the other, sorted by pair.

    Attributes:
        left, right: int64 (m,), ``left < right``.
        view: int64 (m,), place in ``Hashed.views``.
        of_left: bool (m,), whether the left one is seen in this view and laid on the right one; else the other way.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    view: NDArray[np.int64]
    of_left: NDArray[np.bool_]


def turn_picture(grey: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Return a picture turned to the left by ``turn`` quarters; from 4 on it is mirrored left to right before."""
    return np.ascontiguousarray(np.rot90(grey[..., ::-1] if turn >= QUARTERS else grey, turn, axes=(-2, -1)))


def view_hashes(
    grey32: NDArray[np.uint8], inner32: NDArray[np.uint8], views: Sequence[View] = UPRIGHT
) -> NDArray[np.uint64]:
    """Return phash and dhash of pictures in each view, uint64 (n, v, 2).

    Args:
        grey32, inner32: uint8 (n, 32, 32), the pictures and what is inside their plain borders.
        views: how they are looked at.
    """
    found = np.empty((len(grey32), len(views), 2), dtype=np.uint64)
    for at, (turn, part) in enumerate(views):
        seen = turn_picture(inner32 if part == INNER else grey32, turn)
        _hash_part(seen, PARTS[0 if part == INNER else part], found[:, at])
    return found


@njit(cache=True, nogil=True)
def _hash_part(pictures, part, found):  # type: ignore[no-untyped-def]
    rows, means = np.empty((CELLS, CELLS), dtype=np.int64), np.empty((CELLS, CELLS), dtype=np.int64)
    top, bottom, left, right = part
    high, wide = bottom - top, right - left
    area = high * wide
    for k in range(len(pictures)):
        for j in range(CELLS):
            # A slice is 32 units wide here, and so a cell of the part as many units as the part has slices.
            begin, end = top * CELLS + j * high, top * CELLS + (j + 1) * high
            rows[j] = 0
            for y in range(begin // _ALL, (end + _ALL - 1) // _ALL):
                shared = min(end, (y + 1) * _ALL) - max(begin, y * _ALL)
                for x in range(CELLS):
                    rows[j, x] += shared * np.int64(pictures[k, y, x])
        for i in range(CELLS):
            begin, end = left * CELLS + i * wide, left * CELLS + (i + 1) * wide
            for j in range(CELLS):
                total = np.int64(0)
                for x in range(begin // _ALL, (end + _ALL - 1) // _ALL):
                    total += (min(end, (x + 1) * _ALL) - max(begin, x * _ALL)) * rows[j, x]
                means[j, i] = (total * FINE + area // 2) // area
        found[k, 0], found[k, 1] = hash_means(means)


def find_attempts(hashed: Hashed, *, threads: int = 1, progress: Progress | None = None) -> Attempts:
    """Return each pair of pictures with near hashes: in the nearest view, and in the nearest one inside borders.

    Args:
        hashed: hashes of the pictures, at most 2**31.
        threads: changes no result.
        progress: advances by a unit a picture; may cancel between blocks.
    """
    watch = progress or NullProgress()
    inner = np.array([part == INNER for _, part in hashed.views])
    sides, blocks = (hashed.whole, hashed.inner), range(0, len(hashed.whole), _RANGE)
    tables = {(kind, side): _Table.of(sides[side][:, kind], hashed.plain) for kind in (0, 1) for side in (0, 1)}

    def near(piece: tuple[int, int, int]) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        watch.check()
        kind, view, first = piece
        asked = np.ascontiguousarray(hashed.seen[first : first + _RANGE, view, kind])
        return tables[kind, int(inner[view])].near(asked, hashed.plain, view, first)

    pieces = list(product((0, 1), range(len(hashed.views)), blocks))
    with ThreadPoolExecutor(threads) as pool:
        found = [_none(), *spread(pool.map(near, pieces), len(pieces), len(hashed.whole), watch)]
    codes, how = (np.concatenate(side) for side in zip(*found, strict=True))
    return _nearest(codes, how, inner)


def _none() -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint32)


def _nearest(codes: NDArray[np.uint64], how: NDArray[np.uint32], inner: NDArray[np.bool_]) -> Attempts:
    """Return of each pair, of whole and of inner pictures, the view with the nearest hashes."""
    view = ((how >> np.uint32(1)) & np.uint32(0xFFFF)).astype(np.int64)
    codes = codes << np.uint64(1) | inner[view].astype(np.uint64)
    order = np.lexsort((how, codes))
    codes, how, view = codes[order], how[order], view[order]
    fresh = np.ones(len(codes), dtype=bool)
    fresh[1:] = codes[1:] != codes[:-1]
    pairs = codes[fresh] >> np.uint64(1)
    left, right = (pairs >> np.uint64(31)).astype(np.int64), (pairs & np.uint64(0x7FFFFFFF)).astype(np.int64)
    return Attempts(left, right, view[fresh], (how[fresh] & np.uint32(1)) == 0)


@dataclass(frozen=True, eq=False)
class _Table:
    """Hashes by the words they hold.

    Attributes:
        hashes: uint64 (n,).
        starts: int64 (4, 65,537), where the hashes with a word begin in ``order``.
        order: int64 (4, m), hashes that are not plain, by word.
    """

    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    order: NDArray[np.int64]

    @classmethod
    def of(cls, hashes: NDArray[np.uint64], plain: NDArray[np.bool_]) -> _Table:
        """Sort hashes by each of their words."""
        own, there = np.ascontiguousarray(hashes), np.flatnonzero(~plain)
        starts, order = np.zeros((_WORDS, (1 << _BITS) + 1), dtype=np.int64), []
        for word in range(_WORDS):
            values = ((own[there] >> np.uint64(_BITS * word)) & np.uint64(0xFFFF)).astype(np.int64)
            starts[word, 1:] = np.cumsum(np.bincount(values, minlength=1 << _BITS))
            order.append(there[np.argsort(values, kind="stable")])
        return cls(own, starts, np.stack(order))

    def near(
        self, queries: NDArray[np.uint64], plain: NDArray[np.bool_], view: int, first: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """Return pairs of the pictures from ``first`` on, whose hashes are the queries, and hashes near to them, as
        left << 31 | right, and distance, view, side."""
        room = len(queries)
        while True:
            codes, how = np.empty(room, dtype=np.uint64), np.empty(room, dtype=np.uint32)
            count = _near(queries, self.hashes, self.starts, self.order, plain, first, view, codes, how)
            if count <= room:
                return codes[:count].copy(), how[:count].copy()
            room = count


@njit(cache=True, nogil=True)
def _near(queries, hashes, starts, order, plain, first, view, codes, how):  # type: ignore[no-untyped-def]
    """Count the near hashes of the queries, those of the pictures from ``first`` on; write those there is room for."""
    count = 0
    for row in range(len(queries)):
        q, query = first + row, queries[row]
        if plain[q]:
            continue
        for word in range(_WORDS):
            key = np.int64((query >> np.uint64(_BITS * word)) & np.uint64(0xFFFF))
            for flip in range(_BITS + 1):
                asked = key if flip == _BITS else key ^ (1 << flip)
                for k in range(starts[word, asked], starts[word, asked + 1]):
                    other = order[word, k]
                    away = query ^ hashes[other]
                    distance = _count_bits(away)
                    if other == q or distance > RADIUS or _seen_before(away, word):
                        continue
                    if count < len(codes):
                        low, high = min(q, other), max(q, other)
                        codes[count] = np.uint64(low) << np.uint64(31) | np.uint64(high)
                        how[count] = np.uint32(distance) << np.uint32(17) | np.uint32(view) << np.uint32(1)
                        how[count] |= np.uint32(q > other)
                    count += 1
    return count


@njit(cache=True, nogil=True)
def _seen_before(away, word):  # type: ignore[no-untyped-def]
    """Say whether an earlier word differs in at most one bit, so that the pair was found by it."""
    for before in range(word):
        value = (away >> np.uint64(_BITS * before)) & np.uint64(0xFFFF)
        if value & (value - np.uint64(1)) == 0:
            return True
    return False


@njit(cache=True, nogil=True)
def _count_bits(value):  # type: ignore[no-untyped-def]
    value -= (value >> np.uint64(1)) & np.uint64(0x5555555555555555)
    value = (value & np.uint64(0x3333333333333333)) + ((value >> np.uint64(2)) & np.uint64(0x3333333333333333))
    value = (value + (value >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((value * np.uint64(0x0101010101010101)) >> np.uint64(56))

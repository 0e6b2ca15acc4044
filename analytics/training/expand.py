"""Copies and epochs written out: the stream of documents in training order.

Each epoch is a keyed shuffle of its own, or follows the order of the recipe. Copies of a document in an epoch lie one
part of the epoch each, and a last pass keeps any two of them a window apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.data.errors import RecipeError
from tamis.data.hashing import uniform

WIDEST = 10_000
"""Documents between two copies of the same one, at most, where the recipe states no window."""
_PLACES = 4
"""A window that is chosen is at most one in so many of the documents per copy, so that it surely fits."""


@dataclass(frozen=True, eq=False)
class Stream:
    """Documents in training order.

    Attributes:
        row: int64 (m,), place of the document among those given.
        copy: int16 (m,), number of the copy within its epoch, from 0.
        epoch: int16 (m,), from 0. A copy that waits for its window may come after the first ones of the next epoch.
        window: other documents between two copies of the same one, at least.
    """

    row: NDArray[np.int64]
    copy: NDArray[np.int16]
    epoch: NDArray[np.int16]
    window: int = 0

    def __len__(self) -> int:
        return len(self.row)


def once(order: NDArray[np.int64]) -> Stream:
    """Return the stream of documents that come once, in an order, int64 (n,)."""
    nothing = np.zeros(len(order), dtype=np.int16)
    return Stream(order, nothing, nothing.copy())


def beside(rows: NDArray[np.int64], times: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return documents, int64 (n,), each as often as ``times`` says, int64 (n,), and the number of each copy."""
    row = np.repeat(rows, times)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(times) - times, times)


def times_in_epoch(
    copies: NDArray[np.int32], weight: NDArray[np.float64] | None, drawn: NDArray[np.float64], epoch: int
) -> NDArray[np.int64]:
    """Return how often each document comes in an epoch, int64 (n,).

    After ``e`` epochs a document has come ``floor(copies * weight * e + u)`` times, u in (0, 1) by keyed hash: the
    expected number, and never off by one or more.

    Args:
        copies: int32 (n,).
        weight: float64 (n,), NaN counts as 1; None for none.
        drawn: float64 (n,), u.
        epoch: from 0.
    """
    if weight is None:
        return copies.astype(np.int64)
    expected = copies * np.nan_to_num(weight, nan=1.0)
    return (np.floor(expected * (epoch + 1) + drawn) - np.floor(expected * epoch + drawn)).astype(np.int64)


def expand(
    keys: NDArray[np.uint64],
    copies: NDArray[np.int32],
    *,
    weight: NDArray[np.float64] | None = None,
    position: NDArray[np.int64] | None = None,
    ordered: int = 0,
    epochs: int = 1,
    window: int | None = None,
    seed: int = 0,
) -> Stream:
    """Return the stream of documents in training order.

    Args:
        keys: uint64 (n,), ``hashing.key64`` of the ids, documents sorted by id.
        copies: int32 (n,), at least 1.
        weight: float64 (n,), multiplies copies; None for none.
        position: int64 (n,), order of the recipe; None where it gives none.
        ordered: how many epochs, from the first, follow ``position``; the others are shuffled.
        epochs: number of epochs.
        window: other documents between two copies of the same one, at least; None for as many as fit.
        seed: of the keyed hashes.

    Raises:
        RecipeError: the copies of a document cannot lie so far apart, or the recipe gives no order.
    """
    if ordered and position is None:
        raise RecipeError(
            "The order of the recipe is wanted, and no step gives one", fix="add a curriculum, or shuffle each epoch"
        )
    drawn = uniform(keys, seed=seed, salt="expand weight")
    parts = []
    for epoch in range(epochs):
        times = times_in_epoch(copies, weight, drawn, epoch)
        place = position if epoch < ordered else None
        row, copy = _one_epoch(times, place, uniform(keys, seed=seed, salt=f"expand epoch {epoch}"))
        parts.append((row, copy, np.full(len(row), epoch, dtype=np.int16)))
    row, copy, number = (np.concatenate(part) for part in zip(*parts, strict=True))
    order, held = _apart(row, len(keys), window)
    return Stream(row[order], copy[order], number[order], held)


def _one_epoch(
    times: NDArray[np.int64], position: NDArray[np.int64] | None, drawn: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
    """Return rows and copies of one epoch in order."""
    row, copy = beside(np.arange(len(times)), times)
    if position is not None:
        order = np.lexsort((copy, position[row]))
    else:
        # The copies of a document lie in equal parts of the epoch, one each.
        order = np.lexsort((copy, row, (copy + drawn[row]) / np.maximum(times[row], 1)))
    return row[order], copy[order].astype(np.int16)


def _apart(row: NDArray[np.int64], documents: int, window: int | None) -> tuple[NDArray[np.int64], int]:
    """Return an order in which copies lie a window apart, int64 (m,), and the window that it holds."""
    most = int(np.bincount(row, minlength=1).max(initial=0))
    if most < 2:
        return np.arange(len(row)), max(len(row) - 1, 0) if window is None else window
    trial = min(WIDEST, len(row) // (_PLACES * most)) if window is None else window
    while True:
        order = _spaced(row, documents, trial)
        if len(order) == len(row):
            break
        trial //= 2
    if window is not None and trial < window:
        raise RecipeError(
            "Copies of a document cannot lie so far apart: one comes too often",
            value=window,
            allowed=f"a window of {trial} documents surely",
            fix="use a smaller window in expand, or fewer copies and epochs",
        )
    return order, trial


@njit(cache=True, nogil=True)
def _spaced(row, documents, window):  # type: ignore[no-untyped-def]
    """Return the order that keeps equal rows more than ``window`` apart, each as early as it can; empty if none does.

    A document that comes too early waits in a heap until its window is over. What still waits at the end is put in
    where there is room, from the end backwards: that only moves others farther apart.
    """
    n = len(row)
    out = np.empty(n, dtype=np.int64)
    last = np.full(documents, -1 - window - 1, dtype=np.int64)
    ready, item = np.empty(n + 1, dtype=np.int64), np.empty(n + 1, dtype=np.int64)
    waiting, source, done = 0, 0, 0
    while done < n:
        if waiting and ready[0] <= done:
            chosen = item[0]
            waiting = _pop(ready, item, waiting)
        elif source < n:
            chosen = source
            source += 1
        else:
            break
        due = last[row[chosen]] + window + 1
        if due > done:
            waiting = _push(ready, item, waiting, due, chosen)
            continue
        out[done] = chosen
        last[row[chosen]] = done
        done += 1
    for k in range(waiting):
        place = _gap(row, out, done, row[item[k]], window)
        if place < 0:
            return out[:0]
        for j in range(done, place, -1):
            out[j] = out[j - 1]
        out[place] = item[k]
        done += 1
    return out


@njit(cache=True, nogil=True)
def _gap(row, out, done, own, window):  # type: ignore[no-untyped-def]
    """Return the last place where one more copy of a document may stand, -1 if there is none.

    What stands there and after it moves by one, so it must be ``window`` before and more than ``window`` after others.
    """
    most = done
    for place in range(done - 1, -1, -1):
        if row[out[place]] == own:
            if most > place + window:
                return most
            most = place - window
            if most < 0:
                return -1
    return most


@njit(cache=True, nogil=True)
def _push(ready, item, size, due, chosen):  # type: ignore[no-untyped-def]
    """Add to a heap by (ready, item); return its size."""
    k = size
    while k:
        up = (k - 1) >> 1
        if ready[up] < due or (ready[up] == due and item[up] < chosen):
            break
        ready[k], item[k] = ready[up], item[up]
        k = up
    ready[k], item[k] = due, chosen
    return size + 1


@njit(cache=True, nogil=True)
def _pop(ready, item, size):  # type: ignore[no-untyped-def]
    """Take the first from a heap; return its size."""
    size -= 1
    due, chosen = ready[size], item[size]
    k = 0
    while 2 * k + 1 < size:
        low = 2 * k + 1
        right = low + 1
        if right < size and (ready[right] < ready[low] or (ready[right] == ready[low] and item[right] < item[low])):
            low = right
        if ready[low] > due or (ready[low] == due and item[low] > chosen):
            break
        ready[k], item[k] = ready[low], item[low]
        k = low
    ready[k], item[k] = due, chosen
    return size

"""Tokens of a run spread over equal parts of its progress: where each item of a stream lies is found once, then the
tokens of any groups are summed by part in one quick pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.training.expand import Stream

PARTS = 180
"""Parts of the progress in a picture, at most: as many as a screen can tell apart."""
LEAST_PARTS = 20
DOCUMENTS_PER_PART = 100
"""Fewer documents in a part show their chance rather than the run."""


def count_parts(items: int) -> int:
    """Return how many parts the progress of a run with so many items has."""
    return min(max(items // DOCUMENTS_PER_PART, LEAST_PARTS), PARTS)


@dataclass(frozen=True, eq=False)
class RunProgress:
    """What moves a run on.

    Attributes:
        sizes: int64 (documents,), tokens of each document.
        moves: int64 (documents,), by how much each moves the progress on.
        group: int32 (documents,), each group has a progress of its own.
        totals: int64 (groups,), the moves of all items of the run, of each group.
        parts: number of equal parts of the progress, at most 255.
        epochs: number of epochs.
    """

    sizes: NDArray[np.int64]
    moves: NDArray[np.int64]
    group: NDArray[np.int32]
    totals: NDArray[np.int64]
    parts: int
    epochs: int

    def spread(self, stream: Stream, done: NDArray[np.int64] | None = None) -> RunSpread:
        """Return where the items of a stream, or of a stretch of it, lie.

        Args:
            stream: the items in the order of training; ``row`` is the document.
            done: int64 (groups,), the moves of all items before; None for none.
        """
        ended = np.zeros(len(self.totals), dtype=np.int64) if done is None else done.copy()
        again, epochs = np.zeros(self.parts), np.zeros((self.parts, self.epochs))
        part, low, high = _lay_out(stream.row, stream.copy, stream.epoch, self.sizes, self.moves, self.group,
                                   self.totals, ended, again, epochs)  # fmt: skip
        return RunSpread(stream.row, part, low, high, again, epochs, ended)


@dataclass(frozen=True, eq=False)
class RunSpread:
    """Items in the order of training, each in its part of the progress.

    Attributes:
        row: int64 (m,), document of each item.
        part: uint8 (m,), the part that holds the item; the number of parts if it lies across a border.
        low: float64 (c,), where each item across a border begins, in parts.
        high: float64 (c,), where it ends.
        again: float64 (parts,), tokens of later copies and epochs.
        epochs: float64 (parts, epochs), tokens of each epoch.
        done: int64 (groups,), the moves of all items up to the last.
    """

    row: NDArray[np.int64]
    part: NDArray[np.uint8]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    again: NDArray[np.float64]
    epochs: NDArray[np.float64]
    done: NDArray[np.int64]

    def tokens(self, sizes: NDArray[np.int64], code: NDArray[np.uint8], codes: int) -> NDArray[np.float64]:
        """Return the tokens by part and code, float64 (parts, codes).

        Args:
            sizes: int64 (documents,), tokens of each document.
            code: uint8 (documents,), what is summed apart.
            codes: number of codes.
        """
        parts = len(self.again)
        whole, shared = np.zeros((parts + 1, codes), dtype=np.int64), np.zeros((parts, codes))
        _add_tokens(self.row, self.part, self.low, self.high, sizes, code, whole, shared)
        return whole[:parts] + shared


@njit(cache=True, nogil=True, inline="always")
def _divide(low, high, part, held):  # type: ignore[no-untyped-def]
    """Return how many of the tokens of an item lie in a part; an item that moves nothing on lies in one."""
    if high <= part + 1 and low >= part:
        return float(held)
    return held * (min(high, part + 1.0) - max(low, float(part))) / (high - low)


@njit(cache=True, nogil=True)
def _lay_out(row, copy, epoch, sizes, moves, group, totals, done, again, epochs):  # type: ignore[no-untyped-def]
    """Return part, low and high of a spread; add to what is done, again and epochs."""
    parts = len(again)
    found = np.empty(len(row), dtype=np.uint8)
    most = min(len(row), (parts - 1) * len(totals))
    begins, ends, across = np.empty(most), np.empty(most), 0
    for k in range(len(row)):
        own, held, later = group[row[k]], sizes[row[k]], copy[k] > 0 or epoch[k] > 0
        scale = parts / totals[own] if totals[own] > 0 else 0.0
        low = done[own] * scale
        done[own] += moves[row[k]]
        high = min(done[own] * scale, float(parts))
        part = min(int(low), parts - 1)
        found[k] = part
        if high > part + 1:
            found[k] = parts
            begins[across], ends[across] = low, high
            across += 1
        while True:
            share = _divide(low, high, part, held)
            epochs[part, epoch[k]] += share
            again[part] += share * later
            part += 1
            if part >= high or part >= parts:
                break
    return found, begins[:across].copy(), ends[:across].copy()


@njit(cache=True, nogil=True)
def _add_tokens(row, part, low, high, sizes, code, whole, shared):  # type: ignore[no-untyped-def]
    """Add the tokens of items inside a part, which are whole, and those of items across a border, which are shared.

    The last row of ``whole`` takes the items across a border, and counts for nothing.
    """
    parts, across = len(shared), 0
    for k in range(len(row)):
        whole[part[k], code[row[k]]] += sizes[row[k]]
        if part[k] == parts:
            at = int(low[across])
            while at < parts and at < high[across]:
                shared[at, code[row[k]]] += _divide(low[across], high[across], at, sizes[row[k]])
                at += 1
            across += 1

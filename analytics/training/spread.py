"""Tokens of a run spread over equal parts of its progress, in one pass over the documents in the order of training."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Spread:
    """Sums by part of the progress; documents are added in the order of training. One thread adds at a time.

    Attributes:
        sizes: int64 (documents,), tokens of each document.
        moves: int64 (documents,), by how much each moves the progress on.
        group: int32 (documents,), each group has a progress of its own.
        totals: int64 (groups,), the moves of all that will be added, of each group.
        code: uint8 (documents,), what is summed apart.
        tokens: float64 (parts, codes), sums so far.
        again: float64 (parts,), of later copies and epochs.
        epochs: float64 (parts, epochs).
        done: int64 (groups,), the moves of what was added.
    """

    sizes: NDArray[np.int64]
    moves: NDArray[np.int64]
    group: NDArray[np.int32]
    totals: NDArray[np.int64]
    code: NDArray[np.uint8]
    tokens: NDArray[np.float64]
    again: NDArray[np.float64]
    epochs: NDArray[np.float64]
    done: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "done", np.zeros(len(self.totals), dtype=np.int64))

    def add_stream(self, row: NDArray[np.int64], copy: NDArray[np.int16], epoch: NDArray[np.int16]) -> None:
        """Add items of a stream: document, copy and epoch of each, (m,)."""
        _add_stream(row, copy, epoch, self.sizes, self.moves, self.group, self.totals, self.code, self.done,
                    self.tokens, self.again, self.epochs)  # fmt: skip

    def add_copies(self, row: NDArray[np.int64], times: NDArray[np.int64], epoch: int) -> None:
        """Add documents of an epoch, int64 (m,), with the copies of each beside it, int64 (documents,)."""
        _add_copies(row, times, epoch, self.sizes, self.moves, self.group, self.totals, self.code, self.done,
                    self.tokens, self.again, self.epochs)  # fmt: skip


@njit(cache=True, nogil=True)
def _add(row, later, epoch, sizes, moves, group, totals, code, done, tokens, again, epochs):  # type: ignore[no-untyped-def]
    """Add a document; one that lies across a border counts on both sides by its tokens there."""
    parts = len(again)
    own, kind, held = group[row], code[row], float(sizes[row])
    scale = parts / totals[own] if totals[own] > 0 else 0.0
    low, high = done[own] * scale, min((done[own] + moves[row]) * scale, float(parts))
    done[own] += moves[row]
    part = min(int(low), parts - 1)
    whole = high - low
    while True:
        share = held
        if high > part + 1 or low < part:
            share = held * (min(high, part + 1.0) - max(low, float(part))) / whole
        tokens[part, kind] += share
        epochs[part, epoch] += share
        if later:
            again[part] += share
        part += 1
        if part >= high or part >= parts:
            break


@njit(cache=True, nogil=True)
def _add_stream(row, copy, epoch, sizes, moves, group, totals, code, done, tokens, again, epochs):  # type: ignore[no-untyped-def]
    for k in range(len(row)):
        later = copy[k] > 0 or epoch[k] > 0
        _add(row[k], later, epoch[k], sizes, moves, group, totals, code, done, tokens, again, epochs)


@njit(cache=True, nogil=True)
def _add_copies(row, times, epoch, sizes, moves, group, totals, code, done, tokens, again, epochs):  # type: ignore[no-untyped-def]
    for each in row:
        for copy in range(times[each]):
            later = copy > 0 or epoch > 0
            _add(each, later, epoch, sizes, moves, group, totals, code, done, tokens, again, epochs)

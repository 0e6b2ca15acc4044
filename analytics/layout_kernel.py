"""One epoch of the map layout: every point moves at once, from where all points were before.

The forces are those of umap-learn's ``optimize_layout_euclidean`` (McInnes, Healy, Melville 2018). What differs is the
order: umap-learn moves points one after the other, so threads race; here all read the old positions and write new
ones, and every choice is a hash of (seed, epoch, point), so the result has the same bits on any number of threads.
umap-learn moves both ends of an edge at each pull; here each end pulls for itself. Moving both as well, so that every
edge pulls twice, measured worse: 0.205 of neighbours kept instead of 0.232 (umap-learn: 0.215) on 10,000 documents.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

CLIP = np.float32(4.0)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_A, _MIX_B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S40 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(40)
_UNIT = np.float32(1.0 / (1 << 24))


@njit(cache=True, inline="always")
def _mixed(state):  # type: ignore[no-untyped-def]
    """Return the splitmix64 output of a state."""
    mixed = (state ^ (state >> _S30)) * _MIX_A
    mixed = (mixed ^ (mixed >> _S27)) * _MIX_B
    return mixed ^ (mixed >> _S31)


@njit(cache=True, inline="always")
def _clipped(value):  # type: ignore[no-untyped-def]
    return min(max(value, -CLIP), CLIP)


@njit(cache=True, parallel=True, fastmath={"contract", "reassoc", "afn"})
def move(old, new, starts, ends, chances, key, a, b, alpha, negatives, others):  # type: ignore[no-untyped-def]
    """Write the positions after one epoch.

    Args:
        old, new: float32 (n, 2).
        starts: int64 (n + 1,), edges of each point in ``ends`` and ``chances``.
        ends: int32 (e,), the other end.
        chances: float32 (e,), probability that an edge pulls in this epoch, weight / largest weight.
        key: uint64, a hash of (seed, epoch).
        a, b: of the curve 1 / (1 + a d^2b).
        alpha: float32, learning rate of this epoch.
        negatives: points each pulling edge is weighed against.
        others: positions that pull and push, float32 (m, 2): ``old`` itself, or a frozen map that points are added to.
    """
    n, m = len(old), len(others)
    power = b - np.float32(1.0)
    attract = np.float32(-2.0) * a * b
    repel = np.float32(2.0) * b
    for i in prange(n):
        x, y = old[i, 0], old[i, 1]
        state = _mixed(key + np.uint64(i) * _STEP)
        move_x, move_y = np.float32(0.0), np.float32(0.0)
        pushes = 0
        for e in range(starts[i], starts[i + 1]):
            state += _STEP
            if np.float32(_mixed(state) >> _S40) * _UNIT >= chances[e]:
                continue
            pushes += negatives
            dx, dy = x - others[ends[e], 0], y - others[ends[e], 1]
            square = dx * dx + dy * dy
            if square > np.float32(0.0):
                near = square**power
                force = attract * near / (a * near * square + np.float32(1.0))
                move_x += _clipped(force * dx)
                move_y += _clipped(force * dy)
        for _ in range(pushes):
            state += _STEP
            other = np.int64(((_mixed(state) >> np.uint64(32)) * np.uint64(m)) >> np.uint64(32))
            dx, dy = x - others[other, 0], y - others[other, 1]
            square = dx * dx + dy * dy
            if square > np.float32(0.0):
                force = repel / ((np.float32(0.001) + square) * (a * square**b + np.float32(1.0)))
                move_x += _clipped(force * dx)
                move_y += _clipped(force * dy)
        new[i, 0], new[i, 1] = x + alpha * move_x, y + alpha * move_y

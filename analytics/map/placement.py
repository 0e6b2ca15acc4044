"""Positions of new documents on a frozen map: each is placed where most of its nearest neighbours are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.embedding.cell_search import CHUNK, Cells
from tamis.analytics.embedding.copies import Copies, equal_rows
from tamis.analytics.embedding.kmeans import rescale_rows, side_by_side
from tamis.analytics.embedding.neighbours import nearest

NEIGHBOURS = 15
CELLS_FROM = 200_000
PROBES = 24
_ROWS = 256
_BLOCK = 65_536
_SCALE, _CORE = 0.1, 0.01


def neighbours_among(
    known: NDArray[np.float16],
    wanted: NDArray[np.float16],
    *,
    k: int = NEIGHBOURS,
    seed: int = 0,
    threads: int | None = None,
    check: Callable[[], None] = lambda: None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the nearest of the known vectors for each wanted one.

    Exact; from 200,000 known vectors on by cells, see ``embedding.cell_search``.

    Args:
        known: (n, d), unit rows; rows of zeros are never neighbours.
        wanted: (m, d), unit rows of the same space.
        k: neighbours per row.
        seed: of the cells.
        threads: changes no bit.
        check: called between blocks, may raise.

    Returns:
        int32 (m, k), rows of ``known``, -1 where there are fewer, and float32 (m, k), cosine distances, ascending.
    """
    there = np.flatnonzero(known.any(axis=1))
    indices = np.full((len(wanted), k), -1, dtype=np.int32)
    distances = np.full((len(wanted), k), np.inf, dtype=np.float32)
    if len(there) < CELLS_FROM:
        nobody = np.empty(0, dtype=np.int64)

        def exact(first: int) -> None:
            check()
            part = slice(first, first + _ROWS)
            indices[part], distances[part] = nearest(known, nobody, there, k=k, omit_self=False, queries=wanted[part])

        with side_by_side(threads) as each:
            each(exact, range(0, len(wanted), _ROWS))
    else:
        cells = Cells.of(known, there, seed=seed, threads=threads)

        def by_cells(first: int) -> None:
            check()
            part = slice(first, first + CHUNK)
            rows = rescale_rows(wanted[part])
            best = np.full((len(rows), k), -np.inf, dtype=np.float32)
            where = np.full((len(rows), k), -1, dtype=np.int32)
            cells.search(rows, best, where, probes=PROBES)
            indices[part] = np.where(where >= 0, there[cells.places[where]], -1)
            distances[part] = np.maximum(np.float32(1.0) - best, np.float32(0.0))

        with side_by_side(threads) as each:
            each(by_cells, range(0, len(wanted), CHUNK))
    empty = ~wanted.any(axis=1)
    indices[empty], distances[empty] = -1, np.inf
    return indices, distances


def neighbours_on_map(
    known: NDArray[np.float16], wanted: NDArray[np.float16], *, check: Callable[[], None] = lambda: None
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return what ``neighbours_among`` does, where of equal known vectors only the first is a neighbour."""
    rows = Copies.of(known).rows
    indices, distances = neighbours_among(known[rows], wanted, check=check)
    return np.where(indices >= 0, rows[indices], -1).astype(np.int32), distances


def same_on_map(
    known_ids: pa.Array, known: NDArray[np.float16], ids: pa.Array, wanted: NDArray[np.float16]
) -> NDArray[np.int64]:
    """Return for each document the known one whose place it has, int64 (m,), -1 for a document to be placed.

    That is the one of its id if its vector is the same, else the first one of the same vector.

    Args:
        known_ids, known: string (n,) and float16 (n, d).
        ids, wanted: string (m,) and float16 (m, d).
    """
    home = np.asarray(pc.index_in(ids, value_set=known_ids.cast(ids.type)).fill_null(-1), dtype=np.int64)
    for first in range(0, len(home), _BLOCK):
        part = home[first : first + _BLOCK]
        there = np.flatnonzero(part >= 0)
        own = wanted[first : first + _BLOCK][there]
        part[there[(known[part[there]] != own).any(axis=1) | ~own.any(axis=1)]] = -1
    rest = np.flatnonzero(home < 0)
    home[rest] = equal_rows(known, wanted[rest])
    return home


def place(
    positions: NDArray[np.float32], indices: NDArray[np.int32], distances: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return positions on a frozen map from the neighbours on it, float32 (m, 2), NaN without a neighbour.

    The position is that of the most central neighbour (least weighted sum of log distances to the others), moved
    towards the neighbours right beside it. Optimising further by UMAP's forces, as umap-learn's ``transform`` does, is
    worse: it keeps 0.13 of the true neighbours instead of 0.19; the map itself keeps 0.22.

    Args:
        positions: float32 (n, 2), NaN for documents that are not on the map.
        indices, distances: (m, k), as ``neighbours_among`` returns them.
    """
    placed = np.full((len(indices), 2), np.nan, dtype=np.float32)
    for first in range(0, len(indices), 8192):
        part = slice(first, first + 8192)
        placed[part] = _place_block(positions, indices[part], distances[part])
    return placed


def _place_block(
    positions: NDArray[np.float32], indices: NDArray[np.int32], distances: NDArray[np.float32]
) -> NDArray[np.float32]:
    points = positions[np.maximum(indices, 0)].astype(np.float64)
    known = (indices >= 0) & np.isfinite(points).all(axis=2)
    points = np.where(known[:, :, None], points, 0.0)
    far = np.where(known, distances, np.inf).astype(np.float64)
    nearest_one = far.min(axis=1, keepdims=True, initial=np.inf)
    excess = np.where(known, far - np.where(np.isfinite(nearest_one), nearest_one, 0.0), 0.0)
    width = np.maximum(excess.sum(axis=1) / np.maximum(known.sum(axis=1), 1), 1e-6)[:, None]
    weights = np.where(known, np.exp(-excess / width), 0.0)
    apart = np.sqrt(((points[:, :, None] - points[:, None]) ** 2).sum(axis=3))
    cost = (np.log(_SCALE + apart) * weights[:, None, :]).sum(axis=2)
    middle = points[np.arange(len(points)), np.where(known, cost, np.inf).argmin(axis=1)]
    pull = weights / (_CORE + ((points - middle[:, None]) ** 2).sum(axis=2))
    total = pull.sum(axis=1)
    found = (points * pull[:, :, None]).sum(axis=1) / np.where(total > 0, total, 1.0)[:, None]
    found[~known.any(axis=1)] = np.nan
    return found.astype(np.float32)

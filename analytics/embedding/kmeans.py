"""Spherical k-means: unit centroids, every vector in the cell of its nearest one.

The bits are the same on any number of threads: each matrix product runs on one thread, several products at once.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.data.errors import SettingError

Each = Callable[[Callable[[Any], None], Iterable[Any]], None]


@contextlib.contextmanager
def side_by_side(threads: int | None = None) -> Iterator[Each]:
    """Yield a function that calls another for each item, several at once, with linear algebra on one thread each.

    Args:
        threads: number of calls at once; None for all processors.
    """
    # Late: threadpoolctl.
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:

        def each(work: Callable[[Any], None], items: Iterable[Any]) -> None:
            for _ in pool.map(work, items):
                pass

        yield each


def rescale_rows(vectors: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return rows as float32 of length 1: half precision leaves them up to 0.05% too long or too short."""
    wide = vectors.astype(np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    return np.asarray(wide / np.where(norms > 0, norms, np.float32(1.0))[:, None], dtype=np.float32)


_TILE_ROWS, _TILE_COLUMNS = 2048, 1024


@dataclass(frozen=True, eq=False)
class KMeans:
    """A fitted clustering.

    Attributes:
        centroids: float32 (k, d), unit rows.
        labels: int32 (n,), nearest centroid by cosine, ties to the smaller number; -1 for rows left out.
        cosine: float32 (n,), cosine to it, 0 for rows left out.
    """

    centroids: NDArray[np.float32]
    labels: NDArray[np.int32]
    cosine: NDArray[np.float32]


def spherical_kmeans(
    vectors: NDArray[np.float16],
    k: int,
    *,
    rows: NDArray[np.int64] | None = None,
    seed: int = 0,
    iterations: int = 15,
    sample: int | None = None,
    threads: int | None = None,
    check: Callable[[], None] = lambda: None,
) -> KMeans:
    """Cluster unit vectors by cosine (Dhillon and Modha 2001, "Concept decompositions").

    Args:
        vectors: (n, d), unit rows; rows of zeros are left out.
        k: number of clusters, lowered to the number of vectors.
        rows: int64 (m,), the rows to cluster; None for all that are not zero.
        seed: of the first centroids, which are distinct members, and of the sample.
        iterations: of Lloyd's algorithm.
        sample: maximum number of rows to fit on; all rows are assigned.
        threads: changes no bit; None for all processors.
        check: called between iterations, may raise.

    Raises:
        SettingError: k is not positive or there is no vector.
    """
    there = np.flatnonzero(vectors.any(axis=1)) if rows is None else rows
    if k < 1 or not len(there):
        raise SettingError("Number of clusters", value=k, allowed="1 or more, of at least one vector")
    random = np.random.default_rng(seed)
    fit = there if sample is None or sample >= len(there) else np.sort(random.choice(there, sample, replace=False))
    k = min(k, len(fit))
    chosen = np.sort(random.choice(fit, k, replace=False))
    centroids = vectors[chosen].astype(np.float32)
    for _ in range(iterations):
        check()
        labels, cosine = assign(vectors, centroids, rows=fit, threads=threads)
        centroids = _means(vectors, fit, labels, cosine, k)
    labels = np.full(len(vectors), -1, dtype=np.int32)
    cosines = np.zeros(len(vectors), dtype=np.float32)
    labels[there], cosines[there] = assign(vectors, centroids, rows=there, threads=threads)
    return KMeans(centroids, labels, cosines)


def assign(
    vectors: NDArray[np.float16],
    centroids: NDArray[np.float32],
    *,
    rows: NDArray[np.int64] | None = None,
    threads: int | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the nearest centroid of each row by cosine.

    Args:
        vectors: (n, d), unit rows.
        centroids: (k, d), unit rows.
        rows: int64 (m,), the rows to assign; None for all, where rows of zeros get -1.
        threads: changes no bit.

    Returns:
        labels int32 (m,) and cosines float32 (m,).
    """
    wanted = np.arange(len(vectors), dtype=np.int64) if rows is None else rows
    labels = np.full(len(wanted), -1, dtype=np.int32)
    cosine = np.full(len(wanted), -np.inf, dtype=np.float32)
    # Whole multiples of 64 columns go through the same kernel, so the width changes no bit.
    width = min(_TILE_COLUMNS, -(-len(centroids) // 64) * 64)
    padded = np.zeros((-(-len(centroids) // width) * width, centroids.shape[1]), dtype=np.float32)
    padded[: len(centroids)] = centroids

    def one(first: int) -> None:
        tile = np.zeros((_TILE_ROWS, centroids.shape[1]), dtype=np.float32)
        part = wanted[first : first + _TILE_ROWS]
        tile[: len(part)] = vectors[part]
        for column in range(0, len(centroids), width):
            products = tile @ padded[column : column + width].T
            ours = slice(first, first + len(part))
            _take_best(products, column, len(centroids), labels[ours], cosine[ours])

    with side_by_side(threads) as each:
        each(one, range(0, len(wanted), _TILE_ROWS))
    if rows is None:
        empty = ~vectors.any(axis=1)
        labels[empty], cosine[empty] = -1, 0.0
    return labels, cosine


@njit(cache=True, nogil=True)
def _take_best(products, column, k, labels, cosine):  # type: ignore[no-untyped-def]
    width = min(products.shape[1], k - column)
    for i in range(len(labels)):
        for j in range(width):
            if products[i, j] > cosine[i]:
                labels[i], cosine[i] = column + j, products[i, j]


def _means(
    vectors: NDArray[np.float16],
    rows: NDArray[np.int64],
    labels: NDArray[np.int32],
    cosine: NDArray[np.float32],
    k: int,
) -> NDArray[np.float32]:
    """Return the unit means of the clusters; an empty one becomes the vector farthest from its centroid."""
    sums = np.zeros((k, vectors.shape[1]), dtype=np.float64)
    for first in range(0, len(rows), 65_536):
        part = slice(first, first + 65_536)
        _add_rows(vectors[rows[part]].astype(np.float32), labels[part], sums)
    empty = np.flatnonzero(np.bincount(labels, minlength=k) == 0)
    if len(empty):
        farthest = np.lexsort((rows, cosine))[: len(empty)]
        sums[empty] = vectors[rows[farthest]]
    norms = np.sqrt((sums * sums).sum(axis=1))
    return np.asarray(sums / np.where(norms > 0, norms, 1.0)[:, None], dtype=np.float32)


@njit(cache=True, nogil=True)
def _add_rows(part, labels, sums):  # type: ignore[no-untyped-def]
    for i in range(len(labels)):
        label = labels[i]
        for j in range(part.shape[1]):
            sums[label, j] += part[i, j]

"""Dividing documents into train, validation and test: by keyed hash, by share, never through a group.

The result depends on the set of documents only. A leak check lists the verified near-duplicates that a split divides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tamis.analytics.steps.measures import Pairs
from tamis.analytics.training.data import SPLITS
from tamis.data.hashing import mix_keys, uniform

LEAKS_SCHEMA = pa.schema(
    [
        ("left", pa.string()),
        ("left_split", pa.string()),
        ("right", pa.string()),
        ("right_split", pa.string()),
        ("similarity", pa.float32()),
        ("pairs", pa.int64()),
    ]
)
"""A row of a leak check: two documents in different splits, and how many such pairs the two texts give with copies."""


def assign(
    keys: NDArray[np.uint64],
    sizes: NDArray[np.int64],
    groups: NDArray[np.int64],
    *,
    validation: float,
    test: float,
    seed: int,
) -> NDArray[np.int8]:
    """Return the split of each document, int8 (n,): the place in ``SPLITS``.

    Groups are taken in the order of a keyed hash of their members; each goes to validation if it fits into what is left
    of its share, else to test if it fits there, else to train.

    Args:
        keys: uint64 (n,), ``hashing.key64`` of the ids.
        sizes: int64 (n,), what shares are counted in: tokens, or ones.
        groups: int64 (n,), equal for documents that stay together, numbers from 0.
        validation, test: shares in [0, 1).
        seed: of the keyed hash.
    """
    count = int(groups.max(initial=-1)) + 1
    mixed, totals = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=np.int64)
    # A sum does not depend on the order of members, and favours neither small nor large groups.
    np.add.at(mixed, groups, mix_keys(keys, seed=seed, salt="split"))
    np.add.at(totals, groups, sizes)
    first = np.full(count, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(first, groups, keys)
    order = np.lexsort((first, mix_keys(mixed, seed=seed, salt="split groups")))
    whole = float(totals.sum())
    return np.asarray(_fill(order, totals, validation * whole, test * whole)[groups], dtype=np.int8)


@njit(cache=True, nogil=True)
def _fill(order, totals, validation, test):  # type: ignore[no-untyped-def]
    """Return the split of each group, int8."""
    out = np.zeros(len(totals), dtype=np.int8)
    given = np.zeros(2)
    for group in order:
        size = float(totals[group])
        if given[0] + size <= validation:
            out[group] = 1
            given[0] += size
        elif given[1] + size <= test:
            out[group] = 2
            given[1] += size
    return out


def random_split(keys: NDArray[np.uint64], *, validation: float, test: float, seed: int) -> NDArray[np.int8]:
    """Return the split of each document on its own, int8 (n,), to compare with: each with the chance of its share."""
    drawn = uniform(keys, seed=seed, salt="random split")
    return np.where(drawn < validation, 1, np.where(drawn < validation + test, 2, 0)).astype(np.int8)


@dataclass(frozen=True, eq=False)
class VerifiedTwins:
    """Which of some documents are verified twins.

    Attributes:
        sets: int64 (n,), equal for documents with the same normalised text; the facts row of the first of them.
        pairs: near-duplicates between sets, by the same numbers.
    """

    sets: NDArray[np.int64]
    pairs: Pairs

    @classmethod
    def of(cls, rows: NDArray[np.int64], first: NDArray[np.int64], pairs: Pairs, *, level: float) -> VerifiedTwins:
        """Return the twins among the documents ``rows``, int64 (n,), whose similarity reaches a level.

        Args:
            rows: facts rows, ascending.
            first: int64 (all documents,), the set of each.
            pairs: measured pairs of sets.
            level: smallest similarity, compared in float32.
        """
        sets = first[rows].astype(np.int64)
        there = np.zeros(len(first), dtype=np.bool_)
        there[sets] = True
        near = (pairs.similarity >= np.float32(level)) & there[pairs.left] & there[pairs.right]
        return cls(sets, Pairs(pairs.left[near], pairs.right[near], pairs.similarity[near]))


def join_groups(
    n: int, *, twins: VerifiedTwins | None = None, codes: Sequence[NDArray[np.int64]] = ()
) -> NDArray[np.int64]:
    """Return the group of each document, int64 (n,) from 0: documents joined by any chain of links.

    Args:
        n: number of documents.
        twins: verified twins.
        codes: int64 (n,) each: documents with the same code, unless it is negative, belong together.
    """
    left, right, nodes = [], [], n
    members = np.arange(n)
    if twins is not None and n:
        values = np.unique(twins.sets)
        left += [members, n + np.searchsorted(values, twins.pairs.left)]
        right += [n + np.searchsorted(values, twins.sets), n + np.searchsorted(values, twins.pairs.right)]
        nodes += len(values)
    for code in codes:
        known = code >= 0
        left.append(members[known])
        right.append(nodes + code[known])
        nodes += int(code.max(initial=-1)) + 1
    if not left:
        return members
    ends = np.concatenate(left), np.concatenate(right)
    graph = coo_array((np.ones(len(ends[0]), dtype=np.bool_), ends), shape=(nodes, nodes))
    labels = connected_components(graph, directed=False)[1][:n]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, eq=False)
class LeakCheck:
    """The verified twins that a split divides.

    Attributes:
        pairs: how many pairs of documents lie in different splits.
        table: rows of ``LEAKS_SCHEMA``, the most similar first: one for every two texts and splits.
    """

    pairs: int
    table: pa.Table


def check_leaks(split: NDArray[np.int8], twins: VerifiedTwins, ids: pa.Array) -> LeakCheck:
    """Return the twins in different splits; every one, exact for the pairs that were found and verified.

    Args:
        split: int8 (n,), as ``assign`` gives it.
        twins: of the same documents.
        ids: string (n,), of the same documents.
    """
    n = len(split)
    values, place = np.unique(twins.sets, return_inverse=True)
    cells = np.bincount(place * len(SPLITS) + split, minlength=len(values) * len(SPLITS)).reshape(-1, len(SPLITS))
    example = np.full(cells.shape, -1, dtype=np.int64)
    example[place[::-1], split[::-1]] = np.arange(n)[::-1]
    own = np.arange(len(values))
    left = np.concatenate([own, np.searchsorted(values, twins.pairs.left)])
    right = np.concatenate([own, np.searchsorted(values, twins.pairs.right)])
    similarity = np.concatenate([np.ones(len(own), dtype=np.float32), twins.pairs.similarity])
    rows = []
    for a in range(len(SPLITS)):
        for b in range(len(SPLITS)):
            times = cells[left, a] * cells[right, b]
            # Of a text with itself, each two splits are met twice.
            found = np.flatnonzero((times > 0) & (a != b) & ((left != right) | (a < b)))
            rows.append((found, np.full(len(found), a), np.full(len(found), b), times[found]))
    found, first, second, times = (np.concatenate(part) for part in zip(*rows, strict=True))
    one, two = example[left[found], first], example[right[found], second]
    order = np.lexsort((two, one, -similarity[found]))
    names = pa.array(SPLITS, pa.string())
    columns = [
        ids.take(pa.array(one[order])).cast(pa.string()),
        names.take(pa.array(first[order])),
        ids.take(pa.array(two[order])).cast(pa.string()),
        names.take(pa.array(second[order])),
        pa.array(similarity[found][order]),
        pa.array(times[order].astype(np.int64)),
    ]
    return LeakCheck(int(times.sum()), pa.table(columns, schema=LEAKS_SCHEMA))

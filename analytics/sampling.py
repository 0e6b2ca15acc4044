"""Choosing documents by scores: top shares, keyed weighted sampling, strata. Pure functions with total orders.

Chance comes from keyed hashes of document ids, so a choice is the same for any row order. Weighted sampling without
replacement adds Gumbel noise to the logarithm of the weights and takes the largest (Efraimidis and Spirakis 2006;
Vieira 2014, "Gumbel-max trick and weighted reservoir sampling").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tamis.data.hashing import uniform


def gumbel(keys: NDArray[np.uint64], *, seed: int, salt: str) -> NDArray[np.float64]:
    """Return standard Gumbel noise per document, float64 (n,), a pure function of (seed, salt, key)."""
    return np.asarray(-np.log(-np.log(uniform(keys, seed=seed, salt=salt))), dtype=np.float64)


def ranks_within(
    scores: NDArray[np.float64], rows: NDArray[np.int64], codes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order documents by group, then highest score, then row; NaN comes last.

    Args:
        scores: float64 (n,).
        rows: int64 (n,), facts rows, which break ties.
        codes: int64 (n,), group of each document.

    Returns:
        order int64 (n,), places in that order; rank int64 (n,), place of ``order[k]`` within its group, from 0.
    """
    order = np.lexsort((rows, np.where(np.isnan(scores), np.inf, -scores), codes))
    sizes = np.bincount(codes) if len(codes) else np.zeros(0, dtype=np.int64)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order, np.arange(len(order)) - starts


def rounded_share(share: float, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of each group make up a share, halves rounded up, int64 (groups,)."""
    # A share such as 0.29 times 100 is 28.999999999999996: round that first.
    return np.floor(np.round(share * sizes, 9) + 0.5).astype(np.int64)


def first_of_each(
    order: NDArray[np.int64], rank: NDArray[np.int64], codes: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which documents are among the first ``counts[group]`` of their group, bool (n,)."""
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order] = rank < counts[codes[order]]
    return chosen


def within_amount(
    order: NDArray[np.int64], codes: NDArray[np.int64], cost: NDArray[np.int64], amounts: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which documents fit when each group is walked in order and stops before its amount is exceeded, bool (n,).

    Args:
        order: int64 (n,), documents group by group, see ``ranks_within``.
        codes: int64 (n,), group of each document.
        cost: int64 (n,), what each document takes.
        amounts: float64 (groups,), what each group may take.
    """
    running = np.cumsum(cost[order])
    grouped = codes[order]
    first = np.r_[True, grouped[1:] != grouped[:-1]] if len(order) else np.zeros(0, dtype=bool)
    starts = np.flatnonzero(first)
    before = np.repeat(running[starts] - cost[order][starts], np.diff(np.r_[starts, len(order)]))
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order] = running - before <= amounts[grouped]
    return chosen


def standardised(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scores with mean 0 and standard deviation 1, NaN stays; all 0 when they do not differ."""
    known = scores[~np.isnan(scores)]
    spread = float(known.std()) if len(known) else 0.0
    return (scores - known.mean()) / spread if spread > 0 else scores * 0.0


def strata(scores: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return which of ``count`` strata of equal width between the extremes a score lies in, int64 (n,); NaN is -1."""
    known = scores[~np.isnan(scores)]
    found = np.full(len(scores), -1, dtype=np.int64)
    if len(known):
        low, high = float(known.min()), float(known.max())
        width = (high - low) / count or 1.0
        inside = ~np.isnan(scores)
        found[inside] = np.minimum((scores[inside] - low) / width, count - 1).astype(np.int64)
    return found


def even_quotas(sizes: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Return how many to take from each stratum so that all give the same as far as they can, int64 (k,).

    The smallest strata are settled first and what they lack goes to the others; ties by number. Source: Zheng et al.
    2023, arXiv 2210.15809, algorithm 1.
    """
    quotas = np.zeros(len(sizes), dtype=np.int64)
    left = min(total, int(sizes.sum()))
    order = np.lexsort((np.arange(len(sizes)), sizes))
    for place, stratum in enumerate(order):
        quotas[stratum] = min(int(sizes[stratum]), left // (len(sizes) - place))
        left -= int(quotas[stratum])
    # Whole numbers leave a remainder smaller than the number of strata: one more each, the largest first.
    for stratum in order[::-1]:
        if left and quotas[stratum] < sizes[stratum]:
            quotas[stratum] += 1
            left -= 1
    return quotas

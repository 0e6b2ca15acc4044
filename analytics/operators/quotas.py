"""Budgets of concepts from their complexity, projected onto the documents available. Pure functions.

Source: Abbas et al. 2024, "Effective pruning of web-scale datasets based on complexity of concept clusters", arXiv
2401.04578. The quadratic programme of the paper has the closed form x_j = clip(N P_j + lambda, l_j, n_j).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tamis.data.errors import RecipeError

FLOOR = 0.5
"""Every concept keeps at least this part of an equal share, or all but one of its documents when it has fewer."""


def project(
    wanted: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], total: float
) -> NDArray[np.float64]:
    """Return the point nearest to ``wanted`` with ``low <= x <= high`` and ``sum(x) = total``, float64 (k,).

    Minimises 1/2 |x|^2 - wanted . x; x_j = clip(wanted_j + lambda, low_j, high_j), lambda from the sorted breakpoints.

    Raises:
        RecipeError: no point satisfies the bounds.
    """
    slack = 1e-9 * max(1.0, abs(total))
    if np.any(low > high) or not low.sum() - slack <= total <= high.sum() + slack:
        raise RecipeError(
            "The budget cannot be met",
            value=total,
            allowed=f"{low.sum():.6g} to {high.sum():.6g}",
            fix="change the budget, or the least that every group keeps",
        )
    if not len(wanted):
        return wanted.copy()
    rises, stops = low - wanted, high - wanted
    points = np.concatenate([rises, stops])
    order = np.argsort(points, kind="stable")
    slopes = np.cumsum(np.concatenate([np.ones(len(low)), -np.ones(len(low))])[order])
    ordered = points[order]
    sums = low.sum() + np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(ordered))])
    place = int(np.clip(np.searchsorted(sums, total, side="right") - 1, 0, len(sums) - 1))
    slope = slopes[place]
    shift = ordered[place] + ((total - sums[place]) / slope if slope > 0 else 0.0)
    found = np.clip(wanted + shift, low, high)
    # Sums of many breakpoints lose digits: one exact step along the free coordinates brings them back.
    free = (found > low) & (found < high)
    if free.any():
        found[free] += (total - found.sum()) / np.count_nonzero(free)
    return np.clip(found, low, high)


def whole_numbers(
    quotas: NDArray[np.float64], low: NDArray[np.int64], high: NDArray[np.int64], total: int
) -> NDArray[np.int64]:
    """Round quotas to whole numbers within their bounds whose sum is exactly ``total``, int64 (k,).

    Largest remainders first (Hamilton's method), ties by the smaller number of the group.
    """
    near = np.round(quotas)
    exact = np.where(np.abs(quotas - near) < 1e-7, near, quotas)
    found = np.clip(np.floor(exact).astype(np.int64), low, high)
    order = np.lexsort((np.arange(len(quotas)), -(exact - np.floor(exact))))
    while (missing := total - int(found.sum())) != 0:
        step = 1 if missing > 0 else -1
        room = [k for k in (order if step > 0 else order[::-1]) if low[k] <= found[k] + step <= high[k]]
        if not room:
            raise RecipeError("The budget cannot be met", value=total, allowed=f"{low.sum()} to {high.sum()}")
        found[room[: abs(missing)]] += step
    return found


def preferences(
    complexity: NDArray[np.float64], sizes: NDArray[np.float64], *, tau: float, alpha: float = 0.0
) -> NDArray[np.float64]:
    """Return the share each group should have, float64 (k,), sum 1: P_j ~ size_j^alpha exp(C_j / tau).

    Args:
        complexity: float64 (k,); NaN counts as the mean of the others.
        sizes: float64 (k,), documents or tokens.
        tau: temperature in units of the complexity; small means that complexity decides.
        alpha: 0 ignores size, as published; 1 is proportional to it.
    """
    known = complexity[~np.isnan(complexity)]
    filled = np.where(np.isnan(complexity), known.mean() if len(known) else 0.0, complexity)
    exponent = alpha * np.log(np.maximum(sizes, 1e-300)) + filled / tau
    weights = np.where(sizes > 0, np.exp(exponent - exponent.max(initial=-np.inf)), 0.0)
    return np.asarray(weights / max(weights.sum(), 1e-300), dtype=np.float64)


def compute_floors(sizes: NDArray[np.int64], total: int, *, floor: float = FLOOR) -> NDArray[np.int64]:
    """Return the fewest documents each group keeps, int64 (k,): l_j = min(floor(``floor`` N / k), n_j - 1)."""
    equal = int(np.floor(floor * total / max(len(sizes), 1)))
    return np.maximum(np.minimum(equal, sizes - 1), 0)


def quotas(
    complexity: NDArray[np.float64],
    sizes: NDArray[np.int64],
    total: int,
    *,
    tau: float,
    alpha: float = 0.0,
    floor: float = FLOOR,
) -> NDArray[np.int64]:
    """Return how many documents (or tokens) each group may have, int64 (k,), with sum exactly ``total``.

    Args:
        complexity: float64 (k,).
        sizes: int64 (k,), documents (or tokens) in each group.
        total: the budget.
        tau, alpha: see ``preferences``.
        floor: see ``compute_floors``.

    Raises:
        RecipeError: the budget is larger than the sum of ``sizes``.
    """
    low = compute_floors(sizes, total, floor=floor)
    shares = preferences(complexity, sizes.astype(np.float64), tau=tau, alpha=alpha)
    exact = project(total * shares, low.astype(np.float64), sizes.astype(np.float64), float(total))
    return whole_numbers(exact, low, sizes, total)


def fill_shares(wanted: NDArray[np.float64], caps: NDArray[np.float64], total: float | None) -> NDArray[np.float64]:
    """Return amounts in the wanted proportions, capped; what a group cannot give goes to the others in proportion.

    Args:
        wanted: float64 (k,), weights >= 0.
        caps: float64 (k,), the most each group can give.
        total: the target sum; None for the largest sum in exact proportions.
    """
    amounts = np.zeros(len(wanted))
    active = (wanted > 0) & (caps > 0)
    if not active.any():
        return amounts
    if total is None:
        return np.where(active, wanted * (caps[active] / wanted[active]).min(), 0.0)
    left = min(total, float(caps[active].sum()))
    while active.any() and left > 0:
        share = np.where(active, wanted, 0.0)
        share = left * share / share.sum()
        over = active & (share >= caps)
        if not over.any():
            return np.where(active, share, amounts)
        amounts[over] = caps[over]
        left -= float(caps[over].sum())
        active &= ~over
    return amounts

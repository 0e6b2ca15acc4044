"""The law between a mixture of domains and the bits per byte it leads to, and the mixture that is best by it.

The law is bits = c + exp(sum of t_d w_d), fitted by ridge regression of log(bits - c), with c and the ridge that
predict left-out trials best. It is minimised under

- a pull to the natural mixture, ``pull`` bits for each nat of KL(w || natural), since a swarm says little far from it
  and the law knows nothing of what variety is worth;
- the supply: no domain gives more tokens than it has, copies counted.

The law is convex, so there is one optimum. Its error is that of five-fold cross-validation in which everything is
chosen anew in every fold; intervals add a bootstrap over the trials.

Sources: Chen et al. 2026, arXiv 2602.12237 (Olmix: log-linear law, KL pull, repetition caps); Ye et al. 2024, arXiv
2403.16952 (the law).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import spearmanr

from tamis.data.errors import SettingError
from tamis.data.hashing import uniform

FOLDS = 5
BOOTSTRAPS = 100
FLOORS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98)
"""Values of c that are tried, as a part of the smallest bits per byte seen."""

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@dataclass(frozen=True, eq=False)
class LogLinear:
    """The law bits = floor + exp(weights @ slopes).

    Attributes:
        floor: bits that no mixture goes below.
        ridge: of the regression.
        slopes: float64 (d,).
        error: root of the mean squared leave-one-out error, bits per byte.
    """

    floor: float
    ridge: float
    slopes: NDArray[np.float64]
    error: float

    @classmethod
    def fit(cls, weights: NDArray[np.float64], bits: NDArray[np.float64]) -> LogLinear:
        """Fit the law, with the floor and the ridge of the smallest leave-one-out error, ties to the first."""
        laws = (cls.fit_with(weights, bits, part * float(bits.min()), ridge) for part in FLOORS for ridge in RIDGES)
        return min(laws, key=lambda law: law.error)

    @classmethod
    def fit_with(cls, weights: NDArray[np.float64], bits: NDArray[np.float64], floor: float, ridge: float) -> LogLinear:
        """Fit the slopes at a given floor and ridge; left-out predictions come from the hat matrix."""
        logs = np.log(bits - floor)
        centre = float(logs.mean())
        inner = weights.T @ weights + ridge * np.eye(weights.shape[1])
        # Weights sum to 1, so the mean can be a part of every slope.
        slopes = np.asarray(np.linalg.solve(inner, weights.T @ (logs - centre)) + centre, dtype=np.float64)
        hat = np.einsum("ij,ji->i", weights, np.linalg.solve(inner, weights.T))
        left_out = logs - (logs - weights @ slopes) / np.maximum(1.0 - hat, 1e-9)
        error = float(np.sqrt(np.mean((floor + np.exp(np.minimum(left_out, 50.0)) - bits) ** 2)))
        return cls(floor, ridge, slopes, error)

    def predict(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the bits per byte of mixtures, float64 (k,), from weights (k, d)."""
        return np.asarray(self.floor + np.exp(weights @ self.slopes), dtype=np.float64)


def cross_validate(weights: NDArray[np.float64], bits: NDArray[np.float64]) -> tuple[float, float]:
    """Return the error in bits per byte and the rank correlation of predictions for trials that no fit has seen."""
    fold = np.arange(len(bits)) % FOLDS
    predicted = np.empty(len(bits))
    for number in range(FOLDS):
        out = fold == number
        predicted[out] = LogLinear.fit(weights[~out], bits[~out]).predict(weights[out])
    rank = float(spearmanr(predicted, bits).statistic) if np.ptp(predicted) > 0 and np.ptp(bits) > 0 else 0.0
    return float(np.sqrt(np.mean((predicted - bits) ** 2))), rank


def bootstrap_slopes(
    law: LogLinear, weights: NDArray[np.float64], bits: NDArray[np.float64], *, seed: int
) -> NDArray[np.float64]:
    """Return the slopes of fits to trials drawn with replacement by keyed hash, float64 (BOOTSTRAPS, d)."""
    numbers = np.arange(len(bits), dtype=np.uint64)
    found = []
    for draw in range(BOOTSTRAPS):
        chosen = (uniform(numbers, seed=seed, salt=f"bootstrap {draw}") * len(bits)).astype(np.int64)
        found.append(LogLinear.fit_with(weights[chosen], bits[chosen], law.floor, law.ridge).slopes)
    return np.array(found)


def best_weights(
    law: LogLinear, natural: NDArray[np.float64], caps: NDArray[np.float64], *, pull: float
) -> NDArray[np.float64]:
    """Return the weights of fewest predicted bits plus ``pull`` * KL(w || natural), float64 (d,), sum 1.

    Raises:
        SettingError: no mixture fits into the caps.
    """
    low = 1e-9
    prior = np.maximum(natural, low)

    def cost(weights: NDArray[np.float64]) -> float:
        w = np.maximum(weights, low)
        return float(law.predict(w[None])[0] + pull * (w * np.log(w / prior)).sum())

    def slope(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        w = np.maximum(weights, low)
        return np.asarray(np.exp(w @ law.slopes) * law.slopes + pull * (np.log(w / prior) + 1.0), dtype=np.float64)

    start = np.minimum(prior, caps)
    start = start + (1.0 - start.sum()) * (caps - start) / max(float((caps - start).sum()), low)
    found = minimize(
        cost, start, jac=slope, method="SLSQP", bounds=[(low, max(low, cap)) for cap in caps],
        constraints=[{"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones(len(w))}],
        options={"maxiter": 500, "ftol": 1e-10},
    )  # fmt: skip
    if abs(float(found.x.sum()) - 1.0) > 1e-6:
        raise SettingError("No mixture fits into what the domains have", value=found.message)
    rounded = np.round(np.clip(found.x, 0.0, caps), 6)
    return np.asarray(rounded / rounded.sum(), dtype=np.float64)

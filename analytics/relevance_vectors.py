"""Relevance of documents to a target by their embeddings: a linear classifier, and similarity to examples.

Scorers are fitted, frozen and named as in ``relevance``; their vectors belong to one embedding space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.relevance import Arrays, Input


@dataclass(frozen=True, eq=False)
class LinearVectors:
    """Logistic regression of target against corpus on embeddings, both classes with the same total weight.

    Attributes:
        weights: float64 (d,).
        bias: of the log-odds.
    """

    method: ClassVar[str] = "embedding_classifier"
    input: ClassVar[Input] = "vectors"

    weights: NDArray[np.float64]
    bias: float

    @classmethod
    def fit(cls, target: NDArray[np.floating], corpus: NDArray[np.floating], *, penalty: float = 1e-3) -> LinearVectors:
        """Minimise the mean log loss plus ``penalty`` / 2 |w|^2 by L-BFGS from zero."""
        from scipy.optimize import minimize

        rows = np.concatenate([target, corpus]).astype(np.float64)
        sign = np.concatenate([np.ones(len(target)), -np.ones(len(corpus))])
        cost = np.concatenate([np.full(len(part), 0.5 / max(len(part), 1)) for part in (target, corpus)])

        def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            margin = sign * (rows @ point[:-1] + point[-1])
            value = float(cost @ np.logaddexp(0.0, -margin)) + 0.5 * penalty * float(point[:-1] @ point[:-1])
            slope = -cost * sign / (1.0 + np.exp(np.clip(margin, -500, 500)))
            return value, np.append(rows.T @ slope + penalty * point[:-1], slope.sum())

        found = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 300})
        return cls(np.asarray(found.x[:-1]), float(found.x[-1]))

    def score(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the log-odds of belonging to the target, float64 (n,), NaN for rows of zeros."""
        wide = np.asarray(vectors, dtype=np.float64)
        return np.where(wide.any(axis=1), wide @ self.weights + self.bias, np.nan)

    def arrays(self) -> Arrays:
        """Return the scorer as plain arrays."""
        return {"weights": self.weights, "bias": np.array([self.bias])}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> LinearVectors:
        """Read what ``arrays`` returned."""
        return cls(arrays["weights"], float(arrays["bias"][0]))


@dataclass(frozen=True, eq=False)
class Similarity:
    """Cosine to the nearest documents of the target.

    Source: Mizrahi et al. 2025, "Language models improve when pretraining data matches target tasks", arXiv 2507.12466
    (BETR ranks documents by embedding similarity to benchmark examples).

    Attributes:
        vectors: float32 (m, d), unit rows, documents of the target.
        nearest: how many of the largest cosines are averaged; 1 takes the largest.
    """

    method: ClassVar[str] = "similarity"
    input: ClassVar[Input] = "vectors"

    vectors: NDArray[np.float32]
    nearest: int = 1

    def score(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the mean of the ``nearest`` largest cosines, float64 (n,), NaN for rows of zeros."""
        found = np.empty(len(vectors), dtype=np.float64)
        most = min(self.nearest, len(self.vectors))
        for first in range(0, len(vectors), 4096):
            part = np.asarray(vectors[first : first + 4096], dtype=np.float32)
            cosines = part @ self.vectors.T
            best = -np.partition(-cosines, most - 1, axis=1)[:, :most]
            found[first : first + len(part)] = np.where(part.any(axis=1), np.sort(best, axis=1).mean(axis=1), np.nan)
        return found

    def arrays(self) -> Arrays:
        """Return the scorer as plain arrays."""
        return {"vectors": self.vectors, "nearest": np.array([self.nearest])}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Similarity:
        """Read what ``arrays`` returned."""
        return cls(arrays["vectors"], int(arrays["nearest"][0]))

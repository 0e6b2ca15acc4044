"""Rules that keep documents unlike each other: by their vectors, or by components of several scores.

The Vendi score of order 2 is the number of different documents that a set is worth: n^2 / sum over all pairs of the
squared cosine. Taking the document whose squared cosines to those taken sum up to the least keeps it the highest,
one document after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tamis.analytics.embedding.stored_vectors import VECTORS, vectors_measure
from tamis.analytics.operators.operator import OPERATORS, Decision, Group, View
from tamis.analytics.operators.quality import Scores, WeighedScore
from tamis.analytics.operators.sampling import Choosing, percentiles_within, standardise
from tamis.analytics.operators.sets import Seed, group_codes
from tamis.analytics.steps.measures import Measure
from tamis.data.hashing import mix_keys

BLOCK = 4096
"""Most documents that are compared with each other."""

THREADS = 2


def diverse_order(vectors: NDArray[np.floating], depth: int) -> NDArray[np.int64]:
    """Return the first ``depth`` documents of the greedy order by the Vendi score of order 2, int64 (depth,).

    The first document is the first of the block; each next one adds least to the sum of squared cosines, ties to the
    smaller place. Sums have a fixed order, so the result is the same for any threads.

    Args:
        vectors: (m, d), unit rows; documents without a vector (rows of zeros) come last.
        depth: at most m.
    """
    order = np.empty(depth, dtype=np.int64)
    rows = np.asarray(vectors, dtype=np.float32)
    _greedy(np.ascontiguousarray(rows.T), rows.any(axis=1), order)
    return order


@njit(cache=True, nogil=True)
def _greedy(columns, there, order):  # type: ignore[no-untyped-def]
    dimensions, count = columns.shape
    burden = np.where(there, 0.0, np.inf)
    taken = np.zeros(count, dtype=np.bool_)
    cosine = np.zeros(count, dtype=np.float64)
    for place in range(len(order)):
        best = -1
        for k in range(count):
            if not taken[k] and (best < 0 or burden[k] < burden[best]):
                best = k
        order[place], taken[best] = best, True
        if not there[best]:
            continue
        cosine[:] = 0.0
        for j in range(dimensions):
            own = np.float64(columns[j, best])
            for k in range(count):
                cosine[k] += own * columns[j, k]
        for k in range(count):
            burden[k] += cosine[k] * cosine[k]


def vendi_of_order_two(vectors: NDArray[np.floating]) -> float:
    """Return n^2 / sum of squared cosines of all pairs, in [1, n]; 0 without vectors.

    Source: Pasarkar and Dieng 2023, arXiv 2310.12952 (Vendi scores of order q, here q = 2).
    """
    rows = np.asarray(vectors, dtype=np.float64)
    rows = rows[rows.any(axis=1)]
    if not len(rows):
        return 0.0
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return float(len(rows) ** 2 / ((rows.T @ rows) ** 2).sum())


@OPERATORS.register
class DiverseSample(Choosing):
    """Keeps documents that are as unlike each other as possible by their vectors, one after the other.

    Each next document is the one that leaves the Vendi score of order 2 of the kept ones the highest. Groups of more
    than 4,096 documents are cut into equal blocks by keyed hash, and every block gives the same share. A smaller sample
    is a part of a larger one, whose next documents repeat more and more.
    """

    name: ClassVar[str] = "diverse_sample"
    term: ClassVar[str] = "diversity sampling (Vendi score)"
    group: ClassVar[Group] = "Sampling"
    summary: ClassVar[str] = "Keeps documents that are least alike in meaning: the highest diversity at a given size."
    source: ClassVar[str] = (
        "Friedman and Dieng 2023, arXiv 2210.02410 (Vendi score); Pasarkar and Dieng 2023, arXiv 2310.12952 (order 2)"
    )
    warning: ClassVar[str | None] = (
        "Nothing is as diverse as noise: filter first, and take a coverage sample where typical documents are wanted."
    )

    vectors: Literal["analysis", "precise"] = Field(
        "analysis", description="Vectors of the map and the clusters, or precise ones made beside them."
    )
    seed: Seed = 0

    @property
    def measure(self) -> Measure:
        """Return the measure that holds the vectors."""
        return vectors_measure(self.vectors)

    def columns(self) -> frozenset[str]:
        return self.size_columns()

    def measures(self) -> tuple[Measure, ...]:
        return (self.measure,)

    def decide(self, view: View) -> Decision:
        vectors = view.evidence.array(self.measure, VECTORS)
        codes, _ = group_codes(view, self.within)
        depth = self._depth(view, codes)
        while True:
            place = self._places(view, vectors, codes, depth)
            chosen = self.choose(view, -place)
            # A token budget may reach further than its mean document says; a deeper order begins with the same.
            if depth >= 1.0 or not np.isnan(place[chosen]).any():
                break
            depth = min(1.0, 2.0 * depth)
        return Decision(
            copies=np.where(chosen, view.copies, 0).astype(np.int32),
            value=pa.array(place, mask=np.isnan(place)),
            threshold=self.size_text(),
        )

    def _depth(self, view: View, codes: NDArray[np.int64]) -> float:
        """Return the share of every group that has to be ordered."""
        if not len(view):
            return 1.0
        smallest = float(np.bincount(codes).min())
        if self.share is not None:
            return min(1.0, self.share + 1.0 / smallest)
        if self.documents is not None:
            return min(1.0, (self.documents + 1) / smallest)
        return min(1.0, 1.2 * (self.tokens or 0) / max(float(view.numbers("n_tokens").sum()), 1.0) + 1.0 / smallest)

    def _places(
        self, view: View, vectors: NDArray[np.floating], codes: NDArray[np.int64], depth: float
    ) -> NDArray[np.float64]:
        """Return the place of each document in the order of its block, in (0, 1], NaN beyond the depth."""
        found = np.full(len(view), np.nan)

        def order(block: NDArray[np.int64]) -> None:
            count = min(len(block), int(np.ceil(depth * len(block))) + 1)
            first = block[diverse_order(vectors[view.rows[block]], count)]
            found[first] = (np.arange(count) + 1.0) / len(block)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(order, _blocks(codes, view, self.seed)))
        return found

    def sentence(self) -> str:
        return f"Keep {self.size_text()} that are least alike in meaning (seed {self.seed})"


def _blocks(codes: NDArray[np.int64], view: View, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield the places of the documents that are compared with each other, in the order of their keyed hashes."""
    order = np.lexsort((view.rows, mix_keys(view.keys, seed=seed, salt="diverse_sample"), codes))
    if not len(order):
        return
    for group in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        yield from np.array_split(group, max(1, -(-len(group) // BLOCK)))


def principal_axes(columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the principal axes of standardised scores, largest variance first, and the variances.

    Sums go one after the other in the order of the documents, so threads change no bit.

    Args:
        columns: float64 (k, n), each of mean 0.

    Returns:
        axes float64 (k, k), a unit row each, with the sum of a row above 0 (or its largest entry, where the sum is 0);
        variances float64 (k,).
    """
    count = max(columns.shape[1], 1)
    matrix = np.array([[float((one * two).sum()) / count for two in columns] for one in columns])
    variances, axes = np.linalg.eigh(matrix)
    axes, variances = axes.T[::-1], variances[::-1]
    sums = axes.sum(axis=1)
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    sign = np.where(np.abs(sums) > 1e-9, np.sign(sums), np.sign(largest))
    return axes * np.where(sign == 0, 1.0, sign)[:, None], variances


@OPERATORS.register
class OrthogonalScores(Choosing):
    """Keeps the top of each principal component of several scores, instead of the top of their sum.

    Scores that say the same are one component, so what another score alone can tell is not outvoted. Scores are brought
    to mean 0 and standard deviation 1 (NULL to the mean) and multiplied by their weights; components point to where the
    scores rise together. Documents are kept by their best place in any component, so each component gives its top.
    """

    name: ClassVar[str] = "orthogonal_scores"
    term: ClassVar[str] = "orthogonal diversity-aware selection (ODiS)"
    group: ClassVar[Group] = "Sampling"
    summary: ClassVar[str] = "Keeps the top of each principal component of several scores."
    source: ClassVar[str] = (
        "He et al. 2025, arXiv 2510.18909 (ODiS: components of scores, the top of each); Kaiser 1960 (components of at"
        " least the mean variance)"
    )
    warning: ClassVar[str | None] = (
        "A component may point to what nobody wants, such as one score high and another low: the lock of an export"
        " states the loadings."
    )

    scores: Scores = Field(
        min_length=2, description="The scores and their weights; documents with the highest are kept."
    )
    components: int | None = Field(
        None, ge=1, le=50, description="How many components; absent: those of at least the mean variance."
    )

    @model_validator(mode="after")
    def _names_scores_once(self) -> OrthogonalScores:
        if len({item.signal for item in self.scores}) != len(self.scores):
            raise ValueError("each score may be named once only")
        return self

    def columns(self) -> frozenset[str]:
        return self.size_columns() | {item.signal for item in self.scores}

    def decide(self, view: View) -> Decision:
        columns = np.array([self._column(view, item) for item in self.scores])
        axes, variances = principal_axes(columns)
        axes = axes[: self._count(variances)]
        codes, _ = group_codes(view, self.within)
        places = np.full((len(axes), len(view)), np.inf)
        for k, axis in enumerate(axes):
            values = np.zeros(len(view))
            for loading, column in zip(axis, columns, strict=True):
                values += loading * column
            places[k] = 1.0 - percentiles_within(values, codes)
        best = places.min(axis=0) if len(axes) else np.zeros(len(view))
        kept = self.kept(view, -best, 1.0 - best)
        return Decision(kept.copies, kept.value, threshold=kept.threshold, resolved=self._resolved(axes, variances))

    def _column(self, view: View, item: WeighedScore) -> NDArray[np.float64]:
        values = standardise(view.numbers(item.signal))
        return np.where(np.isfinite(values), values, 0.0) * item.weight

    def _count(self, variances: NDArray[np.float64]) -> int:
        if self.components is not None:
            return self.components
        return max(1, int(np.count_nonzero(variances >= variances.mean() - 1e-9)))

    def _resolved(self, axes: NDArray[np.float64], variances: NDArray[np.float64]) -> dict[str, Any]:
        """Return the loadings of the components and their part of the variance, for the lock."""
        whole = max(float(variances.sum()), 1e-300)
        return {
            f"component {k + 1}": {
                "variance": round(float(variances[k]) / whole, 6),
                **{item.signal: round(float(loading), 6) for item, loading in zip(self.scores, axis, strict=True)},
            }
            for k, axis in enumerate(axes)
        }

    def sentence(self) -> str:
        scores = ", ".join(item.signal for item in self.scores[:4]) + (" and more" if len(self.scores) > 4 else "")
        return f"Keep {self.size_text()} at the top of the principal components of {scores}"

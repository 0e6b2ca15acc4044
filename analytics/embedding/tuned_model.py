"""A static model fitted to a corpus: vectors of tokens and of pairs of neighbouring tokens.

The precise model embeds a sample of the corpus; the vectors are the ridge regression of its embeddings on the tokens
and token pairs of the sample, drawn towards the plain static model for features that the sample lacks. A text's
vector is the sum of ``(1 + ln count) * vector`` over its features, scaled to length 1 (Bengio et al. 2013 call such a
model a linear student; the weights are those of Salton and Buckley 1988, log-tf and idf).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tamis.analytics.embedding.kmeans import side_by_side
from tamis.analytics.embedding.static_model import StaticModel, unit_rows
from tamis.analytics.steps.stored_arrays import pack, unpack
from tamis.data.errors import StoreError

FEWEST_DOCUMENTS = 3
"""Minimum number of sample documents for a pair of tokens to get its own vector."""

MOST_PAIRS = 150_000
ITERATIONS = 40
RIDGE = 0.03
KIND = "tuned static embedding"
_SHIFT = 1 << 20
_PART = 2048


@dataclass(frozen=True, eq=False)
class TunedModel:
    """Vectors of tokens and token pairs.

    Attributes:
        base: the plain static model, whose tokenizer finds the tokens.
        pairs: int64 (p,), ascending, ``first * 2**20 + second`` of each pair with a vector.
        vectors: float16 (v + p, d), of the tokens and then of the pairs.
    """

    base: StaticModel
    pairs: NDArray[np.int64]
    vectors: NDArray[np.float16]

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def _wide(self) -> NDArray[np.float32]:
        return self.vectors.astype(np.float32)

    def encode(self, texts: pa.Array | Sequence[str | None]) -> NDArray[np.float16]:
        """Return the vectors of texts, float16 (n, d): unit rows, rows of zeros where no token is known."""
        features, counts, starts = extract_features(*self.base.tokens(texts), self.pairs, len(self.base.vectors))
        sums = np.zeros((len(starts) - 1, self.dimensions), dtype=np.float32)
        _weighted_sums(features, counts, starts, self._wide, sums)
        return unit_rows(sums)

    def table(self) -> pa.Table:
        """Return the model as a table, the stored form that is named by its content."""
        about = {"kind": KIND, "base": self.base.sha256}
        return pack({"pairs": self.pairs, "vectors": self.vectors}, about)

    @classmethod
    def from_table(cls, table: pa.Table, base: StaticModel) -> TunedModel:
        """Read a stored model.

        Raises:
            StoreError: the table is not a tuned model, or was fitted on another tokenizer.
        """
        arrays, about = unpack(table)
        if about.get("kind") != KIND:
            raise StoreError("This is not a tuned embedding model", value=about.get("kind"), allowed=KIND)
        if about["base"] != base.sha256:
            raise StoreError(
                "The tuned model was fitted on another static model than is installed here",
                value=str(about["base"])[:12],
                allowed=base.sha256[:12],
                fix="install the versions it was made with, or fit it again",
            )
        return cls(base, arrays["pairs"], arrays["vectors"])


def fit_tuned(
    base: StaticModel,
    texts: Sequence[str | None],
    targets: NDArray[np.floating[Any]],
    *,
    iterations: int = ITERATIONS,
    ridge: float = RIDGE,
    threads: int | None = None,
    progress: Callable[[], None] = lambda: None,
) -> TunedModel:
    """Fit vectors of tokens and token pairs to the embeddings of a sample.

    Args:
        base: the plain static model.
        texts: the sample.
        targets: (n, d), unit rows, its embeddings by the precise model; rows of zeros are left out.
        iterations: of the conjugate gradients.
        ridge: strength of the pull towards the plain static model.
        threads: changes no bit; None for all processors.
        progress: called after every iteration, may raise.

    Returns:
        The model, with d dimensions.
    """
    wanted = np.ascontiguousarray(targets, dtype=np.float32)
    known = np.flatnonzero(wanted.any(axis=1))
    wanted, chosen = wanted[known], [texts[row] for row in known.tolist()]
    ids, starts = base.tokens(chosen)
    pairs = frequent_pairs(ids, starts)
    tokens = len(base.vectors)
    features, counts, starts = extract_features(ids, starts, pairs, tokens)
    n, size = len(starts) - 1, tokens + len(pairs)
    there = np.bincount(features, minlength=size)
    idf = np.log((1.0 + n) / (1.0 + there)).astype(np.float32)
    design = _Design.of(features, counts * idf[features], starts, size)
    plain = np.zeros((size, base.dimensions), dtype=np.float32)
    plain[:tokens] = base.vectors
    seen = design.times(plain, threads)
    start = plain @ _least_squares(seen, wanted)
    fitted = _conjugate_gradients(design, wanted, start, ridge, iterations, threads, progress)
    return TunedModel(base, pairs, (fitted * idf[:, None]).astype(np.float16))


def frequent_pairs(ids: NDArray[np.int32], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the pairs of neighbouring tokens that occur in at least ``FEWEST_DOCUMENTS`` documents, ascending.

    Of more than ``MOST_PAIRS``, those in most documents are taken, ties by code.
    """
    codes, documents = _pairs(ids, starts)
    order = np.lexsort((documents, codes))
    codes, documents = codes[order], documents[order]
    first = np.ones(len(codes), dtype=bool)
    first[1:] = (codes[1:] != codes[:-1]) | (documents[1:] != documents[:-1])
    values, counts = np.unique(codes[first], return_counts=True)
    often = counts >= FEWEST_DOCUMENTS
    values, counts = values[often], counts[often]
    if len(values) > MOST_PAIRS:
        values = np.sort(values[np.lexsort((values, -counts))[:MOST_PAIRS]])
    return values.astype(np.int64)


def _pairs(ids: NDArray[np.int32], starts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the code of every pair of neighbouring tokens and the document it is in."""
    documents = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    codes = ids[:-1].astype(np.int64) * _SHIFT + ids[1:]
    same = documents[:-1] == documents[1:]
    return codes[same], documents[:-1][same]


def extract_features(
    ids: NDArray[np.int32], starts: NDArray[np.int64], pairs: NDArray[np.int64], tokens: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]:
    """Return the features of each text, each once and ascending, with ``1 + ln count``, and the start of each text.

    Args:
        ids: int32 (t,), concatenated token ids of all texts.
        starts: int64 (n + 1,), where each text begins.
        pairs: int64 (p,), ascending codes of the pairs that are features.
        tokens: size of the vocabulary; the k-th pair is feature ``tokens + k``.
    """
    features = np.empty(2 * len(ids), dtype=np.int32)
    counts = np.empty(2 * len(ids), dtype=np.float32)
    begins = np.zeros(len(starts), dtype=np.int64)
    used = _count_features(ids, starts, pairs, tokens, features, counts, begins)
    return features[:used], counts[:used], begins


@njit(cache=True, nogil=True)
def _count_features(ids, starts, pairs, tokens, features, counts, begins):  # type: ignore[no-untyped-def]
    used = 0
    for row in range(len(starts) - 1):
        first, end = starts[row], starts[row + 1]
        mine = np.empty(2 * (end - first), dtype=np.int32)
        found = 0
        for t in range(first, end):
            mine[found] = ids[t]
            found += 1
            if t + 1 < end:
                code = np.int64(ids[t]) * 1048576 + ids[t + 1]
                place = np.searchsorted(pairs, code)
                if place < len(pairs) and pairs[place] == code:
                    mine[found] = tokens + place
                    found += 1
        mine = np.sort(mine[:found])
        t = 0
        while t < found:
            count = 1
            while t + count < found and mine[t + count] == mine[t]:
                count += 1
            features[used] = mine[t]
            counts[used] = np.float32(1.0 + np.log(count))
            used += 1
            t += count
        begins[row + 1] = used
    return used


@njit(cache=True, nogil=True)
def _weighted_sums(features, weights, starts, vectors, sums):  # type: ignore[no-untyped-def]
    for row in range(len(starts) - 1):
        for t in range(starts[row], starts[row + 1]):
            weight, feature = weights[t], features[t]
            for j in range(vectors.shape[1]):
                sums[row, j] += weight * vectors[feature, j]


@dataclass(frozen=True, eq=False)
class _Design:
    """The sample as a sparse matrix of unit rows, by rows and by columns."""

    rows: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]
    columns: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]

    @classmethod
    def of(
        cls, features: NDArray[np.int32], weights: NDArray[np.float32], starts: NDArray[np.int64], size: int
    ) -> _Design:
        """Return the matrix; each row is scaled to length 1."""
        row = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
        squares = np.bincount(row, weights=weights.astype(np.float64) ** 2, minlength=len(starts) - 1)
        scale = 1.0 / np.sqrt(np.where(squares > 0, squares, 1.0))
        values = (weights * scale[row]).astype(np.float32)
        order = np.argsort(features, kind="stable")
        ends = np.concatenate([[0], np.cumsum(np.bincount(features, minlength=size))]).astype(np.int64)
        return cls((features, values, starts), (row[order], values[order], ends))

    def times(self, right: NDArray[np.float32], threads: int | None) -> NDArray[np.float32]:
        """Return the product with a matrix (size, d), float32 (n, d)."""
        return _product(self.rows, right, threads)

    def transposed_times(self, right: NDArray[np.float32], threads: int | None) -> NDArray[np.float32]:
        """Return the product of the transpose with a matrix (n, d), float32 (size, d)."""
        return _product(self.columns, right, threads)

    def diagonal(self) -> NDArray[np.float64]:
        """Return the squared length of every column, float64 (size,)."""
        place = np.repeat(np.arange(len(self.columns[2]) - 1), np.diff(self.columns[2]))
        squares = self.columns[1].astype(np.float64) ** 2
        return np.bincount(place, weights=squares, minlength=len(self.columns[2]) - 1).astype(np.float64)


def _product(
    sparse: tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]],
    right: NDArray[np.float32],
    threads: int | None,
) -> NDArray[np.float32]:
    features, weights, starts = sparse
    sums = np.zeros((len(starts) - 1, right.shape[1]), dtype=np.float32)

    def one(first: int) -> None:
        part = slice(first, first + _PART)
        _weighted_sums(features, weights, starts[first : first + _PART + 1], right, sums[part])

    with side_by_side(threads) as each:
        each(one, range(0, len(sums), _PART))
    return sums


def _least_squares(seen: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the matrix (a, d) that maps plain vectors to the precise ones by lightly regularised least squares."""
    wide = seen.astype(np.float64)
    with threadpool_limits(1):
        gram = wide.T @ wide + 1e-3 * np.eye(wide.shape[1])
        return np.linalg.solve(gram, wide.T @ wanted.astype(np.float64)).astype(np.float32)


def _conjugate_gradients(
    design: _Design,
    wanted: NDArray[np.float32],
    start: NDArray[np.float32],
    ridge: float,
    iterations: int,
    threads: int | None,
    progress: Callable[[], None],
) -> NDArray[np.float32]:
    """Minimise ``|X W - Y|^2 + ridge |W - start|^2`` for all columns at once, preconditioned by the diagonal."""
    found = start.copy()
    scale = (1.0 / (design.diagonal() + ridge)).astype(np.float32)
    residual = design.transposed_times(wanted - design.times(found, threads), threads)
    direction = scale[:, None] * residual
    before = _summed(_products, (residual, direction), threads)
    for _ in range(iterations):
        progress()
        image = design.transposed_times(design.times(direction, threads), threads)
        along = _summed(_damp, (direction, image, np.float32(ridge)), threads)
        step = (before / np.maximum(along, 1e-20)).astype(np.float32)
        after = _summed(_advance, (found, residual, direction, image, scale, step), threads)
        _summed(_turn, (direction, residual, scale, (after / np.maximum(before, 1e-20)).astype(np.float32)), threads)
        before = after
    return found


def _summed(kernel: Callable[..., None], operands: tuple[Any, ...], threads: int | None) -> NDArray[np.float64]:
    """Run a kernel on parts of the rows, several at once, and return its sums by column, float64 (d,).

    The sums of the parts are added in order, so they have the same bits on any number of threads.
    """
    rows, width = operands[0].shape
    partial = np.zeros((-(-rows // _PART), width), dtype=np.float64)

    def one(number: int) -> None:
        kernel(number * _PART, min(rows, (number + 1) * _PART), *operands, partial[number])

    with side_by_side(threads) as each:
        each(one, range(len(partial)))
    return np.asarray(partial.sum(axis=0))


@njit(cache=True, nogil=True)
def _products(first, end, left, right, total):  # type: ignore[no-untyped-def]
    """Add the inner product of each pair of columns."""
    for i in range(first, end):
        for j in range(left.shape[1]):
            total[j] += np.float64(left[i, j]) * right[i, j]


@njit(cache=True, nogil=True)
def _damp(first, end, direction, image, ridge, total):  # type: ignore[no-untyped-def]
    """Add the ridge to the image of the direction, and their inner products."""
    for i in range(first, end):
        for j in range(image.shape[1]):
            image[i, j] += ridge * direction[i, j]
            total[j] += np.float64(direction[i, j]) * image[i, j]


@njit(cache=True, nogil=True)
def _advance(first, end, found, residual, direction, image, scale, step, total):  # type: ignore[no-untyped-def]
    """Move ``step`` along the direction; add the inner products of the residual with itself, scaled."""
    for i in range(first, end):
        for j in range(found.shape[1]):
            found[i, j] += step[j] * direction[i, j]
            left = residual[i, j] - step[j] * image[i, j]
            residual[i, j] = left
            total[j] += np.float64(left) * (scale[i] * left)


@njit(cache=True, nogil=True)
def _turn(first, end, direction, residual, scale, share, total):  # type: ignore[no-untyped-def]
    """Turn the direction towards the residual."""
    for i in range(first, end):
        for j in range(direction.shape[1]):
            direction[i, j] = scale[i] * residual[i, j] + share[j] * direction[i, j]

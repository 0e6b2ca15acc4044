"""A linear probe: how well labels are learnt from a selection, as macro-F1 and accuracy on documents set apart.

Softmax regression on length-normalised tf-idf of word numbers, trained by AdaGrad in a fixed order on one thread. The
inverse document frequencies come from the whole corpus, so every selection is measured in the same space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.vocabulary import SIZE, WordStream

STEP = 2.5
UPDATES, EPOCHS, MOST_EPOCHS = 100_000, 5, 40
"""A small set is seen more often: about so many updates in all, within these numbers of passes."""


@dataclass(frozen=True, eq=False)
class Features:
    """Documents as sparse rows of unit length.

    Attributes:
        columns: int32 (z,), word number of each value.
        values: float32 (z,).
        starts: int64 (n + 1,).
    """

    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of(cls, stream: WordStream, idf: NDArray[np.float64]) -> Features:
        """Return (1 + ln tf) * idf of each document's words, divided by the length of the row."""
        columns = np.empty(len(stream.words), dtype=np.int32)
        values = np.empty(len(stream.words), dtype=np.float32)
        starts = np.zeros(len(stream) + 1, dtype=np.int64)
        count = _features(stream.words, stream.starts, idf, columns, values, starts)
        return cls(columns[:count].copy(), values[:count].copy(), starts)


def inverse_frequencies(stream: WordStream) -> NDArray[np.float64]:
    """Return ln((1 + n) / (1 + documents with the word)) + 1 per word number, float64 (SIZE,)."""
    found = np.zeros(SIZE)
    _document_counts(stream.words, stream.starts, found)
    return np.asarray(np.log((1.0 + len(stream)) / (1.0 + found)) + 1.0, dtype=np.float64)


@dataclass(frozen=True)
class Score:
    """How well labels were predicted.

    Attributes:
        macro_f1: mean F1 of the classes that occur in the test documents.
        accuracy: share of test documents predicted right.
    """

    macro_f1: float
    accuracy: float


def fit(features: Features, rows: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Train on some rows and return the weights, float32 (SIZE + 1, classes), the bias in the last row.

    Args:
        features: of all documents.
        rows: int64 (m,), training documents; a document may be there several times.
        labels: int64 (n,), class of each document.
        classes: number of classes.
    """
    weights = np.zeros((SIZE + 1, classes), dtype=np.float32)
    if not len(rows):
        return weights
    epochs = int(np.clip(UPDATES // len(rows), EPOCHS, MOST_EPOCHS))
    random = np.random.default_rng(0)
    order = np.concatenate([rows[random.permutation(len(rows))] for _ in range(epochs)])
    _train(features.columns, features.values, features.starts, order, labels, np.float32(STEP), weights)
    return weights


def predict(features: Features, rows: NDArray[np.int64], weights: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the likeliest class of each row, int64 (m,), ties to the smaller number."""
    found = np.empty(len(rows), dtype=np.int64)
    _predict(features.columns, features.values, features.starts, rows, weights, found)
    return found


def score(predicted: NDArray[np.int64], truth: NDArray[np.int64], classes: int) -> Score:
    """Return macro-F1 over the classes that occur in ``truth``, and accuracy."""
    right = np.bincount(truth[predicted == truth], minlength=classes).astype(np.float64)
    said = np.bincount(predicted, minlength=classes)
    there = np.bincount(truth, minlength=classes)
    f1 = 2 * right / np.maximum(said + there, 1)
    return Score(
        float(f1[there > 0].mean()) if len(truth) else 0.0, float((predicted == truth).mean() if len(truth) else 0)
    )


@njit(cache=True, nogil=True)
def _document_counts(words, starts, found):  # type: ignore[no-untyped-def]
    last = np.full(len(found), -1, dtype=np.int64)
    for d in range(len(starts) - 1):
        for i in range(starts[d], starts[d + 1]):
            if last[words[i]] != d:
                last[words[i]] = d
                found[words[i]] += 1


@njit(cache=True, nogil=True)
def _features(words, starts, idf, columns, values, firsts):  # type: ignore[no-untyped-def]
    count = 0
    for d in range(len(starts) - 1):
        own = np.sort(words[starts[d] : starts[d + 1]])
        first, i = count, 0
        length = 0.0
        while i < len(own):
            stop = i
            while stop < len(own) and own[stop] == own[i]:
                stop += 1
            value = (1.0 + np.log(stop - i)) * idf[own[i]]
            columns[count], values[count] = own[i], value
            length += value * value
            count += 1
            i = stop
        for k in range(first, count):
            values[k] /= np.sqrt(length)
        firsts[d + 1] = count
    return count


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _train(columns, values, starts, order, labels, step, weights):  # type: ignore[no-untyped-def]
    """AdaGrad with one rate per word: the squared slopes of all classes are summed."""
    classes = weights.shape[1]
    bias = weights.shape[0] - 1
    squares = np.ones(weights.shape[0], dtype=np.float32)
    scores = np.empty(classes, dtype=np.float32)
    for d in order:
        scores[:] = weights[bias]
        for k in range(starts[d], starts[d + 1]):
            row, value = weights[columns[k]], values[k]
            for c in range(classes):
                scores[c] += value * row[c]
        most = scores.max()
        total = np.float32(0.0)
        for c in range(classes):
            scores[c] = np.exp(scores[c] - most)
            total += scores[c]
        length = np.float32(0.0)
        for c in range(classes):
            scores[c] /= total
        scores[labels[d]] -= np.float32(1.0)
        for c in range(classes):
            length += scores[c] * scores[c]
        for k in range(starts[d], starts[d + 1]):
            column, value = columns[k], values[k]
            squares[column] += value * value * length
            rate = step * value / np.sqrt(squares[column])
            row = weights[column]
            for c in range(classes):
                row[c] -= rate * scores[c]
        squares[bias] += length
        rate = step / np.sqrt(squares[bias])
        row = weights[bias]
        for c in range(classes):
            row[c] -= rate * scores[c]


@njit(cache=True, nogil=True)
def _predict(columns, values, starts, rows, weights, found):  # type: ignore[no-untyped-def]
    classes = weights.shape[1]
    bias = weights.shape[0] - 1
    for place in range(len(rows)):
        d = rows[place]
        best, value = 0, np.float32(-np.inf)
        for c in range(classes):
            own = weights[bias, c]
            for k in range(starts[d], starts[d + 1]):
                own += values[k] * weights[columns[k], c]
            if own > value:
                best, value = c, own
        found[place] = best

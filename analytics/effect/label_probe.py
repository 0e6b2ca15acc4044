"""Label probe: a recipe's documents against the same number of random ones, at several fractions kept.

A linear classifier learns labels from a selection; macro-F1 and accuracy on held-out documents are its score.

Softmax regression on length-normalised tf-idf of word numbers, or on the vectors of pictures, trained by AdaGrad in a
fixed order on one thread. The inverse document frequencies, or the mean of the vectors, come from the whole corpus, so
every selection is measured in the same space.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.effect.bench import THREADS, WordRows
from tamis.analytics.effect.verdict import Difference, compare
from tamis.analytics.text.tfidf import Features, inverse_frequencies
from tamis.analytics.text.word_stream import SIZE
from tamis.data.hashing import mix_keys, uniform
from tamis.data.progress import NullProgress, Progress

STEP = 2.5
UPDATES, EPOCHS, MOST_EPOCHS = 100_000, 5, 40
"""Small sets get more passes: about this many updates in all, within these numbers of passes."""


@dataclass(frozen=True)
class Score:
    """Quality of predicted labels.

    Attributes:
        macro_f1: mean F1 of the classes that occur in the test documents.
        accuracy: share of test documents with the right label.
    """

    macro_f1: float
    accuracy: float


def fit(features: Features, rows: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Train on some rows and return the weights, float32 (SIZE + 1, classes), the bias in the last row.

    Args:
        features: of all documents.
        rows: int64 (m,), training documents; a document may occur several times.
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
    """Return the most likely class of each row, int64 (m,); ties go to the smaller number."""
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


FRACTIONS = (0.01, 0.03, 0.1, 0.3, 1.0)
TEST_SHARE = 0.2
LEAST_OF_CLASS = 5
MOST_DOCUMENTS = 60_000
"""Most labelled documents of a probe; larger corpora are sampled by keyed hash."""

MOST_VECTORS = 10_000
"""The same of a probe on vectors, whose rows are a thousand numbers each."""


@dataclass(frozen=True)
class ProbePoint:
    """One fraction of the labelled documents.

    Attributes:
        fraction: training documents as a share of all labelled training documents.
        documents: how many.
        recipe: macro-F1 of each draw from the recipe.
        random: macro-F1 of each random draw.
        recipe_accuracy, random_accuracy: means.
    """

    fraction: float
    documents: int
    recipe: tuple[float, ...]
    random: tuple[float, ...]
    recipe_accuracy: float
    random_accuracy: float


@dataclass(frozen=True)
class ProbeCurve:
    """Macro-F1 against fraction kept.

    Attributes:
        column: the labels.
        classes: number of probed classes.
        test_documents: held-out documents, the same for every point.
        kept: share of the labelled training documents that the recipe keeps.
        points: by fraction; the last one has all that the recipe keeps.
        difference: recipe against random at the last point.
        sampled: whether the corpus has more labelled documents than the probe uses.
    """

    column: str
    classes: int
    test_documents: int
    kept: float
    points: tuple[ProbePoint, ...]
    difference: Difference
    sampled: bool


def word_features(words: WordRows) -> Callable[[NDArray[np.int64]], Features]:
    """Return the function that gives documents by their words, their inverse frequencies among those asked for."""

    def features(rows: NDArray[np.int64]) -> Features:
        stream = words.take(rows)
        return Features.of(stream, inverse_frequencies(stream))

    return features


def vector_features(vectors: NDArray[np.floating]) -> Callable[[NDArray[np.int64]], Features]:
    """Return the function that gives documents by their vectors, (n, d)."""
    return lambda rows: Features.of_vectors(vectors[rows])


@dataclass(frozen=True, eq=False)
class ProbeData:
    """Labelled documents for a probe.

    Attributes:
        rows: int64 (m,), facts rows of the labelled documents, in order.
        keys: uint64 (m,), of their ids.
        features: (m,) rows.
        labels: int64 (m,), classes from 0.
        classes: how many.
        test: bool (m,), held-out documents; groups of copies are never split.
        sampled: whether there were more labelled documents.
    """

    rows: NDArray[np.int64]
    keys: NDArray[np.uint64]
    features: Features
    labels: NDArray[np.int64]
    classes: int
    test: NDArray[np.bool_]
    sampled: bool

    @classmethod
    def of(
        cls,
        features: Callable[[NDArray[np.int64]], Features],
        keys: NDArray[np.uint64],
        labels: NDArray[np.int64],
        group: NDArray[np.int64],
        *,
        usable: NDArray[np.bool_],
        most: int = MOST_DOCUMENTS,
        test: NDArray[np.bool_] | None = None,
    ) -> ProbeData | None:
        """Return the labelled documents, or None when fewer than two classes have enough.

        Args:
            features: returns those of some documents, see ``word_features`` and ``vector_features``.
            keys: uint64 (n,), of the ids.
            labels: int64 (n,), class of each document, -1 without one.
            group: int64 (n,), group of the same normalised text, -1 for none.
            usable: bool (n,), documents that may be used.
            most: documents at most.
            test: bool (n,), a fixed split; by default a keyed hash of the group splits.
        """
        rows = np.flatnonzero(usable & (labels >= 0))
        counts = np.bincount(labels[rows], minlength=1)
        common = np.flatnonzero(counts >= LEAST_OF_CLASS)
        rows = rows[np.isin(labels[rows], common)]
        if len(common) < 2:
            return None
        order = np.lexsort((rows, mix_keys(keys[rows], seed=0, salt="probe")))
        chosen = np.sort(rows[order[:most]])
        owner = np.where(group >= 0, group, np.arange(len(group)))
        drawn = uniform(keys[owner[chosen]], seed=0, salt="probe test") < TEST_SHARE if test is None else test[chosen]
        place = np.full(len(counts), -1, dtype=np.int64)
        place[common] = np.arange(len(common))
        return cls(
            chosen,
            keys[chosen],
            features(chosen),
            place[labels[chosen]],
            len(common),
            drawn,
            sampled=len(rows) > len(chosen),
        )

    def measure(self, trained: NDArray[np.int64]) -> Score:
        """Train on places in ``rows`` and score the test documents."""
        held = np.flatnonzero(self.test)
        weights = fit(self.features, trained, self.labels, self.classes)
        return score(predict(self.features, held, weights), self.labels[held], self.classes)

    def draw(self, candidates: NDArray[np.int64], count: int, *, seed: int) -> NDArray[np.int64]:
        """Return the first ``count`` candidates by keyed hash, ascending."""
        order = np.lexsort((candidates, mix_keys(self.keys[candidates], seed=seed, salt="probe draw")))
        return np.sort(candidates[order[:count]])


def probe_curve(
    data: ProbeData,
    copies: NDArray[np.int32],
    *,
    column: str,
    draws: int = 5,
    fractions: tuple[float, ...] = FRACTIONS,
    progress: Progress | None = None,
) -> ProbeCurve | None:
    """Return macro-F1 of a selection against random documents, or None if it keeps no labelled ones.

    Args:
        data: the labelled documents.
        copies: int32 (n,), the selection over all facts rows; training repeats a document by its copies.
        column: name of the labels.
        draws: random draws per point.
        fractions: of the labelled training documents.
        progress: counts the probes.
    """
    watch = progress or NullProgress()
    training = np.flatnonzero(~data.test)
    own = training[copies[data.rows[training]] > 0]
    if not len(own) or not data.test.any():
        return None
    kept = len(own) / len(training)
    wanted = sorted({fraction for fraction in fractions if fraction < kept} | {kept})

    def point(fraction: float) -> ProbePoint:
        count = max(1, round(fraction * len(training)))
        # The whole selection is one set, so another draw would measure the same set.
        seeds = range(1 if count >= len(own) else min(draws, 3))
        recipe = [_repeated(data, data.draw(own, count, seed=seed), copies) for seed in seeds]
        random = [data.draw(training, count, seed=seed) for seed in range(draws)]
        found = []
        for chosen in (*recipe, *random):
            watch.check()
            found.append(data.measure(chosen))
            watch.advance()
        ours, others = found[: len(recipe)], found[len(recipe) :]
        return ProbePoint(
            fraction=fraction,
            documents=count,
            recipe=tuple(item.macro_f1 for item in ours),
            random=tuple(item.macro_f1 for item in others),
            recipe_accuracy=float(np.mean([item.accuracy for item in ours])),
            random_accuracy=float(np.mean([item.accuracy for item in others])),
        )

    with ThreadPoolExecutor(THREADS) as pool:
        points = tuple(pool.map(point, wanted))
    last = points[-1]
    difference = compare(
        "macro-F1 of a linear probe",
        "random",
        last.recipe,
        last.random,
        lower_is_better=False,
        proxy="labels of the corpus, not a downstream task",
    )
    return ProbeCurve(column, data.classes, int(data.test.sum()), kept, points, difference, data.sampled)


def _repeated(data: ProbeData, chosen: NDArray[np.int64], copies: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.repeat(chosen, copies[data.rows[chosen]])

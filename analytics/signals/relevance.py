"""Relevance of documents to a target. By words: importance weights, cross-entropy difference, a linear classifier.
By embeddings: a linear classifier, and similarity to examples.

A scorer is fitted once on the visible half of a target and a sample of the corpus, then frozen as plain arrays and
named by its digest; it scores any other corpus the same way. Scores by words are per word, so length does not count;
scores by embeddings belong to one embedding space. Higher is more relevant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.embedding.half_precision import widen
from tamis.analytics.text.trigram_model import NgramModel
from tamis.analytics.text.word_stream import Vocabulary, WordHashes

Arrays = dict[str, NDArray[Any]]
Input = Literal["words", "vectors"]

DSIR_BUCKETS = 10_000
DSIR_SMOOTHING = 1e-8
LINEAR_BUCKETS = 1 << 18
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)
_27, _31 = np.uint64(27), np.uint64(31)


@dataclass(frozen=True, eq=False)
class Dsir:
    """Importance weights of hashed word uni- and bigrams.

    Source: Xie et al. 2023, "Data selection for language models via importance resampling", arXiv 2302.03169; the sum
    of log ratios is divided by the number of n-grams; otherwise long documents win and sampling noise has no effect.

    Attributes:
        weights: float64 (buckets,), log p_target - log p_corpus.
    """

    method: ClassVar[str] = "dsir"
    input: ClassVar[Input] = "words"

    weights: NDArray[np.float64]

    @classmethod
    def fit(
        cls, target: WordHashes, corpus: WordHashes, *, buckets: int = DSIR_BUCKETS, smoothing: float = DSIR_SMOOTHING
    ) -> Dsir:
        """Count n-grams of the target and of the corpus."""
        found = [np.log(bucket_shares(part, buckets, smoothing=smoothing)) for part in (target, corpus)]
        return cls(found[0] - found[1])

    def score(self, words: WordHashes) -> NDArray[np.float64]:
        """Return the mean log ratio of each document's n-grams, float64 (n,), NaN for documents without words."""
        return _mean_weights(words, self.weights)

    def arrays(self) -> Arrays:
        """Return the scorer as plain arrays."""
        return {"weights": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Dsir:
        """Read what ``arrays`` returned."""
        return cls(arrays["weights"])


@dataclass(frozen=True, eq=False)
class MooreLewis:
    """Difference of cross-entropies under two trigram models.

    Source: Moore and Lewis 2010, "Intelligent selection of language model training data", ACL.

    Attributes:
        vocabulary: of both models.
        target, corpus: the two models, trained on about the same amount of text.
    """

    method: ClassVar[str] = "moore_lewis"
    input: ClassVar[Input] = "words"

    vocabulary: Vocabulary
    target: NgramModel
    corpus: NgramModel

    @classmethod
    def fit(cls, target: WordHashes, corpus: WordHashes) -> MooreLewis:
        """Train both models; the corpus sample is cut to the size of the target."""
        enough = np.cumsum(corpus.bytes) <= max(int(target.bytes.sum()), int(corpus.bytes[:1].sum()))
        part = corpus.take(np.flatnonzero(enough))
        vocabulary = Vocabulary.of([target, part])
        models = [NgramModel.train(vocabulary.encode(words)) for words in (target, part)]
        return cls(vocabulary, *models)

    def score(self, words: WordHashes) -> NDArray[np.float64]:
        """Return bits per word under the corpus model minus those under the target model, float64 (n,)."""
        stream = self.vocabulary.encode(words)
        difference = self.corpus.bits(stream) - self.target.bits(stream)
        return np.where(stream.counts > 0, difference / np.maximum(stream.counts, 1), np.nan)

    def arrays(self) -> Arrays:
        """Return the scorer as plain arrays."""
        both = {"target": self.target, "corpus": self.corpus}
        found = {f"{name}/{key}": array for name, model in both.items() for key, array in model.arrays().items()}
        return {"vocabulary": self.vocabulary.words, **found}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> MooreLewis:
        """Read what ``arrays`` returned."""
        models = [
            NgramModel.from_arrays(
                {key.partition("/")[2]: array for key, array in arrays.items() if key.startswith(f"{name}/")}
            )
            for name in ("target", "corpus")
        ]
        return cls(Vocabulary(arrays["vocabulary"]), *models)


@dataclass(frozen=True, eq=False)
class LinearWords:
    """Logistic regression of target against corpus on hashed word uni- and bigrams.

    The features of a document are the shares of its n-grams. AdaGrad trains in a fixed order on one thread, both
    classes with the same total weight, so the same input gives the same weights. Sources: Joulin et al. 2016, arXiv
    1607.01759 (hashed n-grams); Li et al. 2024, arXiv 2406.11794 (a linear classifier as quality filter); Duchi et al.
    2011 (AdaGrad).

    Attributes:
        weights: float32 (buckets,).
        bias: of the log-odds.
    """

    method: ClassVar[str] = "classifier"
    input: ClassVar[Input] = "words"

    weights: NDArray[np.float32]
    bias: float

    @classmethod
    def fit(
        cls, target: WordHashes, corpus: WordHashes, *, buckets: int = LINEAR_BUCKETS, epochs: int = 8
    ) -> LinearWords:
        """Train on all documents of both, in an order that mixes them evenly."""
        words = WordHashes.joined([target, corpus])
        labels = np.concatenate([np.ones(len(target), dtype=np.int64), np.zeros(len(corpus), dtype=np.int64)])
        share = np.concatenate([_evenly(len(target)), _evenly(len(corpus))])
        order = np.lexsort((np.arange(len(labels)), share))
        cost = np.array([len(labels) / (2.0 * max(len(part), 1)) for part in (corpus, target)])
        weights = np.zeros(buckets + 1, dtype=np.float64)
        _train_linear(words.hashes, words.starts, labels, order, cost, epochs, weights)
        return cls(weights[:-1].astype(np.float32), float(weights[-1]))

    def score(self, words: WordHashes) -> NDArray[np.float64]:
        """Return the log-odds of belonging to the target, float64 (n,), NaN for documents without words."""
        return _mean_weights(words, self.weights.astype(np.float64)) + self.bias

    def arrays(self) -> Arrays:
        """Return the scorer as plain arrays."""
        return {"weights": self.weights, "bias": np.array([self.bias])}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> LinearWords:
        """Read what ``arrays`` returned."""
        return cls(arrays["weights"], float(arrays["bias"][0]))


def bucket_shares(words: WordHashes, buckets: int = DSIR_BUCKETS, *, smoothing: float) -> NDArray[np.float64]:
    """Return the smoothed shares of hashed uni- and bigrams over all documents, float64 (buckets,), sum 1."""
    counts = np.zeros(buckets, dtype=np.float64)
    _count_buckets(words.hashes, words.starts, counts)
    return (counts + smoothing) / (counts.sum() + smoothing * buckets)


def _mean_weights(words: WordHashes, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.empty(len(words), dtype=np.float64)
    _mean_of_weights(words.hashes, words.starts, weights, found)
    return found


def _evenly(count: int) -> NDArray[np.float64]:
    return (np.arange(count) + 0.5) / max(count, 1)


@njit(cache=True, nogil=True, inline="always")
def _bucket(value, buckets):  # type: ignore[no-untyped-def]
    value = (value ^ (value >> _27)) * _M1
    value = (value ^ (value >> _27)) * _M2
    return np.int64((value ^ (value >> _31)) % np.uint64(buckets))


@njit(cache=True, nogil=True, inline="always")
def _pair(before, after):  # type: ignore[no-untyped-def]
    return (np.uint64(before) + np.uint64(1)) * _STEP + np.uint64(after)


@njit(cache=True, nogil=True)
def _count_buckets(hashes, starts, counts):  # type: ignore[no-untyped-def]
    for d in range(len(starts) - 1):
        for i in range(starts[d], starts[d + 1]):
            counts[_bucket(np.uint64(hashes[i]), len(counts))] += 1
            if i > starts[d]:
                counts[_bucket(_pair(hashes[i - 1], hashes[i]), len(counts))] += 1


@njit(cache=True, nogil=True)
def _mean_of_weights(hashes, starts, weights, found):  # type: ignore[no-untyped-def]
    for d in range(len(starts) - 1):
        first, end = starts[d], starts[d + 1]
        total = 0.0
        for i in range(first, end):
            total += weights[_bucket(np.uint64(hashes[i]), len(weights))]
            if i > first:
                total += weights[_bucket(_pair(hashes[i - 1], hashes[i]), len(weights))]
        found[d] = total / (2 * (end - first) - 1) if end > first else np.nan


@njit(cache=True, nogil=True)
def _train_linear(hashes, starts, labels, order, cost, epochs, weights):  # type: ignore[no-untyped-def]
    """Train by AdaGrad with step 0.5 on the logistic loss; the bias is the last of ``weights``."""
    bias = len(weights) - 1
    squares = np.full(len(weights), 1e-12)
    most = 0
    for d in range(len(starts) - 1):
        most = max(most, starts[d + 1] - starts[d])
    places = np.empty(2 * most + 1, dtype=np.int64)
    for _ in range(epochs):
        for d in order:
            first, end = starts[d], starts[d + 1]
            if end == first:
                continue
            count = 0
            for i in range(first, end):
                places[count] = _bucket(np.uint64(hashes[i]), bias)
                count += 1
                if i > first:
                    places[count] = _bucket(_pair(hashes[i - 1], hashes[i]), bias)
                    count += 1
            score = 0.0
            for k in range(count):
                score += weights[places[k]]
            score = score / count + weights[bias]
            slope = cost[labels[d]] * (1.0 / (1.0 + np.exp(-score)) - labels[d])
            each = slope / count
            for k in range(count):
                squares[places[k]] += each * each
                weights[places[k]] -= 0.5 * each / np.sqrt(squares[places[k]])
            squares[bias] += slope * slope
            weights[bias] -= 0.5 * slope / np.sqrt(squares[bias])


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
        # Late: scipy.
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
            part = widen(vectors[first : first + 4096])
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

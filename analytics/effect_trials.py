"""Training sets measured by language models: bits per byte of target and hold-out, match with the target."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.effect_bench import Bench, TrainingSet, selection_bytes, training_set
from tamis.analytics.ngram import NgramModel, bits_per_byte
from tamis.analytics.vocabulary import WordStream
from tamis.data.progress import NullProgress, Progress

THREADS = 2
BUCKETS = 10_000
SMOOTHING = 0.1
"""Added to every bucket of a distribution before two are compared."""

RANDOM, DEDUP, RECIPE = "random", "dedup + random", "recipe"


@dataclass(frozen=True, eq=False)
class Trial:
    """One training set, measured.

    Attributes:
        name: ``recipe``, ``random`` or ``dedup + random``, or a name of the caller's.
        seed: number of the draw.
        documents, bytes: size of the training set; bytes count copies.
        target: bits per byte of the target's test half, None without a target.
        general: bits per byte of the corpus hold-out.
        match: KL divergence in bits of the target's n-grams from the selection's, None without a target.
        target_bits: float64 (m,), bits of each test text.
    """

    name: str
    seed: int
    documents: int
    bytes: int
    target: float | None
    general: float
    match: float | None
    target_bits: NDArray[np.float64]


def run_trial(bench: Bench, chosen: TrainingSet, *, name: str, seed: int) -> Trial:
    """Train on a set and measure."""
    stream = bench.words.take(chosen.rows)
    model = NgramModel.train(stream, chosen.copies)
    held = bench.words.take(bench.holdout)
    bits = model.bits(bench.unseen)
    return Trial(
        name=name,
        seed=seed,
        documents=len(chosen.rows),
        bytes=chosen.bytes,
        target=bits_per_byte(bits, bench.unseen) if bench.has_target else None,
        general=bits_per_byte(model.bits(held), held),
        match=divergence(bench.unseen, stream, chosen.copies) if bench.has_target else None,
        target_bits=bits,
    )


def run_trials(
    bench: Bench,
    copies: NDArray[np.int32],
    *,
    name: str,
    budget: int,
    draws: int | None = None,
    progress: Progress | None = None,
) -> tuple[Trial, ...]:
    """Measure several draws from one selection, two at a time; a selection within the budget is measured once.

    The order of documents in draw k is the same for every selection, so draws of two selections are paired.
    """
    watch = progress or NullProgress()
    count = bench.protocol.draws if draws is None else draws
    if selection_bytes(bench, copies) <= budget:
        count = 1

    def one(number: int) -> Trial:
        watch.check()
        seed = bench.protocol.seed * 1000 + number
        chosen = training_set(bench, copies, budget=budget, seed=seed, salt="training set")
        found = run_trial(bench, chosen, name=name, seed=number)
        watch.advance()
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        return tuple(pool.map(one, range(count)))


def random_copies(bench: Bench, *, deduplicated: bool) -> NDArray[np.int32]:
    """Return the selection that random draws are made from: everything, or one of each group, int32 (n,)."""
    return (bench.allowed & bench.first if deduplicated else bench.allowed).astype(np.int32)


def divergence(target: WordStream, selection: WordStream, copies: NDArray[np.int32] | None = None) -> float:
    """Return KL(target || selection) in bits over hashed word uni- and bigrams, smoothed; 0 for equal distributions."""
    times = np.ones(len(selection), dtype=np.int32) if copies is None else copies
    p = _shares(target, np.ones(len(target), dtype=np.int32))
    q = _shares(selection, times)
    return float((p * np.log2(p / q)).sum())


def _shares(stream: WordStream, copies: NDArray[np.int32]) -> NDArray[np.float64]:
    counts = np.zeros(BUCKETS)
    _count(stream.words, stream.starts, copies, counts)
    return (counts + SMOOTHING) / (counts.sum() + SMOOTHING * BUCKETS)


@njit(cache=True, nogil=True)
def _count(words, starts, copies, counts):  # type: ignore[no-untyped-def]
    for d in range(len(starts) - 1):
        before = np.int64(-1)
        for i in range(starts[d], starts[d + 1]):
            word = np.int64(words[i])
            counts[(word * 2654435761) % len(counts)] += copies[d]
            if before >= 0:
                counts[((before * 65536 + word) * 2654435761 + 97) % len(counts)] += copies[d]
            before = word

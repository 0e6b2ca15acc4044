"""The bench that measures selections: target halves, a hold-out of the corpus, and the training candidates.

The test half of the target stays apart from all training texts: documents of the corpus that share much with it are
left out of every training set, the random ones included, and test texts that still share rare n-grams with the rest of
the corpus are not scored. So the test set is the same for every recipe.

Language models measure training sets: bits per byte of target and hold-out, match with the target.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol as Interface

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.text.ngram_overlap import SHARE, Grams
from tamis.analytics.text.trigram_model import NgramModel, bits_per_byte
from tamis.analytics.text.word_stream import WordStream
from tamis.data.errors import SettingError
from tamis.data.hashing import mix_keys, uniform
from tamis.data.progress import NullProgress, Progress

_ROWS = 65_536


class WordRows(Interface):
    """Documents as word numbers, by row."""

    def take(self, rows: NDArray[np.int64]) -> WordStream:
        """Return some documents, in the order asked."""


@dataclass(frozen=True)
class Protocol:
    """How effects are measured; part of every cached result.

    Attributes:
        budget_bytes: UTF-8 bytes of every training set, or of the smallest selection if that has fewer.
        draws: random training sets per comparison.
        seed: of all draws.
        holdout_bytes: size of the hold-out of the corpus.
        holdout_share: upper limit of the hold-out as a share of the corpus.
        overlap: least share of n-grams at which a text counts as contaminated.
    """

    budget_bytes: int = 20_000_000
    draws: int = 5
    seed: int = 0
    holdout_bytes: int = 1_000_000
    holdout_share: float = 0.05
    overlap: float = SHARE


@dataclass(frozen=True)
class Cleaning:
    """The documents and texts set apart.

    Attributes:
        corpus_documents: documents left out of all training sets because they share much with the test half.
        test_texts: test texts that are not scored because they share rare n-grams with the corpus.
        scored_texts: test texts that are scored.
        holdout_documents: documents of the hold-out.
        holdout_twins: documents left out of training because their normalised text equals one held out.
    """

    corpus_documents: int = 0
    test_texts: int = 0
    scored_texts: int = 0
    holdout_documents: int = 0
    holdout_twins: int = 0


@dataclass(frozen=True, eq=False)
class Bench:
    """Everything to make training sets from and to measure them on.

    Attributes:
        words: the corpus.
        keys: uint64 (n,), of the documents' ids.
        bytes: int64 (n,), UTF-8 bytes.
        allowed: bool (n,), documents that may be trained on.
        first: bool (n,), one document of each group with the same normalised text.
        holdout: int64 (h,), rows held out of the corpus.
        scored: int64 (m,), which texts of the test half are scored.
        unseen: those texts; none without a target.
        seen: texts of the half that recipes may see.
        cleaning: the documents and texts set apart.
        protocol: sizes and seeds.
    """

    words: WordRows
    keys: NDArray[np.uint64]
    bytes: NDArray[np.int64]
    allowed: NDArray[np.bool_]
    first: NDArray[np.bool_]
    holdout: NDArray[np.int64]
    scored: NDArray[np.int64]
    unseen: WordStream
    seen: WordStream
    cleaning: Cleaning
    protocol: Protocol

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def has_target(self) -> bool:
        """Return whether there are target texts to score."""
        return len(self.unseen) > 0

    @classmethod
    def prepare(
        cls,
        words: WordRows,
        keys: NDArray[np.uint64],
        bytes_: NDArray[np.int64],
        *,
        group: NDArray[np.int64],
        stratum: NDArray[np.int64],
        seen: WordStream,
        unseen: WordStream,
        protocol: Protocol,
    ) -> Bench:
        """Set a hold-out and contaminated texts apart, and return the bench.

        Args:
            words: the corpus.
            keys, bytes_: see the class.
            group: int64 (n,), documents with the same normalised text share one, -1 stands alone.
            stratum: int64 (n,), stratum of each document for the hold-out, from 0.
            seen, unseen: halves of the target in the same word numbers; empty without a target.
            protocol: sizes and seeds.

        Raises:
            SettingError: no text of the test half can be scored.
        """
        contaminated, kept = clean(words, len(keys), unseen, share=protocol.overlap)
        if len(unseen) and not len(kept):
            raise SettingError(
                "No text of the target's test half can be scored: all of them occur in the corpus",
                value=len(unseen),
                fix="use a target that the corpus does not hold, or raise the allowed overlap",
            )
        # One of each group only; otherwise nearly every large group of copies would have a member held out.
        first = first_of_groups(group)
        held = hold_out(keys, bytes_, stratum, usable=~contaminated & first, protocol=protocol)
        apart = contaminated.copy()
        apart[held] = True
        twins = np.isin(group, np.unique(group[held])) & (group >= 0) & ~apart
        allowed = ~apart & ~twins & (bytes_ > 0)
        cleaning = Cleaning(
            corpus_documents=int(contaminated.sum()),
            test_texts=len(unseen) - len(kept),
            scored_texts=len(kept),
            holdout_documents=len(held),
            holdout_twins=int(twins.sum()),
        )
        return cls(
            words=words,
            keys=keys,
            bytes=bytes_,
            allowed=allowed,
            first=first,
            holdout=held,
            scored=kept,
            unseen=unseen.take(kept),
            seen=seen,
            cleaning=cleaning,
            protocol=protocol,
        )


def clean(
    words: WordRows, documents: int, unseen: WordStream, *, share: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which documents share too much with the test texts, bool (n,), and which test texts stay, int64 (m,)."""
    contaminated = np.zeros(documents, dtype=bool)
    if not len(unseen):
        return contaminated, np.zeros(0, dtype=np.int64)
    grams = Grams.of(unseen.words, unseen.starts)
    for first in range(0, documents, _ROWS):
        rows = np.arange(first, min(first + _ROWS, documents))
        part = words.take(rows)
        contaminated[rows] = grams.share(part.words, part.starts) >= share
        clear = part.take(np.flatnonzero(~contaminated[rows]))
        grams.mark(clear.words, clear.starts)
    stays = grams.share_hit(unseen.words, unseen.starts) < share
    return contaminated, np.flatnonzero(stays & (unseen.counts > 0))


def hold_out(
    keys: NDArray[np.uint64],
    bytes_: NDArray[np.int64],
    stratum: NDArray[np.int64],
    *,
    usable: NDArray[np.bool_],
    protocol: Protocol,
) -> NDArray[np.int64]:
    """Return the same share of every stratum by keyed hash, ascending int64 (h,)."""
    total = int(bytes_[usable].sum())
    share = min(protocol.holdout_share, protocol.holdout_bytes / max(total, 1))
    drawn = uniform(keys, seed=protocol.seed, salt="hold-out")
    order = np.lexsort((np.arange(len(keys)), drawn, stratum))
    order = order[usable[order]]
    sizes = np.bincount(stratum[order], minlength=int(stratum.max(initial=0)) + 1)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    # A keyed hash rounds a stratum's fractional document, so that small strata are not over- or under-represented.
    quota = np.floor(share * sizes + uniform(np.arange(len(sizes), dtype=np.uint64), seed=protocol.seed, salt="strata"))
    return np.sort(order[rank < quota[stratum[order]]])


def first_of_groups(group: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return one document of every group and all ungrouped documents, bool (n,)."""
    first = np.ones(len(group), dtype=bool)
    members = np.flatnonzero(group >= 0)
    _, places = np.unique(group[members], return_index=True)
    first[members] = False
    first[members[places]] = True
    return first


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Documents to train on.

    Attributes:
        rows: int64 (m,), facts rows.
        copies: int32 (m,), copies of each in the set.
        bytes: UTF-8 bytes, copies counted.
    """

    rows: NDArray[np.int64]
    copies: NDArray[np.int32]
    bytes: int


def training_set(bench: Bench, copies: NDArray[np.int32], *, budget: int, seed: int, salt: str) -> TrainingSet:
    """Return documents in the order of their keyed hashes until the budget is used up.

    Args:
        bench: the training candidates.
        copies: int32 (n,), 0 = not selected.
        budget: UTF-8 bytes, copies counted.
        seed, salt: of the order; equal values give equal sets.
    """
    rows = np.flatnonzero(bench.allowed & (copies > 0))
    order = rows[np.lexsort((rows, mix_keys(bench.keys[rows], seed=seed, salt=salt)))]
    spent = np.cumsum(bench.bytes[order] * copies[order])
    taken = np.sort(order[spent <= budget])
    return TrainingSet(taken, copies[taken], int((bench.bytes[taken] * copies[taken]).sum()))


def selection_bytes(bench: Bench, copies: NDArray[np.int32]) -> int:
    """Return the UTF-8 bytes of the training candidates in a selection, copies counted."""
    return int((bench.bytes * copies)[bench.allowed].sum())


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
    """Return the selection to draw random sets from: everything, or one of each group, int32 (n,)."""
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

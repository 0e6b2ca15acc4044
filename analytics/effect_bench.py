"""What selections are measured on: target halves, a hold-out of the corpus, and who may be trained on.

The test half of the target stays apart from all training texts: documents of the corpus that share much with it are
left out of every training set, the random ones included, and test texts that still share rare n-grams with the rest of
the corpus are not scored. So the test set is the same for every recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.overlap import SHARE, Grams
from tamis.analytics.vocabulary import WordStream
from tamis.data.errors import SettingError
from tamis.data.hashing import salted, uniform

_ROWS = 65_536


class Words(Interface):
    """Documents as word numbers, by row."""

    def take(self, rows: NDArray[np.int64]) -> WordStream:
        """Return some documents, in the order asked."""


@dataclass(frozen=True)
class Protocol:
    """How effects are measured; part of every cached result.

    Attributes:
        budget_bytes: UTF-8 bytes every training set gets, or all of the smallest selection when that is less.
        draws: random training sets per comparison.
        seed: of all draws.
        holdout_bytes: size of the hold-out of the corpus.
        holdout_share: most of the corpus that is held out.
        overlap: share of n-grams from which a text counts as contaminated.
    """

    budget_bytes: int = 20_000_000
    draws: int = 5
    seed: int = 0
    holdout_bytes: int = 1_000_000
    holdout_share: float = 0.05
    overlap: float = SHARE


@dataclass(frozen=True)
class Cleaning:
    """What was set apart.

    Attributes:
        corpus_documents: documents left out of all training sets because they share much with the test half.
        test_texts: test texts that are not scored because they share rare n-grams with the corpus.
        scored_texts: test texts that are scored.
        holdout_documents: documents of the hold-out.
        holdout_twins: documents left out of training because they have the same normalised text as one held out.
    """

    corpus_documents: int = 0
    test_texts: int = 0
    scored_texts: int = 0
    holdout_documents: int = 0
    holdout_twins: int = 0


@dataclass(frozen=True, eq=False)
class Bench:
    """Everything that training sets are made from and measured on.

    Attributes:
        words: the corpus.
        keys: uint64 (n,), of the documents' ids.
        bytes: int64 (n,), UTF-8 bytes.
        allowed: bool (n,), who may be trained on.
        first: bool (n,), one document of each group with the same normalised text.
        holdout: int64 (h,), rows held out of the corpus.
        scored: int64 (m,), which texts of the test half are scored.
        unseen: those texts; none without a target.
        seen: the half that recipes may see.
        cleaning: what was set apart.
        protocol: how it was made.
    """

    words: Words
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
        """Return whether there is anything to score a target with."""
        return len(self.unseen) > 0

    @classmethod
    def prepare(
        cls,
        words: Words,
        keys: NDArray[np.uint64],
        bytes_: NDArray[np.int64],
        *,
        group: NDArray[np.int64],
        stratum: NDArray[np.int64],
        seen: WordStream,
        unseen: WordStream,
        protocol: Protocol,
    ) -> Bench:
        """Hold out and clean.

        Args:
            words: the corpus.
            keys, bytes_: see the class.
            group: int64 (n,), documents with the same normalised text share one, -1 stands alone.
            stratum: int64 (n,), what the hold-out is stratified by, from 0.
            seen, unseen: halves of the target in the same word numbers; empty without a target.
            protocol: sizes and seeds.

        Raises:
            SettingError: nothing of the test half can be scored.
        """
        contaminated, kept = clean(words, len(keys), unseen, share=protocol.overlap)
        if len(unseen) and not len(kept):
            raise SettingError(
                "No text of the target's test half can be scored: all of them occur in the corpus",
                value=len(unseen),
                fix="use a target that the corpus does not hold, or raise the allowed overlap",
            )
        # One of each group only: else nearly every large group of copies would have a member held out.
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
    words: Words, documents: int, unseen: WordStream, *, share: float
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
    # A stratum's fractional document is given by chance, so that small strata are represented as often as they should.
    quota = np.floor(share * sizes + uniform(np.arange(len(sizes), dtype=np.uint64), seed=protocol.seed, salt="strata"))
    return np.sort(order[rank < quota[stratum[order]]])


def first_of_groups(group: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return one document of every group and all that stand alone, bool (n,)."""
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
        copies: int32 (m,), how often each is seen.
        bytes: UTF-8 bytes, copies counted.
    """

    rows: NDArray[np.int64]
    copies: NDArray[np.int32]
    bytes: int


def training_set(bench: Bench, copies: NDArray[np.int32], *, budget: int, seed: int, salt: str) -> TrainingSet:
    """Return documents in the order of their keyed hashes until the budget is used up.

    Args:
        bench: who may be trained on.
        copies: int32 (n,), 0 = not selected.
        budget: UTF-8 bytes, copies counted.
        seed, salt: of the order; equal ones give equal sets.
    """
    rows = np.flatnonzero(bench.allowed & (copies > 0))
    order = rows[np.lexsort((rows, salted(bench.keys[rows], seed=seed, salt=salt)))]
    spent = np.cumsum(bench.bytes[order] * copies[order])
    taken = np.sort(order[spent <= budget])
    return TrainingSet(taken, copies[taken], int((bench.bytes[taken] * copies[taken]).sum()))


def selection_bytes(bench: Bench, copies: NDArray[np.int32]) -> int:
    """Return the UTF-8 bytes of a selection that may be trained on, copies counted."""
    return int((bench.bytes * copies)[bench.allowed].sum())

"""Duplicates across splits: documents of one split that were dropped for a twin kept in another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.recipe.outcome import Outcome
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.path_columns import SPLIT


@dataclass(frozen=True)
class Across:
    """Documents that a step dropped for a twin in another split.

    Attributes:
        step: id of the step.
        dropped: split of the documents.
        kept: split of their twins.
        documents: how many.
    """

    step: str
    dropped: str
    kept: str
    documents: int

    @property
    def sentence(self) -> str:
        """Return the count as a sentence."""
        return f"{self.step}: {self.documents:,} documents of {self.dropped} dropped for a twin kept in {self.kept}"


def across_splits(corpus: Corpus, documents: Documents, outcome: Outcome) -> tuple[Across, ...]:
    """Return the counts by step and pair of splits; empty where paths name no split."""
    if SPLIT not in corpus.path_columns:
        return ()
    names, split = _splits(corpus, documents)
    found = []
    for number, step in enumerate(outcome.steps, start=1):
        trace = outcome.traces.get(step.id)
        if trace is None or trace.decision.twin is None:
            continue
        dropped = np.flatnonzero(outcome.deciding == number)
        twins = trace.decision.twin[np.searchsorted(trace.rows, dropped)]
        dropped, twins = dropped[twins >= 0], twins[twins >= 0]
        pairs = split[dropped] * len(names) + split[twins]
        for pair, count in zip(*np.unique(pairs, return_counts=True), strict=True):
            mine, other = names[pair // len(names)], names[pair % len(names)]
            if mine != other:
                found.append(Across(step.id, mine, other, int(count)))
    return tuple(found)


def _splits(corpus: Corpus, documents: Documents) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names of the splits, and the split number of each document, int64 (n,) in facts order."""
    of_file = [file.path_values.get(SPLIT) or "no split" for file in corpus.files]
    names = sorted(set(of_file))
    ends = np.cumsum([file.rows for file in corpus.files])
    files = np.searchsorted(ends, documents.order, side="right")
    return names, np.array([names.index(name) for name in of_file], dtype=np.int64)[files]

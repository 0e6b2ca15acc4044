"""What people say about hits of decontamination, and the precision of a rule that follows from it.

People read hits in an order by keyed hash, so the hits decided first are a random sample without replacement. Only
these count: hits that somebody picked by their score would say nothing about the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.review.agreement import DROP, Votes
from tamis.analytics.study.contamination import Contamination
from tamis.analytics.study.extrapolation import Interval, wilson
from tamis.data.hashing import digest, mix_keys
from tamis.data.reviews import Event

RIGHT, WRONG, UNSURE = "drop", "keep", "unsure"
"""Decisions of the review store on a hit: the document holds the item, it does not, nobody can tell."""


@dataclass(frozen=True)
class HitPrecision:
    """The share of hits that people call right.

    Attributes:
        right: among the counted hits on which people agree, with its 95% interval.
        unsure: counted hits on which people are unsure or tied.
        counted: hits that count: all up to the first undecided one in the order of ``sample_order``.
        hits: all hits.
        seed: of the order.
    """

    right: Interval
    unsure: int
    counted: int
    hits: int
    seed: int

    @property
    def exact(self) -> bool:
        """Say whether every hit is decided, so that the share has no sampling error."""
        return self.counted == self.hits and not self.unsure

    @property
    def sentence(self) -> str:
        """Return the precision as a sentence that says exact or sampled."""
        if not self.right.of:
            return "No hit of the sample has been judged yet."
        said = f"{self.right.share:.1%} of the judged hits are right"
        if self.exact:
            return f"{said}: exact, all {self.hits:,} hits are judged."
        unsure = f", {self.unsure:,} of them unsure" if self.unsure else ""
        return (
            f"{said} (95% Wilson interval {self.right.low:.1%} to {self.right.high:.1%}): sampled, the first"
            f" {self.counted:,} of {self.hits:,} hits by keyed hash, seed {self.seed}{unsure}."
        )


def hit_subjects(found: Contamination, ids: pa.Array, hits: Iterable[int]) -> list[str]:
    """Return the subject of reviews of each hit: a digest of document, text and part, the same on any machine."""
    places = list(hits)
    names = ids.take(pa.array(found.rows[places])).to_pylist()
    texts = found.texts[places].tolist()
    return [
        digest([name, int(found.sets.part[text]), f"{found.sets.sequence[text]:016x}"])
        for name, text in zip(names, texts, strict=True)
    ]


def sample_order(found: Contamination, keys: NDArray[np.uint64], *, seed: int = 0) -> NDArray[np.int64]:
    """Return the hits in the order to review them, int64 (h,), by keyed hash of document and text.

    Args:
        found: the hits.
        keys: uint64 (n,), keys of the documents by facts row.
        seed: of the hash.
    """
    mixed = mix_keys(keys[found.rows] ^ found.sets.sequence[found.texts], seed=seed, salt="hits")
    return np.lexsort((found.texts, found.rows, mixed))


def precision_of_hits(
    found: Contamination, ids: pa.Array, keys: NDArray[np.uint64], events: Iterable[Event], *, seed: int = 0
) -> HitPrecision:
    """Return the precision of a rule by the majority of people on each hit of the sample.

    Args:
        found: the hits.
        ids: string (n,), ids of the documents by facts row.
        keys: uint64 (n,), their keys.
        events: reviews of the corpus.
        seed: of the order of the sample.
    """
    votes = Votes.of(events, about="hit")
    said = dict(zip(votes.documents, votes.consensus().tolist(), strict=True))
    order = sample_order(found, keys, seed=seed)
    decided: list[int] = []
    block = 256
    for first in range(0, len(order), block):
        subjects = hit_subjects(found, ids, order[first : first + block].tolist())
        known = [said[subject] for subject in subjects if subject in said]
        stop = next((place for place, subject in enumerate(subjects) if subject not in said), len(subjects))
        decided += known[:stop]
        if stop < len(subjects):
            break
    sure = [value for value in decided if value >= 0]
    right = wilson(sum(value == DROP for value in sure), len(sure))
    return HitPrecision(right, len(decided) - len(sure), len(decided), len(order), seed)

"""First pass over the texts: what is kept of every shingle set, so that candidates can be found without the texts."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.containment import SampleCandidates, sampled
from tamis.analytics.lsh import BandCandidates, Candidates, Sizes
from tamis.analytics.minhash import band_keys, signatures
from tamis.analytics.normal import normalise
from tamis.analytics.operator import Measure
from tamis.analytics.shingles import Shingles, Unit
from tamis.analytics.similarity import Metric
from tamis.analytics.text_block import block_ranges, utf8_buffers

KIND = "near_pairs"


@dataclass(frozen=True)
class NearParams:
    """How similarity is measured.

    Attributes:
        unit, n: shingles of n words or n characters of the normalised text.
        metric: ``jaccard`` (shared / union) or ``containment`` (shared / smaller set).
        bands, rows: banding of the MinHash signature, for ``jaccard``.
        floor: pairs below this similarity are not kept.
    """

    unit: Unit = "word"
    n: int = 5
    metric: Metric = "jaccard"
    bands: int = 20
    rows: int = 4
    floor: float = 0.5

    @property
    def measure(self) -> Measure:
        """Return the measure with these parameters."""
        return Measure(KIND, tuple(sorted(asdict(self).items())))

    @classmethod
    def of(cls, measure: Measure) -> NearParams:
        """Read the parameters of a measure."""
        return cls(**dict(measure.params))

    def shingles(self, texts: pa.Array) -> Shingles:
        """Return the shingle sets of a string array, each ascending."""
        return Shingles.of(texts, unit=self.unit, n=self.n).sorted()


def expected_recall(similarity: float, *, bands: int, rows: int) -> float:
    """Return the chance that a pair of this Jaccard similarity becomes a candidate.

    Source: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4.2.
    """
    return float(1.0 - (1.0 - similarity**rows) ** bands)


@dataclass(frozen=True)
class Signed:
    """What is kept of documents.

    Attributes:
        head: uint64 (n, 4): identity of the shingle set (two words), its size, number of keys.
        keys: uint64 (k,), band keys or sampled shingles, one document after the other.
    """

    head: NDArray[np.uint64]
    keys: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.head)

    @property
    def identity(self) -> NDArray[np.uint64]:
        """Return the identity of each set, uint64 (n, 2)."""
        return self.head[:, :2]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Return the size of each set, int64 (n,)."""
        return self.head[:, 2].astype(np.int64)

    @property
    def key_counts(self) -> NDArray[np.int64]:
        """Return the number of keys of each document, int64 (n,)."""
        return self.head[:, 3].astype(np.int64)

    @classmethod
    def joined(cls, parts: Iterable[Signed]) -> Signed:
        """Put consecutive documents together."""
        listed = list(parts)
        head = np.concatenate([np.empty((0, 4), dtype=np.uint64), *(part.head for part in listed)])
        return cls(head, np.concatenate([np.empty(0, dtype=np.uint64), *(part.keys for part in listed)]))

    def take(self, rows: NDArray[np.int64]) -> Signed:
        """Return some documents in another order."""
        return Signed(self.head[rows], self.keys[self._places(rows)])

    def put(self, rows: NDArray[np.int64], others: Signed) -> None:
        """Write the keys of other documents in the place of the documents at ``rows``, which have as many."""
        self.keys[self._places(rows)] = others.keys

    @cached_property
    def _begins(self) -> NDArray[np.int64]:
        return np.cumsum(self.key_counts) - self.key_counts

    def _places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where the keys of some documents are, one document after the other."""
        wanted = self.key_counts[rows]
        ends = np.cumsum(wanted)
        return np.arange(int(wanted.sum())) - np.repeat(ends - wanted, wanted) + np.repeat(self._begins[rows], wanted)


def sign(texts: pa.Array, params: NearParams, *, threads: int = 1) -> Signed:
    """Return what is kept of a string array; blocks of it are signed on several threads."""
    offsets, data = utf8_buffers(texts)

    def block(span: tuple[int, int]) -> Signed:
        normal = normalise(offsets[span[0] : span[1] + 1], data)
        return _sign(Shingles.of_normal(normal, unit=params.unit, n=params.n), params)

    with ThreadPoolExecutor(threads) as pool:
        return Signed.joined(pool.map(block, block_ranges(offsets)))


def _sign(shingles: Shingles, params: NearParams) -> Signed:
    if params.metric == "jaccard":
        keys = band_keys(signatures(shingles, params.bands * params.rows), params.bands).ravel()
        counts = np.full(len(shingles), params.bands, dtype=np.int64)
    else:
        keys, counts = sampled(shingles)
    return Signed(np.column_stack([shingles.identities(), shingles.counts, counts]).astype(np.uint64), keys)


def candidates(signed: Signed, lengths: NDArray[np.int64], params: NearParams) -> Candidates:
    """Return the pairs worth comparing.

    Args:
        signed: documents in id order, no two with the same set.
        lengths: int64 (n,), bytes of each text.
        params: how similarity is measured.
    """
    if params.metric == "jaccard":
        # A hair less than the floor, so that rounding never loses a pair that lies exactly on it.
        sizes = Sizes(signed.sizes, lengths, params.floor * (1 - 1e-9))
        return BandCandidates(signed.keys.reshape(len(signed), params.bands), sizes)
    return SampleCandidates(signed.keys, signed.key_counts, Sizes(signed.sizes, lengths, 0.0), floor=params.floor)

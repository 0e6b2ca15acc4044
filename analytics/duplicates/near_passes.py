"""The work of finding near-duplicates, which any machine can do: signing, pairing, shingling, comparing.

Signing is the first pass over the texts. It keeps enough of every shingle set to find candidates without the texts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property, partial

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.duplicates.candidates import (
    BandCandidates,
    Buckets,
    Candidates,
    SampleCandidates,
    Sizes,
    sample_keys,
    split,
)
from tamis.analytics.duplicates.shingles import Metric, Shingles, Unit, band_keys, signatures, similarities
from tamis.analytics.steps.engine import Part, PieceInput, RowByRow, Work, shard_work
from tamis.analytics.steps.measures import Measure
from tamis.analytics.steps.row_by_row import counted_slices
from tamis.analytics.text.block import block_ranges, utf8_buffers
from tamis.analytics.text.normal_form import CONVENTION, Convention, normalise
from tamis.data.artifact_writer import ArtifactWriter
from tamis.data.corpus import Corpus
from tamis.data.shards import Shard

KIND = "near_pairs"
LEAST_BANDS, MOST_BANDS = 20, 64


@dataclass(frozen=True)
class NearParams:
    """How similarity is measured.

    Attributes:
        unit, n: shingles of n words or n characters of the normalised text.
        metric: ``jaccard`` (shared / union) or ``containment`` (shared / smaller set).
        bands, rows: banding of the MinHash signature, for ``jaccard``.
        floor: pairs below this similarity are not kept.
        convention: what a word is, see ``text.normal_form``.
        small: up to so many different sets, every pair is compared; at most ``candidates.ALL_PAIRS``.
    """

    unit: Unit = "word"
    n: int = 5
    metric: Metric = "jaccard"
    bands: int = 20
    rows: int = 4
    floor: float = 0.5
    convention: Convention = CONVENTION
    small: int = 0

    @property
    def measure(self) -> Measure:
        """Return the measure with these parameters."""
        # Measures from before these parameters existed keep their names.
        later = {"convention": CONVENTION, "small": 0}
        stated = asdict(self).items()
        return Measure(KIND, tuple(sorted((name, value) for name, value in stated if later.get(name) != value)))

    @classmethod
    def of(cls, measure: Measure) -> NearParams:
        """Read the parameters of a measure."""
        return cls(**dict(measure.params))

    def shingles(self, texts: pa.Array) -> Shingles:
        """Return the shingle sets of a string array, each ascending."""
        return Shingles.of(texts, unit=self.unit, n=self.n, convention=self.convention).sorted()


def expected_recall(similarity: float, *, bands: int, rows: int) -> float:
    """Return the probability that a pair of this Jaccard similarity becomes a candidate.

    Source: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", section 3.4.2.
    """
    return float(1.0 - (1.0 - similarity**rows) ** bands)


def banding(similarity: float, recall: float) -> tuple[int, int]:
    """Return bands and rows that find a pair of this similarity with at least this probability.

    It takes as many rows, up to 4, as ``MOST_BANDS`` bands allow, since more rows mean fewer candidates, and at least
    20 bands.
    """
    for rows in (4, 3, 2, 1):
        bands = math.ceil(math.log(1.0 - recall) / math.log(1.0 - min(similarity, 0.999) ** rows))
        if bands <= MOST_BANDS or rows == 1:
            return max(bands, LEAST_BANDS), rows
    raise AssertionError


@dataclass(frozen=True)
class Signed:
    """Identity, size and keys of the shingle sets of documents.

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
        """Concatenate consecutive documents."""
        listed = list(parts)
        head = np.concatenate([np.empty((0, 4), dtype=np.uint64), *(part.head for part in listed)])
        return cls(head, np.concatenate([np.empty(0, dtype=np.uint64), *(part.keys for part in listed)]))

    def take(self, rows: NDArray[np.int64]) -> Signed:
        """Return some documents in another order."""
        return Signed(self.head[rows], self.keys[self._places(rows)])

    def put(self, rows: NDArray[np.int64], others: Signed) -> None:
        """Overwrite the keys of the documents at ``rows`` by those of others, which have as many."""
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
    """Sign the texts of a string array, block by block on several threads."""
    offsets, data = utf8_buffers(texts)

    def block(span: tuple[int, int]) -> Signed:
        normal = normalise(offsets[span[0] : span[1] + 1], data, params.convention)
        return _sign(Shingles.of_normal(normal, unit=params.unit, n=params.n), params)

    with ThreadPoolExecutor(threads) as pool:
        return Signed.joined(pool.map(block, block_ranges(offsets)))


def _sign(shingles: Shingles, params: NearParams) -> Signed:
    if params.metric == "jaccard":
        keys = band_keys(signatures(shingles, params.bands * params.rows), params.bands).ravel()
        counts = np.full(len(shingles), params.bands, dtype=np.int64)
    else:
        keys, counts = sample_keys(shingles)
    return Signed(np.column_stack([shingles.identities(), shingles.counts, counts]).astype(np.uint64), keys)


def candidates(signed: Signed, lengths: NDArray[np.int64], params: NearParams) -> Candidates:
    """Return the pairs to compare.

    Args:
        signed: documents in id order, no two with the same set.
        lengths: int64 (n,), bytes of each text.
        params: how similarity is measured.
    """
    if len(signed) <= params.small:
        ratio = params.floor * (1 - 1e-9) if params.metric == "jaccard" else 0.0
        return BandCandidates(np.zeros((len(signed), 1), dtype=np.uint64), Sizes(signed.sizes, lengths, ratio))
    if params.metric == "jaccard":
        # Slightly less than the floor, so that rounding never loses a pair exactly on it.
        sizes = Sizes(signed.sizes, lengths, params.floor * (1 - 1e-9))
        return BandCandidates(signed.keys.reshape(len(signed), params.bands), sizes)
    return SampleCandidates(signed.keys, signed.key_counts, Sizes(signed.sizes, lengths, 0.0), floor=params.floor)


COMPARED = 1 << 24
"""Approximate number of shingles on both sides of the pairs of a chunk: at most 128 MB of sets are held and sent."""


def signing(corpus: Corpus, params: NearParams, *, threads: int) -> Work[Shard]:
    """Return the work of signing each shard: ``sign-...-keys`` and ``sign-...-head``, see ``Signed``."""

    def parts(shard: Shard) -> tuple[str, ...]:
        return f"sign-{shard.index:05d}-keys", f"sign-{shard.index:05d}-head"

    def make(shard: Shard, given: PieceInput) -> dict[str, Part]:
        texts = given.corpus.document_texts(shard)
        signed = Signed.joined(sign(some, params, threads=given.threads) for some in texts)
        return dict(zip(parts(shard), (signed.keys, signed.head), strict=True))

    rows = RowByRow("sign", cut=partial(counted_slices, counts=3))
    return Work(corpus.shards(), parts, make, lambda shard: shard.rows, threads=threads, rows_of=rows)


def code_parts(found: Candidates) -> list[str]:
    """Return the names of the parts that hold the candidates of each range."""
    return [_codes(k) for k in range(len(found.ranges()))]


def _codes(number: int) -> str:
    return f"codes-{number:05d}"


def pairing(found: Candidates) -> Work[int]:
    """Return the work of pairing each range of buckets: ``codes-...``, see ``Buckets.codes``."""

    def make(number: int, given: PieceInput) -> dict[str, Part]:
        buckets: Buckets = given.own
        return {_codes(number): buckets.codes()}

    ranges = found.ranges()
    numbers = range(len(ranges))
    return Work(numbers, lambda number: (_codes(number),), make, own=lambda number: found.buckets(ranges[number]))


def shingling(corpus: Corpus, params: NearParams, wanted: Callable[[Shard], NDArray[np.bool_]]) -> Work[Shard]:
    """Return the work of making ``sets-...``: the shingle sets of a shard's candidates, each ascending.

    Args:
        corpus: the corpus.
        params: what a shingle is.
        wanted: bool (m,) for a shard, which of its documents are candidates.
    """

    def make(shard: Shard, given: PieceInput) -> Part:
        mask, place = given.own, 0
        found = [np.empty(0, dtype=np.uint64)]
        if mask.any():
            for texts in given.corpus.document_texts(shard):
                chosen = texts.filter(pa.array(mask[place : place + len(texts)]))
                place += len(texts)
                found.append(params.shingles(chosen).hashes)
        return np.concatenate(found)

    return shard_work(corpus, make, part=lambda shard: f"sets-{shard.index:05d}", own=wanted)


@dataclass(frozen=True)
class Chunk:
    """Candidates that are compared together: from ``start`` to ``stop``, exclusive, of a range of buckets."""

    range: int
    start: int
    stop: int

    @property
    def part(self) -> str:
        """Return the name of the part with its pairs."""
        return f"pairs-{self.range:05d}-{self.start:010d}"

    @property
    def slice(self) -> slice:
        """Return the chunk as a slice of the candidates of the range."""
        return slice(self.start, self.stop)


def chunks(number: int, codes: NDArray[np.uint64], sizes: NDArray[np.int64]) -> Iterator[Chunk]:
    """Yield chunks of about ``COMPARED`` shingles, at least one pair, of the candidates of a range.

    Args:
        number: of the range.
        codes: its candidates.
        sizes: int64 (n,), shingles of each document.
    """
    left, right = split(codes)
    begun = np.cumsum(sizes[left] + sizes[right]) // COMPARED
    starts = np.unique(begun, return_index=True)[1].tolist()
    for start, stop in zip(starts, [*starts[1:], len(codes)], strict=False):
        yield Chunk(number, start, stop)


@dataclass(frozen=True, eq=False)
class Compared:
    """Pairs with the shingle sets to compare.

    Attributes:
        left, right: int64 (m,), set numbers.
        starts: int64 (k + 1,), where each set begins.
        shingles: uint64, the sets, each ascending.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    starts: NDArray[np.int64]
    shingles: NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Sets:
    """The shingle sets of all candidates, in files.

    Attributes:
        out: the artifact with the parts ``sets-...``.
        rows: int64 (u,), facts row of each document number in codes.
        shard: int32 (n,), shard of each facts row.
        begin, end: int64 (n,), where the set of each facts row lies in the part of its shard.
    """

    out: ArtifactWriter
    rows: NDArray[np.int64]
    shard: NDArray[np.int32]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]

    def of(self, codes: NDArray[np.uint64]) -> Compared:
        """Return pairs with their sets."""
        left, right = split(codes)
        documents, places = np.unique(np.concatenate([left, right]), return_inverse=True)
        rows = self.rows[documents]
        starts = np.append(0, np.cumsum(self.end[rows] - self.begin[rows]))
        shingles = np.empty(int(starts[-1]), dtype=np.uint64)
        for shard in np.unique(self.shard[rows]).tolist():
            mine = np.flatnonzero(self.shard[rows] == shard)
            sets = self.out.read_array(f"sets-{shard:05d}", mmap=True)
            _copy(sets, self.begin[rows[mine]], self.end[rows[mine]], starts[mine], shingles)
        return Compared(places[: len(left)], places[len(left) :], starts, shingles)


@njit(cache=True, nogil=True)
def _copy(values, begin, end, place, out):  # type: ignore[no-untyped-def]
    for k in range(len(begin)):
        for i in range(begin[k], end[k]):
            out[place[k] + i - begin[k]] = values[i]


def comparing(
    listed: Sequence[Chunk], params: NearParams, sets: Callable[[Chunk], Compared], threads: int
) -> Work[Chunk]:
    """Return the work of comparing chunks: table ``pairs-...`` of ``place`` in the chunk and ``similarity``.

    Args:
        listed: the chunks.
        params: the metric, and the floor below which pairs are left out.
        sets: returns the pairs of a chunk with their sets.
        threads: changes no byte.
    """

    def make(chunk: Chunk, given: PieceInput) -> dict[str, Part]:
        own: Compared = given.own
        side = (own.starts[:-1], own.starts[1:], own.shingles)

        def compare(some: NDArray[np.int64]) -> NDArray[np.float32]:
            return similarities((own.left[some], own.right[some]), side, side, metric=params.metric)

        with ThreadPoolExecutor(given.threads) as pool:
            values = np.concatenate(list(pool.map(compare, np.array_split(np.arange(len(own.left)), given.threads))))
        place = np.flatnonzero(values >= np.float32(params.floor))
        return {chunk.part: pa.table({"place": place, "similarity": values[place]})}

    return Work(listed, lambda chunk: (chunk.part,), make, own=sets, threads=threads)

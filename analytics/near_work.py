"""The work of finding near-duplicates that any machine may do: signing, pairing, shingling, comparing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.lsh import Buckets, Candidates, split
from tamis.analytics.signing import NearParams, Signed, sign
from tamis.analytics.similarity import similarities
from tamis.analytics.work import Given, Part, Work, shard_work
from tamis.data.artifact_writer import ArtifactWriter
from tamis.data.corpus import Corpus
from tamis.data.shards import Shard

COMPARED = 1 << 24
"""Shingles on both sides of the pairs of a chunk, about: at most 128 MB of sets are held, and sent, at once."""


def signing(corpus: Corpus, params: NearParams, *, threads: int) -> Work[Shard]:
    """Return the work of signing each shard: ``sign-...-keys`` and ``sign-...-head``, see ``Signed``."""

    def parts(shard: Shard) -> tuple[str, ...]:
        return f"sign-{shard.index:05d}-keys", f"sign-{shard.index:05d}-head"

    def make(shard: Shard, given: Given) -> dict[str, Part]:
        texts = given.corpus.document_texts(shard)
        signed = Signed.joined(sign(some, params, threads=given.threads) for some in texts)
        return dict(zip(parts(shard), (signed.keys, signed.head), strict=True))

    return Work(corpus.shards(), parts, make, lambda shard: shard.rows, threads=threads)


def code_parts(found: Candidates) -> list[str]:
    """Return the names of the parts that hold the candidates of each range."""
    return [_codes(k) for k in range(len(found.ranges()))]


def _codes(number: int) -> str:
    return f"codes-{number:05d}"


def pairing(found: Candidates) -> Work[int]:
    """Return the work of pairing each range of buckets: ``codes-...``, see ``Buckets.codes``."""

    def make(number: int, given: Given) -> dict[str, Part]:
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

    def make(shard: Shard, given: Given) -> Part:
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
    """Candidates that are compared together: ``start`` up to, not with, ``stop`` of those of a range of buckets."""

    range: int
    start: int
    stop: int

    @property
    def part(self) -> str:
        """Return the name of the part with its pairs."""
        return f"pairs-{self.range:05d}-{self.start:010d}"

    @property
    def slice(self) -> slice:
        """Return which candidates of the range these are."""
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
    """Pairs and all that is needed to compare them.

    Attributes:
        left, right: int64 (m,), which sets.
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
        out: where the parts ``sets-...`` are.
        rows: int64 (u,), facts row of each document that codes number.
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
        threads: change no byte.
    """

    def make(chunk: Chunk, given: Given) -> dict[str, Part]:
        own: Compared = given.own
        side = (own.starts[:-1], own.starts[1:], own.shingles)

        def compare(some: NDArray[np.int64]) -> NDArray[np.float32]:
            return similarities((own.left[some], own.right[some]), side, side, metric=params.metric)

        with ThreadPoolExecutor(given.threads) as pool:
            values = np.concatenate(list(pool.map(compare, np.array_split(np.arange(len(own.left)), given.threads))))
        place = np.flatnonzero(values >= np.float32(params.floor))
        return {chunk.part: pa.table({"place": place, "similarity": values[place]})}

    return Work(listed, lambda chunk: (chunk.part,), make, own=sets, threads=threads)

"""Near-duplicates of a corpus: every pair of documents whose shingle sets are similar, each verified.

Two streaming passes. The first keeps identity, size and band keys of every document's shingle set; documents with the
same set count as one from here on, so a hundred thousand identical texts cost no pairs. Documents that share a key are
candidates; the second pass makes the sets of candidates only, and each pair is compared exactly, chunk by chunk. Memory
grows by about 500 bytes a document and 40 bytes a pair above the floor; candidates and sets are in memory-mapped files.
Any machine can sign a shard, pair a range of buckets, make the sets of a shard or compare a chunk of pairs.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.duplicates import near_passes
from tamis.analytics.duplicates.candidates import Candidates, Crowding, Pair, split
from tamis.analytics.duplicates.exact import duplicate_groups
from tamis.analytics.duplicates.known_pairs import FreshCandidates, KnownPairs, note_pairs
from tamis.analytics.duplicates.near_passes import KIND, NearParams, Signed, candidates, sign
from tamis.analytics.duplicates.shingles import similarities
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, Pairs, step_name
from tamis.analytics.steps.step import Estimate, Size, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents
from tamis.data.errors import RecipeError
from tamis.data.shapes import PICTURE

NEAR_VERSION = 1
THREADS = 2
FEW = 200_000
"""Up to so many sets are paired at once."""
Place = tuple[NDArray[np.int64], NDArray[np.int64]]
_COLUMNS = ("left", "right", "similarity")


@dataclass(frozen=True)
class Twins:
    """Documents with the same shingle set.

    Attributes:
        first: int64 (n,), facts row of the smallest document with the same set, its own if there is no other.
        alone: int64 (u,), ascending facts rows that are their own ``first``: one per set.
    """

    first: NDArray[np.int64]
    alone: NDArray[np.int64]

    @classmethod
    def of(cls, identity: NDArray[np.uint64]) -> Twins:
        """Group documents in facts order by the identity of their sets, uint64 (n, 2)."""
        group, _ = duplicate_groups(identity)
        rows = np.arange(len(group))
        first = np.where(group < 0, rows, group)
        return cls(first, np.flatnonzero(first == rows))


def near_pairs(texts: pa.Array, params: NearParams | None = None) -> tuple[Pairs, NDArray[np.int64]]:
    """Return the verified pairs of a few texts in memory, numbered by position, and ``Twins.first``.

    Pairs are between the first documents of each set; similarity is at least ``params.floor``.
    """
    chosen = params or NearParams()
    signed = sign(texts, chosen)
    twins = Twins.of(signed.identity)
    lengths = np.array([len(text.encode()) for text in texts.to_pylist()], dtype=np.int64)
    found = candidates(signed.take(twins.alone), lengths[twins.alone], chosen)
    sets = chosen.shingles(texts)
    side = (sets.starts[:-1], sets.starts[1:], sets.hashes)
    kept = []
    for some in found.ranges():
        left, right = split(found.buckets(some).codes())
        pair = twins.alone[left], twins.alone[right]
        kept.append(_kept(pair, similarities(pair, side, side, metric=chosen.metric), chosen.floor))
    return _joined(kept), twins.first


def _kept(pair: Pair, values: NDArray[np.float32], floor: float) -> Pairs:
    keep = values >= np.float32(floor)
    return Pairs(pair[0][keep], pair[1][keep], values[keep])


def _joined(parts: Sequence[Pairs]) -> Pairs:
    """Return all pairs sorted by document, each once."""
    none = Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    left, right, values = (np.concatenate([getattr(part, name) for part in (none, *parts)]) for name in _COLUMNS)
    order = np.lexsort((right, left))
    left, right, values = left[order], right[order], values[order]
    fresh = np.ones(len(left), dtype=bool)
    fresh[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return Pairs(left[fresh], right[fresh], values[fresh])


def near_step(measure: Measure, *, threads: int = THREADS) -> StepSpec:
    """Return the step that measures near-duplicates.

    Its artifact holds the arrays ``left`` and ``right`` (int64 (m,), facts rows of the first document of each set,
    ``left < right``, sorted), ``similarity`` (float32 (m,)) and ``first`` (int64 (n,), see ``Twins``).
    """
    params = NearParams.of(measure)

    def run(context: StepContext) -> None:
        _PairSearch(context, params, threads).run()

    return StepSpec(
        name=step_name(measure),
        version=NEAR_VERSION,
        upstream=("documents",),
        params={**_step_params(params), "unicode": unicodedata.unidata_version},
        title="Finding near-duplicates",
        estimate=_estimate,
        run=run,
    )


def _step_params(params: NearParams) -> dict[str, Any]:
    """Return the parameters of the step; ``small``, which older steps lack, is stated only if it is not 0."""
    return {name: value for name, value in asdict(params).items() if name != "small" or value}


def _estimate(size: Size) -> Estimate:
    """Estimate from two cores: 60 MB of text a second in both passes, 15 microseconds a document for pairs."""
    return Estimate(1.0 + size.bytes / 60e6 + size.documents * 15e-6, size.documents * 60)


class _PairSearch:
    """One search: its passes, in order."""

    def __init__(self, context: StepContext, params: NearParams, threads: int) -> None:
        self.context, self.params, self.threads = context, params, threads
        self.shards = context.corpus.shards()
        rows = context.documents.facts_rows
        counts = np.bincount(context.documents.shard, minlength=len(self.shards))
        self.rows = np.split(rows, np.cumsum(counts)[:-1])

    def run(self) -> None:
        context, params = self.context, self.params
        if not context.corpus.shape.has_texts:
            raise RecipeError(
                "Pictures without captions share no words", value="near_dedup", allowed="image_near_dedup",
                fix="compare the pictures themselves: operator: image_near_dedup",
            )  # fmt: skip
        context.progress.step(step_name(params.measure), 2 * context.corpus.rows, "documents, each read twice")
        context.fill(near_passes.signing(context.corpus, params, threads=self.threads))
        head = self._heads()
        twins = Twins.of(head[:, :2])
        identity = head[twins.alone, :2]
        known = KnownPairs.find(context, params, identity)
        signed, lengths = self._signed(head, twins.alone), context.documents.bytes[twins.alone]
        fresh = None if known is None else FreshCandidates.of(signed, lengths, params, known)
        if known is None or fresh is None or fresh.found.crowding.crowded:
            known, found = None, candidates(signed, lengths, params)
            codes, crowding, compared = self._paired(found, "all"), found.crowding, 0
        else:
            codes = self._fresh(fresh, known)
            crowding = Crowding(max(known.largest, fresh.found.crowding.largest), 0)
            compared = known.candidates
        wanted = np.zeros(context.documents.n, dtype=bool)
        for some in codes:
            context.progress.check()
            for side in split(some):
                wanted[twins.alone[side]] = True
        context.fill(near_passes.shingling(context.corpus, params, lambda shard: wanted[self.rows[shard.index]]))
        sizes = head[:, 2].astype(np.int64)
        chunks = [chunk for k, some in enumerate(codes) for chunk in near_passes.chunks(k, some, sizes[twins.alone])]
        sets = near_passes.Sets(context.out, twins.alone, context.documents.shard, *self._places(wanted, sizes))
        context.fill(near_passes.comparing(chunks, params, lambda at: sets.of(codes[at.range][at.slice]), self.threads))
        parts = []
        for chunk in chunks:
            table = context.out.read_table(chunk.part)
            left, right = split(codes[chunk.range][chunk.slice][table.column("place").to_numpy()])
            parts.append(Pairs(twins.alone[left], twins.alone[right], table.column("similarity").to_numpy()))
        if known is not None:
            old = known.pairs
            parts.append(Pairs(twins.alone[old.left], twins.alone[old.right], old.similarity))
        self._commit(_joined(parts), self._said(twins, head), identity, crowding, compared + sum(map(len, codes)))

    def _said(self, twins: Twins, head: NDArray[np.uint64]) -> Twins:
        """Return twins in which a picture without a caption is alone: it is no copy of the others that have none."""
        if self.context.corpus.shape.kind != PICTURE:
            return twins
        silent = (head[:, :2] == sign(pa.array([""]), self.params).identity).all(axis=1)
        return replace(twins, first=np.where(silent, np.arange(len(silent)), twins.first))

    def _fresh(self, fresh: FreshCandidates, known: KnownPairs) -> list[NDArray[np.uint64]]:
        """Return the pairs with a new set; of few sets they are found at once, not in parts."""
        if len(fresh.sets) > FEW:
            return list(fresh.chosen(self._paired(fresh.found, known.artifact)))
        self._forget_others(known.artifact)
        ranges = fresh.found.ranges()
        found = fresh.chosen([fresh.found.buckets(some).codes() for some in ranges])
        return [np.concatenate([np.empty(0, dtype=np.uint64), *found])]

    def _forget_others(self, among: str) -> None:
        """Remove the parts of a stopped run that looked for pairs among other sets."""
        out, marker = self.context.out, f"among-{among}"
        if out.has_part(marker):
            return
        for name in out.parts():
            if name.startswith(("among-", "codes-", "sets-", "pairs-")):
                out.drop_part(name)
        out.write_array(marker, np.zeros(0, dtype=np.uint8))

    def _paired(self, found: Candidates, among: str) -> list[NDArray[np.uint64]]:
        """Return the codes of candidates, range by range."""
        out = self.context.out
        self._forget_others(among)
        self.context.fill(near_passes.pairing(found))
        return [out.read_array(name, mmap=True) for name in near_passes.code_parts(found)]

    def _heads(self) -> NDArray[np.uint64]:
        """Return the heads of all documents in facts order, uint64 (n, 4)."""
        heads = np.empty((self.context.documents.n, 4), dtype=np.uint64)
        for k, own in enumerate(self.rows):
            heads[own] = self._head(k)
        return heads

    def _head(self, shard: int) -> NDArray[np.uint64]:
        return self.context.out.read_array(f"sign-{shard:05d}-head")

    def _signed(self, heads: NDArray[np.uint64], chosen: NDArray[np.int64]) -> Signed:
        """Return the documents at the ascending facts rows ``chosen``, in facts order."""
        head = heads[chosen]
        ends = np.cumsum(head[:, 3].astype(np.int64))
        signed = Signed(head, np.empty(int(ends[-1]) if len(ends) else 0, dtype=np.uint64))
        wanted = np.zeros(self.context.documents.n, dtype=bool)
        wanted[chosen] = True
        for k, own in enumerate(self.rows):
            inside = wanted[own]
            whole = Signed(self._head(k), self.context.out.read_array(f"sign-{k:05d}-keys", mmap=True))
            signed.put(np.searchsorted(chosen, own[inside]), whole.take(np.flatnonzero(inside)))
        return signed

    def _places(self, wanted: NDArray[np.bool_], sizes: NDArray[np.int64]) -> Place:
        """Return where each document's set begins and ends in the sets of its shard, int64 (n,) each."""
        begin = np.zeros(len(wanted), dtype=np.int64)
        for rows in self.rows:
            inside = rows[wanted[rows]]
            begin[inside] = np.cumsum(sizes[inside]) - sizes[inside]
        return begin, begin + sizes

    def _commit(self, pairs: Pairs, twins: Twins, identity: NDArray[np.uint64], crowding: Crowding, count: int) -> None:
        out = self.context.out
        for name in _COLUMNS:
            out.write_array(name, getattr(pairs, name))
        out.write_array("first", twins.first)
        note_pairs(self.context, identity, twins.alone)
        for part in out.parts():
            if part not in (*_COLUMNS, "first"):
                out.drop_part(part, keep=part.startswith(("sign-", "keep-")))
        facts = {
            "sets": len(twins.alone),
            "candidates": count,
            "pairs": len(pairs.left),
            "largest_bucket": crowding.largest,
            "crowded_buckets": crowding.crowded,
        }
        out.commit(rows=self.context.documents.n, facts=facts)


def _read(artifact: Artifact, documents: Documents, name: str) -> NDArray[np.int64]:
    """Return ``first`` of a near_pairs artifact, in facts order."""
    return artifact.array(name)


MEASURES.register(MeasureKind(KIND, "Pairs of near-duplicates", step=near_step, read=_read))

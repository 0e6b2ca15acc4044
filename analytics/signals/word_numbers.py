"""The step that turns every document into word numbers, and the table that reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.steps.engine import PieceInput, Work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.word_stream import CONVENTION, FREQUENT, Vocabulary, WordHashes, WordStream, gather_slices
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents
from tamis.data.errors import StoreError
from tamis.data.shards import Shard

NAME = "words"
VERSION = 1
_COUNTED = 256 << 20


def words_step() -> StepSpec:
    """Return the step that stores every document as word numbers of a vocabulary made from the corpus.

    Per shard, in source order: ``words-00000`` uint16, ``starts-00000`` int64, ``bytes-00000`` int64; and
    ``vocabulary`` uint32, the hashes of the frequent words. Words are counted in documents up to 256 MB, evenly spread.
    """

    def run(context: StepContext) -> None:
        context.fill(Work(context.corpus.shards(), _hashed_parts, _hashed, lambda shard: shard.rows))
        vocabulary = Vocabulary.of(_counted(context))
        context.out.write_array("vocabulary", vocabulary.words)
        total = 0
        for shard in context.corpus.shards():
            context.progress.check()
            stream = vocabulary.encode(_hashes(context, shard.index))
            context.out.write_array(f"words-{shard.index:05d}", stream.words)
            total += len(stream.words)
        for shard in context.corpus.shards():
            context.out.drop_part(f"hashes-{shard.index:05d}")
        context.out.commit(rows=context.documents.n, facts={"words": total})

    return StepSpec(
        name=NAME,
        version=VERSION,
        upstream=("documents",),
        params={"convention": CONVENTION, "frequent": FREQUENT, "counted": _COUNTED},
        title="Numbering the words",
        estimate=lambda size: Estimate(0.5 + size.bytes / 60e6, int(size.bytes * 0.4) + size.documents * 16),
        run=run,
    )


def _hashed_parts(shard: Shard) -> tuple[str, ...]:
    return tuple(f"{name}-{shard.index:05d}" for name in ("starts", "bytes", "hashes"))


def _hashed(shard: Shard, given: PieceInput) -> dict[str, NDArray[Any]]:
    found = WordHashes.joined(map(WordHashes.of, given.corpus.document_texts(shard)))
    return dict(zip(_hashed_parts(shard), (found.starts, found.bytes, found.hashes), strict=True))


def _hashes(context: StepContext, shard: int) -> WordHashes:
    read = context.out.read_array
    return WordHashes(read(f"hashes-{shard:05d}"), read(f"starts-{shard:05d}"), read(f"bytes-{shard:05d}"))


def _counted(context: StepContext) -> Iterator[WordHashes]:
    """Yield the documents whose words are counted: all, or every k-th by id if the text exceeds ``_COUNTED`` bytes."""
    documents = context.documents
    every = max(1, -(-int(documents.bytes.sum()) // _COUNTED))
    first = 0
    for shard in context.corpus.shards():
        part = _hashes(context, shard.index)
        rows = documents.facts_rows[first : first + len(part)]
        first += len(part)
        yield part if every == 1 else part.take(np.flatnonzero(rows % every == 0))


@dataclass(frozen=True)
class WordTable:
    """All documents of a corpus as word numbers, read part by part.

    Attributes:
        artifact: of the words step.
        documents: of the same corpus.
    """

    artifact: Artifact
    documents: Documents

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Return the vocabulary of the numbers."""
        return Vocabulary(self.artifact.array("vocabulary"))

    @cached_property
    def _parts(self) -> tuple[WordStream, ...]:
        """Return the parts in source order, memory-mapped."""
        array = self.artifact.array
        parts = tuple(
            WordStream(
                array(f"words-{name.removeprefix('starts-')}", mmap=True),
                array(name),
                array(f"bytes-{name.removeprefix('starts-')}"),
            )
            for name in self.artifact.parts("starts-")
        )
        if sum(len(part) for part in parts) != self.documents.n:
            raise StoreError("The words do not fit their documents", value=self.artifact.digest)
        return parts

    def take(self, rows: NDArray[np.int64]) -> WordStream:
        """Return the documents at ``rows`` (facts rows), in that order."""
        wanted = np.asarray(rows, dtype=np.int64)
        places = self.documents.part_order[wanted]
        ends = np.cumsum([len(part) for part in self._parts])
        owner = np.searchsorted(ends, places, side="right")
        size = self.documents.bytes[wanted]
        pieces, order, counts = [np.empty(0, dtype=np.uint16)], [np.empty(0, dtype=np.int64)], []
        for number, part in enumerate(self._parts):
            mine = np.flatnonzero(owner == number)
            if len(mine):
                first = int(ends[number]) - len(part)
                values, firsts = gather_slices(part.words, part.starts, places[mine] - first)
                pieces.append(values)
                order.append(mine)
                counts.append(np.diff(firsts))
        starts = np.cumsum(np.concatenate([np.zeros(1, dtype=np.int64), *counts]))
        stream = WordStream(np.concatenate(pieces), starts, size)
        if len(counts) < 2:
            return stream
        back = np.argsort(np.concatenate(order), kind="stable")
        return WordStream(*gather_slices(stream.words, stream.starts, back), size)

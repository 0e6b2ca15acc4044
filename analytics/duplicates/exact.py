"""Exact duplicates: documents with the same bytes, and documents with the same normalised text.

Both are found by 128-bit hashes made in one pass over the Arrow buffers; the normalised form is the convention of
``tamis.analytics.text.normal_form``. The facts row of its smallest member names a group, so names depend on the ids
only.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo
from tamis.analytics.steps.engine import RowByRow, shard_work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.block import block_ranges, utf8_buffers
from tamis.analytics.text.normal_form import CONVENTION, normalise
from tamis.analytics.text.siphash import hash_slices
from tamis.data.corpus import Corpus
from tamis.data.shards import Shard

EXACT_VERSION = 1
_HASHES = ("raw_low", "raw_high", "norm_low", "norm_high")


@dataclass(frozen=True)
class TextHashes:
    """Hashes of texts.

    Attributes:
        raw: uint64 (n, 2), hash of the UTF-8 bytes.
        norm: uint64 (n, 2), hash of the normalised text.
    """

    raw: NDArray[np.uint64]
    norm: NDArray[np.uint64]

    @classmethod
    def of(cls, texts: pa.Array) -> TextHashes:
        """Hash a string array; NULL counts as an empty text."""
        offsets, data = utf8_buffers(texts)
        norm = [
            hash_slices(found.data, found.offsets)
            for first, end in block_ranges(offsets)
            for found in (normalise(offsets[first : end + 1], data),)
        ]
        return cls(hash_slices(data, offsets), np.concatenate([np.empty((0, 2), dtype=np.uint64), *norm]))

    @classmethod
    def joined(cls, parts: Iterable[TextHashes]) -> TextHashes:
        """Concatenate the hashes of consecutive texts."""
        listed = list(parts)
        empty = np.empty((0, 2), dtype=np.uint64)
        return cls(
            np.concatenate([empty, *(part.raw for part in listed)]),
            np.concatenate([empty, *(part.norm for part in listed)]),
        )

    def to_table(self) -> pa.Table:
        """Return the hashes as four uint64 columns."""
        columns = (*self.raw.T, *self.norm.T)
        return pa.table({name: np.ascontiguousarray(column) for name, column in zip(_HASHES, columns, strict=True)})

    @classmethod
    def from_table(cls, table: pa.Table) -> TextHashes:
        """Read what ``to_table`` wrote."""
        columns = [table.column(name).to_numpy() for name in _HASHES]
        return cls(np.column_stack(columns[:2]), np.column_stack(columns[2:]))

    def take(self, rows: NDArray[np.int64]) -> TextHashes:
        """Return the hashes of some texts in another order."""
        return TextHashes(self.raw[rows], self.norm[rows])


def duplicate_groups(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Group equal hashes.

    Args:
        hashes: uint64 (n, 2), in facts order.

    Returns:
        group int64 (n,), the smallest row of the group, -1 for a hash that occurs once; count int32 (n,), size of the
        group, 1 for a hash that occurs once.
    """
    n = len(hashes)
    # A stable sort of one column takes a third of the time of a sort by both; where it ties, both hardly ever differ.
    order = np.argsort(hashes[:, 0], kind="stable")
    one, other = hashes[order, 0], hashes[order, 1]
    first = np.ones(n, dtype=bool)
    first[1:] = one[1:] != one[:-1]
    if (other[1:] != other[:-1])[~first[1:]].any():
        order = np.lexsort((np.arange(n), hashes[:, 1], hashes[:, 0]))
        ordered = hashes[order]
        first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    starts = np.flatnonzero(first)
    sizes = np.diff(np.append(starts, n))
    group, count = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int32)
    group[order] = np.repeat(np.where(sizes > 1, order[starts], -1), sizes)
    count[order] = np.repeat(sizes, sizes)
    return group, count


def duplicate_columns(hashes: TextHashes) -> pa.Table:
    """Return ``text_group`` int64, ``norm_group`` int64 and ``norm_count`` int32 of hashes in facts order, (n,)."""
    text_group, _ = duplicate_groups(hashes.raw)
    norm_group, norm_count = duplicate_groups(hashes.norm)
    return pa.table({"text_group": text_group, "norm_group": norm_group, "norm_count": norm_count})


def exact_step() -> StepSpec:
    """Return the step that finds exact duplicates.

    Its parts hold ``text_group``, ``norm_group`` and ``norm_count`` in source order; memory is 70 bytes a document.
    """

    def run(context: StepContext) -> None:
        shards = context.corpus.shards()
        make = shard_work(
            context.corpus,
            lambda shard, given: _hashes(given.corpus, shard),
            part=_hash_part,
            rows_of=RowByRow("hash"),
        )
        context.fill(make)
        parts = [context.out.read_table(_hash_part(shard)) for shard in shards]
        documents = context.documents
        hashes = TextHashes.joined(map(TextHashes.from_table, parts))
        columns = duplicate_columns(hashes.take(documents.part_order)).take(pa.array(documents.facts_rows))
        first = 0
        for shard, part in zip(shards, parts, strict=True):
            context.out.write_table(shard.part, columns.slice(first, part.num_rows))
            context.out.drop_part(_hash_part(shard), keep=True)
            first += part.num_rows
        context.out.commit(rows=documents.n)

    return StepSpec(
        name="exact",
        version=EXACT_VERSION,
        upstream=("documents",),
        params={"convention": CONVENTION, "unicode": unicodedata.unidata_version},
        title="Finding exact duplicates",
        estimate=lambda size: Estimate(0.5 + size.bytes / 80e6 + size.documents * 2e-6, size.documents * 12),
        run=run,
    )


def _hash_part(shard: Shard) -> str:
    return f"hash-{shard.index:05d}"


def _hashes(corpus: Corpus, shard: Shard) -> pa.Table:
    return TextHashes.joined(map(TextHashes.of, corpus.document_texts(shard))).to_table()


COLUMNS.declare(
    "exact",
    ColumnInfo(
        name="text_group",
        type="integer",
        title="Raw duplicate group",
        role="duplicate",
        help="Documents with exactly the same text share a group; -1 for no duplicate.",
    ),
    ColumnInfo(
        name="norm_group",
        type="integer",
        title="Duplicate group",
        role="duplicate",
        help="Documents with the same normalised text share a group; -1 for no duplicate.",
    ),
    ColumnInfo(
        name="norm_count",
        type="integer",
        title="Copies",
        role="duplicate",
        help="How many documents have the same normalised text, this one included.",
        unit="documents",
        low=1,
    ),
)

"""Exact duplicates of pictures: files with the same bytes, and pictures with the same pixels.

The step has the name and the columns of ``exact``, so that all that leaves out copies leaves out those of pictures:
``text_group`` holds pictures with the same bytes, ``norm_group`` those with the same pixels after decoding and turning.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.duplicates.exact import duplicate_groups
from tamis.analytics.steps.per_row import PICTURES_STEP
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.documents import load_table

PICTURE_EXACT_VERSION = 1


def picture_exact_step() -> StepSpec:
    """Return the step that finds exact duplicates of pictures.

    Its parts hold ``text_group``, ``norm_group`` and ``norm_count`` in source order.
    """

    def run(context: StepContext) -> None:
        documents = context.documents
        held = load_table(context.inputs[PICTURES_STEP], documents, columns=["sha256", "pixel_hash"])
        columns = picture_columns(held).take(pa.array(documents.facts_rows))
        sizes = np.bincount(documents.shard, minlength=len(context.corpus.shards())).tolist()
        first = 0
        for shard, size in zip(context.corpus.shards(), sizes, strict=True):
            context.out.write_table(shard.part, columns.slice(first, size))
            first += size
        context.out.commit(rows=documents.n)

    return StepSpec(
        name="exact",
        version=PICTURE_EXACT_VERSION,
        upstream=("documents", PICTURES_STEP),
        params={"of": "pictures"},
        title="Finding exact duplicates",
        estimate=lambda size: Estimate(0.5 + size.documents * 3e-6, size.documents * 12),
        run=run,
    )


def picture_columns(held: pa.Table) -> pa.Table:
    """Return ``text_group`` int64, ``norm_group`` int64 and ``norm_count`` int32 of pictures in facts order, (n,).

    Args:
        held: ``sha256``, fixed-size binary (32), and ``pixel_hash``, fixed-size binary (16).
    """
    bytes_group, _ = duplicate_groups(_words(held, "sha256")[:, :2])
    pixel_group, count = duplicate_groups(_words(held, "pixel_hash"))
    return pa.table({"text_group": bytes_group, "norm_group": pixel_group, "norm_count": count})


def _words(held: pa.Table, name: str) -> NDArray[np.uint64]:
    """Return a column of fixed-size binary as numbers, uint64 (n, width / 8)."""
    width = held.schema.field(name).type.byte_width
    joined = b"".join(held.column(name).to_pylist())
    return np.frombuffer(joined, dtype="<u8").reshape(-1, width // 8).astype(np.uint64)

"""The step that gives every document its id, of texts and of pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain

import pyarrow as pa

from tamis.analytics.steps.engine import RowByRow, Work, shard_work
from tamis.analytics.steps.per_row import PICTURES_STEP, rows_of_shard
from tamis.analytics.steps.row_by_row import Part, Parts, joined, slices
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.corpus import Corpus
from tamis.data.identification import (
    IDENTIFICATION_VERSION,
    hash_part,
    hash_pictures,
    hash_shard,
    identify,
    without_repairs,
)
from tamis.data.picture_source import states_pictures
from tamis.data.shapes import PICTURE
from tamis.data.shards import Shard


def documents_step(corpus: Corpus | None = None) -> StepSpec:
    """Return the step that gives every document its id; of a corpus of pictures it reads the step ``pictures``."""
    of_pictures = corpus is not None and corpus.shape.kind == PICTURE

    def run(context: StepContext) -> None:
        named = tuple(filter(None, [context.corpus.roles.id]))
        rows = RowByRow("hash", columns=named, every_row=True, cut=_cut_hashes, join=_join_hashes)
        make = shard_work(
            context.corpus, lambda shard, given: hash_shard(given.corpus, shard), part=hash_part, rows_of=rows
        )
        context.fill(_hashing_pictures(context, rows) if of_pictures else make)
        identify(context.corpus, context.out, context.progress)

    return StepSpec(
        name="documents",
        version=IDENTIFICATION_VERSION,
        upstream=(PICTURES_STEP,) if of_pictures else (),
        params={},
        title="Giving every document its id",
        estimate=lambda size: Estimate(size.documents * 8e-6 + size.bytes / 150e6, size.documents * 60),
        run=run,
    )


def _hashing_pictures(context: StepContext, rows: RowByRow) -> Work[Shard]:
    corpus, pictures = context.corpus, context.inputs[PICTURES_STEP]
    path = corpus.shape.columns[PICTURE]
    own = replace(rows, columns=(path, *rows.columns), content={"pictures": pictures.manifest.key["version"]})
    return shard_work(
        corpus,
        lambda shard, given: hash_pictures(given.corpus, shard, given.own),
        part=hash_part,
        own=lambda shard: rows_of_shard(corpus, pictures, shard, ["reason", "sha256"]),
        rows_of=own if states_pictures(corpus) else None,
    )


def _cut_hashes(parts: Parts, start: int, stop: int) -> Parts | None:
    return slices(parts, start, stop) if without_repairs(_tables(parts)) else None


def _join_hashes(several: Sequence[Parts]) -> Parts | None:
    return joined(several) if len(several) == 1 or without_repairs(_tables(chain(*several))) else None


def _tables(parts: Iterable[Part]) -> list[pa.Table]:
    return [part for part in parts if isinstance(part, pa.Table)]

"""How well captions say what their pictures show: the cosine of both, by a model that reads pictures and texts.

Source: Hessel et al. 2021, CLIPScore, arXiv 2104.08718; the cosine itself, neither scaled nor cut at 0.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tamis.analytics.embedding.stored_vectors import text_embedder_of
from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo
from tamis.analytics.steps.engine import PieceInput, shard_work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.errors import JobError
from tamis.data.shards import Shard

STEP = "caption_similarity"
_ROWS = 512


def caption_similarity_step() -> StepSpec:
    """Return the step that compares captions with their pictures; without a caption the value is NULL."""

    def run(context: StepContext) -> None:
        if context.workspace is None:
            raise JobError("Captions are compared by a model in the workspace, and there is none")
        vectors = context.inputs["embeddings"]
        embedder = text_embedder_of(vectors, context.workspace)
        context.fill(
            shard_work(
                context.corpus, _compared, common=embedder, own=lambda shard: np.asarray(vectors.array(shard.part))
            )
        )
        context.out.commit(rows=context.documents.n)

    return StepSpec(
        name=STEP,
        version=1,
        upstream=("documents", "embeddings"),
        params={},
        title="Comparing captions with their pictures",
        estimate=lambda size: Estimate(5 + size.documents * 0.02, size.documents * 4),
        run=run,
    )


def _compared(shard: Shard, given: PieceInput) -> pa.Table:
    found, first = [np.empty(0, dtype=np.float32)], 0
    for texts in given.corpus.document_texts(shard, max_rows=_ROWS):
        given.check()
        said = given.common.encode(texts).astype(np.float32)
        seen = given.own[first : first + len(texts)].astype(np.float32)
        cosines = np.einsum("ij,ij->i", said, seen)
        found.append(np.where(said.any(axis=1) & seen.any(axis=1), cosines, np.nan).astype(np.float32))
        first += len(texts)
        given.advance(len(texts))
    return pa.table({STEP: pa.array(np.concatenate(found), from_pandas=True)})


COLUMNS.declare(
    STEP,
    ColumnInfo(
        name=STEP,
        type="number",
        title="Caption similarity",
        role="signal",
        help="Cosine of caption and picture by the model that embedded the pictures; NULL without a caption. Compare "
        "within one model only: with CLIP most true captions lie between 0.2 and 0.4.",
        low=-1,
        high=1,
    ),
)

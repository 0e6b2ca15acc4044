"""A planted pool as an analysed corpus, with a target, for tests of everything that needs a study."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from planted import Pool, planted_pool

from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.effect.target import TargetEntry, save_target
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.study import Study
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


def planted_study(folder: Path, *, documents: int = 1200, target: int = 160) -> tuple[Study, TargetEntry, Pool]:
    """Return the study of a planted pool without embeddings, and its target."""
    pool = planted_pool(documents=documents, target=target, repeated=20)
    table = pa.table(
        {
            "id": [f"doc-{k:05d}" for k in range(len(pool))],
            "text": pool.texts,
            "source": pool.kind.tolist(),
            "label": pool.kind.tolist(),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / "pool.parquet")
    workspace = Workspace(folder / "home")
    corpus = open_corpus(folder / "pool.parquet")
    measured = (documents_step(), columns_step(corpus), tokens_step(), exact_step())
    study = Study.open(corpus, workspace, steps=(*measured, facts_step(measured)))
    return study, save_target(workspace, "sea", pool.target.to_pylist(), origin="planted"), pool

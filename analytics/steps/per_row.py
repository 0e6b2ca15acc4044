"""Artifacts with a row per source row, not per document: steps that run before the documents are known."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.shards import Shard

PICTURES_STEP = "pictures"
"""The step that decodes the pictures of a corpus, before its documents have ids."""


def rows_of_shard(corpus: Corpus, artifact: Artifact, shard: Shard, columns: Sequence[str]) -> pa.Table:
    """Return columns of the source rows of a shard, or of some rows of it, from an artifact of all rows."""
    table = artifact.table(shard.part, columns=columns)
    return table.slice(shard.first - corpus.shards()[shard.index].first, shard.rows)

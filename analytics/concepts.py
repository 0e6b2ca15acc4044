"""Concepts: k-means cells with their complexities, frozen in one stored table, and the measure that assigns documents.

A rule names the table by digest. It holds what assigns any document to a concept (centroids, and the space they live
in) and what is known about each concept, so a recipe made on one corpus runs on another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding import ShardVectors, embeddings_step, given_vectors
from tamis.analytics.kmeans import assign
from tamis.analytics.measures import MEASURES, SUPPORTING, MeasureKind, step_name
from tamis.analytics.operator import Measure
from tamis.analytics.step import Estimate, StepContext, StepSpec
from tamis.analytics.work import Given, shard_work
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_column
from tamis.data.errors import StoreError
from tamis.data.shards import Shard

MEASURED = ("geometric", "redundancy_aware", "measured")
_COLUMNS = ("cluster", "size", *MEASURED, "space", "centroid")


@dataclass(frozen=True, eq=False)
class Concepts:
    """A frozen clustering by centroids.

    Attributes:
        clusters: int32 (k,), number of each concept.
        sizes: int64 (k,), documents it had where it was made.
        complexity: float64 (k, 3), columns as ``MEASURED``, NaN where it could not be measured.
        centroids: float32 (k, d), unit rows.
        space: digest of the embedding the centroids live in.
    """

    clusters: NDArray[np.int32]
    sizes: NDArray[np.int64]
    complexity: NDArray[np.float64]
    centroids: NDArray[np.float32]
    space: str

    def table(self) -> pa.Table:
        """Return one row per concept, the form that is stored."""
        columns: list[Any] = [pa.array(self.clusters), pa.array(self.sizes)]
        columns += [pa.array(values, mask=np.isnan(values)) for values in self.complexity.T]
        columns.append(pa.array([self.space] * len(self.clusters), pa.string()))
        columns.append(pa.array(self.centroids.tolist(), pa.list_(pa.float32())))
        return pa.table(columns, names=list(_COLUMNS))

    @classmethod
    def from_table(cls, table: pa.Table) -> Concepts:
        """Read a stored table.

        Raises:
            StoreError: it does not hold concepts.
        """
        if tuple(table.schema.names) != _COLUMNS or not table.num_rows:
            raise StoreError("This is not a table of concepts", value=table.schema.names, allowed=_COLUMNS)
        numbers = {name: table.column(name).to_numpy() for name in ("cluster", "size", *MEASURED)}
        return cls(
            clusters=numbers["cluster"].astype(np.int32),
            sizes=numbers["size"].astype(np.int64),
            complexity=np.column_stack([numbers[name].astype(np.float64) for name in MEASURED]),
            centroids=np.array(table.column("centroid").to_pylist(), dtype=np.float32),
            space=str(table.column("space")[0].as_py()),
        )

    def describe(self, vectors: NDArray[np.float16]) -> pa.Table:
        """Return for each vector its concept, the cosine distance to the centroid and the concept's complexities.

        Columns: ``cluster`` int32 (-1 for rows of zeros), ``distance`` float32, ``MEASURED`` float64, NULL where
        there is no value.
        """
        places, cosine = assign(vectors, self.centroids)
        known = places >= 0
        columns = {
            "cluster": pa.array(np.where(known, self.clusters[places], np.int32(-1))),
            "distance": pa.array((1 - cosine).astype(np.float32), mask=~known),
        }
        for name, values in zip(MEASURED, self.complexity.T, strict=True):
            columns[name] = pa.array(values[places], mask=~known | np.isnan(values[places]))
        return pa.table(columns)


def _described(shard: Shard, given: Given) -> pa.Table:
    concepts, embedder = given.common
    found: pa.Table = concepts.describe(given_vectors(shard, given, embedder))
    return found


def _step(measure: Measure) -> StepSpec:
    digest = str(dict(measure.params)["concepts"])

    def run(context: StepContext) -> None:
        concepts = Concepts.from_table(context.stored(digest))
        vectors = ShardVectors.of(context, concepts.space, what="The concepts of a rule")
        common = (concepts, vectors.embedder)
        context.fill(shard_work(context.corpus, _described, common=common, own=vectors.own))
        context.out.commit(rows=context.documents.n)

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents", "embeddings"),
        params=dict(measure.params),
        title="Assigning documents to concepts",
        estimate=lambda size: Estimate(0.5 + size.documents * 3e-5, size.documents * 36),
        run=run,
    )


def _read(artifact: Artifact, documents: Documents, name: str) -> NDArray[Any]:
    """Return the column that a facts column ``concept_<column>_<digest>`` names, in facts order."""
    column = name.removeprefix("concept_").rpartition("_")[0]
    values = load_column(artifact, documents, column)
    return np.asarray(values.to_numpy(zero_copy_only=False))


SUPPORTING.setdefault("embeddings", embeddings_step)
MEASURES.register(MeasureKind("concept", "Concept of each document", step=_step, read=_read))

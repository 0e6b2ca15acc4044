"""Concepts: k-means cells with their complexities, frozen in one stored table, and the measure that assigns documents.

A rule names the table by digest. The table holds what assigns any document to a concept (centroids and their embedding
space) and the complexities of each concept, so a recipe made on one corpus runs on another.

Three measures tell how complex a concept is:

* **geometric**: mean cosine distance of members to their centroid times mean distance to the 20 nearest other centroids
  (Abbas et al. 2024, arXiv 2401.04578). On text it rates templated documents as complex.
* **redundancy-aware**: mean distance to the centroid divided by how well the members' words compress together.
* **measured**: gain of the last doubling of training documents, in bits per byte of held-out members.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding.kmeans import assign
from tamis.analytics.embedding.step import embeddings_step, read_or_embed
from tamis.analytics.embedding.stored_vectors import ShardVectors
from tamis.analytics.steps.engine import PieceInput, shard_work
from tamis.analytics.steps.measures import MEASURES, SUPPORTING, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.trigram_model import last_gain, learning_curve
from tamis.analytics.text.word_stream import WordStream
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_column
from tamis.data.errors import StoreError
from tamis.data.hashing import mix_keys
from tamis.data.shards import Shard

MEASURED = ("geometric", "redundancy_aware", "measured")
_COLUMNS = ("cluster", "size", *MEASURED, "space", "centroid")


@dataclass(frozen=True, eq=False)
class Concepts:
    """A frozen clustering by centroids.

    Attributes:
        clusters: int32 (k,), number of each concept.
        sizes: int64 (k,), its documents in the corpus it was made on.
        complexity: float64 (k, 3), columns as ``MEASURED``, NaN where it could not be measured.
        centroids: float32 (k, d), unit rows.
        space: digest of the embedding space of the centroids.
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
            StoreError: the table does not hold concepts.
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


def _described(shard: Shard, given: PieceInput) -> pa.Table:
    concepts, embedder = given.common
    found: pa.Table = concepts.describe(read_or_embed(shard, given, embedder))
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


NEAREST = 20
CURVE = (15, 30, 60, 120, 240)
HELD_OUT = 40
COMPRESSED_BYTES = 64 << 10


@dataclass(frozen=True)
class TextProfile:
    """How compressible and predictable the words of a concept's members are.

    Attributes:
        compression: text bytes per byte of the compressed word stream of up to 64 kB.
        curve: float64 (len(CURVE),), bits per byte of held-out members after 15, 30, ... documents, NaN beyond.
        gain: gain of the last doubling, bits per byte, NaN with fewer than two points.
    """

    compression: float
    curve: NDArray[np.float64]
    gain: float


def spread(
    vectors: NDArray[np.floating], labels: NDArray[np.int32], centroids: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the mean cosine distance of members to their centroid, float64 (k,), NaN for empty concepts.

    Args:
        vectors: (n, d), unit rows.
        labels: int32 (n,), place of each document's centroid, -1 for none.
        centroids: float32 (k, d), unit rows.
    """
    sums = np.zeros(len(centroids))
    for first in range(0, len(vectors), 65_536):
        part = np.asarray(vectors[first : first + 65_536], dtype=np.float32)
        own = labels[first : first + 65_536]
        known = own >= 0
        distance = 1.0 - np.einsum("nd,nd->n", part[known], centroids[own[known]]).astype(np.float64)
        np.add.at(sums, own[known], distance)
    sizes = np.bincount(labels[labels >= 0], minlength=len(centroids))
    return np.divide(sums, sizes, out=np.full(len(centroids), np.nan), where=sizes > 0)


def isolation(centroids: NDArray[np.float32], *, nearest: int = NEAREST) -> NDArray[np.float64]:
    """Return the mean cosine distance to the nearest other centroids, float64 (k,), NaN for a single one."""
    if len(centroids) < 2:
        return np.full(len(centroids), np.nan)
    distance = 1.0 - centroids.astype(np.float64) @ centroids.astype(np.float64).T
    np.fill_diagonal(distance, np.inf)
    most = min(nearest, len(centroids) - 1)
    return np.asarray(np.partition(distance, most - 1, axis=1)[:, :most].mean(axis=1), dtype=np.float64)


def text_profile(members: WordStream) -> TextProfile:
    """Return the profile of members in the order of their keyed hashes; about ``CURVE[-1] + HELD_OUT`` are enough."""
    cut = int(np.searchsorted(np.cumsum(members.bytes), COMPRESSED_BYTES, side="right"))
    part = members.take(np.arange(max(cut, min(len(members), 1))))
    packed = len(zlib.compress(part.words.astype("<u2").tobytes(), 6))
    held = min(HELD_OUT, len(members) // 4)
    curve = learning_curve(members.take(np.arange(held, len(members))), members.take(np.arange(held)), sizes=CURVE)
    return TextProfile(float(part.bytes.sum()) / max(packed, 1), curve, last_gain(curve))


def profile_sample(
    keys: NDArray[np.uint64], labels: NDArray[np.int32], *, most: int = CURVE[-1] + HELD_OUT
) -> list[NDArray[np.int64]]:
    """Return for each label from 0 the documents its profile is made from, in the order of their keyed hashes."""
    order = np.lexsort((np.arange(len(keys)), mix_keys(keys, seed=0, salt="profile"), labels))
    bounds = np.searchsorted(labels[order], np.arange(int(labels.max(initial=-1)) + 2))
    return [order[first : min(end, first + most)] for first, end in pairwise(bounds)]


def complexities(
    spreads: NDArray[np.float64], isolations: NDArray[np.float64], profiles: list[TextProfile]
) -> NDArray[np.float64]:
    """Return the three measures, float64 (k, 3), columns geometric, redundancy-aware, measured; NaN where unknown."""
    compression = np.array([profile.compression for profile in profiles])
    gains = np.array([profile.gain for profile in profiles])
    return np.column_stack([spreads * isolations, spreads / np.maximum(compression, 1e-9), gains])

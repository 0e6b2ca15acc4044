"""New documents on the frozen map of a corpus: their position, cluster and nearest document.

The map does not change. A document whose id the corpus has keeps its position and its clusters; one whose vector it has
takes the position and the clusters of the first with that vector. Any other is placed by its nearest neighbours
(``placement``) and gets the cluster of the nearest centroid, as in a recipe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.embedding.copies import equal_rows
from tamis.analytics.embedding.step import embeddings_like
from tamis.analytics.embedding.stored_vectors import load_vectors
from tamis.analytics.facts.stored_sets import FrozenClustering, WorkspaceSources
from tamis.analytics.map.cluster_steps import clusters_of
from tamis.analytics.map.placement import neighbours_on_map, place
from tamis.analytics.signals.id_steps import id_steps
from tamis.analytics.steps.pipeline import Analysis, analyze
from tamis.data.artifact import Artifact
from tamis.data.cluster_names import read_people_names
from tamis.data.corpus import Corpus
from tamis.data.errors import JobError, StoreError
from tamis.data.parquet import write_parquet
from tamis.data.progress import NullProgress, Progress
from tamis.data.workspace import Workspace

COLUMNS = ("id", "known", "x", "y", "cluster", "cluster_name", "concept", "concept_name", "nearest", "distance")


@dataclass(frozen=True)
class PlacementCounts:
    """Counts of placed documents.

    Attributes:
        documents: number of new documents.
        known: number of those that the corpus has; they keep their positions.
        without: number of those without an embedding; they are not on the map.
    """

    documents: int
    known: int
    without: int


@dataclass(frozen=True, eq=False)
class FrozenMap:
    """The map of an analysed corpus.

    Attributes:
        ids: string (n,), ascending.
        vectors: float16 (n, d), unit rows, rows of zeros off the map.
        positions: float32 (n, 2), NaN off the map.
        embeddings: the artifact of the vectors.
        groups: clustering and names by ``cluster`` and ``concept``.
    """

    ids: pa.Array
    vectors: NDArray[np.float16]
    positions: NDArray[np.float32]
    embeddings: Artifact
    groups: Mapping[str, tuple[FrozenClustering, Mapping[int, str]]]

    @classmethod
    def of(cls, analysis: Analysis, workspace: Workspace) -> FrozenMap:
        """Return the map of an analysis.

        Raises:
            JobError: the analysis made no map.
        """
        made = analysis.artifacts
        clusters = clusters_of(made)
        if clusters is None or not {"embeddings", "map", "concepts"} <= set(made):
            raise JobError("This corpus has no map", value=sorted(made), fix="analyse it first: tamis analyze PATH")
        return cls(
            ids=analysis.documents.ids,
            vectors=load_vectors(made["embeddings"], analysis.documents),
            positions=np.column_stack([made["map"].array("x"), made["map"].array("y")]),
            embeddings=made["embeddings"],
            groups={
                name: (WorkspaceSources(workspace).clustering(artifact.digest), _names(artifact, workspace.root))
                for name, artifact in (("cluster", clusters), ("concept", made["concepts"]))
            },
        )

    def placed(
        self, ids: pa.Array, vectors: NDArray[np.float16], *, check: Callable[[], None] = lambda: None
    ) -> pa.Table:
        """Return the positions of documents on the map, one row each, in the same order.

        Columns: id; known (the corpus has it); x, y float32, NULL without an embedding; cluster and concept int32 with
        their names, -1 and NULL for none; nearest, the id of the nearest document of the corpus, and distance float32,
        the cosine distance to it, both NULL without an embedding.

        Args:
            ids: string (m,).
            vectors: float16 (m, d), unit rows in the space of the corpus.
            check: called between blocks, may raise.
        """
        home = np.asarray(pc.index_in(ids, value_set=self.ids.cast(ids.type)).fill_null(-1), dtype=np.int64)
        indices, distances = neighbours_on_map(self.vectors, vectors, check=check)
        positions = place(self.positions, indices, distances)
        same = np.where(home >= 0, home, equal_rows(self.vectors, vectors))
        positions[same >= 0] = self.positions[same[same >= 0]]
        columns: dict[str, pa.Array] = {"id": ids, "known": pa.array(home >= 0)}
        for axis, name in enumerate("xy"):
            columns[name] = _or_null(positions[:, axis])
        for name, (clustering, names) in self.groups.items():
            labels = clustering.nearest(vectors)
            labels[same >= 0] = clustering.labels[same[same >= 0]]
            columns[name] = pa.array(labels)
            columns[f"{name}_name"] = pa.array([names.get(label) for label in labels.tolist()], pa.string())
        beside = pa.array(indices[:, 0], mask=indices[:, 0] < 0)
        columns |= {"nearest": self.ids.take(beside), "distance": _or_null(distances[:, 0])}
        return pa.table({name: columns[name] for name in COLUMNS})


def _names(artifact: Artifact, root: Path) -> dict[int, str]:
    """Return the names of the clusters; a name from people replaces the one from the words."""
    rows = artifact.table("clusters").select(["cluster", "name"]).to_pylist()
    return {row["cluster"]: row["name"] for row in rows} | read_people_names(root, artifact.digest)


def _or_null(values: NDArray[np.float32]) -> pa.Array:
    return pa.array(values, mask=~np.isfinite(values))


def place_corpus(
    frozen: FrozenMap, corpus: Corpus, workspace: Workspace, out: Path, *, progress: Progress | None = None
) -> PlacementCounts:
    """Embed the documents of another corpus in the space of the map and write their positions, sorted by id.

    Args:
        frozen: the map.
        corpus: the new documents.
        workspace: keeps their ids and embeddings.
        out: Parquet file to write, see ``FrozenMap.placed``; replaced only when complete.
        progress: where to report.

    Raises:
        Cancelled: a person stopped the work.
        SettingError: the corpus brought its own vectors, or the model is not on this machine.
        StoreError: the file cannot be written.
    """
    watch = progress or NullProgress()
    step = embeddings_like(frozen.embeddings, workspace)
    analysis = analyze(corpus, workspace, steps=(*id_steps(corpus), step), progress=watch)
    made = analysis.artifacts[step.name]
    if made.facts["space"] != frozen.embeddings.facts["space"]:
        raise StoreError("The new documents were embedded in another space than the map", value=made.facts["space"])
    watch.step("place", analysis.documents.n)
    table = frozen.placed(analysis.documents.ids, load_vectors(made, analysis.documents), check=watch.check)
    write_parquet(table, out)
    return PlacementCounts(table.num_rows, pc.sum(table["known"]).as_py() or 0, table["x"].null_count)

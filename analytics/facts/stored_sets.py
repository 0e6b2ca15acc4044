"""Frozen id sets and clusterings that rules name by digest, from a workspace or from a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents
from tamis.data.errors import StoreError
from tamis.data.store import Store
from tamis.data.workspace import Workspace

UNCLUSTERED = -1


@dataclass(frozen=True, eq=False)
class FrozenClustering:
    """A clustering in its state when a rule was made.

    Attributes:
        digest: its name in rules.
        ids: string (n,), ascending, the documents that were clustered.
        labels: int32 (n,), cluster of each, -1 = unclustered.
        centroids: float32 (k, d), unit rows; None if new documents cannot be assigned.
        centroid_labels: int32 (k,), cluster of each centroid.
        space: digest of the embedding space of the centroids.
        tier: tier of that embedding.
        of: the scope that was embedded, empty for whole texts.
    """

    digest: str
    ids: pa.Array
    labels: NDArray[np.int32]
    centroids: NDArray[np.float32] | None = None
    centroid_labels: NDArray[np.int32] | None = None
    space: str = ""
    tier: str = "fast"
    of: str = ""

    def assign(self, facts: Facts) -> NDArray[np.int32]:
        """Return the cluster of each document of ``facts``, int32 (n,); documents that were not clustered get -1."""
        place = self.places(facts)
        known = place >= 0
        labels = np.full(facts.n, UNCLUSTERED, dtype=np.int32)
        labels[known] = self.labels[place[known]]
        return labels

    def places(self, facts: Facts) -> NDArray[np.int64]:
        """Return the index of each document in ``ids``, int64 (n,), -1 = missing."""
        found = pc.index_in(facts.ids, value_set=self.ids.cast(facts.ids.type)).fill_null(-1)
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)

    def nearest(self, vectors: NDArray[np.floating]) -> NDArray[np.int32]:
        """Return the cluster of the nearest centroid by cosine, int32 (m,); rows of zeros get -1, ties the first.

        Without clusters all rows get -1.

        Args:
            vectors: (m, d), unit rows, in the space of the centroids.

        Raises:
            StoreError: the clustering has no centroids.
        """
        if self.centroids is None or self.centroid_labels is None:
            raise StoreError("This clustering has no centroids", value=self.digest)
        wide = np.asarray(vectors, dtype=np.float32)
        best = np.full(len(wide), UNCLUSTERED, dtype=np.int32)
        if not len(self.centroids):
            return best
        for start in range(0, len(wide), 8192):
            part = wide[start : start + 8192]
            best[start : start + len(part)] = self.centroid_labels[np.argmax(part @ self.centroids.T, axis=1)]
        best[~wide.any(axis=1)] = UNCLUSTERED
        return best

    def table(self) -> pa.Table:
        """Return ``id`` and ``cluster``, the form in a bundle."""
        return pa.table({"id": self.ids, "cluster": pa.array(self.labels, pa.int32())})


class FrozenSources(Protocol):
    """Sources of frozen id sets and clusterings."""

    def ids(self, digest: str) -> pa.Array:
        """Return a stored id set, (m,) text, sorted; raises ``StoreError`` if it is missing."""

    def clustering(self, digest: str) -> FrozenClustering:
        """Return a clustering; raises ``StoreError`` if it is missing."""


@dataclass(frozen=True)
class WorkspaceSources:
    """Id sets and clusterings of a workspace: from its assets and artifacts."""

    workspace: Workspace

    def ids(self, digest: str) -> pa.Array:
        """Return a stored id set."""
        return self.workspace.ids(digest)

    def clustering(self, digest: str) -> FrozenClustering:
        """Return the clustering of a complete clusters artifact."""
        store = self.workspace.store
        artifact = store.open(digest)
        documents = Documents.read(_documents_of(artifact, store))
        labels = artifact.array("labels")
        if len(labels) != documents.n:
            raise StoreError("The clustering does not fit its documents", value=len(labels), allowed=str(documents.n))
        parts = artifact.parts()
        return FrozenClustering(
            digest=digest,
            ids=documents.ids,
            labels=labels.astype(np.int32),
            centroids=artifact.array("centroids").astype(np.float32) if "centroids" in parts else None,
            centroid_labels=artifact.array("centroid_labels").astype(np.int32) if "centroid_labels" in parts else None,
            space=str(artifact.facts.get("space", "")),
            tier=str(artifact.facts.get("tier", "fast")),
            of=str(artifact.manifest.key["params"].get("of", "")),
        )


def _documents_of(artifact: Artifact, store: Store) -> Artifact:
    """Return the documents artifact that an artifact was made from, directly or through others."""
    waiting, seen = [artifact], set()
    while waiting:
        current = waiting.pop(0)
        if current.manifest.step == "documents":
            return current
        for name in current.manifest.key["upstream"]:
            if name not in seen:
                seen.add(name)
                waiting.append(store.open(name))
    raise StoreError("The artifact was not made from documents", value=artifact.digest)


@dataclass(frozen=True)
class MemorySources:
    """Id sets and clusterings in memory, for tests, notebooks and recipes that need none.

    Attributes:
        sets: ids by digest.
        clusterings: clusterings by digest.
    """

    sets: Mapping[str, pa.Array] = field(default_factory=dict)
    clusterings: Mapping[str, FrozenClustering] = field(default_factory=dict)

    def ids(self, digest: str) -> pa.Array:
        """Return an id set."""
        if digest not in self.sets:
            raise StoreError("There is no id set with this digest", value=digest)
        return self.sets[digest]

    def clustering(self, digest: str) -> FrozenClustering:
        """Return a clustering."""
        if digest not in self.clusterings:
            raise StoreError("There is no clustering with this digest", value=digest)
        return self.clusterings[digest]

"""Edits of a clustering by people: merge clusters into one, split a cluster into parts; applied in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.embedding.kmeans import spherical_kmeans
from tamis.data.errors import SettingError

MOST_PARTS = 20


@dataclass(frozen=True)
class ClusterEdit:
    """One edit. The numbers of all other clusters stay what they are.

    Attributes:
        kind: ``merge`` gives the documents of all ``clusters`` to the first of them; ``split`` divides its one cluster
            into ``parts`` by k-means of its embeddings: the largest part keeps the number, the others get new ones.
        clusters: numbers of clusters, after the earlier edits.
        parts: number of parts of a split.
    """

    kind: Literal["merge", "split"]
    clusters: tuple[int, ...]
    parts: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "clusters", tuple(int(number) for number in self.clusters))
        if self.kind not in ("merge", "split"):
            raise SettingError("Unknown edit of clusters", value=self.kind, allowed=["merge", "split"])
        if min(self.clusters, default=-1) < 0 or len(set(self.clusters)) != len(self.clusters):
            raise SettingError("Clusters of an edit", value=self.clusters, allowed="different numbers from 0 on")
        if (self.kind == "split") != (len(self.clusters) == 1):
            raise SettingError(
                f"Number of clusters to {self.kind}", value=len(self.clusters), allowed="one to split, more to merge"
            )
        if not 2 <= self.parts <= MOST_PARTS:
            raise SettingError("Parts of a split", value=self.parts, allowed=f"2 to {MOST_PARTS}")

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> ClusterEdit:
        """Return an edit from plain values.

        Raises:
            SettingError: unknown names or values that are not allowed.
        """
        unknown = set(value) - {field.name for field in fields(cls)}
        if unknown or "kind" not in value or "clusters" not in value:
            raise SettingError("An edit of clusters cannot be read", value=dict(value), allowed="kind, clusters, parts")
        return cls(**value)

    @property
    def plain(self) -> dict[str, Any]:
        """Return the edit as plain values."""
        return asdict(self) | {"clusters": list(self.clusters)}


def apply_edits(
    labels: NDArray[np.int32],
    edits: Sequence[ClusterEdit],
    vectors: NDArray[np.float16],
    *,
    seed: int = 0,
    check: Callable[[], None] = lambda: None,
) -> NDArray[np.int32]:
    """Apply edits and return the new labels, int32 (n,).

    Args:
        labels: int32 (n,), -1 = in no cluster.
        edits: in order.
        vectors: float16 (n, d), embeddings of the same documents.
        seed: of splits.
        check: called between edits, may raise.

    Raises:
        SettingError: an edit names a cluster that does not exist.
    """
    found = labels.astype(np.int32, copy=True)
    for edit in edits:
        check()
        known = np.unique(found[found >= 0])
        missing = sorted(set(edit.clusters) - set(known.tolist()))
        if missing:
            raise SettingError(
                "An edit names a cluster that is not there", value=missing, allowed=f"0 to {known.max(initial=0)}"
            )
        if edit.kind == "merge":
            found[np.isin(found, edit.clusters)] = edit.clusters[0]
        else:
            _split(found, edit, vectors, first_free=int(known.max()) + 1, seed=seed)
    return found


def _split(
    labels: NDArray[np.int32], edit: ClusterEdit, vectors: NDArray[np.float16], *, first_free: int, seed: int
) -> None:
    """Divide a cluster in place; documents without an embedding stay with the part that keeps the number."""
    rows = np.flatnonzero((labels == edit.clusters[0]) & vectors.any(axis=1))
    if len(rows) < edit.parts:
        raise SettingError(
            "A cluster is too small to split", value=len(rows), allowed=f"{edit.parts} documents or more"
        )
    parts = spherical_kmeans(vectors, edit.parts, rows=rows, seed=seed).labels[rows]
    sizes = np.bincount(parts, minlength=edit.parts)
    order = np.argsort(-sizes, kind="stable")
    number = np.empty(edit.parts, dtype=np.int32)
    number[order] = [edit.clusters[0], *range(first_free, first_free + edit.parts - 1)]
    labels[rows] = number[parts]

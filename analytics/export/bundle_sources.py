"""The plain data inside a bundle: Parquet, npy and JSON, no code; each file is named by its digest."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tamis.analytics.facts.stored_sets import FrozenClustering
from tamis.data.errors import StoreError
from tamis.data.hashing import digest as digest_of
from tamis.data.hashing import file_sha256
from tamis.data.names import inside
from tamis.data.parquet import atomic_write, read_parquet, write_bytes, write_parquet
from tamis.data.workspace import Workspace

TUNED_PREFIX = "tuned-"


@dataclass(frozen=True)
class BundleSources:
    """Id sets, tables, values and clusterings that a bundle carries.

    Attributes:
        folder: its ``artifacts`` folder.
    """

    folder: Path

    def ids(self, digest: str) -> pa.Array:
        """Return a stored id set.

        Raises:
            StoreError: it is missing, or its content does not have this digest.
        """
        column = read_parquet(self._file(f"{digest}.parquet")).column("id").combine_chunks()
        if digest_of(column.to_pylist()) != digest:
            raise StoreError("The id set does not have the digest it is named by", value=digest)
        return column

    def table(self, digest: str) -> pa.Table:
        """Return a stored table; raises ``StoreError`` when it is missing or damaged."""
        path = self._file(f"{digest}.parquet")
        if file_sha256(path) != digest:
            raise StoreError("The table does not have the digest it is named by", value=digest)
        return read_parquet(path)

    def value(self, digest: str) -> Any:
        """Return a stored JSON value; raises ``StoreError`` when it is missing or damaged."""
        value = json.loads(self._file(f"{digest}.json").read_bytes())
        if digest_of(value) != digest:
            raise StoreError("The value does not have the digest it is named by", value=digest)
        return value

    def clustering(self, digest: str) -> FrozenClustering:
        """Return a frozen clustering; raises ``StoreError`` when it is missing or damaged."""
        try:
            return self._clustering(digest)
        except (KeyError, ValueError, TypeError) as error:
            raise StoreError("A clustering of the bundle cannot be read", value=digest, fix=str(error)) from None

    def _clustering(self, digest: str) -> FrozenClustering:
        table = read_parquet(self._file(f"clustering-{digest}.parquet"))
        about = json.loads(self._file(f"clustering-{digest}.json").read_bytes())
        labels = np.asarray(about["labels"], dtype=np.int32).reshape(-1)
        centroids = None
        if about["centroids"]:
            centroids = np.load(self._file(f"centroids-{digest}.npy"), allow_pickle=False)
            if centroids.ndim != 2 or len(centroids) != len(labels) or centroids.dtype != np.float32:
                raise ValueError(f"centroids are {centroids.dtype} {centroids.shape} for {len(labels)} clusters")
        return FrozenClustering(
            digest=digest,
            ids=table.column("id").combine_chunks().cast(pa.string()),
            labels=table.column("cluster").to_numpy().astype(np.int32),
            centroids=centroids,
            centroid_labels=None if centroids is None else labels,
            space=str(about["space"]),
            tier=str(about["tier"]),
            of=str(about.get("of", "")),
        )

    def lend(self, assets: Iterable[str], workspace: Workspace) -> None:
        """Store assets of the bundle in a workspace, where measurements read them.

        Raises:
            StoreError: the content of one does not have its digest.
        """
        for asset in assets:
            path = self.folder / f"{asset}.parquet"
            if (self.folder / f"{asset}.json").is_file():
                workspace.put_value(self.value(asset))
            elif path.is_file() and not workspace.asset_path(asset).is_file():
                if file_sha256(path) != asset:
                    self.ids(asset)
                write_bytes(workspace.asset_path(asset), path.read_bytes())
        for path in sorted(self.folder.glob(f"{TUNED_PREFIX}*.parquet")):
            model = path.stem.removeprefix(TUNED_PREFIX)
            if file_sha256(path) != model:
                raise StoreError("The tuned model does not have the digest it is named by", value=model)
            if not workspace.asset_path(model).is_file():
                write_bytes(workspace.asset_path(model), path.read_bytes())

    def _file(self, name: str) -> Path:
        path = inside(self.folder, name, what="File of the bundle")
        if not path.is_file():
            raise StoreError("The bundle lacks something its recipe names", value=name, fix="export it again")
        return path


def write_clustering(folder: Path, clustering: FrozenClustering) -> None:
    """Write a clustering: the cluster of each document, and the centroids that assign new documents."""
    name = clustering.digest
    write_parquet(clustering.table(), folder / f"clustering-{name}.parquet")
    labels = [] if clustering.centroid_labels is None else clustering.centroid_labels.tolist()
    about = {
        "centroids": clustering.centroids is not None,
        "labels": labels,
        "space": clustering.space,
        "tier": clustering.tier,
        **({"of": clustering.of} if clustering.of else {}),
    }
    write_bytes(folder / f"clustering-{name}.json", json.dumps(about, indent=1, sort_keys=True).encode() + b"\n")
    if clustering.centroids is not None:
        with atomic_write(folder / f"centroids-{name}.npy") as temporary, temporary.open("wb") as stream:
            np.save(stream, np.ascontiguousarray(clustering.centroids, dtype=np.float32), allow_pickle=False)

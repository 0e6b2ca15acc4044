"""The artifact store: results named by everything they depend on, written shard by shard, visible only when complete.

Layout under the root::

    artifacts/<digest>/manifest.json, parts      complete, never changed
    partial/<digest>/parts                       being written; a later writer resumes an earlier one
    sums/<digest>/<part>.json                    checksums of the complete parts in partial/
    locks/<digest>.lock                          one writer per artifact
    known/, layouts/, kept/                      what a corpus that grew takes over, see ``known_parts``
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tamis.data.artifact import Artifact, Manifest
from tamis.data.artifact_writer import ArtifactWriter
from tamis.data.errors import StoreError
from tamis.data.hashing import digest
from tamis.data.lock import Lock, clear_dead, is_held
from tamis.data.names import inside

__all__ = ["Artifact", "ArtifactKey", "ArtifactWriter", "Manifest", "Orphan", "Store"]


@dataclass(frozen=True)
class ArtifactKey:
    """Everything a result depends on; any change gives another artifact.

    Attributes:
        step: name of the computation.
        version: its code version, raised whenever its results change.
        corpus: fingerprint of the corpus.
        params: parameters, JSON values only.
        upstream: digests of the artifacts it reads, in the step's order.
    """

    step: str
    version: int
    corpus: str
    params: Mapping[str, Any] = field(default_factory=dict)
    upstream: tuple[str, ...] = ()

    @property
    def ingredients(self) -> dict[str, Any]:
        """Return the key as a JSON value."""
        return {
            "step": self.step,
            "version": self.version,
            "corpus": self.corpus,
            "params": dict(self.params),
            "upstream": list(self.upstream),
        }

    @property
    def digest(self) -> str:
        """Return the sha256 (64 hex digits) of the canonical JSON of the key."""
        return digest(self.ingredients)


@dataclass(frozen=True)
class Orphan:
    """Something in the store that no complete artifact owns.

    Attributes:
        path: its path.
        kind: ``partial`` (unfinished, can be resumed), ``damaged`` (fails its manifest), ``lock`` (owner is dead) or
            ``kept`` (parts that no record names).
        bytes: its size.
        reason: one clause.
    """

    path: Path
    kind: str
    bytes: int
    reason: str


class Store:
    """Complete artifacts under one folder.

    Args:
        root: created when something is first written.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    @property
    def _artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def _partial(self) -> Path:
        return self.root / "partial"

    @property
    def _locks(self) -> Path:
        return self.root / "locks"

    def find(self, key: ArtifactKey) -> Artifact | None:
        """Return the complete artifact of ``key``, or None when it is missing, unfinished or damaged."""
        try:
            return self.open(key.digest)
        except StoreError:
            return None

    def settle(self, key: ArtifactKey) -> None:
        """Remove the lock of a writer that was killed after it completed the artifact of ``key``."""
        clear_dead(self._locks / f"{key.digest}.lock")

    def open(self, digest: str) -> Artifact:
        """Return a complete artifact by its digest.

        Raises:
            StoreError: it is missing, or does not match its manifest (names and sizes of all parts).
        """
        return Artifact.open(inside(self._artifacts, digest, what="Artifact"))

    @contextlib.contextmanager
    def writer(self, key: ArtifactKey) -> Iterator[ArtifactWriter]:
        """Open a writer for ``key``; the parts of an earlier unfinished writer are found by ``has_part``.

        Raises:
            LockedError: another live process writes the same artifact.
            StoreError: the disk is full or the folder cannot be written.
        """
        name = key.digest
        with Lock(self._locks / f"{name}.lock", what=f"Artifact {key.step} {name[:12]}") as lock:
            yield ArtifactWriter.resume(
                self._partial / name,
                sums=self.root / "sums" / name,
                final=self._artifacts / name,
                kept=self.root / "kept" / name,
                lock=lock,
                key=(name, key.ingredients),
            )

    def artifacts(self) -> list[Artifact]:
        """Return every complete artifact, sorted by step and digest."""
        found = []
        for path in self._folders(self._artifacts):
            with contextlib.suppress(StoreError):
                found.append(Artifact.open(path))
        return sorted(found, key=lambda artifact: (artifact.manifest.step, artifact.digest))

    def orphans(self) -> list[Orphan]:
        """Return the files that no complete artifact owns and no live process writes."""
        found = []
        for path in self._folders(self._artifacts):
            try:
                Artifact.open(path)
            except StoreError as error:
                found.append(Orphan(path, "damaged", _size(path), error.what))
        for path in self._folders(self._partial):
            if not is_held(self._locks / f"{path.name}.lock"):
                found.append(Orphan(path, "partial", _size(path), "unfinished; the next run resumes it"))
        recorded = {path.stem for path in (self.root / "known").glob("*/*.json")}
        for path in self._folders(self.root / "kept"):
            if path.name not in recorded and not is_held(self._locks / f"{path.name}.lock"):
                found.append(Orphan(path, "kept", _size(path), "no record names its parts"))
        for path in sorted(self._locks.glob("*.lock")) if self._locks.is_dir() else []:
            if not is_held(path):
                found.append(Orphan(path, "lock", path.stat().st_size, "its process is dead"))
        return found

    def remove(self, orphan: Orphan) -> None:
        """Delete an orphan."""
        if orphan.kind == "partial":
            shutil.rmtree(self.root / "sums" / orphan.path.name, ignore_errors=True)
        if orphan.path.is_dir():
            shutil.rmtree(orphan.path)
        else:
            orphan.path.unlink(missing_ok=True)

    def verify(self) -> list[str]:
        """Return one line per complete artifact whose bytes no longer match their checksums."""
        faults = []
        for artifact in self.artifacts():
            try:
                artifact.verify()
            except StoreError as error:
                faults.append(f"{artifact.manifest.step} {artifact.digest[:12]}: {error.what}")
        return faults

    @staticmethod
    def _folders(parent: Path) -> list[Path]:
        return sorted(path for path in parent.iterdir() if path.is_dir()) if parent.is_dir() else []


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())

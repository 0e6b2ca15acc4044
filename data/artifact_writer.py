"""Writing an artifact part by part: each part is whole or absent, the manifest comes last, the folder is renamed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy
from numpy.typing import NDArray

from tamis.data.artifact import MANIFEST, SUFFIXES, Artifact, Manifest, Part
from tamis.data.errors import LockedError, StoreError
from tamis.data.hashing import file_sha256
from tamis.data.lock import Lock
from tamis.data.names import check_name
from tamis.data.parquet import atomic_write, read_parquet, sync, write_bytes, write_error, write_parquet


class ArtifactWriter:
    """Writes the parts of one artifact into its partial folder. Made by ``Store.writer``."""

    def __init__(
        self,
        partial: Path,
        *,
        sums: Path,
        final: Path,
        kept: Path,
        lock: Lock,
        ingredients: Mapping[str, Any],
        digest: str,
        parts: Mapping[str, Part],
    ) -> None:
        self.digest, self.ingredients = digest, ingredients
        self._partial, self._sums, self._final, self._kept = partial, sums, final, kept
        self._lock = lock
        self._parts = dict(parts)

    @classmethod
    def resume(
        cls, partial: Path, *, sums: Path, final: Path, kept: Path, lock: Lock, key: tuple[str, Mapping[str, Any]]
    ) -> ArtifactWriter:
        """Open the partial folder; keep the parts that match their recorded checksum and remove all other files."""
        try:
            partial.mkdir(parents=True, exist_ok=True)
            sums.mkdir(parents=True, exist_ok=True)
            found: dict[str, Part] = {}
            for record in sorted(sums.glob("*.json")):
                part = _recorded(record)
                if part is not None and _agrees(partial / part.file, part):
                    found[part.name] = part
            known = {part.file for part in found.values()}
            for path in partial.iterdir():
                if path.name not in known:
                    path.unlink()
        except OSError as error:
            raise write_error(partial, error) from error
        digest, ingredients = key
        folders = {"sums": sums, "final": final, "kept": kept}
        return cls(partial, **folders, lock=lock, ingredients=ingredients, digest=digest, parts=found)

    def has_part(self, name: str) -> bool:
        """Return whether a part of this name is already complete."""
        return name in self._parts

    def parts(self) -> tuple[str, ...]:
        """Return the names of the complete parts, sorted."""
        return tuple(sorted(self._parts))

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a table part as deterministic Parquet."""
        path = self._path(name, "table")
        write_parquet(table, path)
        self._record(name, "table", table.num_rows, path)

    def write_array(self, name: str, array: NDArray[Any]) -> None:
        """Write an array part as npy.

        Raises:
            StoreError: the array holds Python objects, or the disk is full.
        """
        if array.dtype.hasobject:
            raise StoreError("Arrays of Python objects are not stored", value=str(array.dtype))
        path = self._path(name, "array")
        # ascontiguousarray would make a scalar one-dimensional.
        whole = array if array.flags.c_contiguous else array.copy(order="C")
        with atomic_write(path) as temporary, temporary.open("wb") as stream:
            npy.write_array_header_1_0(stream, npy.header_data_from_array_1_0(whole))
            # numpy's tofile does not report a full disk.
            stream.write(whole.reshape(-1).view(np.uint8).data)
        self._record(name, "array", array.shape[0] if array.ndim else 0, path)

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON part, keys sorted.

        Raises:
            StoreError: the value holds NaN or types that JSON does not have, or the disk is full.
        """
        try:
            text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise StoreError(f"Part {name} is not a JSON value: {error}") from error
        path = self._path(name, "json")
        write_bytes(path, text.encode("utf-8") + b"\n")
        self._record(name, "json", 0, path)

    def read_table(self, name: str) -> pa.Table:
        """Read back a table part of this writer."""
        return read_parquet(self._path(name, "table"))

    def read_array(self, name: str, *, mmap: bool = False) -> NDArray[Any]:
        """Read back an array part of this writer."""
        array: NDArray[Any] = np.load(self._path(name, "array"), mmap_mode="r" if mmap else None, allow_pickle=False)
        return array

    def read_json(self, name: str) -> Any:
        """Read back a JSON part of this writer."""
        return json.loads(self._path(name, "json").read_bytes())

    def part(self, name: str) -> Part:
        """Return the record of a complete part."""
        return self._parts[name]

    def link_part(self, name: str, source: Path, part: Part) -> None:
        """Take a part over from a file whose bytes have the checksum of ``part``: linked, or copied where links fail.

        Raises:
            StoreError: the disk is full.
        """
        path = self._path(name, part.kind)
        with atomic_write(path) as temporary:
            try:
                os.link(source, temporary)
            except OSError:
                shutil.copyfile(source, temporary)
        self._record(name, part.kind, part.rows, path, sha256=part.sha256)

    def drop_part(self, name: str, *, keep: bool = False) -> None:
        """Remove a part that the artifact does not have; with ``keep`` it stays beside it, for corpora that grow."""
        part = self._parts.pop(name, None)
        if part is None:
            return
        (self._sums / f"{part.file}.json").unlink(missing_ok=True)
        if not keep:
            (self._partial / part.file).unlink(missing_ok=True)
            return
        try:
            self._kept.mkdir(parents=True, exist_ok=True)
            # A rename onto another name of the same file would leave both.
            (self._kept / part.file).unlink(missing_ok=True)
            (self._partial / part.file).replace(self._kept / part.file)
        except OSError as error:
            raise write_error(self._kept, error) from error

    def commit(self, *, rows: int, facts: Mapping[str, Any] | None = None) -> Artifact:
        """Write the manifest, move the folder to its final place and return the artifact.

        Args:
            rows: rows the artifact holds.
            facts: small JSON values readable without opening a part.

        Raises:
            LockedError: another process has taken the lock over.
            StoreError: the disk is full.
        """
        if not self._lock.is_mine():
            raise LockedError(f"The lock of artifact {self.digest[:12]} was taken over by another process")
        parts = tuple(self._parts[name] for name in sorted(self._parts))
        manifest = Manifest(self.digest, self.ingredients, rows, dict(facts or {}), parts)
        try:
            write_bytes(self._partial / MANIFEST, manifest.to_json())
            sync(self._partial)
            self._final.parent.mkdir(parents=True, exist_ok=True)
            if self._final.exists():
                # Only a damaged artifact is rebuilt: an intact one is found and not written again.
                shutil.rmtree(self._final)
            self._partial.rename(self._final)
            sync(self._final.parent)
            shutil.rmtree(self._sums)
        except OSError as error:
            raise write_error(self._final, error) from error
        return Artifact.open(self._final)

    def _path(self, name: str, kind: str) -> Path:
        return self._partial / (check_name(name, what="Part") + SUFFIXES[kind])

    def _record(self, name: str, kind: str, rows: int, path: Path, *, sha256: str | None = None) -> None:
        part = Part(name, kind, rows, path.stat().st_size, sha256 or file_sha256(path))
        # Not durable: a part whose checksum is lost or wrong is made again.
        write_bytes(self._sums / f"{path.name}.json", json.dumps(asdict(part)).encode(), durable=False)
        self._parts[name] = part


def _recorded(path: Path) -> Part | None:
    try:
        return Part(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _agrees(path: Path, part: Part) -> bool:
    return path.is_file() and path.stat().st_size == part.bytes and file_sha256(path) == part.sha256

"""A complete artifact: parts and the manifest that names, sizes and checksums them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.data.errors import StoreError
from tamis.data.hashing import digest as digest_of
from tamis.data.hashing import file_sha256
from tamis.data.parquet import parquet_columns, read_parquet

MANIFEST = "manifest.json"
SUFFIXES = {"table": ".parquet", "array": ".npy", "json": ".json"}


@dataclass(frozen=True)
class Part:
    """One file of an artifact.

    Attributes:
        name: name without suffix.
        kind: ``table`` (Parquet), ``array`` (npy) or ``json``.
        rows: rows of a table, first dimension of an array, 0 for JSON.
        bytes: size of the file.
        sha256: checksum of the file.
    """

    name: str
    kind: str
    rows: int
    bytes: int
    sha256: str

    @property
    def file(self) -> str:
        """Return the file name."""
        return self.name + SUFFIXES[self.kind]


@dataclass(frozen=True)
class Manifest:
    """The parts and the key of an artifact.

    Attributes:
        digest: sha256 of the key, also the folder's name.
        key: what the digest is computed from: step, version, corpus, params, upstream.
        rows: number of rows, as the step states it.
        facts: small values that can be read without opening a part.
        parts: every file, sorted by name.
    """

    digest: str
    key: Mapping[str, Any]
    rows: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()

    @property
    def step(self) -> str:
        """Return the name of the step that made the artifact."""
        return str(self.key["step"])

    def to_json(self) -> bytes:
        """Return the manifest as text for people and machines."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False).encode("utf-8") + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Parse a manifest.

        Raises:
            ValueError, KeyError, TypeError: the bytes are not a manifest.
        """
        value = json.loads(data)
        parts = tuple(Part(**part) for part in value["parts"])
        return cls(value["digest"], value["key"], value["rows"], value["facts"], parts)


@dataclass(frozen=True)
class Artifact:
    """A complete artifact on disk.

    Attributes:
        path: its folder.
        manifest: what it holds.
    """

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> Artifact:
        """Open the folder of an artifact.

        Raises:
            StoreError: no manifest, a manifest of something else, or parts that are missing or of another size.
        """
        try:
            manifest = Manifest.from_json((path / MANIFEST).read_bytes())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"No complete artifact at {path}", fix="run the analysis again") from error
        if manifest.digest != path.name or digest_of(manifest.key) != manifest.digest:
            raise StoreError(f"The manifest at {path} belongs to another artifact", value=manifest.digest)
        for part in manifest.parts:
            file = path / part.file
            if not file.is_file() or file.stat().st_size != part.bytes:
                raise StoreError(f"{file} is missing or has another size than its manifest says")
        return cls(path, manifest)

    @property
    def digest(self) -> str:
        """Return the sha256 that names the artifact."""
        return self.manifest.digest

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return the small values of the manifest."""
        return self.manifest.facts

    def parts(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names of the parts that begin with ``prefix``, sorted."""
        return tuple(part.name for part in self.manifest.parts if part.name.startswith(prefix))

    def table(self, name: str, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Return a table part; its checksum is verified once in a process, those of its pages on every read.

        Raises:
            StoreError: unknown part or damaged file.
        """
        part = self._part(name, "table")
        self._check(part)
        return read_parquet(self.path / part.file, columns=columns)

    def columns(self, name: str) -> list[str]:
        """Return the columns of a table part; reads only the footer.

        Raises:
            StoreError: unknown part or damaged file.
        """
        part = self._part(name, "table")
        return parquet_columns(self.path / part.file)

    def array(self, name: str, *, mmap: bool = False) -> NDArray[Any]:
        """Return an array part; with ``mmap`` read-only and loaded on access.

        Its checksum is verified once in a process, and again when the file was touched.

        Raises:
            StoreError: unknown part or damaged file.
        """
        part = self._part(name, "array")
        self._check(part)
        array: NDArray[Any] = np.load(self.path / part.file, mmap_mode="r" if mmap else None, allow_pickle=False)
        return array

    def json(self, name: str) -> Any:
        """Return a JSON part.

        Raises:
            StoreError: unknown part or damaged file.
        """
        part = self._part(name, "json")
        self._check(part)
        return json.loads((self.path / part.file).read_bytes())

    def verify(self) -> None:
        """Compare the sha256 of every part with the manifest.

        Raises:
            StoreError: a part differs; the message names the first one.
        """
        for part in self.manifest.parts:
            self._check(part, again=True)

    def _part(self, name: str, kind: str) -> Part:
        found = self._by_name.get((name, kind))
        if found is not None:
            return found
        raise StoreError(f"Artifact {self.manifest.step} has no {kind}", value=name, allowed=self.parts())

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Part]:
        """Return the parts by name and kind: pages read single ones of thousands."""
        return {(part.name, part.kind): part for part in self.manifest.parts}

    def _check(self, part: Part, *, again: bool = False) -> None:
        """Compare a file with its checksum, unless this process did and the file was not touched since."""
        file = self.path / part.file
        look = _look(file)
        if not again and _CHECKED.get(file) == (part.sha256, look):
            return
        if file_sha256(file) != part.sha256:
            raise StoreError(f"{file} is damaged: its checksum differs", fix="remove the artifact and run again")
        _CHECKED[file] = (part.sha256, look)


_CHECKED: dict[Path, tuple[str, tuple[int, ...]]] = {}
"""Checksums of the files that this process has compared, and how the files looked before that."""


def _look(file: Path) -> tuple[int, ...]:
    """Return what changes with a file: its device, number, size, and times of change in nanoseconds."""
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

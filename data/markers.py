"""Completion markers: which files of an unfinished run are whole, and what they were made for.

Beside every finished file lies a small one that names its rows, bytes and hash and the run it belongs to. A file is
used again only when all of that holds, so one recipe never takes a file of another, and a damaged file is never taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tamis.data.hashing import file_sha256
from tamis.data.parquet import write_bytes


@dataclass(frozen=True)
class WrittenFile:
    """One file of a curated corpus.

    Attributes:
        name: ``part-00000.parquet`` and so on, in id order.
        rows: rows in it.
        bytes: its size.
        sha256: of its content.
    """

    name: str
    rows: int
    bytes: int
    sha256: str

    @classmethod
    def at(cls, path: Path, *, rows: int) -> WrittenFile:
        """Describe a file that is whole."""
        return cls(path.name, rows, path.stat().st_size, file_sha256(path))


@dataclass(frozen=True)
class Markers:
    """The markers of one run.

    Attributes:
        folder: where they lie, ``NAME.json`` for a file called ``NAME``.
        made_for: what decides the bytes of the files: the recipe's digest and whatever else does.
    """

    folder: Path
    made_for: Mapping[str, str]

    def mark(self, file: WrittenFile) -> None:
        """Say that a file is whole.

        Raises:
            StoreError: the disk is full.
        """
        data = json.dumps({"file": asdict(file), "made_for": dict(self.made_for)}, indent=1, sort_keys=True)
        write_bytes(self._path(file.name), data.encode() + b"\n")

    def whole(self, path: Path, *, rows: int | None = None) -> WrittenFile | None:
        """Return what is known of the file at ``path`` when it is whole and was made for this run, else None.

        Args:
            path: of the file.
            rows: how many it has to have; None when that does not matter.
        """
        try:
            record = json.loads(self._path(path.name).read_bytes())
            marked = WrittenFile(**record["file"])
            if record["made_for"] != dict(self.made_for) or WrittenFile.at(path, rows=marked.rows) != marked:
                return None
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return marked if rows in (None, marked.rows) else None

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

"""Completion markers: which files of an unfinished run are complete, and which run they belong to.

Each complete file has a small marker file with its rows, bytes, hash and run. A file is reused only when all of them
match, so a recipe never reuses a file of another recipe or a damaged file.
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
        """Describe a complete file."""
        return cls(path.name, rows, path.stat().st_size, file_sha256(path))


@dataclass(frozen=True)
class Markers:
    """The markers of one run.

    Attributes:
        folder: folder of the markers, ``NAME.json`` for a file ``NAME``.
        made_for: everything that determines the bytes of the files, such as the recipe's digest.
    """

    folder: Path
    made_for: Mapping[str, str]

    def mark(self, file: WrittenFile) -> None:
        """Record that a file is complete.

        Raises:
            StoreError: the disk is full.
        """
        data = json.dumps({"file": asdict(file), "made_for": dict(self.made_for)}, indent=1, sort_keys=True)
        write_bytes(self._path(file.name), data.encode() + b"\n")

    def whole(self, path: Path, *, rows: int | None = None) -> WrittenFile | None:
        """Return the description of the file at ``path`` if it is complete and was made for this run, else None.

        Args:
            path: of the file.
            rows: expected number of rows; None for any number.
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

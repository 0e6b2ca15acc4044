"""Checksums of files that are remembered from one opening to the next, so that known files are not read again."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from tamis.data.hashing import file_sha256
from tamis.data.parquet import write_bytes

NAME = "hashes.json"
_SETTLED_NS = 2_000_000_000
"""A file that was written so shortly before could be written again within the same tick of its clock."""


@dataclass
class FileHashes:
    """The checksums of files by path and state: size, times of its content and of its entry, inode and device.

    The time of the entry changes with every write and nobody can set it back, so a file of the same state has the same
    content. Made by ``of``.

    Attributes:
        path: of the record, None to remember nothing.
    """

    path: Path | None
    _known: dict[str, list[int | str]] = field(default_factory=dict)
    _fresh: bool = False

    @classmethod
    def of(cls, folder: Path | None) -> FileHashes:
        """Read the record in a folder; one that cannot be read counts as empty."""
        path = None if folder is None else folder / NAME
        try:
            known = {} if path is None else json.loads(path.read_bytes())
        except (OSError, ValueError):
            known = {}
        return cls(path, known if isinstance(known, dict) else {})

    def sha256(self, file: Path) -> str:
        """Return the sha256 of a file, from the record if its state is the recorded one.

        Raises:
            OSError: the file cannot be read.
        """
        if self.path is None:
            return file_sha256(file)
        name, state = str(file.absolute()), _state(file)
        known = self._known.get(name)
        if isinstance(known, list) and known[:-1] == state and len(known) == len(state) + 1:
            return str(known[-1])
        found = file_sha256(file)
        if _state(file) == state and time.time_ns() - max(state[1], state[2]) > _SETTLED_NS:
            self._known[name], self._fresh = [*state, found], True
        return found

    def save(self) -> None:
        """Write the record if something was added; entries of files that are gone are left out."""
        if self.path is not None and self._fresh:
            there = {name: known for name, known in self._known.items() if Path(name).is_file()}
            # Another process may write at the same time: what is lost is only read again.
            write_bytes(self.path, json.dumps(there, sort_keys=True).encode(), durable=False)
            self._fresh = False


def _state(file: Path) -> list[int]:
    stat = file.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]

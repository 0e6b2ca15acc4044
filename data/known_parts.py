"""Parts of artifacts by what they were made of, so that a corpus that grew makes only what is new.

Layout under the root of the store::

    known/<work>/<artifact>.json    what an artifact has of a work: its layout, and its parts by shard
    layouts/<sha256>.parquet        the units of a corpus in source order, see ``Layout``
    kept/<artifact>/<part file>     parts that the work needs and the finished artifact does not have

Nothing here is trusted: a part is read or linked only if its bytes have the recorded checksum, and a record that names
what is gone is passed over.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.data.artifact import Part
from tamis.data.errors import StoreError
from tamis.data.hashing import file_sha256
from tamis.data.names import inside
from tamis.data.parquet import read_parquet, write_bytes, write_parquet

KEPT_SETS = 4
"""Of each work so many sets of parts are kept that no newer set holds whole."""

_ROW = 1 << 40
_KEY = pa.binary(16)


@dataclass(frozen=True, eq=False)
class Layout:
    """The units of a corpus in source order: blocks of rows of one file that are never cut.

    Attributes:
        shard: int32 (u,), shard that holds the unit, ascending.
        file: fixed_size_binary[16] (u,), key of the content of its file.
        row: int64 (u,), its first row in the file.
        rows: int64 (u,), rows of the file.
        made: int64 (u,), rows of a part that are made of it: its rows, or its documents.
    """

    shard: NDArray[np.int32]
    file: pa.Array
    row: NDArray[np.int64]
    rows: NDArray[np.int64]
    made: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.shard)

    @cached_property
    def shard_starts(self) -> NDArray[np.int64]:
        """Return the first unit of each shard, and the number of units, int64 (s + 1,)."""
        return np.searchsorted(self.shard, np.arange(int(self.shard[-1]) + 2 if len(self) else 1))

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Return the row of its shard's part at which each unit begins, int64 (u,)."""
        begins = np.cumsum(self.made) - self.made
        return np.asarray(begins - begins[self.shard_starts[self.shard]], dtype=np.int64)

    def part_rows(self, shard: int) -> int:
        """Return the rows of a shard's part."""
        return int(self.made[self.shard_starts[shard] : self.shard_starts[shard + 1]].sum())

    def find(self, other: Layout) -> NDArray[np.int64]:
        """Return the unit of ``other`` that holds the same rows as each unit, int64 (u,), -1 for none."""
        distinct = other.file.unique()
        mine = self.file.cast(_KEY)
        number = np.asarray(_index_in(mine, distinct), dtype=np.int64)
        theirs = np.asarray(_index_in(other.file, distinct), dtype=np.int64)
        keys = theirs * _ROW + other.row
        order = np.argsort(keys, kind="stable")
        place = np.searchsorted(keys[order], number * _ROW + self.row)
        found = order[np.minimum(place, len(order) - 1)] if len(order) else np.full(len(self), -1)
        same = np.zeros(len(self), dtype=bool)
        if len(order):
            same = (number >= 0) & (keys[found] == number * _ROW + self.row)
            same &= (other.rows[found] == self.rows) & (other.made[found] == self.made)
        return np.where(same, found, -1)

    def to_table(self) -> pa.Table:
        """Return the units as a table."""
        columns = {"shard": self.shard, "file": self.file, "row": self.row, "rows": self.rows, "made": self.made}
        return pa.table(columns)

    @classmethod
    def from_table(cls, table: pa.Table) -> Layout:
        """Read what ``to_table`` wrote."""
        shard, row, rows, made = (table.column(name).to_numpy() for name in ("shard", "row", "rows", "made"))
        return cls(shard, table.column("file").combine_chunks(), row, rows, made)


def _index_in(values: pa.Array, known: pa.Array) -> NDArray[np.int64]:
    found = pc.index_in(values, value_set=known).fill_null(-1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class KnownSet:
    """The parts that an artifact has of a work.

    Attributes:
        artifact: its digest.
        layout: name of the layout of its corpus.
        parts: the parts of each shard, in the order in which the work names them.
    """

    artifact: str
    layout: str
    parts: Mapping[int, tuple[Part, ...]]

    def to_json(self) -> bytes:
        """Return the set as JSON."""
        parts = {str(shard): [asdict(part) for part in own] for shard, own in self.parts.items()}
        return json.dumps({"layout": self.layout, "parts": parts}, sort_keys=True).encode()

    @classmethod
    def from_json(cls, artifact: str, data: bytes) -> KnownSet:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: the bytes are not a set.
        """
        value: dict[str, Any] = json.loads(data)
        parts = {int(shard): tuple(Part(**part) for part in own) for shard, own in value["parts"].items()}
        return cls(artifact, str(value["layout"]), parts)


@dataclass(frozen=True, eq=False)
class KnownParts:
    """The records under the root of a store; reading checks, writing is atomic.

    Attributes:
        root: of the store.
    """

    root: Path
    _checked: dict[Path, bool] = field(default_factory=dict, repr=False)
    _layouts: dict[str, Layout] = field(default_factory=dict, repr=False)

    def put_layout(self, layout: Layout) -> str:
        """Store a layout and return its name, the sha256 of its file."""
        draft = self.root / "layouts" / f"draft-{os.getpid()}-{id(layout)}.parquet"
        write_parquet(layout.to_table(), draft)
        name = file_sha256(draft)
        draft.replace(draft.with_name(f"{name}.parquet"))
        self._layouts[name] = layout
        return name

    def layout(self, name: str) -> Layout | None:
        """Return a layout, None if it is missing or damaged."""
        if name not in self._layouts:
            try:
                path = inside(self.root / "layouts", f"{name}.parquet", what="Layout")
                if file_sha256(path) != name:
                    return None
                self._layouts[name] = Layout.from_table(read_parquet(path))
            except (OSError, StoreError):
                return None
        return self._layouts[name]

    def sets(self, work: str) -> list[KnownSet]:
        """Return what is known of a work, the newest first."""
        found = []
        for path in self._records(work):
            try:
                found.append(KnownSet.from_json(path.stem, path.read_bytes()))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
        return found

    def path(self, known: KnownSet, part: Part) -> Path | None:
        """Return the file of a part, None if it is gone or its bytes are others than recorded."""
        for folder in ("artifacts", "kept"):
            path = inside(self.root / folder, known.artifact) / part.file
            if path not in self._checked:
                self._checked[path] = _agrees(path, part)
            if self._checked[path]:
                return path
        return None

    def add(self, work: str, known: KnownSet) -> None:
        """Record what a finished artifact has of a work, and forget the sets that it replaces."""
        write_bytes(inside(self.root / "known", work, what="Work") / f"{known.artifact}.json", known.to_json())
        mine, others = self.layout(known.layout), 0
        for path in self._records(work):
            if path.stem == known.artifact:
                continue
            try:
                other = KnownSet.from_json(path.stem, path.read_bytes())
                theirs = self.layout(other.layout)
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                theirs = None
            if mine is None or (theirs is not None and (theirs.find(mine) < 0).any()):
                others += 1
                if others < KEPT_SETS:
                    continue
            self._forget(path, None if theirs is None else other)

    def _records(self, work: str) -> Sequence[Path]:
        folder = inside(self.root / "known", work, what="Work")
        found = list(folder.glob("*.json")) if folder.is_dir() else []
        return sorted(found, key=lambda path: (-path.stat().st_mtime_ns, path.name))

    def _forget(self, record: Path, known: KnownSet | None) -> None:
        record.unlink(missing_ok=True)
        folder = self.root / "kept" / record.stem
        if known is not None and folder.is_dir():
            for part in (part for own in known.parts.values() for part in own):
                (folder / part.file).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)


def _agrees(path: Path, part: Part) -> bool:
    try:
        return path.stat().st_size == part.bytes and file_sha256(path) == part.sha256
    except OSError:
        return False

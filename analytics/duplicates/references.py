"""References: texts of other files as sets of n-gram hashes, which a corpus is compared with.

A reference is stored as a table named by its content; recipes name it by that digest and bundles carry it. It holds
hashes only, so an evaluation set can travel with a recipe without being published. A workspace keeps references under
names, for rules to choose.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.duplicates.shingles import Shingles, Unit, units_of
from tamis.analytics.steps.stored_arrays import pack, unpack
from tamis.analytics.text.block import block_ranges, utf8_buffers
from tamis.analytics.text.normal_form import CONVENTION, Convention, normalise
from tamis.data.corpus import Corpus
from tamis.data.errors import SettingError, StoreError
from tamis.data.names import check_name, inside
from tamis.data.open_corpus import open_corpus
from tamis.data.parquet import write_bytes
from tamis.data.workspace import Workspace

KIND = "reference"


@dataclass(frozen=True, eq=False)
class Reference:
    """Shingle sets of the texts of other files.

    Attributes:
        unit, n: what a shingle is; a text with fewer than n units is one shingle.
        starts: int64 (m + 1,), where each item's shingles begin.
        shingles: uint64 (s,), ascending within an item.
        units: int64 (m,), words (characters) of each item.
        file: int32 (m,), file of each item, as an index into ``files``.
        row: int64 (m,), its row in that file, from 0.
        files: names of the files.
        convention: what a word is, see ``text.normal_form``.
    """

    unit: Unit
    n: int
    starts: NDArray[np.int64]
    shingles: NDArray[np.uint64]
    units: NDArray[np.int64]
    file: NDArray[np.int32]
    row: NDArray[np.int64]
    files: tuple[str, ...]
    convention: Convention = CONVENTION

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def sets(self) -> Shingles:
        """Return the shingle sets."""
        return Shingles(self.starts, self.shingles)

    def name(self, item: int) -> str:
        """Return the name of an item for people: file and row, from 1; empty for -1."""
        return f"{self.files[self.file[item]]}, row {self.row[item] + 1}" if item >= 0 else ""

    @classmethod
    def of(
        cls, corpora: Iterable[Corpus], *, unit: Unit = "word", n: int = 13, convention: Convention = CONVENTION
    ) -> Reference:
        """Read the texts of other corpora; rows without text are left out."""
        parts: list[tuple[Shingles, NDArray[np.int64]]] = []
        files: list[str] = []
        file: list[NDArray[np.int32]] = [np.empty(0, dtype=np.int32)]
        row: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
        for corpus in corpora:
            ends = np.cumsum([source.rows for source in corpus.files])
            for shard in corpus.shards():
                place = shard.first
                for texts in corpus.texts(shard):
                    there = place + np.flatnonzero(~np.asarray(texts.is_null()))
                    parts += _read(texts.drop_null(), unit, n, convention)
                    which = np.searchsorted(ends, there, side="right")
                    file.append((which + len(files)).astype(np.int32))
                    row.append(there - np.append(0, ends)[which])
                    place += len(texts)
            files += [source.name for source in corpus.files]
        counts = np.concatenate([np.empty(0, dtype=np.int64), *(found.counts for found, _ in parts)])
        return cls(
            unit=unit,
            n=n,
            starts=np.append(0, np.cumsum(counts)),
            shingles=np.concatenate([np.empty(0, dtype=np.uint64), *(found.hashes for found, _ in parts)]),
            units=np.concatenate([np.empty(0, dtype=np.int64), *(sizes for _, sizes in parts)]),
            file=np.concatenate(file),
            row=np.concatenate(row),
            files=tuple(files),
            convention=convention,
        )

    @classmethod
    def of_texts(
        cls, texts: Sequence[str], *, unit: Unit = "word", n: int = 13, convention: Convention = CONVENTION
    ) -> Reference:
        """Return the reference of texts in memory, as rows of a file without a name."""
        parts = _read(pa.array(list(texts), pa.large_string()), unit, n, convention)
        return cls(
            unit=unit,
            n=n,
            starts=np.append(
                0, np.cumsum(np.concatenate([np.empty(0, np.int64), *(each.counts for each, _ in parts)]))
            ),
            shingles=np.concatenate([np.empty(0, dtype=np.uint64), *(each.hashes for each, _ in parts)]),
            units=np.concatenate([np.empty(0, dtype=np.int64), *(sizes for _, sizes in parts)]),
            file=np.zeros(len(texts), dtype=np.int32),
            row=np.arange(len(texts), dtype=np.int64),
            files=("",),
            convention=convention,
        )

    def table(self) -> pa.Table:
        """Return the form that is stored."""
        arrays = {name: getattr(self, name) for name in ("starts", "shingles", "units", "file", "row")}
        return pack(
            arrays, {**_convention(self.unit, self.n, self.convention), "files": list(self.files), "items": len(self)}
        )

    @classmethod
    def from_table(cls, table: pa.Table) -> Reference:
        """Read what ``table`` returned.

        Raises:
            StoreError: the table is not a reference, or was made under another convention.
        """
        arrays, about = unpack(table)
        if about.get("kind") != KIND:
            raise StoreError("This is not a reference", value=about.get("kind"), allowed=KIND)
        known = about["convention"] in get_args(Convention)
        if not known or about != {**about, **_convention(about["unit"], about["n"], about["convention"])}:
            raise StoreError(
                "The reference was made under another text convention", value=about["convention"], fix="make it again"
            )
        stated = {name: about[name] for name in ("unit", "n", "convention")}
        held: dict[str, Any] = {**stated, **arrays}
        return cls(files=tuple(about["files"]), **held)


def put_reference(
    paths: Iterable[str | Path],
    workspace: Workspace,
    *,
    unit: Unit = "word",
    n: int = 13,
    text: str | None = None,
    convention: Convention = CONVENTION,
) -> str:
    """Read files, store their reference in the workspace and return its digest, which rules name.

    Args:
        paths: files, folders or globs, each opened as a corpus.
        workspace: where to store it.
        unit, n: what a shingle is.
        text: the text column; None finds it by name.
        convention: what a word is, see ``text.normal_form``.

    Raises:
        CorpusError, RoleError: as ``open_corpus``.
    """
    roles = None if text is None else {"text": text}
    corpora = [open_corpus(path, roles=roles, probes=workspace.probes) for path in paths]
    return workspace.put_table(Reference.of(corpora, unit=unit, n=n, convention=convention).table())


def _convention(unit: str, n: int, convention: Convention) -> dict[str, Any]:
    return {"kind": KIND, "unit": unit, "n": n, "convention": convention, "unicode": unicodedata.unidata_version}


def _read(
    texts: pa.Array, unit: Unit, n: int, convention: Convention = CONVENTION
) -> list[tuple[Shingles, NDArray[np.int64]]]:
    """Return shingle sets and numbers of units of texts, block by block."""
    offsets, data = utf8_buffers(texts)
    found = []
    for first, end in block_ranges(offsets):
        normal = normalise(offsets[first : end + 1], data, convention)
        _, starts = units_of(normal, unit)
        found.append((Shingles.of_normal(normal, unit=unit, n=n).sorted(), np.diff(starts)))
    return found


@dataclass(frozen=True)
class ReferenceEntry:
    """A stored reference.

    Attributes:
        name: in the workspace.
        digest: what rules name.
        origin: names of the files it was made from.
        unit, n: what a shingle is.
    """

    name: str
    digest: str
    origin: tuple[str, ...]
    unit: Unit
    n: int


def save_reference(
    workspace: Workspace,
    name: str,
    paths: Sequence[str | Path],
    *,
    n: int,
    unit: Unit = "word",
    text: str | None = None,
    convention: Convention = CONVENTION,
) -> ReferenceEntry:
    """Read files, store the hashes of their texts, and give the reference a name.

    Args:
        workspace: where to store it.
        name: an allowed file name; it replaces an entry of the same name, and rules keep the digest they name.
        paths: files, folders or globs.
        n, unit: a shingle; 13 words for evaluation files, 5 for near-duplicates.
        text: the text column; None finds it by name.
        convention: what a word is, see ``text.normal_form``.

    Raises:
        SettingError: the name is not allowed, or no file is given.
        CorpusError, RoleError: as ``open_corpus``.
    """
    path = _path(workspace, name)
    if not paths:
        raise SettingError("A reference is made of files", fix="name one or more files, folders or globs")
    digest = put_reference(paths, workspace, unit=unit, n=n, text=text, convention=convention)
    entry = ReferenceEntry(name, digest, tuple(Path(each).name for each in paths), unit, n)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, json.dumps(asdict(entry), sort_keys=True).encode())
    return entry


def list_references(workspace: Workspace) -> dict[str, ReferenceEntry]:
    """Return the references of a workspace by name, sorted."""
    found = {}
    for path in sorted((workspace.root / "references").glob("*.json")):
        value = json.loads(path.read_bytes())
        found[value["name"]] = ReferenceEntry(**{**value, "origin": tuple(value["origin"])})
    return found


def _path(workspace: Workspace, name: str) -> Path:
    return inside(
        workspace.root / "references", f"{check_name(name, what='Reference name')}.json", what="Reference name"
    )

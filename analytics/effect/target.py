"""Targets: texts that define the purpose of a corpus. Recipes may see one half; the other half only measures them.

A target comes from a file or from documents of the corpus itself and is stored as a table named by its digest. The
halves are split by a hash of the normalised text, so equal texts are always in the same half.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.text.ngram_overlap import SHARE, Grams
from tamis.analytics.text.normal_form import normalise_strings
from tamis.analytics.text.word_stream import WordHashes
from tamis.data.errors import CorpusError, SettingError
from tamis.data.hashing import key64, uniform
from tamis.data.names import check_name, inside
from tamis.data.open_corpus import open_corpus
from tamis.data.parquet import write_bytes
from tamis.data.workspace import Workspace

TEST_SHARE = 0.5
SEARCH_HALVES = "search halves"
"""Salt of the hash that cuts the visible half in two for a search."""

LEAST = 20
"""Least different texts of a target; fewer are too few to measure with."""

_PLAIN = (".txt", ".md", ".text")


@dataclass(frozen=True)
class TargetEntry:
    """An entry of a target in a workspace.

    Attributes:
        name: for people.
        digest: of the stored texts.
        origin: file name, or the selection it was made from.
        documents: different texts.
        bytes: UTF-8 bytes of all.
    """

    name: str
    digest: str
    origin: str
    documents: int
    bytes: int


@dataclass(frozen=True, eq=False)
class Target:
    """A target's texts.

    Attributes:
        digest: of the stored table.
        texts: large_string (m,), different and not empty, sorted by their bytes.
        halves: salt of the hash that splits them.
    """

    digest: str
    texts: pa.Array
    halves: str = "target halves"

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def in_test(self) -> NDArray[np.bool_]:
        """Return which texts belong to the half that recipes never see, bool (m,)."""
        keys = key64(normalise_strings(self.texts))
        return np.asarray(uniform(keys, seed=0, salt=self.halves) < TEST_SHARE, dtype=bool)

    @property
    def seen(self) -> pa.Array:
        """Return the texts that recipes may see (T_dev)."""
        return self.texts.filter(pa.array(~self.in_test))

    @cached_property
    def unseen(self) -> pa.Array:
        """Return the test texts (T_test), without those that share much with a text recipes may see."""
        seen, unseen = WordHashes.of(self.seen), WordHashes.of(self.texts.filter(pa.array(self.in_test)))
        shared = Grams.of(seen.hashes, seen.starts).share(unseen.hashes, unseen.starts)
        return self.texts.filter(pa.array(self.in_test)).filter(pa.array(shared < SHARE))

    def for_search(self, workspace: Workspace, *, halves: str = SEARCH_HALVES) -> Target:
        """Return the half that recipes may see, split in two again: a search fits on one and scores with the other.

        Args:
            workspace: where the half is stored.
            halves: salt of the hash that splits it; a search within a search needs its own.
        """
        seen = self.seen.combine_chunks() if isinstance(self.seen, pa.ChunkedArray) else self.seen
        return Target(workspace.put_table(pa.table({"text": seen})), seen, halves=halves)

    @classmethod
    def open(cls, workspace: Workspace, digest: str) -> Target:
        """Return a stored target.

        Raises:
            StoreError: the workspace does not have it.
        """
        return cls(digest, workspace.table(digest).column("text").combine_chunks())


def save_target(workspace: Workspace, name: str, texts: Iterable[str | None], *, origin: str) -> TargetEntry:
    """Store texts as a target under a name and return its entry; an older target of that name is replaced.

    Raises:
        SettingError: the name is not allowed, or there are fewer than ``LEAST`` different texts.
    """
    path = _entry_path(workspace, name)
    found = sorted({text for text in texts if text and text.strip()}, key=lambda text: text.encode("utf-8", "replace"))
    if len(found) < LEAST:
        raise SettingError(
            "A target needs more texts", value=len(found), allowed=f"{LEAST} or more different ones", fix="add texts"
        )
    column = pa.array(found, pa.large_string())
    digest = workspace.put_table(pa.table({"text": column}))
    size = sum(len(text.encode("utf-8", "replace")) for text in found)
    entry = TargetEntry(name, digest, origin, len(found), size)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, json.dumps(asdict(entry), indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return entry


def import_target(workspace: Workspace, path: str | Path, *, name: str | None = None) -> TargetEntry:
    """Store a file of texts as a target: Parquet, JSONL or CSV with a text column, or plain text.

    In a plain text file blank lines separate the texts; in a folder of plain text files each file is a text.

    Raises:
        CorpusError: the file cannot be read.
        SettingError: see ``save_target``.
    """
    given = Path(path).expanduser()
    chosen = name or re.sub(r"[^0-9A-Za-z_-]+", "-", given.stem).strip("-_")[:60] or "target"
    return save_target(workspace, chosen, read_texts(given), origin=given.name)


def read_texts(path: Path) -> Iterable[str | None]:
    """Yield the texts of a file or folder, see ``import_target``.

    Raises:
        CorpusError: it cannot be read.
    """
    plain = [path] if path.suffix.lower() in _PLAIN else []
    if path.is_dir():
        plain = sorted(file for file in path.iterdir() if file.suffix.lower() in _PLAIN)
    if not plain:
        corpus = open_corpus(path)
        for shard in corpus.shards():
            for texts in corpus.texts(shard):
                yield from texts.to_pylist()
        return
    for file in plain:
        try:
            whole = file.read_bytes().decode("utf-8", "replace")
        except OSError as error:
            raise CorpusError(f"Cannot read {file.name}: {error.strerror or error}") from error
        yield from [whole] if path.is_dir() else re.split(r"\n\s*\n", whole)


def list_targets(workspace: Workspace) -> dict[str, TargetEntry]:
    """Return the targets of a workspace by name, sorted."""
    found = []
    for path in sorted((workspace.root / "targets").glob("*.json")):
        found.append(TargetEntry(**json.loads(path.read_bytes())))
    return {entry.name: entry for entry in sorted(found, key=lambda entry: entry.name)}


def find_target(workspace: Workspace, name: str) -> TargetEntry:
    """Return a target by its name or its digest.

    Raises:
        SettingError: there is none; the message lists the names.
    """
    known = list_targets(workspace)
    for entry in known.values():
        if name in (entry.name, entry.digest):
            return entry
    raise SettingError("No target of this name", value=name, allowed=known or "none yet", fix="import one")


def _entry_path(workspace: Workspace, name: str) -> Path:
    return inside(workspace.root / "targets", f"{check_name(name, what='Target name')}.json", what="Target name")

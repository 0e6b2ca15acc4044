"""Evaluation sets as hashes of words with weights: what IDF-weighted decontamination looks for.

A stored evaluation is a table named by its content: recipes name it by that digest and bundles carry it. It holds no
text, but a hash of every distinct word of a part; who has a dictionary can tell which words an item has, not their
order. Where the files lie is kept in the workspace only, to show their texts beside a hit.

A word is that of a named convention of ``text.normal_form``; a letter of a script written without spaces is a word.
The weight of a word is its inverse document frequency among the N distinct parts of all sets, ``ln(1 + N / df)``, as a
whole number of 2**-20, so that sums are exact. It is part of the stored table: the same on a sample, on everything and
on every machine.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.duplicates.evaluation_items import PARTS, PartColumns, read_items
from tamis.analytics.duplicates.shingles import gram, units_of
from tamis.analytics.steps.stored_arrays import pack, unpack
from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.normal_form import Convention, normalise
from tamis.data.errors import SettingError, StoreError
from tamis.data.names import check_name, inside
from tamis.data.parquet import write_bytes
from tamis.data.workspace import Workspace

KIND = "evaluation"
HEAD = 8
"""Words of the beginning of a part by which its exact occurrences are looked up."""

SCALE = 1 << 20
DEFAULT: Convention = "letters-1"
_ARRAYS = ("set", "file", "row", "part", "words", "sequence", "head", "starts", "hashes", "owner_starts", "owners",
           "vocabulary", "weights")  # fmt: skip


@dataclass(frozen=True, eq=False)
class EvaluationSets:
    """The items of evaluation sets and the distinct texts of their parts.

    Attributes:
        sets: names of the sets, sorted.
        files: names of the files.
        set: int32 (m,), set of each item. Items are sorted by set, file and row.
        file: int32 (m,), its file.
        row: int64 (m,), its row in that file, from 0.
        part: uint8 (p,), part of each distinct text, an index into ``PARTS``; equal texts of one part are one.
        words: int64 (p,), its number of words.
        sequence: uint64 (p,), hash of its words in order.
        head: uint64 (p,), hash of its first ``HEAD`` words in order, of all where it has fewer.
        starts: int64 (p + 1,), where its distinct words begin.
        hashes: uint64 (s,), its distinct words, ascending.
        owner_starts: int64 (p + 1,), where the items that have it begin.
        owners: int64, these items, ascending.
        vocabulary: uint64 (v,), all distinct words, ascending.
        weights: int64 (v,), weight of each word, in 2**-20.
        convention: what a word is.
    """

    sets: tuple[str, ...]
    files: tuple[str, ...]
    set: NDArray[np.int32]
    file: NDArray[np.int32]
    row: NDArray[np.int64]
    part: NDArray[np.uint8]
    words: NDArray[np.int64]
    sequence: NDArray[np.uint64]
    head: NDArray[np.uint64]
    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    owner_starts: NDArray[np.int64]
    owners: NDArray[np.int64]
    vocabulary: NDArray[np.uint64]
    weights: NDArray[np.int64]
    convention: Convention = DEFAULT

    def __len__(self) -> int:
        return len(self.row)

    def owners_of(self, text: int) -> NDArray[np.int64]:
        """Return the items that have a distinct text, int64, ascending."""
        return self.owners[self.owner_starts[text] : self.owner_starts[text + 1]]

    def item_name(self, item: int) -> str:
        """Return the name of an item for people: its set, file and row, from 1."""
        return f"{self.sets[self.set[item]]}: {self.files[self.file[item]]}, row {self.row[item] + 1}"

    @cached_property
    def set_sizes(self) -> NDArray[np.int64]:
        """Return the number of items of each set, int64."""
        return np.bincount(self.set, minlength=len(self.sets))

    @classmethod
    def of(cls, items: pa.Table, *, convention: Convention = DEFAULT) -> EvaluationSets:
        """Return the sets of items given as ``evaluation_items.ITEMS``; a part without words has no text.

        Prompt and answer together are a text only where both have words, and do not count for the frequency of words.
        """
        texts = _Texts()
        units = {part: _words_of(items.column(part), convention) for part in PARTS}
        prompted, answered = units["prompt"].counts > 0, units["answer"].counts > 0
        for item in range(items.num_rows):
            for number, part in enumerate(PARTS):
                if part == "whole" and prompted[item] != answered[item]:
                    continue
                texts.add(item, number, units[part].of(item), counted=part != "whole" or not prompted[item])
        sets, files = (tuple(sorted(set(items.column(name).to_pylist()))) for name in ("set", "file"))
        places = {name: {value: k for k, value in enumerate(names)} for name, names in (("set", sets), ("file", files))}
        stated: dict[str, Any] = {
            name: np.array([known[value] for value in items.column(name).to_pylist()], dtype=np.int32)
            for name, known in places.items()
        }
        row = items.column("row").to_numpy().astype(np.int64)
        return cls(sets=sets, files=files, row=row, convention=convention, **stated, **texts.arrays())

    def table(self) -> pa.Table:
        """Return the form that is stored."""
        about = {**_about(self.convention), "sets": list(self.sets), "files": list(self.files), "items": len(self)}
        return pack({name: getattr(self, name) for name in _ARRAYS}, about)

    @classmethod
    def from_table(cls, table: pa.Table) -> EvaluationSets:
        """Read what ``table`` returned.

        Raises:
            StoreError: the table holds no evaluation sets, or was made under another convention.
        """
        arrays, about = unpack(table)
        if about.get("kind") != KIND:
            raise StoreError(
                "This is no stored evaluation", value=about.get("kind"), allowed=KIND, fix="tamis evaluation store"
            )
        known = about["convention"] in get_args(Convention)
        if not known or about != {**about, **_about(about["convention"])}:
            raise StoreError(
                "The evaluation sets were stored under another text convention",
                value=about["convention"],
                fix="store them again",
            )
        held: dict[str, Any] = {**arrays}
        return cls(tuple(about["sets"]), tuple(about["files"]), convention=about["convention"], **held)


def _about(convention: Convention) -> dict[str, Any]:
    return {"kind": KIND, "convention": convention, "unicode": unicodedata.unidata_version, "head": HEAD}


@dataclass(frozen=True, eq=False)
class _Words:
    """Word hashes of texts: uint64 (u,), and where those of each text begin, int64 (n + 1,)."""

    units: NDArray[np.uint64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    def of(self, text: int) -> NDArray[np.uint64]:
        """Return the words of a text in order; none of a text that consists of marks."""
        return self.units[self.starts[text] : self.starts[text] + self.counts[text]]


def _words_of(column: pa.ChunkedArray, convention: Convention) -> _Words:
    texts = pa.array(column.fill_null("").to_pylist(), pa.large_string())
    normal = normalise(*utf8_buffers(texts), convention)
    units, starts = units_of(normal, "word")
    return _Words(units, starts, normal.words.astype(np.int64))


class _Texts:
    """Distinct texts of parts while they are collected."""

    def __init__(self) -> None:
        self._place: dict[tuple[int, bytes], int] = {}
        self._units: list[NDArray[np.uint64]] = []
        self._counted: list[bool] = []
        self._owners: list[list[int]] = []

    def add(self, item: int, part: int, units: NDArray[np.uint64], *, counted: bool) -> None:
        """Add the text of a part of an item; ``counted`` says whether it counts for the frequency of words."""
        if not len(units):
            return
        place = self._place.setdefault((part, units.tobytes()), len(self._units))
        if place == len(self._units):
            self._units.append(units)
            self._counted.append(counted)
            self._owners.append([])
        self._counted[place] |= counted
        self._owners[place].append(item)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of ``EvaluationSets`` about texts and words."""
        bags = [np.unique(units) for units in self._units]
        owners = [np.asarray(items, dtype=np.int64) for items in self._owners]
        none = np.empty(0, dtype=np.uint64)
        counted = np.concatenate([none, *(bag for bag, yes in zip(bags, self._counted, strict=True) if yes)])
        vocabulary, frequency = np.unique(counted, return_counts=True)
        weights = np.rint(SCALE * np.log1p(sum(self._counted) / frequency)).astype(np.int64)
        return {
            "part": np.array([part for part, _ in self._place], dtype=np.uint8),
            "words": np.array([len(units) for units in self._units], dtype=np.int64),
            "sequence": np.array([gram(units, 0, len(units)) for units in self._units], dtype=np.uint64),
            "head": np.array([gram(units, 0, min(HEAD, len(units))) for units in self._units], dtype=np.uint64),
            "starts": _starts(bags),
            "hashes": np.concatenate([none, *bags]),
            "owner_starts": _starts(owners),
            "owners": np.concatenate([np.empty(0, dtype=np.int64), *owners]),
            "vocabulary": vocabulary,
            "weights": weights,
        }


def _starts(parts: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    return np.append(0, np.cumsum([len(part) for part in parts], dtype=np.int64))


@dataclass(frozen=True)
class EvaluationEntry:
    """Evaluation sets stored under a name.

    Attributes:
        name: in the workspace.
        digest: what rules name.
        paths: the files, folders or globs, absolute.
        columns: which columns hold the parts.
        convention: what a word is.
    """

    name: str
    digest: str
    paths: tuple[str, ...]
    columns: PartColumns = field(default_factory=PartColumns)
    convention: Convention = DEFAULT


def save_evaluation(
    workspace: Workspace,
    name: str,
    paths: Sequence[str | Path],
    *,
    columns: PartColumns | None = None,
    convention: Convention = DEFAULT,
) -> EvaluationEntry:
    """Read evaluation files, store the hashes of their parts, and give them a name.

    Args:
        workspace: where to store them.
        name: an allowed file name; it replaces an entry of the same name, and rules keep the digest they name.
        paths: files, folders or globs; each is one set.
        columns: which columns hold the parts.
        convention: what a word is.

    Raises:
        SettingError: the name is not allowed, or as ``read_items``.
        CorpusError, RoleError: as ``open_corpus``.
    """
    place, chosen = _path(workspace, name), columns or PartColumns()
    there = tuple(str(Path(path).expanduser().absolute()) for path in paths)
    items = read_items(there, workspace, chosen)
    digest = workspace.put_table(EvaluationSets.of(items, convention=convention).table())
    entry = EvaluationEntry(name, digest, there, chosen, convention)
    place.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(place, json.dumps(asdict(entry), sort_keys=True).encode())
    return entry


def list_evaluations(workspace: Workspace) -> dict[str, EvaluationEntry]:
    """Return the stored evaluation sets of a workspace by name, sorted."""
    found = {}
    for path in sorted((workspace.root / "evaluations").glob("*.json")):
        value = json.loads(path.read_bytes())
        columns = PartColumns(**value.pop("columns"))
        found[value["name"]] = EvaluationEntry(**{**value, "paths": tuple(value["paths"]), "columns": columns})
    return found


def find_evaluation(workspace: Workspace, name: str) -> EvaluationEntry:
    """Return the evaluation sets stored under a name.

    Raises:
        SettingError: there are none.
    """
    known = list_evaluations(workspace)
    if name not in known:
        raise SettingError(
            "No evaluation sets are stored under this name", value=name, allowed=known, fix="tamis evaluation store"
        )
    return known[name]


def _path(workspace: Workspace, name: str) -> Path:
    return inside(
        workspace.root / "evaluations", f"{check_name(name, what='Evaluation name')}.json", what="Evaluation name"
    )

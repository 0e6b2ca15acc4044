"""What a corpus consisted of when it was last analysed, so that its new part can be told from the old one."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.formats import TEXTS
from tamis.data.hashing import digest
from tamis.data.parquet import write_bytes

KEPT_STATES = 5
MOST_FILES = 100_000
"""A corpus of more files leaves no record."""


def file_contents(corpus: Corpus) -> tuple[str, ...]:
    """Return the sha256 of each file, in source order; files of text count one by one."""
    return tuple(
        sha256
        for opened in corpus.opened
        for sha256 in ([text.sha256 for text in opened.probe.documents] if opened.format == TEXTS else [opened.sha256])
    )


def new_documents(corpus: Corpus, documents: Documents, known: Collection[str]) -> NDArray[np.bool_]:
    """Return which documents lie in files whose content is not among the known ones, bool (n,) in facts order.

    Args:
        corpus: the corpus.
        documents: its documents.
        known: sha256 of the contents of files.
    """
    rows = np.concatenate(
        [
            np.ones(opened.probe.rows, dtype=np.int64) if opened.format == TEXTS else [opened.probe.rows]
            for opened in corpus.opened
        ]
    ).astype(np.int64)
    seen = frozenset(known)
    fresh = np.array([sha256 not in seen for sha256 in file_contents(corpus)], dtype=bool)
    return np.asarray(fresh[np.searchsorted(np.cumsum(rows), documents.order, side="right")])


@dataclass(frozen=True)
class CorpusStates:
    """The states in which the corpus at a path was analysed, the last one at the end.

    Attributes:
        file: of the record.
    """

    file: Path

    @classmethod
    def of(cls, root: Path, corpus: Corpus) -> CorpusStates:
        """Return the states of a corpus in the workspace at ``root``."""
        return cls(root / "states" / f"{digest(corpus.path)[:32]}.json")

    def all(self) -> list[list[str]]:
        """Return the contents of the files in each state; a record that cannot be read counts as empty."""
        try:
            found = json.loads(self.file.read_bytes())
        except (OSError, ValueError):
            return []
        sound = isinstance(found, list) and all(isinstance(state, list) for state in found)
        return [[str(sha256) for sha256 in state] for state in found] if sound else []

    def note(self, corpus: Corpus) -> None:
        """Add the state of a corpus if its files are not those of the last one."""
        state, known = sorted(file_contents(corpus)), self.all()
        if len(state) <= MOST_FILES and known[-1:] != [state]:
            write_bytes(self.file, json.dumps([*known, state][-KEPT_STATES:]).encode(), durable=False)

    def before(self, corpus: Corpus) -> frozenset[str] | None:
        """Return the files of the last state that the corpus grew from, None if there is none.

        A state counts if the corpus has one of its files and a file besides.
        """
        now = set(file_contents(corpus))
        for state in reversed(self.all()):
            if now & {*state} and now - {*state}:
                return frozenset(state)
        return None

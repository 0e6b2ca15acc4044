"""What a corpus consisted of when it was last analysed, so that its new part can be told from the old one."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.formats import ONE_EACH
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
        for sha256 in (
            [text.sha256 for text in opened.probe.documents] if opened.format in ONE_EACH else [opened.sha256]
        )
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
            np.ones(opened.probe.rows, dtype=np.int64) if opened.format in ONE_EACH else [opened.probe.rows]
            for opened in corpus.opened
        ]
    ).astype(np.int64)
    seen = frozenset(known)
    fresh = np.array([sha256 not in seen for sha256 in file_contents(corpus)], dtype=bool)
    return np.asarray(fresh[np.searchsorted(np.cumsum(rows), documents.order, side="right")])


MAPPED = ("documents", "embeddings", "knn", "map", "clusters", "concepts")
PLACED_ON = "placed_on"
"""Parameter of the steps that place new documents on an earlier map: the digests they were placed by."""


@dataclass(frozen=True)
class EarlierMap:
    """A map of a corpus as it was, on which new documents can be placed.

    Attributes:
        corpus: fingerprint of its texts.
        text: role of the text.
        date: day on which it was noted, UTC, as 2026-11-01.
        tier: of its embedding.
        ids: what the ids are made of, ``column`` or ``text``.
        artifacts: names and digests of the artifacts in ``MAPPED``; the clusters are those in use.
    """

    corpus: str
    text: str
    date: str
    tier: str
    ids: str
    artifacts: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> EarlierMap:
        """Return a map from plain values; raises KeyError, TypeError or ValueError if they are not one."""
        pairs = tuple((str(name), str(found)) for name, found in values["artifacts"])
        texts = {name: str(values[name]) for name in ("corpus", "text", "date", "tier", "ids")}
        return cls(**texts, artifacts=pairs)

    @property
    def digests(self) -> dict[str, str]:
        """Return the digests of the artifacts by name."""
        return dict(self.artifacts)


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

    @property
    def _maps(self) -> Path:
        return self.file.with_suffix(".maps.json")

    def maps(self) -> list[EarlierMap]:
        """Return the maps of the corpus as it was, the last one at the end; a damaged record counts as empty."""
        try:
            return [EarlierMap.of(values) for values in json.loads(self._maps.read_bytes())]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def note_map(self, corpus: Corpus, artifacts: Mapping[str, Artifact]) -> None:
        """Add the map of an analysis if it has one of its own, and another than the last."""
        if not set(MAPPED) <= set(artifacts) or PLACED_ON in artifacts["map"].manifest.key["params"]:
            return
        used = dict(artifacts) | {"clusters": artifacts.get("edited_clusters", artifacts["clusters"])}
        pairs = tuple((name, used[name].digest) for name in MAPPED)
        known = self.maps()
        if known and known[-1].artifacts == pairs:
            return
        day = next((each.date for each in known if each.artifacts == pairs), datetime.now(UTC).date().isoformat())
        found = EarlierMap(
            corpus=corpus.text_fingerprint,
            text=corpus.roles.text,
            date=day,
            tier=str(artifacts["embeddings"].facts["tier"]),
            ids=str(artifacts["documents"].facts["id_source"]),
            artifacts=pairs,
        )
        kept = [*(each for each in known if each.artifacts != pairs), found][-KEPT_STATES:]
        write_bytes(self._maps, json.dumps([asdict(each) for each in kept]).encode(), durable=False)

    def map_before(self, corpus: Corpus) -> EarlierMap | None:
        """Return the last map of the corpus when it had other texts, None if there is none."""
        fit = [each for each in self.maps() if each.corpus != corpus.text_fingerprint]
        return next((each for each in reversed(fit) if each.text == corpus.roles.text), None)

"""Rows that are no documents: why, where they stand, and what they hold."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.data.corpus import Corpus
from tamis.data.documents import Documents


@dataclass(frozen=True)
class ErrorRow:
    """One row that is no document.

    Attributes:
        file: name of its file below the corpus root.
        row: its place in the file, from 1.
        reason: why it is no document.
        json: its columns as JSON text, one field a line.
    """

    file: str
    row: int
    reason: str
    json: str


def error_places(documents: Documents, reason: str | None = None) -> NDArray[np.int64]:
    """Return which rows of ``documents.errors`` have a reason, int64 (m,), in source order; None for all of them."""
    reasons = np.asarray(documents.errors.column("reason").to_pylist(), dtype=object)
    places = np.arange(len(reasons)) if reason is None else np.flatnonzero(reasons == reason)
    positions = documents.errors.column("position").to_numpy()
    return places[np.argsort(positions[places], kind="stable")]


def error_rows(corpus: Corpus, documents: Documents, places: NDArray[np.int64]) -> list[ErrorRow]:
    """Return rows of ``documents.errors`` with what they hold, in the requested order.

    Raises:
        CorpusError: a file is damaged or was changed since the corpus was opened.
    """
    errors = documents.errors.take(places)
    positions = errors.column("position").to_numpy()
    starts = np.cumsum([0, *(file.rows for file in corpus.files)])
    files = np.searchsorted(starts, positions, side="right") - 1
    held = corpus.take(positions).to_pylist()
    return [
        ErrorRow(
            corpus.files[file].name, int(position - starts[file]) + 1, reason,
            json.dumps(row, ensure_ascii=False, indent=2, default=str),
        )
        for file, position, reason, row in zip(files, positions, errors.column("reason").to_pylist(), held, strict=True)
    ]  # fmt: skip

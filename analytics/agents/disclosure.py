"""What may leave for an agent: ids, counts and signals; texts only where the owner allows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tamis.analytics.facts.column_info import ColumnInfo
from tamis.analytics.study.study import Study
from tamis.data.errors import AccessError, TamisError

SNIPPET = 240
"""Characters of a text beside a hit."""
LONGEST_TEXT = 20_000
"""Characters of a text that is read as a whole."""
_SHOWN_ROLES = ("id", "source", "language")
_DATABASE = "cannot be evaluated"
"""How errors end that repeat what the database said."""


@dataclass(frozen=True)
class Disclosure:
    """What an owner lets an agent see.

    Attributes:
        texts: texts, and values of text columns other than source and language.
    """

    texts: bool = False

    def shows(self, column: ColumnInfo) -> bool:
        """Say whether values of a column may leave: numbers, true or false, sources and languages always may."""
        plain = column.numeric or column.type == "boolean"
        return self.texts or plain or column.role in _SHOWN_ROLES or column.name == "lang"

    def snippets(self, study: Study, rows: Sequence[int]) -> list[str | None]:
        """Return the beginnings of texts by facts row in one line each, None where texts may not be shown."""
        if not self.texts or not len(rows):
            return [None] * len(rows)
        return [_shortened(text, SNIPPET) for text in texts_of(study, rows)]

    def require_texts(self) -> None:
        """Check that texts may be shown.

        Raises:
            AccessError: they may not.
        """
        if not self.texts:
            raise AccessError(
                "The owner does not let texts leave", fix="work with ids, counts and signals; the owner starts"
                " tamis mcp with --allow-texts to let an agent read texts",
            )  # fmt: skip

    def error(self, error: TamisError) -> TamisError:
        """Return an error as it may leave: what the database says about a condition may quote a value of the corpus."""
        if self.texts or not error.what.endswith(_DATABASE):
            return error
        return type(error)(error.what, fix="compare numbers with numbers and texts with texts")


def texts_of(study: Study, rows: Sequence[int]) -> list[str]:
    """Return the texts of a few documents by facts row."""
    corpus = study.corpus
    table = corpus.fetch(study.documents, np.asarray(rows, dtype=np.int64))
    return [text or "" for text in corpus.texts_of(table).to_pylist()]


def _shortened(text: str, length: int) -> str:
    folded = " ".join(text[: 8 * length].split())
    return folded if len(folded) <= length else f"{folded[:length]}…"


def number(value: Any) -> float | None:
    """Return a number as JSON can hold it: None for NULL, NaN and infinities."""
    return float(value) if value is not None and np.isfinite(value) else None

"""Where in the text of a conversation the signals of its audit come from, for the document on screen."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from tamis.analytics.signals.audit import KINDS, AuditLists
from tamis.analytics.signals.audit_marks import audit_marks
from tamis.analytics.signals.audit_tools import declared_tools
from tamis.analytics.study.readings import Reading
from tamis.data.corpus import Corpus
from tamis.data.part_spans import Span
from tamis.data.schema import at_path

MARKED = (
    "starts_with_assistant", "repeated_role", "ends_with_user", "unknown_role", "unclosed_thinking",
    "calls_without_result", "results_without_call", "undeclared_tools", "invalid_arguments", "schema_violations",
    "repeated_calls", "refusals", "foreign_identity", "answer_language_differs", "truncated_answer",
)  # fmt: skip
"""Signals of the audit whose places have characters; an empty turn has none."""


def audit_places(corpus: Corpus, rows: pa.Table, reading: Reading, root: Path, *, signal: str) -> list[Span]:
    """Return the characters of a document's text from which a signal of the audit comes, ascending.

    Args:
        corpus: the corpus.
        rows: the whole row of the document.
        reading: the document.
        root: folder of the workspace, which may have lists of phrases of its own.
        signal: one of ``MARKED``.
    """
    if corpus.shape.kind not in KINDS or reading.reason:
        return []
    path = corpus.shape.columns.get("tools")
    declared = None if path is None else declared_tools(at_path(rows, path)[0].as_py())
    marks = audit_marks(
        corpus.parts(rows), kind=corpus.shape.kind, declared=declared, lists=AuditLists.of_workspace(root)
    )
    starts = [part.start for part in reading.parts]
    return [
        (starts[mark.part] + mark.begin, starts[mark.part] + mark.end)
        for mark in marks
        if mark.signal == signal and mark.end > mark.begin and starts[mark.part] >= 0
    ]

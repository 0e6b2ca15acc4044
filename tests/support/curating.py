"""Curated files of a corpus from one call: analysis of the documents alone, steps given as operators."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.analytics.export.curated import CuratedOptions, write_curated
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import Decision, Group, Operator, SetOperator, TextOperator, View
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.plan import evaluate
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.evidence import GivenEvidence
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.markers import Markers, WrittenFile
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


class Thinned(SetOperator):
    """Gives documents 2, 0, 1, 2, 0 ... copies and reverses their order."""

    name: ClassVar[str] = "thinned"
    group: ClassVar[Group] = "Order"

    def decide(self, view: View) -> Decision:
        copies = ((view.rows + 2) % 3).astype(np.int32)
        return Decision(copies=copies, position=-view.rows, weight=view.rows / 4)


class Marked(TextOperator):
    """Writes a mark over every x in a text."""

    name: ClassVar[str] = "marked"

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        return pc.replace_substring(texts, "x", "<é>")


class SmallCorpus:
    """A corpus with its documents, and facts with ids and bytes only.

    Args:
        root: folder for the workspace.
        path: what to open.
        text: path of the text column; None to find the shape of the rows.
    """

    def __init__(self, root: Path, path: Path, *, text: str | None = "text", **opening: Any) -> None:
        self.corpus: Corpus = open_corpus(path, roles={} if text is None else {"text": text}, **opening)
        self.documents: Documents = analyze(self.corpus, Workspace(root), steps=()).documents
        table = pa.table({"id": self.documents.ids, "bytes": self.documents.bytes})
        self.facts = Facts.from_table(table, digest=self.documents.digest)

    def outcome(self, operators: Sequence[Operator]) -> Outcome:
        """Return what operators decide."""
        steps = tuple(Step(f"step-{number}", operator) for number, operator in enumerate(operators))
        return evaluate(Recipe(steps), self.facts, GivenEvidence())

    def curate(
        self, out: Path, *operators: Operator, markers: Markers | None = None, **options: Any
    ) -> tuple[WrittenFile, ...]:
        """Write the curated files into ``out``."""
        chosen = CuratedOptions(**options)
        outcome = self.outcome(operators)
        return write_curated(out, self.corpus, self.documents, outcome, options=chosen, markers=markers)

    def kept(self, operators: Sequence[Operator]) -> list[int]:
        """Return the source rows of the kept documents, in id order."""
        return [int(row) for row in self.documents.order[self.outcome(operators).copies > 0]]

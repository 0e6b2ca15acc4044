"""Lines of low quality: a text step that cuts them, and a rule that drops documents which would lose too much."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from tamis.analytics.duplicates.boilerplate import Passages
from tamis.analytics.operators.line_scores import line_scores, loss_measure
from tamis.analytics.operators.operator import OPERATORS, Group, RowOperator, TextOperator
from tamis.analytics.operators.predicate import number
from tamis.analytics.steps.measures import Measure
from tamis.data.sql import ident

_SOURCE = (
    "Henriksson et al. 2025, arXiv 2501.07314 (FinerWeb: quality line by line); Penedo et al. 2023, arXiv 2306.01116"
    " (RefinedWeb: line-wise corrections, documents that lose more than 5% dropped); the score is Tamis's own"
)
_SCORE = (
    "A line scores by its letters, words, ending and case, from 0 to 1: prose above 0.5, headings and labels 0.1 to"
    " 0.35, menus, counters and rows of numbers less."
)
_WARNING = "Code, tables, verse and lists score low too: use it where the texts are prose, and look at what goes."


@OPERATORS.register
class LineQuality(TextOperator):
    """Cuts lines that score below a threshold; the other lines, and blank ones, keep their bytes.

    A line scores letters * w / (w + 3) * ending * case: the share of letters among its characters; its words w with a
    letter or digit (two characters of a script without spaces are a word); 0.7 where no mark ends a sentence; less than
    1 where more than half of its letters are upper case. Prose scores above 0.5, headings and labels 0.1 to 0.35,
    menus, counters and rows of numbers less.
    """

    name: ClassVar[str] = "line_quality"
    term: ClassVar[str] = "line-level quality filtering"
    summary: ClassVar[str] = "Cuts lines that do not read like prose: menus, counters, labels, rows of numbers."
    source: ClassVar[str] = _SOURCE
    warning: ClassVar[str | None] = f"{_WARNING} The rule `line_loss` drops documents that would lose too much."

    below: float = Field(0.25, gt=0, le=1, description="Lines that score less are cut.")

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        found = Passages.of(texts, unit="line")
        scores = line_scores(found)
        return found.joined(np.isnan(scores) | (scores >= self.below), texts)

    def sentence(self) -> str:
        return f"Cut lines with a quality below {self.below:g} from the texts"


@OPERATORS.register
class LineLoss(RowOperator):
    """Drops documents of which more than a share lies in lines that ``line_quality`` would cut.

    The share is that of the bytes in lines that are not blank. Texts are measured as they came: put this rule beside
    the text step with the same ``below``, in any order.
    """

    name: ClassVar[str] = "line_loss"
    term: ClassVar[str] = "line-level quality filtering, documents that lose too much"
    group: ClassVar[Group] = "Filter"
    summary: ClassVar[str] = "Drops documents that would lose too much text to line_quality."
    source: ClassVar[str] = _SOURCE
    warning: ClassVar[str | None] = _WARNING

    mode: Literal["keep", "drop"] = Field("drop", description="Drop the matching documents, or keep only them.")
    below: float = Field(0.25, gt=0, le=1, description="Lines that score less would be cut.")
    share: float = Field(0.3, ge=0, le=1, description="Documents that would lose a larger share match.")

    @property
    def column(self) -> str:
        """Return the measured column with the share that would be lost."""
        return f"line_loss_{self.below:g}"

    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def measures(self) -> tuple[Measure, ...]:
        return (loss_measure(self.below, column=self.column),)

    def match(self) -> str:
        return f"{ident(self.column)} > {number(self.share)}"

    def value(self) -> str | None:
        return ident(self.column)

    def threshold(self) -> str | None:
        return f"> {self.share:g}"

    def sentence(self) -> str:
        lost = f"more than {self.share * 100:g}% of the text in lines with a quality below {self.below:g}"
        return f"{self.mode.capitalize()} documents with {lost}"

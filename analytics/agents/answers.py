"""What an agent gets back: frozen values of plain types, every count exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StatedRule:
    """A rule as recipes state it.

    Attributes:
        operator: its name.
        params: its parameters.
    """

    operator: str
    params: Mapping[str, Any]


@dataclass(frozen=True)
class SizeOf:
    """Documents and tokens with one value of a column; ``value`` is None for documents without one."""

    value: str | None
    documents: int
    tokens: int


@dataclass(frozen=True)
class Noticed:
    """Something to look at: how many documents, exact, and the rule of a recipe that drops exactly these."""

    title: str
    help: str
    documents: int
    drop: StatedRule


@dataclass(frozen=True)
class CorpusAnswer:
    """A corpus.

    Attributes:
        name: in the workspace.
        documents, tokens, bytes: of all documents, exact.
        errors: source rows that are no documents.
        shape: what a row is.
        columns_by_role: the column of each role.
        sources, languages: the largest groups.
        embedding: tier of the vectors that search by meaning compares, None without vectors.
        findings: the largest first.
        columns: names of the columns that conditions and rules may read.
        texts_may_leave: whether the owner lets texts leave.
    """

    name: str
    documents: int
    tokens: int
    bytes: int
    errors: int
    shape: str
    columns_by_role: Mapping[str, str]
    sources: tuple[SizeOf, ...]
    languages: tuple[SizeOf, ...]
    embedding: str | None
    findings: tuple[Noticed, ...]
    columns: tuple[str, ...]
    texts_may_leave: bool


@dataclass(frozen=True)
class ColumnAnswer:
    """A column of the facts.

    Attributes:
        name, title, unit, help, type: of the column.
        missing: documents without a value.
        percentiles: percent -> value, of numbers; None for infinities.
        values: the largest groups, of other columns; None where their values may not leave.
        different: number of different values, of other columns.
    """

    name: str
    title: str
    unit: str
    help: str
    type: str
    missing: int
    percentiles: Mapping[str, float | None] | None = None
    values: tuple[SizeOf, ...] | None = None
    different: int | None = None


@dataclass(frozen=True)
class Hit:
    """One document.

    Attributes:
        id: of the document.
        tokens: its size.
        similarity: cosine to the sentence, of a search by meaning.
        beginning: of its text, None where texts may not leave.
    """

    id: str
    tokens: int
    similarity: float | None = None
    beginning: str | None = None


@dataclass(frozen=True)
class SearchAnswer:
    """Documents that a search found.

    Attributes:
        documents, tokens: of all that match, exact.
        hits: those of this page, by id, or the nearest first in a search by meaning.
        select: the rules that keep exactly the documents that match; none for a search by meaning.
        compared: tier of the vectors that were compared, all of them; of a search by meaning.
    """

    documents: int
    tokens: int
    hits: tuple[Hit, ...]
    select: tuple[StatedRule, ...] = ()
    compared: str | None = None


@dataclass(frozen=True)
class CountAnswer:
    """How many documents fulfil a condition, exact."""

    documents: int
    tokens: int
    of_documents: int
    of_tokens: int


@dataclass(frozen=True)
class StepAnswer:
    """What is left after a step of a recipe, exact; the first one is the input."""

    step: str
    rule: str
    documents: int
    tokens: int


@dataclass(frozen=True)
class RecipeAnswer:
    """What a recipe does: what is left after each step, exact."""

    digest: str
    steps: tuple[StepAnswer, ...]


@dataclass(frozen=True)
class PreviewAnswer:
    """What a rule would drop from the documents that reach it, exact.

    Attributes:
        rule: as a sentence.
        documents, tokens: that reach the rule.
        dropped_documents, dropped_tokens: of these, dropped by it.
        dropped_by_source: dropped documents and tokens by source, the largest groups.
        dropped, kept: examples from both sides by keyed hash, the same for everyone.
        caution: what a person must know before trusting the rule.
    """

    rule: str
    documents: int
    tokens: int
    dropped_documents: int
    dropped_tokens: int
    dropped_by_source: tuple[SizeOf, ...]
    dropped: tuple[Hit, ...]
    kept: tuple[Hit, ...]
    caution: str = ""


@dataclass(frozen=True)
class LedgerRow:
    """Why one document was dropped.

    Attributes:
        id: of the document.
        step, rule: what dropped it.
        value, threshold: what the rule compared; the value is None where it may not leave.
        twin: id of the kept document that a duplicate repeats, or the item of another corpus.
        similarity: to the kept document.
    """

    id: str
    step: str
    rule: str
    value: str | None = None
    threshold: str | None = None
    twin: str | None = None
    similarity: float | None = None

    @property
    def sentence(self) -> str:
        """Return the row as a sentence without a full stop."""
        compared = "" if self.value is None else f": {self.value}"
        cut = "" if self.threshold is None else f", threshold {self.threshold}"
        alike = "" if self.similarity is None else f"{self.similarity:.4g} similar to "
        twin = "" if self.twin is None else f", {alike}{self.twin}"
        return f"dropped by step {self.step} ({self.rule}){compared}{cut}{twin}"


@dataclass(frozen=True)
class WhyAnswer:
    """What a recipe decides about one document: kept, or the ledger's row."""

    id: str
    kept: bool
    sentence: str
    row: LedgerRow | None = None


@dataclass(frozen=True)
class LedgerAnswer:
    """A page of the removal ledger, in id order; ``rows_in_all`` counts those of all pages."""

    rows_in_all: int
    rows: tuple[LedgerRow, ...]


@dataclass(frozen=True)
class TextAnswer:
    """The text of one document.

    Attributes:
        id: of the document.
        text: its beginning.
        characters: of the whole text.
    """

    id: str
    text: str
    characters: int

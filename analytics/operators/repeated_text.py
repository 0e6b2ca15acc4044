"""Rules about text that stands in many documents: boilerplate lines and paragraphs, and spans of earlier documents.

Each comes as a rule that drops documents and as a text step that removes the passages or spans.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import AfterValidator, Field, PrivateAttr

from tamis.analytics.duplicates.boilerplate import BoilerplateParams, Passages, passage_hash
from tamis.analytics.duplicates.repeated_spans import cut_texts, spans_measure
from tamis.analytics.operators.operator import OPERATORS, Group, RowOperator, Scope, TextOperator
from tamis.analytics.operators.predicate import number
from tamis.analytics.operators.rows import Digest
from tamis.analytics.steps.measures import Measure
from tamis.data.errors import RecipeError
from tamis.data.sql import ident

MOST_PASSAGES = 1000


@OPERATORS.register
class Boilerplate(RowOperator):
    """Drops documents that consist mostly of lines or paragraphs that many documents of the same source share.

    Passages are compared in normalised form and counted once per document; documents with the same normalised text
    count once. The share is that of the document's bytes.
    """

    name: ClassVar[str] = "boilerplate"
    term: ClassVar[str] = "boilerplate filter (line or paragraph deduplication)"
    group: ClassVar[Group] = "Duplicates"
    summary: ClassVar[str] = "Drops documents that are mostly boilerplate of their source."
    source: ClassVar[str] = (
        "Wenzek et al. 2019, arXiv 1911.00359 (paragraph hashes, CCNet); Penedo et al. 2023, arXiv 2306.01116"
    )

    mode: Literal["keep", "drop"] = Field("drop", description="Drop the matching documents, or keep only them.")
    share: float = Field(0.5, gt=0, le=1, description="Smallest share of a document's bytes that matches.")
    unit: Literal["line", "paragraph"] = Field("line", description="What is compared.")
    documents: int = Field(10, ge=2, description="Documents of a source that must share a passage.")
    words: int = Field(3, ge=1, le=100, description="Words a passage must have to count.")

    @property
    def params(self) -> BoilerplateParams:
        """Return what counts as boilerplate."""
        return BoilerplateParams(self.unit, self.documents, self.words)

    def columns(self) -> frozenset[str]:
        return frozenset({self.params.column})

    def measures(self) -> tuple[Measure, ...]:
        return (self.params.measure,)

    def match(self) -> str:
        return f"{ident(self.params.column)} >= {number(self.share)}"

    def value(self) -> str | None:
        return ident(self.params.column)

    def threshold(self) -> str | None:
        return f">= {self.share:g}"

    def sentence(self) -> str:
        shared = f"{self.unit}s that {self.documents} documents of their source share"
        return f"{self.mode.capitalize()} documents that are {self.share * 100:g}% or more {shared}"


@OPERATORS.register
class SubstringDedup(RowOperator):
    """Drops documents of which a large part stands, byte for byte, in documents with smaller ids.

    A byte is repeated when it lies in a window of ``length`` bytes that an earlier document has too; the first document
    of a span keeps it. Spans are found exactly, by a suffix array over all texts of the corpus, whatever rules come
    before: copies are counted against documents that another rule may drop. It needs about 16 bytes of memory for each
    byte of text, and at most 2 GiB of text.
    """

    name: ClassVar[str] = "substring_dedup"
    term: ClassVar[str] = "exact substring deduplication (suffix array)"
    group: ClassVar[Group] = "Duplicates"
    summary: ClassVar[str] = "Drops documents that mostly repeat long spans of earlier ones, byte for byte."
    source: ClassVar[str] = (
        "Lee et al. 2021, arXiv 2107.06499 (ExactSubstr); Olmo 3 team 2025, arXiv 2512.13961 (500 bytes)"
    )
    warning: ClassVar[str | None] = (
        "Spans are those of the whole corpus: the document that keeps one may be dropped by another rule."
    )

    mode: Literal["keep", "drop"] = Field("drop", description="Drop the matching documents, or keep only them.")
    length: int = Field(200, ge=20, le=100_000, description="Bytes that must be the same in a row.")
    share: float = Field(0.5, gt=0, le=1, description="Smallest share of a document's bytes that earlier ones have.")

    @property
    def column(self) -> str:
        """Return the measured column with the share."""
        return f"repeated_{self.length}"

    def columns(self) -> frozenset[str]:
        return frozenset({self.column})

    def measures(self) -> tuple[Measure, ...]:
        return (spans_measure(self.length, column=self.column),)

    def match(self) -> str:
        return f"{ident(self.column)} >= {number(self.share)}"

    def value(self) -> str | None:
        return ident(self.column)

    def threshold(self) -> str | None:
        return f">= {self.share:g}"

    def sentence(self) -> str:
        of = f"{self.share * 100:g}% or more of their bytes in spans of {self.length:,} that earlier ones have"
        return f"{self.mode.capitalize()} documents with {of}"


@OPERATORS.register
class CutSpans(TextOperator):
    """Cuts spans out of texts that earlier documents have, byte for byte; the first document of a span keeps it.

    The spans are a stored table that ``tamis cut-spans`` or the page Recipe makes with ``substring_dedup``: places in
    texts that are named by their hash. Spans shrink to whole words. Texts that another step has changed before, and
    texts of another corpus, are not in the table and stay as they are: put this step before other text steps.
    """

    name: ClassVar[str] = "cut_spans"
    term: ClassVar[str] = "exact substring deduplication, spans removed"
    summary: ClassVar[str] = "Cuts long spans that earlier documents have, byte for byte."
    source: ClassVar[str] = "Lee et al. 2021, arXiv 2107.06499 (ExactSubstr)"
    warning: ClassVar[str | None] = (
        "Spans are those of the whole corpus: the document that keeps one may be dropped by another rule."
    )

    spans: Digest = Field(description="Digest of the stored table of spans.")

    _table: pa.Table | None = PrivateAttr(None)

    def assets(self) -> tuple[str, ...]:
        return (self.spans,)

    def with_tables(self, read: Callable[[str], pa.Table]) -> TextOperator:
        held = self.model_copy()
        held._table = read(self.spans)
        return held

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        """Cut the spans of texts; see the base class.

        Raises:
            RecipeError: the step was not given its table.
        """
        if self._table is None:
            raise RecipeError("The spans of a step were not read", value=self.spans, fix="evaluate the recipe first")
        return cut_texts(texts, self._table)

    def sentence(self) -> str:
        return f"Cut the repeated spans of table {self.spans[:8]} from the texts"


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({value.strip() for value in values if value.strip()}))


@OPERATORS.register
class RemovePassages(TextOperator):
    """Removes chosen lines or paragraphs wherever they occur; the rest of the text keeps its bytes.

    A passage is removed when its normalised form (case, white space and punctuation do not count) equals that of a
    chosen one. The list of edits records its edits; filters before it see the unedited text.
    """

    name: ClassVar[str] = "remove_passages"
    term: ClassVar[str] = "line-wise deduplication, boilerplate removal"
    scope: ClassVar[Scope] = "map"
    summary: ClassVar[str] = "Removes chosen boilerplate lines or paragraphs from the texts."
    source: ClassVar[str] = "Wenzek et al. 2019, arXiv 1911.00359 (CCNet removes repeated paragraphs)"

    passages: Annotated[tuple[str, ...], AfterValidator(_distinct)] = Field(
        min_length=1, max_length=MOST_PASSAGES, description="The lines or paragraphs to remove."
    )
    unit: Literal["line", "paragraph"] = Field("line", description="What is removed as a whole.")

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        found = Passages.of(texts, unit=self.unit)
        chosen = np.array([passage_hash(passage) for passage in self.passages], dtype=np.uint64)
        keep = ~np.isin(found.hashes, chosen) | (found.words == 0)
        return found.joined(keep, texts)

    def sentence(self) -> str:
        count = len(self.passages)
        return f"Remove {count} boilerplate {self.unit}{'s' if count > 1 else ''} from the texts"

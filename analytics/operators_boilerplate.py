"""Boilerplate as a rule, and as a text step that removes chosen passages."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field

from tamis.analytics.boilerplate import BoilerplateParams
from tamis.analytics.operator import OPERATORS, Group, Measure, RowOperator, Scope, TextOperator
from tamis.analytics.passages import Passages, passage_hash
from tamis.analytics.sql_number import number
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
    share: float = Field(0.5, gt=0, le=1, description="Share of a document's bytes from which on it matches.")
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


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({value.strip() for value in values if value.strip()}))


@OPERATORS.register
class RemovePassages(TextOperator):
    """Removes chosen lines or paragraphs wherever they stand; the rest of the text stays byte for byte as it is.

    A passage is removed when its normalised form (case, white space and punctuation do not count) is that of a chosen
    one. What it edits is written to the list of edits; filters before it have seen the unedited text.
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
        edges = found.edges.astype(np.int64)
        pieces = pa.LargeStringArray.from_buffers(len(found), pa.py_buffer(edges), pa.py_buffer(found.data))
        kept = pieces.filter(pa.array(keep))
        counts = np.bincount(found.owners[keep], minlength=len(texts))
        lists = pa.LargeListArray.from_arrays(pa.array(np.append(0, np.cumsum(counts))), kept)
        joined = pc.binary_join(lists, pa.scalar("", pa.large_string()))
        return pc.if_else(texts.is_valid(), joined, pa.scalar(None, pa.large_string()))

    def sentence(self) -> str:
        count = len(self.passages)
        return f"Remove {count} boilerplate {self.unit}{'s' if count > 1 else ''} from the texts"

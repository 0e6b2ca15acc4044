"""Steps that change texts and say so: the curated files hold the edited text, ``edits.parquet`` says what was edited.

They drop nothing and change no id. Signals are measured on the text of the source, whatever steps stand before a rule.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Literal

import pyarrow as pa
from pydantic import AfterValidator, Field

from tamis.analytics.operator import OPERATORS, TextOperator
from tamis.analytics.pii import KINDS
from tamis.analytics.text_edits import (
    EXAMPLES,
    LABELS,
    Form,
    Unit,
    clean_c4_lines,
    drop_repeats,
    each,
    normalize_text,
    redact_pii,
    repair_mojibake,
)

Kind = Literal["secret", "email", "card", "ip", "phone"]


@OPERATORS.register
class C4Lines(TextOperator):
    """Keeps only the lines that C4's rules keep, and cuts citations such as ``[12]`` out of them."""

    name: ClassVar[str] = "c4_lines"
    term: ClassVar[str] = "line-wise cleaning"
    summary: ClassVar[str] = "Keeps the lines that C4's rules keep and cuts citations out."
    source: ClassVar[str] = "Raffel et al. 2020, arXiv 1910.10683; C4QualityFilter of datatrove 0.10"
    warning: ClassVar[str | None] = (
        "Lines with lorem ipsum or { are cut; C4 drops such documents, which is a rule of its own (rule set c4)."
    )
    # A line that was long enough with its citations may be too short without them.
    idempotent: ClassVar[bool] = False

    variant: Literal["c4", "c4_any_end", "c4_tfds"] = Field(
        "c4",
        description="c4: lines of 3 words that end in . ? ! or a quote; c4_any_end: any ending, as FineWeb;"
        " c4_tfds: lines of 5 words, as TensorFlow Datasets.",
    )

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        return clean_c4_lines(texts, variant=self.variant)

    def sentence(self) -> str:
        return f"Keep only the lines that the rules {self.variant} keep"


@OPERATORS.register
class UnicodeNormalization(TextOperator):
    """Brings texts into a Unicode normal form, with one kind of line end and without control characters."""

    name: ClassVar[str] = "unicode_normalization"
    term: ClassVar[str] = "Unicode normalisation"
    summary: ClassVar[str] = "Brings texts into a Unicode normal form."
    source: ClassVar[str] = "Unicode Standard Annex 15"

    form: Form = Field("NFC", description="NFC composes letters and marks; NFKC also replaces compatibility forms.")
    line_ends: bool = Field(True, description="Turn carriage returns into line feeds.")
    controls: bool = Field(True, description="Remove control characters other than tab and line breaks.")

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        return each(texts, partial(normalize_text, form=self.form, line_ends=self.line_ends, controls=self.controls))

    def sentence(self) -> str:
        return f"Normalise texts to {self.form}"


@OPERATORS.register
class MojibakeRepair(TextOperator):
    """Repairs text that was decoded with the wrong encoding (``cafÃ©`` becomes ``café``) and leaves the rest alone."""

    name: ClassVar[str] = "mojibake_repair"
    term: ClassVar[str] = "encoding repair"
    summary: ClassVar[str] = "Repairs text that was decoded with the wrong encoding."
    source: ClassVar[str] = "ftfy 6 (Speer 2019), fix_encoding"

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        return each(texts, repair_mojibake)

    def sentence(self) -> str:
        return "Repair wrongly decoded text"


def _in_order(values: tuple[Kind, ...]) -> tuple[Kind, ...]:
    return tuple(sorted(set(values), key=KINDS.index))


@OPERATORS.register
class PiiRedaction(TextOperator):
    """Replaces e-mail and IP addresses, phone and card numbers and secrets by stand-ins."""

    name: ClassVar[str] = "pii_redaction"
    term: ClassVar[str] = "PII redaction"
    summary: ClassVar[str] = "Replaces personal data and secrets by stand-ins."
    source: ClassVar[str] = "Penedo et al. 2024, arXiv 2406.17557, section 3.7 (e-mail and IP addresses); own patterns"
    warning: ClassVar[str | None] = "Found by patterns: names and free-form data stay."

    kinds: Annotated[tuple[Kind, ...], AfterValidator(_in_order)] = Field(
        ("secret", "email", "card", "ip", "phone"), min_length=1, description="What is replaced."
    )
    style: Literal["label", "example"] = Field(
        "label", description="label: <EMAIL> and the like; example: email@example.com and 192.0.2.1."
    )

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        replacements = LABELS if self.style == "label" else EXAMPLES
        return each(texts, partial(redact_pii, kinds=self.kinds, replacements=replacements))

    def sentence(self) -> str:
        return f"Replace {', '.join(self.kinds)} in the texts by stand-ins"


@OPERATORS.register
class RepeatRemoval(TextOperator):
    """Removes lines or paragraphs that repeat an earlier one of the same document; the first stays."""

    name: ClassVar[str] = "repeat_removal"
    term: ClassVar[str] = "within-document deduplication"
    summary: ClassVar[str] = "Removes lines or paragraphs that repeat within a document."
    source: ClassVar[str] = "within_page_dedup of the DCLM baseline, arXiv 2406.11794"

    unit: Unit = Field("line", description="What is compared and removed.")
    shortest: int = Field(1, ge=1, le=10_000, description="Pieces with fewer characters always stay.")

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        return each(texts, partial(drop_repeats, unit=self.unit, shortest=self.shortest))

    def sentence(self) -> str:
        return f"Remove repeated {self.unit}s within each document"

"""Steps that change texts: the curated files hold the edited text, ``edits.parquet`` lists the edits.

They drop nothing and change no id. Signals are measured on the text of the source, whatever steps come before a rule.

Pure functions behind the text steps, one text at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from tamis.analytics.operators.operator import OPERATORS, TextOperator
from tamis.analytics.signals.c4 import KEPT, VARIANTS, CleanedLines
from tamis.analytics.signals.gopher import character_shares
from tamis.analytics.signals.measure import UNSPACED_LIMIT
from tamis.analytics.signals.pii import KINDS, find_pii
from tamis.analytics.text.block import Block

Form = Literal["NFC", "NFKC", "NFD", "NFKD"]
Unit = Literal["line", "paragraph"]

LABELS = {"secret": "<SECRET>", "email": "<EMAIL>", "card": "<CARD>", "ip": "<IP>", "phone": "<PHONE>"}
EXAMPLES = {**LABELS, "email": "email@example.com", "ip": "192.0.2.1"}
"""Replacements that look like real values, from ranges reserved for examples (RFC 2606, RFC 5737)."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")


def clean_c4_lines(texts: pa.Array, *, variant: str = "c4", unspaced: bool = False) -> pa.Array:
    """Return texts with only the lines that C4's rules keep, citations cut out; NULL stays NULL.

    Lines that would end a document (``lorem ipsum``, ``{``) are cut like others; drop such documents by a rule.

    Args:
        texts: string array (n,).
        variant: one of ``c4_lines.VARIANTS``.
        unspaced: leave texts in scripts without spaces as they are: none of their lines has three words.
    """
    block = Block.of(texts)
    cleaned = CleanedLines.of(block)
    shift = 3 * VARIANTS.index(variant)
    kept = (cleaned.flags >> shift) & 7 == KEPT
    edited = [_join_lines(cleaned, kept, document) for document in range(len(cleaned.block))]
    if unspaced:
        for document in np.flatnonzero(np.nan_to_num(character_shares(block)[:, 8]) > UNSPACED_LIMIT).tolist():
            edited[document] = texts[document].as_py() or ""
    return _with_nulls(edited, texts)


def _join_lines(cleaned: CleanedLines, kept: NDArray[np.bool_], document: int) -> str:
    lines = [line for line in range(cleaned.starts[document], cleaned.starts[document + 1]) if kept[line]]
    points, end = cleaned.block.points, cleaned.block.starts[document + 1]
    texts = (points[cleaned.begin[line] : min(cleaned.end[line], end)] for line in lines)
    return "\n".join(part.astype("<u4").tobytes().decode("utf-32-le", "replace") for part in texts).strip()


def normalize_text(text: str, *, form: Form = "NFC", line_ends: bool = True, controls: bool = True) -> str:
    """Return a text in a Unicode normal form.

    Args:
        text: any text.
        form: Unicode normal form (UAX 15).
        line_ends: turn every ``\\r\\n`` and ``\\r`` into ``\\n``.
        controls: remove control characters other than tab, line feed, carriage return and next line.
    """
    if line_ends and "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if controls:
        text = _CONTROLS.sub("", text)
    return text if text.isascii() else unicodedata.normalize(form, text)


def repair_mojibake(text: str) -> str:
    """Return a text whose wrongly decoded parts are decoded again (ftfy's encoding repair); nothing else changes."""
    if text.isascii():
        return text
    # Late: ftfy.
    import ftfy

    return ftfy.fix_encoding(text)


def redact_pii(text: str, *, kinds: Sequence[str], replacements: dict[str, str]) -> str:
    """Return a text with personal data of the given kinds replaced."""
    parts, at = [], 0
    for finding in find_pii(text):
        if finding.kind in kinds:
            parts += [text[at : finding.begin], replacements[finding.kind]]
            at = finding.end
    return "".join([*parts, text[at:]]) if parts else text


def drop_repeats(text: str, *, unit: Unit = "line", shortest: int = 1) -> str:
    """Return a text without lines or paragraphs that repeat an earlier one.

    Args:
        text: any text.
        unit: lines at line feeds, or paragraphs at two or more.
        shortest: pieces with fewer characters, without the white space around them, always stay.
    """
    pieces = re.split("(\n)" if unit == "line" else "(\n{2,})", text)
    seen: set[str] = set()
    kept: list[str] = []
    for place in range(0, len(pieces), 2):
        content = pieces[place].strip()
        # A repeated piece goes together with the break before it.
        if len(content) >= max(shortest, 1) and content in seen:
            continue
        seen.add(content)
        kept += pieces[max(place - 1, 0) : place + 1]
    if kept and kept[0] != pieces[0] and len(pieces) > 1:
        kept = kept[1:]
    return "".join(kept)


def each(texts: pa.Array, edit: Callable[[str], str]) -> pa.Array:
    """Return the texts edited one by one, large_string (n,); NULL stays NULL."""
    return pa.array([None if text is None else edit(text) for text in texts.to_pylist()], type=pa.large_string())


def _with_nulls(edited: Sequence[str], texts: pa.Array) -> pa.Array:
    mask = np.asarray(texts.is_null().to_numpy(zero_copy_only=False), dtype=np.bool_)
    return pa.array(edited, type=pa.large_string(), mask=mask)


Kind = Literal["secret", "email", "card", "ip", "phone"]


@OPERATORS.register
class C4Lines(TextOperator):
    """Keeps only the lines that C4's rules keep, and cuts citations such as ``[12]`` out of them."""

    name: ClassVar[str] = "c4_lines"
    term: ClassVar[str] = "line-wise cleaning"
    summary: ClassVar[str] = "Keeps the lines that C4's rules keep and cuts citations out."
    source: ClassVar[str] = "Raffel et al. 2020, arXiv 1910.10683; C4QualityFilter of datatrove 0.10"
    warning: ClassVar[str | None] = (
        "Lines with lorem ipsum or { are cut; C4 drops such documents, which is a separate rule (rule set c4)."
    )
    # A line that was long enough with its citations may be too short without them.
    idempotent: ClassVar[bool] = False

    variant: Literal["c4", "c4_any_end", "c4_tfds"] = Field(
        "c4",
        description="c4: lines of 3 words that end in . ? ! or a quote; c4_any_end: any ending, as FineWeb;"
        " c4_tfds: lines of 5 words, as TensorFlow Datasets.",
    )

    unspaced: Literal["keep"] | None = Field(
        None,
        description="keep: texts in scripts written without spaces, where counting words does not apply, stay as they"
        " are; absent: their lines are cut like others.",
        json_schema_extra={"new_recipes": "keep"},
    )

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        return clean_c4_lines(texts, variant=self.variant, unspaced=self.unspaced == "keep")

    def sentence(self) -> str:
        spared = "" if self.unspaced is None else ", and scripts without spaces as they are"
        return f"Keep only the lines that the rules {self.variant} keep{spared}"


@OPERATORS.register
class UnicodeNormalization(TextOperator):
    """Converts texts to a Unicode normal form, with one kind of line end and without control characters."""

    name: ClassVar[str] = "unicode_normalization"
    term: ClassVar[str] = "Unicode normalisation"
    summary: ClassVar[str] = "Converts texts to a Unicode normal form."
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
    """Repairs text that was decoded with the wrong encoding (``cafÃ©`` becomes ``café``) and changes nothing else."""

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
    """Replaces e-mail and IP addresses, phone and card numbers and secrets by placeholders."""

    name: ClassVar[str] = "pii_redaction"
    term: ClassVar[str] = "PII redaction"
    summary: ClassVar[str] = "Replaces personal data and secrets by placeholders."
    source: ClassVar[str] = "Penedo et al. 2024, arXiv 2406.17557, section 3.7 (e-mail and IP addresses); own patterns"
    warning: ClassVar[str | None] = "Patterns find them: names and free-form data stay."

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
        return f"Replace {', '.join(self.kinds)} in the texts by placeholders"


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

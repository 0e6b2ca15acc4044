"""Pure functions that change a text: what the text operations do, one text at a time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.c4_lines import KEPT, VARIANTS, CleanedLines
from tamis.analytics.pii import find_pii
from tamis.analytics.text_block import Block

Form = Literal["NFC", "NFKC", "NFD", "NFKD"]
Unit = Literal["line", "paragraph"]

LABELS = {"secret": "<SECRET>", "email": "<EMAIL>", "card": "<CARD>", "ip": "<IP>", "phone": "<PHONE>"}
EXAMPLES = {**LABELS, "email": "email@example.com", "ip": "192.0.2.1"}
"""Replacements that read like the thing itself, from ranges reserved for examples (RFC 2606, RFC 5737)."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_DIFF_CHARACTERS = 20_000


@dataclass(frozen=True)
class Edit:
    """What an edit did to one text.

    Attributes:
        before, after: the text.
        removed: (begin, end) code points of ``before`` that are gone or replaced.
        added: (begin, end) code points of ``after`` that are new.
    """

    before: str
    after: str
    removed: tuple[tuple[int, int], ...]
    added: tuple[tuple[int, int], ...]

    @property
    def changed(self) -> bool:
        """Say whether anything changed."""
        return self.before != self.after


def preview(edit: Callable[[pa.Array], pa.Array], text: str) -> Edit:
    """Return what an edit of Arrow texts does to one text, with the places that changed.

    Places are found by comparing words and lines; of texts beyond 20,000 characters the whole text counts as changed.
    """
    after = edit(pa.array([text], type=pa.large_string()))[0].as_py()
    if after == text:
        return Edit(text, after, (), ())
    if max(len(text), len(after)) > _DIFF_CHARACTERS:
        return Edit(text, after, ((0, len(text)),), ((0, len(after)),))
    old, new = re.findall(r"\w+|\s|.", text, re.S), re.findall(r"\w+|\s|.", after, re.S)
    old_ends, new_ends = _offsets(old), _offsets(new)
    removed, added = [], []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            removed += [(old_ends[a], old_ends[b])] if b > a else []
            added += [(new_ends[c], new_ends[d])] if d > c else []
    return Edit(text, after, tuple(removed), tuple(added))


def _offsets(pieces: Sequence[str]) -> list[int]:
    return [0, *np.cumsum([len(piece) for piece in pieces]).tolist()]


def clean_c4_lines(texts: pa.Array, *, variant: str = "c4") -> pa.Array:
    """Return texts with only the lines that C4's rules keep, citations cut out; NULL stays NULL.

    Lines that would end a document (``lorem ipsum``, ``{``) are cut like others; drop such documents by a rule.

    Args:
        texts: string array (n,).
        variant: one of ``c4_lines.VARIANTS``.
    """
    cleaned = CleanedLines.of(Block.of(texts))
    shift = 3 * VARIANTS.index(variant)
    kept = (cleaned.flags >> shift) & 7 == KEPT
    edited = [_joined(cleaned, kept, document) for document in range(len(cleaned.block))]
    return _with_nulls(edited, texts)


def _joined(cleaned: CleanedLines, kept: NDArray[np.bool_], document: int) -> str:
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
        shortest: pieces with fewer characters, white space around them left out, always stay.
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

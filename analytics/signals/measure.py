"""One pass over Arrow text that measures signals: it decodes the text once and splits and hashes the words once.

Blocks of about a megabyte of text keep the working set in the processor's cache and bound the memory. Blocks are
independent, so they are measured on several threads; the kernels hold no lock. The result does not depend on how the
documents are cut into blocks, batches or shards. ``Scan`` computes each value derived from a block on first use and
only once; a ``Family`` states which signals a kernel measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.signals import definitions as listed
from tamis.analytics.signals.c4 import CleanedLines
from tamis.analytics.signals.gopher import character_shares, fineweb_lines, gopher_lines, word_quality
from tamis.analytics.signals.lexical import reading, vocabulary
from tamis.analytics.signals.nemo import nemo_characters, nemo_lines, nemo_words
from tamis.analytics.signals.pii import pii_counts
from tamis.analytics.signals.redpajama import redpajama
from tamis.analytics.signals.refinedweb import refinedweb_lines, refinedweb_words
from tamis.analytics.signals.repetition import (
    PlainWords,
    line_repetition,
    ngram_cover,
    repeated_ngram_share,
    word_repetition,
)
from tamis.analytics.signals.shape import compression_ratio, shape
from tamis.analytics.signals.signal import SIGNALS, Signal
from tamis.analytics.text.block import Block, block_ranges, utf8_buffers
from tamis.analytics.text.conventions import SPACY, UNICODE, Convention
from tamis.analytics.text.words import Words

UNSPACED_LIMIT = 0.2
"""Above this share of letters of scripts without spaces, signals that count words do not apply."""


class Scan:
    """A block of documents and the values derived from it.

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
        """Return the words of the documents, or of the lines that C4's line rules keep."""
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
        """Return the lines that C4's line rules keep."""
        return CleanedLines.of(self.block)

    @cached_property
    def characters(self) -> NDArray[np.float64]:
        """Return the values of ``gopher.character_shares``."""
        return character_shares(self.block)

    @cached_property
    def fineweb(self) -> NDArray[np.float64]:
        """Return the values of ``gopher.fineweb_lines``."""
        return fineweb_lines(self.block)

    @cached_property
    def fineweb_after_c4(self) -> NDArray[np.float64]:
        """Return the values of ``gopher.fineweb_lines`` for the lines that C4's line rules keep."""
        return fineweb_lines(self.cleaned.block)

    @cached_property
    def unspaced(self) -> NDArray[np.bool_]:
        """Return for each document whether signals that count words do not apply, bool (n,)."""
        if self._measure_unspaced:
            return np.zeros(len(self.block), dtype=np.bool_)
        return np.nan_to_num(self.characters[:, 8], nan=0.0) > UNSPACED_LIMIT

    def applicable(self, values: NDArray[np.float64], by: Convention) -> NDArray[np.float64]:
        """Return values (n, k) of signals that count words, with NaN where the convention does not apply."""
        if by.spaced_only:
            values[self.unspaced] = np.nan
        return values


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part / whole float64 (n,), NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


Values = NDArray[np.float64]


@dataclass(frozen=True)
class Family:
    """Signals that one kernel measures together.

    Attributes:
        signals: one per column.
        measure: returns float64 (n, >= k), one column per signal, NaN where it does not apply.
    """

    signals: tuple[Signal, ...]
    measure: Callable[[Scan], Values]


def word_families(by: Convention) -> tuple[Family, ...]:
    """Return the families that count words by a convention."""

    def quality(scan: Scan) -> Values:
        return scan.applicable(word_quality(scan.block, scan.words(by)), by)

    def list_ratio(scan: Scan) -> Values:
        counts = np.diff(scan.words(by).starts).astype(np.float64)
        return scan.applicable(ratio(scan.fineweb[:, 4], counts)[:, None], by)

    def repetition(scan: Scan) -> Values:
        return scan.applicable(word_repetition(scan.block, scan.words(by)), by)

    def sentences(scan: Scan) -> Values:
        return scan.applicable(scan.cleaned.sentences(scan.words(by, after_c4=True)), by)

    def ratio_after_c4(scan: Scan) -> Values:
        counts = np.diff(scan.words(by, after_c4=True).starts).astype(np.float64)
        return scan.applicable(ratio(scan.fineweb_after_c4[:, 4], counts)[:, None], by)

    return (
        Family(listed.by_words(listed.QUALITY, by), quality),
        Family(listed.by_words(listed.LIST_RATIO, by), list_ratio),
        Family(listed.by_words(listed.WORD_REPETITION, by), repetition),
        Family(listed.by_words(listed.C4_SENTENCES, by), sentences),
        Family(listed.by_words(listed.AFTER_C4[4:], by), ratio_after_c4),
    )


def _refinedweb_ngrams(scan: Scan) -> Values:
    words = PlainWords.beginning_alnum(scan.block, scan.words(UNICODE))
    return scan.applicable(ngram_cover(words, longest_tie=True), UNICODE)


RULE_SET_FAMILIES = (
    Family(listed.CHARACTERS, lambda scan: scan.characters),
    Family(listed.GOPHER_LINES, lambda scan: gopher_lines(scan.block)),
    Family(listed.FINEWEB_LINES, lambda scan: scan.fineweb),
    Family(listed.LINE_REPETITION, lambda scan: line_repetition(scan.block)),
    Family(listed.C4_LINES, lambda scan: scan.cleaned.verdicts()),
    Family(listed.AFTER_C4[:4], lambda scan: scan.fineweb_after_c4),
    *word_families(UNICODE),
    Family(listed.SPLIT_WORDS, lambda scan: scan.applicable(nemo_words(scan.block, scan.chunks), UNICODE)),
    Family(listed.NEMO_CHARACTERS, lambda scan: nemo_characters(scan.block)),
    Family(listed.NEMO_LINES, lambda scan: nemo_lines(scan.block)),
    Family(listed.REFINEDWEB_WORDS, lambda scan: scan.applicable(refinedweb_words(scan.block, scan.chunks), UNICODE)),
    Family(listed.REFINEDWEB_LINES, lambda scan: refinedweb_lines(scan.block)),
    Family(listed.by_words(listed.REFINEDWEB_NGRAMS, UNICODE), _refinedweb_ngrams),
)
"""The signals that the rule sets of ``presets`` read."""

FAMILIES = (
    *RULE_SET_FAMILIES,
    Family(listed.REDPAJAMA_RAW, lambda scan: redpajama(scan.block)),
    Family(
        listed.REDPAJAMA_NGRAMS,
        lambda scan: scan.applicable(ngram_cover(scan.normalised, longest_tie=False), UNICODE),
    ),
    Family(listed.VOCABULARY, lambda scan: scan.applicable(vocabulary(scan.normalised), UNICODE)),
    Family(
        listed.by_words(listed.READING, UNICODE),
        lambda scan: scan.applicable(reading(scan.block, scan.words(UNICODE)), UNICODE),
    ),
    Family(listed.SHAPE, lambda scan: shape(scan.block)),
    Family(listed.WORD_RUNS, lambda scan: scan.applicable(repeated_ngram_share(scan.normalised, 10)[:, None], UNICODE)),
    Family(listed.PII, lambda scan: pii_counts(scan.block)),
    Family(listed.COMPRESSION, lambda scan: compression_ratio(scan.offsets, scan.data)[:, None]),
    *word_families(SPACY),
)

for _family in FAMILIES:
    SIGNALS.register(*_family.signals)


def measure(
    texts: pa.Array, names: Sequence[str] | None = None, *, threads: int = 1, unspaced: bool = False
) -> pa.RecordBatch:
    """Measure signals of documents.

    Args:
        texts: string array (n,); NULL is measured as an empty document.
        names: which signals; None for all that need no further package.
        threads: how many blocks are measured at once.
        unspaced: count words in scripts without spaces as well, for comparison with tools that do.

    Returns:
        One column per signal in registry order, (n,) rows; NULL where a signal does not apply.

    Raises:
        SettingError: an unknown signal, or one that needs a package that is not installed.
    """
    chosen = SIGNALS.names(names)
    families = tuple(family for family in FAMILIES if any(signal.name in chosen for signal in family.signals))
    offsets, data = utf8_buffers(texts)
    ranges = list(block_ranges(offsets))

    def block_values(span: tuple[int, int]) -> list[NDArray[np.float64]]:
        scan = Scan(offsets[span[0] : span[1] + 1], data, unspaced=unspaced)
        return [family.measure(scan) for family in families]

    if threads > 1 and len(ranges) > 1:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(block_values, ranges))
    else:
        parts = [block_values(span) for span in ranges]
    columns = {}
    for place, family in enumerate(families):
        values = _joined(family, [part[place] for part in parts])
        for k, signal in enumerate(family.signals):
            columns[signal.name] = signal.column(values[:, k])
    return pa.RecordBatch.from_arrays([columns[name] for name in chosen], names=list(chosen))


def _joined(family: Family, parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(parts) if parts else np.empty((0, len(family.signals)))

"""Which kernel measures which signals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import tamis.analytics.signal_list as listed
import tamis.analytics.signal_list_more as more
from tamis.analytics.conventions import SPACY, UNICODE, Convention
from tamis.analytics.lexical import reading, vocabulary
from tamis.analytics.line_scan import gopher_lines
from tamis.analytics.nemo_scan import nemo_characters, nemo_lines, nemo_words
from tamis.analytics.ngram_cover import ngram_cover, repeated_ngram_share
from tamis.analytics.pii import pii_counts
from tamis.analytics.plain_words import PlainWords
from tamis.analytics.redpajama_scan import redpajama
from tamis.analytics.refinedweb_scan import refinedweb_lines, refinedweb_words
from tamis.analytics.repetition import line_repetition, word_repetition
from tamis.analytics.scan import Scan, ratio
from tamis.analytics.signal import SIGNALS, Signal
from tamis.analytics.signal_table import by_words
from tamis.analytics.text_shape import compression_ratio, shape
from tamis.analytics.word_quality import word_quality

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Family:
    """Signals that one kernel measures together.

    Attributes:
        signals: what the columns are.
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
        Family(by_words(listed.QUALITY, by), quality),
        Family(by_words(listed.LIST_RATIO, by), list_ratio),
        Family(by_words(listed.WORD_REPETITION, by), repetition),
        Family(by_words(listed.C4_SENTENCES, by), sentences),
        Family(by_words(listed.AFTER_C4[4:], by), ratio_after_c4),
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
    Family(more.SPLIT_WORDS, lambda scan: scan.applicable(nemo_words(scan.block, scan.chunks), UNICODE)),
    Family(more.NEMO_CHARACTERS, lambda scan: nemo_characters(scan.block)),
    Family(more.NEMO_LINES, lambda scan: nemo_lines(scan.block)),
    Family(more.REFINEDWEB_WORDS, lambda scan: scan.applicable(refinedweb_words(scan.block, scan.chunks), UNICODE)),
    Family(more.REFINEDWEB_LINES, lambda scan: refinedweb_lines(scan.block)),
    Family(by_words(more.REFINEDWEB_NGRAMS, UNICODE), _refinedweb_ngrams),
)
"""What the rule sets of ``presets`` read."""

FAMILIES = (
    *RULE_SET_FAMILIES,
    Family(more.REDPAJAMA_RAW, lambda scan: redpajama(scan.block)),
    Family(
        more.REDPAJAMA_NGRAMS, lambda scan: scan.applicable(ngram_cover(scan.normalised, longest_tie=False), UNICODE)
    ),
    Family(more.VOCABULARY, lambda scan: scan.applicable(vocabulary(scan.normalised), UNICODE)),
    Family(
        by_words(more.READING, UNICODE), lambda scan: scan.applicable(reading(scan.block, scan.words(UNICODE)), UNICODE)
    ),
    Family(more.SHAPE, lambda scan: shape(scan.block)),
    Family(more.WORD_RUNS, lambda scan: scan.applicable(repeated_ngram_share(scan.normalised, 10)[:, None], UNICODE)),
    Family(more.PII, lambda scan: pii_counts(scan.block)),
    Family(more.COMPRESSION, lambda scan: compression_ratio(scan.offsets, scan.data)[:, None]),
    *word_families(SPACY),
)

for _family in FAMILIES:
    SIGNALS.register(*_family.signals)

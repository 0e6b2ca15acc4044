"""One pass over Arrow text that measures signals: decoded once, words split and hashed once, kernels over blocks.

Blocks of about a megabyte of text keep the working set in the processor's cache and bound the memory. Blocks are
independent, so they are measured on several threads; the kernels hold no lock. The result does not depend on how the
documents are cut into blocks, batches or shards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import tamis.analytics.signal_list as listed
from tamis.analytics.character_scan import character_shares
from tamis.analytics.line_scan import fineweb_lines, gopher_lines
from tamis.analytics.repetition import line_repetition, word_repetition
from tamis.analytics.signal import SIGNALS, Signal
from tamis.analytics.text_block import Block, block_ranges, utf8_buffers
from tamis.analytics.word_quality import word_quality
from tamis.analytics.words import Words

UNSPACED_LIMIT = 0.2
"""Above this share of letters of scripts without spaces, signals that count words are NULL."""


@dataclass(frozen=True)
class Scan:
    """A block and what is derived from it, each computed when first asked for.

    Attributes:
        block: the decoded documents.
    """

    block: Block

    @cached_property
    def words(self) -> Words:
        """Return the words of the ``unicode`` convention."""
        return Words.unicode(self.block)

    @cached_property
    def characters(self) -> NDArray[np.float64]:
        """Return the columns of ``listed.CHARACTERS``."""
        return character_shares(self.block)

    @cached_property
    def fineweb(self) -> NDArray[np.float64]:
        """Return the columns of ``listed.FINEWEB_LINES`` and the number of line feeds."""
        return fineweb_lines(self.block)

    @cached_property
    def unspaced(self) -> NDArray[np.bool_]:
        """Say for each document whether counting words means nothing, bool (n,)."""
        share = self.characters[:, 8]
        return np.nan_to_num(share, nan=0.0) > UNSPACED_LIMIT

    def of_words(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values (n, k) as NaN where counting words means nothing."""
        values[self.unspaced] = np.nan
        return values


def _list_ratio(scan: Scan) -> NDArray[np.float64]:
    counts = np.diff(scan.words.starts).astype(np.float64)
    feeds = scan.fineweb[:, 4]
    ratio = np.divide(feeds, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return scan.of_words(ratio[:, None])


@dataclass(frozen=True)
class Family:
    """Signals that one kernel measures together.

    Attributes:
        signals: what the columns are.
        measure: returns float64 (n, >= k), one column per signal, NaN where it does not apply.
    """

    signals: tuple[Signal, ...]
    measure: Callable[[Scan], NDArray[np.float64]]


FAMILIES = (
    Family(listed.CHARACTERS, lambda scan: scan.characters),
    Family(listed.WORDS, lambda scan: scan.of_words(word_quality(scan.block, scan.words))),
    Family(listed.GOPHER_LINES, lambda scan: gopher_lines(scan.block)),
    Family(listed.FINEWEB_LINES, lambda scan: scan.fineweb),
    Family(listed.LIST_RATIO, _list_ratio),
    Family(listed.LINE_REPETITION, lambda scan: line_repetition(scan.block)),
    Family(listed.WORD_REPETITION, lambda scan: scan.of_words(word_repetition(scan.block, scan.words))),
)


def measure(texts: pa.Array, names: Sequence[str] | None = None, *, threads: int = 1) -> pa.RecordBatch:
    """Measure signals of documents.

    Args:
        texts: string array (n,); NULL is measured as an empty document.
        names: which signals; None for all.
        threads: how many blocks are measured at once.

    Returns:
        One column per signal in registry order, (n,) rows; NULL where a signal does not apply.

    Raises:
        SettingError: an unknown signal.
    """
    chosen = SIGNALS.names(names)
    families = tuple(family for family in FAMILIES if any(signal.name in chosen for signal in family.signals))
    offsets, data = utf8_buffers(texts)
    ranges = list(block_ranges(offsets))

    def block_values(span: tuple[int, int]) -> list[NDArray[np.float64]]:
        scan = Scan(Block.decode(offsets[span[0] : span[1] + 1], data))
        return [family.measure(scan) for family in families]

    if threads > 1 and len(ranges) > 1:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(block_values, ranges))
    else:
        parts = [block_values(span) for span in ranges]
    columns = {}
    for place, family in enumerate(families):
        values = np.concatenate([part[place] for part in parts]) if parts else np.empty((0, len(family.signals)))
        for k, signal in enumerate(family.signals):
            columns[signal.name] = signal.column(values[:, k])
    return pa.RecordBatch.from_arrays([columns[name] for name in chosen], names=list(chosen))

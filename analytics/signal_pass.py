"""One pass over Arrow text that measures signals: decoded once, words split and hashed once, kernels over blocks.

Blocks of about a megabyte of text keep the working set in the processor's cache and bound the memory. Blocks are
independent, so they are measured on several threads; the kernels hold no lock. The result does not depend on how the
documents are cut into blocks, batches or shards.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.families import FAMILIES, Family
from tamis.analytics.scan import Scan
from tamis.analytics.signal import SIGNALS
from tamis.analytics.text_block import block_ranges, utf8_buffers


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

"""The step that measures signals shard by shard."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence

import pyarrow as pa

from tamis.analytics.facts import ColumnInfo
from tamis.analytics.signal import SIGNALS, Signal
from tamis.analytics.signal_pass import measure
from tamis.analytics.step import Estimate, StepContext, StepSpec

PASS_VERSION = 2


def column_info(signal: Signal) -> ColumnInfo:
    """Return what the facts table tells people about a signal's column."""
    return ColumnInfo(
        name=signal.name,
        type="integer" if signal.dtype == "int32" else "number",
        title=signal.title,
        unit=signal.unit,
        help=f"{signal.help} Convention: {signal.convention}.",
        role="signal",
        low=signal.low,
        high=signal.high,
    )


def signal_columns() -> dict[str, ColumnInfo]:
    """Return the column of every registered signal, by name."""
    return {signal.name: column_info(signal) for signal in SIGNALS}


def signals_step(names: Sequence[str] | None = None, *, threads: int | None = None) -> StepSpec:
    """Return the step that measures signals of every document.

    Args:
        names: which signals; None for all of the fused pass.
        threads: how many blocks at once, which changes no value; None for all processors.

    Raises:
        SettingError: an unknown signal.
    """
    chosen = SIGNALS.names(names)
    workers = threads or os.cpu_count() or 1

    def run(context: StepContext) -> None:
        for shard in context.shards_to_do():
            batches = [measure(pa.array([], type=pa.large_string()), chosen)]
            for texts in context.corpus.document_texts(shard):
                context.progress.check()
                batches.append(measure(texts, chosen, threads=workers))
            context.out.write_table(shard.part, pa.Table.from_batches(batches))
        context.out.commit(rows=context.documents.n, facts={"signals": [SIGNALS[name].key for name in chosen]})

    return StepSpec(
        name="signals",
        version=PASS_VERSION,
        upstream=("documents",),
        params={"signals": [SIGNALS[name].key for name in chosen], "unicode": unicodedata.unidata_version},
        title="Measuring signals",
        estimate=lambda size: Estimate(1 + size.bytes / 20e6, size.documents * len(chosen) * 3),
        run=run,
    )

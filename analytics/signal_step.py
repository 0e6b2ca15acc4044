"""The step that measures signals shard by shard."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec

import pyarrow as pa

from tamis.analytics.facts import ColumnInfo
from tamis.analytics.signal import SIGNALS, Signal
from tamis.analytics.signal_pass import measure
from tamis.analytics.step import Estimate, StepContext, StepSpec
from tamis.analytics.work import Given, shard_work
from tamis.data.errors import SettingError
from tamis.data.shards import Shard

PASS_VERSION = 2


def packages_of(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of the packages that signals need, by package.

    Raises:
        SettingError: one is not installed.
    """
    wanted = sorted({package for name in names if (package := SIGNALS[name].package) is not None})
    missing = [package for package in wanted if find_spec(package) is None]
    if missing:
        raise SettingError("A signal needs a package", value=missing[0], fix=f"pip install 'tamis[{missing[0]}]'")
    return {package: version(package) for package in wanted}


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


def signals_step(names: Sequence[str] | None = None, *, threads: int | None = None, step: str = "signals") -> StepSpec:
    """Return the step that measures signals of every document.

    Args:
        names: which signals; None for all of the fused pass.
        threads: how many blocks at once, which changes no value; None for all processors.
        step: name of the step.

    Raises:
        SettingError: an unknown signal.
    """
    chosen = SIGNALS.names(names)
    workers = threads or os.cpu_count() or 1

    def table(shard: Shard, given: Given) -> pa.Table:
        batches = [measure(pa.array([], type=pa.large_string()), chosen)]
        for texts in given.corpus.document_texts(shard):
            given.check()
            batches.append(measure(texts, chosen, threads=given.threads))
        return pa.Table.from_batches(batches)

    def run(context: StepContext) -> None:
        context.fill(shard_work(context.corpus, table, threads=workers))
        context.out.commit(rows=context.documents.n, facts={"signals": [SIGNALS[name].key for name in chosen]})

    return StepSpec(
        name=step,
        version=PASS_VERSION,
        upstream=("documents",),
        params={
            "signals": [SIGNALS[name].key for name in chosen],
            "unicode": unicodedata.unidata_version,
            "packages": packages_of(chosen),
        },
        title="Measuring signals",
        estimate=lambda size: Estimate(1 + size.bytes / 20e6, size.documents * len(chosen) * 3),
        run=run,
    )

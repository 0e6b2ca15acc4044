"""The step that measures signals shard by shard, and the measure of signals that need a package of their own.

Those are measured only when a rule asks for them.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.signals.measure import measure
from tamis.analytics.signals.signal import SIGNALS
from tamis.analytics.steps.engine import PieceInput, RowByRow, shard_work
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, step_name
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.text.conventions import CONVENTIONS
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_column
from tamis.data.errors import SettingError
from tamis.data.shards import Shard

PASS_VERSION = 2


def packages_of(names: Sequence[str]) -> dict[str, str]:
    """Return the versions of the packages that signals need, by package.

    Raises:
        SettingError: a package is not installed.
    """
    wanted = sorted({package for name in names if (package := SIGNALS[name].package) is not None})
    missing = [package for package in wanted if find_spec(package) is None]
    if missing:
        raise SettingError("A signal needs a package", value=missing[0], fix=f"pip install 'tamis[{missing[0]}]'")
    return {package: version(package) for package in wanted}


def signals_step(names: Sequence[str] | None = None, *, threads: int | None = None, step: str = "signals") -> StepSpec:
    """Return the step that measures signals of every document.

    Args:
        names: which signals; None for all of the fused pass.
        threads: blocks measured at once, changes no value; None for all processors.
        step: name of the step.

    Raises:
        SettingError: an unknown signal.
    """
    chosen = SIGNALS.names(names)
    workers = threads or os.cpu_count() or 1

    def table(shard: Shard, given: PieceInput) -> pa.Table:
        batches = [measure(pa.array([], type=pa.large_string()), chosen)]
        for texts in given.corpus.document_texts(shard):
            given.check()
            batches.append(measure(texts, chosen, threads=given.threads))
        return pa.Table.from_batches(batches)

    def run(context: StepContext) -> None:
        context.fill(shard_work(context.corpus, table, threads=workers, rows_of=RowByRow()))
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


KIND = "signals"
_PREFIXES = {by.prefix: name for name, by in CONVENTIONS.items() if by.package is not None}


def signal_measures(name: str) -> tuple[Measure, ...]:
    """Return the measures that a rule on a signal needs: none for signals of the standard analysis.

    All signals of a word convention are measured together, so rules that read several share one step.
    """
    for prefix, words in _PREFIXES.items():
        if name.startswith(prefix) and name in SIGNALS:
            return (Measure(KIND, (("words", words),), column=name),)
    return ()


def _step(measure: Measure) -> StepSpec:
    by = CONVENTIONS[str(dict(measure.params)["words"])]
    names = [signal.name for signal in SIGNALS if signal.package == by.package and signal.name.startswith(by.prefix)]
    return signals_step(names, step=step_name(measure))


def _read(artifact: Artifact, documents: Documents, name: str) -> NDArray[np.float32]:
    column = load_column(artifact, documents, name).cast(pa.float32())
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float32)


MEASURES.register(MeasureKind(KIND, "Signals of another word convention", step=_step, read=_read))

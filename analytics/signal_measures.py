"""Signals that are measured only when a rule asks for them, because they need a package of their own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.conventions import CONVENTIONS
from tamis.analytics.measures import MEASURES, MeasureKind, step_name
from tamis.analytics.operator import Measure
from tamis.analytics.signal import SIGNALS
from tamis.analytics.step import StepSpec
from tamis.data.artifact import Artifact
from tamis.data.documents import Documents, load_column

KIND = "signals"
_PREFIXES = {by.prefix: name for name, by in CONVENTIONS.items() if by.package is not None}


def signal_measures(name: str) -> tuple[Measure, ...]:
    """Return what must be measured before a rule can read a signal: nothing for those of the standard analysis.

    All signals of a word convention are measured together, so rules that read several share one step.
    """
    for prefix, words in _PREFIXES.items():
        if name.startswith(prefix) and name in SIGNALS:
            return (Measure(KIND, (("words", words),), column=name),)
    return ()


def _step(measure: Measure) -> StepSpec:
    from tamis.analytics.signal_step import signals_step

    by = CONVENTIONS[str(dict(measure.params)["words"])]
    names = [signal.name for signal in SIGNALS if signal.package == by.package and signal.name.startswith(by.prefix)]
    return signals_step(names, step=step_name(measure))


def _read(artifact: Artifact, documents: Documents, name: str) -> NDArray[np.float32]:
    column = load_column(artifact, documents, name).cast(pa.float32())
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float32)


MEASURES.register(MeasureKind(KIND, "Signals of another word convention", step=_step, read=_read))

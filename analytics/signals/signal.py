"""Signals: columns measured once per document, each with a name, a version and a stated convention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo, ColumnRegistry, Kind
from tamis.data.errors import SettingError

Dtype = Literal["float32", "int32", "bool"]

_ARROW: dict[Dtype, pa.DataType] = {"float32": pa.float32(), "int32": pa.int32(), "bool": pa.bool_()}
_KINDS: dict[Dtype, Kind] = {"float32": "number", "int32": "integer", "bool": "boolean"}


@dataclass(frozen=True)
class Signal:
    """The meaning of one measured column. Another meaning needs another version.

    Attributes:
        name: the column's name in the facts table.
        title: a short name for axes and tables.
        help: what it measures and when it is NULL, in one sentence.
        unit: the unit of its numbers: ``words``, ``share`` (0 to 1), ``ratio``, ``characters`` ...
        convention: the named rule for what a word, line or character is.
        source: the paper or reference implementation of the formula.
        dtype: ``float32``, ``int32`` or, for flags, ``bool``; NULL where it does not apply, never NaN.
        low, high: the possible range, None where open.
        version: raised when the meaning changes.
        group: the heading under which documentation and pages list it.
        package: the extra package it needs, None for none; such a signal is measured only when asked for by name.
        step: the analysis step that measures it; ``signals`` is the fused pass.
    """

    name: str
    title: str
    help: str
    unit: str
    convention: str
    source: str
    dtype: Dtype = "float32"
    low: float | None = 0.0
    high: float | None = None
    version: int = 1
    group: str = "Text"
    package: str | None = None
    step: str = "signals"

    @property
    def key(self) -> str:
        """Return ``name@version``."""
        return f"{self.name}@{self.version}"

    @property
    def arrow_type(self) -> pa.DataType:
        """Return the Arrow type of the column."""
        return _ARROW[self.dtype]

    @property
    def info(self) -> ColumnInfo:
        """Return the description of the column for people."""
        return ColumnInfo(
            name=self.name,
            type=_KINDS[self.dtype],
            title=self.title,
            unit=self.unit,
            help=f"{self.help} Convention: {self.convention}.",
            role="signal",
            low=self.low,
            high=self.high,
        )

    def column(self, values: NDArray[np.float64]) -> pa.Array:
        """Return measured values (n,) as the Arrow column, NaN and infinities as NULL."""
        absent = ~np.isfinite(values)
        kept = np.where(absent, 0.0, values)
        return pa.array(kept.astype(self.dtype), mask=absent, type=self.arrow_type)


@dataclass
class SignalRegistry:
    """Signals by name; refuses duplicates, lists the known names when one is unknown.

    Attributes:
        columns: where the facts columns of the signals are declared.
    """

    columns: ColumnRegistry = field(default_factory=ColumnRegistry)
    _signals: dict[str, Signal] = field(default_factory=dict)

    def register(self, *signals: Signal) -> tuple[Signal, ...]:
        """Add signals and return them. A plugin may be loaded again after it was changed.

        Raises:
            SettingError: a name is taken by another signal.
        """
        for signal in signals:
            known = self._signals.get(signal.name)
            reloaded = known is not None and known.step == signal.step == "plugins"
            if known is not None and known != signal and not reloaded:
                raise SettingError("Signal is registered twice", value=signal.name)
            self._signals[signal.name] = signal
            self.columns.declare(signal.step, signal.info)
        return signals

    def __getitem__(self, name: str) -> Signal:
        if name not in self._signals:
            raise SettingError("Unknown signal", value=name, allowed=self._signals)
        return self._signals[name]

    def __contains__(self, name: object) -> bool:
        return name in self._signals

    def __iter__(self) -> Iterator[Signal]:
        return iter(tuple(self._signals.values()))

    def __len__(self) -> int:
        return len(self._signals)

    def names(self, chosen: Iterable[str] | None = None) -> tuple[str, ...]:
        """Return the chosen names of the fused pass in registry order, or all that need no extra package.

        Raises:
            SettingError: an unknown name, or a signal that another step measures.
        """
        measured = [signal for signal in self if signal.step == "signals"]
        if chosen is None:
            return tuple(signal.name for signal in measured if signal.package is None)
        wanted = {self[name].name for name in chosen}
        others = wanted - {signal.name for signal in measured}
        if others:
            step = self[min(others)].step
            raise SettingError("Signal is measured by another step", value=min(others), fix=f"run the step {step}")
        return tuple(signal.name for signal in measured if signal.name in wanted)


SIGNALS = SignalRegistry(COLUMNS)

"""Signals of your own: a small Python function, or a column of scores from another program.

A plugin file is a Python file in the folder ``plugins`` of the workspace, or one named on the command line::

    from tamis.analytics.signals.plugins import signal

    @signal(name="exclamations", dtype="int32", help="Exclamation marks.", unit="characters")
    def exclamations(text: str) -> int:
        return text.count("!")

An installed package offers the same functions through the entry point group ``tamis.signals``. Recipes and bundles
never hold or name code: a recipe names the column, and whoever runs it needs the plugin.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import numpy as np
import pyarrow as pa

from tamis.analytics.signals.signal import SIGNALS, Dtype, Signal
from tamis.analytics.steps.engine import PieceInput, shard_work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.errors import SettingError
from tamis.data.hashing import file_sha256
from tamis.data.shards import Shard

NAME = "plugins"
VERSION = 1
GROUP = "tamis.signals"
FOLDER = "plugins"

Function = Callable[[str], float | int | None]


@dataclass(frozen=True)
class PluginSignal:
    """A signal that a plugin defines.

    Attributes:
        signal: the meaning of the column.
        function: text -> number, None where it does not apply.
        code: identity of the code: sha256 of the file, or package and version.
    """

    signal: Signal
    function: Function
    code: str = ""

    def measure(self, texts: pa.Array) -> pa.Array:
        """Return the column for a string array (n,); None, NaN and infinities become NULL.

        Raises:
            SettingError: the function fails, or its result is not a number.
        """
        values = np.full(len(texts), np.nan)
        for row, text in enumerate(texts.to_pylist()):
            values[row] = self._value(text or "")
        return self.signal.column(values)

    def _value(self, text: str) -> float:
        try:
            value = self.function(text)
            return float("nan") if value is None else float(value)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise SettingError(
                f"Signal {self.signal.name} failed: {type(error).__name__}: {error}", value=text[:80]
            ) from error


def signal(
    *,
    name: str,
    help: str,
    dtype: Dtype = "float32",
    title: str = "",
    unit: str = "score",
    low: float | None = None,
    high: float | None = None,
    version: int = 1,
) -> Callable[[Function], PluginSignal]:
    """Make a signal from a function; used as a decorator.

    Args:
        name: the column, in lower case.
        help: one sentence.
        dtype: ``float32`` or ``int32``.
        title: a short name; empty derives it from ``name``.
        unit: the unit of the numbers.
        low, high: the possible range.
        version: raise it when the function measures something else.

    Raises:
        SettingError: the name is not one of lower-case letters, digits and underscores.
    """
    if not (name.isidentifier() and name.islower() and name.isascii()):
        raise SettingError("Name of a signal is not allowed", value=name, allowed="lower-case letters, digits and _")

    def wrap(function: Function) -> PluginSignal:
        return PluginSignal(
            Signal(
                name=name,
                title=title or name.replace("_", " ").capitalize(),
                help=help,
                unit=unit,
                convention="plugin",
                source="plugin",
                dtype=dtype,
                low=low,
                high=high,
                version=version,
                group="Plugins",
                step=NAME,
            ),
            function,
        )

    return wrap


def load_plugins(files: Iterable[Path] = (), *, installed: bool = True) -> tuple[PluginSignal, ...]:
    """Run plugin files and return the signals they and installed packages define, sorted by name.

    Args:
        files: Python files; loading them runs their code, so they must be trusted.
        installed: also load the entry points of installed packages.

    Raises:
        SettingError: a file cannot be run, defines no signal, or takes the name of another signal.
    """
    found: list[PluginSignal] = []
    for path in sorted(files):
        own = [value for value in _run(path).values() if isinstance(value, PluginSignal)]
        if not own:
            raise SettingError("Plugin file defines no signal", value=str(path), fix="decorate a function with @signal")
        code = file_sha256(path)
        found += [PluginSignal(each.signal, each.function, code) for each in own]
    if installed:
        for point in _entry_points():
            value = point.load()
            if not isinstance(value, PluginSignal):
                raise SettingError("Entry point is not a signal", value=point.value, fix="decorate it with @signal")
            release = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
            found.append(PluginSignal(value.signal, value.function, release))
    names = [each.signal.name for each in found]
    if len(set(names)) < len(names):
        raise SettingError("Two plugins define the same signal", value=sorted(names))
    for each in found:
        SIGNALS.register(each.signal)
    return tuple(sorted(found, key=lambda each: each.signal.name))


@lru_cache(maxsize=1)
def _entry_points() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=GROUP))


def _run(path: Path) -> dict[str, object]:
    try:
        return runpy.run_path(str(path))
    except (OSError, SyntaxError, ImportError, NameError, TypeError, ValueError, AttributeError) as error:
        raise SettingError(f"Plugin file cannot be run: {type(error).__name__}: {error}", value=str(path)) from error


def workspace_plugins(root: Path, *, installed: bool = True) -> tuple[PluginSignal, ...]:
    """Return the plugins in a workspace's folder ``plugins`` and of installed packages. Raises as ``load_plugins``."""
    return load_plugins(sorted((root / FOLDER).glob("*.py")), installed=installed)


def plugins_step(plugins: Sequence[PluginSignal]) -> StepSpec:
    """Return the step that measures plugin signals shard by shard."""

    schema = pa.schema([(each.signal.name, each.signal.arrow_type) for each in plugins])

    def measured(shard: Shard, given: PieceInput) -> pa.Table:
        batches = []
        for texts in given.corpus.document_texts(shard):
            given.check()
            batches.append(pa.RecordBatch.from_arrays([each.measure(texts) for each in plugins], schema=schema))
        return pa.Table.from_batches(batches, schema=schema)

    def run(context: StepContext) -> None:
        context.fill(shard_work(context.corpus, measured))
        context.out.commit(rows=context.documents.n)

    return StepSpec(
        name=NAME,
        version=VERSION,
        upstream=("documents",),
        params={"signals": [{"signal": each.signal.key, "code": each.code} for each in plugins]},
        title="Measuring plugin signals",
        estimate=lambda size: Estimate(size.documents * len(plugins) * 20e-6, size.documents * len(plugins) * 4),
        run=run,
    )

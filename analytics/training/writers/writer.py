"""Writers: a split in the form that a training library reads, shard by shard.

A shard is made alone, from its samples only, so a killed run makes only what is missing and threads and order of work
change no byte. What libraries put into files beside the samples (times, random names, users) is replaced by constants.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.training.data import Form, TokenFormat, TrainingData
from tamis.analytics.training.shards import ShardPlan
from tamis.data.errors import SettingError
from tamis.data.nearest import did_you_mean

BATCH_ROWS, BATCH_BYTES = 1024, 16 << 20
"""What a writer sees at once, at most; fixed, because some libraries cut pages at batches."""


@dataclass(frozen=True)
class ShardFiles:
    """One finished shard, for the file that lists the shards of a split.

    Attributes:
        shard: which samples.
        names: its files, relative to the folder of the split; the first names the shard.
        sizes: bytes of each.
        sha256: of each.
    """

    shard: ShardPlan
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    sha256: tuple[str, ...]


class FormatWriter:
    """A format. A subclass names it and writes one shard; it keeps no state between shards.

    Attributes:
        name: as ``--as`` takes it.
        library: what reads it, as people call it.
        module: Python module that it needs to write, or None.
        extra: of the package, that installs the module.
        forms: what it can hold.
        overhead: bytes that a sample takes beside its content, at most.
        reading: one line of Python that opens the split ``train``.
        packages: whose versions decide bytes.
        speed: bytes of content a second, about, measured on two processors; for estimates.
    """

    name: ClassVar[str]
    library: ClassVar[str]
    module: ClassVar[str | None] = None
    extra: ClassVar[str] = "training"
    forms: ClassVar[tuple[Form, ...]] = ("text", "tokens")
    overhead: ClassVar[int] = 0
    reading: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    speed: ClassVar[float] = 50e6

    def check(self, tokens: TokenFormat | None) -> None:
        """Say before anything is written why data cannot be written.

        Args:
            tokens: of the data; None for texts.

        Raises:
            SettingError: the library is missing, or the format cannot hold the samples.
        """
        self.load()
        form: Form = "text" if tokens is None else "tokens"
        if form not in self.forms:
            raise SettingError(
                f"{self.name} holds only {' and '.join(self.forms)}",
                value=form,
                fix="add a step `pack` to the recipe, or choose another format",
            )

    def load(self) -> ModuleType | None:
        """Return the module that writes, None where none is needed.

        Raises:
            SettingError: it is not installed.
        """
        if self.module is None:
            return None
        try:
            return importlib.import_module(self.module)
        except ImportError as error:
            raise SettingError(
                f"Writing {self.name} needs {self.library}",
                value=str(error),
                fix=f"pip install 'tamis[{self.extra}]'",
            ) from error

    def sizes(self, data: TrainingData) -> NDArray[np.int64]:
        """Return the bytes that each sample takes in a file, int64 (samples,): its content and ``overhead``."""
        return data.sizes + self.overhead

    def names(self, shard: ShardPlan, data: TrainingData) -> tuple[str, ...]:
        """Return the files of a shard, relative to the folder of the split."""
        raise TypeError(f"{type(self).__name__} must define names()")

    def write(self, folder: Path, shard: ShardPlan, data: TrainingData, batches: Iterator[pa.RecordBatch]) -> None:
        """Write the files ``names`` of a shard into a folder; O(shard) memory.

        Args:
            folder: empty.
            shard: which samples.
            data: the split.
            batches: the samples of the shard in order, see ``same_batches``.
        """
        raise TypeError(f"{type(self).__name__} must define write()")

    def finish(self, folder: Path, data: TrainingData, shards: Sequence[ShardFiles]) -> None:
        """Write what a reader needs beside the shards of a split; the files of the shards are in ``folder``."""

    def finish_all(self, folder: Path, splits: Sequence[TrainingData]) -> None:
        """Write what a reader needs beside the splits."""

    def pattern(self, split: str) -> str | None:
        """Return the glob of the data files of a split for ``load_dataset``, None where it cannot read them."""
        return None


@dataclass
class WriterRegistry:
    """Writers by name; refuses duplicates, lists the known names when one is unknown."""

    _writers: dict[str, FormatWriter] = field(default_factory=dict)

    def register(self, writer: type[FormatWriter]) -> type[FormatWriter]:
        """Add a writer; usable as a decorator."""
        if writer.name in self._writers:
            raise SettingError("Format is registered twice", value=writer.name)
        self._writers[writer.name] = writer()
        return writer

    def __getitem__(self, name: str) -> FormatWriter:
        if name not in self._writers:
            fix = did_you_mean(name, self._writers) or None
            raise SettingError("Unknown format of training data", value=name, allowed=self._writers, fix=fix)
        return self._writers[name]

    def __iter__(self) -> Iterator[FormatWriter]:
        return iter(self._writers.values())


WRITERS = WriterRegistry()


def same_batches(batches: Iterable[pa.RecordBatch], sizes: NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches that only their sizes decide, each in buffers of its own from offset 0.

    Args:
        batches: the rows, cut anyhow.
        sizes: int64 (rows,), bytes of each; a batch has at most ``BATCH_ROWS`` rows and ``BATCH_BYTES``, or one row.
    """
    wanted = iter(_runs(sizes))
    rows = next(wanted, 0)
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while count + batch.num_rows - start >= rows > 0:
            taken = rows - count
            yield _joined([*held, batch.slice(start, taken)])
            held, count, start, rows = [], 0, start + taken, next(wanted, 0)
        if start < batch.num_rows:
            held.append(batch.slice(start))
            count += batch.num_rows - start
    if held:
        yield _joined(held)


def _runs(sizes: NDArray[np.int64]) -> Iterator[int]:
    """Yield the rows of each batch."""
    ends, first, before = np.cumsum(sizes, dtype=np.int64), 0, 0
    while first < len(sizes):
        last = int(np.searchsorted(ends, before + BATCH_BYTES, side="right"))
        last = min(max(last, first + 1), first + BATCH_ROWS, len(sizes))
        yield last - first
        first, before = last, int(ends[last - 1])


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    whole = pa.concat_batches(parts)
    # A single slice keeps the buffers it was cut from: taking the rows copies them.
    return whole if len(parts) > 1 else whole.take(pa.array(np.arange(whole.num_rows)))

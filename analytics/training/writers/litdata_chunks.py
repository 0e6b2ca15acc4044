"""Chunks as Lightning's litdata streams them, written by its own writer, one chunk a shard."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tamis.analytics.training.data import MESSAGES, TrainingData
from tamis.analytics.training.sample_digests import lists, plain_messages
from tamis.analytics.training.shards import ShardPlan
from tamis.analytics.training.writers.writer import WRITERS, FormatWriter, ShardFiles, same_batches
from tamis.data.parquet import write_bytes

_MODULE = "litdata.streaming.writer"
_CHUNK_BYTES = (1 << 32) - 1
"""Most bytes of a chunk: the format's own limit, so that its writer never begins a second one."""


@WRITERS.register
class LitdataWriter(FormatWriter):
    """``chunk-0-0.bin`` per shard and one ``index.json`` per split; turns of conversations are JSON texts."""

    name = "litdata"
    library = "litdata"
    module = _MODULE
    extra = "litdata"
    overhead = 48
    reading = 'litdata.StreamingDataset("OUT/train", shuffle=False)'
    packages = ("litdata",)

    def names(self, shard: ShardPlan, data: TrainingData) -> tuple[str, ...]:
        """Return the name that its own writer gives."""
        return (f"chunk-0-{shard.number}.bin",)

    def write(self, folder: Path, shard: ShardPlan, data: TrainingData, batches: Iterator[pa.RecordBatch]) -> None:
        """Write one chunk."""
        library: Any = self.load()
        writer = library.BinaryWriter(str(folder), chunk_bytes=_CHUNK_BYTES, chunk_index=shard.number)
        number = 0
        for batch in batches:
            for sample in _samples(batch):
                writer[number] = sample
                number += 1
        writer.done()
        # The index of the chunk alone: that of the split is written when all chunks are there.
        (folder / "0.index.json").unlink()

    def finish(self, folder: Path, data: TrainingData, shards: Sequence[ShardFiles]) -> None:
        """Write the index of the split, with a constant in place of its time."""
        chunks = [
            {"chunk_bytes": each.sizes[0], "chunk_size": each.shard.samples, "dim": None, "filename": each.names[0]}
            for each in shards
        ]
        index = {"chunks": chunks, "config": self._config(data), "updated_at": "0"}
        write_bytes(folder / "index.json", json.dumps(index, sort_keys=True).encode())

    def _config(self, data: TrainingData) -> Any:
        """Return what its writer says about the fields, from the first sample."""
        library: Any = self.load()
        with tempfile.TemporaryDirectory() as folder:
            writer = library.BinaryWriter(folder, chunk_bytes=_CHUNK_BYTES)
            writer[0] = next(_samples(next(same_batches(data.batches(0, 1), data.sizes[:1]))))
            writer.done()
            return json.loads((Path(folder) / "0.index.json").read_bytes())["config"]


def _samples(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    names = batch.schema.names
    columns = [_values(batch, name) for name in names]
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def _values(batch: pa.RecordBatch, name: str) -> list[Any]:
    if name == MESSAGES:
        return [plain_messages(turns) for turns in batch.column(name).to_pylist()]
    column = batch.column(name)
    return lists(column) if pa.types.is_list(column.type) else column.to_pylist()

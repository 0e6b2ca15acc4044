"""WebDataset tar files: a member per field of a sample, in training order."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tamis.analytics.training.data import TEXT, TrainingData
from tamis.analytics.training.sample_digests import lists
from tamis.analytics.training.shards import ShardPlan
from tamis.analytics.training.writers.writer import WRITERS, FormatWriter


@WRITERS.register
class WebDatasetWriter(FormatWriter):
    """``shard-00000.tar`` per shard: ``KEY.txt`` and ``KEY.json``, or one ``KEY.FIELD.npy`` per list of numbers."""

    name = "webdataset"
    library = "webdataset"
    module = "webdataset"
    extra = "webdataset"
    overhead = 3 * (512 + 511 + 128)
    reading = 'webdataset.WebDataset("OUT/train/shard-{00000..00000}.tar", shardshuffle=False).decode()'
    packages = ("webdataset",)

    def names(self, shard: ShardPlan, data: TrainingData) -> tuple[str, ...]:
        """Return the name of the tar file."""
        return (f"shard-{shard.number:05d}.tar",)

    def write(self, folder: Path, shard: ShardPlan, data: TrainingData, batches: Iterator[pa.RecordBatch]) -> None:
        """Write a tar file whose times and owners are constant."""
        library: Any = self.load()
        members = _token_members if data.form == "tokens" else _text_members
        number = shard.first
        # Without a time of its own the library writes the present one, and a user named bigdata.
        options: dict[str, Any] = {"mtime": 0, "user": "", "group": "", "encoder": False}
        with (
            (folder / self.names(shard, data)[0]).open("wb") as file,
            library.TarWriter(file, **options) as tar,
        ):
            for batch in batches:
                for fields in members(batch):
                    tar.write({"__key__": f"{data.split}-{number:012d}", **fields})
                    number += 1

    def pattern(self, split: str) -> str:
        """Return the glob of a split."""
        return f"{split}/*.tar"


def _token_members(batch: pa.RecordBatch) -> Iterator[dict[str, bytes]]:
    names = batch.schema.names
    for values in zip(*(lists(batch.column(name)) for name in names), strict=True):
        yield {f"{name}.npy": _npy(array) for name, array in zip(names, values, strict=True)}


def _text_members(batch: pa.RecordBatch) -> Iterator[dict[str, bytes]]:
    for row in batch.to_pylist():
        text = row.pop(TEXT)
        yield {"txt": text.encode(), "json": json.dumps(row, ensure_ascii=False).encode()}


def _npy(array: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
    return file.getvalue()

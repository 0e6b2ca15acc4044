"""Arrow files as the ``datasets`` library saves them: opened by load_dataset, load_from_disk and streaming."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from tamis.analytics.training.data import TrainingData
from tamis.analytics.training.shards import ShardPlan
from tamis.analytics.training.writers.writer import WRITERS, FormatWriter, ShardFiles
from tamis.data.curated_files import ArrowForm
from tamis.data.features import with_features
from tamis.data.markers import WrittenFile
from tamis.data.parquet import write_bytes
from tamis.data.saved_dataset import describe_dataset


@WRITERS.register
class ArrowDatasetWriter(FormatWriter):
    """A folder of ``datasets``: ``data-00000-of-00001.arrow`` per shard, not compressed, mapped into memory."""

    name = "datasets"
    library = "Hugging Face datasets"
    overhead = 32
    reading = 'datasets.load_from_disk("OUT")["train"]'

    def names(self, shard: ShardPlan, data: TrainingData) -> tuple[str, ...]:
        """Return the name that ``save_to_disk`` gives."""
        return (ArrowForm().name(shard.number, shard.count),)

    def write(self, folder: Path, shard: ShardPlan, data: TrainingData, batches: Iterator[pa.RecordBatch]) -> None:
        """Write one stream, a record batch per batch."""
        tables = (pa.Table.from_batches([batch]) for batch in batches)
        path = folder / self.names(shard, data)[0]
        ArrowForm().write(path, tables, number=shard.number, schema=with_features(data.schema, always=True))

    def finish(self, folder: Path, data: TrainingData, shards: Sequence[ShardFiles]) -> None:
        """Write the state and the features of the split."""
        files = [WrittenFile(each.names[0], each.shard.samples, each.sizes[0], each.sha256[0]) for each in shards]
        describe_dataset(folder, with_features(data.schema, always=True), files)

    def finish_all(self, folder: Path, splits: Sequence[TrainingData]) -> None:
        """Write the list of splits, so that the folder opens as one dictionary of data sets."""
        names = {"splits": [data.split for data in splits]}
        write_bytes(folder / "dataset_dict.json", json.dumps(names).encode())

    def pattern(self, split: str) -> str:
        """Return the glob of a split."""
        return f"{split}/*.arrow"

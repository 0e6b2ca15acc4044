"""JSON Lines in Zstandard frames: read by datasets, and by anything that reads JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import zstandard
from numpy.typing import NDArray

from tamis.analytics.training.data import TrainingData
from tamis.analytics.training.shards import ShardPlan
from tamis.analytics.training.writers.writer import WRITERS, FormatWriter
from tamis.data.parquet import ZSTD_LEVEL


@WRITERS.register
class JsonLinesWriter(FormatWriter):
    """One object a line, its fields in the order of the schema; one frame a shard."""

    name = "jsonl.zst"
    library = "Hugging Face datasets"
    overhead = 0
    reading = 'datasets.load_dataset("OUT", split="train")'
    packages = ("zstandard",)

    def sizes(self, data: TrainingData) -> NDArray[np.int64]:
        """Return the bytes of each sample: compressed digits take less than twice what the numbers take."""
        return data.sizes * (2 if data.form == "tokens" else 1)

    def names(self, shard: ShardPlan, data: TrainingData) -> tuple[str, ...]:
        """Return the name of the file."""
        return (f"part-{shard.number:05d}.jsonl.zst",)

    def write(self, folder: Path, shard: ShardPlan, data: TrainingData, batches: Iterator[pa.RecordBatch]) -> None:
        """Write the lines of a shard."""
        packer = zstandard.ZstdCompressor(level=ZSTD_LEVEL, threads=0, write_checksum=True)
        lines = _token_lines if data.form == "tokens" else _text_lines
        with (
            (folder / self.names(shard, data)[0]).open("wb") as file,
            packer.stream_writer(file, closefd=False) as stream,
        ):
            for batch in batches:
                stream.write(lines(batch))

    def pattern(self, split: str) -> str:
        """Return the glob of a split."""
        return f"{split}/*.jsonl.zst"


def _text_lines(batch: pa.RecordBatch) -> bytes:
    rows = batch.to_pylist()
    return b"".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for row in rows)


def _token_lines(batch: pa.RecordBatch) -> bytes:
    """Return the lines of sequences; numbers become text in Arrow, not one by one."""
    parts: list[pa.Array | str] = []
    for place, name in enumerate(batch.schema.names):
        parts += ["," * (place > 0) + f'"{name}":[', pc.binary_join(_as_text(batch.column(place)), ","), "]"]
    lines = pc.binary_join_element_wise("{", *parts, "}\n", "")
    return "".join(lines.to_pylist()).encode()


def _as_text(column: pa.ListArray) -> pa.Array:
    return column.cast(pa.list_(pa.string()))

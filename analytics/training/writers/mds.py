"""MDS shards as MosaicML's StreamingDataset reads them.

The format is written here, not by its library: mosaicml-streaming 0.13 needs numpy below 2.2 and cannot be installed
beside this package. A test compares the bytes with those of its own writer.

Source: github.com/mosaicml/streaming, streaming/base/format/mds (version 2 of the index).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tamis.analytics.training.data import INPUT_IDS, MESSAGES, TrainingData
from tamis.analytics.training.sample_digests import lists
from tamis.analytics.training.shards import ShardPlan
from tamis.analytics.training.writers.writer import WRITERS, FormatWriter, ShardFiles
from tamis.data.parquet import write_bytes

_DIMENSION = {1: 0, 2: 1, 4: 2}
"""Code of the width of a dimension in the head of an array."""


@WRITERS.register
class MdsWriter(FormatWriter):
    """``shard.00000.mds`` per shard and one ``index.json`` per split."""

    name = "mds"
    library = "MosaicML streaming"
    overhead = 64
    reading = 'streaming.StreamingDataset(local="OUT/train", shuffle=False, batch_size=1)'

    def names(self, shard: ShardPlan, data: TrainingData) -> tuple[str, ...]:
        """Return the name that its own writer gives."""
        return (f"shard.{shard.number:05d}.mds",)

    def write(self, folder: Path, shard: ShardPlan, data: TrainingData, batches: Iterator[pa.RecordBatch]) -> None:
        """Write a shard: number of samples, places, description of columns, samples."""
        head = json.dumps(_config(data.schema), sort_keys=True).encode()
        names = sorted(data.schema.names)
        places = np.zeros(shard.samples + 1, dtype=np.uint32)
        place = places[0] = 4 + places.nbytes + len(head)
        done = 0
        with (folder / self.names(shard, data)[0]).open("wb") as file:
            file.write(bytes(4 + places.nbytes) + head)
            for batch in batches:
                samples = _encode(batch, names)
                file.write(b"".join(samples))
                ends = place + np.cumsum([len(sample) for sample in samples])
                places[done + 1 : done + 1 + len(samples)] = ends
                place, done = int(ends[-1]), done + len(samples)
            file.seek(0)
            file.write(struct.pack("<I", shard.samples) + places.astype("<u4").tobytes())

    def finish(self, folder: Path, data: TrainingData, shards: Sequence[ShardFiles]) -> None:
        """Write the index of the split."""
        config = _config(data.schema)
        listed = [
            config
            | {
                "raw_data": {"basename": each.names[0], "bytes": each.sizes[0], "hashes": {}},
                "samples": each.shard.samples,
                "zip_data": None,
            }
            for each in shards
        ]
        write_bytes(folder / "index.json", json.dumps({"version": 2, "shards": listed}, sort_keys=True).encode())


def encodings(schema: pa.Schema) -> dict[str, str]:
    """Return the encoding of each column by name, sorted, as its own writer takes them."""
    return {name: _encoding(schema.field(name)) for name in sorted(schema.names)}


def _encoding(field: pa.Field) -> str:
    if field.name == MESSAGES:
        return "json"
    if pa.types.is_list(field.type):
        return f"ndarray:{field.type.value_type}"
    return "int32" if pa.types.is_int32(field.type) else "str"


def _config(schema: pa.Schema) -> dict[str, Any]:
    kinds = encodings(schema)
    return {
        "version": 2,
        "format": "mds",
        "compression": None,
        "hashes": [],
        "size_limit": None,
        "column_names": list(kinds),
        "column_encodings": list(kinds.values()),
        "column_sizes": [4 if kind == "int32" else None for kind in kinds.values()],
    }


def _encode(batch: pa.RecordBatch, names: Sequence[str]) -> list[bytes]:
    """Return each sample as bytes: the sizes of its parts of varying size, then its parts."""
    if INPUT_IDS in names:
        columns = [[_array(item) for item in lists(batch.column(name))] for name in names]
        fixed = [False] * len(names)
    else:
        columns = [_plain(batch, name) for name in names]
        fixed = [pa.types.is_int32(batch.schema.field(name).type) for name in names]
    varying = [place for place, same in enumerate(fixed) if not same]
    pack = struct.Struct(f"<{len(varying)}I").pack
    return [pack(*[len(parts[place]) for place in varying]) + b"".join(parts) for parts in zip(*columns, strict=True)]


def _plain(batch: pa.RecordBatch, name: str) -> list[bytes]:
    values = batch.column(name).to_pylist()
    if name == MESSAGES:
        return [json.dumps(value).encode() for value in values]
    if pa.types.is_int32(batch.schema.field(name).type):
        return [struct.pack("<i", value) for value in values]
    return [value.encode() for value in values]


def _array(values: np.ndarray[Any, np.dtype[Any]]) -> bytes:
    """Return a list as an array of one dimension: code of its length's width, length, values."""
    width = 1 if len(values) < 1 << 8 else 2 if len(values) < 1 << 16 else 4
    return bytes([1 << 2 | _DIMENSION[width]]) + len(values).to_bytes(width, "little") + values.tobytes()

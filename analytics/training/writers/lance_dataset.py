"""Lance data sets: a fragment per shard, committed as one version whose time and transaction are constants.

The library names files at random and puts the present time and a random transaction into the manifest. Files are
written under names of their own, and the manifest is rewritten field by field, then opened and counted.

Source: github.com/lance-format/lance, protos/table.proto (Manifest) and the layout of a manifest file.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from tamis.analytics.training.data import TrainingData
from tamis.analytics.training.shards import ShardPlan
from tamis.analytics.training.writers.writer import WRITERS, FormatWriter, ShardFiles
from tamis.data.errors import StoreError
from tamis.data.parquet import write_bytes

_TIMESTAMP = 7
"""Number of the field of a manifest that holds the time of the commit."""

_MAGIC = b"LANC"
_FILE_VERSION = (2, 1)


@WRITERS.register
class LanceWriter(FormatWriter):
    """The folder of a split is a Lance data set, ``data/part-00000.lance`` per shard."""

    name = "lance"
    library = "lance"
    module = "lance"
    extra = "lance"
    overhead = 32
    reading = 'lance.dataset("OUT/train")'
    packages = ("pylance",)

    def names(self, shard: ShardPlan, data: TrainingData) -> tuple[str, ...]:
        """Return the file of the fragment."""
        return (f"data/part-{shard.number:05d}.lance",)

    def write(self, folder: Path, shard: ShardPlan, data: TrainingData, batches: Iterator[pa.RecordBatch]) -> None:
        """Write the file of a fragment."""
        # Late: lance.
        from lance.file import LanceFileWriter

        path = folder / self.names(shard, data)[0]
        path.parent.mkdir()
        version = ".".join(map(str, _FILE_VERSION))
        with LanceFileWriter(str(path), data.schema, version=version) as writer:
            for batch in batches:
                writer.write_batch(batch)

    def finish(self, folder: Path, data: TrainingData, shards: Sequence[ShardFiles]) -> None:
        """Commit the fragments as version 1."""
        # Late: lance.
        import lance
        from lance.fragment import DataFile, FragmentMetadata

        leaves, columns = _columns(data.schema)
        fragments = [
            FragmentMetadata(
                id=each.shard.number,
                files=[
                    DataFile(
                        path=Path(each.names[0]).name,
                        fields=leaves,
                        column_indices=columns,
                        file_major_version=_FILE_VERSION[0],
                        file_minor_version=_FILE_VERSION[1],
                        file_size_bytes=each.sizes[0],
                    )
                ],
                physical_rows=each.shard.samples,
            )
            for each in shards
        ]
        lance.LanceDataset.commit(str(folder), lance.LanceOperation.Overwrite(data.schema, fragments))
        _make_constant(folder, hashlib.sha256("".join(each.sha256[0] for each in shards).encode()).digest())
        if lance.dataset(str(folder)).count_rows() != data.samples:
            raise StoreError("A Lance data set does not open with all its samples", value=str(folder))


def _columns(schema: pa.Schema) -> tuple[list[int], list[int]]:
    """Return the ids of the fields of a file and the number of the column of each, as the format counts them.

    Fields are numbered from 0, a field before those inside it; only fields without fields inside have a column.
    """
    leaves: list[int] = []
    count = 0

    def visit(kind: pa.DataType) -> None:
        nonlocal count
        own, count = count, count + 1
        inside = [] if pa.types.is_string(kind) or pa.types.is_large_string(kind) else _inside(kind)
        for each in inside:
            visit(each)
        if not inside:
            leaves.append(own)

    for field in schema:
        visit(field.type)
    return leaves, list(range(len(leaves)))


def _inside(kind: pa.DataType) -> list[pa.DataType]:
    return [kind.field(place).type for place in range(kind.num_fields)]


def _make_constant(folder: Path, content: bytes) -> None:
    """Replace the time and the transaction of the only version of a data set by what its content gives."""
    (transaction,) = (folder / "_transactions").iterdir()
    version, _, old = transaction.stem.partition("-")
    new = str(uuid.UUID(bytes=content[:16], version=4))
    (manifest,) = (folder / "_versions").glob("*.manifest")
    swap = (old.encode(), new.encode())
    write_bytes(manifest, _without_time(manifest.read_bytes().replace(*swap)))
    write_bytes(transaction.with_name(f"{version}-{new}.txn"), transaction.read_bytes().replace(*swap))
    transaction.unlink()


def _without_time(data: bytes) -> bytes:
    """Return a manifest file without the time of the commit: parts before it, its length, the message, the end."""
    start, _, _, magic = struct.unpack("<QHH4s", data[-16:])
    (length,) = struct.unpack("<I", data[start : start + 4])
    end = start + 4 + length
    if magic != _MAGIC or end != len(data) - 16:
        raise StoreError("A Lance manifest has another layout than version 14 of the library writes", value=len(data))
    message = b"".join(field for number, field in _fields(data[start + 4 : end]) if number != _TIMESTAMP)
    return data[:start] + struct.pack("<I", len(message)) + message + data[end:]


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the bytes of each field of a protocol buffer."""
    place = 0
    while place < len(message):
        start = place
        tag, place = _varint(message, place)
        kind = tag & 7
        if kind == 2:
            length, place = _varint(message, place)
            place += length
        elif kind == 0:
            _, place = _varint(message, place)
        else:
            place += {1: 8, 5: 4}[kind]
        yield tag >> 3, message[start:place]


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place

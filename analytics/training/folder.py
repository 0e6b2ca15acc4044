"""The files of prepared training data, written shard by shard into a draft folder; what is finished stays."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.training.data import PIECES_SCHEMA, TrainingData
from tamis.analytics.training.sample_digests import RECORD, batch_records, content_digest
from tamis.analytics.training.shards import ShardPlan, plan_shards
from tamis.analytics.training.writers.writer import FormatWriter, ShardFiles, same_batches
from tamis.data.errors import StoreError
from tamis.data.lock import Lock
from tamis.data.markers import Markers, WrittenFile
from tamis.data.parquet import sync, write_blocks, write_bytes, write_parquet
from tamis.data.progress import Progress

DONE, SCRATCH, NOTES = "done", "scratch", "notes"
"""Folders of the state of a run, which lie beside its draft until the run is whole."""

INDEX, SHARDS = "index", "shards.parquet"

SHARDS_SCHEMA = pa.schema(
    [
        ("split", pa.string()),
        ("shard", pa.int32()),
        ("file", pa.string()),
        ("first_sample", pa.int64()),
        ("samples", pa.int64()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
    ]
)
"""A row per file; files of one shard share its number. Samples are numbered within the split, from 0."""

INDEX_SAMPLES = 16_384
"""Samples whose pieces are one row group of the index: the same for every size of shards."""


@dataclass(frozen=True)
class SplitCount:
    """What one split holds.

    Attributes:
        split: its name.
        samples: texts or sequences.
        tokens: in its sequences, filling included; 0 for texts.
        used: those of them that belong to pieces of documents.
        bytes: of content.
        shards: how many.
    """

    split: str
    samples: int
    tokens: int
    used: int
    bytes: int
    shards: int


@dataclass(frozen=True)
class WrittenSplits:
    """What was written.

    Attributes:
        shards: rows of ``SHARDS_SCHEMA``.
        content: digest of all samples in order, the same for every format and size of shards.
        counts: one per split.
    """

    shards: pa.Table
    content: str
    counts: tuple[SplitCount, ...]


@dataclass(frozen=True)
class _SplitJob:
    draft: Path
    state: Path
    writer: FormatWriter
    made_for: Mapping[str, str]
    progress: Progress

    def markers(self, split: str) -> Markers:
        return Markers(self.state / DONE / split, self.made_for)

    def write_split(self, data: TrainingData, shards: Sequence[ShardPlan]) -> tuple[ShardFiles, ...]:
        """Write what is missing of a split and describe all of it."""
        self.progress.step(f"{data.split} as {self.writer.name}", data.samples, "samples")
        found = []
        for shard in shards:
            self.progress.check()
            found.append(self._whole(data, shard) or self._make(data, shard))
        self.writer.finish(self.draft / data.split, data, found)
        self.progress.step(f"index of {data.split}", data.samples, "samples")
        write_blocks(self._pieces(data), PIECES_SCHEMA, self.draft / INDEX / f"{data.split}.parquet")
        return tuple(found)

    def notes(self, split: str, shard: ShardPlan) -> Path:
        """Return the file of what is noted of the samples of a shard, ``RECORD`` each."""
        return self.state / NOTES / split / f"{shard.number:05d}.notes"

    def count(self, data: TrainingData, shards: Sequence[ShardPlan]) -> SplitCount:
        """Return what the finished shards of a split hold."""
        tokens = used = 0
        for shard in shards:
            noted = np.fromfile(self.notes(data.split, shard), dtype=RECORD)
            tokens, used = tokens + int(noted["tokens"].sum()), used + int(noted["used"].sum())
        return SplitCount(data.split, data.samples, tokens, used, int(data.sizes.sum()), len(shards))

    def digests(self, split: str, shards: Sequence[ShardPlan]) -> Iterator[bytes]:
        """Yield the digests of the samples of a split, a piece per shard."""
        for shard in shards:
            yield np.fromfile(self.notes(split, shard), dtype=RECORD)["digest"].tobytes()

    def _whole(self, data: TrainingData, shard: ShardPlan) -> ShardFiles | None:
        """Return the description of a shard that an earlier run finished, None otherwise."""
        markers, folder = self.markers(data.split), self.draft / data.split
        paths = [self.notes(data.split, shard), *(folder / name for name in self.writer.names(shard, data))]
        files = [markers.whole(path, rows=shard.samples) for path in paths]
        if not all(files):
            return None
        self.progress.advance(shard.samples)
        return _describe(shard, self.writer.names(shard, data), [file for file in files[1:] if file is not None])

    def _make(self, data: TrainingData, shard: ShardPlan) -> ShardFiles:
        """Write one shard beside the others, then move its files to their places and mark them."""
        scratch, folder, markers = self.state / SCRATCH, self.draft / data.split, self.markers(data.split)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        records: list[NDArray[np.void]] = []
        batches = same_batches(data.batches(shard.first, shard.end), data.sizes[shard.first : shard.end])
        self.writer.write(scratch, shard, data, self._watched(batches, records))
        noted = np.concatenate([np.zeros(0, dtype=RECORD), *records])
        if len(noted) != shard.samples:
            raise StoreError("A shard has another number of samples than planned", value=len(noted), allowed=str(shard))
        names, files = self.writer.names(shard, data), []
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            sync(scratch / name)
            (scratch / name).rename(target)
            sync(target.parent)
            files.append(WrittenFile.at(target, rows=shard.samples))
            markers.mark(files[-1])
        path = self.notes(data.split, shard)
        write_bytes(path, noted.tobytes())
        markers.mark(WrittenFile.at(path, rows=shard.samples))
        return _describe(shard, names, files)

    def _watched(self, batches: Iterable[pa.RecordBatch], records: list[NDArray[np.void]]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            records.append(batch_records(batch))
            yield batch
            self.progress.advance(batch.num_rows)
            self.progress.check()

    def _pieces(self, data: TrainingData) -> Iterator[pa.Table]:
        for first in range(0, data.samples, INDEX_SAMPLES):
            last = min(first + INDEX_SAMPLES, data.samples)
            yield data.pieces(first, last).cast(PIECES_SCHEMA).combine_chunks()
            self.progress.advance(last - first)


def write_splits(
    draft: Path,
    state: Path,
    splits: Sequence[TrainingData],
    writer: FormatWriter,
    *,
    most: int,
    made_for: Mapping[str, str],
    progress: Progress,
) -> WrittenSplits:
    """Write all splits into a folder, with the index of their pieces and the list of their files.

    Args:
        draft: the folder; finished shards of an earlier run for the same stay, everything else in it goes.
        state: where the run notes which shards are finished; on the same file system.
        splits: in the order of training; none is empty.
        writer: the format.
        most: bytes of a shard at most.
        made_for: everything that decides the bytes, as ``Markers``.
        progress: where to report.

    Raises:
        StoreError: the disk is full, or a split gave another number of samples than it states.
    """
    job = _SplitJob(draft, state, writer, made_for, progress)
    clear_draft(draft, state, [data.split for data in splits], made_for)
    shards = {data.split: plan_shards(writer.sizes(data), most) for data in splits}
    written: dict[str, tuple[ShardFiles, ...]] = {
        data.split: job.write_split(data, shards[data.split]) for data in splits
    }
    writer.finish_all(draft, splits)
    table = shards_table(written)
    write_parquet(table, draft / SHARDS)
    content = content_digest({split: job.digests(split, own) for split, own in shards.items()})
    counts = tuple(job.count(data, shards[data.split]) for data in splits)
    return WrittenSplits(table, content, counts)


def shards_table(written: Mapping[str, Sequence[ShardFiles]]) -> pa.Table:
    """Return the rows of ``SHARDS_SCHEMA``."""
    rows = [
        (split, each.shard.number, f"{split}/{name}", each.shard.first, each.shard.samples, size, sha256)
        for split, shards in written.items()
        for each in shards
        for name, size, sha256 in zip(each.names, each.sizes, each.sha256, strict=True)
    ]
    columns = zip(*rows, strict=True)
    return pa.table([pa.array(list(column), field.type) for column, field in zip(columns, SHARDS_SCHEMA, strict=True)],
                    schema=SHARDS_SCHEMA)  # fmt: skip


def clear_draft(draft: Path, state: Path, splits: Sequence[str], made_for: Mapping[str, str]) -> None:
    """Make the draft folder; of an earlier one only complete files of shards of the same run stay."""
    draft.mkdir(parents=True, exist_ok=True)
    kept = {split: Markers(state / DONE / split, made_for) for split in splits}
    for path in sorted(draft.rglob("*")):
        split = path.relative_to(draft).parts[0]
        if path.is_file() and (split not in kept or kept[split].whole(path) is None):
            path.unlink()


def _describe(shard: ShardPlan, names: Sequence[str], files: Sequence[WrittenFile]) -> ShardFiles:
    return ShardFiles(shard, tuple(names), tuple(file.bytes for file in files), tuple(file.sha256 for file in files))


def make_folder(target: Path, write: Callable[[Path, Path], None], *, what: str) -> None:
    """Make a folder that appears only when it is whole: written as a hidden draft, renamed at the end.

    Args:
        target: its path; nothing is there.
        write: fills the draft with the help of a folder for its state; both may hold what an earlier run left.
        what: is made, for messages.

    Raises:
        LockedError: another process makes the same folder.
        StoreError: another process has taken over.
    """
    draft, state = (target.with_name(f".{target.name}.{name}") for name in ("partial", "state"))
    with Lock(target.with_name(f".{target.name}.lock"), what=f"{what} {target}") as lock:
        write(draft, state)
        if not lock.is_mine():
            raise StoreError("Another process has taken over this run", value=str(target))
        sync(draft)
        draft.rename(target)
        sync(target.parent)
        # Only now: a run that is killed before it has its name makes no shard again.
        shutil.rmtree(state, ignore_errors=True)

"""Shards: consecutive pieces of a corpus, each small enough to redo after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tamis.data.formats import Mark

SHARD_ROWS = 50_000
SHARD_BYTES = 64 << 20


@dataclass(frozen=True)
class Piece:
    """Consecutive marks of one file.

    Attributes:
        file: index into ``Corpus.files``.
        marks: marks of its rows.
    """

    file: int
    marks: tuple[Mark, ...]

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return sum(mark.rows for mark in self.marks)


@dataclass(frozen=True)
class Shard:
    """Consecutive rows of a corpus.

    Attributes:
        index: number of the shard, from 0.
        first: source position of its first row.
        rows: number of rows, errors included.
        bytes: decompressed source bytes.
        pieces: pieces of files that hold the rows, in order.
    """

    index: int
    first: int
    rows: int
    bytes: int
    pieces: tuple[Piece, ...]

    @property
    def part(self) -> str:
        """Return the name of this shard's part in every artifact."""
        return f"part-{self.index:05d}"


def cut_shards(files: Sequence[Sequence[Mark]]) -> tuple[Shard, ...]:
    """Cut the marks of all files into shards of at most ``SHARD_ROWS`` rows and ``SHARD_BYTES`` bytes.

    A mark (a block of lines, a Parquet row group) is never split, so a shard of one mark may be larger. The cut
    depends on the files' contents and order only.
    """
    shards: list[Shard] = []
    held: list[tuple[int, Mark]] = []
    rows = size = first = 0

    def close() -> None:
        nonlocal rows, size, first
        shards.append(Shard(len(shards), first, rows, size, _pieces(held)))
        first += rows
        rows = size = 0
        held.clear()

    for file, marks in enumerate(files):
        for mark in marks:
            if not mark.rows:
                continue
            if held and (rows + mark.rows > SHARD_ROWS or size + mark.bytes > SHARD_BYTES):
                close()
            held.append((file, mark))
            rows, size = rows + mark.rows, size + mark.bytes
    if held:
        close()
    return tuple(shards)


def _pieces(held: Sequence[tuple[int, Mark]]) -> tuple[Piece, ...]:
    by_file: dict[int, list[Mark]] = {}
    for file, mark in held:
        by_file.setdefault(file, []).append(mark)
    return tuple(Piece(file, tuple(marks)) for file, marks in by_file.items())

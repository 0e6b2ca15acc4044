"""Work that any machine may do: parts of an artifact, made piece by piece from explicit inputs only.

A step calls ``context.fill(work)`` for each such work and reads the parts back. The machine that makes them changes no
byte: a piece sees the corpus, the common input of all pieces and its own input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import pyarrow as pa

from tamis.analytics.steps.row_by_row import Part, RowByRow
from tamis.analytics.steps.text_processes import TextFunction, TextWorkers
from tamis.data.corpus import Corpus
from tamis.data.progress import Progress
from tamis.data.shards import Shard

__all__ = ["Engine", "LocalEngine", "Part", "PieceInput", "RowByRow", "Work", "shard_work"]

K = TypeVar("K")


def _nothing(*_: object) -> None:
    return None


@dataclass(frozen=True)
class PieceInput:
    """The input of a piece.

    Attributes:
        corpus: the corpus, opened on the machine that makes the piece.
        common: ``Work.common``.
        own: what ``Work.own`` returned for the piece.
        threads: number of threads to use; changes no byte.
        check: call between pieces of work; may raise.
        advance: reports finished rows of the piece; optional.
        columns: yields the result of a function for each batch of texts, in order, in several processes if that pays.
    """

    corpus: Corpus
    common: Any = None
    own: Any = None
    threads: int = 1
    check: Callable[[], None] = _nothing
    advance: Callable[[int], None] = _nothing
    columns: Callable[[TextFunction, Iterable[pa.Array]], Iterator[pa.Table]] = map


@dataclass(frozen=True)
class Work(Generic[K]):
    """Pieces and the function that makes them. All of it is sent to other processes; none may hold the running step.

    Attributes:
        pieces: keys of the pieces, for example shards.
        parts: names of the parts of a piece, in the order in which they are written.
        make: makes the parts of a piece.
        rows: rows by which a piece advances the progress.
        common: input of all pieces, such as a model; sent once.
        own: returns the input of a single piece, called when its turn comes; None for no input.
        threads: number of threads a piece may use on this machine.
        processes: number of processes ``PieceInput.columns`` may use on this machine.
        rows_of: for pieces that are shards: states that parts are made row by row, so that known ones are taken over.
    """

    pieces: Sequence[K]
    parts: Callable[[K], tuple[str, ...]]
    make: Callable[[K, PieceInput], Mapping[str, Part]]
    rows: Callable[[K], int] = lambda piece: 0
    common: Any = None
    own: Callable[[K], Any] | None = None
    threads: int = 1
    processes: int = 1
    rows_of: RowByRow | None = None


def shard_work(
    corpus: Corpus,
    make: Callable[[Shard, PieceInput], Part],
    *,
    part: Callable[[Shard], str] = lambda shard: shard.part,
    common: Any = None,
    own: Callable[[Shard], Any] | None = None,
    threads: int = 1,
    processes: int = 1,
    rows_of: RowByRow | None = None,
) -> Work[Shard]:
    """Return the work of making one part from each shard."""
    return Work(
        corpus.shards(),
        lambda shard: (part(shard),),
        lambda shard, given: {part(shard): make(shard, given)},
        lambda shard: shard.rows,
        common,
        own,
        threads,
        processes,
        rows_of,
    )


class Engine(Protocol):
    """Something that makes pieces."""

    def made(
        self, work: Work[K], pieces: Sequence[K], corpus: Corpus, progress: Progress
    ) -> Iterator[tuple[K, Mapping[str, Part]]]:
        """Yield pieces with their parts in any order, each once; advances progress after each piece."""


class LocalEngine:
    """Makes pieces one after another in this process."""

    def made(
        self, work: Work[K], pieces: Sequence[K], corpus: Corpus, progress: Progress
    ) -> Iterator[tuple[K, Mapping[str, Part]]]:
        """Yield pieces with their parts, in order."""
        with TextWorkers(work.processes) as workers:
            for piece in pieces:
                progress.check()
                reported = [0]

                def advance(rows: int, reported: list[int] = reported) -> None:
                    reported[0] += rows
                    progress.advance(rows)

                own = None if work.own is None else work.own(piece)
                given = PieceInput(corpus, work.common, own, work.threads, progress.check, advance, workers.map)
                yield piece, work.make(piece, given)
                progress.advance(max(0, work.rows(piece) - reported[0]))

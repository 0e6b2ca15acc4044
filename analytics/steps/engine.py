"""Work that any machine may do: parts of an artifact, made piece by piece from what is given and nothing else.

A step says ``context.fill(work)`` as often as it has such work, and reads the parts back. Where they are made, here or
on a cluster, changes no byte: a piece sees the corpus, what is given to all pieces and what is given to it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.steps.text_processes import TextFunction, TextWorkers
from tamis.data.corpus import Corpus
from tamis.data.progress import Progress
from tamis.data.shards import Shard

K = TypeVar("K")
Part: TypeAlias = pa.Table | NDArray[Any]


def _nothing(*_: object) -> None:
    return None


@dataclass(frozen=True)
class PieceInput:
    """What is given to a piece.

    Attributes:
        corpus: the corpus, opened where the piece is made.
        common: ``Work.common``.
        own: what ``Work.own`` returned for the piece.
        threads: how many threads to use, which changes no byte.
        check: called between pieces of work where that is possible, may raise.
        advance: tells how many rows of the piece are done; optional.
        columns: yields what a function makes of each batch of texts, in order, in several processes where that pays.
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
    """Pieces and how they are made. Functions and values travel to other processes; none may hold the running step.

    Attributes:
        pieces: what the pieces are called, for example shards.
        parts: names of the parts of a piece, in the order in which they are written.
        make: makes them.
        rows: how far a piece advances the progress.
        common: given to all pieces, such as a model; travels once.
        own: what is given to a piece alone, asked for when its turn comes; None when that is nothing.
        threads: how many threads a piece may use on this machine.
        processes: how many processes ``PieceInput.columns`` may use on this machine.
    """

    pieces: Sequence[K]
    parts: Callable[[K], tuple[str, ...]]
    make: Callable[[K, PieceInput], Mapping[str, Part]]
    rows: Callable[[K], int] = lambda piece: 0
    common: Any = None
    own: Callable[[K], Any] | None = None
    threads: int = 1
    processes: int = 1


def shard_work(
    corpus: Corpus,
    make: Callable[[Shard, PieceInput], Part],
    *,
    part: Callable[[Shard], str] = lambda shard: shard.part,
    common: Any = None,
    own: Callable[[Shard], Any] | None = None,
    threads: int = 1,
    processes: int = 1,
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
    )


class Engine(Protocol):
    """Something that makes pieces."""

    def made(
        self, work: Work[K], pieces: Sequence[K], corpus: Corpus, progress: Progress
    ) -> Iterator[tuple[K, Mapping[str, Part]]]:
        """Yield pieces with their parts in any order, each once; advances progress when a piece has been taken."""


class LocalEngine:
    """Makes pieces one after the other in this process."""

    def made(
        self, work: Work[K], pieces: Sequence[K], corpus: Corpus, progress: Progress
    ) -> Iterator[tuple[K, Mapping[str, Part]]]:
        """Yield pieces with their parts, in order."""
        with TextWorkers(work.processes) as workers:
            for piece in pieces:
                progress.check()
                told = [0]

                def advance(rows: int, told: list[int] = told) -> None:
                    told[0] += rows
                    progress.advance(rows)

                own = None if work.own is None else work.own(piece)
                given = PieceInput(corpus, work.common, own, work.threads, progress.check, advance, workers.map)
                yield piece, work.make(piece, given)
                progress.advance(max(0, work.rows(piece) - told[0]))

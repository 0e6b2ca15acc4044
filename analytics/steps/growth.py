"""Corpora that grow: rows that an earlier analysis has measured are taken over, all others are made.

A unit is a block of rows of one file: a row group, a block of lines, or one file of text. Equal units of two corpora
have equal rows in the parts of works that are made row by row, so a new part is joined from slices of known parts and
from what the engine makes of the other units. The bytes are those of a part that is made at once. A part whose units
are those of a known part, in the same order, is linked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.steps.engine import Engine, Work
from tamis.analytics.steps.row_by_row import Parts, RowByRow
from tamis.analytics.steps.text_processes import processes_for
from tamis.data.artifact_writer import ArtifactWriter
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.errors import StoreError
from tamis.data.formats import ONE_EACH, Mark
from tamis.data.hashing import canonical_json, digest
from tamis.data.known_parts import KnownParts, KnownSet, Layout
from tamis.data.opening import READER_VERSION, OpenedFile
from tamis.data.parquet import read_parquet
from tamis.data.parts import CONVENTION
from tamis.data.progress import Progress
from tamis.data.schema import as_json
from tamis.data.shards import Piece, Shard

_KEY = pa.binary(16)


@dataclass(frozen=True)
class Segment:
    """Consecutive units of a shard that come from one place.

    Attributes:
        first, last: its units, ``last`` exclusive, by number in the layout.
        known: what has them, None for units to make.
        shard: the shard of the known part.
        start, stop: rows of the known part, ``stop`` exclusive.
    """

    first: int
    last: int
    known: KnownSet | None = None
    shard: int = -1
    start: int = 0
    stop: int = 0


@dataclass(frozen=True, eq=False)
class Units:
    """The units of an opened corpus.

    Attributes:
        corpus: the corpus.
    """

    corpus: Corpus

    @cached_property
    def _all(self) -> list[tuple[int, int, Mark]]:
        """Return shard, file and rows of each unit."""
        found = []
        for shard in self.corpus.shards():
            for piece in shard.pieces:
                for mark in piece.marks:
                    opened = self.corpus.opened[piece.file]
                    own = _texts_of(opened, mark) if opened.format in ONE_EACH else [mark]
                    found += [(shard.index, piece.file, each) for each in own]
        return found

    @cached_property
    def _rows(self) -> Layout:
        keys = [_file_key(opened) for opened in self.corpus.opened]
        shard = np.empty(len(self._all), dtype=np.int32)
        row, rows = (np.empty(len(self._all), dtype=np.int64) for _ in range(2))
        files = []
        for at, (number, file, mark) in enumerate(self._all):
            opened = self.corpus.opened[file]
            texts = opened.format in ONE_EACH
            shard[at], row[at], rows[at] = number, 0 if texts else mark.row, mark.rows
            files.append(_text_key(opened, mark.row) if texts else keys[file])
        return Layout(shard, pa.array(files, _KEY), row, rows, rows)

    def layout(self, documents: Documents | None) -> Layout:
        """Return the units with the documents of each; without documents with its rows."""
        if documents is None:
            return self._rows
        ends = np.cumsum(self._rows.rows)
        errors = np.sort(documents.errors.column("position").to_numpy())
        up_to = np.searchsorted(errors, ends)
        return replace(self._rows, made=self._rows.rows - np.diff(up_to, prepend=0))

    def cut(self, shard: Shard, first: int, last: int) -> Shard:
        """Return the units from ``first`` to ``last``, exclusive, as a shard with the number of theirs."""
        begin = int(self._rows.shard_starts[shard.index])
        before = int(self._rows.rows[begin:first].sum())
        pieces: dict[int, list[Mark]] = {}
        for _, file, mark in self._all[first:last]:
            own = pieces.setdefault(file, [])
            if own and self.corpus.opened[file].format in ONE_EACH:
                own[-1] = replace(own[-1], rows=own[-1].rows + 1, bytes=own[-1].bytes + mark.bytes)
            else:
                own.append(mark)
        held = tuple(Piece(file, tuple(marks)) for file, marks in pieces.items())
        rows = sum(piece.rows for piece in held)
        size = sum(mark.bytes for piece in held for mark in piece.marks)
        return Shard(shard.index, shard.first + before, rows, size, held)


def _texts_of(opened: OpenedFile, mark: Mark) -> list[Mark]:
    """Return a mark for each file of text."""
    texts = enumerate(opened.probe.documents[mark.row : mark.row + mark.rows], mark.row)
    return [Mark(row, 1, row, text.bytes) for row, text in texts]


def _file_key(opened: OpenedFile) -> bytes:
    """Return 16 bytes that name the content of a file and how it is cut into rows."""
    probe = opened.probe
    marks = [[mark.row, mark.rows] for mark in probe.marks] if opened.format not in ONE_EACH else []
    told = [*opened.content, list(probe.recoded), probe.maker, probe.rows, marks]
    return blake2b(canonical_json(told), digest_size=16).digest()


def _text_key(opened: OpenedFile, row: int) -> bytes:
    text = opened.probe.documents[row]
    told = [opened.format, text.name, text.sha256, opened.content[3:]]
    if opened.probe.beside is not None:
        told.append(as_json(opened.probe.beside.slice(row, 1).to_pylist()[0]))
    return blake2b(canonical_json(told), digest_size=16).digest()


def reading_of(corpus: Corpus, columns: Sequence[str]) -> dict[str, object]:
    """Return what the rows that a work reads depend on besides their files."""
    heads = sorted({corpus.head(path) for path in (*corpus.shape.paths, *columns)})
    return {
        "reader": READER_VERSION,
        "text": corpus.roles.text,
        "parts": CONVENTION,
        "types": {head: str(corpus.schema.field(head).type) for head in heads},
        "columns": list(columns),
    }


@dataclass(eq=False)
class Growth:
    """Takes over known parts during one analysis, and records the new ones after each step.

    Attributes:
        known: the records of the store.
        corpus: the corpus, in any scope.
    """

    known: KnownParts
    corpus: Corpus
    _records: list[tuple[str, KnownSet]] = field(default_factory=list)
    _layouts: dict[bool, tuple[Layout, str]] = field(default_factory=dict)

    @cached_property
    def units(self) -> Units:
        """Return the units of the corpus."""
        return Units(self.corpus)

    def layout(self, documents: Documents | None) -> tuple[Layout, str]:
        """Return the layout of rows, or of documents, and its name in the store."""
        if (documents is None) not in self._layouts:
            made = self.units.layout(documents)
            self._layouts[documents is None] = made, self.known.put_layout(made)
        return self._layouts[documents is None]

    def filling(
        self, work: Work[Shard], rows: RowByRow, corpus: Corpus, out: ArtifactWriter, documents: Documents | None
    ) -> _Filling:
        """Return the filling of the parts of a work."""
        layout, layout_name = self.layout(None if rows.every_row else documents)
        own = {"part": rows.name, "content": rows.content, "every_row": rows.every_row}
        key = self.key(out, corpus, own, rows.columns)
        return _Filling(self, work, rows, corpus, out, layout, layout_name, key)

    def key(self, out: ArtifactWriter, corpus: Corpus, own: Mapping[str, Any], columns: Sequence[str] = ()) -> str:
        """Return the name of a work of a step, whatever the corpus.

        Args:
            out: of the step.
            corpus: as the step reads it.
            own: what the work depends on besides the parameters of the step, and its name in the step.
            columns: paths of the columns that it reads besides the text.
        """
        told = {name: out.ingredients[name] for name in ("step", "version", "params")}
        return digest([told, own, reading_of(corpus, columns)])

    def note_whole(self, key: str, out: ArtifactWriter, names: Sequence[str], documents: Documents) -> None:
        """Remember parts that belong to all shards together; they are recorded as those of shard 0."""
        _, layout = self.layout(documents)
        self._records.append((key, KnownSet(out.digest, layout, {0: tuple(map(out.part, names))})))

    def arrays(self, known: KnownSet, shard: int) -> list[NDArray[Any]] | None:
        """Return the arrays that a set has of a shard, None if one is gone or damaged."""
        found = self.read(known, shard)
        return None if any(isinstance(each, pa.Table) for each in found or ()) else found

    def read(self, known: KnownSet, shard: int) -> list[Any] | None:
        """Return the parts that a set has of a shard, arrays mapped into memory; None if one is gone or damaged."""
        parts: list[Any] = []
        for part in known.parts.get(shard, ()):
            path = self.known.path(known, part)
            if path is None:
                return None
            try:
                parts.append(read_parquet(path) if part.kind == "table" else np.load(path, mmap_mode="r"))
            except (OSError, StoreError, ValueError):
                return None
        return parts or None

    def note(self, filling: _Filling) -> None:
        """Remember the parts of a filled work; they are recorded when their artifact is complete."""
        parts = {shard.index: tuple(map(filling.out.part, filling.work.parts(shard))) for shard in filling.work.pieces}
        self._records.append((filling.key, KnownSet(filling.out.digest, filling.layout_name, parts)))

    def record(self) -> None:
        """Record the parts noted since the last call, whose artifact is now complete."""
        for key, known in self._records:
            self.known.add(key, known)
        self._records.clear()


@dataclass(eq=False)
class _Filling:
    """Fills the parts of one work.

    Attributes:
        growth: of the analysis.
        work: the work, whose pieces are shards.
        rows: how its parts are cut and joined.
        corpus: as the step reads it.
        out: receives the parts.
        layout: of the corpus.
        layout_name: its name in the store.
        key: names the work, whatever the corpus.
    """

    growth: Growth
    work: Work[Shard]
    rows: RowByRow
    corpus: Corpus
    out: ArtifactWriter
    layout: Layout
    layout_name: str
    key: str
    _read: tuple[tuple[str, int], Parts | None] | None = None

    def run(self, todo: Sequence[Shard], engine: Engine, progress: Progress) -> list[Shard]:
        """Fill the parts that hold known units; return the shards that have none."""
        sets = self.growth.known.sets(self.key)
        if not sets:
            return list(todo)
        plans = {shard.index: plan for shard, plan in zip(todo, self._plans(todo, sets), strict=True)}
        none = {shard for shard, plan in plans.items() if all(each.known is None for each in plan)}
        untouched = [shard for shard in todo if shard.index in none]
        wanted = [(shard, plans[shard.index]) for shard in todo if shard.index not in none]
        made = self._made(wanted, engine, progress)
        for shard, fresh in made:
            progress.check()
            if not self._take(shard, plans[shard.index], fresh):
                untouched.append(shard)
        return untouched

    def _plans(self, todo: Sequence[Shard], sets: Sequence[KnownSet]) -> Iterator[list[Segment]]:
        """Yield the segments of each shard."""
        layouts = [self.growth.known.layout(known.layout) for known in sets]
        source = np.full(len(self.layout), -1)
        unit = np.full(len(self.layout), -1)
        for number, layout in enumerate(layouts):
            if layout is None or (source >= 0).all():
                continue
            found = np.where(source < 0, self.layout.find(layout), -1)
            source[found >= 0], unit[found >= 0] = number, found[found >= 0]
        for shard in todo:
            first, last = self.layout.shard_starts[shard.index : shard.index + 2].tolist()
            yield [
                self._segment(start, stop, sets, layouts, source, unit)
                for start, stop in pairwise(_cuts(first, last, source, unit, layouts))
            ]

    def _segment(
        self,
        first: int,
        last: int,
        sets: Sequence[KnownSet],
        layouts: Sequence[Layout | None],
        source: NDArray[np.int64],
        unit: NDArray[np.int64],
    ) -> Segment:
        number = int(source[first])
        layout = layouts[number] if number >= 0 else None
        if layout is None:
            return Segment(first, last)
        begin = int(unit[first])
        start = int(layout.places[begin])
        rows = int(layout.made[begin : begin + last - first].sum())
        return Segment(first, last, sets[number], int(layout.shard[begin]), start, start + rows)

    def _made(
        self, wanted: Sequence[tuple[Shard, list[Segment]]], engine: Engine, progress: Progress
    ) -> Iterator[tuple[Shard, dict[int, Parts]]]:
        """Yield shards with their parts that are made, by the first unit of each."""
        owner: dict[tuple[int, int], tuple[Shard, int]] = {}
        pieces, waiting = [], {}
        for shard, plan in wanted:
            fresh = [each for each in plan if each.known is None]
            progress.advance(shard.rows - int(sum(self.layout.rows[each.first : each.last].sum() for each in fresh)))
            if not fresh:
                yield shard, {}
                continue
            waiting[shard.index] = len(fresh)
            for each in fresh:
                piece = self.growth.units.cut(shard, each.first, each.last)
                owner[piece.index, piece.first] = shard, each.first
                pieces.append(piece)
        held: dict[int, dict[int, Parts]] = {}
        processes = min(self.work.processes, processes_for(sum(piece.bytes for piece in pieces)))
        work = replace(self.work, processes=processes)
        for piece, parts in engine.made(work, pieces, self.corpus, progress):
            shard, first = owner[piece.index, piece.first]
            own = held.setdefault(shard.index, {})
            own[first] = tuple(parts[name] for name in work.parts(shard))
            if len(own) == waiting[shard.index]:
                yield shard, held.pop(shard.index)

    def _take(self, shard: Shard, plan: list[Segment], fresh: dict[int, Parts]) -> bool:
        """Write the parts of a shard; return False if they cannot be told from what is known."""
        if len(plan) == 1 and self._link(shard, plan[0]):
            return True
        several = [fresh[each.first] if each.known is None else self._cut(each) for each in plan]
        found = [each for each in several if each is not None]
        whole = self.rows.join(found) if len(found) == len(several) else None
        if whole is None:
            return False
        for name, value in zip(self.work.parts(shard), whole, strict=True):
            if isinstance(value, pa.Table):
                self.out.write_table(name, value)
            else:
                self.out.write_array(name, value)
        return True

    def _link(self, shard: Shard, only: Segment) -> bool:
        """Link the parts of a shard to known ones of the same units."""
        if only.known is None or only.shard not in only.known.parts:
            return False
        layout = self.growth.known.layout(only.known.layout)
        if layout is None or layout.shard_starts[only.shard + 1] - layout.shard_starts[only.shard] != (
            only.last - only.first
        ):
            return False
        parts = only.known.parts[only.shard]
        sources = [self.growth.known.path(only.known, part) for part in parts]
        names = self.work.parts(shard)
        if any(source is None for source in sources) or len(names) != len(parts):
            return False
        for name, source, part in zip(names, sources, parts, strict=True):
            if source is not None:
                self.out.link_part(name, source, part)
        return True

    def _cut(self, segment: Segment) -> Parts | None:
        """Return the rows of a segment from its known part."""
        if segment.known is None:
            return None
        # A new file moves the borders of shards behind it: two of them in turn need the same known part.
        place = segment.known.artifact, segment.shard
        if self._read is None or self._read[0] != place:
            parts = self.growth.read(segment.known, segment.shard)
            self._read = place, None if parts is None else tuple(parts)
        held = self._read[1]
        return None if held is None else self.rows.cut(held, segment.start, segment.stop)


def _cuts(
    first: int, last: int, source: NDArray[np.int64], unit: NDArray[np.int64], layouts: Sequence[Layout | None]
) -> list[int]:
    """Return where segments begin among the units ``first`` to ``last``, and ``last``."""
    own, places = source[first:last], unit[first:last]
    same = (own[1:] == own[:-1]) & ((own[1:] < 0) | (places[1:] == places[:-1] + 1))
    for number in np.unique(own[own >= 0]).tolist():
        layout = layouts[number]
        mine = np.flatnonzero((own[1:] == number) & same)
        if layout is not None:
            same[mine] &= layout.shard[places[mine + 1]] == layout.shard[places[mine]]
    return [first, *(first + 1 + np.flatnonzero(~same)).tolist(), last]

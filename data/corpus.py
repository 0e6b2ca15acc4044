"""A corpus: files of rows with a text column, read in place, never copied or changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.data.batch_parts import read_batch
from tamis.data.errors import CorpusError, RoleError
from tamis.data.formats import Cut, join_batches
from tamis.data.nearest import did_you_mean
from tamis.data.opening import (
    LeftOut,
    OnBad,
    OpenedFile,
    sample_values,
)
from tamis.data.parts import Parts
from tamis.data.path_columns import ORIGINS
from tamis.data.paths import Pieces, find_path
from tamis.data.picture_source import read_batches, with_named_pictures
from tamis.data.repair import Repairs
from tamis.data.roles import ROLES, Roles, find_roles
from tamis.data.rowcache import RowCache
from tamis.data.schema import at_path, conform, field_of, paths
from tamis.data.shapes import Shape
from tamis.data.shards import Shard, cut_shards
from tamis.data.source_files import SourceFile, fingerprint_of, text_fingerprint_of
from tamis.data.source_schema import source_schema

if TYPE_CHECKING:
    from tamis.data.documents import Documents

__all__ = ["Corpus", "Roles", "Shard", "SourceFile"]

Rows = NDArray[np.int64] | Sequence[int]
_THREADS = 4


@dataclass(frozen=True, eq=False)
class Corpus:
    """Files of rows, opened in place by ``open_corpus``.

    Attributes:
        root: folder the files lie in.
        name: short name for people.
        files: sorted by sha256, so that nothing depends on file names or their order.
        schema: union of the files' schemas, columns sorted by name.
        roles: columns by meaning.
        rows: rows of all files.
        fingerprint: sha256 over the files' contents and the roles.
        text_fingerprint: the same over the text and id roles only; everything computed from texts depends on it.
        notes: differences between the files and files left out, one sentence each.
        path: what was opened, absolute, so that another process can open the same.
        explicit_roles: all roles as ``open_corpus`` takes them, roles without a column as empty paths.
        on_bad_file: ``fail`` or ``skip``, as given to ``open_corpus``.
        by_hand: roles that a person chose; a fault in one of them is an error.
        labels: names of the labels 0, 1, ... by path of the column, where the files state them and agree.
        uuids: top-level columns that are UUIDs in every file that has them; they are read as text.
        on_bad_line: the same for lines.
        left_out: files and lines that were left out.
        unreadable: int64, source positions of the rows that are known to be no documents although their columns do not
            tell, ascending; of pictures those that cannot be decoded. Their texts are NULL.
    """

    root: str
    name: str
    files: tuple[SourceFile, ...]
    schema: pa.Schema
    roles: Roles
    rows: int
    fingerprint: str
    text_fingerprint: str
    notes: tuple[str, ...] = ()
    path: str = ""
    on_bad_file: OnBad = "fail"
    on_bad_line: OnBad = "fail"
    left_out: tuple[LeftOut, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    uuids: frozenset[str] = frozenset()
    by_hand: frozenset[str] = frozenset()
    unreadable: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64), repr=False)
    _opened: tuple[OpenedFile, ...] = field(default=(), repr=False)
    _cache: RowCache = field(default_factory=RowCache, repr=False)

    def without(self, positions: NDArray[np.int64]) -> Corpus:
        """Return the corpus that knows of rows that are no documents, source positions int64 (m,)."""
        return replace(self, unreadable=np.sort(positions.astype(np.int64)))

    def shards(self) -> tuple[Shard, ...]:
        """Return the shards, in source order."""
        return self._shards

    @property
    def explicit_roles(self) -> dict[str, str]:
        """Return every role with its path, empty where no column has it: opening with these skips detection."""
        return {role: self.roles.known().get(role, "") for role in ROLES}

    @property
    def path_columns(self) -> tuple[str, ...]:
        """Return the columns taken from paths, sorted by name."""
        return tuple(sorted({name for file in self.files for name in file.path_values}))

    @property
    def origins(self) -> tuple[str, ...]:
        """Return the columns of paths that state where a row was found; they are written only on request."""
        return tuple(name for name in self.path_columns if name in ORIGINS)

    @property
    def opening(self) -> dict[str, Any]:
        """Return the other arguments of ``open_corpus``, without path and roles, as JSON values."""
        columns = list(self.path_columns)
        return {"on_bad_file": self.on_bad_file, "on_bad_line": self.on_bad_line, "path_columns": columns}

    @cached_property
    def source_schema(self) -> pa.Schema:
        """Return the columns with the types, order and features that they have in the files."""
        return source_schema(self.schema, self._opened)

    @property
    def opened(self) -> tuple[OpenedFile, ...]:
        """Return the files as they were opened, in the order of ``files``."""
        return self._opened

    @cached_property
    def shape(self) -> Shape:
        """Return how rows become documents."""
        return Shape.parse(self.roles.text) or Shape.of_text(self.roles.text)

    def sampled(self, paths: Sequence[str]) -> Mapping[str, Sequence[str | None]]:
        """Return the first values of columns in the largest files; see ``opening.sample_values``."""
        return sample_values(self._opened, paths)

    @property
    def role_columns(self) -> frozenset[str]:
        """Return the columns that have a role, each column of the shape among them."""
        roles = {path for role, path in self.roles.known().items() if role != "text"}
        return frozenset({*roles, *self.shape.columns.values(), *self.shape.paths})

    @cached_property
    def places(self) -> Mapping[str, Pieces]:
        """Return the names that lead to each column of the shape."""
        return {path: self._place(path) for path in self.shape.paths}

    def in_scope(self, scope: str) -> Corpus:
        """Return the same documents with only the parts of a scope as their texts; a text may be empty.

        Raises:
            SettingError: there is no such scope.
        """
        return replace(self, roles=replace(self.roles, text=self.shape.in_scope(scope).spec))

    @cached_property
    def _shards(self) -> tuple[Shard, ...]:
        return cut_shards([opened.probe.marks for opened in self._opened])

    def batches(
        self,
        shard: Shard,
        *,
        columns: Sequence[str] | None = None,
        max_rows: int = 8192,
        max_bytes: int = 16 << 20,
        repairs: Repairs | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a shard in source order.

        Args:
            shard: one of ``shards()``.
            columns: columns or paths (``data/paths.py``), in the requested order; None for all of ``schema``.
            max_rows: maximum rows per batch.
            max_bytes: maximum decoded bytes per batch, unless a single row is larger.
            repairs: counter, by column, of rows whose text was not valid Unicode.

        Raises:
            CorpusError: a file is damaged or was changed since the corpus was opened.
            RoleError: unknown column.
        """
        labels = list(self.schema.names if columns is None else columns)
        places: list[Pieces] = (
            [(name,) for name in labels] if columns is None else [self._wanted(path) for path in labels]
        )
        counted = Repairs() if repairs is None else repairs
        found = self._batches(shard, labels, places, (max_rows, max_bytes), counted)
        # Work per batch must not become work per file when files are small.
        joined = found if len(shard.pieces) == 1 else join_batches(found, max_rows=max_rows, max_bytes=max_bytes)
        text = next((at for at, place in enumerate(places) if not place), None)
        yield from joined if text is None or not self._errs(shard) else self._without_texts(joined, shard, text)

    def _errs(self, shard: Shard) -> bool:
        """Return whether a row of a shard is known to be no document."""
        begin, end = np.searchsorted(self.unreadable, (shard.first, shard.first + shard.rows))
        return bool(end > begin)

    def _sound(self, first: int, rows: int) -> NDArray[np.bool_]:
        """Return which of some consecutive rows are not known to be no document, bool (rows,)."""
        sound = np.ones(rows, dtype=np.bool_)
        begin, end = np.searchsorted(self.unreadable, (first, first + rows))
        sound[self.unreadable[begin:end] - first] = False
        return sound

    def _without_texts(self, batches: Iterator[pa.RecordBatch], shard: Shard, text: int) -> Iterator[pa.RecordBatch]:
        """Yield the batches with NULL for the texts of unreadable rows."""
        first = shard.first
        for batch in batches:
            sound = pa.array(self._sound(first, batch.num_rows))
            texts = pc.if_else(sound, batch.column(text), pa.scalar(None, pa.large_string()))
            yield batch.set_column(text, batch.schema.field(text), texts)
            first += batch.num_rows

    def _batches(
        self, shard: Shard, labels: Sequence[str], places: Sequence[Pieces], most: tuple[int, int], repairs: Repairs
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a shard file by file, in batches of limited rows and bytes."""
        heads = [name for place in places for name in self._heads(place)]
        for piece in shard.pieces:
            opened = self._opened[piece.file]
            opened.check_unchanged()
            wanted = tuple(dict.fromkeys(head for head in heads if head in opened.names))
            rows = 0
            for batch in opened.read(Cut(piece.marks, wanted, *most), repairs):
                rows += batch.num_rows
                yield self._select(batch, labels, places)
            if rows != piece.rows:
                raise CorpusError(f"{opened.name} was changed since the corpus was opened", fix="open the corpus again")

    def texts(self, shard: Shard, *, max_rows: int = 8192, max_bytes: int = 16 << 20) -> Iterator[pa.Array]:
        """Yield the text column of a shard, large_string, NULL where a row has no text."""
        for batch in self.batches(shard, columns=[self.roles.text], max_rows=max_rows, max_bytes=max_bytes):
            yield batch.column(0)

    def parts(self, batch: pa.RecordBatch | pa.Table) -> Parts:
        """Return the parts of whole rows, as ``batches`` or ``take`` give them, or of the columns of the shape.

        Raises:
            SettingError: plain text has no parts.
        """
        columns = {path: _whole_array(at_path(batch, path)) for path in self.shape.paths}
        return read_batch(self.shape, columns, self.places, batch.num_rows)

    def texts_of(self, batch: pa.RecordBatch | pa.Table) -> pa.Array:
        """Return the texts of whole rows, large_string (n,), NULL where a row is no document."""
        if self.shape.kind == "text":
            return _whole_array(at_path(batch, self.roles.text))
        return self.shape.join(self.parts(batch))

    def document_texts(self, shard: Shard, *, max_rows: int = 8192, max_bytes: int = 16 << 20) -> Iterator[pa.Array]:
        """Yield the texts of the documents of a shard, large_string without NULL, aligned with an artifact's part."""
        for texts in self.texts(shard, max_rows=max_rows, max_bytes=max_bytes):
            yield texts.drop_null() if texts.null_count else texts

    def document_parts(
        self, shard: Shard, *, columns: Sequence[str] = (), max_rows: int = 8192, max_bytes: int = 16 << 20
    ) -> Iterator[tuple[Parts, pa.RecordBatch]]:
        """Yield the parts of the documents of a shard, aligned with an artifact's part, and further columns of them.

        Args:
            shard: one of ``shards()``.
            columns: further columns of the corpus, by path.
            max_rows: maximum rows per batch.
            max_bytes: maximum decoded bytes per batch.
        """
        wanted = list(dict.fromkeys([*self.shape.paths, *columns]))
        first = shard.first
        for batch in self.batches(shard, columns=wanted, max_rows=max_rows, max_bytes=max_bytes):
            held = dict(zip(wanted, batch.columns, strict=True))
            parts = read_batch(self.shape, held, self.places, batch.num_rows)
            further = batch.select(list(columns))
            known = self._sound(first, batch.num_rows)
            first += batch.num_rows
            if parts.reasons.null_count < len(parts) or not known.all():
                sound = parts.reasons.is_null().to_numpy(zero_copy_only=False) & known
                further = further.filter(pa.array(sound))
                parts = parts.take(np.flatnonzero(sound))
            yield parts, further

    def picture_batches(
        self, shard: Shard, *, columns: Sequence[str] = (), max_rows: int = 256, max_bytes: int = 64 << 20
    ) -> Iterator[tuple[pa.Array, pa.RecordBatch]]:
        """Yield the encoded pictures of all rows of a shard in source order, and further columns of them.

        The first is large_binary (n,), NULL where a row has no picture or its file is missing.

        Args:
            shard: one of ``shards()``.
            columns: further columns of the corpus, by path.
            max_rows: maximum rows per batch.
            max_bytes: maximum encoded bytes per batch, unless a single picture is larger.

        Raises:
            CorpusError: a file was changed since the corpus was opened.
        """
        for batch in read_batches(self, shard, columns=columns, max_rows=max_rows, max_bytes=max_bytes):
            yield batch.encoded, batch.rows

    def document_pictures(
        self, shard: Shard, *, columns: Sequence[str] = (), max_rows: int = 256, max_bytes: int = 64 << 20
    ) -> Iterator[tuple[pa.Array, pa.RecordBatch]]:
        """Yield the same of the documents of a shard, aligned with an artifact's part; the corpus knows its errors."""
        first = shard.first
        limits = {"max_rows": max_rows, "max_bytes": max_bytes}
        for pictures, rows in self.picture_batches(shard, columns=columns, **limits):
            kept = pa.array(self._sound(first, len(pictures)))
            first += len(pictures)
            yield pictures.filter(kept), rows.filter(kept)

    def column_at(self, positions: NDArray[np.int64], path: str) -> pa.Array:
        """Return one column at source positions, (m,)."""
        return _whole_array(at_path(self.take(positions, columns=[self.head(path)]), path))

    def fetch(self, documents: Documents, rows: Rows, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the source rows of a few documents by facts row, in the requested order; see ``take``.

        Raises:
            CorpusError: a file is damaged or was changed since the corpus was opened.
        """
        return self.take(documents.order[np.asarray(rows, dtype=np.int64)], columns=columns)

    def take(self, positions: Rows, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows at source positions (0 is the first row of the first file), in the requested order.

        Args:
            positions: int64 (m,).
            columns: top-level columns; None for all. Others, such as pictures, are then not read.
        """
        wanted = np.asarray(positions, dtype=np.int64)
        if len(wanted) and not (wanted.min() >= 0 and wanted.max() < self.rows):
            raise CorpusError("Source position out of range", value=int(wanted.max()), allowed=f"0 to {self.rows - 1}")
        starts = np.cumsum([0, *(file.rows for file in self.files)])
        files = np.searchsorted(starts, wanted, side="right") - 1
        if not len(wanted):
            return self._whole(self.schema.empty_table(), columns)
        places = [np.flatnonzero(files == file) for file in np.unique(files)]

        def read(mine: NDArray[np.int64]) -> pa.Table:
            file = int(files[mine[0]])
            opened = self._opened[file]
            opened.check_unchanged()
            return self._whole(self._cache.rows(opened, file, wanted[mine] - starts[file], columns=columns), columns)

        with ThreadPoolExecutor(_THREADS) as threads:
            pieces = list(threads.map(read, places))
        back = np.argsort(np.concatenate(places), kind="stable")
        return pa.concat_tables(pieces).take(pa.array(back)).combine_chunks()

    def with_roles(self, roles: Mapping[str, str]) -> Corpus:
        """Return the same corpus with some roles changed by hand; an empty path removes a role.

        Raises:
            RoleError: unknown role or column, or a column of the wrong type.
        """
        given = {**self.explicit_roles, **dict(roles)}
        picked = find_roles(self.schema, given, samples=partial(sample_values, self._opened))
        for opened in self._opened:
            opened.check_text(needed_text(picked))
        prints = fingerprint_of(self.files, picked), text_fingerprint_of(self.files, picked)
        changed = replace(self, roles=picked, fingerprint=prints[0], text_fingerprint=prints[1])
        return with_named_pictures(changed)

    def verify(self) -> None:
        """Hash every file again.

        Raises:
            CorpusError: a file has changed since the corpus was opened; the message names the first one.
        """
        for opened in self._opened:
            opened.verify()

    def head(self, path: str) -> str:
        """Return the top-level column that holds a dotted path; raises ``RoleError`` when there is none."""
        return self._place(path)[0]

    def _place(self, path: str) -> Pieces:
        """Return the column and the fields below it that a path names."""
        place = find_path(self.schema, path)
        if place is None:
            known = paths(self.schema)
            raise RoleError("The corpus has no such column", value=path, allowed=known, fix=did_you_mean(path, known))
        return place

    def _wanted(self, path: str) -> Pieces:
        """Return the place of a column; of the text of a shape, no place."""
        return () if path == self.roles.text and self.shape.kind != "text" else self._place(path)

    def _heads(self, place: Pieces) -> Sequence[str]:
        """Return the top-level columns that a column is made of."""
        return place[:1] or list(dict.fromkeys(names[0] for names in self.places.values()))

    def _select(self, batch: pa.RecordBatch, labels: Sequence[str], places: Sequence[Pieces]) -> pa.RecordBatch:
        whole = {
            head: conform(batch.column(head), self.schema.field(head).type)
            if head in batch.schema.names
            else pa.nulls(batch.num_rows, self.schema.field(head).type)
            for head in dict.fromkeys(head for place in places for head in self._heads(place))
        }
        arrays = [
            field_of(whole[place[0]], place[1:]) if place else self._joined(whole, batch.num_rows) for place in places
        ]
        return pa.RecordBatch.from_arrays(arrays, names=list(labels)) if arrays else batch

    def _joined(self, whole: Mapping[str, pa.Array], rows: int) -> pa.Array:
        """Return the texts of rows from their columns."""
        columns = {path: field_of(whole[place[0]], place[1:]) for path, place in self.places.items()}
        return self.shape.join(read_batch(self.shape, columns, self.places, rows))

    def _whole(self, table: pa.Table, columns: Sequence[str] | None = None) -> pa.Table:
        batches = table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema=table.schema)]
        names = self.schema.names if columns is None else list(columns)
        return pa.Table.from_batches(
            [self._select(batch, names, [(name,) for name in names]) for batch in batches]
        ).cast(pa.schema([self.schema.field(name) for name in names]))


def _whole_array(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def needed_text(roles: Roles) -> str | None:
    """Return the column of text that every file must have, None where a shape reads several."""
    return roles.text if Shape.parse(roles.text) is None else None

"""The documents of a corpus, sorted by an id that does not depend on where a row is stored.

The id is the user's id column when it is unique and never NULL; else the 128-bit hash of the text and an ordinal among
exact twins. Twins are ordered by the content of their whole row, so neither row order, nor shard layout, nor file
format changes any id. "Facts row" means the index of a document in the order of sorted ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.data.artifact import Artifact
from tamis.data.errors import RoleError, StoreError
from tamis.data.hashing import key64

if TYPE_CHECKING:
    from tamis.data.corpus import Corpus

PREFIX = "part-"
EVERY_ROW = "every_row"
"""Fact of an artifact whose parts have a row per source row, rows with errors included."""

NOT_ID = " is not used as id: "
"""Words of the note that says why a column is not the id."""

_BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class Documents:
    """Ids and places of all documents, sorted by id (bytewise).

    Attributes:
        ids: string (n,), ascending, unique.
        order: int64 (n,), source position of each document: its row counted over all files.
        shard: int32 (n,), shard that holds the row.
        row_in_shard: int32 (n,), its row within the shard, errors included.
        bytes: int64 (n,), UTF-8 bytes of the text.
        errors: rows that are not documents: position int64, shard int32, row_in_shard int32, reason string.
        id_source: ``column`` or ``text``.
        notes: why the id column was not used, rows repaired.
        repaired: number of texts with bytes or code points that are not Unicode; each of these became U+FFFD.
        texts: sha256 of all texts' hashes in id order: equal texts give equal digests, whatever the files.
        digest: of the artifact.
    """

    ids: pa.Array
    order: NDArray[np.int64]
    shard: NDArray[np.int32]
    row_in_shard: NDArray[np.int32]
    bytes: NDArray[np.int64]
    errors: pa.Table
    id_source: str
    notes: tuple[str, ...]
    texts: str
    digest: str
    repaired: int = 0

    @classmethod
    def read(cls, artifact: Artifact) -> Documents:
        """Return the documents stored by the documents step.

        Raises:
            StoreError: the artifact is damaged.
        """
        table = artifact.table("documents")
        columns = {name: table.column(name).combine_chunks() for name in table.column_names}
        return cls(
            ids=columns["id"],
            order=_numbers(columns["order"]),
            shard=_numbers(columns["shard"]),
            row_in_shard=_numbers(columns["row_in_shard"]),
            bytes=_numbers(columns["bytes"]),
            errors=artifact.table("errors"),
            id_source=str(artifact.facts["id_source"]),
            notes=tuple(artifact.facts["notes"]),
            texts=str(artifact.facts["texts"]),
            digest=artifact.digest,
            repaired=int(artifact.facts["repaired"]),
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return the warnings about the texts, one sentence each."""
        if not self.repaired:
            return ()
        texts = "1 text holds" if self.repaired == 1 else f"{self.repaired:,} texts hold"
        return (
            f"{texts} bytes that are not UTF-8 (Latin-1?); each byte is read as U+FFFD: convert the files to keep them",
        )

    def __len__(self) -> int:
        return len(self.order)

    @property
    def n(self) -> int:
        """Return the number of documents."""
        return len(self.order)

    @cached_property
    def part_order(self) -> NDArray[np.int64]:
        """Return the position of each document among all documents in source order, int64 (n,).

        ``values_in_source_order[documents.part_order]`` are the values in facts order.
        """
        errors = np.sort(self.errors.column("position").to_numpy())
        return self.order - np.searchsorted(errors, self.order)

    @cached_property
    def facts_rows(self) -> NDArray[np.int64]:
        """Return the facts row of each document in source order, int64 (n,): the inverse of ``part_order``."""
        rows = np.empty(self.n, dtype=np.int64)
        rows[self.part_order] = np.arange(self.n, dtype=np.int64)
        return rows

    @cached_property
    def keys(self) -> NDArray[np.uint64]:
        """Return ``hashing.key64`` of the ids, uint64 (n,)."""
        keys = np.empty(self.n, dtype=np.uint64)
        for start in range(0, self.n, _BLOCK):
            keys[start : start + _BLOCK] = key64(self.ids.slice(start, _BLOCK).to_pylist())
        return keys

    def rows_of(self, ids: Sequence[str] | pa.Array) -> NDArray[np.int64]:
        """Return the facts row of each id, int64 (m,), -1 for unknown ids."""
        wanted = ids if isinstance(ids, (pa.Array, pa.ChunkedArray)) else pa.array(list(ids), pa.string())
        found = pc.index_in(wanted.cast(self.ids.type), value_set=self.ids)
        return np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)


def check_ids(corpus: Corpus, documents: Documents) -> None:
    """Check an id column that a person chose.

    Raises:
        RoleError: ids are missing or repeated, with counts.
    """
    if "id" in corpus.by_hand and documents.id_source != "column":
        why = " ".join(note.partition(NOT_ID)[2] for note in documents.notes)
        raise RoleError(
            f"Column {corpus.roles.id} cannot be the id: {why.strip()}",
            allowed="ids that are never NULL and differ from each other",
            fix="choose another column, or leave --id out: ids are made of the texts then",
        )


def _numbers(column: pa.Array) -> NDArray[Any]:
    array: NDArray[Any] = column.to_numpy()
    return array


def load_table(
    artifact: Artifact, documents: Documents, *, columns: Sequence[str] | None = None, prefix: str = PREFIX
) -> pa.Table:
    """Return a per-document artifact's parts as one table in facts order, (n,) rows.

    Args:
        artifact: written shard by shard in source order, without the rows with errors unless it states ``EVERY_ROW``.
        documents: the documents of the same corpus.
        columns: columns to read, None for all.
        prefix: prefix of the names of its parts.

    Raises:
        StoreError: the parts do not hold one row per document, or are damaged.
    """
    names = artifact.parts(prefix)
    parts = [artifact.table(name, columns=columns) for name in names]
    rows = sum(part.num_rows for part in parts)
    wanted = documents.n + (documents.errors.num_rows if artifact.facts.get(EVERY_ROW) else 0)
    if not parts or rows != wanted:
        raise StoreError(f"Artifact {artifact.manifest.step} has {rows} rows for {wanted} documents")
    table = pa.concat_tables(parts)
    if artifact.facts.get(EVERY_ROW):
        return table.combine_chunks().take(pa.array(documents.order))
    numbers = {field.name: _ordered(table.column(field.name), documents) for field in table.schema if _is_number(field)}
    others = [name for name in table.column_names if name not in numbers]
    taken = table.select(others).combine_chunks().take(pa.array(documents.part_order)) if others else table
    columns = [numbers[name] if name in numbers else taken.column(name) for name in table.column_names]
    return pa.table(columns, schema=table.schema)


def _is_number(field: pa.Field) -> bool:
    return bool(pa.types.is_integer(field.type) or pa.types.is_floating(field.type))


def _ordered(column: pa.ChunkedArray, documents: Documents) -> pa.Array:
    """Return a column of numbers in facts order; each chunk is read in turn, so that nothing is copied twice."""
    kind = np.dtype(column.type.to_pandas_dtype())
    values = np.empty(documents.n, dtype=kind)
    is_null = np.zeros(documents.n, dtype=np.bool_) if column.null_count else None
    first = 0
    for chunk in column.chunks:
        rows = documents.facts_rows[first : first + len(chunk)]
        if len(chunk):
            values[rows] = np.frombuffer(
                chunk.buffers()[1], dtype=kind, count=len(chunk), offset=chunk.offset * kind.itemsize
            )
        if is_null is not None and chunk.null_count:
            is_null[rows] = chunk.is_null().to_numpy(zero_copy_only=False)
        first += len(chunk)
    return pa.array(values, column.type, mask=is_null)


def load_column(artifact: Artifact, documents: Documents, name: str, *, prefix: str = PREFIX) -> pa.Array:
    """Return one column of a per-document artifact in facts order, (n,). Raises as ``load_table``."""
    return load_table(artifact, documents, columns=[name], prefix=prefix).column(0).combine_chunks()


def load_array(artifact: Artifact, documents: Documents, *, prefix: str = PREFIX) -> NDArray[np.generic]:
    """Return the npy parts of a per-document artifact as one array in facts order, (n, ...).

    The parts are memory-mapped and copied row by row, so the result is the only large allocation.

    Raises:
        StoreError: the parts do not hold one row per document.
    """
    parts = [artifact.array(name, mmap=True) for name in artifact.parts(prefix)]
    rows = sum(len(part) for part in parts)
    if not parts or rows != documents.n:
        raise StoreError(f"Artifact {artifact.manifest.step} has {rows} rows for {documents.n} documents")
    result = np.empty((rows, *parts[0].shape[1:]), dtype=parts[0].dtype)
    first = 0
    for part in parts:
        result[documents.facts_rows[first : first + len(part)]] = part
        first += len(part)
    return result

"""The facts table: one narrow row per document, sorted by id, in memory, and no text.

Every page, every rule and every count reads it. Rows are numbered in id order, so comparing rows compares ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.facts.column_info import ColumnInfo, Role, describe, suggest_column
from tamis.analytics.facts.database import Database, Memo, Source
from tamis.data.errors import RecipeError, StoreError
from tamis.data.hashing import key64
from tamis.data.sql import ident

__all__ = ["ColumnInfo", "Database", "Facts", "Source"]

FEW_ROWS = 2_000
MEMO_BYTES = 512 << 20
MEMO_BYTES_PER_ROW = 1_000
"""About a hundred columns of numbers: what a day on all pages asks for."""


class Facts:
    """The facts of one corpus. Immutable: ``with_column`` returns another view of the same memory.

    Attributes:
        n: number of documents.
        digest: identifies the content; equal digests mean equal content.
        columns: description of each column, in table order.
        corpus: fingerprint of the corpus.
        errors: number of source rows that are not documents (no text, unreadable).
        memo: computed values, valid as long as the digest.
    """

    def __init__(
        self,
        database: Database,
        *,
        n: int,
        digest: str,
        columns: Mapping[str, ColumnInfo],
        corpus: str,
        errors: int,
        extras: Mapping[str, pa.Array],
        memo: Memo,
    ) -> None:
        self._database = database
        self.n, self.digest, self.corpus, self.errors = n, digest, corpus, errors
        self.columns: Mapping[str, ColumnInfo] = dict(columns)
        self._extras = dict(extras)
        self.memo = memo

    @classmethod
    def from_table(
        cls,
        table: pa.Table,
        *,
        digest: str,
        columns: Mapping[str, ColumnInfo] | None = None,
        corpus: str = "",
        errors: int = 0,
        threads: int | None = None,
    ) -> Facts:
        """Load a facts table; see ``from_parts``."""
        return cls.from_parts([table], digest=digest, columns=columns, corpus=corpus, errors=errors, threads=threads)

    @classmethod
    def from_parts(
        cls,
        parts: Iterable[pa.Table],
        *,
        digest: str,
        columns: Mapping[str, ColumnInfo] | None = None,
        corpus: str = "",
        errors: int = 0,
        keys: NDArray[np.uint64] | None = None,
        threads: int | None = None,
    ) -> Facts:
        """Load a facts table that is sorted by its unique ``id`` column; ``row`` is added.

        Args:
            parts: at least one consecutive piece of the table with equal columns; one is held at a time.
            digest: identifies the content.
            columns: descriptions of columns; the others are described by name and type.
            corpus: fingerprint of the corpus.
            errors: source rows that are not documents.
            keys: ``hashing.key64`` of the ids if already computed, uint64 (n,).
            threads: of DuckDB; None for all processors.

        Raises:
            StoreError: no id column, or ids that are not strictly ascending.
        """
        database, loader = Database(threads=threads), _Loader()
        database.load("facts", map(loader.numbered, parts))
        known = dict(columns or {})
        infos = {field.name: known.get(field.name) or describe(field.name, field.type) for field in loader.schema}
        facts = cls(
            database,
            n=loader.rows,
            digest=digest,
            columns=infos,
            corpus=corpus,
            errors=errors,
            extras={},
            memo=Memo(max(MEMO_BYTES, MEMO_BYTES_PER_ROW * loader.rows)),
        )
        if keys is not None:
            facts.memo.keep(("keys", digest), keys)
        return facts

    @property
    def spilled(self) -> int:
        """Return the number of bytes spilled to disk."""
        return self._database.spilled

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"Facts({self.n} documents, {len(self.columns)} columns, {self.digest[:12]})"

    @property
    def ids(self) -> pa.Array:
        """Return the document ids, ascending, pa string (n,)."""
        return self.array("id")

    @property
    def keys(self) -> NDArray[np.uint64]:
        """Return ``hashing.key64`` of the ids, uint64 (n,)."""
        found = self.memo.get(("keys", self.digest))
        return self.memo.keep(("keys", self.digest), key64(self.ids.to_pylist())) if found is None else found

    def info(self, name: str) -> ColumnInfo:
        """Return the description of a column.

        Raises:
            RecipeError: unknown column; the message lists the known ones.
        """
        if name not in self.columns:
            raise RecipeError(
                "Unknown column", value=name, allowed=self.columns, fix=suggest_column(name, self.columns)
            )
        return self.columns[name]

    def named(self, *, role: Role | None = None, numeric: bool = False) -> tuple[ColumnInfo, ...]:
        """Return the columns of one role, or all numeric ones, in table order."""
        return tuple(
            info
            for info in self.columns.values()
            if (role is None or info.role == role) and (info.numeric or not numeric)
        )

    def source(self, columns: Iterable[str] = (), *, also: Mapping[str, Any] | None = None) -> Source:
        """Return the source for a FROM clause that reads these columns, rows in id order.

        Args:
            columns: the columns that the statement reads; values of measured columns are included.
            also: row-aligned arrays (n,) that the statement reads under these names, for example masks.
        """
        arrays = {name: self._extras[name] for name in sorted(set(columns)) if name in self._extras}
        arrays.update({name: pa.array(values) for name, values in (also or {}).items()})
        tables = {f"beside_{k}": pa.table({name: values}) for k, (name, values) in enumerate(arrays.items())}
        return Source(" POSITIONAL JOIN ".join(["facts", *tables]), tables)

    def query(self, sql: str, source: Source | None = None) -> pa.Table:
        """Run one statement on its own cursor and return the rows."""
        return self._database.query(sql, source.tables if source else {})

    def table(self, columns: Sequence[str], rows: NDArray[np.int64] | None = None) -> pa.Table:
        """Return some columns, of all rows in id order or of the given facts rows in the order given."""
        for name in columns:
            if name != "row":
                self.info(name)
        listed = ", ".join(ident(name) for name in columns)
        if columns and rows is not None and len(rows) <= FEW_ROWS:
            ascending, back = np.unique(rows, return_inverse=True)
            chosen = ", ".join(map(str, ascending.tolist())) or "NULL"
            source = self.source(columns)
            sql = f"SELECT {listed} FROM {source} WHERE row IN ({chosen}) ORDER BY row"
            return self.query(sql, source).take(pa.array(back)).combine_chunks()
        whole = pa.table({name: self.array(name) for name in columns})
        all_rows = rows is None or (len(rows) == self.n and bool(np.all(rows[1:] > rows[:-1])))
        return whole if all_rows or not columns else whole.take(pa.array(rows))

    def array(self, name: str) -> pa.Array:
        """Return one column of all rows as a single Arrow array; it is cached."""
        if name != "row":
            self.info(name)
        if name in self._extras:
            return self._extras[name]

        def read() -> pa.Array:
            column = self.query(f"SELECT {ident(name)} FROM facts").column(0).combine_chunks()
            return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column

        return self.memo.through(("array", self.digest, name), read, size=lambda array: int(array.nbytes))

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a numeric column as float64 (n,), NULL as NaN; integers above 2^53 as the nearest float."""

        def read() -> NDArray[np.float64]:
            column = self.array(name).cast(pa.float64(), safe=False)
            return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)

        return self.memo.through(("numbers", self.digest, name), read, size=lambda array: int(array.nbytes))

    def whole(self, name: str) -> NDArray[np.int64]:
        """Return a column of integers as int64 (n,), NULL as 0; zeros if the column is missing."""

        def read() -> NDArray[np.int64]:
            if name not in self.columns:
                return np.zeros(self.n, dtype=np.int64)
            column = self.array(name).cast(pa.int64()).fill_null(0)
            return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.int64)

        return self.memo.through(("whole", self.digest, name), read, size=lambda array: int(array.nbytes))

    def with_column(self, info: ColumnInfo, values: pa.Array) -> Facts:
        """Return facts with one more column. Its name must identify its content, since the digest stays the same.

        Raises:
            RecipeError: there is not one value per document, or a facts column has the name.
        """
        if len(values) != self.n:
            raise RecipeError("A column needs one value per document", value=len(values), allowed=str(self.n))
        if info.name in self.columns and info.name not in self._extras:
            raise RecipeError("The column exists already", value=info.name)
        return Facts(
            self._database,
            n=self.n,
            digest=self.digest,
            columns={**self.columns, info.name: info},
            corpus=self.corpus,
            errors=self.errors,
            extras={**self._extras, info.name: values},
            memo=self.memo,
        )


class _Loader:
    """Numbers the rows of consecutive parts and checks that ids ascend across them."""

    def __init__(self) -> None:
        self.rows = 0
        self.schema = pa.schema([])
        self._last: str | None = None

    def numbered(self, part: pa.Table) -> pa.Table:
        """Return a part with its ``row`` column.

        Raises:
            StoreError: no id column, or ids that are not strictly ascending by their UTF-8 bytes.
        """
        if "id" not in part.column_names:
            raise StoreError("Facts need an id column", allowed=part.column_names)
        kept = part.drop_columns(["row"]) if "row" in part.column_names else part
        self.schema = kept.schema
        self._check(kept.column("id").combine_chunks())
        rows = np.arange(self.rows, self.rows + part.num_rows, dtype=np.int64)
        self.rows += part.num_rows
        return kept.append_column("row", pa.array(rows))

    def _check(self, ids: pa.Array) -> None:
        ascending = pc.all(pc.less(ids.slice(0, max(len(ids) - 1, 0)), ids.slice(1)), min_count=0).as_py()
        joins = not len(ids) or self._last is None or self._last.encode() < ids[0].as_py().encode()
        if ids.null_count or not ascending or not joins:
            raise StoreError("Facts must be sorted by unique ids", value=self.rows + len(ids))
        self._last = ids[-1].as_py() if len(ids) else self._last

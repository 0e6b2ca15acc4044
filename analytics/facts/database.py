"""The DuckDB of the facts, in memory and without access to files, and a bounded cache of computed values."""

from __future__ import annotations

import os
import re
import shutil
import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
from cachetools import LRUCache

from tamis.data.errors import SettingError
from tamis.data.sql import ident


@dataclass(frozen=True)
class Source:
    """What a statement reads: the text of its FROM clause and the Arrow tables beside the facts."""

    sql: str
    tables: Mapping[str, pa.Table]

    def __str__(self) -> str:
        return self.sql


class Database:
    """One DuckDB without access to files; it spills data that does not fit into memory to its own folder.

    ``TAMIS_MEMORY``, for example ``4GB``, limits its memory; without it DuckDB takes at most 80% of the machine's.

    Args:
        threads: of DuckDB; None for all processors.

    Raises:
        SettingError: the memory limit is not a size.
    """

    def __init__(self, *, threads: int | None) -> None:
        self._spill = Path(mkdtemp(prefix="tamis-spill-"))
        weakref.finalize(self, shutil.rmtree, self._spill, ignore_errors=True)
        config: dict[str, Any] = {
            "enable_external_access": "false",
            "python_enable_replacements": "false",
            "temp_directory": str(self._spill),
        }
        if threads is not None:
            config["threads"] = threads
        if limit := os.environ.get("TAMIS_MEMORY"):
            if not re.fullmatch(r"[1-9][0-9]*(MB|GB)", limit):
                raise SettingError("Not a size of memory", value=limit, allowed="500MB, 4GB and the like")
            config["memory_limit"] = limit
        self._connection = duckdb.connect(":memory:", config=config)

    @property
    def spilled(self) -> int:
        """Return the number of bytes spilled to disk."""
        return sum(path.stat().st_size for path in self._spill.iterdir())

    def load(self, name: str, parts: Iterable[pa.Table]) -> None:
        """Create a native table from consecutive Arrow tables, keeping their row order."""
        with self._connection.cursor() as cursor:
            for number, part in enumerate(parts):
                cursor.register("incoming", part)
                made = f"INSERT INTO {ident(name)}" if number else f"CREATE OR REPLACE TABLE {ident(name)} AS"
                cursor.execute(f"{made} SELECT * FROM incoming")
                cursor.unregister("incoming")

    def query(self, sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Run one statement on its own cursor; only this cursor sees ``tables``."""
        with self._connection.cursor() as cursor:
            for name, table in tables.items():
                cursor.register(name, table)
            return cursor.sql(sql).to_arrow_table()


Value = TypeVar("Value")


class Memo:
    """A thread-safe cache of values by content key; drops the least recently used first.

    Every key must describe its value completely, so a value never goes stale.

    Args:
        max_bytes: limit of the total size of the values, as stated by the callers.
    """

    def __init__(self, max_bytes: int = 512 << 20) -> None:
        self.max_bytes = max_bytes
        self._values: LRUCache[Hashable, tuple[Any, int]] = LRUCache(max_bytes, getsizeof=itemgetter(1))
        self._kept: dict[Hashable, Any] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values or key in self._kept

    def keep(self, key: Hashable, value: Value) -> Value:
        """Store ``value`` permanently, outside the limit, and return it."""
        self._kept[key] = value
        return value

    def get(self, key: Hashable) -> Any | None:
        """Return the value under ``key``, or None."""
        if key in self._kept:
            return self._kept[key]
        with self._lock:
            return self._values.get(key, (None, 0))[0]

    def put(self, key: Hashable, value: Value, *, size: int) -> Value:
        """Store ``value`` of ``size`` bytes and return it; a value above the limit is not stored."""
        if size <= self.max_bytes:
            with self._lock:
                self._values[key] = (value, size)
        return value

    def through(self, key: Hashable, make: Callable[[], Value], *, size: Callable[[Value], int]) -> Value:
        """Return the value under ``key``; make and store it first if it is missing."""
        found = self.get(key)
        if found is not None:
            return found
        value = make()
        return self.put(key, value, size=size(value))

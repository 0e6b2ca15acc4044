"""The DuckDB that holds facts: in memory as far as that goes, without access to files."""

from __future__ import annotations

import os
import re
import shutil
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import duckdb
import pyarrow as pa

from tamis.data.errors import SettingError
from tamis.data.sql import ident


@dataclass(frozen=True)
class Source:
    """What a statement reads: the text of its FROM clause and the Arrow tables that stand beside the facts."""

    sql: str
    tables: Mapping[str, pa.Table]

    def __str__(self) -> str:
        return self.sql


class Database:
    """One DuckDB without access to files, but for what does not fit into memory: that lies in a folder of its own.

    ``TAMIS_MEMORY``, for example ``4GB``, limits its memory; without it DuckDB takes at most 80% of the machine's.

    Args:
        threads: of DuckDB; None for all processors.

    Raises:
        SettingError: the limit is not a size.
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
        """Return how many bytes lie on disk because they did not fit into memory."""
        return sum(path.stat().st_size for path in self._spill.iterdir())

    def load(self, name: str, parts: Iterable[pa.Table]) -> None:
        """Create a native table from Arrow tables, one after the other, keeping their row order."""
        with self._connection.cursor() as cursor:
            for number, part in enumerate(parts):
                cursor.register("incoming", part)
                made = f"INSERT INTO {ident(name)}" if number else f"CREATE OR REPLACE TABLE {ident(name)} AS"
                cursor.execute(f"{made} SELECT * FROM incoming")
                cursor.unregister("incoming")

    def query(self, sql: str, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Run one statement on a cursor of its own, which alone sees ``tables``."""
        with self._connection.cursor() as cursor:
            for name, table in tables.items():
                cursor.register(name, table)
            return cursor.sql(sql).to_arrow_table()

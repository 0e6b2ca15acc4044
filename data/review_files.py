"""Review events as files: JSON lines or Parquet, the same fields in both."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from tamis.data.errors import SettingError
from tamis.data.parquet import read_parquet, write_bytes, write_parquet
from tamis.data.reviews import SCHEMA, Event, from_table, to_table

_ALLOWED = "a name that ends in .jsonl or .parquet"
LARGEST = 1 << 30


def write_events(events: Iterable[Event], path: Path) -> None:
    """Write events in the given order; the write is atomic.

    Raises:
        SettingError: the name has another suffix.
    """
    table = to_table(events)
    if path.suffix == ".parquet":
        write_parquet(table, path)
    elif path.suffix == ".jsonl":
        lines = (json.dumps(row, ensure_ascii=False, sort_keys=True) for row in table.to_pylist())
        write_bytes(path, "".join(f"{line}\n" for line in lines).encode())
    else:
        raise SettingError("The reviews cannot be written to this file", value=path.name, allowed=_ALLOWED)


def read_events(path: Path) -> tuple[Event, ...]:
    """Read events.

    Raises:
        SettingError: the file is missing, too large, or holds no review events.
    """
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise SettingError("There is no such file of at most 1 GB", value=str(path))
    if path.suffix == ".parquet":
        return from_table(read_parquet(path))
    if path.suffix != ".jsonl":
        raise SettingError("This file holds no reviews", value=path.name, allowed=_ALLOWED)
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]
        table = pa.Table.from_pylist(rows)
    except (ValueError, AttributeError, pa.ArrowException) as error:
        raise SettingError("This file holds no reviews", value=path.name, allowed="one JSON object a line") from error
    return from_table(table) if rows else from_table(SCHEMA.empty_table())

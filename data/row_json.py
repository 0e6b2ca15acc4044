"""Rows with types as lines of JSON: what JSON has no type for is written as text by a stated rule.

dates, times             ISO 8601
durations                seconds
decimals                 text, every digit kept
bytes                    base64
maps with text keys      an object; other maps, and rows that repeat a key, a list of [key, value]
NaN and infinities       null
structs                  all fields of the type, NULL as null
columns of JSON          the value that the text states
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from tamis.data.byte_text import holds
from tamis.data.errors import CorpusError
from tamis.data.json_splice import write_json
from tamis.data.repair import is_text

_Writer = Callable[[Any], Any]


def row_lines(batch: pa.RecordBatch, source: pa.Schema | None = None) -> list[bytes]:
    """Return every row as an object with the columns of the batch, in their order, as UTF-8.

    Args:
        batch: the rows.
        source: schema of their file, which says what text is JSON.

    Raises:
        CorpusError: a value cannot be stated, such as a date after the year 9999.
    """
    columns = []
    for field, array in zip(batch.schema, batch.columns, strict=True):
        own = source.field(field.name).type if source is not None and field.name in source.names else field.type
        write, values = _writer(own if holds(own, pa.JsonType) else field.type), _values(field.name, array)
        columns.append(values if write is None else [None if value is None else write(value) for value in values])
    names = batch.schema.names
    return [_line(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


def _values(name: str, array: pa.Array) -> list[Any]:
    try:
        return list(array.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException) as error:
        raise CorpusError(
            f"Column {name} holds a value that cannot be written as JSON",
            value=str(error),
            fix="write Parquet or Arrow",
        ) from error


def _line(row: dict[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:  # A number that JSON does not have.
        return write_json(_finite(row)).encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _writer(kind: pa.DataType) -> _Writer | None:
    """Return what turns the values of a type into those of JSON, None where they are such already."""
    types = pa.types
    if isinstance(kind, pa.JsonType):
        return _stated
    if types.is_struct(kind):
        return _struct_writer({field.name: _writer(field.type) for field in kind})
    if types.is_map(kind):
        return _map_writer(_writer(kind.key_type), _writer(kind.item_type), text=is_text(kind.key_type))
    if types.is_list(kind) or types.is_large_list(kind):
        return _list_writer(_writer(kind.value_type))
    if types.is_decimal(kind):
        return str
    if types.is_date(kind) or types.is_time(kind) or types.is_timestamp(kind):
        return _isoformat
    if types.is_duration(kind):
        return dt.timedelta.total_seconds
    if types.is_large_binary(kind) or types.is_binary(kind) or types.is_fixed_size_binary(kind):
        return _base64
    return None


def _stated(text: str) -> Any:
    """Return the value of a text that ``json_as_text`` gave."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _isoformat(value: Any) -> str:
    return str(value.isoformat())


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _struct_writer(writers: dict[str, _Writer | None]) -> _Writer | None:
    own = {name: write for name, write in writers.items() if write is not None}
    if not own:
        return None
    return lambda row: {
        name: own[name](value) if value is not None and name in own else value for name, value in row.items()
    }


def _list_writer(write: _Writer | None) -> _Writer | None:
    return write and (lambda items: [None if item is None else write(item) for item in items])


def _map_writer(key: _Writer | None, item: _Writer | None, *, text: bool) -> _Writer:
    def write(pairs: list[tuple[Any, Any]]) -> Any:
        found = [(key(k) if key else k, v if item is None or v is None else item(v)) for k, v in pairs]
        return dict(found) if text and len({k for k, _ in found}) == len(found) else [list(pair) for pair in found]

    return write

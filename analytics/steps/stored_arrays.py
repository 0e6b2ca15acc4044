"""Several arrays and a description in one table: the form of stored models, plain data without code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.data.errors import StoreError
from tamis.data.hashing import canonical_json

_ABOUT = "about"
_SCHEMA = pa.schema(
    [("name", pa.string()), ("dtype", pa.string()), ("shape", pa.list_(pa.int64())), ("data", pa.large_binary())]
)
_DTYPES = ("<f4", "<f8", "<f2", "<i4", "<i8", "<u2", "<u4", "<u8", "|u1")


def pack(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> pa.Table:
    """Return one row per array, sorted by name, and a row ``about`` with JSON; the same input gives the same table.

    Raises:
        StoreError: an array of a type that is not plain numbers.
    """
    rows = [{"name": _ABOUT, "dtype": "json", "shape": [], "data": canonical_json(dict(about))}]
    for name in sorted(arrays):
        plain = np.ascontiguousarray(arrays[name])
        plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
        if plain.dtype.str not in _DTYPES:
            raise StoreError("Arrays of this type are not stored", value=plain.dtype.str, allowed=_DTYPES)
        rows.append({"name": name, "dtype": plain.dtype.str, "shape": list(plain.shape), "data": plain.tobytes()})
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def unpack(table: pa.Table) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the arrays and the description that ``pack`` was given.

    Raises:
        StoreError: the table does not hold arrays.
    """
    if table.schema.names != _SCHEMA.names:
        raise StoreError("This is not a stored model", value=table.schema.names, allowed=_SCHEMA.names)
    arrays: dict[str, NDArray[Any]] = {}
    about: dict[str, Any] = {}
    for row in table.to_pylist():
        if row["name"] == _ABOUT:
            about = json.loads(row["data"])
        elif row["dtype"] not in _DTYPES or len(row["data"]) != _size(row["dtype"], row["shape"]):
            raise StoreError("A stored array is damaged", value=row["name"])
        else:
            arrays[row["name"]] = np.frombuffer(row["data"], dtype=row["dtype"]).reshape(row["shape"])
    return arrays, about


def _size(dtype: str, shape: list[int]) -> int:
    return int(np.dtype(dtype).itemsize * np.prod(shape, dtype=np.int64))

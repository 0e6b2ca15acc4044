"""The contents of a value as bytes: to hash what travels to another machine, and to know how large it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa


def contents(value: Any) -> Iterator[bytes | memoryview]:
    """Yield what a value holds, in one order, each piece marked with its kind.

    Arrays count by type, shape and bytes, dataclasses by their fields, so that what a value has cached does not count.

    Raises:
        TypeError: an array of Python objects.
    """
    yield f"{type(value).__module__}.{type(value).__qualname__}:".encode()
    if value is None or isinstance(value, bool | int | float | str | PurePath | np.generic):
        yield repr(value).encode("utf-8", "surrogatepass") + b";"
    elif isinstance(value, bytes):
        yield str(len(value)).encode() + b";"
        yield value
    elif isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError("an array of Python objects has no bytes of its own")
        yield f"{value.dtype.str}{value.shape};".encode()
        yield np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
    elif isinstance(value, pa.Array | pa.ChunkedArray):
        yield from contents(pa.table({"values": value}))
    elif isinstance(value, pa.Table):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_table(value)
        yield from contents(sink.getvalue().to_pybytes())
    elif isinstance(value, Mapping):
        yield from _several(list(value.items()))
    elif isinstance(value, list | tuple):
        yield from _several(value)
    elif isinstance(value, set | frozenset):
        yield from _several(sorted(value))
    elif callable(value) and hasattr(value, "__qualname__"):
        yield f"{value.__module__}.{value.__qualname__};".encode()
    elif is_dataclass(value) and type(value).__getstate__ is object.__getstate__:
        yield from _several([(field.name, getattr(value, field.name)) for field in fields(value)])
    else:
        yield from contents(value.__getstate__())


def _several(values: list[Any] | tuple[Any, ...]) -> Iterator[bytes | memoryview]:
    yield str(len(values)).encode() + b";"
    for value in values:
        yield from contents(value)


def sha256_of(value: Any) -> str:
    """Return the sha256 (64 hex digits) of the contents of a value."""
    state = hashlib.sha256()
    for piece in contents(value):
        state.update(piece)
    return state.hexdigest()


def size_of_contents(value: Any) -> int:
    """Return the bytes that a value holds, about."""
    return sum(len(piece) for piece in contents(value))

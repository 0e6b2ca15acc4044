"""The column of pictures: bytes, objects of bytes and path, or paths of files; never addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

import pyarrow as pa

from tamis.data.byte_text import is_bytes
from tamis.data.errors import RoleError
from tamis.data.formats import PICTURE_SUFFIXES
from tamis.data.repair import is_text
from tamis.data.schema import type_at

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//|[^\\/])")


def is_address(text: str) -> bool:
    """Say whether a text is an address such as ``https://...`` or ``data:...``, not a path."""
    return _ADDRESS.match(text) is not None


def is_picture_path(text: str) -> bool:
    """Say whether a text is the path of a picture file by its end; addresses are none."""
    return not is_address(text) and PurePath(text).suffix.lower() in PICTURE_SUFFIXES


def check_pictures(schema: pa.Schema, path: str, values: Sequence[str | None]) -> None:
    """Check the column of pictures.

    Args:
        schema: of the corpus.
        path: the column.
        values: some of its values, if it is text.

    Raises:
        RoleError: it holds neither bytes nor paths, or addresses.
    """
    kind = type_at(schema, path)
    if kind is None or not (is_text(kind) or is_bytes(kind) or fields_of(kind)):
        raise RoleError(
            f"Column {path} holds no pictures", value=str(kind),
            allowed="bytes, an object with the fields bytes and path, or text with paths of files",
        )  # fmt: skip
    held = [value for value in values if value] if is_text(kind) else []
    if held and all(map(is_address, held)):
        raise RoleError(
            f"Column {path} holds addresses, and nothing is fetched from the network", value=held[0],
            fix="download the pictures first, for example with img2dataset, and open what it writes",
        )  # fmt: skip


def fields_of(kind: pa.DataType) -> list[str]:
    """Return which of ``bytes`` and ``path`` an object has."""
    return [name for name in ("bytes", "path") if pa.types.is_struct(kind) and kind.get_field_index(name) >= 0]

"""Columns from the names of files and folders: Hive partitions, splits, the file name.

``source=web/lang=en/0.parquet`` has the columns ``source`` and ``lang``, as DuckDB, Spark and Polars read them: a value
of a path replaces a column of that name inside the file, values that are integers, dates or times in all files get that
type, and ``__HIVE_DEFAULT_PARTITION__`` is NULL. A folder with files of several splits has the column
``split``, with the names that the ``datasets`` library gives; the folders of a saved ``DatasetDict`` are its splits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import pyarrow as pa

from tamis.data.kinds import saved_split

PathColumns = Literal["found", "all"] | tuple[str, ...]
"""``found``: partitions and splits; ``all``: those and the file; names: only these, where paths have them."""

FILE, SPLIT = "file", "split"
ORIGINS = (FILE, SPLIT)
"""Columns that state where a row was found, not what it is: written to the output only on request."""

_NULL = "__HIVE_DEFAULT_PARTITION__"
_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SPLIT = re.compile(
    r"(?<![^\W_])(?:"
    + "|".join(f"(?P<{name}>{'|'.join(words)})" for name, words in _SPLITS.items())
    + r")(?![^\W\d_])",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")


@dataclass(frozen=True)
class PathValues:
    """Columns and values from the path of each file.

    Attributes:
        schema: columns and their types, over all files.
        texts: by file, the values as text, NULL as None.
        values: the same in the types of ``schema``.
    """

    schema: pa.Schema
    texts: tuple[Mapping[str, str | None], ...]
    values: tuple[Mapping[str, Any], ...]


def path_values(root: Path, files: Sequence[Path], *, wanted: PathColumns = "found") -> PathValues:
    """Return the columns that paths define.

    Args:
        root: folder that was opened; partitions in its own path count too.
        files: below the root.
        wanted: which columns.
    """
    above = list(_trailing_partitions(root.parts))
    inner = [file.relative_to(root).parts for file in files]
    texts: list[dict[str, str | None]] = [_partitions((*above, *parts[:-1])) for parts in inner]
    saved = {folder: saved_split(folder) for folder in {file.parent for file in files}}
    splits = [saved[file.parent] or split_of(parts) for file, parts in zip(files, inner, strict=True)]
    several = len({split for split in splits if split}) > 1
    names = {name for mine in texts for name in mine}
    for mine, parts, split in zip(texts, inner, splits, strict=True):
        if SPLIT not in names and (several if wanted == "found" else any(splits)):
            mine[SPLIT] = split
        if FILE not in names and wanted != "found":
            mine[FILE] = "/".join(parts)
    if isinstance(wanted, tuple):
        texts = [{name: text for name, text in mine.items() if name in wanted} for mine in texts]
    names = {name for mine in texts for name in mine}
    kinds = {name: _kind([mine[name] for mine in texts if name in mine]) for name in sorted(names)}
    read = {name: _READ[kind] for name, kind in kinds.items()}
    values = [{name: None if text is None else read[name](text) for name, text in mine.items()} for mine in texts]
    return PathValues(pa.schema(list(kinds.items())), tuple(texts), tuple(values))


def split_of(parts: Sequence[str]) -> str | None:
    """Return the split that a file belongs to by its name, else by the nearest folder that names one, else None."""
    for part in reversed(parts):
        found = _SPLIT.search(part)
        if found is not None:
            return found.lastgroup
    return None


def _trailing_partitions(parts: Sequence[str]) -> Sequence[str]:
    """Return the partitions at the end of a path."""
    count = 0
    while count < len(parts) and _pair(parts[-1 - count]) is not None:
        count += 1
    return parts[len(parts) - count :]


def _partitions(folders: Sequence[str]) -> dict[str, str | None]:
    return dict(pair for folder in folders if (pair := _pair(folder)) is not None)


def _pair(folder: str) -> tuple[str, str | None] | None:
    name, equals, value = folder.partition("=")
    if not (name and equals) or "=" in value:
        return None
    return _decoded(name), None if value == _NULL else _decoded(value)


def _decoded(text: str) -> str:
    """Return text with percent codes decoded; text that would not be valid Unicode stays unchanged."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return text


def _time(text: str) -> datetime:
    if len(text) < len("2024-01-01 00:00:00"):
        raise ValueError(text)
    found = datetime.fromisoformat(text)
    if found.tzinfo is not None:
        raise ValueError(text)
    return found


def _day(text: str) -> date:
    if len(text) != len("2024-01-01"):
        raise ValueError(text)
    return date.fromisoformat(text)


def _whole(text: str) -> int:
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(text)
    return int(text)


_READ: Mapping[pa.DataType, Callable[[str], Any]] = {
    pa.int64(): _whole,
    pa.date32(): _day,
    pa.timestamp("us"): _time,
    pa.large_string(): str,
}


def _kind(texts: Sequence[str | None]) -> pa.DataType:
    """Return the first type that parses all values, else text."""
    filled = [text for text in texts if text is not None]
    return next(kind for kind, read in _READ.items() if kind == pa.large_string() or (filled and _reads(read, filled)))


def _reads(read: Callable[[str], Any], texts: Sequence[str]) -> bool:
    try:
        return all(read(text) is not None for text in texts)
    except ValueError:
        return False

"""Works whose parts are made row by row: what their rows depend on, and how parts are cut and joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
from numpy import concatenate, cumsum, int64
from numpy.typing import NDArray

Part: TypeAlias = pa.Table | NDArray[Any]
Parts: TypeAlias = tuple[Part, ...]


def slices(parts: Parts, start: int, stop: int) -> Parts | None:
    """Return rows ``start`` to ``stop``, exclusive, of parts with a row per row of the shard."""
    if any(stop > (part.num_rows if isinstance(part, pa.Table) else len(part)) for part in parts):
        return None
    return tuple(part.slice(start, stop - start) if isinstance(part, pa.Table) else part[start:stop] for part in parts)


def joined(several: Sequence[Parts]) -> Parts | None:
    """Return the rows of parts one after another; None if their columns differ."""
    found: list[Part] = []
    for own in zip(*several, strict=True):
        if isinstance(own[0], pa.Table):
            if any(part.schema != own[0].schema for part in own):
                return None
            found.append(pa.concat_tables(own))
        else:
            if any(part.dtype != own[0].dtype or part.shape[1:] != own[0].shape[1:] for part in own):
                return None
            found.append(concatenate(own))
    return tuple(found)


def counted_slices(parts: Parts, start: int, stop: int, *, counts: int) -> Parts | None:
    """Return rows of two arrays: values, several a row, and heads whose column ``counts`` says how many."""
    values, heads = parts
    if stop > len(heads):
        return None
    ends = cumsum(heads[:stop, counts].astype(int64))
    first = int(ends[start - 1]) if start else 0
    last = int(ends[stop - 1]) if stop else 0
    return values[first:last], heads[start:stop]


@dataclass(frozen=True)
class RowByRow:
    """States that the parts of a shard hold a row per row of the corpus, made of that row and what is named here.

    A part that an earlier analysis made of rows of the same content is then not made again. What a part depends on by
    the place of a row in its shard or corpus does not qualify.

    Attributes:
        name: of the parts, unique in the step.
        columns: paths of the columns that are read besides the text.
        content: what the rows depend on and the parameters of the step do not state; a JSON value.
        every_row: whether parts have a row per source row, not only per document.
        cut: returns some rows of parts; None if they cannot be told from the parts.
        join: returns the rows of parts one after another; None if that cannot be told.
    """

    name: str = "part"
    columns: tuple[str, ...] = ()
    content: Any = None
    every_row: bool = False
    cut: Callable[[Parts, int, int], Parts | None] = slices
    join: Callable[[Sequence[Parts]], Parts | None] = joined

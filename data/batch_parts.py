"""The parts of batches of rows: columns of text and of plain messages without a Python loop, other rows one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.data.message import ROLE_WORDS, TAG_OPEN, THINK_OPEN, MalformedError, Path
from tamis.data.parts import OTHER, TEXT, MessagePart, Parts
from tamis.data.repair import is_text
from tamis.data.row_parts import OPTIONAL, read_row
from tamis.data.shapes import PICTURE, SLOT_ROLES, Shape

_NONE = pa.nulls(0, pa.large_string())


@dataclass(frozen=True, eq=False)
class _ColumnParts:
    """The parts of one column: a piece of each row, in row order.

    Attributes:
        parts: of all rows; rows that need the slow way have none.
        turns: int64 (n,), how many turns the column adds to each row.
        special: bool (n,), rows that need the slow way.
    """

    parts: Parts
    turns: NDArray[np.int64]
    special: NDArray[np.bool_]


def read_batch(shape: Shape, columns: Mapping[str, pa.Array], places: Mapping[str, Path], rows: int) -> Parts:
    """Return the parts of a batch, the same as ``read_row`` gives row by row.

    Args:
        shape: of the rows.
        columns: array (n,) by path, of every path that the shape reads.
        places: names that lead to each path in a whole row.
        rows: number of rows, n.
    """
    if shape.kind == PICTURE:
        return _captions(shape, columns, rows)
    known = [_column(shape, slot, columns[path]) for slot, path in shape.slots] if _is_plain(shape) else [None]
    if any(column is None for column in known):
        return Parts.of(list(_slow(shape, columns, places, np.arange(rows))))
    fast = [column for column in known if column is not None]
    special = np.logical_or.reduce([column.special for column in fast])
    parts = _side_by_side(shape, fast, special)
    # A row without any part is no document, which the slow way says.
    special |= np.diff(parts.starts) == 0
    if not special.any():
        return parts
    slow, usual = np.flatnonzero(special), np.flatnonzero(~special)
    read = Parts.of(list(_slow(shape, columns, places, slow)))
    return Parts.merged([(parts.take(usual), usual), (read, slow)], rows)


def _captions(shape: Shape, columns: Mapping[str, pa.Array], rows: int) -> Parts:
    """Return the captions of pictures; a picture without one is a document too, which has no part."""
    path = shape.columns.get("caption")
    column = pa.nulls(rows, pa.large_string()) if path is None else columns[path]
    return _texts(shape, "caption", column).parts


def _is_plain(shape: Shape) -> bool:
    return not {"history", "dialog", "responses", "events"} & set(shape.columns)


def _slow(
    shape: Shape, columns: Mapping[str, pa.Array], places: Mapping[str, Path], rows: NDArray[np.int64]
) -> Iterator[list[MessagePart] | str]:
    taken = pa.array(rows)
    values = {path: columns[path].take(taken).to_pylist() for path in shape.paths}
    for at in range(len(rows)):
        try:
            yield read_row(shape, {path: held[at] for path, held in values.items()}, places)
        except MalformedError as error:
            yield str(error)


def _column(shape: Shape, slot: str, column: pa.Array) -> _ColumnParts | None:
    """Return the parts of a column, None if only the slow way can read it."""
    if is_text(column.type):
        return None if slot == "messages" else _texts(shape, slot, column)
    if (
        pa.types.is_list(column.type)
        and pa.types.is_struct(column.type.value_type)
        and slot not in ("template", "answer")
    ):
        return None if shape.kind == "preference" else _messages(shape, slot, column)
    return None


def _texts(shape: Shape, slot: str, column: pa.Array) -> _ColumnParts:
    missing = _bools(column.is_null())
    texts = pc.fill_null(column, "").cast(pa.large_string())
    empty = _bools(pc.equal(pc.binary_length(texts), 0))
    if slot in OPTIONAL:
        special, held = np.zeros(len(column), dtype=np.bool_), ~empty
    elif slot == "template":
        special, held = np.zeros(len(column), dtype=np.bool_), np.ones(len(column), dtype=np.bool_)
    else:
        special, held = missing.copy(), ~missing
    if slot == "assistant":
        special |= _bools(pc.match_substring(texts, THINK_OPEN))
    if shape.calls:
        special |= _bools(pc.match_substring_regex(texts, TAG_OPEN))
    if slot in ("user", "assistant", "prompt", "chosen", "rejected"):
        # Messages as JSON text.
        special |= _bools(pc.match_substring_regex(texts, r"^\s*\["))
    starts = np.concatenate([[0], np.cumsum(held)]).astype(np.int64)
    count = int(starts[-1])
    parts = Parts(
        starts,
        np.full(count, SLOT_ROLES[slot], dtype=np.uint8),
        np.zeros(count, dtype=np.uint8),
        np.zeros(count, dtype=np.int32),
        texts.filter(pa.array(held)),
        pa.array([""], pa.string()).take(pa.array(np.zeros(count, dtype=np.int64))),
        pa.nulls(len(column), pa.string()),
        np.zeros(count, dtype=np.bool_),
        pa.nulls(count, pa.string()),
    )
    return _ColumnParts(parts, held.astype(np.int64), special)


def _messages(shape: Shape, slot: str, column: pa.Array) -> _ColumnParts | None:
    """Return the messages of a column as one part each; rows with anything but role and text are special."""
    kind = column.type.value_type
    names = [field.name for field in kind]
    if not (shape.role_key in names and shape.text_key in names and len(set(names)) == len(names)):
        return None
    if not (is_text(kind.field(shape.role_key).type) and is_text(kind.field(shape.text_key).type)):
        return None
    lengths = pc.fill_null(pc.list_value_length(column), 0).cast(pa.int64()).to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = column.flatten()
    words, texts = pc.struct_field(values, [shape.role_key]), pc.struct_field(values, [shape.text_key])
    coded = words.dictionary_encode()
    known = [word if isinstance(word, str) and word.strip() else None for word in coded.dictionary.to_pylist()]
    pairs = [(OTHER, TEXT) if word is None else ROLE_WORDS.get(word.strip().lower(), (OTHER, TEXT)) for word in known]
    codes = pc.fill_null(coded.indices, len(pairs)).to_numpy(zero_copy_only=False)
    table = np.array([*pairs, (OTHER, TEXT)], dtype=np.uint8)
    nameless = np.array([*(word is None for word in known), True], dtype=np.bool_)[codes]
    odd = nameless | _bools(texts.is_null()) | _bools(values.is_null())
    filled = pc.fill_null(texts, "")
    odd |= _bools(pc.match_substring(filled, THINK_OPEN)) | _bools(pc.match_substring_regex(filled, r"^\s*\["))
    if shape.calls:
        odd |= _bools(pc.match_substring_regex(filled, TAG_OPEN))
    for name in names:
        if name not in (shape.role_key, shape.text_key):
            odd |= ~_bools(pc.struct_field(values, [name]).is_null())
    owner = np.repeat(np.arange(len(column)), lengths)
    special = np.bincount(owner[odd], minlength=len(column)) > 0
    if slot not in OPTIONAL:
        special |= lengths == 0
    found = table[codes]
    parts = Parts(
        starts,
        np.ascontiguousarray(found[:, 0]),
        np.ascontiguousarray(found[:, 1]),
        (np.arange(len(owner)) - starts[owner]).astype(np.int32),
        filled.cast(pa.large_string()),
        pc.fill_null(words, "").cast(pa.string()),
        pa.nulls(len(column), pa.string()),
        np.zeros(len(owner), dtype=np.bool_),
        pa.nulls(len(owner), pa.string()),
    )
    return _ColumnParts(parts, lengths, special)


def _side_by_side(shape: Shape, columns: Sequence[_ColumnParts], special: NDArray[np.bool_]) -> Parts:
    """Return the parts of columns one after another in each row, turns numbered through; special rows have none."""
    rows = len(special)
    held = [
        column.parts if not special.any() else column.parts.select(~special[column.parts.rows]) for column in columns
    ]
    if len(held) == 1:
        return held[0]
    before = np.zeros(rows, dtype=np.int64)
    shifted = []
    for (slot, _), column, parts in zip(shape.slots, columns, held, strict=True):
        # What belongs to the question is said in the same turn.
        first = np.maximum(before - 1, 0) if slot == "input" else before
        shifted.append((parts.turned(first), np.arange(rows)))
        before = np.maximum(before, first + column.turns)
    return Parts.merged(shifted, rows)


def _bools(array: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False), dtype=np.bool_)

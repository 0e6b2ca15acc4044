"""Running text steps over kept rows, recording what they change, and putting the texts back where they came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.operators.operator import TextOperator
from tamis.analytics.recipe.recipe import Step
from tamis.data.corpus import Corpus
from tamis.data.curated import RankedBatch
from tamis.data.curated_files import LINE
from tamis.data.curated_lines import ID, LINES, TEXT, WITH_IDS, WITH_TEXTS
from tamis.data.errors import RecipeError
from tamis.data.json_splice import change_line, with_value
from tamis.data.paths import Pieces
from tamis.data.repair import repair
from tamis.data.row_texts import map_texts, texts_of
from tamis.data.schema import field_of

EDITS_SCHEMA = pa.schema(
    [("id", pa.string()), ("step", pa.string()), ("bytes_before", pa.int64()), ("bytes_after", pa.int64())]
)


class Editor:
    """Runs text steps over texts and records their changes.

    Args:
        steps: text steps in order.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)
        self._parts: list[pa.Table] = []

    def edit(self, texts: pa.Array, ids: pa.Array, owners: NDArray[np.int64] | None = None) -> pa.Array:
        """Return the edited texts, large_string (t,).

        Args:
            texts: of any text type, (t,).
            ids: of the documents, string (m,).
            owners: int64 (t,), ascending: the document of each text; None where each has one text.
        """
        after = texts.cast(pa.large_string())
        for step in self._steps:
            after = self._run(step, after, ids, np.arange(len(ids)) if owners is None else owners)
        return after

    def _run(self, step: Step, texts: pa.Array, ids: pa.Array, owners: NDArray[np.int64]) -> pa.Array:
        if not isinstance(step.operator, TextOperator):
            return texts
        after = step.operator.edit(texts)
        changed = pc.fill_null(pc.not_equal(texts, after), False)
        sizes = [pc.binary_length(values.filter(changed)).cast(pa.int64()) for values in (texts, after)]
        rows, starts = np.unique(owners[changed.to_numpy(zero_copy_only=False)], return_index=True)
        sums = [pa.array(np.add.reduceat(size.to_numpy(), starts) if len(rows) else [], pa.int64()) for size in sizes]
        names = pa.array([step.id] * len(rows), pa.string())
        self._parts.append(pa.table([ids.take(pa.array(rows)).cast(pa.string()), names, *sums], schema=EDITS_SCHEMA))
        return after

    def table(self) -> pa.Table:
        """Return one row per document and step that changed it: ``EDITS_SCHEMA``, by id, then order of steps."""
        if not self._parts:
            return EDITS_SCHEMA.empty_table()
        table = pa.concat_tables(self._parts).combine_chunks()
        place = pc.index_in(table.column("step"), pa.array([step.id for step in self._steps]))
        keyed = table.append_column("place", place)
        order = pc.sort_indices(keyed, sort_keys=[("id", "ascending"), ("place", "ascending")])
        return table.take(order).combine_chunks()


def edit_columns(
    batches: Iterator[RankedBatch], editor: Editor, corpus: Corpus, id_column: str
) -> Iterator[RankedBatch]:
    """Yield batches of columns with edited texts: of a field inside structs in its place, of turns in theirs.

    Args:
        batches: rows with all columns of the corpus.
        editor: edits and records.
        corpus: says where the texts of a row are.
        id_column: the column that holds the document id.

    Raises:
        RecipeError: a text does not lie in the rows.
    """
    places = _places_of_texts(corpus)
    for ranked in batches:
        batch, ids = ranked.batch, ranked.batch.column(id_column)
        if corpus.shape.kind == "text":
            head, *names = places[corpus.roles.text]
            column = batch.column(head)
            changed = {head: put_field(column, names, editor.edit(field_of(column, names), ids))}
        else:
            changed = _edit_turns(batch, ids, editor, corpus)
        arrays = [changed.get(name, column) for name, column in zip(batch.schema.names, batch.columns, strict=True)]
        yield RankedBatch(ranked.ranks, pa.RecordBatch.from_arrays(arrays, schema=batch.schema))


def put_field(column: pa.Array, names: Sequence[str], values: pa.Array) -> pa.Array:
    """Return a column with other values in the field at the given names inside structs; NULL structs stay NULL."""
    if not names:
        return values.cast(column.type)
    place = column.type.get_field_index(names[0])
    children = [column.field(number) for number in range(column.type.num_fields)]
    children[place] = put_field(children[place], names[1:], values)
    mask = column.is_null() if column.null_count else None
    return pa.StructArray.from_arrays(children, fields=list(column.type), mask=mask)


def _edit_turns(batch: pa.RecordBatch, ids: pa.Array, editor: Editor, corpus: Corpus) -> dict[str, pa.Array]:
    """Return the columns of the shape with edited texts, by name."""
    heads = list(dict.fromkeys(place[0] for place in corpus.places.values()))
    rows = batch.select(heads).to_pylist()
    edited = _edit_rows(rows, ids, editor, corpus)
    changed = {}
    for head in heads:
        others = [row for row in range(len(rows)) if edited[row][head] is not rows[row][head]]
        if others:
            column = batch.column(head)
            places = np.arange(len(rows))
            places[others] = len(rows) + np.arange(len(others))
            values = pa.array([edited[row][head] for row in others], column.type)
            changed[head] = pa.concat_arrays([column, values]).take(pa.array(places))
    return changed


def _edit_rows(
    rows: Sequence[Mapping[str, Any]], ids: pa.Array, editor: Editor, corpus: Corpus
) -> list[Mapping[str, Any]]:
    """Return rows with their texts edited; what no step changes stays the same object."""
    shape, places = corpus.shape, corpus.places
    found = [list(texts_of(shape, row, places)) for row in rows]
    texts = [repair(text) for held in found for text in held]
    owners = np.repeat(np.arange(len(rows)), [len(held) for held in found])
    after = editor.edit(pa.array(texts, pa.large_string()), ids, owners).to_pylist()
    pairs = iter(zip(texts, after, strict=True))

    def put(text: str) -> str:
        read, new = next(pairs)
        return text if new == read else new

    return [map_texts(shape, row, places, put) for row in rows]


def columns_to_edit(corpus: Corpus) -> pa.Schema:
    """Return which columns ``edit_lines`` needs beside the lines."""
    return WITH_TEXTS if corpus.shape.kind == "text" else WITH_IDS


def edit_lines(batches: Iterator[RankedBatch], editor: Editor, corpus: Corpus) -> Iterator[RankedBatch]:
    """Yield batches of lines with edited texts; a line whose text no step changed stays as it is, byte for byte.

    Args:
        batches: lines with the columns of ``columns_to_edit``.
        editor: edits and records.
        corpus: says where the texts of a row are.

    Raises:
        RecipeError: a text does not lie in the rows.
    """
    places = _places_of_texts(corpus)
    for ranked in batches:
        batch = ranked.batch
        lines, ids = batch.column(LINE).to_pylist(), batch.column(ID)
        if corpus.shape.kind == "text":
            edited = _edit_texts(lines, batch.column(TEXT), ids, editor, places[corpus.roles.text])
        else:
            rows = [json.loads(line.decode("utf-8", "surrogateescape")) for line in lines]
            after = _edit_rows(rows, ids, editor, corpus)
            edited = [_exchange(*each) for each in zip(lines, rows, after, strict=True)]
        array = pa.array(edited, pa.large_binary())
        yield RankedBatch(ranked.ranks, pa.RecordBatch.from_arrays([array], schema=LINES))


def _edit_texts(lines: Sequence[bytes], before: pa.Array, ids: pa.Array, editor: Editor, names: Pieces) -> list[bytes]:
    after = editor.edit(before, ids)
    changed = pc.fill_null(pc.not_equal(before, after), False)
    found = zip(lines, changed.to_pylist(), after.to_pylist(), strict=True)
    return [_put(line, names, text) if other else line for line, other, text in found]


def _put(line: bytes, names: Pieces, text: str) -> bytes:
    return change_line(line, lambda row: with_value(row, names, text))


def _exchange(line: bytes, before: Mapping[str, Any], after: Mapping[str, Any]) -> bytes:
    same = all(after[key] is value for key, value in before.items())
    return line if same else change_line(line, lambda _: after)


def _places_of_texts(corpus: Corpus) -> Mapping[str, Pieces]:
    """Return the names that lead to each column with text; raises ``RecipeError`` for one that is no column of rows."""
    outside = [path for path, names in corpus.places.items() if names[0] in corpus.path_columns]
    if outside:
        raise RecipeError("Text steps need a text inside the rows", value=outside[0], fix="remove the text steps")
    return corpus.places

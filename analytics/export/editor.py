"""Running text steps over kept rows, recording what they change, and putting the texts back where they came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tamis.analytics.operators.operator import TextOperator
from tamis.analytics.recipe.recipe import Step
from tamis.data.corpus import Corpus
from tamis.data.curated import RankedBatch
from tamis.data.curated_files import LINE
from tamis.data.curated_lines import ID, LINES, TEXT
from tamis.data.errors import RecipeError
from tamis.data.json_splice import change_line, with_value
from tamis.data.paths import Pieces, find_path
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

    def edit(self, texts: pa.Array, ids: pa.Array) -> pa.Array:
        """Return the edited texts, large_string (m,); ``ids`` are those of their documents, string (m,)."""
        after = texts.cast(pa.large_string())
        for step in self._steps:
            after = self._run(step, after, ids)
        return after

    def _run(self, step: Step, texts: pa.Array, ids: pa.Array) -> pa.Array:
        if not isinstance(step.operator, TextOperator):
            return texts
        after = step.operator.edit(texts)
        changed = pc.fill_null(pc.not_equal(texts, after), False)
        sizes = [pc.binary_length(values.filter(changed)).cast(pa.int64()) for values in (texts, after)]
        ids = ids.filter(changed).cast(pa.string())
        names = pa.array([step.id] * len(ids), pa.string())
        self._parts.append(pa.table([ids, names, *sizes], schema=EDITS_SCHEMA))
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
    """Yield batches of columns with edited texts, also where the text is a field inside structs.

    Args:
        batches: rows with all columns of the corpus.
        editor: edits and records.
        corpus: names the text column.
        id_column: the column that holds the document id.

    Raises:
        RecipeError: the text is no column or field of the rows.
    """
    head, *names = _place_of_text(corpus)
    for ranked in batches:
        batch = ranked.batch
        place = batch.schema.get_field_index(head)
        texts = editor.edit(field_of(batch.column(place), names), batch.column(id_column))
        columns = batch.columns
        columns[place] = put_field(batch.column(place), names, texts)
        yield RankedBatch(ranked.ranks, pa.RecordBatch.from_arrays(columns, schema=batch.schema))


def put_field(column: pa.Array, names: Sequence[str], values: pa.Array) -> pa.Array:
    """Return a column with other values in the field at the given names inside structs; NULL structs stay NULL."""
    if not names:
        return values.cast(column.type)
    place = column.type.get_field_index(names[0])
    children = [column.field(number) for number in range(column.type.num_fields)]
    children[place] = put_field(children[place], names[1:], values)
    mask = column.is_null() if column.null_count else None
    return pa.StructArray.from_arrays(children, fields=list(column.type), mask=mask)


def edit_lines(batches: Iterator[RankedBatch], editor: Editor, corpus: Corpus) -> Iterator[RankedBatch]:
    """Yield batches of lines with edited texts; a line whose text no step changed stays as it is, byte for byte.

    Args:
        batches: lines with text and id, ``EDITABLE``.
        editor: edits and records.
        corpus: names the text column.

    Raises:
        RecipeError: the text is no column or field of the rows.
    """
    names = _place_of_text(corpus)
    for ranked in batches:
        batch = ranked.batch
        before, lines = batch.column(TEXT), batch.column(LINE)
        after = editor.edit(before, batch.column(ID))
        changed = pc.fill_null(pc.not_equal(before, after), False).to_pylist()
        if any(changed):
            found = zip(changed, lines.to_pylist(), after.to_pylist(), strict=True)
            edited = [_put(line, names, text) if other else line for other, line, text in found]
            lines = pa.array(edited, pa.large_binary())
        yield RankedBatch(ranked.ranks, pa.RecordBatch.from_arrays([lines], schema=LINES))


def _put(line: bytes, names: Pieces, text: str) -> bytes:
    return change_line(line, lambda row: with_value(row, names, text))


def _place_of_text(corpus: Corpus) -> Pieces:
    names = find_path(corpus.schema, corpus.roles.text)
    if names is None or names[0] in corpus.path_columns:
        raise RecipeError(
            "Text steps need a text inside the rows", value=corpus.roles.text, fix="remove the text steps"
        )
    return names

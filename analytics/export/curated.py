"""Writing the curated corpus: the kept documents sorted by id, texts edited by the recipe's text steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.operators.operator import TextOperator
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.recipe import Step
from tamis.data.corpus import Corpus
from tamis.data.curated import RankedBatch, curated_schema, kept_batches, write_sorted, written_schema
from tamis.data.documents import Documents
from tamis.data.errors import RecipeError
from tamis.data.listing import CURATED
from tamis.data.markers import Markers, WrittenFile
from tamis.data.parquet import write_parquet
from tamis.data.progress import NullProgress, Progress

EDITS = "edits.parquet"
CURATED_VERSION = 2
"""Raised when the same rows give other bytes. 2 writes the source's types, order and features."""

EDITS_SCHEMA = pa.schema(
    [("id", pa.string()), ("step", pa.string()), ("bytes_before", pa.int64()), ("bytes_after", pa.int64())]
)


@dataclass(frozen=True)
class CuratedOptions:
    """How curated files are written.

    Attributes:
        repeat: write a document once per copy instead of stating ``copies``.
        ordered: write documents by ``position`` instead of by id, when the recipe orders.
        origin: write the file and the split of each document as columns.
    """

    repeat: bool = False
    ordered: bool = False
    origin: bool = False

    @property
    def plain(self) -> dict[str, bool]:
        """Return the options as plain values; newer ones only where they are set, so identities stay."""
        later = {"origin"}
        return {name: value for name, value in asdict(self).items() if value or name not in later}


def write_curated(
    folder: Path,
    corpus: Corpus,
    documents: Documents,
    outcome: Outcome,
    *,
    options: CuratedOptions | None = None,
    markers: Markers | None = None,
    progress: Progress | None = None,
) -> tuple[WrittenFile, ...]:
    """Write ``curated/part-*.parquet`` and, when the recipe edits texts, ``edits.parquet``.

    Files hold all source columns with the source's types, order and features (``Corpus.source_schema``), then
    ``document_id``, ``copies`` (unless repeated), ``position`` and ``weight`` (when the recipe makes them). A name the
    corpus already uses gets the prefix ``tamis_``.

    Args:
        folder: of the run.
        corpus: the source.
        documents: its documents.
        outcome: what to keep.
        options: see ``CuratedOptions``.
        markers: of the run; files that it finished before stay.
        progress: where to report.

    Raises:
        CorpusError: a source file changed.
        StoreError: the disk is full.
    """
    chosen, watch = options or CuratedOptions(), progress or NullProgress()
    extra = _extra(corpus, documents, outcome, repeat=chosen.repeat)
    kinds = {name: values.type for name, values in extra.items()}
    schema, written = curated_schema(corpus, kinds), written_schema(corpus, kinds, origins=chosen.origin)
    copies = outcome.copies if chosen.repeat else (outcome.copies > 0).astype(np.int32)
    text_steps = [step for step in outcome.steps if isinstance(step.operator, TextOperator)]
    editor = Editor(corpus, text_steps, next(iter(extra))) if text_steps else None
    watch.step("curated files", corpus.rows)
    batches = kept_batches(corpus, documents, copies, extra=extra, progress=watch)
    if chosen.ordered and outcome.position is not None:
        batches = _by_position(batches, copies, outcome.position)
    if editor is not None:
        batches = editor.edited(batches)
    rows, place = int(copies.sum()), folder / CURATED
    files = write_sorted(batches, place, rows=rows, schema=schema, written=written, markers=markers)
    if editor is not None:
        write_parquet(editor.table(), folder / EDITS)
    return files


def _extra(corpus: Corpus, documents: Documents, outcome: Outcome, *, repeat: bool) -> dict[str, pa.Array]:
    """Return the columns added to the source's, (n,) each in id order."""
    columns: dict[str, pa.Array] = {"document_id": documents.ids}
    if not repeat:
        columns["copies"] = pa.array(outcome.copies)
    if outcome.position is not None:
        columns["position"] = pa.array(outcome.position)
    if outcome.weight is not None:
        columns["weight"] = pa.array(outcome.weight, mask=np.isnan(outcome.weight))
    taken = set(corpus.schema.names)
    return {f"tamis_{name}" if name in taken else name: values for name, values in columns.items()}


def _by_position(
    batches: Iterator[RankedBatch], copies: NDArray[np.int32], position: NDArray[np.int64]
) -> Iterator[RankedBatch]:
    """Move rows from their places in id order to their places in training order."""
    kept = np.flatnonzero(copies)
    first_by_id = np.cumsum(copies[kept], dtype=np.int64) - copies[kept]
    order = np.argsort(position[kept], kind="stable")
    first = np.empty(len(kept), dtype=np.int64)
    first[order] = np.cumsum(copies[kept][order], dtype=np.int64) - copies[kept][order]
    for ranked in batches:
        place = np.searchsorted(first_by_id, ranked.ranks, side="right") - 1
        yield RankedBatch(first[place] + ranked.ranks - first_by_id[place], ranked.batch)


class Editor:
    """Runs text steps over the batches of kept rows and records their changes.

    Args:
        corpus: names the text column.
        steps: text steps in order.
        id_column: the column of the batches that holds the document id.

    Raises:
        RecipeError: the text lies inside a nested column, which cannot be edited in place.
    """

    def __init__(self, corpus: Corpus, steps: Sequence[Step], id_column: str) -> None:
        if corpus.roles.text not in corpus.schema.names:
            raise RecipeError(
                "Text steps need a text column that is not nested", value=corpus.roles.text, fix="remove the text steps"
            )
        self._column, self._id_column, self._steps = corpus.roles.text, id_column, tuple(steps)
        self._parts: list[pa.Table] = []

    def edited(self, batches: Iterator[RankedBatch]) -> Iterator[RankedBatch]:
        """Yield the batches with edited texts."""
        for ranked in batches:
            batch = ranked.batch
            place = batch.schema.get_field_index(self._column)
            texts = batch.column(place).cast(pa.large_string())
            for step in self._steps:
                texts = self._run(step, texts, batch.column(self._id_column))
            columns = batch.columns
            columns[place] = texts.cast(batch.schema.field(place).type)
            yield RankedBatch(ranked.ranks, pa.RecordBatch.from_arrays(columns, schema=batch.schema))

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

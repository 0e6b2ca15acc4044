"""Writing the curated corpus: the kept documents sorted by id, texts edited by the recipe's text steps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.export.line_table import write_line_table
from tamis.analytics.operators.operator import TextOperator
from tamis.analytics.recipe.editor import Editor, columns_to_edit, edit_columns, edit_lines
from tamis.analytics.recipe.outcome import Outcome
from tamis.data.corpus import Corpus
from tamis.data.curated import SHARD_ROWS, RankedBatch, curated_schema, kept_batches, write_sorted, written_schema
from tamis.data.curated_files import LINE, ArrowForm, FileForm, LinesForm, ParquetForm
from tamis.data.curated_lines import LINES, kept_lines
from tamis.data.documents import Documents
from tamis.data.errors import SettingError
from tamis.data.features import with_features
from tamis.data.kept_pictures import SOURCE, KeptPictures
from tamis.data.listing import CURATED, PICTURES_TABLE
from tamis.data.markers import Markers, WrittenFile
from tamis.data.nearest import did_you_mean
from tamis.data.outputs import check_space
from tamis.data.parquet import write_parquet
from tamis.data.picture_forms import (
    PICTURE_GROUP,
    PICTURE_SHARD,
    PictureColumnsForm,
    PictureFolderForm,
    PictureTarForm,
    placed_table,
    remove_others,
    room_for_pictures,
)
from tamis.data.progress import NullProgress, Progress
from tamis.data.saved_dataset import describe_dataset
from tamis.data.shapes import PICTURE

EDITS = "edits.parquet"
CURATED_VERSION = 3
"""Raised when the same rows give other bytes. 2 writes the source's types, order and features, 3 also which fields are
never NULL, metadata of fields, and, where a source states features, those of all columns. Other rows have the same
bytes in both."""

CuratedFormat = Literal["parquet", "jsonl", "jsonl.zst", "arrow", "folder", "webdataset", "paths"]
FORMATS: tuple[CuratedFormat, ...] = get_args(CuratedFormat)
TEXT_FORMATS: tuple[CuratedFormat, ...] = ("parquet", "jsonl", "jsonl.zst", "arrow")
PICTURE_FORMATS: tuple[CuratedFormat, ...] = ("parquet", "folder", "webdataset", "paths", "arrow")
"""Formats of corpora of pictures: with their bytes in columns, as files, in tars, and with the paths of their files."""


@dataclass(frozen=True)
class CuratedOptions:
    """How curated files are written.

    Attributes:
        repeat: write a document once per copy instead of stating ``copies``.
        ordered: write documents by ``position`` instead of by id, when the recipe orders.
        origin: write the file and the split of each document as columns.
        format: of the files, one of ``formats_of`` the corpus.
    """

    repeat: bool = False
    ordered: bool = False
    origin: bool = False
    format: CuratedFormat = "parquet"

    @property
    def plain(self) -> dict[str, Any]:
        """Return the options as plain values; newer ones only where they are set, so identities stay."""
        later = {"origin": False, "format": "parquet"}
        return {name: value for name, value in asdict(self).items() if name not in later or value != later[name]}


def check_format(name: str) -> CuratedFormat:
    """Return the format of a name.

    Raises:
        SettingError: there is no such format.
    """
    for known in FORMATS:
        if known == name:
            return known
    raise SettingError(
        "Unknown format of curated files", value=name, allowed=FORMATS, fix=did_you_mean(name, FORMATS) or None
    )


def formats_of(corpus: Corpus) -> tuple[CuratedFormat, ...]:
    """Return the formats in which the documents of a corpus can be written; the first is the default."""
    if corpus.shape.kind != PICTURE:
        return TEXT_FORMATS
    return tuple(each for each in PICTURE_FORMATS if each != "paths" or KeptPictures(corpus).are_files)


def check_format_of(name: str, corpus: Corpus) -> None:
    """Check that the documents of a corpus can be written in a format.

    Raises:
        SettingError: they cannot.
    """
    allowed = formats_of(corpus)
    if name in allowed:
        return
    if corpus.shape.kind != PICTURE:
        raise SettingError("This format is for pictures, and the corpus holds texts", value=name, allowed=allowed)
    what = "The pictures have no files" if name == "paths" else "JSON Lines hold no pictures"
    fix = "" if name == "paths" else "the format folder writes metadata.jsonl beside the pictures"
    raise SettingError(what, value=name, allowed=allowed, fix=fix or None)


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
    """Write the files of ``curated`` and, when the recipe edits texts, ``edits.parquet``.

    Parquet and Arrow files hold all source columns with the source's types, order and features
    (``Corpus.source_schema``), then ``document_id``, ``copies`` (unless repeated), ``position`` and ``weight`` (when
    the recipe makes them). A name the corpus already uses gets the prefix ``tamis_``. JSON Lines hold the rows as
    they are (``kept_lines``); the added columns stand in ``lines.parquet``, a row per line. Pictures are written as
    ``data/picture_forms.py`` says.

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
    steps = [step for step in outcome.steps if isinstance(step.operator, TextOperator)]
    job = _Job(folder, corpus, documents, outcome, chosen, Editor(steps) if steps else None, markers, watch)
    watch.step("curated files", corpus.rows)
    files = job.write()
    if job.editor is not None:
        write_parquet(job.editor.table(), folder / EDITS)
    return files


@dataclass(frozen=True)
class _Job:
    """One call of ``write_curated``."""

    folder: Path
    corpus: Corpus
    documents: Documents
    outcome: Outcome
    options: CuratedOptions
    editor: Editor | None
    markers: Markers | None
    watch: Progress

    @property
    def copies(self) -> NDArray[np.int32]:
        """Return how often each document is written, int32 (n,) in facts order."""
        copies = self.outcome.copies
        return copies if self.options.repeat else (copies > 0).astype(np.int32)

    @property
    def position(self) -> NDArray[np.int64] | None:
        """Return the position of each document, int64 (n,) in facts order; None where they are written by id."""
        return self.outcome.position if self.options.ordered else None

    @property
    def extra(self) -> dict[str, pa.Array]:
        """Return the added columns, (n,) each in facts order."""
        return _extra(self.corpus, self.documents, self.outcome, repeat=self.options.repeat)

    def write(self) -> tuple[WrittenFile, ...]:
        """Write all rows in the chosen format."""
        if self.corpus.shape.kind == PICTURE:
            return self.write_pictures()
        return self.write_lines() if self.options.format in ("jsonl", "jsonl.zst") else self.write_columns()

    def write_pictures(self) -> tuple[WrittenFile, ...]:
        """Write rows with their pictures, in few rows at a time."""
        pictures, format = KeptPictures(self.corpus), self.options.format
        extra = {**self.extra, SOURCE: pa.array(self.documents.order.astype(np.int64))}
        kinds = {name: values.type for name, values in extra.items()}
        id_column = next(iter(extra))
        batches = self._ordered(
            kept_batches(self.corpus, self.documents, self.copies, extra=extra, progress=self.watch)
        )
        if self.editor is not None:
            batches = edit_columns(batches, self.editor, self.corpus, id_column)
        schema = curated_schema(self.corpus, kinds)
        del kinds[SOURCE]
        place = self.folder / CURATED
        check_space(self.folder, room_for_pictures(pictures, self.documents, self.copies, place, format), "pictures")
        if format == "folder":
            return self._write_folder(batches, schema, PictureFolderForm(pictures, id_column))
        written = written_schema(self.corpus, kinds, origins=self.options.origin)
        written = with_features(pictures.written_schema(written), always=True)
        form: FileForm = ArrowForm() if format == "arrow" else ParquetForm()
        shape = (
            PictureColumnsForm(form, pictures, format != "paths")
            if format != "webdataset"
            else PictureTarForm(pictures)
        )
        files = write_sorted(
            batches, place, rows=int(self.copies.sum()), schema=schema, written=written, form=shape,
            shard_rows=PICTURE_SHARD, group_rows=PICTURE_GROUP, markers=self.markers,
        )  # fmt: skip
        if format == "arrow":
            describe_dataset(place, written, files)
        return files

    def _write_folder(
        self, batches: Iterator[RankedBatch], schema: pa.Schema, form: PictureFolderForm
    ) -> tuple[WrittenFile, ...]:
        """Write files of pictures, what stands beside them, and the table of the files; whole pictures stay."""
        place, rows = self.folder / CURATED, int(self.copies.sum())
        files = write_sorted(
            batches, place, rows=rows, schema=schema, form=form, shard_rows=max(rows, 1), group_rows=PICTURE_GROUP
        )
        remove_others(place, form.placed)
        write_parquet(placed_table(form.placed), self.folder / PICTURES_TABLE)
        os.sync()
        return files

    def write_columns(self) -> tuple[WrittenFile, ...]:
        """Write rows with their types."""
        extra, arrow = self.extra, self.options.format == "arrow"
        kinds = {name: values.type for name, values in extra.items()}
        batches = self._ordered(
            kept_batches(self.corpus, self.documents, self.copies, extra=extra, progress=self.watch)
        )
        if self.editor is not None:
            batches = edit_columns(batches, self.editor, self.corpus, next(iter(extra)))
        written = with_features(written_schema(self.corpus, kinds, origins=self.options.origin), always=arrow)
        schema = curated_schema(self.corpus, kinds)
        files = self._sorted(batches, schema, written, ArrowForm() if arrow else ParquetForm())
        if arrow:
            describe_dataset(self.folder / CURATED, written, files)
        return files

    def write_lines(self) -> tuple[WrittenFile, ...]:
        """Write rows as lines of JSON, and the table of the lines."""
        form = LinesForm(self.options.format == "jsonl.zst", np.zeros(self._files, dtype=np.int64))
        needed = LINES if self.editor is None else columns_to_edit(self.corpus)
        batches = self._ordered(
            kept_lines(self.corpus, self.documents, self.copies, schema=needed, progress=self.watch)
        )
        if self.editor is not None:
            batches = edit_lines(batches, self.editor, self.corpus)
        files = self._sorted(_measured(batches, form.sizes), LINES, LINES, form)
        write_line_table(
            self.folder, self.corpus, self.documents, files,
            rows=_by_rank(self.copies, self.position), extra=self.extra, origins=self.options.origin,
        )  # fmt: skip
        return files

    @property
    def _files(self) -> int:
        return max(1, -(-int(self.copies.sum()) // SHARD_ROWS))

    def _ordered(self, batches: Iterator[RankedBatch]) -> Iterator[RankedBatch]:
        return batches if self.position is None else _by_position(batches, self.copies, self.position)

    def _sorted(
        self, batches: Iterator[RankedBatch], schema: pa.Schema, written: pa.Schema, form: FileForm
    ) -> tuple[WrittenFile, ...]:
        rows, place = int(self.copies.sum()), self.folder / CURATED
        return write_sorted(batches, place, rows=rows, schema=schema, written=written, form=form, markers=self.markers)


def _measured(batches: Iterator[RankedBatch], sizes: NDArray[np.int64]) -> Iterator[RankedBatch]:
    """Yield the batches and add the bytes of their lines, line feeds included, to the size of their file."""
    for ranked in batches:
        lengths = pc.binary_length(ranked.batch.column(LINE)).to_numpy()
        np.add.at(sizes, ranked.ranks // SHARD_ROWS, lengths + 1)
        yield ranked


def _by_rank(copies: NDArray[np.int32], position: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Return the facts row that stands at each position of the output, int64 (rows,)."""
    kept = np.flatnonzero(copies)
    if position is not None:
        kept = kept[np.argsort(position[kept], kind="stable")]
    return np.repeat(kept, copies[kept])


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

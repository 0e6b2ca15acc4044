"""The table beside curated JSON Lines: what other formats add to a row as columns, one row per line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.markers import WrittenFile
from tamis.data.parquet import ROW_GROUP_ROWS, write_blocks
from tamis.data.restoration import restore_types

LINE_TABLE = "lines.parquet"


def write_line_table(
    folder: Path,
    corpus: Corpus,
    documents: Documents,
    files: Sequence[WrittenFile],
    *,
    rows: NDArray[np.int64],
    extra: Mapping[str, pa.Array],
    origins: bool,
) -> None:
    """Write ``lines.parquet``: file and line from 1, columns of the source's path, columns that the run adds.

    Args:
        folder: of the run.
        corpus: the source.
        documents: its documents.
        files: the curated files in order.
        rows: int64 (lines,), facts row of each line.
        extra: added columns, (n,) values in facts order.
        origins: whether to write the columns that state where a row was found.

    Raises:
        StoreError: the disk is full.
    """
    paths = [name for name in corpus.path_columns if origins or name not in corpus.origins]
    own = {name: f"tamis_{name}" if name in paths else name for name in ("part", "line")}
    schema = pa.schema(
        [
            (own["part"], pa.string()),
            (own["line"], pa.int64()),
            *(corpus.source_schema.field(name) for name in paths),
            *((name, values.type) for name, values in extra.items()),
        ]
    )
    write_blocks(_blocks(corpus, documents, files, paths, rows, extra, schema), schema, folder / LINE_TABLE)


def _blocks(
    corpus: Corpus,
    documents: Documents,
    files: Sequence[WrittenFile],
    paths: Sequence[str],
    rows: NDArray[np.int64],
    extra: Mapping[str, pa.Array],
    schema: pa.Schema,
) -> Iterator[pa.Table]:
    names, ends = pa.array([file.name for file in files]), np.cumsum([file.rows for file in files])
    source_ends = np.cumsum([file.rows for file in corpus.files])
    values = [
        pa.array([file.path_values.get(name) for file in corpus.opened], corpus.schema.field(name).type)
        for name in paths
    ]
    for first in range(0, len(rows), ROW_GROUP_ROWS):
        mine = rows[first : first + ROW_GROUP_ROWS]
        ranks = np.arange(first, first + len(mine))
        part = np.searchsorted(ends, ranks, side="right")
        lines = ranks - (ends[part] - np.array([file.rows for file in files])[part]) + 1
        sources = pa.array(np.searchsorted(source_ends, documents.order[mine], side="right"))
        columns = [names.take(pa.array(part)), pa.array(lines), *(column.take(sources) for column in values)]
        added = [column.take(pa.array(mine)) for column in extra.values()]
        yield restore_types(pa.table([*columns, *added], names=schema.names), schema)

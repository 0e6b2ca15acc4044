"""Errors of a corpus: rows without text, lines and files that were left out, each with its place."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tamis.data.corpus import Corpus
from tamis.data.documents import Documents

ERRORS_SCHEMA = pa.schema(
    [
        ("position", pa.int64()),
        ("reason", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("line", pa.int64()),
        ("id", pa.string()),
    ]
)
"""Place among all rows; why; file below the corpus root; row of the file, from 0; line, from 1; id of the row, if any.

Omitted lines have no row; omitted files have neither row nor line.
"""


def errors_table(corpus: Corpus, documents: Documents) -> pa.Table:
    """Return all errors as ``ERRORS_SCHEMA``: rows in source order, then what was left out, by file and line."""
    positions = documents.errors.column("position").to_numpy()
    starts = np.cumsum([0, *(file.rows for file in corpus.files)])
    files = np.searchsorted(starts, positions, side="right") - 1
    rows = pa.table(
        [
            pa.array(positions, pa.int64()),
            documents.errors.column("reason").combine_chunks(),
            pa.array([corpus.files[file].name for file in files.tolist()], pa.string()),
            pa.array(positions - starts[files], pa.int64()),
            pa.nulls(len(positions), pa.int64()),
            _ids(corpus, documents),
        ],
        schema=ERRORS_SCHEMA,
    )
    left = sorted(corpus.left_out, key=lambda item: (item.file, item.line or 0))
    named = [{"file": item.file, "line": item.line, "reason": _sentence(item.reason, item.line)} for item in left]
    return pa.concat_tables([rows, pa.Table.from_pylist(named, schema=ERRORS_SCHEMA)]).combine_chunks()


def _sentence(reason: str, line: int | None) -> str:
    return reason if line is None else f"the line {reason}"


def _ids(corpus: Corpus, documents: Documents) -> pa.Array:
    """Return the values of the id column of the rows that are not documents; NULL without such a column."""
    errors = documents.errors
    if corpus.roles.id is None or not errors.num_rows:
        return pa.nulls(errors.num_rows, pa.string())
    shards, rows = (errors.column(name).to_numpy() for name in ("shard", "row_in_shard"))
    found: list[pa.Array] = []
    for number in np.unique(shards).tolist():
        mine, first = np.sort(rows[shards == number]), 0
        for batch in corpus.batches(corpus.shards()[number], columns=[corpus.roles.id]):
            inside = mine[(mine >= first) & (mine < first + batch.num_rows)] - first
            found.append(batch.column(0).take(pa.array(inside)).cast(pa.string()))
            first += batch.num_rows
    return pa.concat_arrays(found)

"""Score columns computed elsewhere, for example an educational-quality score, joined to the documents by id."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError
from tamis.data.hashing import file_sha256
from tamis.data.parquet import write_parquet

VERSION = 2
"""2 keeps infinite scores; files without any are still read as version 1."""

PREFIX = "score_"


def imported_scores_step(path: str | Path, *, id_column: str = "id", columns: Sequence[str] | None = None) -> StepSpec:
    """Return the step that reads score columns of a file and gives every document its values as ``score_<column>``.

    Args:
        path: Parquet, CSV or JSONL, by suffix, with one row per document id.
        id_column: the column with the document ids (those of the corpus' id column, or as Tamis shows them).
        columns: which numeric columns; None for all.

    Raises:
        CorpusError: the file cannot be read, a column is missing or not numeric, or an id occurs twice.
    """
    file = Path(path)
    chosen = _check_scores(read_scores(file), file, id_column, columns)

    def run(context: StepContext) -> None:
        table = _check_scores(read_scores(file), file, id_column, columns)
        place = pc.index_in(context.documents.ids.cast(pa.string()), value_set=table.column(id_column).combine_chunks())
        values = {
            PREFIX + name: _scores(table.column(name).combine_chunks()).take(place)
            for name in table.column_names
            if name != id_column
        }
        context.out.write_table("facts", pa.table(values))
        found = len(place) - place.null_count
        unknown = table.num_rows - len(pc.unique(place.drop_null()))
        context.out.commit(rows=context.documents.n, facts={"found": found, "unknown": unknown})

    return StepSpec(
        name=f"scores-{file_sha256(file)[:12]}",
        version=VERSION if any(map(_has_infinite, chosen.drop_columns([id_column]).columns)) else 1,
        upstream=("documents",),
        params={
            "sha256": file_sha256(file),
            "id": id_column,
            "columns": [n for n in chosen.column_names if n != id_column],
        },
        title=f"Reading scores from {file.name}",
        estimate=lambda size: Estimate(0.1 + size.documents * 2e-6, size.documents * 4 * chosen.num_columns),
        run=run,
    )


def scores_folder(root: Path, corpus: Corpus) -> Path:
    """Return the folder of a workspace with the score files of a corpus; the analysis reads all of them."""
    return root / "scores" / corpus.fingerprint[:16]


def import_scores(root: Path, corpus: Corpus, path: str | Path, *, id_column: str = "id") -> Path:
    """Check a file of scores and copy it into the workspace, so that the next analysis reads it.

    Args:
        root: the workspace.
        corpus: the corpus that the scores belong to.
        path: Parquet, CSV or JSONL.
        id_column: the column with the document ids; it becomes ``id`` in the copy.

    Raises:
        CorpusError: as ``imported_scores_step``.
    """
    file = Path(path)
    table = _check_scores(read_scores(file), file, id_column, None)
    names = ["id", *(name for name in table.column_names if name != id_column)]
    target = scores_folder(root, corpus) / f"{file_sha256(file)[:16]}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(table.rename_columns(names), target)
    return target


def workspace_scores(root: Path, corpus: Corpus) -> tuple[StepSpec, ...]:
    """Return the steps that read the scores a workspace holds for a corpus."""
    return tuple(imported_scores_step(path) for path in sorted(scores_folder(root, corpus).glob("*.parquet")))


def read_scores(path: Path) -> pa.Table:
    """Read a table of scores.

    Raises:
        CorpusError: the file cannot be read, or its suffix is not parquet, csv or jsonl.
    """
    try:
        if path.suffix == ".parquet":
            return pyarrow.parquet.read_table(path)
        if path.suffix == ".csv":
            return pyarrow.csv.read_csv(path)
        if path.suffix == ".jsonl":
            rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
            return pa.Table.from_pylist(rows)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise CorpusError(f"Scores cannot be read: {error}", value=str(path)) from error
    raise CorpusError("Scores have an unknown format", value=path.name, allowed=".parquet, .csv, .jsonl")


def _check_scores(table: pa.Table, path: Path, id_column: str, columns: Sequence[str] | None) -> pa.Table:
    if id_column not in table.column_names:
        raise CorpusError(f"Scores in {path.name} have no id column", value=id_column, allowed=table.column_names)
    numeric = [
        name
        for name in table.column_names
        if name != id_column and (pa.types.is_integer(table.schema.field(name).type) or _is_float(table, name))
    ]
    wanted = numeric if columns is None else list(columns)
    for name in wanted:
        if name not in numeric:
            raise CorpusError(f"Scores in {path.name} have no such numeric column", value=name, allowed=numeric)
    if not wanted:
        raise CorpusError(f"Scores in {path.name} have no numeric column", value=table.column_names)
    ids = table.column(id_column).cast(pa.string())
    if ids.null_count or len(pc.unique(ids)) < len(ids):
        raise CorpusError(f"Ids of the scores in {path.name} are missing or there twice", value=id_column)
    return table.select([id_column, *wanted]).set_column(0, id_column, ids)


def _is_float(table: pa.Table, name: str) -> bool:
    kind = table.schema.field(name).type
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _scores(values: pa.Array) -> pa.Array:
    """Return numbers as float32, NaN as NULL; values beyond its range become infinite."""
    numbers = values.cast(pa.float64(), safe=False).cast(pa.float32(), safe=False)
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float32()), numbers)


def _has_infinite(values: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.is_inf(_scores(values))).as_py())

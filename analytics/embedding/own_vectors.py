"""Vectors and coordinates of the user: a column of lists, npy files, or two columns of numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.embedding.static_model import unit_rows
from tamis.analytics.embedding.step import EMBEDDINGS_VERSION
from tamis.analytics.steps.engine import PieceInput, shard_work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError, RoleError, SettingError
from tamis.data.hashing import digest, file_sha256
from tamis.data.nearest import did_you_mean
from tamis.data.schema import paths, type_at
from tamis.data.shards import Shard

GIVEN_MAP_VERSION = 2
_SOME_ROWS = 1024


def column_vectors_step(corpus: Corpus, column: str, *, model: str = "given", name: str = "embeddings") -> StepSpec:
    """Return the step that reads the vectors of documents from a column of lists.

    Rows become unit rows; NULL, empty and zero vectors, and those with NaN, count as no embedding.

    Args:
        corpus: the corpus.
        column: path of a column of lists of numbers.
        model: name of the model that made the vectors; vectors of the same name and length count as one space.
        name: of the step.

    Raises:
        RoleError: the column is missing or does not hold lists of numbers.
    """
    kind = type_at(corpus.schema, column)
    if kind is None:
        known = paths(corpus.schema)
        raise RoleError("The corpus has no such column", value=column, allowed=known, fix=did_you_mean(column, known))
    if not _is_number_list(kind):
        raise RoleError(f"Column {column} holds no vectors", value=str(kind), allowed="lists of numbers")

    def read(shard: Shard, given: PieceInput) -> NDArray[np.float16]:
        roles, parts = given.corpus.roles, []
        for batch in given.corpus.batches(shard, columns=[roles.text, column], max_rows=_SOME_ROWS):
            parts.append(_matrix(batch.filter(batch.column(0).is_valid()).column(1), column))
        width = max((part.shape[1] for part in parts), default=0)
        return unit_rows(
            np.concatenate([part if part.shape[1] else np.zeros((len(part), width), "f4") for part in parts])
        )

    def fill(context: StepContext) -> None:
        context.fill(shard_work(context.corpus, read))

    return _vectors_step(name, {"tier": "given", "column": column, "model": model}, fill)


def _is_number_list(kind: pa.DataType) -> bool:
    types = pa.types
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    return bool(types.is_floating(kind.value_type) or types.is_integer(kind.value_type))


def _matrix(column: pa.Array, name: str) -> NDArray[np.float32]:
    """Return a column of lists as float32 (n, d); rows of zeros where the list is NULL or empty.

    Raises:
        CorpusError: the lists are of different lengths.
    """
    lists = column.cast(pa.large_list(pa.float32()), safe=False)
    lengths = np.asarray(lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
    widths = np.unique(lengths[lengths > 0])
    if len(widths) > 1:
        raise CorpusError(f"Vectors of column {name} have different lengths", value=widths[:5].tolist())
    width = int(widths[0]) if len(widths) else 0
    result = np.zeros((len(lists), width), dtype=np.float32)
    values = lists.drop_null().flatten().to_numpy(zero_copy_only=False)
    result[lengths > 0] = np.asarray(values, dtype=np.float32).reshape(-1, width) if width else 0.0
    return result


def file_vectors_step(corpus: Corpus, path: str | Path, *, model: str = "given", name: str = "embeddings") -> StepSpec:
    """Return the step that reads the vectors of documents from npy files, one row per row of the corpus.

    Args:
        corpus: the corpus.
        path: an npy file (n, d) for a corpus of one file; for several files a folder that holds, for each file of the
            corpus, an npy file of the same name with ``.npy`` added.
        model: name of the model that made the vectors.
        name: of the step.

    Raises:
        SettingError: files are missing or do not fit the corpus.
    """
    files = _npy_files(corpus, Path(path))
    widths = {array.shape[1] for array in (_open_npy(file) for file in files)}
    if len(widths) > 1:
        raise SettingError("The vectors are of different lengths", value=sorted(widths))

    def read(context: StepContext, shard: Shard) -> NDArray[np.float32]:
        starts = np.cumsum([0, *(file.rows for file in context.corpus.files)])
        rows = np.arange(shard.first, shard.first + shard.rows)
        errors = context.documents.errors.column("position").to_numpy()
        rows = rows[~np.isin(rows, errors)]
        where = np.searchsorted(starts, rows, side="right") - 1
        found = np.empty((len(rows), next(iter(widths))), dtype=np.float32)
        for place in np.unique(where).tolist():
            mine = where == place
            found[mine] = _open_npy(files[place])[rows[mine] - starts[place]]
        return found

    def fill(context: StepContext) -> None:
        for shard in context.shards_to_do():
            context.out.write_array(shard.part, unit_rows(read(context, shard)))

    params = {"tier": "given", "files": [file_sha256(file) for file in files], "model": model}
    return _vectors_step(name, params, fill)


def _npy_files(corpus: Corpus, path: Path) -> list[Path]:
    if path.is_dir():
        files = [path / f"{file.name}.npy" for file in corpus.files]
    elif len(corpus.files) == 1:
        files = [path]
    else:
        raise SettingError(
            "One npy file does not say which rows of which file it holds",
            value=str(path),
            allowed="a folder with NAME.npy for each file NAME of the corpus",
        )
    for file, source in zip(files, corpus.files, strict=True):
        array = _open_npy(file)
        if array.ndim != 2 or len(array) != source.rows or not np.issubdtype(array.dtype, np.floating):
            raise SettingError(
                f"The vectors do not fit {source.name}",
                value=f"{array.dtype} {array.shape}",
                allowed=f"floating-point numbers ({source.rows}, d)",
            )
    return files


def _open_npy(file: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise SettingError("Vectors cannot be read", value=str(file), allowed="a numpy .npy file") from error
    return array


def _vectors_step(name: str, params: dict[str, Any], fill: Callable[[StepContext], None]) -> StepSpec:
    def run(context: StepContext) -> None:
        fill(context)
        missing, widths = 0, set()
        for shard in context.corpus.shards():
            vectors = context.out.read_array(shard.part, mmap=True)
            missing += int((~np.asarray(vectors).any(axis=1)).sum())
            widths.add(vectors.shape[1])
        if len(widths) > 1:
            raise CorpusError("Vectors have different lengths", value=sorted(widths))
        width = widths.pop() if widths else 0
        facts = {
            "tier": "given",
            "model": {"source": params["model"]},
            "dtype": "float16",
            "dimensions": width,
            "no_embedding": missing,
            "space": digest({"given": params["model"], "dimensions": width}),
        }
        context.out.commit(rows=context.documents.n, facts=facts)

    return StepSpec(
        name=name,
        version=EMBEDDINGS_VERSION,
        upstream=("documents",),
        params=params,
        title="Reading vectors",
        estimate=lambda size: Estimate(0.5 + size.documents * 2e-5 + size.bytes / 200e6, size.documents * 512),
        run=run,
    )


def given_map_step(corpus: Corpus, x: str, y: str) -> StepSpec:
    """Return the step that reads the map from two columns of numbers; a document without both is not on the map.

    Its artifact holds ``x`` and ``y`` float32 (n,) in facts order, and if float32 is too coarse for the columns, as
    with a large offset, also ``fine`` float64 (n, 2).

    Args:
        corpus: the corpus.
        x, y: paths of the columns.

    Raises:
        RoleError: a column is missing or does not hold numbers.
    """
    for column in (x, y):
        kind = type_at(corpus.schema, column)
        if kind is None or not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise RoleError("A coordinate needs a column of numbers", value=column, allowed=_number_columns(corpus))

    def run(context: StepContext) -> None:
        text = context.corpus.roles.text
        for shard in context.shards_to_do():
            batches = context.corpus.batches(shard, columns=[text, x, y])
            kept = [batch.filter(batch.column(0).is_valid()) for batch in batches]
            columns = [pa.chunked_array([_double(b.column(at)) for b in kept], pa.float64()) for at in (1, 2)]
            context.out.write_table(shard.part, pa.table(columns, names=["x", "y"]))
        parts = [context.out.read_table(shard.part) for shard in context.corpus.shards()]
        table = pa.concat_tables(parts).combine_chunks().take(pa.array(context.documents.part_order))
        places = np.column_stack([table.column(name).to_numpy(zero_copy_only=False) for name in ("x", "y")])
        with np.errstate(over="ignore"):
            places[~np.isfinite(places.astype(np.float32)).all(axis=1)] = np.nan
        for at, name in enumerate(("x", "y")):
            context.out.write_array(name, np.ascontiguousarray(places[:, at].astype(np.float32)))
        if not fits_float32(places):
            context.out.write_array("fine", places)
        for shard in context.corpus.shards():
            context.out.drop_part(shard.part)
        context.out.commit(rows=len(places), facts={"method": "given", "columns": [x, y]})

    return StepSpec(
        name="map",
        version=GIVEN_MAP_VERSION,
        upstream=("documents",),
        params={"x": x, "y": y},
        title="Reading the map",
        estimate=lambda size: Estimate(0.5 + size.documents * 2e-6 + size.bytes / 300e6, size.documents * 8),
        run=run,
    )


def _double(column: pa.Array) -> pa.Array:
    """Return the numbers as float64; integers beyond 2**53 lose their last digits, which no map shows."""
    return column.cast(pa.float64(), safe=False)


def fits_float32(places: NDArray[np.float64]) -> bool:
    """Say whether float32 moves no point by more than 1/65,536 of the extent of all.

    Args:
        places: float64 (n, 2), NaN for documents off the map.
    """
    there = places[np.isfinite(places[:, 0])]
    if not len(there):
        return True
    moved = np.abs(there.astype(np.float32) - there).max()
    return bool(moved * 65_536 <= (there.max(axis=0) - there.min(axis=0)).max())


def _number_columns(corpus: Corpus) -> list[str]:
    kinds = paths(corpus.schema)
    return [path for path, kind in kinds.items() if pa.types.is_floating(kind) or pa.types.is_integer(kind)]

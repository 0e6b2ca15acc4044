"""Design on a sample: documents of a large corpus drawn by keyed hash within each source, as a corpus of their own.

The draw depends on ids, sources, size and seed alone: any shard layout and row order gives the same sample, and within
a source a smaller sample is part of a larger one. ``tamis.analytics.export.sample_predictions`` derives counts of the
whole corpus from the sample.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.signals.id_steps import id_steps
from tamis.analytics.steps.corpus_columns import label_values
from tamis.analytics.steps.pipeline import analyze
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.errors import SettingError
from tamis.data.hashing import digest, key64, uniform
from tamis.data.kept_pictures import SOURCE, KeptPictures, picture_bytes
from tamis.data.parquet import atomic_write, parquet_writer, write_bytes
from tamis.data.paths import path_of
from tamis.data.progress import NullProgress, Progress
from tamis.data.shapes import PICTURE
from tamis.data.workspace import Workspace

FOLDER = "samples"
OTHERS = "all other sources"
MOST_STRATA = 50
"""With more sources, those with less than a fiftieth of the documents form one stratum: one document of each would be
more than its share, and would hide the duplicates within a source."""
ID = "tamis_id"
_ABOUT = "sample.json"
_PICTURES = 128
"""Rows that are written at once where each holds a picture."""
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True)
class DesignSample:
    """A drawn sample.

    Attributes:
        path: its Parquet file.
        whole: path of the corpus it was drawn from.
        fingerprint: of that corpus.
        documents: documents of that corpus.
        drawn: documents of the sample.
        seed: of the draw.
        strata: documents and drawn ones by source; one stratum, named by an empty text, without sources.
    """

    path: str
    whole: str
    fingerprint: str
    documents: int
    drawn: int
    seed: int
    strata: dict[str, list[int]]


def sample_size(text: str, documents: int) -> int:
    """Return a number of documents written as 200000, 200k, 1.5M or 5%.

    Raises:
        SettingError: another form, or less than one document.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmM%]?)", text.strip())
    if found is None:
        raise SettingError("Size of a sample", value=text, allowed="a number such as 200000, 200k, 1.5M or 5%")
    number, unit = float(found[1]), found[2].lower()
    wanted = round(documents * number / 100) if unit == "%" else round(number * _UNITS[unit])
    if wanted < 1:
        raise SettingError("Size of a sample", value=text, allowed="at least one document")
    return min(wanted, documents)


def draw_rows(
    ids: pa.Array, sources: NDArray[np.object_] | None, size: int, *, seed: int
) -> tuple[NDArray[np.bool_], dict[str, list[int]]]:
    """Say which documents are drawn, bool (n,), and the strata.

    A source gives its share of the documents, rounded, and at least one document. With more than 50 sources,
    those with less than a fiftieth of the documents count as one.

    Args:
        ids: (n,) document ids.
        sources: text (n,), None or NaN where unknown; None without sources.
        size: wanted documents.
        seed: of the draw.
    """
    n = len(ids)
    order = uniform(key64(ids.to_pylist()), seed=seed, salt="design sample")
    names = np.full(n, "", dtype=object) if sources is None else np.array([str(x or "") for x in sources], dtype=object)
    chosen, strata = np.zeros(n, dtype=bool), {}
    known, place, sizes = np.unique(names.astype(str), return_inverse=True, return_counts=True)
    if len(known) > MOST_STRATA:
        small = np.flatnonzero(sizes * MOST_STRATA < n)
        place = np.where(np.isin(place, small), len(known), place)
        known = np.append(known, OTHERS)
    for code in np.unique(place).tolist():
        name, rows = str(known[code]), np.flatnonzero(place == code)
        part = min(len(rows), max(1, int(size * len(rows) / n + 0.5)))
        chosen[rows[np.argsort(order[rows], kind="stable")[:part]]] = True
        strata[name] = [len(rows), part]
    return chosen, strata


def draw(
    corpus: Corpus, workspace: Workspace, size: str, *, seed: int = 0, progress: Progress | None = None
) -> DesignSample:
    """Draw a sample of a corpus, or return the one drawn before; it is kept in the workspace as one Parquet file.

    Args:
        corpus: the whole.
        workspace: where the sample is kept.
        size: see ``sample_size``.
        seed: of the draw.
        progress: where to report.

    Raises:
        SettingError: an impossible size.
        CorpusError: the corpus cannot be read.
    """
    watch = progress or NullProgress()
    documents = analyze(corpus, workspace, steps=id_steps(corpus), progress=watch).documents
    wanted = sample_size(size, documents.n)
    key = digest([f"sample {3 if corpus.labels else 2}", corpus.fingerprint, wanted, seed])[:24]
    folder = workspace.root / FOLDER / key
    known = sample_at(folder / "documents.parquet")
    if known is not None and Path(known.path).is_file():
        return known
    folder.mkdir(parents=True, exist_ok=True)
    chosen, strata = draw_rows(documents.ids, _sources(corpus, documents), wanted, seed=seed)
    _write(corpus, documents, chosen, folder / "documents.parquet", watch)
    about = DesignSample(
        path=str(folder / "documents.parquet"), whole=corpus.path, fingerprint=corpus.fingerprint,
        documents=documents.n, drawn=int(chosen.sum()), seed=seed, strata=strata,
    )  # fmt: skip
    write_bytes(folder / _ABOUT, json.dumps(asdict(about), indent=1, sort_keys=True, ensure_ascii=False).encode())
    return about


def sample_at(path: str | Path) -> DesignSample | None:
    """Return the sample that a file holds, None when it is no sample."""
    about = Path(path).with_name(_ABOUT)
    if Path(path).parent.parent.name != FOLDER or not about.is_file():
        return None
    value: dict[str, Any] = json.loads(about.read_bytes())
    return replace(DesignSample(**value), path=str(path))


def roles_of_sample(corpus: Corpus) -> dict[str, str]:
    """Return the roles of the sample of a corpus: those of the corpus, and the column of its document ids."""
    return {role: path for role, path in corpus.roles.known().items() if role != "id"} | {"id": id_column(corpus)}


def id_column(corpus: Corpus) -> str:
    """Return the name of the column of ids in a sample: ``ID``, or a longer name where the corpus has such a column."""
    return next(name for name in (ID + "_" * times for times in count()) if name not in corpus.schema.names)


def _sources(corpus: Corpus, documents: Documents) -> NDArray[np.object_] | None:
    """Return the source of every document in facts order, None without such a column."""
    path = corpus.roles.known().get("source")
    if path is None:
        return None
    found = np.empty(documents.n, dtype=object)
    for shard in corpus.shards():
        parts = [batch.column(0).cast(pa.large_string()) for batch in corpus.batches(shard, columns=[path])]
        values = np.array([text for part in parts for text in part.to_pylist()], dtype=object)
        mine = np.flatnonzero(documents.shard == shard.index)
        found[mine] = values[documents.row_in_shard[mine]]
    return found


def _decode_labels(part: pa.Table, names: Sequence[Sequence[str] | None]) -> pa.Table:
    """Return rows with label codes replaced by names, since the sample file does not store the names.

    Args:
        part: the rows.
        names: names of the labels of each column, None where it has none.
    """
    columns = [
        column if known is None else label_values(column.combine_chunks(), known)
        for column, known in zip(part.columns, names, strict=True)
    ]
    return pa.table(columns, names=part.column_names)


def _with_bytes(pictures: KeptPictures, rows: pa.Table, positions: NDArray[np.int64]) -> pa.Table:
    """Return rows with the bytes of their pictures in the place of paths."""
    placed = rows.append_column(SOURCE, pa.array(positions.astype(np.int64)))
    held = [picture_bytes(place) for place in pictures.places(placed)]
    return pictures.put(rows, held, [name or None for name in pictures.own_names(rows)])


def _write(corpus: Corpus, documents: Documents, chosen: NDArray[np.bool_], path: Path, progress: Progress) -> None:
    """Write the drawn rows with all their columns and their ids, in source order, and the bytes of pictures."""
    progress.step("drawing a sample", corpus.rows)
    id_field = pa.field(id_column(corpus), pa.string())
    names = [corpus.labels.get(path_of(corpus.schema, (column,))) for column in corpus.schema.names]
    kinds = zip(corpus.schema, names, strict=True)
    schema = pa.schema([*(field.with_type(pa.string()) if known else field for field, known in kinds), id_field])
    pictures = KeptPictures(corpus) if corpus.shape.kind == PICTURE else None
    schema = schema if pictures is None else pictures.written_schema(schema)
    step = corpus.rows if pictures is None else _PICTURES
    with atomic_write(path) as temporary, parquet_writer(temporary, schema) as writer:
        for shard in corpus.shards():
            mine = np.flatnonzero(chosen & (documents.shard == shard.index))
            row_of = documents.row_in_shard[mine]
            order = np.argsort(row_of, kind="stable")
            mine, row_of, first = mine[order], row_of[order], 0
            for batch in corpus.batches(shard):
                progress.check()
                here = slice(*np.searchsorted(row_of, [first, first + batch.num_rows]))
                for start in range(here.start, here.stop, step):
                    rows = np.arange(start, min(start + step, here.stop))
                    part = pa.Table.from_batches([batch]).take(pa.array(row_of[rows] - first))
                    ids = documents.ids.take(pa.array(mine[rows])).cast(pa.string())
                    part = _decode_labels(part, names)
                    if pictures is not None:
                        part = _with_bytes(pictures, part, documents.order[mine[rows]])
                    writer.write_table(part.append_column(id_field, ids).cast(schema))
                first += batch.num_rows
                progress.advance(batch.num_rows)

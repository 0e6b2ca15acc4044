"""Columns the corpus brings along that rules may use: source, language, label, and short extra values."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo
from tamis.analytics.steps.engine import shard_work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.corpus import Corpus
from tamis.data.repair import is_text
from tamis.data.schema import paths
from tamis.data.shards import Shard

LONGEST = 100
"""A text column with a longer value (bytes) is content, not a property to filter by."""

_ROLES = ("source", "language", "label")


def columns_step(corpus: Corpus) -> StepSpec:
    """Return the step that reads the role columns (as text) and the short scalar columns as ``meta_<name>``.

    Parts in source order hold ``source``, ``language``, ``label`` where the corpus has such roles (string, NULL where
    empty) and ``meta_*`` columns: numbers (never NaN), true/false and text of at most 100 bytes. A column that is too
    long in one shard is missing from that shard's part, and so from the facts.
    """
    columns = _wanted(corpus)

    def run(context: StepContext) -> None:
        context.fill(shard_work(context.corpus, lambda shard, given: _read(given.corpus, shard, columns)))
        context.out.commit(rows=context.documents.n, facts={"columns": columns})

    return StepSpec(
        name="columns",
        version=1,
        upstream=("documents",),
        params={"columns": columns},
        title="Reading the columns of the corpus",
        estimate=lambda size: Estimate(size.documents * 4e-6 + size.bytes / 300e6, size.documents * 20),
        run=run,
    )


def _wanted(corpus: Corpus) -> dict[str, str]:
    """Return facts column -> path in the corpus, sorted by facts column."""
    known = corpus.roles.known()
    wanted = {role: known[role] for role in _ROLES if role in known}
    for path, kind in sorted(paths(corpus.schema).items()):
        name = "meta_" + re.sub(r"[^0-9A-Za-z_]+", "_", path).strip("_").lower()
        if _is_short_scalar(kind) and path not in known.values() and name != "meta_" and name not in wanted:
            wanted[name] = path
    return dict(sorted(wanted.items()))


def _is_short_scalar(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        is_text(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_boolean(kind)
        or (types.is_temporal(kind) and not types.is_interval(kind))
    )


def _read(corpus: Corpus, shard: Shard, columns: dict[str, str]) -> pa.Table:
    batches = []
    for batch in corpus.batches(shard, columns=[corpus.roles.text, *columns.values()]):
        kept = batch.filter(batch.column(0).is_valid())
        arrays = [_value(kept.column(1 + index), role=name in _ROLES) for index, name in enumerate(columns)]
        batches.append(pa.table(arrays, names=list(columns)))
    table = pa.concat_tables(batches)
    return table.select([name for name in columns if name in _ROLES or _fits(table.column(name))])


def _value(array: pa.Array, *, role: bool) -> pa.Array:
    types = pa.types
    if role:
        text = array.cast(pa.string())
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    if types.is_floating(array.type) or types.is_decimal(array.type):
        number = array.cast(pa.float64())
        return pc.if_else(pc.is_finite(number), number, pa.scalar(None, pa.float64()))
    if types.is_integer(array.type):
        return array.cast(pa.float64() if types.is_uint64(array.type) else pa.int64())
    return array if types.is_boolean(array.type) else array.cast(pa.string())


def _fits(column: pa.ChunkedArray) -> bool:
    longest = pc.max(pc.binary_length(column)).as_py() if is_text(column.type) else None
    return longest is None or longest <= LONGEST


COLUMNS.declare(
    "columns",
    ColumnInfo(
        name="source",
        type="category",
        title="Source",
        role="source",
        help="Where the document comes from, as the corpus says.",
    ),
    ColumnInfo(
        name="language",
        type="category",
        title="Stated language",
        role="language",
        help="Language as the corpus states it.",
    ),
    ColumnInfo(
        name="label",
        type="category",
        title="Label",
        role="label",
        help="Label as the corpus gives it.",
    ),
)

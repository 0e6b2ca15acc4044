"""Columns of the corpus that rules may use: source, language, label, and short extra values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo
from tamis.analytics.steps.engine import Part, PieceInput, RowByRow, Work
from tamis.analytics.steps.row_by_row import Parts
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.data.artifact import Artifact
from tamis.data.byte_text import is_bytes
from tamis.data.corpus import Corpus
from tamis.data.hashing import digest
from tamis.data.paths import path_of, walk
from tamis.data.repair import is_text
from tamis.data.schema import type_at
from tamis.data.shapes import PICTURE
from tamis.data.shards import Shard

LONGEST = 100
"""A text column with a longer value (bytes) is content, not a property to filter by."""

LONGEST_NAME = 120
COLUMNS_VERSION = 2
"""2 keeps exact uint64, infinities and label names; a corpus without such columns still has version 1."""

_ROLES = ("source", "language", "label")
_ALL = "*"


def columns_step(corpus: Corpus) -> StepSpec:
    """Return the step that reads the role columns (as text) and the short scalar columns as ``meta_<name>``.

    Parts in source order hold ``source``, ``language``, ``label`` where the corpus has such roles (string, NULL where
    empty) and ``meta_*`` columns: numbers (never NaN; integers int64 or uint64), true/false and text of at most 100
    bytes. A column that is too long, or cannot be read, in one shard is missing from that shard's part, and so from
    the facts; the manifest lists all columns that are not in the facts under ``left_out``, path -> reason.
    """
    columns = _wanted(corpus)
    labels = {name: list(corpus.labels[path]) for name, path in columns.items() if path in corpus.labels}

    def run(context: StepContext) -> None:
        context.fill(_reading(context.corpus, columns, labels))
        for shard in context.corpus.shards():
            context.out.drop_part(_short_part(shard), keep=True)
        parts = [set(context.out.read_table(shard.part).column_names) for shard in context.corpus.shards()]
        there = [name for name in columns if all(name in part for part in parts)]
        facts = {"columns": columns, "left_out": left_out(context.corpus, columns, there)}
        context.out.commit(rows=context.documents.n, facts=facts)

    return StepSpec(
        name="columns",
        version=COLUMNS_VERSION if labels or _has_new_values(corpus, columns) else 1,
        upstream=("documents",),
        params={"columns": columns, **({"labels": labels} if labels else {})},
        title="Reading the columns of the corpus",
        estimate=lambda size: Estimate(size.documents * 4e-6 + size.bytes / 300e6, size.documents * 20),
        run=run,
    )


def _has_new_values(corpus: Corpus, columns: Mapping[str, str]) -> bool:
    """Return whether version 1 read a column in another way: infinite or large unsigned numbers."""
    kinds = [type_at(corpus.schema, path) for name, path in columns.items() if name not in _ROLES]
    return any(pa.types.is_floating(kind) or pa.types.is_uint64(kind) for kind in kinds)


def left_out(corpus: Corpus, columns: Mapping[str, str], there: Sequence[str]) -> dict[str, str]:
    """Return why each column of the corpus is not in the facts, by path; the fields of an object represent it.

    Args:
        corpus: the corpus.
        columns: facts column -> path, of the columns that were read.
        there: the facts columns that all shards have.
    """
    taken = {columns[name] for name in there} | corpus.role_columns
    reasons = {}
    for path, kind in _leaves(corpus):
        if path in taken:
            continue
        if path not in columns.values():
            reasons[path] = f"{_plural(kind)} are not compared"
        elif is_text(kind):
            reasons[path] = f"text longer than {LONGEST} bytes is not a property to filter by"
        else:
            reasons[path] = f"its values of type {kind} cannot be read"
    return reasons


def unread_columns(corpus: Corpus, read: Collection[str], steps: Iterable[StepSpec] = ()) -> tuple[str, ...]:
    """Return the columns without a role that no step reads, by path in schema order.

    Args:
        corpus: the corpus.
        read: the facts columns that were read.
        steps: the steps of the analysis; columns of vectors and coordinates count as read.
    """
    used = {step.params.get(name) for step in steps for name in ("column", "x", "y")}
    wanted = _wanted(corpus)
    seen = {*corpus.role_columns, *(path for name, path in wanted.items() if name in read), *used}
    return tuple(path for path, _ in _leaves(corpus) if path not in seen)


def _leaves(corpus: Corpus) -> Iterator[tuple[str, pa.DataType]]:
    """Yield path and type of all columns; objects are represented by their fields."""
    for names, kind in walk(corpus.schema):
        if not (pa.types.is_struct(kind) and _fields_differ(kind)):
            yield path_of(corpus.schema, names), kind


def left_out_notes(columns: Artifact) -> tuple[str, ...]:
    """Return a sentence for each column that is not in the facts, from the artifact of the step."""
    reasons: Mapping[str, str] = columns.facts.get("left_out", {})
    return tuple(f"column {path} is not in the facts: {reason}" for path, reason in reasons.items())


def _fields_differ(kind: pa.DataType) -> bool:
    return bool(kind.num_fields) and all(kind.get_field_index(field.name) >= 0 for field in kind)


def _plural(kind: pa.DataType) -> str:
    types = pa.types
    if types.is_struct(kind):
        return "objects with fields of one name"
    if types.is_list(kind):
        return "lists"
    if types.is_map(kind):
        return "maps"
    return "bytes" if is_bytes(kind) else f"values of type {kind}"


def _wanted(corpus: Corpus) -> dict[str, str]:
    """Return facts column -> path in the corpus, sorted by facts column."""
    known = corpus.roles.known()
    wanted = {role: known[role] for role in _ROLES if role in known}
    places = {path_of(corpus.schema, names): kind for names, kind in walk(corpus.schema)}
    # The path of a picture is one of a file's own columns already, and its caption is the text.
    used = {*known.values(), *(corpus.shape.columns.values() if corpus.shape.kind == PICTURE else ())}
    short = [path for path, kind in places.items() if _is_short_scalar(kind) and path not in used]
    wanted.update({name: path for path, name in facts_names(short).items()})
    return dict(sorted(wanted.items()))


def facts_names(paths: Sequence[str]) -> dict[str, str]:
    """Return the facts column of each path: ``meta_`` and the path in small letters, other signs as ``_``.

    Paths that give equal names, such as ``Score`` and ``score``, all get six hex digits appended, so that a name means
    at most one column.
    """
    folded = {path: f"meta_{_folded(path)}" for path in paths}
    counts = Counter(folded.values())
    return {
        path: name if counts[name] == 1 and len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}_{digest(path)[:6]}"
        for path, name in folded.items()
    }


def _folded(path: str) -> str:
    """Return a path as a name: ASCII where it has such letters or digits, else its own letters, else code points."""
    name = re.sub(r"[^0-9A-Za-z_]+", "_", path).strip("_").lower()
    name = name or re.sub(r"\W+", "_", path).strip("_").casefold()
    return name or "_".join(f"u{ord(mark):04x}" for mark in path) or "unnamed"


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


def _reading(corpus: Corpus, columns: Mapping[str, str], labels: Mapping[str, Sequence[str]]) -> Work[Shard]:
    """Return the work of reading the columns of each shard, and the table ``short-...`` of those left out."""

    def make(shard: Shard, given: PieceInput) -> dict[str, Part]:
        found, short = _read(given.corpus, shard, columns, labels)
        return {shard.part: found, _short_part(shard): short}

    rows = RowByRow("columns", columns=tuple(columns.values()), cut=_cut, join=partial(_join, list(columns)))
    return Work(
        corpus.shards(), lambda shard: (shard.part, _short_part(shard)), make, lambda shard: shard.rows, rows_of=rows
    )


def _short_part(shard: Shard) -> str:
    return f"short-{shard.index:05d}"


def _read(
    corpus: Corpus, shard: Shard, columns: Mapping[str, str], labels: Mapping[str, Sequence[str]]
) -> tuple[pa.Table, pa.Table]:
    """Return the columns of a shard's documents that can be read and are short, and which values of the others are.

    The second table has a column ``_ALL``, true, and for each column left out whether its value is short, NULL where
    it cannot be read.
    """
    held: dict[str, list[pa.Array]] = {name: [] for name in columns}
    short: dict[str, list[pa.Array]] = {name: [] for name in (_ALL, *columns)}
    unread = set()
    for batch in corpus.batches(shard, columns=[corpus.roles.text, *columns.values()]):
        kept = batch.filter(batch.column(0).is_valid())
        short[_ALL].append(pa.repeat(True, kept.num_rows))
        for index, name in enumerate(columns, start=1):
            values = _value(kept.column(index), role=name in _ROLES, names=labels.get(name))
            if values is None:
                unread.add(name)
                short[name].append(pa.nulls(kept.num_rows, pa.bool_()))
            else:
                held[name].append(values)
                short[name].append(_are_short(values, role=name in _ROLES))
    table = pa.table({name: pa.chunked_array(held[name]) for name in columns if name not in unread})
    there = {name for name in table.column_names if pc.all(pa.chunked_array(short[name])).as_py() in (True, None)}
    told = {name: pa.chunked_array(short[name], pa.bool_()) for name in short if name not in there}
    return table.select([name for name in table.column_names if name in there]), pa.table(told)


def _are_short(values: pa.Array, *, role: bool) -> pa.Array:
    """Return whether each value may be a property, bool (n,) without NULL."""
    if role or not is_text(values.type):
        return pa.repeat(True, len(values))
    return pc.fill_null(pc.less_equal(pc.binary_length(values), LONGEST), True)


def _cut(parts: Parts, start: int, stop: int) -> Parts | None:
    found, short = parts
    if not (isinstance(found, pa.Table) and isinstance(short, pa.Table)) or stop > short.num_rows:
        return None
    return found.slice(start, stop - start), short.slice(start, stop - start)


def _join(names: Sequence[str], several: Sequence[Parts]) -> Parts | None:
    """Return the columns that all rows allow, and ``short`` of the others; None if some are not known."""
    pairs = [(found, short) for found, short in several if isinstance(found, pa.Table) and isinstance(short, pa.Table)]
    there, left = [], {_ALL: pa.concat_tables([short.select([_ALL]) for _, short in pairs]).column(_ALL)}
    for name in names:
        if all(name in found.column_names for found, _ in pairs):
            there.append(name)
            continue
        told = [
            pa.repeat(True, short.num_rows) if name in found.column_names else short.column(name)
            for found, short in pairs
        ]
        left[name] = pa.chunked_array([chunk for some in told for chunk in _chunks(some)], pa.bool_())
        if pc.min(left[name].cast(pa.int8())).as_py() != 0:
            # No long value: one that cannot be read, or the values are in no part.
            return None
    tables = [found.select(there) for found, _ in pairs]
    if any(table.schema != tables[0].schema for table in tables):
        return None
    return pa.concat_tables(tables), pa.table(left)


def _chunks(values: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return values.chunks if isinstance(values, pa.ChunkedArray) else [values]


def _value(array: pa.Array, *, role: bool, names: Sequence[str] | None = None) -> pa.Array | None:
    """Return values in the form of the facts, None if Arrow cannot convert them."""
    try:
        return _converted(array if names is None else label_values(array, names), role=role)
    except pa.ArrowException:
        return None


def _converted(array: pa.Array, *, role: bool) -> pa.Array:
    types = pa.types
    if role:
        text = array.cast(pa.string())
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    if types.is_floating(array.type) or types.is_decimal(array.type):
        number = array.cast(pa.float64())
        return pc.if_else(pc.is_nan(number), pa.scalar(None, pa.float64()), number)
    if types.is_integer(array.type):
        return array if types.is_uint64(array.type) else array.cast(pa.int64())
    return array if types.is_boolean(array.type) else array.cast(pa.string())


def label_values(array: pa.Array, names: Sequence[str]) -> pa.Array:
    """Return labels by their names, (n,); a number without a name stays a number, a negative one is no label."""
    numbers = array.cast(pa.int64())
    known = pc.and_(pc.greater_equal(numbers, 0), pc.less(numbers, len(names)))
    found = pa.array(names, pa.string()).take(pc.if_else(known, numbers, None))
    other = pc.if_else(pc.less(numbers, 0), pa.scalar(None, pa.string()), numbers.cast(pa.string()))
    return pc.if_else(known, found, other)


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

"""Computing document ids: a streaming pass over the texts, and a second one over exact duplicates only."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.data.artifact import Artifact
from tamis.data.artifact_writer import ArtifactWriter
from tamis.data.batch_parts import read_batch
from tamis.data.corpus import Corpus
from tamis.data.documents import NOT_ID
from tamis.data.parts import Parts
from tamis.data.progress import Progress
from tamis.data.repair import Repairs
from tamis.data.shards import Shard

IDENTIFICATION_VERSION = 2
NO_TEXT = "the text is NULL"
_HASH = pa.binary(16)
_BLOCK = 1 << 16


@dataclass(frozen=True)
class _Pass:
    """The result of the first pass, rows in source order, errors included.

    Attributes:
        hash: uint8 (rows, 16), BLAKE2b-128 of the text, with the roles of its parts where it has parts.
        bytes: int64 (rows,), UTF-8 bytes of the text, -1 where it is NULL.
        ids: the id column as string (rows,), None without an id role.
        repaired: number of texts that were not valid Unicode.
        reasons: string (rows,), why rows are no documents; None where that is always for want of a text.
    """

    hash: NDArray[np.uint8]
    bytes: NDArray[np.int64]
    ids: pa.ChunkedArray | None
    repaired: int
    reasons: pa.ChunkedArray | None


def identify(corpus: Corpus, out: ArtifactWriter, progress: Progress) -> Artifact:
    """Write and commit the documents artifact: tables ``documents`` and ``errors`` (see ``Documents``).

    Memory grows with the number of documents (about 400 bytes each), never with their text. A killed run resumes by
    shard; shards that are already hashed are not read again.

    Raises:
        CorpusError: a file is damaged or was changed.
        StoreError: the disk is full.
    """
    shards = corpus.shards()
    for shard in shards:
        progress.check()
        if not out.has_part(hash_part(shard)):
            out.write_table(hash_part(shard), hash_shard(corpus, shard))
            progress.advance(shard.rows)
    first = _gather(out, shards)
    positions = np.flatnonzero(first.bytes >= 0)
    notes = [f"{first.repaired} texts held bytes or code points that are not Unicode"] if first.repaired else []
    found = _column_ids(corpus, first, positions, notes)
    id_source = "text" if found is None else "column"
    ids, order = found or _text_ids(corpus, out, first, positions, progress)
    columns = {"id": ids, "order": order, **_places(shards, order), "bytes": first.bytes[order]}
    out.write_table("documents", pa.table(columns))
    errors = _errors_table(shards, np.flatnonzero(first.bytes < 0), first.reasons)
    out.write_table("errors", errors)
    for shard in shards:
        out.drop_part(hash_part(shard), keep=True)
        out.drop_part(f"twins-{shard.index:05d}")
    texts = sha256(first.hash[order].tobytes()).hexdigest()
    facts = {"id_source": id_source, "notes": notes, "errors": errors.num_rows, "repaired": first.repaired}
    facts["texts"] = texts
    return out.commit(rows=len(positions), facts=facts)


def hash_part(shard: Shard) -> str:
    """Return the name of the part that holds the first pass over a shard."""
    return f"hash-{shard.index:05d}"


def hash_shard(corpus: Corpus, shard: Shard) -> pa.Table:
    """Return one row per source row: hash, bytes, id, and the number of repaired texts in the first row."""
    plain = corpus.shape.kind == "text"
    source = list(corpus.shape.paths)
    columns = source + ([corpus.roles.id] if corpus.roles.id else [])
    repairs = Repairs()
    hashes, sizes, ids, reasons = [], [], [], []
    for batch in corpus.batches(shard, columns=columns, repairs=repairs):
        if plain:
            texts = batch.column(0)
            hashes.append(hash_texts(texts))
        else:
            held = dict(zip(source, batch.columns, strict=False))
            parts = read_batch(corpus.shape, held, corpus.places, batch.num_rows)
            texts = corpus.shape.join(parts)
            hashes.append(hash_parts(parts))
            reasons.append(parts.reasons)
        sizes.append(pc.fill_null(pc.binary_length(texts), -1).cast(pa.int64()))
        if corpus.roles.id:
            ids.append(batch.column(len(source)).cast(pa.large_string()))
    table = pa.table({"hash": pa.chunked_array(hashes, _HASH), "bytes": pa.chunked_array(sizes, pa.int64())})
    if corpus.roles.id:
        table = table.append_column("id", pa.chunked_array(ids, pa.large_string()))
    if not plain:
        table = table.append_column("reason", pa.chunked_array(reasons, pa.string()))
    repaired = np.zeros(table.num_rows, dtype=np.int32)
    repaired[:1] = max(repairs[corpus.head(path)] for path in source)
    return table.append_column("repaired", pa.array(repaired))


def hash_pictures(corpus: Corpus, shard: Shard, known: pa.Table) -> pa.Table:
    """Return the same for pictures: the hash is that of the encoded bytes and the caption, the size the caption's.

    Args:
        corpus: a corpus of pictures.
        shard: one of its shards, or some of its rows.
        known: a row per source row: ``reason`` string, NULL for sound pictures, ``sha256`` of the encoded bytes.
    """
    columns = [corpus.roles.text, *([corpus.roles.id] if corpus.roles.id else [])]
    repairs = Repairs()
    held: list[list[pa.Array]] = [[] for _ in columns]
    for batch in corpus.batches(shard, columns=columns, repairs=repairs):
        for column, values in zip(held, batch.columns, strict=True):
            column.append(values)
    captions = pa.chunked_array(held[0], pa.large_string())
    reasons = known.column("reason").cast(pa.string())
    sums = known.column("sha256").to_pylist()
    hashed = [
        blake2b((picture or b"") + caption.encode(), digest_size=16).digest()
        for picture, caption in zip(sums, captions.to_pylist(), strict=True)
    ]
    sizes = pc.if_else(pc.is_null(reasons), pc.binary_length(captions).cast(pa.int64()), pa.scalar(-1, pa.int64()))
    table = pa.table({"hash": pa.array(hashed, _HASH), "bytes": sizes})
    if corpus.roles.id:
        table = table.append_column("id", pa.chunked_array(held[1]).cast(pa.large_string()))
    repaired = np.zeros(table.num_rows, dtype=np.int32)
    repaired[:1] = max((repairs[corpus.head(path)] for path in corpus.shape.paths), default=0)
    return table.append_column("reason", reasons).append_column("repaired", pa.array(repaired))


def without_repairs(tables: Sequence[pa.Table]) -> bool:
    """Return whether no text was repaired: the number of repaired ones belongs to a shard, not to a row."""
    return not any(pc.any(pc.not_equal(table.column("repaired"), 0)).as_py() for table in tables)


def hash_texts(texts: pa.Array) -> pa.Array:
    """Return ``hashing.hash128`` of each text as fixed_size_binary[16] (n,); meaningless where it is NULL."""
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1].tolist()
    data = memoryview(texts.buffers()[2] or b"")
    joined = b"".join(blake2b(data[start:stop], digest_size=16).digest() for start, stop in pairwise(offsets))
    return pa.FixedSizeBinaryArray.from_buffers(_HASH, len(texts), [None, pa.py_buffer(joined)])


def hash_parts(parts: Parts) -> pa.Array:
    """Return a hash of the parts of each row as fixed_size_binary[16] (n,): of texts, roles, kinds and turns."""
    codes = np.empty((len(parts.role), 14), dtype=np.uint8)
    codes[:, 0], codes[:, 1] = parts.role, parts.kind
    codes[:, 2:6] = parts.turn.astype("<i4").view(np.uint8).reshape(-1, 4)
    codes[:, 6:] = parts.sizes.astype("<i8").view(np.uint8).reshape(-1, 8)
    ends = np.concatenate([[0], np.cumsum(parts.sizes)])[parts.starts].tolist()
    heads, texts = memoryview(codes.tobytes()), memoryview(b"".join(_text_bytes(parts.texts)))
    rows = (14 * parts.starts).tolist()
    joined = b"".join(
        _hash_row(heads[a:b], texts[c:d]) for (a, b), (c, d) in zip(pairwise(rows), pairwise(ends), strict=True)
    )
    return pa.FixedSizeBinaryArray.from_buffers(_HASH, len(parts), [None, pa.py_buffer(joined)])


def _hash_row(head: memoryview, text: memoryview) -> bytes:
    state = blake2b(head, digest_size=16)
    state.update(text)
    return state.digest()


def _text_bytes(texts: pa.Array) -> Iterator[bytes | memoryview]:
    """Yield the bytes of all texts."""
    if len(texts):
        offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)
        yield memoryview(texts.buffers()[2] or b"")[offsets[texts.offset] : offsets[texts.offset + len(texts)]]


def _gather(out: ArtifactWriter, shards: tuple[Shard, ...]) -> _Pass:
    table = pa.concat_tables([out.read_table(hash_part(shard)) for shard in shards]).combine_chunks()
    hashes = table.column("hash").chunk(0)
    raw = np.frombuffer(hashes.buffers()[1], dtype=np.uint8).reshape(-1, 16)
    return _Pass(
        hash=raw[hashes.offset : hashes.offset + len(hashes)],
        bytes=table.column("bytes").to_numpy(),
        ids=table.column("id") if "id" in table.column_names else None,
        repaired=int(pc.sum(table.column("repaired")).as_py() or 0),
        reasons=table.column("reason") if "reason" in table.column_names else None,
    )


_Ids = tuple[pa.Array, NDArray[np.int64]]
"""Ids, string (n,) ascending, and the source position of each, int64 (n,)."""


def _column_ids(corpus: Corpus, first: _Pass, positions: NDArray[np.int64], notes: list[str]) -> _Ids | None:
    """Return the user's ids of the documents, or None with a note when they cannot be used."""
    if first.ids is None:
        return None
    ids = first.ids.take(pa.array(positions)).combine_chunks()
    name = corpus.roles.id
    if ids.null_count:
        notes.append(f"column {name}{NOT_ID}{ids.null_count} documents have none")
        return None
    distinct = pc.count_distinct(ids).as_py()
    if distinct != len(ids):
        notes.append(f"column {name}{NOT_ID}{len(ids)} documents share {distinct} values")
        return None
    sort = pc.sort_indices(ids)
    return ids.take(sort).cast(pa.string()), positions[sort.to_numpy()]


def _text_ids(
    corpus: Corpus, out: ArtifactWriter, first: _Pass, positions: NDArray[np.int64], progress: Progress
) -> _Ids:
    """Return ids made of text hashes and ordinals."""
    hashes = first.hash[positions]
    high, low = np.ascontiguousarray(hashes).view(">u8").T.astype(np.uint64)
    sort = np.lexsort((low, high))
    same = np.zeros(len(sort), dtype=bool)
    same[1:] = (high[sort[1:]] == high[sort[:-1]]) & (low[sort[1:]] == low[sort[:-1]])
    group = np.cumsum(~same) - 1
    ordinal = np.zeros(len(sort), dtype=np.int64)
    twin = same.copy()
    twin[:-1] |= same[1:]
    if twin.any():
        members = np.flatnonzero(twin)
        keys = _row_keys(corpus, out, np.sort(positions[sort[members]]), progress)
        where = np.searchsorted(keys.positions, positions[sort[members]])
        inner = np.lexsort((positions[sort[members]], keys.rank[where], group[members]))
        sort[members] = sort[members[inner]]
        starts = np.flatnonzero(~same)
        ordinal = np.arange(len(sort)) - starts[group]
        # Ids are sorted as text, and "-10" comes before "-2".
        rank = _text_rank(int(ordinal.max()) + 1)
        resort = np.lexsort((rank[ordinal], group))
        sort, ordinal = sort[resort], ordinal[resort]
    cuts = [slice(at, at + _BLOCK) for at in range(0, len(sort), _BLOCK)]
    blocks = [_id_block(hashes[sort[cut]], ordinal[cut]) for cut in cuts]
    return pa.chunked_array(blocks, pa.string()).combine_chunks(), positions[sort]


def _id_block(hashes: NDArray[np.uint8], ordinals: NDArray[np.int64]) -> pa.Array:
    if len(ordinals) and ordinals.max() < 10:
        return _short_ids(hashes, ordinals)
    text = hashes.tobytes().hex()
    pieces = zip(range(0, len(text), 32), ordinals.tolist(), strict=True)
    return pa.array([f"{text[at : at + 32]}-{number}" for at, number in pieces], pa.string())


def _short_ids(hashes: NDArray[np.uint8], ordinals: NDArray[np.int64]) -> pa.Array:
    """Return the ids of texts with one digit of ordinal: no Python value per text."""
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    ids = np.empty((len(hashes), 34), dtype=np.uint8)
    ids[:, 0:32:2], ids[:, 1:32:2] = digits[hashes >> 4], digits[hashes & 15]
    ids[:, 32], ids[:, 33] = ord("-"), digits[ordinals]
    offsets = np.arange(0, ids.size + 1, 34, dtype=np.int32)
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(ids))


def _text_rank(count: int) -> NDArray[np.int64]:
    """Return, int64 (count,), the place of each number when numbers are sorted as text."""
    rank = np.empty(count, dtype=np.int64)
    rank[sorted(range(count), key=str)] = np.arange(count)
    return rank


@dataclass(frozen=True)
class _RowKeys:
    """Order of rows by content: positions int64 (m,) ascending, rank int64 (m,), equal for equal content."""

    positions: NDArray[np.int64]
    rank: NDArray[np.int64]


def _row_keys(corpus: Corpus, out: ArtifactWriter, positions: NDArray[np.int64], progress: Progress) -> _RowKeys:
    """Rank the rows at ``positions`` by the hash of their full content."""
    if corpus.schema.names == [corpus.roles.text]:
        return _RowKeys(positions, np.zeros(len(positions), dtype=np.int64))
    parts = []
    progress.step("documents: exact twins", len(positions))
    for shard in corpus.shards():
        progress.check()
        mine = positions[np.searchsorted(positions, shard.first) : np.searchsorted(positions, shard.first + shard.rows)]
        name = f"twins-{shard.index:05d}"
        if len(mine) and not out.has_part(name):
            out.write_table(name, pa.table({"key": _content_keys(corpus, shard, mine - shard.first)}))
        if len(mine):
            parts.append(out.read_table(name))
        progress.advance(len(mine))
    keys = pa.concat_tables(parts).column("key").combine_chunks()
    return _RowKeys(positions, pc.rank(keys.cast(pa.binary()), tiebreaker="min").to_numpy().astype(np.int64))


def _content_keys(corpus: Corpus, shard: Shard, rows: NDArray[np.int64]) -> pa.Array:
    keys: list[bytes] = []
    first = 0
    for batch in corpus.batches(shard):
        mine = rows[np.searchsorted(rows, first) : np.searchsorted(rows, first + batch.num_rows)] - first
        keys.extend(map(content_key, _rows(batch.take(pa.array(mine)))) if len(mine) else ())
        first += batch.num_rows
    return pa.array(keys, pa.binary(32))


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return rows as Python values; values outside Python's range, such as distant times, as text."""
    try:
        return batch.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError):
        columns = {name: _values(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(column: pa.Array) -> list[Any]:
    try:
        return column.to_pylist()
    except (pa.ArrowException, ValueError, OverflowError):
        whole = len(column) + column.nbytes
        return [column.slice(at, 1).to_string(window=whole, container_window=whole) for at in range(len(column))]


def content_key(row: dict[str, Any]) -> bytes:
    """Return 32 bytes that order rows by content: equal rows of any file format have equal keys.

    The first half ignores differences that formats cannot express (NULL, empty text and missing columns); the second
    half distinguishes NULL from empty text.
    """
    exact = _canonical(row)
    return b"".join(blake2b(_JSON(value).encode(), digest_size=16).digest() for value in (_filled(exact), exact))


_JSON = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


def _canonical(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value.is_integer() else repr(value)
    if isinstance(value, dict):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    return value.hex() if isinstance(value, bytes) else str(value)


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        filled = {key: _filled(item) for key, item in value.items()}
        return {key: item for key, item in filled.items() if item not in (None, "", {}, [])}
    return [_filled(item) for item in value] if isinstance(value, list) else value


def _errors_table(shards: tuple[Shard, ...], positions: NDArray[np.int64], reasons: pa.ChunkedArray | None) -> pa.Table:
    reason = pa.array([NO_TEXT] * len(positions), pa.string())
    if reasons is not None:
        reason = pc.fill_null(reasons.take(pa.array(positions)).combine_chunks(), NO_TEXT)
    return pa.table({"position": positions, **_places(shards, positions), "reason": reason})


def _places(shards: tuple[Shard, ...], positions: NDArray[np.int64]) -> dict[str, NDArray[np.int32]]:
    """Return the columns ``shard`` and ``row_in_shard`` of source positions, int32 (m,)."""
    starts = np.array([shard.first for shard in shards], dtype=np.int64)
    shard = np.searchsorted(starts, positions, side="right") - 1
    return {"shard": shard.astype(np.int32), "row_in_shard": (positions - starts[shard]).astype(np.int32)}

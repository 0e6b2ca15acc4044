"""Digests of samples: what a trainer reads, whatever the format and the shards it is read from.

A sample's digest is the sha256 of its fields with their lengths; the digest of a split is that of its samples' digests
in order. Token ids count as 32-bit numbers, so the type a format stores them in does not matter.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.training.data import (
    COPY,
    DOCUMENT_ID,
    EPOCH,
    INPUT_IDS,
    LOSS_MASK,
    MESSAGE,
    MESSAGES,
    PIECE_LENGTHS,
    TEXT,
)

DIGEST_BYTES = 32
_ABSENT = 0xFFFFFFFF


def token_digest(
    ids: NDArray[np.generic], pieces: NDArray[np.generic], mask: NDArray[np.generic] | None = None
) -> bytes:
    """Return the digest of a sequence, 32 bytes.

    Args:
        ids: (tokens,), of any integer type.
        pieces: (pieces,), tokens of each piece.
        mask: (tokens,), 1 where the loss counts, or None without a mask.
    """
    state = hashlib.sha256(struct.pack("<3I", len(ids), len(pieces), _ABSENT if mask is None else len(mask)))
    state.update(np.ascontiguousarray(ids, dtype="<u4").data)
    state.update(np.ascontiguousarray(pieces, dtype="<u4").data)
    if mask is not None:
        state.update(np.ascontiguousarray(mask, dtype="u1").data)
    return state.digest()


def text_digest(
    document_id: str, text: str, copy: int, epoch: int, messages: Sequence[Mapping[str, Any]] | None = None
) -> bytes:
    """Return the digest of a document of the stream, 32 bytes."""
    state = hashlib.sha256(struct.pack("<2i", copy, epoch))
    turns = "" if messages is None else plain_messages(messages)
    for field in (document_id, text, turns):
        data = field.encode()
        state.update(struct.pack("<Q", len(data)))
        state.update(data)
    return state.digest()


def plain_messages(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the turns of a conversation as JSON, without what is NULL: one text for equal turns."""
    names = [field.name for field in MESSAGE]
    turns = [{name: turn[name] for name in names if turn.get(name) is not None} for turn in messages]
    return json.dumps(turns, ensure_ascii=False, separators=(",", ":"))


RECORD = np.dtype([("digest", f"V{DIGEST_BYTES}"), ("tokens", "<u4"), ("used", "<u4")])
"""What is noted of a sample while it is written: its digest, its tokens, and those that belong to pieces."""


def batch_records(batch: pa.RecordBatch) -> NDArray[np.void]:
    """Return what is noted of each sample of a batch, ``RECORD`` (n,)."""
    found = np.zeros(batch.num_rows, dtype=RECORD)
    found["digest"] = np.frombuffer(b"".join(batch_digests(batch)), dtype=f"V{DIGEST_BYTES}")
    if INPUT_IDS in batch.schema.names:
        found["tokens"] = pc.list_value_length(batch.column(INPUT_IDS)).to_numpy()
        found["used"] = [int(pieces.sum()) for pieces in lists(batch.column(PIECE_LENGTHS))]
    return found


def batch_digests(batch: pa.RecordBatch) -> Iterator[bytes]:
    """Yield the digest of each sample of a batch of ``text_schema`` or ``token_schema``."""
    names = batch.schema.names
    if INPUT_IDS in names:
        mask = lists(batch.column(LOSS_MASK)) if LOSS_MASK in names else [None] * batch.num_rows
        yield from map(token_digest, lists(batch.column(INPUT_IDS)), lists(batch.column(PIECE_LENGTHS)), mask)
        return
    turns = batch.column(MESSAGES).to_pylist() if MESSAGES in names else [None] * batch.num_rows
    plain = (batch.column(name).to_pylist() for name in (DOCUMENT_ID, TEXT, COPY, EPOCH))
    yield from map(text_digest, *plain, turns)


def lists(column: pa.ListArray) -> list[NDArray[Any]]:
    """Return the lists of a column as views of one array."""
    offsets = column.offsets.to_numpy().tolist()
    values = column.values.to_numpy()
    return [values[start:end] for start, end in pairwise(offsets)]


def content_digest(splits: Mapping[str, Iterable[bytes]]) -> str:
    """Return the sha256 (64 hex digits) over the samples of all splits, in order.

    Args:
        splits: by name, in the order of training: digests of samples, joined into any pieces.
    """
    whole = hashlib.sha256()
    for name, pieces in splits.items():
        own, count = hashlib.sha256(), 0
        for piece in pieces:
            own.update(piece)
            count += len(piece) // DIGEST_BYTES
        whole.update(f"{name} {count} {own.hexdigest()}\n".encode())
    return whole.hexdigest()

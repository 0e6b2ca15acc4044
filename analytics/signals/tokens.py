"""The length of every document in tokens, and the share of it that is unknown to the tokenizer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.facts.column_info import COLUMNS, ColumnInfo
from tamis.analytics.signals.token_counter import BYTES, PACKAGED, WORDPIECE, count, is_by_chunk, tokenizer_path
from tamis.analytics.steps.engine import PieceInput, RowByRow, shard_work
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.steps.text_processes import TextFunction, processes_for
from tamis.data.errors import SettingError
from tamis.data.hashing import file_sha256
from tamis.data.shards import Shard

TOKENS_VERSION = 2
"""Version 1 has only ``minilm-wordpiece``; bundles made with it still use it."""
_SCHEMA = pa.schema([("n_tokens", pa.int32()), ("unknown_share", pa.float32())])


def count_tokens(texts: pa.Array, tokenizer: str = BYTES) -> NDArray[np.int32]:
    """Return the tokens of each text, int32 (n,), special tokens not counted; NULL counts 0.

    Raises:
        SettingError: unknown tokenizer or unreadable file.
    """
    return count(texts, tokenizer).tokens(tokenizer)


def token_columns(texts: pa.Array, tokenizer: str, *, threads: int = 1) -> pa.Table:
    """Return ``n_tokens`` (int32) and ``unknown_share`` (float32) of the texts, (n,) rows.

    ``unknown_share`` is the share of a text's bytes in pieces that are not in the vocabulary, in [0, 1]; NULL for an
    empty text.
    """
    found = count(texts, tokenizer, threads=threads)
    size = pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    share = (found.unknown_bytes / np.maximum(size, 1)).astype(np.float32)
    return pa.table([found.tokens(tokenizer), pa.array(share, mask=size == 0)], schema=_SCHEMA)


def tokens_step(tokenizer: str = BYTES, *, version: int = TOKENS_VERSION) -> StepSpec:
    """Return the step that counts the tokens of every document.

    Args:
        tokenizer: see ``token_counter.tokenizer_path``.
        version: 1 for the step of older bundles, which has no ``unknown_share``.

    Raises:
        SettingError: unknown tokenizer, or one that version 1 does not have.
    """
    path = tokenizer_path(tokenizer)
    if version == 1 and tokenizer == BYTES:
        raise SettingError("Version 1 of the token counts has no such tokenizer", value=tokenizer, allowed=WORDPIECE)
    schema = pa.schema([_SCHEMA.field("n_tokens")]) if version == 1 else _SCHEMA

    by_chunk = is_by_chunk(tokenizer)

    def tables(shard: Shard, given: PieceInput) -> Iterator[pa.Table]:
        if not by_chunk:
            function = TextFunction("signals.tokens", "token_columns", (tokenizer,))
            yield from given.columns(function, given.corpus.document_texts(shard, max_rows=1024))
            return
        for texts in given.corpus.document_texts(shard):
            given.check()
            yield token_columns(texts, tokenizer, threads=given.threads)
            given.advance(len(texts))

    def measure(shard: Shard, given: PieceInput) -> pa.Table:
        parts = [schema.empty_table(), *(part.select(schema.names) for part in tables(shard, given))]
        return pa.concat_tables(parts).combine_chunks()

    def run(context: StepContext) -> None:
        processes = 1 if by_chunk else processes_for(int(context.documents.bytes.sum()))
        threads = os.cpu_count() or 1
        work = shard_work(context.corpus, measure, threads=threads, processes=processes, rows_of=RowByRow())
        context.fill(work)
        context.out.commit(rows=context.documents.n, facts={"tokenizer": tokenizer})

    return StepSpec(
        name="tokens",
        version=version,
        upstream=("documents",),
        params={"tokenizer": tokenizer if tokenizer in PACKAGED else path.name, "sha256": file_sha256(path)},
        title="Counting tokens",
        estimate=lambda size: Estimate(1 + size.bytes / (30e6 if by_chunk else 10e6), size.documents * 5),
        run=run,
    )


def replace_tokenizer(
    steps: Sequence[StepSpec], tokenizer: str, *, version: int = TOKENS_VERSION
) -> tuple[StepSpec, ...]:
    """Return the steps of an analysis with another tokenizer in the token step.

    Raises:
        SettingError: as ``tokens_step``.
    """
    return tuple(tokens_step(tokenizer, version=version) if step.name == "tokens" else step for step in steps)


COLUMNS.declare(
    "tokens",
    ColumnInfo(
        name="n_tokens",
        type="integer",
        title="Tokens",
        role="size",
        help="Length of the text in tokens of the chosen tokenizer; minilm-bytes counts unknown words by their bytes.",
        unit="tokens",
        low=0,
    ),
    ColumnInfo(
        name="unknown_share",
        type="number",
        title="Unknown to the tokenizer",
        role="signal",
        help="Share of the text's bytes in words that the tokenizer's vocabulary lacks.",
        low=0,
        high=1,
    ),
)

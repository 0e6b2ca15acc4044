"""One split in final training order: what a writer reads, and nothing more.

A sample is a document of the stream (form ``text``) or a packed sequence (form ``tokens``). Samples are numbered from
0; any slice of them can be read alone, so shards are made one by one, in any order, with the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.data.errors import SettingError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
Form = Literal["text", "tokens"]

INPUT_IDS, PIECE_LENGTHS, LOSS_MASK = "input_ids", "piece_lengths", "loss_mask"
DOCUMENT_ID, TEXT, MESSAGES, COPY, EPOCH = "document_id", "text", "messages", "copy", "epoch"

MESSAGE = pa.struct(
    [
        ("role", pa.string()),
        ("content", pa.large_string()),
        ("reasoning_content", pa.large_string()),
        ("tool_calls", pa.large_string()),
    ]
)
"""A turn of a conversation; ``tool_calls`` is the JSON of its calls. The last two are NULL where there are none."""

PIECES_SCHEMA = pa.schema(
    [
        ("sample", pa.int64()),
        ("piece", pa.int32()),
        ("document_id", pa.string()),
        ("copy", pa.int32()),
        ("epoch", pa.int32()),
        ("first_token", pa.int64()),
        ("last_token", pa.int64()),
        ("first_byte", pa.int64()),
        ("last_byte", pa.int64()),
    ]
)
"""Rows of the index, by sample and piece. Tokens and bytes are those of the document's edited text, first inclusive,
last exclusive; tokens are 0 in form ``text``."""


def text_schema(*, messages: bool = False) -> pa.Schema:
    """Return the schema of samples of form ``text``, with the turns of conversations if there are any."""
    turns = [pa.field(MESSAGES, pa.list_(MESSAGE))] if messages else []
    return pa.schema(
        [(DOCUMENT_ID, pa.string()), (TEXT, pa.large_string()), *turns, (COPY, pa.int32()), (EPOCH, pa.int32())]
    )


def token_schema(dtype: np.dtype[np.uint16] | np.dtype[np.uint32], *, mask: bool = False) -> pa.Schema:
    """Return the schema of samples of form ``tokens``, with the loss mask if there is one."""
    masked = [pa.field(LOSS_MASK, pa.list_(pa.uint8()))] if mask else []
    ids = pa.list_(pa.from_numpy_dtype(dtype))
    return pa.schema([pa.field(INPUT_IDS, ids), pa.field(PIECE_LENGTHS, pa.list_(pa.int32())), *masked])


@dataclass(frozen=True)
class TokenFormat:
    """What the header of a file of tokens states.

    Attributes:
        tokenizer: its name.
        sha256: of the file or table that defines it.
        vocabulary: number of ids, all smaller than this.
        eos: id that ends a document, or None.
        pad: id that fills a sequence, or None where sequences are not padded.
        length: tokens per sequence at most.
        padded: whether every sequence has exactly ``length`` tokens.
    """

    tokenizer: str
    sha256: str
    vocabulary: int
    eos: int | None
    pad: int | None
    length: int
    padded: bool = False

    @property
    def dtype(self) -> np.dtype[np.uint16] | np.dtype[np.uint32]:
        """Return the smallest type that holds every id."""
        return np.dtype(np.uint16) if self.vocabulary <= 1 << 16 else np.dtype(np.uint32)


class Samples(Protocol):
    """Where the samples of a split come from; reading changes nothing and any slice may be read at any time."""

    def batches(self, first: int, last: int) -> Iterator[pa.RecordBatch]:
        """Yield the samples ``first`` to ``last - 1`` in order, each once; O(batch) memory."""

    def pieces(self, first: int, last: int) -> pa.Table:
        """Return the rows of ``PIECES_SCHEMA`` of the samples ``first`` to ``last - 1``."""


@dataclass(frozen=True, eq=False)
class TrainingData:
    """One split, samples in final training order.

    Attributes:
        split: its name.
        schema: of the samples, see ``text_schema`` and ``token_schema``.
        sizes: int64 (samples,), content bytes of each sample, to plan shards.
        source: reads samples.
        tokens: of the token files; None in form ``text``.
    """

    split: Split
    schema: pa.Schema
    sizes: NDArray[np.int64]
    source: Samples
    tokens: TokenFormat | None = None

    @property
    def form(self) -> Form:
        """Return whether samples are texts or sequences of tokens."""
        return "text" if self.tokens is None else "tokens"

    @property
    def samples(self) -> int:
        """Return the number of samples."""
        return len(self.sizes)

    @property
    def token_dtype(self) -> np.dtype[np.uint16] | np.dtype[np.uint32] | None:
        """Return the type of ``input_ids``, None in form ``text``."""
        return None if self.tokens is None else self.tokens.dtype

    @property
    def eos_id(self) -> int | None:
        """Return the id that ends a document, None if there is none."""
        return None if self.tokens is None else self.tokens.eos

    @property
    def pad_id(self) -> int | None:
        """Return the id that fills sequences, None if there is none."""
        return None if self.tokens is None else self.tokens.pad

    @property
    def tokenizer(self) -> str | None:
        """Return the name of the tokenizer, None in form ``text``."""
        return None if self.tokens is None else self.tokens.tokenizer

    def batches(self, first: int = 0, last: int | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the samples ``first`` to ``last - 1`` in order, batches of ``schema``; O(batch) memory.

        Raises:
            SettingError: the slice lies outside the samples.
        """
        return self.source.batches(*self._bounds(first, last))

    def pieces(self, first: int = 0, last: int | None = None) -> pa.Table:
        """Return the index rows (``PIECES_SCHEMA``) of the samples ``first`` to ``last - 1``.

        Raises:
            SettingError: the slice lies outside the samples.
        """
        return self.source.pieces(*self._bounds(first, last))

    def _bounds(self, first: int, last: int | None) -> tuple[int, int]:
        end = self.samples if last is None else last
        if not 0 <= first <= end <= self.samples:
            raise SettingError("Samples outside the split", value=f"{first}:{end}", allowed=f"0 to {self.samples}")
        return first, end


@dataclass(frozen=True, eq=False)
class HeldSamples:
    """Samples in memory: small splits and single steps.

    Attributes:
        table: the samples, (n,) rows.
        index: their rows of ``PIECES_SCHEMA``, by sample.
        batch_rows: most rows of a batch.
    """

    table: pa.Table
    index: pa.Table
    batch_rows: int = 1024

    def batches(self, first: int, last: int) -> Iterator[pa.RecordBatch]:
        """Yield the samples ``first`` to ``last - 1``."""
        yield from self.table.slice(first, last - first).to_batches(max_chunksize=self.batch_rows)

    def pieces(self, first: int, last: int) -> pa.Table:
        """Return the index rows of the samples ``first`` to ``last - 1``."""
        samples = self.index.column("sample").to_numpy()
        begin, end = np.searchsorted(samples, [first, last])
        return self.index.slice(int(begin), int(end - begin))

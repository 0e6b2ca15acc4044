"""Small splits in memory: texts, conversations and packed sequences, drawn by a seed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tamis.analytics.training.data import (
    MESSAGE,
    PIECES_SCHEMA,
    HeldSamples,
    Split,
    TokenFormat,
    TrainingData,
    text_schema,
    token_schema,
)

WORDS = ("sieve", "grain", "Körner", "Müll", "砂", "🙂", 'say "no"', "tab\tline\n", "", "zero\u0000byte", "back\\slash")


def text_data(split: Split, samples: int, *, seed: int = 0, messages: bool = False) -> TrainingData:
    """Return a split of texts, with turns where asked."""
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, size=random.integers(0, 40))) for _ in range(samples)]
    columns = {
        "document_id": pa.array([f"{split}-ü{number:05d}" for number in range(samples)], pa.string()),
        "text": pa.array(texts, pa.large_string()),
        "copy": pa.array(np.arange(samples) % 3, pa.int32()),
        "epoch": pa.array(np.arange(samples) // 7, pa.int32()),
    }
    if messages:
        turns = [
            [
                {"role": "user", "content": text},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": '[{"name": "look"}]',
                    "reasoning_content": text[::-1],
                },
            ]
            for text in texts
        ]
        columns["messages"] = pa.array(turns, pa.list_(MESSAGE))
    schema = text_schema(messages=messages)
    table = pa.table([columns[name] for name in schema.names], schema=schema)
    sizes = np.array([len(text.encode()) for text in texts], dtype=np.int64)
    index = _index(columns["document_id"], np.ones(samples, dtype=np.int64), sizes)
    return TrainingData(split, schema, sizes, HeldSamples(table, index, batch_rows=97))


def token_data(
    split: Split, samples: int, *, seed: int = 0, vocabulary: int = 1 << 16, length: int = 64, mask: bool = False
) -> TrainingData:
    """Return a split of sequences of up to ``length`` tokens in up to five pieces."""
    random = np.random.default_rng(seed)
    tokens = TokenFormat("made up", "0" * 64, vocabulary, 0, None, length)
    lengths = [random.multinomial(random.integers(5, length + 1) - 5, [0.2] * 5) + 1 for _ in range(samples)]
    ids = [random.integers(0, vocabulary, size=pieces.sum(), dtype=np.int64) for pieces in lengths]
    schema = token_schema(tokens.dtype, mask=mask)
    columns = [ids, lengths]
    if mask:
        columns.append([random.integers(0, 2, size=len(each)) for each in ids])
    table = pa.table(
        [pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )
    sizes = np.array([len(each) * tokens.dtype.itemsize for each in ids], dtype=np.int64)
    counts = np.array([len(each) for each in lengths], dtype=np.int64)
    names = pa.array([f"d{number:06d}" for number in range(int(counts.sum()))], pa.string())
    index = _index(names, counts, np.concatenate(lengths))
    return TrainingData(split, schema, sizes, HeldSamples(table, index, batch_rows=97), tokens)


def _index(names: pa.Array, pieces: np.ndarray, lengths: np.ndarray) -> pa.Table:
    rows = int(pieces.sum())
    within = np.arange(rows) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    zeros = np.zeros(rows, dtype=np.int64)
    columns = [np.repeat(np.arange(len(pieces)), pieces), within, names, zeros, zeros, zeros, lengths, zeros, lengths]
    return pa.table(
        [pa.array(column).cast(field.type) for column, field in zip(columns, PIECES_SCHEMA, strict=True)],
        schema=PIECES_SCHEMA,
    )

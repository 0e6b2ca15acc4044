"""The samples of a split: any slice is read alone, and says which documents it came from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.training.data import (
    PIECES_SCHEMA,
    HeldSamples,
    TokenFormat,
    TrainingData,
    text_schema,
    token_schema,
)
from tamis.data.errors import SettingError


def held(count: int, *, batch_rows: int = 3) -> TrainingData:
    rows = [{"document_id": f"d{k}", "text": "x" * k, "copy": 0, "epoch": 0} for k in range(count)]
    index = [
        {"sample": k, "piece": 0, "document_id": f"d{k}", "copy": 0, "epoch": 0, "first_token": 0, "last_token": 0,
         "first_byte": 0, "last_byte": k}
        for k in range(count)
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=text_schema())
    source = HeldSamples(table, pa.Table.from_pylist(index, schema=PIECES_SCHEMA), batch_rows)
    return TrainingData("train", text_schema(), np.arange(count, dtype=np.int64), source)


@given(count=st.integers(0, 20), ends=st.tuples(st.integers(0, 20), st.integers(0, 20)))
def test_a_slice_has_the_same_samples_as_the_whole(count: int, ends: tuple[int, int]) -> None:
    data = held(count)
    first, last = sorted(min(end, count) for end in ends)
    whole = pa.Table.from_batches(data.batches(), schema=data.schema)
    part = pa.Table.from_batches(data.batches(first, last), schema=data.schema)
    assert part.to_pylist() == whole.slice(first, last - first).to_pylist()
    assert data.pieces(first, last).column("sample").to_pylist() == list(range(first, last))


def test_samples_outside_the_split_are_refused() -> None:
    with pytest.raises(SettingError, match="outside the split"):
        held(3).batches(2, 5)


def test_ids_are_as_narrow_as_the_vocabulary_allows() -> None:
    narrow, wide = (TokenFormat("t", "0" * 64, size, 0, None, 8) for size in (65_536, 65_537))
    assert (narrow.dtype, wide.dtype) == (np.uint16, np.uint32)
    assert token_schema(wide.dtype, mask=True).names == ["input_ids", "piece_lengths", "loss_mask"]

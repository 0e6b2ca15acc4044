"""Rows with types become lines of JSON by stated rules; what JSON holds too is not changed."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.data.errors import CorpusError
from tamis.data.row_json import row_lines

CASES: list[tuple[pa.Array, Any]] = [
    (pa.array([dt.date(2020, 2, 29)]), "2020-02-29"),
    (pa.array([dt.time(1, 2, 3)], pa.time64("us")), "01:02:03"),
    (pa.array([dt.datetime(2020, 1, 2, 3, 4, 5, 6000)], pa.timestamp("ms")), "2020-01-02T03:04:05.006000"),
    (pa.array([1], pa.timestamp("ns")), "1970-01-01T00:00:00.000000001"),
    (pa.array([dt.datetime(2020, 1, 2)], pa.timestamp("us", "UTC")), "2020-01-02T00:00:00+00:00"),
    (pa.array([1_500], pa.duration("ms")), 1.5),
    (pa.array([decimal.Decimal("1.10")]), "1.10"),
    (pa.array([b"\xff\x00"]), "/wA="),
    (pa.array([b"\xff\x00"], pa.binary(2)), "/wA="),
    (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
    (pa.array([0.1], pa.float32()), 0.10000000149011612),
    (pa.array([[1.5, float("nan"), float("-inf"), None]]), [1.5, None, None, None]),
    (pa.array([[("k", b"a"), ("l", None)]], pa.map_(pa.string(), pa.binary())), {"k": "YQ==", "l": None}),
    (pa.array([[("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.int8())), [["k", 1], ["k", 2]]),
    (pa.array([[(1, "a")]], pa.map_(pa.int8(), pa.string())), [[1, "a"]]),
    (pa.array([{"z": None, "a": [{"d": dt.date(2020, 1, 1)}, None]}]), {"z": None, "a": [{"d": "2020-01-01"}, None]}),
    (pa.array([None], pa.decimal128(5, 2)), None),
    (pa.array(["\u2028 \x7f \U0001f600"]), "\u2028 \x7f \U0001f600"),
]


@pytest.mark.parametrize(("array", "wanted"), CASES, ids=lambda case: str(getattr(case, "type", "")))
def test_a_value_is_written_by_the_rule_of_its_type(array: pa.Array, wanted: Any) -> None:
    (line,) = row_lines(pa.record_batch({"z": array, "a": array}))
    assert b"\n" not in line
    assert line.decode().startswith('{"z":')
    assert json.loads(line) == {"z": wanted, "a": wanted}


def test_a_value_that_cannot_be_stated_is_refused_by_column() -> None:
    with pytest.raises(CorpusError, match=r"Column far holds .*Parquet or Arrow"):
        row_lines(pa.record_batch({"far": pa.array([2**31 - 1], pa.date32())}))


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(st.none() | st.text(max_size=5), st.lists(st.integers(-9, 9) | st.none(), max_size=3))))
def test_values_of_json_types_come_back(rows: list[tuple[str | None, list[int | None]]]) -> None:
    batch = pa.record_batch(
        {
            "t": pa.array([row[0] for row in rows], pa.string()),
            "l": pa.array([row[1] for row in rows], pa.list_(pa.int8())),
        }
    )
    assert [json.loads(line) for line in row_lines(batch)] == batch.to_pylist()

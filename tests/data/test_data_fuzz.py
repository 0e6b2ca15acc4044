"""Whatever bytes lie in a file, it opens or is refused by name; whatever JSON lies in a line, no value is lost."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError
from tamis.data.open_corpus import open_corpus

PLAIN = b'{"text": "a document", "n": 1}\n{"text": "another", "n": 2.5, "m": {"k": [1, null]}}\n'
CSV = b'text,n,tag\n"a, b",1,x\nc,2,"y\nz"\n'


def parquet() -> bytes:
    """Return a small Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": ["a", None, "ccc"], "n": [1, 2, 3]}), sink, write_page_checksum=True)
    return sink.getvalue().to_pybytes()


SEEDS = {"a.jsonl": PLAIN, "a.csv": CSV, "a.parquet": parquet(), "a.jsonl.zst": zstandard.compress(PLAIN * 20)}


def read_all(path: Path) -> list[dict[str, Any]]:
    """Return all rows, by streaming and by position."""
    corpus: Corpus = open_corpus(path, roles={"text": "text"})
    rows = [row for shard in corpus.shards() for batch in corpus.batches(shard) for row in batch.to_pylist()]
    assert len(rows) == corpus.rows
    assert corpus.take(range(min(corpus.rows, 5))).num_rows == min(corpus.rows, 5)
    return rows


@pytest.mark.parametrize("name", SEEDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_file_opens_or_is_refused_by_name(name: str, data: st.DataObject) -> None:
    seed = SEEDS[name]
    at = data.draw(st.integers(0, len(seed)))
    junk = data.draw(st.binary(max_size=6))
    cut = data.draw(st.integers(0, 8))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(seed[:at] + junk + seed[at + cut :])
        try:
            rows = read_all(path)
        except CorpusError as error:
            assert name in str(error) or "no such column" in str(error) or "no rows" in str(error)
        else:
            assert rows


scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


def same(given_value: Any, found: Any) -> bool:
    """Return whether a value came back: as itself, in a wider type, or as JSON text where types were mixed."""
    if given_value is None:
        return found is None
    if isinstance(found, str) and not isinstance(given_value, str):
        return bool(json.loads(found) == given_value)
    if isinstance(given_value, dict) and isinstance(found, dict):
        return all(same(given_value.get(key), found[key]) for key in found) and set(given_value) <= set(found)
    if isinstance(given_value, list) and isinstance(found, list):
        return len(given_value) == len(found) and all(map(same, given_value, found))
    if isinstance(given_value, int) and isinstance(found, float):
        return found == pytest.approx(given_value, rel=1e-12)
    return bool(given_value == found)


@settings(max_examples=60, deadline=None)
@given(column=st.lists(values, min_size=1, max_size=6))
def test_json_values_come_back_as_themselves_or_as_json_text(column: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        path.write_text("".join(json.dumps({"text": "t", "v": value}) + "\n" for value in column))
        found = [row["v"] for row in read_all(path)]
    for value, back in zip(column, found, strict=True):
        assert same(value, back), (value, back)

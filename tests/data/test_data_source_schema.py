"""Rows are written again with the types, order and features of their source, whatever they are read as."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis.data.corpus import Corpus, open_corpus
from tamis.data.curated import written_schema
from tamis.data.source_schema import restore_types

COLUMNS: dict[str, pa.Array] = {
    "z": pa.array(["a", "b", None, "d"]),
    "large": pa.array(["a", "b", None, "d"], pa.large_string()),
    "i8": pa.array([1, None, 3, 4], pa.int8()),
    "u64": pa.array([1, None, 3, 2**63], pa.uint64()),
    "f16": pa.array(np.array([1, 2, 3, 4], np.float16)),
    "day": pa.array([dt.date(2020, 1, 1)] * 4),
    "time": pa.array([dt.datetime(2020, 1, 1)] * 4, pa.timestamp("ms", tz="UTC")),
    "span": pa.array([1, 2, 3, None], pa.duration("us")),
    "price": pa.array([decimal.Decimal("1.10")] * 4),
    "fixed": pa.array([b"\xff\xd8\xff\xe0", None, b"efgh", b"ijkl"], pa.binary(4)),
    "bytes": pa.array([b"a", None, b"", b"\xff"]),
    "vector": pa.array([[1.0, 2.0], None, [3.0, 4.0], [None, 1.0]], pa.list_(pa.float32(), 2)),
    "lists": pa.array([["a"], None, [], ["b", None]], pa.large_list(pa.string())),
    "turns": pa.array([[{"role": "x", "content": "y"}], None, [], [{"role": None, "content": "q"}]]),
    "deep": pa.array([{"z": "q", "a": {"k": [1]}}, None, {"z": None, "a": None}, {"z": "", "a": {"k": []}}]),
    "map": pa.array([[("k", 1)], None, [], [("a", None), ("b", 2)]], pa.map_(pa.string(), pa.int32())),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0123456789abcdef"] * 4, pa.binary(16))),
}


def written(corpus: Corpus) -> pa.Table:
    """Return all rows as they are written."""
    batches = [batch for shard in corpus.shards() for batch in corpus.batches(shard)]
    return restore_types(pa.Table.from_batches(batches), written_schema(corpus).remove_metadata())


@pytest.mark.parametrize("name", COLUMNS)
def test_a_type_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    table = pa.table({"text": ["a", "b", "c", "d"], name: COLUMNS[name]})
    pq.write_table(table, tmp_path / "a.parquet")
    corpus = open_corpus(tmp_path / "a.parquet", roles={"text": "text"})
    pq.write_table(written(corpus), tmp_path / "b.parquet")
    source, back = (pq.read_table(tmp_path / f"{file}.parquet") for file in "ab")
    assert back.schema.equals(source.schema)
    assert back.equals(source)


@pytest.mark.parametrize("kind", [pa.binary(4), pa.binary(), pa.large_binary(), pa.binary_view()])
def test_bytes_that_are_read_as_text_are_written_as_text(tmp_path: Path, kind: pa.DataType) -> None:
    words = pa.array([b"abcd", None, b"efgh"], kind)
    pq.write_table(pa.table({"text": ["a", "b", "c"], "word": words}), tmp_path / "a.parquet")
    back = written(open_corpus(tmp_path / "a.parquet", roles={"text": "text"})).column("word")
    assert back.type == pa.string() and back.to_pylist() == ["abcd", None, "efgh"]


def test_order_is_that_of_the_file(tmp_path: Path) -> None:
    pq.write_table(pa.table({"z": [1], "text": ["a"], "b": [2]}), tmp_path / "a.parquet")
    assert open_corpus(tmp_path / "a.parquet").source_schema.names == ["z", "text", "b"]
    (tmp_path / "a.csv").write_text("z,text,b\n1,a,2\n")
    assert open_corpus(tmp_path / "a.csv").source_schema.names == ["z", "text", "b"]
    lines = ['{"z": 1, "text": "a"}', '{"z": 1, "text": "a", "b": 2}', '{"text": "b"}']
    for order in (lines, lines[::-1]):
        (tmp_path / "a.jsonl").write_text("\n".join(order))
        assert open_corpus(tmp_path / "a.jsonl").source_schema.names == ["z", "text", "b"]


def test_files_that_disagree_give_the_type_that_is_read_with_small_offsets(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "n": pa.array([1], pa.int32())}), tmp_path / "a.parquet")
    pq.write_table(
        pa.table({"text": pa.array(["b"], pa.large_string()), "n": pa.array([1], pa.int64())}), tmp_path / "b.parquet"
    )
    pq.write_table(pa.table({"text": ["c"], "n": pa.nulls(1)}), tmp_path / "c.parquet")
    schema = open_corpus(tmp_path).source_schema
    assert (schema.field("text").type, schema.field("n").type) == (pa.string(), pa.int64())
    (tmp_path / "b.parquet").unlink()
    assert open_corpus(tmp_path).source_schema.field("n").type == pa.int32()


def test_formats_without_types_are_written_as_most_readers_take_them(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a", "l": ["x"], "s": {"k": "v"}, "n": null}\n')
    schema = open_corpus(tmp_path).source_schema
    assert schema.field("text").type == schema.field("n").type == pa.string()
    assert schema.field("l").type == pa.list_(pa.string())
    assert schema.field("s").type == pa.struct([("k", pa.string())])


def with_features(path: Path, **features: object) -> None:
    """Write a row whose file carries features."""
    table = pa.table({"text": ["a"], "label": pa.array([0], pa.int64())})
    block = json.dumps({"info": {"features": features, "splits": {"train": 1}}})
    pq.write_table(table.replace_schema_metadata({"huggingface": block, "pandas": "{}"}), path)


def test_features_are_kept_where_files_agree(tmp_path: Path) -> None:
    text = {"dtype": "string", "_type": "Value"}
    label = {"names": ["neg", "pos"], "_type": "ClassLabel"}
    with_features(tmp_path / "a.parquet", text=text, label=label, gone=text)
    with_features(tmp_path / "b.parquet", text=text, label=label)
    metadata = open_corpus(tmp_path).source_schema.metadata
    assert {key: json.loads(value) for key, value in metadata.items()} == {
        b"huggingface": {"info": {"features": {"text": text, "label": label}}}
    }
    with_features(tmp_path / "b.parquet", text=text, label={"names": ["pos", "neg"], "_type": "ClassLabel"})
    kept = json.loads(open_corpus(tmp_path).source_schema.metadata[b"huggingface"])
    assert kept == {"info": {"features": {"text": text}}}


@pytest.mark.parametrize("block", [b"{", b"[]", b"{}", b'{"info": 1}', b'{"info": {"features": []}}'])
def test_a_block_that_is_not_what_it_should_be_is_passed_over(tmp_path: Path, block: bytes) -> None:
    table = pa.table({"text": ["a"]}).replace_schema_metadata({"huggingface": block})
    pq.write_table(table, tmp_path / "a.parquet")
    assert open_corpus(tmp_path).source_schema.metadata is None


def test_values_too_large_for_small_offsets_are_cut_into_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.data.source_schema._SLICE", 100)
    table = pa.table({"text": pa.array([f"text number {n}" for n in range(50)], pa.large_string())})
    back = restore_types(table, pa.schema([("text", pa.string())]))
    assert back.column("text").num_chunks > 4
    assert back.column("text").to_pylist() == table.column("text").to_pylist()

"""Rows are written again with the types, order and features of their source, whatever they are read as."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis.data.byte_text import text_uuid
from tamis.data.corpus import Corpus
from tamis.data.curated import written_schema
from tamis.data.open_corpus import open_corpus
from tamis.data.restoration import restore_types

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
    table = pa.Table.from_batches([batch for shard in corpus.shards() for batch in corpus.batches(shard)])
    for name in corpus.uuids:
        column = pa.chunked_array(map(text_uuid, table.column(name).chunks))
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return restore_types(table, written_schema(corpus).remove_metadata())


@pytest.mark.parametrize("name", COLUMNS)
def test_a_type_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    table = pa.table({"text": ["a", "b", "c", "d"], name: COLUMNS[name]})
    pq.write_table(table, tmp_path / "a.parquet")
    corpus = open_corpus(tmp_path / "a.parquet", roles={"text": "text"})
    pq.write_table(written(corpus), tmp_path / "b.parquet")
    source, back = (pq.read_table(tmp_path / f"{file}.parquet") for file in "ab")
    assert back.schema.equals(source.schema)
    assert back.equals(source)


ELEMENT = pa.field("element", pa.int32(), nullable=False)
STRUCT = pa.struct(
    [pa.field("k", pa.string(), nullable=False, metadata={"unit": "letters"}), pa.field("l", pa.list_(ELEMENT))]
)
FIELDS = {
    "never": pa.field("x", pa.int64(), nullable=False),
    "id": pa.field("x", pa.int64(), metadata={"PARQUET:field_id": "7"}),
    "struct": pa.field("x", STRUCT),
    "structs": pa.field("x", pa.large_list(pa.field("element", STRUCT, nullable=False)), nullable=False),
    "map": pa.field("x", pa.map_(pa.string(), pa.field("value", STRUCT, nullable=False))),
    "fixed": pa.field("x", pa.list_(pa.field("element", pa.float32(), nullable=False), 2)),
}
INNER = {"k": "a", "l": [1, 2]}
VALUES = {
    "never": [1, 2, 3],
    "id": [1, None, 3],
    "struct": [INNER, None, {"k": "", "l": None}],
    "structs": [[INNER], [], [INNER, INNER]],
    "map": [[("a", INNER)], None, []],
    "fixed": [[1.0, 2.0], None, [3.0, 4.0]],
}


def with_field(path: Path, name: str, field: pa.Field | None = None) -> pa.Table:
    """Write rows with a text and a field of the given kind; return them as the file gives them."""
    field = field or FIELDS[name]
    plain = pa.array(VALUES[name], pa.field("x", field.type).type)
    schema = pa.schema([field, pa.field("text", pa.string(), nullable=False)])
    pq.write_table(pa.Table.from_arrays([plain, pa.array(["a", "b", "c"])], schema=schema), path)
    return pq.read_table(path)


@pytest.mark.parametrize("name", FIELDS)
def test_what_a_file_says_of_a_field_comes_back(tmp_path: Path, name: str) -> None:
    source = with_field(tmp_path / "a.parquet", name)
    table = written(open_corpus(tmp_path / "a.parquet", roles={"text": "text"}))
    pq.write_table(table, tmp_path / "b.parquet")
    back = pq.read_table(tmp_path / "b.parquet")
    assert back.schema.equals(source.schema, check_metadata=True)
    assert back.equals(source)
    assert pq.ParquetFile(tmp_path / "b.parquet").schema.equals(pq.ParquetFile(tmp_path / "a.parquet").schema)


STRICT = [
    *(pa.bool_(), pa.float16(), pa.date32(), pa.time64("us"), pa.timestamp("ms", "UTC"), pa.duration("s")),
    *(pa.decimal128(5, 2), pa.binary(3), pa.binary(), pa.string(), pa.large_string(), pa.list_(pa.int8())),
    *(pa.map_(pa.string(), pa.int8()), pa.large_list(pa.string()), STRUCT),
]


@pytest.mark.parametrize("kind", STRICT, ids=str)
@pytest.mark.parametrize("outer", ["struct", "list", "large_list", "fixed", "map", "deep"])
def test_a_field_that_is_never_null_lies_below_null(tmp_path: Path, kind: pa.DataType, outer: str) -> None:
    inner = pa.struct([pa.field("k", kind, nullable=False), pa.field("n", pa.int8())])
    element = pa.field("element", inner, nullable=False)
    whole = {
        "struct": inner,
        "list": pa.list_(element),
        "large_list": pa.large_list(pa.field("element", inner)),
        "fixed": pa.list_(element, 2),
        "map": pa.map_(pa.string(), pa.field("value", inner)),
        "deep": pa.struct([pa.field("in", inner), pa.field("strict", inner, nullable=False)]),
    }[outer]
    source = pa.table({"x": value_null_value(whole), "text": ["a", "b", "c"]})
    pq.write_table(source, tmp_path / "a.parquet")
    corpus = open_corpus(tmp_path / "a.parquet", roles={"text": "text"})
    pq.write_table(written(corpus), tmp_path / "b.parquet")
    wanted, back = (pq.read_table(tmp_path / f"{file}.parquet") for file in "ab")
    assert back.schema.equals(wanted.schema, check_metadata=True)
    assert back.to_pylist() == wanted.to_pylist()
    assert back.column("x").null_count == (0 if outer == "fixed" else 1)


def value_null_value(kind: pa.DataType) -> pa.Array:
    """Return a value, NULL with a value below it, and a value; of lists of fixed length only values."""
    mask = pa.array([False, True, False])
    if pa.types.is_struct(kind):
        values = pa.array([example(kind)] * 3, kind)
        children = [values.field(place) for place in range(kind.num_fields)]
        return pa.StructArray.from_arrays(children, fields=list(kind), mask=mask)
    if pa.types.is_fixed_size_list(kind):
        return pa.array([example(kind)] * 3, kind)
    return pa.array([example(kind), None, example(kind)], kind)


def example(kind: pa.DataType) -> Any:
    """Return a value of a type, as ``pa.array`` takes it."""
    is_ = pa.types
    if is_.is_struct(kind):
        return {field.name: example(field.type) for field in kind}
    if is_.is_map(kind):
        return [("key", example(kind.item_type))]
    if is_.is_fixed_size_list(kind):
        return [example(kind.value_type)] * kind.list_size
    if is_.is_nested(kind):
        return [example(kind.value_type)]
    if is_.is_decimal(kind):
        return decimal.Decimal("1.10")
    if is_.is_binary(kind) or is_.is_fixed_size_binary(kind):
        return b"a\x00c"
    if is_.is_boolean(kind):
        return True
    return "word" if is_.is_string(kind) or is_.is_large_string(kind) else 1


@pytest.mark.parametrize("name", FIELDS)
def test_files_that_say_different_things_of_a_field_give_what_holds_for_all(tmp_path: Path, name: str) -> None:
    with_field(tmp_path / "a.parquet", name)
    loose = pa.field("x", pq.read_schema(tmp_path / "a.parquet").field("x").type, nullable=True, metadata={"b": "c"})
    with_field(tmp_path / "b.parquet", name, loose)
    field = open_corpus(tmp_path, roles={"text": "text"}).source_schema.field("x")
    assert field.nullable
    assert field.metadata is None
    assert pa.field("x", field.type).equals(pa.field("x", narrowed(FIELDS[name].type)))


def narrowed(kind: pa.DataType) -> pa.DataType:
    """Return a type all of whose inner fields may be NULL."""
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, narrowed(field.type)) for field in kind])
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(narrowed(kind.value_type), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(narrowed(kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, narrowed(kind.item_type))
    return pa.list_(narrowed(kind.value_type)) if pa.types.is_list(kind) else kind


def test_a_column_that_a_file_lacks_may_be_null(tmp_path: Path) -> None:
    with_field(tmp_path / "a.parquet", "never")
    pq.write_table(pa.table({"text": ["d"]}), tmp_path / "b.parquet")
    corpus = open_corpus(tmp_path, roles={"text": "text"})
    assert corpus.source_schema.field("x").nullable
    assert sorted(written(corpus).column("x").to_pylist(), key=str) == [1, 2, 3, None]


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
    monkeypatch.setattr("tamis.data.restoration._SLICE", 100)
    table = pa.table({"text": pa.array([f"text number {n}" for n in range(50)], pa.large_string())})
    back = restore_types(table, pa.schema([("text", pa.string())]))
    assert back.column("text").num_chunks > 4
    assert back.column("text").to_pylist() == table.column("text").to_pylist()

"""Bytes that are text are read as text, and nothing else is; UUIDs are read as text and written as UUIDs."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.export.run import run_bundle
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.pipeline import analyze
from tamis.data.byte_text import text_uuid, uuid_text, with_text
from tamis.data.corpus import Corpus
from tamis.data.curated import curated_schema, kept_batches, write_sorted
from tamis.data.open_corpus import open_corpus
from tamis.data.repair import Repairs
from tamis.data.workspace import Workspace

TEXTS = ["Die Flüsse und die Städte", "川は町のそばを流れる", "plain\nlines\tand tabs"]
PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00"


def opened(tmp_path: Path, **columns: Any) -> Corpus:
    """Write columns as Parquet and open them."""
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    return open_corpus(tmp_path / "a.parquet")


def as_bytes(texts: list[str]) -> pa.Array:
    """Return texts as bytes without the annotation that they are text."""
    return pa.array([text.encode() for text in texts], pa.binary())


def test_a_text_column_of_bytes_beside_an_id_is_the_text(tmp_path: Path) -> None:
    corpus = opened(tmp_path, id=["a", "b", "c"], text=as_bytes(TEXTS))
    assert corpus.roles.known() == {"text": "text", "id": "id"}
    (shard,) = corpus.shards()
    assert [text for texts in corpus.texts(shard) for text in texts.to_pylist()] == TEXTS
    assert corpus.take([1]).to_pylist() == [{"id": "b", "text": TEXTS[1]}]


def test_bytes_inside_objects_and_lists_are_text_too(tmp_path: Path) -> None:
    kind = pa.struct([("body", pa.binary()), ("tags", pa.list_(pa.binary())), ("raw", pa.binary())])
    rows = [{"body": text.encode(), "tags": [b"x", None], "raw": PICTURE} for text in TEXTS]
    corpus = opened(tmp_path, page=pa.array([*rows, None], kind))
    assert corpus.roles.text == "page.body"
    assert corpus.schema.field("page").type.field("raw").type == pa.large_binary()
    assert corpus.take([2, 3]).column("page").to_pylist() == [
        {"body": TEXTS[2], "tags": ["x", None], "raw": PICTURE},
        None,
    ]


@pytest.mark.parametrize("value", [PICTURE, b"\xff\xfe", b"\x08\x01", b"a\x00b", b""])
def test_bytes_that_are_no_text_stay_bytes(tmp_path: Path, value: bytes) -> None:
    corpus = opened(tmp_path, text=["one", "two"], data=pa.array([value, value], pa.binary()))
    assert corpus.schema.field("data").type == pa.large_binary()
    assert corpus.take([0]).column("data").to_pylist() == [value]


def test_bytes_beyond_the_sample_that_are_no_utf8_are_repaired_and_counted(tmp_path: Path) -> None:
    many = [b"text"] * 3000
    many[1500] = b"caf\xe9"
    corpus, repairs = opened(tmp_path, text=pa.array(many, pa.binary())), Repairs()
    (shard,) = corpus.shards()
    rows = [row for batch in corpus.batches(shard, repairs=repairs) for row in batch.column(0).to_pylist()]
    assert rows[1500] == "caf\ufffd"
    assert repairs == {"text": 1}


def test_the_fingerprint_names_columns_that_are_read_otherwise_and_only_then(tmp_path: Path) -> None:
    corpus = opened(tmp_path, text=["one", "two"], data=pa.array([PICTURE, PICTURE], pa.binary()))
    assert corpus.files[0].recoded == ()
    corpus = opened(tmp_path, text=as_bytes(["one", "two"]), key=pa.array([uuid.UUID(int=1).bytes] * 2, pa.uuid()))
    assert corpus.files[0].recoded == ("key", "text")


def test_a_remembered_probe_tells_the_same(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": as_bytes(TEXTS), "u": pa.array([None] * 3, pa.uuid())}), tmp_path / "a.parquet")
    first, again = (open_corpus(tmp_path / "a.parquet", probes=tmp_path / "probes") for _ in range(2))
    assert len(list((tmp_path / "probes").iterdir())) == 1
    assert (first.fingerprint, first.schema, first.uuids) == (again.fingerprint, again.schema, again.uuids)


@given(st.lists(st.one_of(st.none(), st.uuids()), max_size=20), st.integers(0, 5))
def test_uuids_survive_being_text(values: list[uuid.UUID | None], start: int) -> None:
    storage = pa.array([None if value is None else value.bytes for value in values], pa.binary(16)).slice(start)
    texts = uuid_text(storage)
    assert texts.to_pylist() == [None if value is None else str(value) for value in values[start:]]
    assert text_uuid(texts).equals(storage.cast(pa.uuid()))


def test_uuids_are_written_as_uuids(tmp_path: Path, workspace: Workspace) -> None:
    keys = [uuid.UUID(int=k) for k in (3, 1, 2)]
    column = pa.array([key.bytes for key in keys], pa.uuid())
    corpus = opened(tmp_path, text=["c", "a", "b"], id=column)
    documents = analyze(corpus, workspace, steps=(documents_step(),)).documents
    batches = kept_batches(corpus, documents, np.ones(3, dtype=np.int32))
    write_sorted(batches, tmp_path / "out", rows=3, schema=curated_schema(corpus), spill_bytes=1)
    written = pq.read_table(tmp_path / "out" / "part-00000.parquet")
    assert written.schema.field("id").type == pa.uuid()
    assert written.to_pylist() == [{"id": uuid.UUID(int=k + 1), "text": "abc"[k]} for k in range(3)]


def test_a_curated_run_gives_uuids_back_also_where_a_file_has_none(tmp_path: Path, workspace: Workspace) -> None:
    keys = pa.array([uuid.UUID(int=1).bytes, None], pa.uuid())
    pq.write_table(pa.table({"text": ["a", "b"], "key": keys}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": ["c"], "key": pa.nulls(1)}), tmp_path / "b.parquet")
    (tmp_path / "recipe.yaml").write_text(Recipe(title="All of it").to_yaml())
    run_bundle(tmp_path / "recipe.yaml", str(tmp_path / "*.parquet"), tmp_path / "out", workspace=workspace)
    back = pq.read_table(tmp_path / "out" / "curated", columns=["text", "key"])
    assert back.schema.field("key").type == pa.uuid()
    assert sorted(zip(*back.to_pydict().values(), strict=True)) == [("a", uuid.UUID(int=1)), ("b", None), ("c", None)]


def test_types_without_bytes_are_left_alone() -> None:
    kind = pa.struct([("a", pa.int64()), ("b", pa.list_(pa.large_string()))])
    assert with_text(kind, [pa.array([{"a": 1, "b": ["x"]}], kind)]) == kind

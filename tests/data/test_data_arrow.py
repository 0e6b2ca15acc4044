"""Arrow files, streams, Feather and folders that ``datasets`` saves are read with their types and features."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value, disable_progress_bars

from tamis.data.errors import CorpusError
from tamis.data.open_corpus import open_corpus

disable_progress_bars()

TABLE = pa.table(
    {
        "text": [None if k % 50 == 7 else f"Row {k} says naïve things" for k in range(5_000)],
        "kind": pa.array(["a", "b", None, "a"] * 1_250).dictionary_encode(),
        "turns": pa.array([[{"role": "user", "content": "hi"}], [], None, []] * 1_250),
        "n": pa.array(range(5_000), pa.int32()),
    }
)


def write_ipc(make: Callable[..., Any], table: pa.Table, path: Path, **options: Any) -> None:
    """Write batches of 700 rows."""
    with make(str(path), table.schema, **options) as writer:
        writer.write_table(table, max_chunksize=700)


WRITERS: dict[str, tuple[str, Callable[[pa.Table, Path], None]]] = {
    "stream": ("a.arrow", lambda table, path: write_ipc(pa.ipc.new_stream, table, path)),
    "file": ("a.arrow", lambda table, path: write_ipc(pa.ipc.new_file, table, path)),
    "packed stream": (
        "a.arrows",
        lambda table, path: write_ipc(
            pa.ipc.new_stream, table, path, options=pa.ipc.IpcWriteOptions(compression="zstd")
        ),
    ),
    "feather": ("a.feather", lambda table, path: feather.write_feather(table, path, chunksize=700)),
    "file called ipc": ("a.ipc", lambda table, path: write_ipc(pa.ipc.new_file, table, path)),
}


@pytest.mark.parametrize("way", WRITERS)
@pytest.mark.parametrize("columns", [["text", "kind", "turns", "n"], ["text", "turns", "n"]])
def test_every_kind_of_arrow_gives_its_rows(tmp_path: Path, way: str, columns: list[str]) -> None:
    name, write = WRITERS[way]
    table = TABLE.select(columns)
    write(table, tmp_path / name)
    corpus = open_corpus(tmp_path)
    read = [row for shard in corpus.shards() for batch in corpus.batches(shard) for row in batch.to_pylist()]
    assert read == table.to_pylist()
    assert len(corpus._opened[0].probe.marks) == 4
    wanted = [4_999, 0, 1_400, 2_799, 1_400]
    assert corpus.take(wanted).to_pylist() == table.take(wanted).to_pylist()
    assert corpus.source_schema.field("n").type == pa.int32()
    assert corpus.source_schema.names == columns
    corpus.verify()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Save a data set of two splits."""
    features = Features({"text": Value("string"), "label": ClassLabel(names=["spam", "ham"])})
    rows = {"text": [f"A row of number {k}" for k in range(30)], "label": [k % 2 for k in range(30)]}
    whole = Dataset.from_dict(rows, features=features)
    splits = DatasetDict({"train_sft": whole, "heldout": whole.select(range(5))})
    splits.save_to_disk(tmp_path / "saved", num_shards={"train_sft": 3, "heldout": 1})
    return tmp_path / "saved"


def test_a_saved_dataset_opens_with_splits_labels_and_features_and_no_complaint(saved: Path) -> None:
    corpus = open_corpus(saved)
    assert corpus.notes == ()
    assert corpus.rows == 35
    assert corpus.labels == {"label": ("spam", "ham")}
    splits = [value for shard in corpus.shards() for b in corpus.batches(shard) for value in b["split"].to_pylist()]
    assert {split: splits.count(split) for split in splits} == {"train_sft": 30, "heldout": 5}
    block = json.loads(corpus.source_schema.metadata[b"huggingface"])
    assert block["info"]["features"]["label"]["names"] == ["spam", "ham"]
    assert open_corpus(saved / "train_sft").rows == 30


def test_caches_beside_a_saved_dataset_are_left_out_and_said(saved: Path) -> None:
    data = (saved / "heldout" / "data-00000-of-00001.arrow").read_bytes()
    (saved / "heldout" / "cache-0123456789abcdef.arrow").write_bytes(data)
    corpus = open_corpus(saved)
    assert corpus.rows == 35
    assert corpus.notes == (
        "left out: 1 file of Arrow that the saved dataset does not name (heldout/cache-0123456789abcdef.arrow)",
    )


def test_a_selection_kept_apart_from_its_rows_is_refused(saved: Path) -> None:
    state = saved / "train_sft" / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "_indices_data_files": [{"filename": "i.arrow"}]}))
    with pytest.raises(CorpusError, match=r"train_sft keeps a selection of rows.*flatten_indices"):
        open_corpus(saved)


def stream_bytes(table: pa.Table) -> bytes:
    """Return a stream of batches of 700 rows."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)
    return sink.getvalue().to_pybytes()


GOOD = stream_bytes(TABLE.select(["text", "n"]))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (GOOD[:-5_000], "is not a sound Arrow file"),
        (GOOD[:100], "is not a sound Arrow file"),
        (b"FEA1" + GOOD[4:], "is Feather of version 1.*version 2"),
        (b"not arrow at all", "is not a sound Arrow file"),
        (GOOD + GOOD, "is not a sound Arrow file: something follows the end"),
        (
            stream_bytes(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])),
            "has several columns of the same name",
        ),
    ],
)
def test_damaged_arrow_is_refused_or_left_out(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "bad.arrow").write_bytes(data)
    (tmp_path / "good.arrow").write_bytes(GOOD)
    with pytest.raises(CorpusError, match=rf"bad\.arrow {says}"):
        open_corpus(tmp_path)
    corpus = open_corpus(tmp_path, on_bad_file="skip")
    assert [file.name for file in corpus.files] == ["good.arrow"]
    assert "bad.arrow" in corpus.notes[0]


def test_a_stream_that_nothing_ends_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.arrow").write_bytes(GOOD[:-8])
    corpus = open_corpus(tmp_path)
    assert corpus.rows == 5_000
    assert corpus.notes == ("a.arrow: no mark ends the stream; it may be truncated",)


def test_offsets_beyond_their_buffer_are_refused_and_broken_text_is_repaired(tmp_path: Path) -> None:
    offsets = pa.py_buffer(bytes(pa.array([0, 9_999_999, 8], pa.int32()).buffers()[1])[:12])
    wild = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abcdefgh")])
    (tmp_path / "wild.arrow").write_bytes(stream_bytes(pa.table({"text": wild})))
    corpus = open_corpus(tmp_path)
    with pytest.raises(CorpusError, match=r"wild\.arrow is not a sound Arrow file: column text"):
        list(corpus.texts(corpus.shards()[0]))
    with pytest.raises(CorpusError, match="No file can be read"):
        open_corpus(tmp_path, on_bad_file="skip")
    broken = pa.array([b"a \xff byte", b"whole"]).view(pa.string())
    (tmp_path / "wild.arrow").write_bytes(stream_bytes(pa.table({"text": broken})))
    corpus = open_corpus(tmp_path)
    assert corpus.take([0, 1])["text"].to_pylist() == ["a \ufffd byte", "whole"]


def test_arrow_beside_older_formats_is_left_out_as_before(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n')
    alone = open_corpus(tmp_path).fingerprint
    (tmp_path / "b.arrow").write_bytes(GOOD)
    corpus = open_corpus(tmp_path)
    assert corpus.fingerprint == alone
    assert corpus.notes == ("left out: 1 file of another format beside data (b.arrow)",)

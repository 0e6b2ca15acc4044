"""Which files are read is decided by name and first bytes, and what is left out is said with a count."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tamis.data.errors import CorpusError, StoreError
from tamis.data.listing import list_files
from tamis.data.open_corpus import open_corpus
from tamis.data.outputs import output_folder

LINES = b'{"text": "one document"}\n{"text": "another one"}\n'


def parquet(path: Path, codec: str = "snappy") -> Path:
    """Write two rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": ["one document", "another one"]}), path, compression=codec)
    return path


@pytest.mark.parametrize(
    "name", ["x.parquet.gzip", "y.gz.parquet", "z.snappy.parquet", "w.parquet.zst", "v.PARQUET.SNAPPY", "part-00000"]
)
def test_parquet_is_read_whatever_its_writer_puts_into_the_name(tmp_path: Path, name: str) -> None:
    parquet(tmp_path / name, "gzip")
    corpus = open_corpus(tmp_path)
    assert (corpus.rows, corpus.files[0].format, corpus.files[0].compression) == (2, "parquet", "")
    assert corpus.notes == ()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.jsonl.bz2", bz2.compress),
        ("a.ndjson.xz", lzma.compress),
        ("a.jsonl.gzip", gzip.compress),
        ("a.jsonl.zstd", zstandard.compress),
        ("a.jsonl", gzip.compress),
        ("a.jsonl", zstandard.compress),
        ("a.jsonl.gz", zstandard.compress),
        ("a.2024-01.v1.jsonl.bz2", bz2.compress),
    ],
)
def test_text_is_unpacked_as_its_first_bytes_say(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / name).write_bytes(pack(LINES))
    corpus = open_corpus(tmp_path)
    texts = [text for shard in corpus.shards() for texts in corpus.texts(shard) for text in texts.to_pylist()]
    assert texts == ["one document", "another one"]


@pytest.mark.parametrize(("name", "pack"), [("a.jsonl.bz2", bz2.compress), ("a.jsonl.xz", lzma.compress)])
def test_truncated_files_of_every_compression_are_refused(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / name).write_bytes(pack(LINES * 1000)[:-20])
    with pytest.raises(CorpusError, match=rf"{name} cannot be read"):
        open_corpus(tmp_path)


def test_everything_that_is_left_out_is_listed_with_a_count(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet")
    for name in ("README.md", "b.txt", "sub/c.txt", "sub/d.arrow", "e.parquet.bak"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("not data")
    (tmp_path / "info.json").write_text("{}")
    (tmp_path / "_hidden.parquet").write_bytes(b"")
    (tmp_path / "_SUCCESS").write_bytes(b"")
    (tmp_path / "f.parquet.gz").write_bytes(gzip.compress(b"PAR1"))
    corpus = open_corpus(tmp_path)
    assert [file.name for file in corpus.files] == ["a.parquet"]
    assert set(corpus.notes) == {
        "left out: 1 file without a known format (e.parquet.bak)",
        "left out: 3 files of text or code beside data (README.md, b.txt, sub/c.txt)",
        "left out: 1 file of another format beside data (sub/d.arrow)",
        "left out: 1 file beside data, taken as a description (info.json)",
        "left out: 1 file of data whose name or folder begins with . or _ (_hidden.parquet)",
        "left out: 1 file of Parquet compressed as a whole, to be unpacked first (f.parquet.gz)",
    }


def test_a_file_that_is_named_may_be_parquet_by_its_first_bytes_alone(tmp_path: Path) -> None:
    parquet(tmp_path / "rows.data")
    assert open_corpus(tmp_path / "rows.data").rows == 2
    assert open_corpus(f"{tmp_path}/*.data").rows == 2
    with pytest.raises(CorpusError, match=r"No file has a known format.*1 file without a known format"):
        open_corpus(tmp_path)
    (tmp_path / "g.parquet.gz").write_bytes(gzip.compress(b"PAR1"))
    with pytest.raises(CorpusError, match=r"g\.parquet\.gz is compressed as a whole.*unpack"):
        open_corpus(tmp_path / "g.parquet.gz")


def test_a_window_too_wide_for_the_reader_is_said_with_what_to_do(tmp_path: Path) -> None:
    wide = zstandard.ZstdCompressionParameters.from_level(3, window_log=31, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    (tmp_path / "long.jsonl.zst").write_bytes(packer.compress(LINES) + packer.flush())
    with pytest.raises(CorpusError, match=r"window is 2,048 MiB .*this reader takes 128; compress it again: zstd"):
        open_corpus(tmp_path)


def test_parquet_of_a_type_the_reader_does_not_know_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet(tmp_path / "wide.parquet")

    def unknown(*_: object, **__: object) -> None:
        raise pa.ArrowNotImplementedError("Integers with more than 64 bits not implemented")

    monkeypatch.setattr("tamis.data.parquet_reader.pq.ParquetFile", unknown)
    with pytest.raises(
        CorpusError, match=r"wide\.parquet holds something this reader does not know.*more than 64 bits"
    ):
        open_corpus(path)


def run_folder(path: Path) -> Path:
    """Make what a run leaves."""
    parquet(path / "curated" / "part-00000.parquet")
    pq.write_table(pa.table({"id": ["a"]}), path / "ledger.parquet")
    (path / "run.json").write_text(json.dumps({"run_version": 2}))
    return path


def test_what_tamis_made_inside_a_corpus_is_passed_over_with_a_note(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet")
    run_folder(tmp_path / "deep" / "out")
    (tmp_path / "bundle" / "artifacts").mkdir(parents=True)
    (tmp_path / "bundle" / "recipe.lock.json").write_text("{}")
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "bundle" / "artifacts" / "b.parquet")
    parquet(tmp_path / "home" / "store" / "x" / "facts.parquet")
    (tmp_path / "home" / "corpora.json").write_text("[]")
    for path in (tmp_path, f"{tmp_path}/**/*.parquet"):
        corpus = open_corpus(path)
        assert [file.name for file in corpus.files] == ["a.parquet"]
        said = " ".join(corpus.notes)
        assert all(f"of {what} of Tamis" in said for what in ("a run", "a bundle", "a workspace"))


def test_a_file_called_run_json_alone_makes_no_run(tmp_path: Path) -> None:
    parquet(tmp_path / "sub" / "a.parquet")
    (tmp_path / "sub" / "run.json").write_text('{"mine": 1}')
    assert open_corpus(tmp_path).rows == 2


def test_the_folder_of_a_run_opens_as_its_curated_files(tmp_path: Path) -> None:
    corpus = open_corpus(run_folder(tmp_path / "out"))
    assert [file.name for file in corpus.files] == ["curated/part-00000.parquet"]
    assert corpus.notes == ("left out: 2 files beside the curated files of a run (ledger.parquet, run.json)",)
    assert [file.name for file in list_files(tmp_path / "out" / "curated").files] == ["part-00000.parquet"]


def test_an_output_that_could_not_be_or_would_spoil_the_corpus_is_refused(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    parquet(corpus / "a.parquet")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "in").symlink_to(corpus)
    (tmp_path / "file").write_text("")
    for out, says in (
        (tmp_path / "dangling", "broken link"),
        (tmp_path / "dangling" / "out", "below a path that is not a folder"),
        (tmp_path / "file" / "out", "below a path that is not a folder"),
        (corpus / "out", "inside the corpus"),
        (tmp_path / "in" / "sub" / "out", "inside the corpus"),
        (corpus, "inside the corpus"),
    ):
        with pytest.raises(StoreError, match=says):
            output_folder(out, corpus)
    (corpus / "home" / "store").mkdir(parents=True)
    (corpus / "home" / "corpora.json").write_text("[]")
    for fine in (tmp_path / "out", corpus / ".tamis" / "runs" / "out", corpus / "home" / "runs" / "out"):
        assert output_folder(fine, corpus) == fine
    assert output_folder(corpus / "out", corpus / "a.parquet") == corpus / "out"

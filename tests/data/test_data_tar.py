"""Tar shards of text and JSON, as WebDataset writes them, are rows of their endings."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError
from tamis.data.open_corpus import open_corpus

Members = list[tuple[str, bytes]]


def tar_bytes(members: Members, kind: int = tarfile.PAX_FORMAT) -> bytes:
    """Return members as a tar file."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=kind) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def samples(count: int) -> tuple[Members, list[dict[str, Any]]]:
    """Return members and the rows they are."""
    members: Members = []
    rows = []
    for k in range(count):
        key = f"set/{'deep/' * (k % 3)}{k:05d}" + "n" * (120 if k % 10 == 0 else 0)
        caption = f"Caption {k}: naïve “words” " * (1 + k % 5)
        facts = {"width": k, "tags": ["a", "b"][: k % 3], "by": {"name": f"n{k}"}}
        members += [(f"{key}.bin", b"\xff\xd8" * (k % 7 * 256)), (f"{key}.txt", caption.encode())]
        members += [(f"{key}.meta.json", json.dumps(facts).encode())]
        rows.append({"key": key, "txt": caption, "meta.json": facts})
    return members, rows


MEMBERS, ROWS = samples(300)


def rows_of(corpus: Corpus) -> list[dict[str, Any]]:
    """Return all rows in their order."""
    return [row for shard in corpus.shards() for batch in corpus.batches(shard) for row in batch.to_pylist()]


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz"])
def test_members_of_one_name_are_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int, name: str) -> None:
    monkeypatch.setattr("tamis.data.tar_reader.MARK_ROWS", 7)
    data = tar_bytes(MEMBERS, kind)
    (tmp_path / name).write_bytes(data if name == "a.tar" else gzip.compress(data))
    corpus = open_corpus(tmp_path)
    assert rows_of(corpus) == [{key: row[key] for key in sorted(row)} for row in ROWS]
    assert corpus.notes == (f"{name}: 300 members are left out, they are neither text, JSON nor pictures: bin 300",)
    assert (corpus.roles.text, corpus.roles.id) == ("txt", "key")
    wanted = [299, 0, 150, 6, 7]
    assert corpus.take(wanted)["txt"].to_pylist() == [ROWS[k]["txt"] for k in wanted]
    assert len(corpus._opened[0].probe.marks) == 43
    corpus.verify()


def test_a_row_without_text_is_an_error_row_and_hidden_members_are_none(tmp_path: Path) -> None:
    members = [
        ("._a.txt", b"of a Mac"),
        ("__index__/a.json", b"{}"),
        ("LICENSE", b"x"),
        ("a.bin", b"x"),
        ("b.txt", b"b c d"),
    ]
    (tmp_path / "a.tar").write_bytes(tar_bytes(members))
    corpus = open_corpus(tmp_path)
    assert rows_of(corpus) == [{"key": "a", "txt": None}, {"key": "b", "txt": "b c d"}]


@pytest.mark.parametrize(
    ("cut", "says"),
    [
        (lambda data, at: data[: at + 700], "breaks off after 120 whole rows"),
        (lambda data, at: data[: at + 100], "breaks off after 119 whole rows"),
        (lambda data, at: data[:at] + b"x" * 512 + data[at + 512 :], "breaks off after 119 whole rows .*no header"),
    ],
)
def test_a_tar_that_breaks_off_is_refused_with_its_count_or_read_up_to_there(
    tmp_path: Path, cut: Any, says: str
) -> None:
    data = tar_bytes([(f"{k:05d}.txt", f"Document number {k}".encode()) for k in range(200)])
    (tmp_path / "a.tar").write_bytes(cut(data, data.index(b"00120.txt")))
    with pytest.raises(CorpusError, match=rf"a\.tar {says}.*--skip-bad-files"):
        open_corpus(tmp_path)
    corpus = open_corpus(tmp_path, on_bad_file="skip")
    assert rows_of(corpus) == [{"key": f"{k:05d}", "txt": f"Document number {k}"} for k in range(int(says.split()[3]))]
    assert "the rest is left out" in corpus.left_out[0].reason


def test_a_member_that_is_not_json_is_refused_or_left_out_by_name(tmp_path: Path) -> None:
    members = [("a.txt", b"some text"), ("a.json", b"{"), ("b.txt", b"more \xff text"), ("b.json", b'{"n": 1}')]
    (tmp_path / "a.tar").write_bytes(tar_bytes(members))
    with pytest.raises(CorpusError, match=r"a\.tar/a\.json is not JSON.*leave out the member with --skip-bad-lines"):
        open_corpus(tmp_path)
    corpus = open_corpus(tmp_path, on_bad_line="skip")
    assert rows_of(corpus) == [
        {"json": None, "key": "a", "txt": "some text"},
        {"json": {"n": 1}, "key": "b", "txt": "more \ufffd text"},
    ]
    assert [item.file for item in corpus.left_out] == ["a.tar/a.json"]


@pytest.mark.parametrize("data", [b"", b"not a tar file at all" * 99])
def test_what_is_no_tar_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(CorpusError, match=r"a\.tar (is empty|breaks off after 0 whole rows)"):
        open_corpus(tmp_path)

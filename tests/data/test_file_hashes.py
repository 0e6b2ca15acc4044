"""Known files are not read again, and no changed file passes for a known one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tamis.data import file_hashes
from tamis.data.file_hashes import NAME, FileHashes
from tamis.data.hashing import file_sha256
from tamis.data.open_corpus import open_corpus


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the files that were read, and let files count as settled at once."""
    read: list[Path] = []

    def noted(path: Path) -> str:
        read.append(path)
        return file_sha256(path)

    monkeypatch.setattr(file_hashes, "file_sha256", noted)
    monkeypatch.setattr(file_hashes, "_SETTLED_NS", -1)
    return read


def test_a_known_file_is_read_once_for_any_number_of_openings(tmp_path: Path, reads: list[Path]) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "one"}\n')
    probes = tmp_path / "probes"
    first, second = (open_corpus(file, probes=probes) for _ in range(2))
    assert reads == [file]
    assert first.fingerprint == second.fingerprint
    assert open_corpus(file).fingerprint == first.fingerprint


def test_a_file_of_the_same_size_and_time_but_other_content_is_read(tmp_path: Path, reads: list[Path]) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "one"}\n')
    before = file.stat()
    old = open_corpus(file, probes=tmp_path / "probes").fingerprint
    file.write_text('{"text": "two"}\n')
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert open_corpus(file, probes=tmp_path / "probes").fingerprint != old
    assert reads == [file, file]


def test_a_file_written_a_moment_ago_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("text")
    hashes = FileHashes.of(tmp_path)
    assert hashes.sha256(file) == file_sha256(file)
    hashes.save()
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("record", [b"", b"[1]", b'{"x": 1}', b"\xff", b'{"FILE": ["a"]}'])
def test_a_damaged_record_is_passed_over(tmp_path: Path, record: bytes, reads: list[Path]) -> None:
    file = tmp_path / "a.txt"
    file.write_text("text")
    (tmp_path / NAME).write_bytes(record.replace(b"FILE", str(file).encode()))
    assert FileHashes.of(tmp_path).sha256(file) == file_sha256(file)
    assert reads == [file]

"""Pages notice that files of a corpus have changed, and asking whether they have costs little."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tamis.data.errors import CorpusError
from tamis.data.file_stamps import MOST_REST, REST, FileStamps, stamp_files

Change = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "corpus" / "cats").mkdir(parents=True)
    for name in ("a.png", "cats/b.png", "cats/b.txt", "metadata.csv"):
        (tmp_path / "corpus" / name).write_bytes(b"some bytes")
    return tmp_path / "corpus"


CHANGES: dict[str, Change] = {
    "another size": lambda at: (at / "cats" / "b.png").write_bytes(b"more bytes than before"),
    "another time": lambda at: os.utime(at / "a.png", ns=(1, 1)),
    "another name": lambda at: (at / "a.png").rename(at / "c.png"),
    "another folder": lambda at: (at / "a.png").rename(at / "cats" / "a.png"),
    "a new file": lambda at: (at / "d.png").write_bytes(b""),
    "a file is gone": lambda at: (at / "a.png").unlink(),
    "another caption": lambda at: (at / "cats" / "b.txt").write_bytes(b"a cat"),
    "another description": lambda at: (at / "metadata.csv").write_bytes(b"file_name,label"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_stamp_changes_with_everything_that_a_corpus_is_read_from(folder: Path, change: Change) -> None:
    before = stamp_files(str(folder))
    assert stamp_files(str(folder)) == before
    change(folder)
    assert stamp_files(str(folder)) != before


def test_what_is_hidden_or_made_by_tamis_changes_no_stamp(folder: Path) -> None:
    before = stamp_files(str(folder))
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x").write_bytes(b"x")
    (folder / "home" / "store").mkdir(parents=True)
    (folder / "home" / "corpora.json").write_bytes(b"{}")
    (folder / "run").mkdir()
    (folder / "run" / "run.json").write_bytes(b'{"run_version": 1}')
    assert stamp_files(str(folder)) == before
    (folder / "run" / "run.json").write_bytes(b'{"speed": 1}')
    assert stamp_files(str(folder)) != before, "it was no run"


def test_a_file_and_a_glob_have_stamps_and_what_is_not_there_says_so(folder: Path) -> None:
    (folder / "part.jsonl").write_bytes(b"{}")
    for path in (folder / "part.jsonl", folder / "*.jsonl"):
        before = stamp_files(str(path))
        os.utime(folder / "part.jsonl", ns=(len(before), path.name.count("*")))
        assert stamp_files(str(path)) != before
    with pytest.raises(CorpusError, match="nothing to open"):
        stamp_files(str(folder / "missing"))


def test_looking_takes_a_twentieth_of_the_time_and_is_never_long_ago() -> None:
    now, looks, length = 0.0, 0, 0.1

    def look(path: str) -> str:
        nonlocal now, looks
        now, looks = now + length, looks + 1
        return f"look {looks}"

    stamps = FileStamps(look, clock=lambda: now)
    assert stamps.of("a") == "look 1" and stamps.of("a") == "look 1"
    now += 0.99 * REST * length
    assert stamps.of("a") == "look 1" and stamps.of("b") == "look 2"
    now += 0.02 * REST * length
    length = 60.0
    assert stamps.of("a") == "look 3"
    now += 1.01 * MOST_REST
    assert stamps.of("a") == "look 4"

"""Each format holds the samples it was given: read back by its own library, for any shards, after any kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import training_loaders
from training_samples import text_data, token_data

from tamis.analytics.training.data import TrainingData
from tamis.analytics.training.folder import WrittenSplits, write_splits
from tamis.analytics.training.writers import WRITERS
from tamis.data.progress import NullProgress

FORMATS = [writer.name for writer in WRITERS]
CARD = """---
configs:
- config_name: default
  data_files:
{files}
---
"""


def write(out: Path, form: str, splits: Sequence[TrainingData], *, most: int = 1 << 20) -> WrittenSplits:
    """Write splits as the command does, without the files about them."""
    WRITERS[form].check(splits)
    out.mkdir()
    patterns = [(data.split, WRITERS[form].pattern(data.split)) for data in splits]
    files = "\n".join(f"  - split: {split}\n    path: {pattern}" for split, pattern in patterns)
    written = write_splits(out, splits, WRITERS[form], most=most, made_for={"run": "1"}, progress=NullProgress())
    (out / "README.md").write_text(CARD.format(files=files))
    return written


def load(form: str, out: Path, home: Path) -> dict[str, dict[str, object]]:
    """Read a folder in a process of its own: libraries change much of a process."""
    command = [sys.executable, "-W", "ignore", training_loaders.__file__, form, str(out)]
    environment = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def tree(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", FORMATS)
def test_the_library_of_a_format_reads_the_sequences_that_were_written(form: str, tmp_path: Path) -> None:
    splits = [token_data("train", 2500, mask=True), token_data("validation", 40, seed=1, mask=True)]
    written = write(tmp_path / "out", form, splits, most=60_000)
    assert written.counts[0].shards > 2
    found = load(form, tmp_path / "out", tmp_path / "home")
    assert set(found) == set(training_loaders.READERS[form])
    for read in found.values():
        assert read["samples"] == {"train": 2500, "validation": 40}
        assert read["tokens"] == {each.split: each.tokens for each in written.counts}
        assert read["content"] == written.content


@pytest.mark.parametrize("form", [name for name in FORMATS if "text" in WRITERS[name].forms])
def test_the_library_of_a_format_reads_the_texts_that_were_written(form: str, tmp_path: Path) -> None:
    splits = [text_data("train", 300, messages=True), text_data("test", 5, seed=1, messages=True)]
    written = write(tmp_path / "out", form, splits, most=15_000)
    assert written.counts[0].shards > 2
    for read in load(form, tmp_path / "out", tmp_path / "home").values():
        assert read["samples"] == {"train": 300, "test": 5}
        assert read["content"] == written.content


@pytest.mark.parametrize("form", FORMATS)
def test_ids_above_16_bits_are_read_as_they_were_written(form: str, tmp_path: Path) -> None:
    written = write(tmp_path / "out", form, [token_data("train", 50, vocabulary=200_000)])
    for read in load(form, tmp_path / "out", tmp_path / "home").values():
        assert read["content"] == written.content


@pytest.mark.parametrize("form", FORMATS)
def test_a_second_run_writes_the_same_bytes_and_other_shards_hold_the_same_content(form: str, tmp_path: Path) -> None:
    splits = [token_data("train", 700, mask=True), token_data("validation", 30, seed=3, mask=True)]
    first = write(tmp_path / "first", form, splits, most=30_000)
    again = write(tmp_path / "again", form, splits, most=30_000)
    other = write(tmp_path / "other", form, splits, most=12_000)
    assert tree(tmp_path / "first") == tree(tmp_path / "again")
    assert first.content == again.content == other.content
    assert other.counts[0].shards > first.counts[0].shards > 1
    assert (tmp_path / "first/index/train.parquet").read_bytes() == (tmp_path / "other/index/train.parquet").read_bytes()

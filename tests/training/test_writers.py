"""Each format holds the samples it was given: read back by its own library, for any shards, after any kill."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import training_loaders
from hypothesis import given
from hypothesis import strategies as st
from killing import ALL, run_until
from training_samples import text_data, token_data

from tamis.analytics.training.data import TrainingData
from tamis.analytics.training.folder import SHARDS, WrittenSplits, write_splits
from tamis.analytics.training.writers import WRITERS
from tamis.analytics.training.writers.writer import BATCH_BYTES, same_batches
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
    WRITERS[form].check(splits[0].tokens)
    out.mkdir()
    patterns = [(data.split, WRITERS[form].pattern(data.split)) for data in splits]
    files = "\n".join(f"  - split: {split}\n    path: {pattern}" for split, pattern in patterns)
    state = out.with_name("state")
    written = write_splits(out, state, splits, WRITERS[form], most=most, made_for={"run": "1"}, progress=NullProgress())
    shutil.rmtree(state)
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
    assert (tmp_path / "first/index/train.parquet").read_bytes() == (
        tmp_path / "other/index/train.parquet"
    ).read_bytes()


@given(sizes=st.lists(st.integers(0, 3 * BATCH_BYTES // 2), max_size=40), cuts=st.lists(st.integers(1, 9), min_size=1))
def test_batches_depend_on_the_sizes_of_samples_alone(sizes: list[int], cuts: list[int]) -> None:
    whole = pa.record_batch({"number": pa.array(range(len(sizes)), pa.int64())})
    given_sizes = np.array(sizes, dtype=np.int64)
    parts, start = [], 0
    for cut in itertools.cycle(cuts):
        if start >= len(sizes):
            break
        parts.append(whole.slice(start, cut))
        start += cut
    found = list(same_batches(parts, given_sizes))
    assert found == list(same_batches([whole], given_sizes))
    assert [row["number"] for batch in found for row in batch.to_pylist()] == list(range(len(sizes)))
    places = np.cumsum([0, *(batch.num_rows for batch in found)])
    for first, last in itertools.pairwise(places):
        assert last - first == 1 or given_sizes[first:last].sum() <= BATCH_BYTES


OWN_WRITER = """
import json, pathlib, sys
import numpy as np
from training_loaders import import_streaming
from training_samples import text_data, token_data
from tamis.analytics.training.writers.mds import encodings
import_streaming()
from streaming.base import MDSWriter

texts, ids = text_data("train", 40, messages=True), token_data("train", 40, length=900, mask=True)
for name, data in (("texts", texts), ("ids", ids)):
    out = str(pathlib.Path(sys.argv[1]) / name)
    with MDSWriter(out=out, columns=encodings(data.schema), size_limit=None) as writer:
        for batch in data.batches():
            for row in batch.to_pylist():
                kinds = {name: batch.schema.field(name).type for name in row}
                writer.write({
                    key: np.array(value, dtype=kinds[key].value_type.to_pandas_dtype())
                    if isinstance(value, list) and key != "messages" else value
                    for key, value in row.items()
                })
"""


def test_mds_shards_have_the_bytes_that_its_own_writer_gives(tmp_path: Path) -> None:
    support = f"import sys; sys.path.insert(0, {str(Path(training_loaders.__file__).parent)!r})\n"
    command = [sys.executable, "-W", "ignore", "-c", support + OWN_WRITER, str(tmp_path / "theirs")]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    write(tmp_path / "texts", "mds", [text_data("train", 40, messages=True)])
    write(tmp_path / "ids", "mds", [token_data("train", 40, length=900, mask=True)])
    for name in ("texts", "ids"):
        assert tree(tmp_path / name / "train") == tree(tmp_path / "theirs" / name)


@pytest.mark.parametrize("form", FORMATS)
def test_no_file_of_a_shard_is_much_larger_than_asked_for(form: str, tmp_path: Path) -> None:
    most = 100_000
    written = write(tmp_path / "out", form, [token_data("train", 1500)], most=most)
    sizes = written.shards.column("bytes").to_pylist()
    assert written.counts[0].shards > 1
    assert max(sizes) < 1.25 * most + 12_000, "lengths of pieces and the head of a file come on top"


@pytest.mark.parametrize("form", FORMATS)
def test_a_sample_larger_than_a_shard_is_a_shard_of_its_own(form: str, tmp_path: Path) -> None:
    written = write(tmp_path / "out", form, [token_data("train", 9, length=400)], most=1)
    assert written.counts[0].shards == 9


KILLED = """
import pathlib, sys
from training_samples import token_data
from tamis.analytics.training.folder import make_folder, write_splits
from tamis.analytics.training.writers import WRITERS
from tamis.data.progress import NullProgress

form, out, last = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
splits = [token_data("train", 700, mask=True), token_data("validation", 30, seed=3, mask=True)]
handed = itertools.count(1)
for data in splits:
    def dying(first, end, real=data.source.batches):
        for batch in real(first, end):
            if next(handed) == last:
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch
    object.__setattr__(data.source, "batches", dying)

def fill(draft, state):
    write_splits(draft, state, splits, WRITERS[form], most=60_000, made_for={"run": "1"}, progress=NullProgress())

make_folder(out, fill, what="Run")
"""
"""Ends in the middle of a shard: when the ``last`` batch of samples is asked for, counted over all shards."""


@pytest.mark.parametrize("form", FORMATS)
def test_a_killed_run_leaves_no_folder_and_goes_on_to_the_same_bytes(form: str, tmp_path: Path) -> None:
    splits = [token_data("train", 700, mask=True), token_data("validation", 30, seed=3, mask=True)]
    write(tmp_path / "whole", form, splits, most=60_000)
    (tmp_path / "whole/README.md").unlink()
    whole, out, draft = tree(tmp_path / "whole"), tmp_path / "out", tmp_path / ".out.partial"
    shards = pq.read_table(tmp_path / "whole" / SHARDS).column("file").to_pylist()
    last = [name for name in shards if name.startswith("train/")][-1]
    program = f"import sys; sys.path.insert(0, {str(Path(training_loaders.__file__).parent)!r})\n{KILLED}"
    # In the middle of the first shards, after the last file got its name but no mark, before the folder gets its name.
    for moment, batch in (("never", 2), (f"after {draft / last}", 0), (f"before {out}", 0)):
        run_until(moment, program, Path(form), out, Path(str(batch)))
        assert not out.exists()
        assert {name: data for name, data in tree(draft).items() if name in shards}.items() <= whole.items()
    made = (draft / shards[0]).stat().st_mtime_ns
    run_until(ALL, program, Path(form), out, Path("0"))
    assert tree(out) == whole
    assert (out / shards[0]).stat().st_mtime_ns == made, "a finished shard is not made again"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []

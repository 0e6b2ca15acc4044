"""Killed at random moments, work goes on where it stopped, and the result has the same bytes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tamis.data.hashing import file_sha256
from tamis.data.parquet import read_parquet
from tamis.data.store import Store

WORK = """
import sys
from pathlib import Path
import numpy as np
from tamis.data import jsonl_reader, shards
shards.SHARD_ROWS, jsonl_reader.BLOCK_ROWS = 40, 20
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.pipeline import analyze, documents_step
from tamis.data.corpus import open_corpus
from tamis.data.curated import curated_schema, kept_batches, write_sorted
from tamis.data.workspace import Workspace

home, path, out = map(Path, sys.argv[1:])
print("ready", flush=True)
workspace = Workspace(home)
corpus = open_corpus(path, probes=workspace.probes)
analysis = analyze(corpus, workspace, steps=(documents_step(), columns_step(corpus)))
copies = np.ones(analysis.documents.n, dtype=np.int32)
batches = kept_batches(corpus, analysis.documents, copies)
write_sorted(batches, out, rows=len(copies), schema=curated_schema(corpus), shard_rows=64, group_rows=32, spill_bytes=1)
print("done", flush=True)
"""


def begin(home: Path, path: Path, out: Path) -> subprocess.Popen[str]:
    """Start the work and return once its imports are over."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, str(home), str(path), str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def tree(folder: Path) -> dict[str, str]:
    """Return the checksum of every file with a final name."""
    return {
        str(path.relative_to(folder)): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


@pytest.mark.slow
def test_killed_work_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": f"document {n % 301}", "n": n, "tag": f"t{n % 5}"} for n in range(1200)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    started = time.monotonic()
    whole = begin(tmp_path / "whole", path, tmp_path / "out-whole")
    printed, complaint = whole.communicate(timeout=120)
    assert "done" in printed, complaint
    seconds = time.monotonic() - started
    expected, expected_out = tree(tmp_path / "whole" / "store" / "artifacts"), tree(tmp_path / "out-whole")
    home, out = tmp_path / "home", tmp_path / "out"
    store = Store(home / "store")
    chance = random.Random(7)
    killed = 0
    for _ in range(10):
        process = begin(home, path, out)
        time.sleep(chance.uniform(0.0, min(seconds, 1.0)))
        process.send_signal(signal.SIGKILL)
        killed += "done" not in process.communicate(timeout=60)[0]
        assert store.verify() == []
        assert tree(home / "store" / "artifacts").items() <= expected.items()
        for name, checksum in tree(out).items():
            assert checksum == expected_out[name]
            assert read_parquet(out / name).num_rows > 0
    assert killed >= 3
    last = begin(home, path, out)
    printed, complaint = last.communicate(timeout=120)
    assert "done" in printed, complaint
    assert tree(home / "store" / "artifacts") == expected
    assert tree(out) == expected_out
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []
    assert store.orphans() == []

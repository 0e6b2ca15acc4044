"""Killed at any moment, work goes on where it stopped, and the result has the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

from killing import ALL, run_until

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
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.pipeline import analyze
from tamis.data.open_corpus import open_corpus
from tamis.data.curated import curated_schema, kept_batches, write_sorted
from tamis.data.workspace import Workspace

home, path, out = map(Path, sys.argv[1:])
workspace = Workspace(home)
corpus = open_corpus(path, probes=workspace.probes)
analysis = analyze(corpus, workspace, steps=(documents_step(), columns_step(corpus)))
copies = np.ones(analysis.documents.n, dtype=np.int32)
batches = kept_batches(corpus, analysis.documents, copies)
write_sorted(batches, out, rows=len(copies), schema=curated_schema(corpus), shard_rows=64, group_rows=32, spill_bytes=1)
"""


def tree(folder: Path) -> dict[str, str]:
    """Return the checksum of every file with a final name."""
    return {
        str(path.relative_to(folder)): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def test_killed_work_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": f"document {n % 301}", "n": n, "tag": f"t{n % 5}"} for n in range(1200)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    moments = run_until(ALL, WORK, tmp_path / "whole", path, tmp_path / "out-whole")
    expected, expected_out = tree(tmp_path / "whole" / "store" / "artifacts"), tree(tmp_path / "out-whole")
    home, out = tmp_path / "home", tmp_path / "out"
    store = Store(home / "store")
    kills = 10
    assert moments > 10 * kills
    for kill in range(kills):
        # Each start goes on a little further; odd and even moments lie before and after what happens to a file.
        run_until(moments // (kills + 1) + kill % 2, WORK, home, path, out)
        assert store.verify() == []
        assert tree(home / "store" / "artifacts").items() <= expected.items()
        for name, checksum in tree(out).items():
            assert checksum == expected_out[name]
            assert read_parquet(out / name).num_rows > 0
    run_until(ALL, WORK, home, path, out)
    assert tree(home / "store" / "artifacts") == expected
    assert tree(out) == expected_out
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []
    assert store.orphans() == []

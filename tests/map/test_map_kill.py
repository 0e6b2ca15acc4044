"""An analysis killed inside the embedding step, or inside its fit, ends with every byte of an undisturbed one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from topics import topic_texts

from tamis.data.hashing import file_sha256
from tamis.data.store import Store

PROGRAM = Path(__file__).parents[1] / "support" / "killed.py"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 160 texts of unlike lengths, every tenth of them twice."""
    texts = [text * (1 + row % 7) for row, text in enumerate(topic_texts(40)[0])]
    path = tmp_path_factory.mktemp("killed") / "a.jsonl"
    rows = [{"id": f"d{row}", "text": texts[row - row % 10 if row % 10 == 1 else row]} for row in range(len(texts))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(home: Path, corpus: Path, tier: str, call: int, *, threads: int = 2) -> subprocess.CompletedProcess[str]:
    """Analyse in a process that is killed at a call of the model; 0: never."""
    command = [sys.executable, "-W", "ignore", str(PROGRAM), str(home), str(corpus)]
    count = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")}
    return subprocess.run([*command, tier, str(call)], env=os.environ | count, capture_output=True, text=True)


def artifacts(home: Path) -> dict[str, str]:
    """Return the checksum of every file of every finished artifact and asset."""
    return {
        str(path.relative_to(home)): file_sha256(path)
        for folder in ("store/artifacts", "assets")
        for path in sorted((home / folder).rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(home).parts)
    }


@pytest.mark.parametrize(("tier", "kills"), [("fast", (2, 1, 9)), ("precise", (1, 2, 4)), ("tuned", (2, 3, 15, 42, 2))])
def test_killed_inside_the_embedding_every_artifact_is_that_of_an_undisturbed_analysis(
    corpus: Path, tmp_path: Path, tier: str, kills: tuple[int, ...]
) -> None:
    whole = run(tmp_path / "whole", corpus, tier, 0)
    assert "done" in whole.stdout, whole.stderr
    expected = artifacts(tmp_path / "whole")
    home = tmp_path / "home"
    for number, call in enumerate(kills):
        killed = run(home, corpus, tier, call, threads=1 + number % 2)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert artifacts(home).items() <= expected.items()
        assert Store(home / "store").verify() == []
    last = run(home, corpus, tier, 0, threads=1)
    assert "done" in last.stdout, last.stderr
    assert artifacts(home) == expected
    assert sum(name.endswith("manifest.json") for name in expected) >= 14 and Store(home / "store").orphans() == []

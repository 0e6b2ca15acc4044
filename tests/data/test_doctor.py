"""The doctor sees what is wrong, says what to do, and repairs only what is safe."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import tamis

from tamis.data import health
from tamis.data.health import Finding, examine, repair
from tamis.data.store import ArtifactKey
from tamis.data.workspace import CorpusEntry, Workspace


def _artifact(workspace: Workspace, step: str) -> Path:
    with workspace.store.writer(ArtifactKey(step, 1, "corpus", {})) as writer:
        writer.write_array("values", np.arange(1000))
        return writer.commit(rows=1000).path


def _found(workspace: Workspace) -> dict[str, Finding]:
    return {each.check: each for each in examine(workspace)}


def test_a_healthy_workspace_has_nothing_to_say(workspace: Workspace) -> None:
    _artifact(workspace, "one")
    assert {each.state for each in examine(workspace)} <= {"ok", "warning"}
    assert _found(workspace)["Checksums"].state == "ok" and _found(workspace)["Packages"].state == "ok"


def test_a_changed_byte_is_found_by_its_checksum(workspace: Workspace) -> None:
    part = next(path for path in _artifact(workspace, "one").iterdir() if path.suffix == ".npy")
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    part.chmod(0o644)
    part.write_bytes(bytes(data))
    assert _found(workspace)["Checksums"].state == "failed" and "one" in _found(workspace)["Checksums"].said


def test_repair_removes_damaged_artifacts_and_dead_locks_and_keeps_unfinished_work(workspace: Workspace) -> None:
    good, bad = _artifact(workspace, "good"), _artifact(workspace, "bad")
    next(path for path in bad.iterdir() if path.suffix == ".npy").unlink()
    with pytest.raises(RuntimeError), workspace.store.writer(ArtifactKey("half", 1, "corpus", {})) as writer:
        writer.write_array("values", np.arange(10))
        raise RuntimeError("killed")
    lock = workspace.store.root / "locks" / f"{'0' * 64}.lock"
    lock.write_text("{}")
    before = _found(workspace)
    assert before["Damaged in the store"].state == "failed" and "Lock in the store" in before
    assert {orphan.kind for orphan in repair(workspace)} == {"damaged", "lock"}
    after = _found(workspace)
    assert good.exists() and not bad.exists() and not lock.exists() and "Partial in the store" in after
    assert "Damaged in the store" not in after and "Lock in the store" not in after


def test_missing_corpora_and_little_disk_are_warned_of(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.remember(CorpusEntry("lost", str(tmp_path / "gone.parquet")))
    monkeypatch.setattr(health, "LITTLE_DISK", 1 << 60)
    found = _found(workspace)
    assert found["Corpora"].state == "warning" and "lost" in found["Corpora"].said
    assert found["Disk"].state == "warning" and found["Disk"].fix


def test_the_command_says_it_as_text_and_json_and_fails_when_something_failed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    bad = _artifact(workspace, "bad")
    next(path for path in bad.iterdir() if path.suffix == ".npy").unlink()
    with pytest.raises(subprocess.CalledProcessError) as caught:
        tamis("doctor", home=tmp_path)
    assert caught.value.returncode == 1 and "FAILED  Damaged in the store" in caught.value.stdout
    value = json.loads(tamis("doctor", "--fix", "--json", home=tmp_path).stdout)
    assert len(value["removed"]) == 1 and all(each["state"] != "failed" for each in value["findings"])

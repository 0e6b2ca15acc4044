"""Artifacts are complete or absent; every ingredient matters; locks follow their owner."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tamis.data.errors import LockedError, SettingError, StoreError
from tamis.data.lock import Lock, Owner, is_held, machine
from tamis.data.store import ArtifactKey, Store

KEY = ArtifactKey("signals", 1, "corpus", {"size": 3, "names": ["a"]}, ("upstream",))


def filled(store: Store, key: ArtifactKey = KEY) -> Path:
    """Write a small artifact and return its folder."""
    with store.writer(key) as out:
        out.write_table("part-00000", pa.table({"x": [1, 2, 3]}))
        out.write_array("vectors", np.arange(6, dtype=np.float16).reshape(3, 2))
        out.write_json("names", {"b": 1, "a": [1, 2]})
        return out.commit(rows=3, facts={"k": 2}).path


def test_artifact_comes_back_as_it_was_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.find(KEY) is None
    filled(store)
    artifact = store.find(KEY)
    assert artifact is not None
    assert artifact.manifest.rows == 3
    assert artifact.facts == {"k": 2}
    assert artifact.table("part-00000").to_pydict() == {"x": [1, 2, 3]}
    assert (
        artifact.array("vectors").tolist() == artifact.array("vectors", mmap=True).tolist() == [[0, 1], [2, 3], [4, 5]]
    )
    assert artifact.json("names") == {"a": [1, 2], "b": 1}
    assert artifact.parts("part-") == ("part-00000",)
    assert (store.verify(), store.orphans()) == ([], [])
    assert [found.digest for found in store.artifacts()] == [KEY.digest]


@pytest.mark.parametrize(
    "other",
    [
        ArtifactKey("signals", 2, "corpus", {"size": 3, "names": ["a"]}, ("upstream",)),
        ArtifactKey("signal", 1, "corpus", {"size": 3, "names": ["a"]}, ("upstream",)),
        ArtifactKey("signals", 1, "corpus2", {"size": 3, "names": ["a"]}, ("upstream",)),
        ArtifactKey("signals", 1, "corpus", {"size": 3, "names": ["b"]}, ("upstream",)),
        ArtifactKey("signals", 1, "corpus", {"size": 3}, ("upstream",)),
        ArtifactKey("signals", 1, "corpus", {"size": 3, "names": ["a"]}, ("upstream", "more")),
    ],
)
def test_any_changed_ingredient_is_another_artifact(tmp_path: Path, other: ArtifactKey) -> None:
    filled(Store(tmp_path))
    assert Store(tmp_path).find(other) is None
    assert ArtifactKey("signals", 1, "corpus", {"names": ["a"], "size": 3.0}, ("upstream",)).digest == KEY.digest


@pytest.mark.parametrize("damage", ["no manifest", "cut part", "no part", "cut manifest", "other manifest"])
def test_damaged_artifact_is_not_found_but_listed_and_rebuilt(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    path = filled(store)
    manifest, part = path / "manifest.json", path / "vectors.npy"
    if damage == "no manifest":
        manifest.unlink()
    elif damage == "cut part":
        part.write_bytes(part.read_bytes()[:-1])
    elif damage == "no part":
        part.unlink()
    elif damage == "cut manifest":
        manifest.write_bytes(manifest.read_bytes()[:-20])
    else:
        value = json.loads(manifest.read_bytes())
        value["key"]["params"]["size"] = 4
        manifest.write_text(json.dumps(value))
    assert store.find(KEY) is None
    (orphan,) = store.orphans()
    assert (orphan.path, orphan.kind) == (path, "damaged")
    filled(store)
    assert store.find(KEY) is not None
    assert store.orphans() == []


def test_a_byte_changed_after_it_was_read_is_found_by_the_next_look_at_the_artifact(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = filled(store) / "vectors.npy"
    artifact = store.open(KEY.digest)
    assert artifact.array("vectors").shape == (3, 2)
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    for found in (artifact, store.open(KEY.digest)):
        with pytest.raises(StoreError, match="damaged"):
            found.array("vectors")
    assert len(store.verify()) == 1


def test_changed_byte_is_found_by_verify_and_on_reading(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = filled(store)
    for name in ("part-00000.parquet", "vectors.npy", "names.json"):
        whole = (path / name).read_bytes()
        changed = bytearray(whole)
        changed[len(whole) // 2 if name.endswith("json") else 10 if name.endswith("parquet") else -1] ^= 1
        (path / name).write_bytes(bytes(changed))
        assert len(store.verify()) == 1
        artifact = store.open(KEY.digest)
        with pytest.raises(StoreError):
            {"parquet": artifact.table, "npy": artifact.array, "json": artifact.json}[name.split(".")[1]](
                name.split(".")[0]
            )
        (path / name).write_bytes(whole)


def test_unfinished_writer_is_resumed_by_part(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writer(KEY) as out:
        out.write_table("part-00000", pa.table({"x": [1]}))
        out.write_table("part-00001", pa.table({"x": [2]}))
    assert store.find(KEY) is None
    (orphan,) = store.orphans()
    assert orphan.kind == "partial"
    (orphan.path / "part-00001.parquet").write_bytes(b"half")
    (orphan.path / ".part-00002.parquet.1.tmp").write_bytes(b"half")
    with store.writer(KEY) as out:
        assert out.has_part("part-00000")
        assert out.read_table("part-00000").num_rows == 1
        assert not out.has_part("part-00001")
        assert not out.has_part("part-00002")
        out.write_table("part-00001", pa.table({"x": [2]}))
        out.write_table("extra", pa.table({"x": [2]}))
        assert out.read_table("part-00001").num_rows == 1
        out.drop_part("extra")
        artifact = out.commit(rows=2)
    assert artifact.parts() == ("part-00000", "part-00001")
    assert sorted(path.name for path in artifact.path.iterdir()) == [
        "manifest.json",
        "part-00000.parquet",
        "part-00001.parquet",
    ]
    assert store.orphans() == []


def test_orphans_can_be_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writer(KEY) as out:
        out.write_table("part-00000", pa.table({"x": [1]}))
    for orphan in store.orphans():
        store.remove(orphan)
    with store.writer(KEY) as out:
        assert not out.has_part("part-00000")


def test_second_writer_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writer(KEY), pytest.raises(LockedError, match=f"written by process {os.getpid()}"), store.writer(KEY):
        pass
    with store.writer(KEY):
        pass


def test_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    code = "import os,sys; from pathlib import Path; from tamis.data.lock import Lock\n"
    code += "Lock(Path(sys.argv[1]), what='x').__enter__(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.lock")], check=False)
    assert (tmp_path / "a.lock").is_file()
    assert not is_held(tmp_path / "a.lock")
    with Lock(tmp_path / "a.lock", what="x") as lock:
        assert lock.is_mine()
    assert not (tmp_path / "a.lock").exists()


@pytest.mark.parametrize(
    ("owner", "age", "held"),
    [
        (Owner(os.getpid(), 1.0, machine(), "t"), 0.0, False),
        (Owner(2**22 + 1, 1.0, machine(), "t"), 0.0, False),
        (Owner(1, 1.0, "elsewhere:0", "t"), 0.0, True),
        (Owner(1, 1.0, "elsewhere:0", "t"), 3600.0, False),
    ],
)
def test_lock_is_held_only_by_a_live_owner(tmp_path: Path, owner: Owner, age: float, held: bool) -> None:
    path = tmp_path / "a.lock"
    path.write_text(json.dumps(vars(owner)))
    os.utime(path, (time.time() - age, time.time() - age))
    assert is_held(path) is held


def test_writer_whose_lock_was_taken_over_does_not_commit(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.writer(KEY) as out:
        (lock,) = (tmp_path / "locks").glob("*.lock")
        lock.write_text(json.dumps(vars(Owner(1, 1.0, "elsewhere:0", "t"))))
        with pytest.raises(LockedError, match="taken over"):
            out.commit(rows=0)
    assert store.find(KEY) is None


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a\x00b", "x" * 200, "ü"])
def test_names_never_leave_their_folder(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    with pytest.raises(SettingError):
        store.open(name)
    with store.writer(KEY) as out, pytest.raises(SettingError):
        out.write_json(name, 1)


def test_values_that_are_not_data_are_refused(tmp_path: Path) -> None:
    with Store(tmp_path).writer(KEY) as out:
        with pytest.raises(StoreError, match="Python objects"):
            out.write_array("a", np.array([{}], dtype=object))
        with pytest.raises(StoreError, match="not a JSON value"):
            out.write_json("a", float("nan"))
        with pytest.raises(StoreError, match="not a JSON value"):
            out.write_json("a", {1, 2})
        artifact = out.commit(rows=0)
    with pytest.raises(StoreError, match="has no table"):
        artifact.table("a")


def limited(action: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ``action`` in a process whose files may not grow beyond 64 KiB, as on a disk that is nearly full."""
    code = f"""
import resource, signal, sys, numpy as np, pyarrow as pa
from pathlib import Path
from tamis.data.errors import StoreError
from tamis.data.store import ArtifactKey, Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(Path(sys.argv[1])); noise = np.random.default_rng(0).integers(0, 255, 200_000, dtype=np.uint8)
with store.writer(ArtifactKey("signals", 1, "corpus", {{"size": 3, "names": ["a"]}}, ("upstream",))) as out:
    out.write_array("small", noise[:100])
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
    try:
        {action}
    except StoreError as error:
        print(error)
"""
    return subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "action",
    [
        "out.write_array('big', noise)",
        "out.write_table('big', pa.table({'x': noise}))",
        "out.write_json('big', 'x' * 99999)",
    ],
)
def test_full_disk_is_said_and_what_is_stored_is_kept(tmp_path: Path, action: str) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)
    done = limited(action, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Cannot write" in done.stdout
    assert "too large" in done.stdout
    assert "what is already stored is kept" in done.stdout
    with Store(tmp_path).writer(KEY) as out:
        assert out.has_part("small")
        assert not out.has_part("big")

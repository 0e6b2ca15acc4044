"""Every kind of picture and of damage has the same outcome as files, in columns and in tar shards, through a run."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from picture_corpus import damaged, sound, write_files

from tamis.analytics.export.run import run_bundle
from tamis.data.workspace import Workspace

SOUND = {name: raw for name, (raw, _) in sound().items()}
DAMAGED = damaged()
FILES = dict(sorted((SOUND | {name: raw for name, (raw, _) in DAMAGED.items()}).items()))
RECIPE = (
    "schema_version: 1\ntitle: All\nsteps:\n- {id: wide, operator: signal_range, params: {signal: width, min: 1}}\n"
)


def as_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    return write_files(folder, files)


def as_bytes(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir()
    table = pa.table({"image": pa.array(list(files.values()), pa.binary()), "n": list(range(len(files)))})
    pq.write_table(table, folder / "a.parquet", row_group_size=7)
    return folder


def as_objects(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir()
    held = [{"bytes": raw, "path": name} for name, raw in files.items()]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"image": pa.array(held, kind)}), folder / "a.parquet")
    return folder


def as_tars(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir()
    with tarfile.open(folder / "0.tar", "w") as tar:
        for number, (name, raw) in enumerate(files.items()):
            info = tarfile.TarInfo(f"{number:04d}{Path(name).suffix}")
            info.size = len(raw)
            tar.addfile(info, io.BytesIO(raw))
    return folder


@pytest.mark.parametrize("write", [as_files, as_bytes, as_objects, as_tars])
def test_sound_pictures_are_kept_and_others_are_errors_with_their_reason(
    write: Callable[[Path, Mapping[str, bytes]], Path], tmp_path: Path
) -> None:
    corpus = write(tmp_path / "corpus", FILES)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    done = run_bundle(tmp_path / "recipe.yaml", corpus, tmp_path / "out", workspace=Workspace(tmp_path / "home"))
    kept = [each["bytes"] for each in pq.read_table(tmp_path / "out" / "curated").column(_image(tmp_path)).to_pylist()]
    assert sorted(kept) == sorted(SOUND.values())
    names = list(FILES)
    errors = {
        names[row["row"]]: row["reason"] for row in pq.read_table(tmp_path / "out" / "errors.parquet").to_pylist()
    }
    assert errors.keys() == DAMAGED.keys() and done.errors == len(DAMAGED)
    assert [name for name, reason in errors.items() if DAMAGED[name][1] not in reason] == []


def _image(folder: Path) -> str:
    names = pq.read_schema(next((folder / "out" / "curated").glob("*.parquet"))).names
    return next(name for name in ("image", "jpg", "png") if name in names)

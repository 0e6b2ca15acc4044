"""Pictures leave as they came: in every form of source and output the same documents, the same bytes."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from killing import ALL, run_until
from picture_corpora import FORMS, DrawnPicture, draw_pictures
from typer.testing import CliRunner

from tamis.analytics.export import curated
from tamis.analytics.export.bundle import export_bundle
from tamis.analytics.export.curated import PICTURE_FORMATS, CuratedFormat, CuratedOptions
from tamis.analytics.export.run import Run, run_bundle, verify_bundle
from tamis.analytics.handover.prepare import PrepareOptions, prepare_bundle
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.ray_engine import connect
from tamis.analytics.study.study import Study
from tamis.app.cli.main import app
from tamis.data import picture_forms
from tamis.data.errors import CorpusError, SettingError, StoreError
from tamis.data.hashing import file_sha256
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

RECIPE = """
schema_version: 1
title: Wide pictures
steps:
  - {id: wide, operator: signal_range, params: {signal: width, min: 33}}
"""


@pytest.fixture(scope="module")
def drawn() -> list[DrawnPicture]:
    return draw_pictures()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, drawn: list[DrawnPicture]) -> Path:
    """Return a folder with the pictures in every form, a recipe, and a bundle made on the folder of files."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, write in FORMS.items():
        write(folder / name, drawn)
    (folder / "recipe.yaml").write_text(RECIPE)
    study = Study.open(open_corpus(folder / "folder"), Workspace(folder / "home"))
    export_bundle(folder / "bundle", study=study, recipe=Recipe.from_yaml(RECIPE))
    return folder


@pytest.fixture(scope="module")
def runs(root: Path) -> dict[tuple[str, CuratedFormat], Run]:
    """Run the recipe on every form of source, into every format it has."""
    return {
        (form, format): run(root, form, root / f"{form}-{format}", format)
        for form in FORMS
        for format in PICTURE_FORMATS
        if format != "paths" or form in ("folder", "named")
    }


def run(root: Path, form: str, out: Path, format: CuratedFormat, **options: Any) -> Run:
    chosen = CuratedOptions(format=format, **options)
    return run_bundle(root / "recipe.yaml", root / form, out, workspace=Workspace(root / "home"), options=chosen)


def written_pictures(done: Run) -> list[tuple[bytes, str | None, str]]:
    """Return picture, caption and label of every row of a run, in the order of its files, by plain readers."""
    place = done.folder / "curated"
    if done.format == "folder":
        rows = [json.loads(line) for line in (place / "metadata.jsonl").read_bytes().splitlines()]
        return [
            ((place / row["file_name"]).read_bytes(), row.get("caption") or row.get("txt"), _label(row)) for row in rows
        ]
    if done.format == "webdataset":
        return [row for path in sorted(place.glob("*.tar")) for row in _samples(path)]
    if done.format == "arrow":
        # Late: pandas.
        import datasets

        table = datasets.load_from_disk(str(place)).data.table
    else:
        table = pq.read_table(place)
    pictures = [
        each["bytes"] if each["bytes"] is not None else Path(each["path"]).read_bytes()
        for each in table.column("image").to_pylist()
    ]
    captions = table.column("caption" if "caption" in table.column_names else "txt").to_pylist()
    return list(zip(pictures, captions, map(_label, table.to_pylist()), strict=True))


def _samples(path: Path) -> list[tuple[bytes, str | None, str]]:
    # Late: webdataset.
    import webdataset

    rows = []
    for sample in webdataset.WebDataset(str(path), shardshuffle=False):
        (end,) = set(sample) & {"png", "jpg", "webp", "gif", "bmp"}
        caption = sample.get("txt", b"").decode() or None
        rows.append((sample[end], caption, _label(json.loads(sample["json"]))))
    return rows


def _label(row: dict[str, Any]) -> str:
    return str(row["label"] if "label" in row else row["json"]["label"])


def test_every_form_of_source_and_output_has_the_same_pictures_captions_and_labels_in_one_order(
    runs: dict[tuple[str, CuratedFormat], Run], drawn: list[DrawnPicture]
) -> None:
    rows = {key: written_pictures(done) for key, done in runs.items()}
    first = rows["folder", "parquet"]
    assert 20 < len(first) < len(drawn)
    assert set(first) <= {(each.raw, each.caption, each.label) for each in drawn}
    # The samples of a tar have ids, their keys, so they stand in another order.
    assert [key for key, found in rows.items() if found != first and key[0] != "tars"] == []
    assert all(sorted(found, key=repr) == sorted(first, key=repr) for found in rows.values())
    assert len({done.selection for (form, _), done in runs.items() if form != "tars"}) == 1


def test_a_run_opens_as_a_corpus_with_the_same_pictures_under_the_same_ids(
    root: Path, runs: dict[tuple[str, CuratedFormat], Run]
) -> None:
    wanted = [row[0] for row in written_pictures(runs["folder", "parquet"])]
    for format in PICTURE_FORMATS:
        done = runs["folder", format]
        if format == "paths":
            continue
        again = run_bundle(
            root / "recipe.yaml", done.folder, root / f"again-{format}", workspace=Workspace(root / "home"),
            roles={"id": "document_id" if format != "webdataset" else "json.document_id"},
            options=CuratedOptions(format="parquet"),
        )  # fmt: skip
        assert [row[0] for row in written_pictures(again)] == wanted
        assert again.counts[-1].documents == done.counts[-1].documents


def test_loaders_find_every_picture_of_a_folder_although_a_class_and_a_file_are_named_as_splits(
    runs: dict[tuple[str, CuratedFormat], Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    # Late: pandas.
    import datasets

    wanted = [row[1:] for row in written_pictures(runs["folder", "parquet"])]
    for form, format in (("folder", "folder"), ("named", "parquet"), ("bytes", "parquet"), ("folder", "paths")):
        done = runs[form, format]  # type: ignore[index]
        found = datasets.load_dataset(str(done.folder), cache_dir=str(tmp_path / f"{form}-{format}"))
        assert list(found) == ["train"]
        assert found["train"].num_rows == done.counts[-1].documents
        assert isinstance(found["train"].features["image"], datasets.Image)
        captions, labels = found["train"]["caption"][:], found["train"]["label"][:]
        assert list(zip(captions, labels, strict=True)) == wanted
        assert {image.size[0] >= 30 for image in found["train"]["image"]} == {True}


def test_pictures_of_a_folder_are_links_and_copies_where_links_cannot_be(
    root: Path, runs: dict[tuple[str, CuratedFormat], Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = runs["folder", "folder"]
    names = [row["file_name"] for row in pq.read_table(linked.folder / "pictures.parquet").to_pylist()]
    assert len(names) == linked.counts[-1].documents
    assert all((linked.folder / "curated" / name).samefile(root / "folder" / name) for name in names)

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    copied = run(root, "folder", tmp_path / "out", "folder")
    assert copied.files == linked.files
    assert not any((copied.folder / "curated" / name).samefile(root / "folder" / name) for name in names)
    copied.check_files()
    (copied.folder / "curated" / names[3]).write_bytes(b"another")
    with pytest.raises(StoreError, match=re.escape(names[3])):
        copied.check_files()


def test_equal_runs_have_equal_bytes_and_state_every_file(
    root: Path, runs: dict[tuple[str, CuratedFormat], Run]
) -> None:
    shutil.copytree(root / "folder", root / "moved", dirs_exist_ok=True)
    for format in PICTURE_FORMATS:
        done = runs["folder", format]
        done.check_files()
        assert Run.open(done.folder) == done
        if format != "paths":
            again = run(root, "moved", root / f"moved-{format}", format)
            assert again.files == done.files
        stated = {file.name for file in done.files} | {
            f"curated/{row['file_name']}" for row in _placed(done.folder)
        }  # fmt: skip
        found = {path.relative_to(done.folder).as_posix() for path in done.folder.rglob("*") if path.is_file()}
        assert found == stated | {"run.json"}


def _placed(folder: Path) -> list[dict[str, Any]]:
    table = folder / "pictures.parquet"
    return pq.read_table(table).to_pylist() if table.is_file() else []


def test_the_lock_of_files_holds_for_every_form_and_on_a_cluster(
    root: Path, runs: dict[tuple[str, CuratedFormat], Run], tmp_path: Path
) -> None:
    for form in ("folder", "structs", "named"):
        assert verify_bundle(root / "bundle", root / form, workspace=Workspace(root / "home")).ok
    with connect("local", partitions=2, batch=3) as cluster:
        home, options = Workspace(tmp_path / "home"), CuratedOptions(format="folder")
        done = run_bundle(
            root / "recipe.yaml", root / "folder", tmp_path / "out", workspace=home, options=options, engine=cluster
        )
    assert (done.selection, done.files) == (runs["folder", "folder"].selection, runs["folder", "folder"].files)
    command = ["diff", str(runs["folder", "folder"].folder), str(runs["structs", "webdataset"].folder)]
    result = CliRunner().invoke(app, command, env={"TAMIS_HOME": str(root / "home")})
    assert result.exit_code == 0, result.output


def test_a_format_that_the_documents_do_not_have_is_refused_before_anything_is_done(root: Path, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.jsonl").write_text('{"text": "The quick brown fox jumps over the lazy dog."}\n')
    for form, format, says in (
        (root / "folder", "jsonl", r"JSON Lines hold no pictures.*folder writes metadata\.jsonl"),
        (root / "structs", "paths", "The pictures have no files"),
        (tmp_path / "texts", "folder", "This format is for pictures, and the corpus holds texts"),
    ):
        with pytest.raises(SettingError, match=says):
            run_bundle(
                root / "recipe.yaml", form, tmp_path / "out", workspace=Workspace(root / "home"),
                options=CuratedOptions(format=format),  # type: ignore[arg-type]
            )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["texts"]


def test_prepare_says_that_trainers_read_the_curated_files_of_pictures(root: Path, tmp_path: Path) -> None:
    says = r"A corpus of pictures has no samples of text to prepare.*tamis run --format webdataset"
    with pytest.raises(SettingError, match=says):
        prepare_bundle(
            root / "recipe.yaml", root / "folder", tmp_path / "out", PrepareOptions(format="jsonl.zst"),
            workspace=Workspace(root / "home"),
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


def test_a_disk_without_room_is_said_before_anything_is_written(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 1000))  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match=r"The disk has 0\.0 GB left and the pictures need about"):
        run(root, "folder", tmp_path / "out", "parquet")
    assert not (tmp_path / "out").exists()
    assert run(root, "folder", tmp_path / "links", "folder").counts[-1].documents


@pytest.mark.parametrize("form", ["folder", "structs", "named"])
def test_text_steps_edit_captions_and_leave_pictures_alone(root: Path, form: str, tmp_path: Path) -> None:
    drawn = [replace(each, caption=f"from {k}, write to anna{k}@mail.org") for k, each in enumerate(draw_pictures(6))]
    FORMS[form](tmp_path / form, drawn)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.partition("steps:")[0] + "steps: [{id: mail, operator: pii_redaction, params: {}}]")
    done = run_bundle(
        recipe, tmp_path / form, tmp_path / "out", workspace=Workspace(root / "home"),
        options=CuratedOptions(format="folder"),
    )  # fmt: skip
    wanted = {(each.raw, f"from {k}, write to <EMAIL>", each.label) for k, each in enumerate(drawn)}
    assert set(written_pictures(done)) == wanted
    assert done.edited[0].documents == len(drawn)


@pytest.mark.parametrize("form", ["folder", "named"])
def test_a_picture_that_changes_while_it_is_written_ends_the_run_and_leaves_nothing(
    root: Path, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(root / form, tmp_path / form)
    check = curated.check_space

    def change_and_check(*arguments: Any) -> None:
        for path in (tmp_path / form).rglob("*.png"):
            path.write_bytes(b"another") if form == "folder" else path.unlink()
        check(*arguments)

    monkeypatch.setattr(curated, "check_space", change_and_check)
    with pytest.raises(CorpusError, match="was changed since" if form == "folder" else "cannot be read any more"):
        run_bundle(
            root / "recipe.yaml", tmp_path / form, tmp_path / "out", workspace=Workspace(root / "home"),
            options=CuratedOptions(format="folder"),
        )  # fmt: skip
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["structs", "folder"])
def test_an_interrupted_folder_keeps_its_whole_pictures_and_never_writes_through_a_link(
    root: Path, runs: dict[tuple[str, CuratedFormat], Run], form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = {path: path.read_bytes() for path in (root / form).rglob("*") if path.is_file()}
    place, left = picture_forms.place_picture, [7]

    def stop(*arguments: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return place(*arguments)

    monkeypatch.setattr(picture_forms, "place_picture", stop)
    with pytest.raises(KeyboardInterrupt):
        run(root, form, tmp_path / "out", "folder")
    monkeypatch.undo()
    draft = tmp_path / ".out.partial" / "curated"
    there = sorted(path.relative_to(draft) for path in draft.rglob("*.*") if path.is_file())
    assert len(there) == 6
    # One is another picture of the source now, one was cut short, and one belongs to nothing.
    first, second, *kept = there
    other = next(path for path in sources if path.suffix not in (".jsonl", ".parquet") or form == "structs")
    for path in (first, second):
        (draft / path).unlink()
    os.link(other, draft / first)
    (draft / second).write_bytes(b"cut")
    (draft / "strange.png").write_bytes(b"strange")
    before = {path: (draft / path).stat() for path in kept}
    done = run(root, form, tmp_path / "out", "folder")
    assert done.files == runs[form, "folder"].files  # type: ignore[index]
    done.check_files()
    assert not (done.folder / "curated" / "strange.png").exists()
    after = {path: (done.folder / "curated" / path).stat() for path in kept}
    assert {path: (each.st_ino, each.st_mtime_ns) for path, each in after.items()} == {
        path: (each.st_ino, each.st_mtime_ns) for path, each in before.items()
    }
    assert {path: path.read_bytes() for path in sources} == sources


WORK = """
import sys
from pathlib import Path
from tamis.analytics.export import curated
curated.PICTURE_SHARD = 16
curated.PICTURE_GROUP = 8
from tamis.data import picture_forms
picture_forms.PICTURE_SHARD = 16
from tamis.analytics.export.run import run_bundle
from tamis.data.workspace import Workspace
home, recipe, corpus, out = map(Path, sys.argv[1:])
options = curated.CuratedOptions(format=out.name.partition("-")[2])
run_bundle(recipe, corpus, out, workspace=Workspace(home), options=options)
"""


@pytest.mark.parametrize("format", ["folder", "webdataset"])
def test_a_killed_run_is_taken_up_again_to_the_same_bytes(root: Path, format: CuratedFormat, tmp_path: Path) -> None:
    given = (root / "home", root / "recipe.yaml", root / "structs")
    moments = run_until(ALL, WORK, *given, tmp_path / f"whole-{format}")
    out, whole = tmp_path / f"out-{format}", tmp_path / f"whole-{format}"
    wanted = {path.relative_to(whole): file_sha256(path) for path in whole.rglob("*") if path.is_file()}
    assert len(list((whole / "curated").glob("*.tar"))) == (3 if format == "webdataset" else 0)
    for moment in (moments // 2, moments // 2 - 1):
        run_until(moment, WORK, *given, out)
        assert not out.exists()
    run_until(ALL, WORK, *given, out)
    assert {path.relative_to(out): file_sha256(path) for path in out.rglob("*") if path.is_file()} == wanted

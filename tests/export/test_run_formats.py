"""A run in every format: recorded, taken up again, refused where it does not fit, the same on a cluster's engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from killing import ALL, run_until
from typer.testing import CliRunner

import tamis.analytics as ta
from tamis.analytics.export import run as run_module
from tamis.analytics.export.bundle import export_bundle
from tamis.analytics.export.curated import TEXT_FORMATS, CuratedFormat, CuratedOptions
from tamis.analytics.export.run import Run, run_bundle, verify_bundle
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.ray_engine import connect
from tamis.analytics.study.study import Study
from tamis.app.cli.main import app
from tamis.data.errors import SettingError, StoreError
from tamis.data.hashing import file_sha256
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

RECIPE = """
schema_version: 1
title: Once
steps:
  - id: once
    operator: exact_dedup
    params: {keep: longest}
  - id: mail
    operator: pii_redaction
    params: {kinds: [email]}
"""
WORDS = "the quick brown fox jumps over the lazy dog beside an old stone bridge"
SUFFIXES = {"parquet": ".parquet", "jsonl": ".jsonl", "jsonl.zst": ".jsonl.zst", "arrow": ".arrow"}


def write_lines(folder: Path) -> list[bytes]:
    """Write a corpus of JSON Lines in two styles, with addresses and twins, and return its lines."""
    lines = []
    for number in range(40):
        row: dict[str, Any] = {"text": f"number {number % 30} {WORDS}", "tools": {"a": None} if number % 2 else {}}
        if number % 7 == 0:
            row["text"] += f" mail anna{number % 30}@mail.org"
        lines.append(json.dumps(row, separators=(",", ":") if number % 3 else None).encode())
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(b"\n".join(lines))
    return lines


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a corpus, a recipe, and a bundle of both."""
    folder = tmp_path_factory.mktemp("formats")
    write_lines(folder / "corpus")
    (folder / "recipe.yaml").write_text(RECIPE)
    study = Study.open(open_corpus(folder / "corpus"), Workspace(folder / "home"))
    export_bundle(folder / "bundle", study=study, recipe=Recipe.from_yaml(RECIPE))
    return folder


@pytest.fixture(scope="module")
def runs(root: Path) -> dict[CuratedFormat, Run]:
    """Run the bundle in every format."""
    return {format: run(root, root / f"out-{format}", format) for format in TEXT_FORMATS}


def run(root: Path, out: Path, format: CuratedFormat, **options: Any) -> Run:
    chosen = CuratedOptions(format=format)
    return run_bundle(
        root / "bundle", root / "corpus", out, workspace=Workspace(root / "home"), options=chosen, **options
    )


@pytest.mark.parametrize("format", TEXT_FORMATS)
def test_a_run_states_its_format_its_files_and_their_rows(
    runs: dict[CuratedFormat, Run], format: CuratedFormat
) -> None:
    done = runs[format]
    manifest = json.loads((done.folder / "run.json").read_bytes())
    assert manifest.get("format", "parquet") == format == done.format
    assert ("format" in manifest) == (format != "parquet")
    kept = done.counts[-1].documents
    rows = {file.name: file.rows for file in done.files}
    data = {name: count for name, count in rows.items() if name.startswith("curated/") and not name.endswith(".json")}
    assert [name[name.index(".") :] for name in data] == [SUFFIXES[format]]
    assert set(data.values()) == {kept} == {33}
    assert ("lines.parquet" in rows) == format.startswith("jsonl")
    assert rows.get("lines.parquet", kept) == kept
    assert f"data_files: curated/*{SUFFIXES[format]}\n" in (done.folder / "README.md").read_text()
    assert Run.open(done.folder) == done
    done.check_files()


def test_the_selection_and_the_lock_do_not_depend_on_the_format(root: Path, runs: dict[CuratedFormat, Run]) -> None:
    assert len({done.selection for done in runs.values()}) == 1
    assert len({done.identity for done in runs.values()}) == len(TEXT_FORMATS)
    assert all(done.agrees for done in runs.values())
    assert len({pq.read_table(done.folder / "edits.parquet").to_pydict().__repr__() for done in runs.values()}) == 1
    assert verify_bundle(root / "bundle", root / "corpus", workspace=Workspace(root / "home")).ok


@pytest.mark.parametrize("format", TEXT_FORMATS)
def test_a_run_opens_as_a_corpus_with_its_documents_alone(
    runs: dict[CuratedFormat, Run], format: CuratedFormat
) -> None:
    corpus = open_corpus(runs[format].folder)
    assert corpus.rows == runs[format].counts[-1].documents
    assert {file.format for file in corpus.files} == {format.partition(".")[0]}


def test_untouched_lines_are_those_of_the_source_and_edited_ones_differ_in_the_text(
    root: Path, runs: dict[CuratedFormat, Run]
) -> None:
    source = (root / "corpus" / "a.jsonl").read_bytes().split(b"\n")
    found = (runs["jsonl"].folder / "curated" / "part-00000.jsonl").read_bytes().split(b"\n")[:-1]
    touched = [line for line in found if line not in source]
    assert len(found) - len(touched) >= 20
    assert len(touched) == runs["jsonl"].edited[0].documents > 2
    for line in touched:
        (same,) = {other for other in source if b"@" in other and line.startswith(other[: other.index(b" mail ")])}
        text = json.loads(same)["text"]
        assert line == same.replace(text[text.index("anna") :].encode(), b"<EMAIL>")


def test_a_cluster_gives_the_bytes_of_the_local_run_in_every_format(
    root: Path, runs: dict[CuratedFormat, Run], tmp_path: Path
) -> None:
    with connect("local", partitions=3, batch=7) as cluster:
        for format in TEXT_FORMATS:
            chosen = CuratedOptions(format=format)
            home = Workspace(tmp_path / f"home-{format}")
            done = run_bundle(
                root / "bundle",
                root / "corpus",
                tmp_path / f"out-{format}",
                workspace=home,
                options=chosen,
                engine=cluster,
            )
            assert done.files == runs[format].files


def test_another_format_at_a_finished_run_is_refused_and_named(root: Path, runs: dict[CuratedFormat, Run]) -> None:
    before = sorted(runs["jsonl"].folder.rglob("*"))
    with pytest.raises(StoreError, match=r"run in another format .* its format is jsonl, not arrow: .*--format jsonl"):
        run(root, runs["jsonl"].folder, "arrow")
    assert sorted(runs["jsonl"].folder.rglob("*")) == before
    assert run(root, runs["jsonl"].folder, "jsonl") == runs["jsonl"]


@pytest.mark.parametrize("format", TEXT_FORMATS)
def test_a_full_disk_leaves_no_run_and_its_draft_is_taken_up_by_the_same_format_alone(
    root: Path, runs: dict[CuratedFormat, Run], format: CuratedFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, draft = tmp_path / "out", tmp_path / ".out.partial"
    write = run_module.write_bytes

    def full(path: Path, data: bytes, **options: Any) -> None:
        if path.name == "run.json":
            raise StoreError("Cannot write run.json: No space left on device")
        write(path, data, **options)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "write_bytes", full)
        patch.setattr(run_module.shutil, "rmtree", lambda *arguments, **options: None)
        with pytest.raises(StoreError, match="No space left"):
            run(root, out, format)
    assert not out.exists()
    (part,) = (path for path in (draft / "curated").iterdir() if path.suffix != ".json")
    before = part.stat().st_ino
    other: CuratedFormat = "arrow" if format != "arrow" else "jsonl"
    with pytest.raises(StoreError, match=rf"unfinished run in another format .* its format is {format}, not {other}"):
        run(root, out, other)
    done = run(root, out, format)
    assert (out / part.relative_to(draft)).stat().st_ino == before
    assert done.files == runs[format].files
    assert not draft.exists()


WORK = """
import sys
from pathlib import Path
from tamis.data import curated
from tamis.analytics.export import curated as exported
exported.SHARD_ROWS = 8
curated.write_sorted.__kwdefaults__ |= {"shard_rows": 8, "group_rows": 4, "spill_bytes": 500}
from tamis.analytics.export.run import run_bundle
from tamis.data.workspace import Workspace
home, bundle, corpus, out = map(Path, sys.argv[1:])
options = exported.CuratedOptions(format=out.name.partition("-")[2])
run_bundle(bundle, corpus, out, workspace=Workspace(home), options=options)
"""


@pytest.mark.parametrize("format", ["jsonl.zst", "arrow"])
def test_a_killed_run_is_taken_up_again_to_the_same_bytes(root: Path, format: CuratedFormat, tmp_path: Path) -> None:
    given = (root / "home", root / "bundle", root / "corpus")
    moments = run_until(ALL, WORK, *given, tmp_path / f"whole-{format}")
    wanted = {path.name: file_sha256(path) for path in (tmp_path / f"whole-{format}").rglob("*") if path.is_file()}
    out = tmp_path / f"out-{format}"
    for moment in (moments // 2, moments // 2 - 1):
        run_until(moment, WORK, *given, out)
        assert not out.exists()
    run_until(ALL, WORK, *given, out)
    assert {path.name: file_sha256(path) for path in out.rglob("*") if path.is_file()} == wanted
    assert not (tmp_path / f".out-{format}.partial").exists()


def test_the_command_and_the_notebook_write_the_same_bytes(
    root: Path, runs: dict[CuratedFormat, Run], tmp_path: Path
) -> None:
    command = ["run", str(root / "bundle"), str(root / "corpus"), "-o", str(tmp_path / "cli"), "--format", "jsonl"]
    result = CliRunner().invoke(app, command, env={"TAMIS_HOME": str(root / "home")})
    assert result.exit_code == 0, result.output
    assert Run.open(tmp_path / "cli").files == runs["jsonl"].files
    study = ta.open(root / "corpus", workspace=root / "home", progress=False)
    done = study.run(ta.Recipe.from_yaml(RECIPE), tmp_path / "notebook", format="jsonl")
    names = {"recipe.lock.json"}
    assert [file for file in done.files if file.name not in names] == [
        file for file in runs["jsonl"].files if file.name not in names
    ]


def test_an_unknown_format_is_refused_before_anything_is_done(root: Path, tmp_path: Path) -> None:
    study = ta.open(root / "corpus", workspace=root / "home", progress=False)
    with pytest.raises(SettingError, match=r"got 'jsonlines'\. allowed: arrow, folder, jsonl.* did you mean jsonl"):
        study.run(ta.Recipe.from_yaml(RECIPE), tmp_path / "out", format="jsonlines")
    with pytest.raises(SettingError, match="Unknown format"):
        run(root, tmp_path / "out", "csv")  # type: ignore[arg-type]
    command = ["run", str(root / "bundle"), str(root / "corpus"), "-o", str(tmp_path / "out"), "--format", "csv"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "jsonl.zst" in result.output
    assert not list(tmp_path.iterdir())

"""What a run leaves: errors with their places, counts of what was left out, origins, and a folder that loads."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tamis.analytics.export.bundle import export_bundle
from tamis.analytics.export.run import Run, run_bundle, verify_bundle
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.app.cli.main import app
from tamis.data.errors import StoreError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

RECIPE = """
schema_version: 1
title: Once
steps:
  - id: once
    operator: exact_dedup
    params: {keep: longest}
"""
WORDS = "the quick brown fox jumps over the lazy dog beside an old stone bridge"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a recipe and, in ``corpus``, a file a kind of trouble."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "recipe.yaml").write_text(RECIPE)
    corpus = folder / "corpus"
    corpus.mkdir()
    table = pa.table({"z": [1, 2, 3], "text": ["one " + WORDS, None, "two " + WORDS], "id": ["a", "b", "c"]})
    pq.write_table(table, corpus / "train-0.parquet")
    rows = [{"z": 4, "text": "one " + WORDS, "id": "d"}, {"z": 5, "text": "three " + WORDS, "id": "e"}]
    lines = [*map(json.dumps, rows), "broken", '{"z": 6, "text": "caf\xe9 ' + WORDS + '", "id": "f"}']
    (corpus / "test-0.jsonl").write_bytes("\n".join(lines).encode("latin-1"))
    (corpus / "bad.parquet").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def run(root: Path) -> Run:
    """Run the recipe with everything that is bad left out."""
    return run_bundle(
        root / "recipe.yaml",
        root / "corpus",
        root / "out",
        workspace=Workspace(root / "home"),
        on_bad_file="skip",
        on_bad_line="skip",
    )


def test_errors_are_listed_with_file_row_line_and_id(run: Run) -> None:
    errors = pq.read_table(run.folder / "errors.parquet")
    assert errors.column_names == ["position", "reason", "file", "row", "line", "id"]
    row, file, line = errors.to_pylist()
    assert (row["file"], row["row"], row["line"], row["id"]) == ("train-0.parquet", 1, None, "b")
    assert (file["file"], file["line"], file["position"]) == ("bad.parquet", None, None)
    assert "bad.parquet is empty" in file["reason"]
    assert (line["file"], line["line"]) == ("test-0.jsonl", 3)
    assert line["reason"].startswith("the line is not JSON")


def test_the_manifest_counts_and_names_what_was_left_out(run: Run) -> None:
    manifest = json.loads((run.folder / "run.json").read_bytes())
    assert manifest["run_version"] == 3
    assert [item["file"] for item in manifest["left_out"]] == ["bad.parquet"]
    assert (manifest["lines_left_out"], manifest["repaired"]) == (1, 1)
    assert any("1 text holds bytes that are not UTF-8" in note for note in manifest["notes"])
    assert any("left out: 1 line of test-0.jsonl" in note for note in manifest["notes"])
    kept = manifest["counts"][-1]["documents"]
    assert (kept, manifest["errors"]) == (4, 2)
    assert Run.open(run.folder) == run


def test_the_manifest_says_how_many_rows_each_file_has(run: Run) -> None:
    rows = {file.name: file.rows for file in run.files}
    parquet = {name: count for name, count in rows.items() if name.endswith(".parquet")}
    assert parquet == {name: pq.read_metadata(run.folder / name).num_rows for name in parquet}
    assert rows["curated/part-00000.parquet"] == 4
    assert rows["recipe.yaml"] == 0


def test_manifests_without_the_new_fields_are_read(run: Run, tmp_path: Path) -> None:
    value = json.loads((run.folder / "run.json").read_bytes())
    for name in ("left_out", "lines_left_out", "repaired", "notes", "across_splits"):
        del value[name]
    (tmp_path / "run.json").write_text(json.dumps(value | {"run_version": 2}))
    old = Run.open(tmp_path)
    assert (old.run_version, old.left_out, old.notes, old.across_splits) == (2, (), (), ())


def test_duplicates_across_splits_are_counted(run: Run) -> None:
    (across,) = run.across_splits
    assert (across.step, across.documents, {across.dropped, across.kept}) == ("once", 1, {"train", "test"})


def test_the_source_keeps_its_order_and_types_and_origin_is_written_when_asked(run: Run, root: Path) -> None:
    schema = pq.read_schema(run.folder / "curated" / "part-00000.parquet")
    assert schema.names == ["z", "text", "id", "document_id", "copies"]
    assert schema.field("text").type == pa.string()
    result = CliRunner().invoke(
        app,
        [
            "run", str(root / "recipe.yaml"), str(root / "corpus"), "-o", str(root / "origin"),
            "--skip-bad-files", "--skip-bad-lines", "--origin",
        ],
        env={"TAMIS_HOME": str(root / "home")},
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    rows = pq.read_table(root / "origin" / "curated").to_pylist()
    assert {row["file"]: row["split"] for row in rows} == {"train-0.parquet": "train", "test-0.jsonl": "test"}
    for says in ("bad.parquet is empty", "1 file and 1 line,", "not UTF-8", "across splits, once: 1 documents of"):
        assert says in result.output


def test_a_finished_run_is_returned_although_later_options_exist(run: Run, root: Path) -> None:
    again = run_bundle(
        root / "recipe.yaml", root / "corpus", root / "out",
        workspace=Workspace(root / "home"), on_bad_file="skip", on_bad_line="skip",
    )  # fmt: skip
    assert again == run


def test_outputs_that_cannot_be_are_refused_before_anything_is_measured(root: Path) -> None:
    (root / "dangling").symlink_to(root / "nowhere")
    for out, says in ((root / "dangling", "broken link"), (root / "corpus" / "out", "inside the corpus")):
        with pytest.raises(StoreError, match=says):
            run_bundle(
                root / "recipe.yaml", root / "corpus", out,
                workspace=Workspace(root / "never"), on_bad_file="skip", on_bad_line="skip",
            )  # fmt: skip
    assert not (root / "never" / "store").exists()


def partitioned(folder: Path) -> Path:
    """Write one file in each of two partitions."""
    for lang, text in (("en", "one "), ("de", "two ")):
        (folder / f"lang={lang}").mkdir(parents=True)
        pq.write_table(pa.table({"text": [text + WORDS]}), folder / f"lang={lang}" / "a.parquet")
    return folder


def test_partitions_are_written(root: Path, tmp_path: Path) -> None:
    run = run_bundle(
        root / "recipe.yaml", partitioned(tmp_path / "c"), tmp_path / "out", workspace=Workspace(root / "home")
    )
    rows = pq.read_table(run.folder / "curated" / "part-00000.parquet").to_pylist()
    assert {row["text"][:3]: row["lang"] for row in rows} == {"one": "en", "two": "de"}


def test_a_lock_that_knows_no_partitions_is_still_kept_on_its_own_files(root: Path, tmp_path: Path) -> None:
    workspace = Workspace(root / "home")
    corpus = open_corpus(partitioned(tmp_path / "c"), path_columns=())
    study = Study.open(corpus, workspace)
    bundle = export_bundle(tmp_path / "bundle", study=study, recipe=Recipe.from_yaml(RECIPE))
    assert bundle.lock is not None
    assert "lang" not in bundle.lock.corpus.schema
    result = verify_bundle(bundle, tmp_path / "c", workspace=workspace)
    assert result.ok
    assert not any("files are not the ones" in note for note in result.notes)
    with pytest.raises(StoreError, match="inside the corpus"):
        export_bundle(tmp_path / "c" / "bundle", study=study, recipe=Recipe.from_yaml(RECIPE))


def test_a_run_says_which_step_finds_few_pairs_at_its_threshold(tmp_path: Path) -> None:
    rule = "  - {{id: {}, operator: near_dedup, params: {{threshold: {}, n: 2}}}}\n"
    steps = rule.format("low", 0.1) + rule.format("usual", 0.8)
    (tmp_path / "recipe.yaml").write_text("schema_version: 1\ntitle: Near\nsteps:\n" + steps)
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": WORDS}) + "\n")
    run = run_bundle(
        tmp_path / "recipe.yaml", tmp_path / "a.jsonl", tmp_path / "out", workspace=Workspace(tmp_path / "home")
    )
    assert run.notes == ("step low: of pairs at the threshold 0% are found",)
    assert Run.open(tmp_path / "out").notes == run.notes

"""A bundle gives the same selection and the same bytes wherever it runs, and says when it does not."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docstrings import docstrings, write_corpus
from killing import run_until
from narrow_analysis import narrow_steps

from tamis.analytics.export.bundle import Bundle, export_bundle, unpack_bundle
from tamis.analytics.export.bundle_sources import BundleSources, write_clustering
from tamis.analytics.export.diff import diff_bundles
from tamis.analytics.export.run import Run, run_bundle, summary, verify_bundle
from tamis.analytics.facts.column_info import describe
from tamis.analytics.facts.stored_sets import FrozenClustering
from tamis.analytics.map.options import MapOptions, write_options
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.facts_step import step_of
from tamis.analytics.study.queries import polygon_rule
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError, StoreError, TamisError, VerifyError
from tamis.data.hashing import digest
from tamis.data.markers import Markers, WrittenFile
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

CHEAP = ("documents", "columns", "signals", "language", "tokens", "exact")


class Made:
    """A corpus, its study, a recipe with many kinds of rules, and the exported bundle."""

    def __init__(self, root: Path) -> None:
        self.root, self.table = root, docstrings()
        self.corpus = write_corpus(root / "corpus", self.table)
        self.workspace = Workspace(root / "workspace")
        corpus = open_corpus(self.corpus)
        self.study = Study.open(corpus, self.workspace, steps=narrow_steps(corpus, self.workspace, *CHEAP))
        self.recipe = self._recipe()
        self.study.measure(self.recipe)
        self.bundle = export_bundle(root / "bundle", study=self.study, recipe=self.recipe)

    def _recipe(self) -> Recipe:
        ids = self.study.facts.ids.to_pylist()
        stored = self.workspace.put_ids(ids[::5])
        recipe = Recipe(title="End to end")
        for name, params in (
            ("language", {"languages": ["en"], "min_confidence": 0.3}),
            ("signal_range", {"signal": "n_words", "min": 5}),
            ("regex", {"pattern": "(?i)deprecated"}),
            ("exact_dedup", {}),
            ("percentile_band", {"signal": "mean_word_length", "low": 1, "high": 99, "within": "source"}),
            ("id_list", {"stored": stored, "mode": "drop"}),
            ("random_sample", {"share": 0.8, "seed": 3}),
            ("token_budget", {"amount": 6_000}),
        ):
            recipe = recipe.with_operator(OPERATORS.build(name, params))
        return recipe

    def changed(self, name: str, row: int, text: str) -> Path:
        """Return the corpus with one text changed."""
        rows = self.table.to_pylist()
        rows[row]["text"] = text
        return write_corpus(self.root / name, pa.Table.from_pylist(rows))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def first(made: Made) -> Run:
    return run_bundle(made.bundle, made.corpus, made.root / "first", workspace=Workspace(made.root / "elsewhere"))


def test_input_is_kept_plus_dropped_plus_errors(made: Made, first: Run) -> None:
    kept = pq.read_table(first.folder / "curated").num_rows
    dropped = pq.read_table(first.folder / "ledger.parquet").num_rows
    errors = pq.read_table(first.folder / "errors.parquet").num_rows
    assert kept + dropped + errors == made.table.num_rows
    assert errors == 3
    figures = summary(first)
    assert (figures["kept"], figures["dropped"], figures["errors"]) == (kept, dropped, errors)
    assert all(count.documents > 0 for count in first.counts)
    assert min(a.documents - b.documents for a, b in zip(first.counts, first.counts[1:], strict=False)) > 0


def test_headless_run_selects_what_the_study_selected(made: Made, first: Run) -> None:
    assert first.selection == made.bundle.lock.selection
    assert first.agrees is True
    assert first.difference == ""


def test_same_text_resharded_and_shuffled_gives_the_same_bytes(made: Made, first: Run) -> None:
    other = write_corpus(made.root / "shuffled", made.table, files=5, seed=8)
    second = run_bundle(made.bundle, other, made.root / "second", workspace=Workspace(made.root / "third home"))
    assert second.agrees is True
    assert second.selection == first.selection
    assert {file.name: file.sha256 for file in second.files if file.name != "errors.parquet"} == {
        file.name: file.sha256 for file in first.files if file.name != "errors.parquet"
    }


def test_same_text_as_json_lines_gives_the_same_selection(made: Made, first: Run, tmp_path: Path) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in made.table.to_pylist()]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines[::-1]) + "\n")
    run = run_bundle(made.bundle, tmp_path / "corpus.jsonl", tmp_path / "out", workspace=made.workspace)
    assert (run.selection, run.agrees) == (first.selection, True)


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "artifacts/../../evil", "artifacts/a/b", "other.txt"])
def test_archive_with_foreign_names_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(name, b"evil")
    with pytest.raises(TamisError, match=r"not part of a bundle|not allowed"):
        unpack_bundle(tmp_path / "bad.zip", tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("evil*"))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK not really")
    with pytest.raises(RecipeError, match="Archive cannot be read"):
        unpack_bundle(tmp_path / "bad.zip", tmp_path / "out")


@pytest.mark.parametrize("about", ["{}", "[]", '{"centroids": true, "labels": [1, 2], "space": "", "tier": "fast"}'])
def test_wrong_clustering_in_a_bundle_is_named(tmp_path: Path, about: str) -> None:
    ids = pa.array(["a", "b"])
    write_clustering(
        tmp_path, FrozenClustering("d" * 64, ids, np.zeros(2, np.int32), np.eye(3, dtype=np.float32), np.arange(3))
    )
    sources = BundleSources(tmp_path)
    assert sources.clustering("d" * 64).labels.tolist() == [0, 0]
    (tmp_path / f"clustering-{'d' * 64}.json").write_text(about)
    with pytest.raises(StoreError, match="clustering"):
        sources.clustering("d" * 64)


def test_curated_rows_are_the_source_rows_in_id_order(made: Made, first: Run) -> None:
    rows = pq.read_table(first.folder / "curated").to_pylist()
    ids = [row["document_id"] for row in rows]
    assert ids == sorted(ids)
    source = {(row["text"], row["path"]): row["source"] for row in made.table.to_pylist()}
    assert all(source[(row["text"], row["path"])] == row["source"] and row["copies"] == 1 for row in rows)


def test_verify_passes_on_another_layout(made: Made) -> None:
    other = write_corpus(made.root / "layout", made.table, files=3, seed=1)
    found = verify_bundle(made.bundle, other, workspace=made.workspace)
    assert found.ok
    assert found.first_step is None
    found.require()


def test_verify_names_the_step_after_one_document_is_changed(made: Made) -> None:
    kept = set(made.study.evaluate(made.recipe).kept.nonzero()[0].tolist())
    texts = {id_: row for row, id_ in enumerate(made.study.facts.ids.to_pylist())}
    row = next(
        place for place, item in enumerate(made.table.to_pylist())
        if item["text"] and texts.get(_id(made, item["text"])) in kept
    )  # fmt: skip
    long = made.table.to_pylist()[row]["text"]
    found = verify_bundle(made.bundle, made.changed("deprecated", row, long + " Deprecated."), workspace=made.workspace)
    assert not found.ok
    assert found.first.name == "document ids"
    assert found.first_step == "regex"
    with pytest.raises(VerifyError, match="regex"):
        found.require()


def _id(made: Made, text: str) -> str:
    from tamis.data.hashing import hash128

    return f"{hash128(text.encode())}-0"


def test_verify_names_a_changed_rule(made: Made, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(made.bundle.folder, copy)
    text = (copy / "recipe.yaml").read_text()
    (copy / "recipe.yaml").write_text(text.replace("min: 5", "min: 9"))
    found = verify_bundle(copy, made.corpus, workspace=made.workspace)
    assert found.first.name == "recipe"
    assert found.first_step == "signal-range"
    assert "signal-range" in found.sentence


def test_verify_names_another_version_of_an_analysis_step(made: Made, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(made.bundle.folder, copy)
    lock = json.loads((copy / "recipe.lock.json").read_text())
    next(step for step in lock["steps"] if step["name"] == "language")["version"] = 99
    (copy / "recipe.lock.json").write_text(json.dumps(lock))
    found = verify_bundle(copy, made.corpus, workspace=made.workspace)
    assert found.first.name == "analysis language"
    assert "99" in found.first.expected


def test_damaged_file_of_a_bundle_is_named(made: Made, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(made.bundle.folder, copy)
    file = next((copy / "artifacts").iterdir())
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match=file.name):
        Bundle.open(copy)


def test_names_in_a_lock_cannot_leave_the_bundle(made: Made, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(made.bundle.folder, copy)
    lock = json.loads((copy / "recipe.lock.json").read_text())
    lock["artifacts"][0]["name"] = "../recipe.yaml"
    (copy / "recipe.lock.json").write_text(json.dumps(lock))
    with pytest.raises(Exception, match="not allowed"):
        Bundle.open(copy)


@pytest.mark.parametrize("lock", ["[]", "{}", "no json", '{"lock_version": 9}', "[" * 100_000])
def test_wrong_lock_is_refused(made: Made, tmp_path: Path, lock: str) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(made.bundle.folder, copy)
    (copy / "recipe.lock.json").write_text(lock)
    with pytest.raises(RecipeError, match="Lock"):
        Bundle.open(copy)


def test_exporting_twice_is_the_same_and_something_else_is_not_overwritten(made: Made, tmp_path: Path) -> None:
    again = export_bundle(made.bundle.folder, study=made.study, recipe=made.recipe)
    assert again.zipped() == made.bundle.zipped()
    with pytest.raises(StoreError, match="another bundle"):
        export_bundle(made.bundle.folder, study=made.study, recipe=made.recipe.without("regex"))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(StoreError, match="Something else"):
        export_bundle(tmp_path / "thesis", study=made.study, recipe=made.recipe)
    with pytest.raises(StoreError, match="Something else"):
        run_bundle(made.bundle, made.corpus, tmp_path / "thesis", workspace=made.workspace)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_bundle_travels_as_a_zip(made: Made, first: Run, tmp_path: Path) -> None:
    archive = tmp_path / "bundle.zip"
    archive.write_bytes(made.bundle.zipped())
    assert unpack_bundle(archive, tmp_path / "unpacked").zipped() == made.bundle.zipped()
    run = run_bundle(archive, made.corpus, tmp_path / "out", workspace=made.workspace)
    assert run.selection == first.selection


def test_finished_run_is_returned_and_a_changed_file_is_named(made: Made, first: Run, tmp_path: Path) -> None:
    home = Workspace(made.root / "elsewhere")
    stamp = (first.folder / "run.json").stat().st_mtime_ns
    assert run_bundle(made.bundle, made.corpus, first.folder, workspace=home).to_json() == first.to_json()
    assert (first.folder / "run.json").stat().st_mtime_ns == stamp
    copy = tmp_path / "copy"
    shutil.copytree(first.folder, copy)
    (copy / "ledger.parquet").write_bytes(b"")
    with pytest.raises(StoreError, match="ledger"):
        Run.open(copy).check_files()


def test_recipe_without_a_lock_runs_and_cannot_be_verified(made: Made, tmp_path: Path) -> None:
    recipe = Recipe().with_operator(OPERATORS.build("random_sample", {"count": 10}))
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    run = run_bundle(tmp_path / "recipe.yaml", made.corpus, tmp_path / "out", workspace=made.workspace)
    assert (summary(run)["kept"], run.agrees) == (10, None)
    with pytest.raises(VerifyError, match="no lock"):
        verify_bundle(tmp_path / "recipe.yaml", made.corpus, workspace=made.workspace)


RUN = """
import sys
from tamis.analytics.export.run import run_bundle
from tamis.data.workspace import Workspace
run_bundle(sys.argv[1], sys.argv[2], sys.argv[3], workspace=Workspace(sys.argv[4]))
"""


def test_killed_run_leaves_nothing_that_looks_finished_and_resumes_to_the_same_bytes(made: Made, first: Run) -> None:
    out, home = made.root / "killed", Workspace(made.root / "killed home")
    for moment in (110, 130, f"before {out}"):
        run_until(moment, RUN, made.bundle.folder, made.corpus, out, home.root)
        assert not out.exists()
    resumed = run_bundle(made.bundle, made.corpus, out, workspace=home)
    assert {file.name: file.sha256 for file in resumed.files} == {file.name: file.sha256 for file in first.files}
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in first.folder.iterdir())
    again = made.root / "killed again"
    run_until(f"after {again}", RUN, made.bundle.folder, made.corpus, again, home.root)
    Run.open(again).check_files()


def test_an_unfinished_run_is_gone_on_with_by_its_own_recipe_only(made: Made, first: Run) -> None:
    def begun(name: str) -> Path:
        """Leave what a kill right before the manifest leaves, of the first recipe."""
        draft = made.root / f".{name}.partial"
        shutil.copytree(first.folder, draft)
        (draft / "run.json").unlink()
        markers = Markers(draft / ".done", made_for)
        for path in (draft / "curated").iterdir():
            markers.mark(WrittenFile.at(path, rows=pq.read_metadata(path).num_rows))
        return draft / "curated" / "part-00000.parquet"

    made_for = {"run": first.identity, "recipe": first.recipe, "selection": first.selection}
    made_for["tools"] = digest(dict(first.tools))
    home = Workspace(made.root / "elsewhere")
    there = begun("same").stat().st_ino
    same = run_bundle(made.bundle, made.corpus, made.root / "same", workspace=home)
    assert (same.folder / "curated" / "part-00000.parquet").stat().st_ino == there
    assert same.files == first.files
    begun("changed")
    longer = made.recipe.with_operator(OPERATORS.build("signal_range", {"signal": "n_words", "min": 12}))
    bundle = export_bundle(made.root / "longer", study=made.study, recipe=longer)
    changed = run_bundle(bundle, made.corpus, made.root / "changed", workspace=home)
    fresh = run_bundle(bundle, made.corpus, made.root / "fresh", workspace=home)
    assert changed.files == fresh.files
    assert changed.counts[-1].documents < first.counts[-1].documents
    assert sorted(path.name for path in changed.folder.iterdir()) == sorted(
        path.name for path in fresh.folder.iterdir()
    )


def test_lasso_travels_with_the_bundle(made: Made, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    facts = made.study.facts
    for name in ("x", "y"):
        facts = facts.with_column(describe(name, pa.float32()), pa.array(rng.normal(size=facts.n).astype(np.float32)))
    rule = polygon_rule(facts, [(-1, -1), (1, -1), (1, 1), (-1, 1)], made.workspace.put_ids)
    recipe = Recipe().with_operator(rule)
    bundle = export_bundle(tmp_path / "lasso", study=made.study, recipe=recipe)
    run = run_bundle(bundle, made.corpus, tmp_path / "out", workspace=Workspace(tmp_path / "home"))
    assert summary(run)["kept"] == rule.documents


def test_diff_of_bundles_names_rules_documents_and_reasons(made: Made, tmp_path: Path) -> None:
    other = export_bundle(tmp_path / "other", study=made.study, recipe=made.recipe.without("random-sample"))
    found = diff_bundles(made.bundle, other, made.corpus, workspace=made.workspace)
    assert [(change.step, change.change) for change in found.rules] == [("random-sample", "removed")]
    assert found.documents.gained + found.documents.lost == len(found.documents.rows) > 0
    assert set(found.before.column("step").to_pylist()) >= {"random-sample"}
    assert found.before.num_rows == found.documents.gained
    assert found.after.num_rows == found.documents.lost
    assert {row["column"] for row in found.documents.groups.to_pylist()} >= {"source"}


def test_cluster_rule_places_documents_it_never_saw_by_the_stored_centroids(made: Made, tmp_path: Path) -> None:
    rows = [row for row in made.table.to_pylist() if row["text"]]
    half = write_corpus(tmp_path / "half", pa.Table.from_pylist(rows[::2]))
    home, corpus = Workspace(tmp_path / "home"), open_corpus(half)
    write_options(home, corpus, MapOptions(tier="fast"))
    study = Study.open(corpus, home)
    assert {name: info.step for name, info in study.facts.columns.items()} == {
        name: step_of(name) for name in study.facts.columns
    }
    clustering = study.facts.info("concept").origin
    labels = study.facts.array("concept").to_numpy()
    chosen = sorted({int(label) for label in labels})[:2]
    rule = OPERATORS.build("cluster", {"clusters": chosen, "clustering": clustering})
    bundle = export_bundle(tmp_path / "bundle", study=study, recipe=Recipe().with_operator(rule))
    assert verify_bundle(bundle, half, workspace=home).ok

    whole = write_corpus(tmp_path / "whole", pa.Table.from_pylist(rows))
    run = run_bundle(bundle, whole, tmp_path / "out", workspace=Workspace(tmp_path / "other home"))
    kept = set(pq.read_table(run.folder / "curated").column("document_id").to_pylist())
    before = {id_ for id_, label in zip(study.facts.ids.to_pylist(), labels, strict=True) if label in chosen}
    assert before < kept
    assert not kept & (set(study.facts.ids.to_pylist()) - before)
    assert 0.5 < (len(kept) - len(before)) / len(before) < 2, "the other half of the same text is much like this one"

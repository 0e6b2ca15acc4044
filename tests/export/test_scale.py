"""A headless run holds what its recipe reads and no more, and that changes no byte of its result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docstrings import docstrings, write_corpus

from tamis.analytics.duplicates.near_passes import NearParams, sign
from tamis.analytics.export.bundle import Bundle
from tamis.analytics.export.bundle_study import study_for
from tamis.analytics.export.run import run_bundle
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.ledger import LEDGER_SCHEMA, ledger, ledger_blocks
from tamis.analytics.recipe.plan import attach
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.analytics.study.study import Study
from tamis.data.documents import Documents
from tamis.data.hashing import key64
from tamis.data.open_corpus import open_corpus
from tamis.data.parquet import write_blocks, write_parquet
from tamis.data.workspace import Workspace

READ = {"n_words", "norm_group", "n_tokens", "unknown_share"}
"""Facts columns that the recipe and its counts read."""


class Scene:
    """A corpus and a recipe file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.corpus = write_corpus(root / "corpus", docstrings(("json", "logging")), files=3)
        recipe = Recipe(title="Lean")
        for name, params in (
            ("signal_range", {"signal": "n_words", "min": 8}),
            ("regex", {"pattern": "(?i)handler"}),
            ("exact_dedup", {}),
            ("near_dedup", {}),
            ("random_sample", {"share": 0.8}),
            ("token_budget", {"amount": 5_000}),
        ):
            recipe = recipe.with_operator(OPERATORS.build(name, params))
        (root / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
        self.bundle = Bundle.open(root / "recipe.yaml")

    def study(self, home: str) -> Study:
        """Return the study of a headless run."""
        return study_for(self.bundle, open_corpus(self.corpus), Workspace(self.root / home))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scale"))


def test_a_headless_run_holds_only_the_columns_its_recipe_reads(scene: Scene) -> None:
    study = scene.study("lean")
    assert set(study.facts.columns) == {"id", "bytes"} | READ
    signals = [item for item in study.workspace.store.artifacts() if item.manifest.step == "signals"]
    assert [item.columns(item.parts("part-")[0]) for item in signals] == [["n_words"]]


def test_a_headless_run_reads_the_signals_of_a_full_analysis_where_there_is_one(scene: Scene) -> None:
    home, corpus = Workspace(scene.root / "full"), open_corpus(scene.corpus)
    cheap = [step for step in analysis_steps(corpus, home) if step.name in ("documents", "signals")]
    analyze(corpus, home, steps=cheap)
    full = run_bundle(scene.bundle, scene.corpus, scene.root / "out full", workspace=home)
    assert len([item for item in home.store.artifacts() if item.manifest.step == "signals"]) == 1
    lean = run_bundle(scene.bundle, scene.corpus, scene.root / "out lean", workspace=Workspace(scene.root / "lean"))
    assert full.selection == lean.selection
    assert full.files == lean.files


@pytest.mark.parametrize("rows", [1, 7, 10_000])
def test_the_ledger_is_the_same_in_blocks_of_any_size(scene: Scene, rows: int) -> None:
    study = scene.study("lean")
    outcome = study.evaluate(scene.bundle.recipe)
    facts = attach(study.facts, scene.bundle.recipe.measures(), study.evidence)
    whole = ledger(outcome, facts)
    blocks = list(ledger_blocks(outcome, facts, rows=rows))
    assert {block.num_rows for block in blocks[:-1]} <= {rows}
    assert pa.concat_tables(blocks).equals(whole)
    assert whole.column("id").to_pylist() == sorted(whole.column("id").to_pylist())
    assert len(set(whole.column("step").to_pylist())) > 3
    write_blocks(ledger_blocks(outcome, facts), LEDGER_SCHEMA, scene.root / f"blocks {rows}.parquet")
    write_parquet(whole, scene.root / f"whole {rows}.parquet")
    assert (scene.root / f"blocks {rows}.parquet").read_bytes() == (scene.root / f"whole {rows}.parquet").read_bytes()


def test_a_file_written_in_blocks_has_a_row_group_for_each(tmp_path: Path) -> None:
    table = pa.table({"a": np.arange(10)})
    write_blocks((table.slice(at, 4) for at in (0, 4, 8)), table.schema, tmp_path / "a.parquet")
    with pq.ParquetFile(tmp_path / "a.parquet") as file:
        assert [file.metadata.row_group(k).num_rows for k in range(3)] == [4, 4, 2]
    assert pq.read_table(tmp_path / "a.parquet").equals(table)


def test_keys_of_documents_are_those_of_their_ids(scene: Scene) -> None:
    documents: Documents = scene.study("lean").documents
    assert np.array_equal(documents.keys, key64(documents.ids.to_pylist()))


@pytest.mark.parametrize("metric", ["jaccard", "containment"])
def test_signatures_put_in_place_piece_by_piece_are_those_taken_at_once(metric: str) -> None:
    texts = docstrings(("json",)).column("text").combine_chunks().drop_null().cast(pa.large_string())
    signed = sign(texts, NearParams(metric=metric))  # type: ignore[arg-type]
    order = np.arange(len(signed))[::-1]
    wanted, found = signed.take(order), signed.take(order)
    found.keys[:] = 0
    for places in np.array_split(np.arange(len(signed)), 3):
        found.put(places, wanted.take(places))
    assert np.array_equal(found.keys, wanted.keys)

"""Signals, scores and rule sets from the command line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import tamis

from tamis.analytics.recipe.presets import RULE_SETS, with_rule_set
from tamis.analytics.recipe.recipe import Recipe


def _error(*arguments: str, home: Path) -> str:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        tamis(*arguments, home=home)
    assert caught.value.returncode == 2 and "Traceback" not in caught.value.stderr
    return str(caught.value.stderr)


def test_a_rule_set_is_added_to_a_recipe_file_step_by_step(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    tamis("rules", "add", "c4", "--to", str(path), home=tmp_path)
    tamis("rules", "add", "gopher-quality", "--to", str(path), home=tmp_path)
    expected = with_rule_set(with_rule_set(Recipe(), "c4"), "gopher-quality")
    assert Recipe.from_yaml(path.read_text()).digest == expected.digest
    before = path.read_bytes()
    assert "gopher-quality" in _error("rules", "add", "gophr", "--to", str(path), home=tmp_path)
    assert path.read_bytes() == before
    listed = tamis("rules", "list", home=tmp_path).stdout
    assert all(name in listed for name in RULE_SETS)


def test_signals_are_listed_and_explained(tmp_path: Path) -> None:
    assert "unigram_entropy" in tamis("signals", "list", "entropy", home=tmp_path).stdout
    said = tamis("signals", "explain", "unigram_entropy", home=tmp_path).stdout
    assert "nats" in said and "unigram_entropy@" in said
    assert "n_words" in _error("signals", "explain", "n_wrds", home=tmp_path)


def test_imported_scores_become_a_column_of_the_next_analysis(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.parquet"
    texts = [f"document {k} about the sieve in the kitchen" for k in range(30)]
    pq.write_table(pa.table({"id": [f"d{k:02d}" for k in range(30)], "text": texts}), corpus)
    scores = tmp_path / "edu.csv"
    scores.write_text("doc,edu\n" + "".join(f"d{k:02d},{k / 10}\n" for k in range(25)))
    assert "edu.csv" in _error("scores", "import", str(scores), str(corpus), "--id-column", "nope", home=tmp_path)
    said = tamis("scores", "import", str(scores), str(corpus), "--id-column", "doc", home=tmp_path).stdout
    assert "stored" in said
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "schema_version: 1\ntitle: scores\nsteps:\n  - id: edu\n    operator: signal_range\n"
        "    params: {signal: score_edu, min: 1.05, missing: drop}\n"
    )
    tamis("run", str(recipe), str(corpus), "-o", str(tmp_path / "out"), home=tmp_path)
    kept = pq.read_table(tmp_path / "out" / "curated").column("id").to_pylist()
    assert kept == [f"d{k:02d}" for k in range(11, 25)]

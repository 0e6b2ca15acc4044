"""Texts and secrets stay in the corpus and in curated files: never in logs, jobs, recipes or ledgers."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dashboard import served, tamis
from docstrings import docstrings
from session_client import Session

from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe

SECRET = "sk-live-Zq81NfVb77Lm"
MARKS = (SECRET, "Xylophanes-porcellus", "porcellus@example.org")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Analyse a corpus in which every text holds a secret, export and run a recipe; return the folder of all of it."""
    root = tmp_path_factory.mktemp("leaks")
    texts = [f"{text} {' '.join(MARKS)}" for text in docstrings().column("text").to_pylist()[:160]]
    pq.write_table(pa.table({"text": texts}), root / "corpus.parquet")
    (root / "home").mkdir()
    recipe = Recipe(title="No secrets")
    for name, params in (("signal_range", {"signal": "n_words", "min": 12}), ("regex", {"pattern": "sk-test-[a-z]+"})):
        recipe = recipe.with_operator(OPERATORS.build(name, params))
    (root / "recipe.yaml").write_text(recipe.to_yaml())
    said = []
    for command in (
        ("analyze", str(root / "corpus.parquet"), "--name", "corpus", "--tier", "fast"),
        ("export", str(root / "recipe.yaml"), str(root / "corpus.parquet"), "-o", str(root / "bundle")),
        ("run", str(root / "bundle"), str(root / "corpus.parquet"), "-o", str(root / "out")),
        ("run", str(root / "bundle"), str(root / "nowhere.parquet"), "-o", str(root / "other")),
        ("doctor",),
    ):
        done = tamis(*command, home=root / "home", check=False)
        said += [done.stdout, done.stderr]
    (root / "said.txt").write_text("\n".join(said))
    with served(root / "home", root / "corpus.parquet") as dashboard:
        session = Session(dashboard.url, query="corpus=corpus")
        session.open("")
        for page in tuple(session.pages):
            session.open(page)
        session.open("documents")
        session.type("text_input", "Search", "porcellus")
        session.open("quality")
        session.type("number_input", "Drop below", 5)
        session.close()
    return root


def holders(root: Path) -> set[str]:
    """Return the files below a folder in which a secret stands in the clear."""
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and any(mark.encode() in path.read_bytes() for mark in MARKS)
    }


def test_nothing_that_is_printed_logged_or_recorded_holds_a_text(home: Path) -> None:
    assert "analysis" in (home / "said.txt").read_text() and (home / "home" / "server.log").is_file()
    plain = {name for name in holders(home) if not name.endswith((".parquet", ".npy"))}
    assert plain == set()


def test_run_manifest_selection_and_ledger_hold_no_text(home: Path) -> None:
    manifest = json.loads((home / "out" / "run.json").read_bytes())
    assert manifest["counts"][0]["documents"] == 160
    for path in sorted((home / "out").rglob("*.parquet")):
        table = pq.read_table(path)
        holds = any(mark in str(table.to_pylist()) for mark in MARKS)
        assert holds == ("text" in table.column_names), path


def test_stored_tables_hold_words_of_clusters_but_no_text(home: Path) -> None:
    for path in sorted((home / "home" / "store").rglob("*.parquet")):
        assert SECRET not in str(pq.read_table(path).to_pylist()), path

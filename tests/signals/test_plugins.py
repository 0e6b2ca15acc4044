"""Signals of one's own and imported scores become columns like any other; bad code and bad files are named."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tamis.analytics.signals.imported_scores import import_scores, imported_scores_step, workspace_scores
from tamis.analytics.signals.plugins import load_plugins, plugins_step, signal, workspace_plugins
from tamis.analytics.signals.signal import SIGNALS
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.steps.step import StepSpec
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError, SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

PLUGIN = """
from tamis.analytics.signals.plugins import signal

@signal(name="my_exclamations", dtype="int32", help="Exclamation marks.", unit="characters", low=0)
def exclamations(text):
    return text.count("!")

@signal(name="my_first_letter", help="Code point of the first letter; NULL for an empty document.")
def first(text):
    return ord(text[0]) if text else None
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    texts = ["Hi! There!", "nothing", "a!"]
    pq.write_table(pa.table({"id": ["c", "a", "b"], "text": texts}), tmp_path / "texts.parquet")
    return open_corpus(tmp_path / "texts.parquet")


def facts_of(corpus: Corpus, home: Path, *steps: StepSpec) -> pa.Table:
    chosen = (documents_step(), *steps)
    facts = analyze(corpus, Workspace(home), steps=(*chosen, facts_step(chosen))).facts()
    return facts.table([name for name in facts.columns if name.startswith(("id", "my_", "score_"))])


def test_a_function_in_a_file_becomes_a_column(corpus: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "plugins"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(PLUGIN)
    plugins = workspace_plugins(tmp_path / "home", installed=False)
    assert [each.signal.name for each in plugins] == ["my_exclamations", "my_first_letter"]
    assert SIGNALS["my_exclamations"].help == "Exclamation marks."
    table = facts_of(corpus, tmp_path / "home", plugins_step(plugins))
    assert table.column("my_exclamations").to_pylist() == [0, 1, 2]
    assert table.column("my_first_letter").to_pylist() == [110.0, 97.0, 72.0]


def test_changed_code_is_another_artifact(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    first = plugins_step(load_plugins([path], installed=False)).params
    path.write_text(PLUGIN + "# another version\n")
    assert plugins_step(load_plugins([path], installed=False)).params != first


def test_values_that_are_no_numbers_become_null_or_an_error() -> None:
    texts = pa.array(["x", None])
    empty = signal(name="my_nan", help="Never a number.")(lambda text: float("nan") if text else None)
    assert empty.measure(texts).to_pylist() == [None, None]
    wrong = signal(name="my_wrong", help="Fails.")(lambda text: text[5])  # type: ignore[arg-type,return-value]
    with pytest.raises(SettingError, match=r"my_wrong failed: IndexError"):
        wrong.measure(texts)


@pytest.mark.parametrize(
    ("code", "message"),
    [("x = 1", "defines no signal"), ("def (", "SyntaxError"), ("import nowhere_at_all", "ModuleNotFoundError")],
)
def test_a_bad_plugin_file_is_named(tmp_path: Path, code: str, message: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(code)
    with pytest.raises(SettingError, match=message):
        load_plugins([path], installed=False)


def test_a_plugin_cannot_take_the_name_of_a_signal(tmp_path: Path) -> None:
    path = tmp_path / "taken.py"
    path.write_text(PLUGIN.replace("my_exclamations", "n_words"))
    with pytest.raises(SettingError, match="twice"):
        load_plugins([path], installed=False)
    with pytest.raises(SettingError, match="not allowed"):
        signal(name="Has Space", help="x")


def test_scores_from_a_file_are_joined_by_id(corpus: Corpus, tmp_path: Path) -> None:
    rows = {"id": ["a", "b", "elsewhere"], "edu": [0.5, float("nan"), 1.0], "votes": [3, 4, 5], "note": ["x", "y", "z"]}
    table = pa.table(rows)
    pq.write_table(table, tmp_path / "scores.parquet")
    pyarrow.csv.write_csv(table, tmp_path / "scores.csv")
    lines = [
        json.dumps({"id": i, "edu": e if e == e else None, "votes": v})
        for i, e, v in zip(*list(rows.values())[:3], strict=True)
    ]
    (tmp_path / "scores.jsonl").write_text("\n".join(lines))
    for name in ("scores.parquet", "scores.csv", "scores.jsonl"):
        found = facts_of(corpus, tmp_path / "home", imported_scores_step(tmp_path / name))
        assert found.column("id").to_pylist() == ["a", "b", "c"]
        assert found.column("score_edu").to_pylist() == [0.5, None, None]
        assert found.column("score_votes").to_pylist() == [3, 4, None]


def test_bad_scores_are_named(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    pq.write_table(pa.table({"id": ["a", "a"], "edu": [1.0, 2.0]}), path)
    with pytest.raises(CorpusError, match="there twice"):
        imported_scores_step(path)
    with pytest.raises(CorpusError, match="no id column"):
        imported_scores_step(path, id_column="key")
    with pytest.raises(CorpusError, match="numeric column"):
        imported_scores_step(path, columns=["nope"])
    (tmp_path / "scores.txt").write_text("x")
    with pytest.raises(CorpusError, match="unknown format"):
        imported_scores_step(tmp_path / "scores.txt")
    (tmp_path / "broken.jsonl").write_text("{")
    with pytest.raises(CorpusError, match="cannot be read"):
        imported_scores_step(tmp_path / "broken.jsonl")


def test_a_workspace_keeps_plugins_and_scores_for_the_next_analysis(corpus: Corpus, tmp_path: Path) -> None:
    home = Workspace(tmp_path / "home")
    assert not {"plugins"} & {step.name for step in analysis_steps(corpus, home)}
    folder = home.root / "plugins"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(PLUGIN)
    pq.write_table(pa.table({"key": ["a"], "edu": [1.5]}), tmp_path / "scores.parquet")
    import_scores(home.root, corpus, tmp_path / "scores.parquet", id_column="key")
    names = [step.name for step in analysis_steps(corpus, home)]
    assert "plugins" in names and any(name.startswith("scores-") for name in names)
    found = facts_of(corpus, home.root, *workspace_scores(home.root, corpus))
    assert found.column("score_edu").to_pylist() == [1.5, None, None]

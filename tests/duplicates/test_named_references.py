"""References by name: stored once by content, found by rules, refused with a reason."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import tamis
from narrow_analysis import narrow_steps

from tamis.analytics.duplicates.references import list_references, save_reference
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

QUESTION = "how many grains of sand pass through a fine kitchen sieve in the course of one long summer afternoon"


def _files(folder: Path) -> tuple[Path, Path]:
    texts = [f"a document about number {k} and nothing else of note" for k in range(20)]
    texts[7] = f"Somebody asked: {QUESTION}? Nobody knew."
    pq.write_table(pa.table({"id": [f"d{k:02d}" for k in range(20)], "text": texts}), folder / "corpus.parquet")
    (folder / "evaluation.jsonl").write_text(f'{{"text": "{QUESTION}"}}\n')
    return folder / "corpus.parquet", folder / "evaluation.jsonl"


def test_a_reference_made_on_the_command_line_is_found_by_name_and_decides(tmp_path: Path) -> None:
    corpus, evaluation = _files(tmp_path)
    home = tmp_path / "home"
    said = tamis("reference", "exam", str(evaluation), home=home).stdout
    workspace = Workspace(home)
    entry = list_references(workspace)["exam"]
    assert entry.digest in said and entry.origin == ("evaluation.jsonl",) and entry.n == 13
    assert save_reference(workspace, "again", [evaluation], n=13).digest == entry.digest
    opened = open_corpus(corpus)
    study = Study.open(opened, workspace, steps=narrow_steps(opened, workspace, "tokens"))
    recipe = Recipe(title="r").with_operator(OPERATORS.build("decontaminate", {"evaluation": entry.digest}))
    study.measure(recipe)
    dropped = study.evaluate(recipe).deciding > 0
    assert study.facts.ids.filter(pa.array(dropped)).to_pylist() == ["d07"]


def test_bad_names_and_missing_files_are_refused(tmp_path: Path, workspace: Workspace) -> None:
    _, evaluation = _files(tmp_path)
    with pytest.raises(SettingError, match="Reference name"):
        save_reference(workspace, "../exam", [evaluation], n=13)
    with pytest.raises(SettingError, match="made of files"):
        save_reference(workspace, "exam", [], n=13)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        tamis("reference", "exam", str(tmp_path / "nowhere.jsonl"), home=tmp_path)
    assert caught.value.returncode == 2 and list_references(workspace) == {}

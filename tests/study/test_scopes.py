"""Any signal, language, duplicate rule and map can be asked of a part of conversations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from layouts import chat

from tamis.analytics.facts.stored_sets import WorkspaceSources
from tamis.analytics.map.cluster_steps import clusters_of
from tamis.analytics.map.new_documents import FrozenMap, place_corpus
from tamis.analytics.map.options import MapOptions, write_options
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.standard_analysis import analysis_steps, some_steps
from tamis.analytics.study.study import Study
from tamis.data.errors import PredicateError, TamisError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

ANSWERS = (
    "Put them into boiling water and wait for six minutes before you take them out again.",
    "Water.",
    "Legen Sie die Eier in kochendes Wasser und warten Sie sechs Minuten, bevor Sie sie herausnehmen.",
    "Put them into boiling water and wait for six minutes before you take them out again!",
)
ROWS: list[dict[str, Any]] = [
    {
        "id": f"{n}",
        "messages": chat(("user", f"How do I boil {n // 2} eggs, please tell me all?"), ("assistant", answer)),
    }
    for n, answer in enumerate(ANSWERS)
]
ROWS.append({"id": "9", "messages": chat(("user", "Nobody answers this question, it seems to me?"))})
ROWS.append({"id": "a", "messages": chat(("user", "Nobody answers that other question, it seems to me?"))})


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("scopes")
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    corpus, workspace = open_corpus(folder / "a.jsonl"), Workspace(folder / "home")
    steps = some_steps(corpus, workspace, ["signals", "language", "exact", "columns"])
    return Study.open(corpus, workspace, steps=steps)


def kept(study: Study, name: str, **params: Any) -> list[str]:
    """Return the ids that a rule keeps."""
    recipe = Recipe(steps=(Step(id="rule", operator=OPERATORS.build(name, params)),))
    study.measure(recipe)
    copies = study.evaluate(recipe).copies
    return [name for name, many in zip(study.documents.ids.to_pylist(), copies.tolist(), strict=True) if many]


def test_a_signal_of_a_scope_is_that_of_its_text(study: Study) -> None:
    assert kept(study, "signal_range", signal="response.n_words", max=1) == ["1", "9", "a"]
    assert kept(study, "signal_range", signal="response.bytes", min=7) == ["0", "2", "3"]
    assert kept(study, "signal_range", signal="n_words", max=1) == []


def test_a_condition_names_scopes(study: Study) -> None:
    assert kept(study, "sql_predicate", predicate="response.n_words > 1 AND user.n_words > 1") == ["0", "2", "3"]
    with pytest.raises(PredicateError, match="table"):
        OPERATORS.build("sql_predicate", {"predicate": "nowhere.n_words > 1"})


def test_language_and_regex_look_at_a_scope(study: Study) -> None:
    assert kept(study, "language", languages=["de"], of="response", missing="drop") == ["2"]
    assert kept(study, "regex", pattern="eggs", of="response") == ["0", "1", "2", "3", "9", "a"]
    assert kept(study, "regex", pattern="eggs", of="user") == ["9", "a"]


def test_duplicates_of_a_scope_ignore_the_rest_and_what_is_not_said_is_no_duplicate(study: Study) -> None:
    assert kept(study, "exact_dedup", of="first_user", keep="highest signal", signal="response.bytes") == [
        "0", "2", "9", "a",
    ]  # fmt: skip
    assert kept(study, "exact_dedup", of="response", keep="first id") == ["0", "1", "2", "9", "a"]
    assert kept(study, "near_dedup", of="response", threshold=0.8, n=3, keep="first id") == ["0", "1", "2", "9", "a"]
    assert kept(study, "near_dedup", threshold=0.8, n=3, keep="first id") == ["0", "1", "2", "3", "9", "a"]


def test_a_scope_of_plain_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one two"}\n{"text": "three four"}\n')
    corpus, workspace = open_corpus(tmp_path / "a.jsonl"), Workspace(tmp_path / "home")
    plain = Study.open(corpus, workspace, steps=some_steps(corpus, workspace, ["signals"]))
    with pytest.raises(TamisError, match="no scopes"):
        kept(plain, "signal_range", signal="response.n_words", max=1)


def test_the_map_of_a_scope_is_made_of_it_and_new_documents_are_placed_by_it(tmp_path: Path) -> None:
    def write(name: str, rows: list[dict[str, Any]]) -> Path:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return tmp_path / name

    questions = [f"{a} {b} and the {c}?" for a in ("boil", "fry", "bake") for b in ("eggs", "bread") for c in "xyz"]
    rows = [
        {"id": f"{n}-{k}", "messages": chat(("user", question), ("assistant", f"answer {k} of {n}: {'word ' * k}"))}
        for n, question in enumerate(questions)
        for k in range(2)
    ]
    corpus, workspace = open_corpus(write("a.jsonl", rows)), Workspace(tmp_path / "home")
    write_options(workspace, corpus, MapOptions.of({"tier": "fast", "of": "prompt"}))
    analysis = analyze(corpus, workspace, steps=analysis_steps(corpus, workspace))
    x = analysis.artifacts["map"].array("x")
    ids = analysis.documents.ids.to_pylist()
    place = dict(zip(ids, x.tolist(), strict=True))
    assert all(place[f"{n}-0"] == place[f"{n}-1"] for n in range(len(questions)))
    assert len(set(place.values())) > len(questions) // 2
    new = open_corpus(write("b.jsonl", [{"id": f"new-{n}", "messages": rows[2 * n]["messages"][:1]} for n in range(3)]))
    frozen = FrozenMap.of(analysis, workspace)
    place_corpus(frozen, new, workspace, tmp_path / "placed.parquet")
    placed = pq.read_table(tmp_path / "placed.parquet")
    assert placed.column("nearest").to_pylist() == ["0-0", "1-0", "2-0"]
    assert max(placed.column("distance").to_pylist()) < 1e-3
    clusters = clusters_of(analysis.artifacts)
    assert clusters is not None and WorkspaceSources(workspace).clustering(clusters.digest).of == "prompt"

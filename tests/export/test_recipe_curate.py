"""Curated files hold the kept rows: edited, repeated and ordered as the recipe says."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from docstrings import docstrings, write_corpus

from tamis.analytics.export.curated import CuratedOptions, write_curated
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.operator import OPERATORS, Decision, Group, SetOperator, TextOperator, View
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.plan import evaluate
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.evidence import GivenEvidence
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents
from tamis.data.errors import RecipeError
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import NullProgress
from tamis.data.workspace import Workspace


class Shout(TextOperator):
    """Writes everything in capital letters."""

    name: ClassVar[str] = "shout"

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        return pc.utf8_upper(texts)


class Trim(TextOperator):
    """Cuts texts after forty characters."""

    name: ClassVar[str] = "trim"

    def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
        return pc.utf8_slice_codeunits(texts, 0, 40)


class Twice(SetOperator):
    """Gives every third document two copies, orders the longest first and weighs by place."""

    name: ClassVar[str] = "twice"
    group: ClassVar[Group] = "Order"

    def columns(self) -> frozenset[str]:
        return frozenset({"bytes"})

    def decide(self, view: View) -> Decision:
        order = np.lexsort((view.rows, -view.numbers("bytes")))
        position = np.empty(len(view), dtype=np.int64)
        position[order] = np.arange(len(view)) * 10
        copies = np.where(view.rows % 3 == 0, 2, 1).astype(np.int32)
        return Decision(copies=copies, position=position, weight=1.0 / (1 + position))


class Curated:
    """A small corpus, its documents, and facts with ids and bytes only."""

    def __init__(self, root: Path) -> None:
        self.table = docstrings(("json",))
        self.corpus: Corpus = open_corpus(write_corpus(root / "corpus", self.table, files=2))
        self.documents: Documents = analyze(self.corpus, Workspace(root / "home"), steps=()).documents
        columns = {"id": self.documents.ids, "bytes": self.documents.bytes}
        self.facts = Facts.from_table(pa.table(columns), digest="curated", errors=3)

    def outcome(self, *operators: object) -> Outcome:
        steps = tuple(Step(f"step-{k}", operator) for k, operator in enumerate(operators))  # type: ignore[arg-type]
        return evaluate(Recipe(steps), self.facts, GivenEvidence())

    def written(self, folder: Path, outcome: Outcome, **options: bool) -> list[dict[str, object]]:
        write_curated(folder, self.corpus, self.documents, outcome, options=CuratedOptions(**options))
        return pq.read_table(folder / "curated").to_pylist()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Curated:
    return Curated(tmp_path_factory.mktemp("curate"))


def test_texts_are_edited_in_order_and_the_edits_are_listed(made: Curated, tmp_path: Path) -> None:
    long = OPERATORS.build("signal_range", {"signal": "bytes", "min": 10})
    rows = made.written(tmp_path, made.outcome(Shout(), long, Trim()))
    texts = {row["path"]: row["text"] for row in made.table.to_pylist()}
    assert all(row["text"] == texts[row["path"]].upper()[:40] for row in rows)
    assert all(len(texts[row["path"]].encode()) >= 10 for row in rows), "filters see the text as it came"
    edits = pq.read_table(tmp_path / "edits.parquet").to_pylist()
    assert [edit["id"] for edit in edits] == sorted(edit["id"] for edit in edits)
    shouted = {edit["id"] for edit in edits if edit["step"] == "step-0"}
    assert shouted == {row["document_id"] for row in rows if texts[row["path"]] != texts[row["path"]].upper()}
    trimmed = [edit for edit in edits if edit["step"] == "step-2"]
    assert all(edit["bytes_after"] < edit["bytes_before"] for edit in trimmed)


def test_a_recipe_that_edits_nothing_lists_no_edits(made: Curated, tmp_path: Path) -> None:
    made.written(tmp_path, made.outcome())
    assert not (tmp_path / "edits.parquet").exists()


def test_copies_positions_and_weights_are_columns(made: Curated, tmp_path: Path) -> None:
    rows = made.written(tmp_path, made.outcome(Twice()))
    assert [row["document_id"] for row in rows] == made.documents.ids.to_pylist()
    assert [row["copies"] for row in rows] == [2 if k % 3 == 0 else 1 for k in range(len(rows))]
    assert sorted(row["position"] for row in rows) == list(range(len(rows)))
    assert all(0 < row["weight"] <= 1 for row in rows)


@pytest.mark.parametrize("ordered", [False, True])
def test_copies_can_be_written_out(made: Curated, tmp_path: Path, ordered: bool) -> None:
    rows = made.written(tmp_path, made.outcome(Twice()), repeat=True, ordered=ordered)
    ids = made.documents.ids.to_pylist()
    assert len(rows) == len(ids) + len(ids[::3])
    assert "copies" not in rows[0]
    if ordered:
        sizes = [len(row["text"].encode()) for row in rows]
        assert sizes == sorted(sizes, reverse=True)
        assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)
    else:
        assert [row["document_id"] for row in rows] == sorted(row["document_id"] for row in rows)


def test_order_moves_rows_without_changing_them(made: Curated, tmp_path: Path) -> None:
    plain = made.written(tmp_path / "plain", made.outcome(Twice()))
    moved = made.written(tmp_path / "moved", made.outcome(Twice()), ordered=True)
    assert sorted(plain, key=lambda row: row["position"]) == moved


def test_positions_have_no_holes_after_later_drops(made: Curated) -> None:
    short = OPERATORS.build("signal_range", {"signal": "bytes", "max": 60})
    outcome = made.outcome(Twice(), short)
    assert sorted(outcome.position[outcome.kept]) == list(range(outcome.output.documents))
    assert (outcome.position[~outcome.kept] == -1).all()
    assert np.isnan(outcome.weight[~outcome.kept]).all()
    assert outcome.output.copies == outcome.copies.sum()


def test_names_the_corpus_already_uses_are_not_taken(tmp_path: Path) -> None:
    table = pa.table({"text": ["a b c", "d e f"], "copies": [5, 6], "document_id": ["x", "y"]})
    corpus = open_corpus(write_corpus(tmp_path / "corpus", table), roles={"text": "text"})
    documents = analyze(corpus, Workspace(tmp_path / "home"), steps=()).documents
    facts = Facts.from_table(pa.table({"id": documents.ids, "bytes": documents.bytes}), digest="two")
    write_curated(tmp_path, corpus, documents, evaluate(Recipe(), facts, GivenEvidence()))
    rows = pq.read_table(tmp_path / "curated").to_pylist()
    assert {(row["copies"], row["tamis_copies"]) for row in rows} == {(5, 1), (6, 1)}
    assert [row["tamis_document_id"] for row in rows] == documents.ids.to_pylist()


def test_a_text_that_is_the_path_of_a_file_cannot_be_edited_and_says_so(tmp_path: Path) -> None:
    table = pa.table({"text": ["a b c", "d e f"]})
    write_corpus(tmp_path / "corpus" / "name=anna", table)
    corpus = open_corpus(tmp_path / "corpus", roles={"text": "name"})
    documents = analyze(corpus, Workspace(tmp_path / "home"), steps=()).documents
    facts = Facts.from_table(pa.table({"id": documents.ids, "bytes": documents.bytes}), digest="nested")
    outcome = evaluate(Recipe((Step("shout", Shout()),)), facts, GivenEvidence())
    with pytest.raises(RecipeError, match="a text inside the rows: got 'name'"):
        write_curated(tmp_path, corpus, documents, outcome)


def test_edits_state_the_bytes_before_and_after_each_step_that_changed_something(tmp_path: Path) -> None:
    long = "é" * 30 + "ß" * 20
    table = pa.table({"text": ["already BIG".upper(), long, "small"], "n": [1, 2, 3]})
    corpus = open_corpus(write_corpus(tmp_path / "corpus", table))
    documents = analyze(corpus, Workspace(tmp_path / "home"), steps=()).documents
    facts = Facts.from_table(pa.table({"id": documents.ids, "bytes": documents.bytes}), digest="edits")
    steps = tuple(Step(name, operator) for name, operator in (("trim", Trim()), ("shout", Shout())))
    write_curated(tmp_path, corpus, documents, evaluate(Recipe(steps), facts, GivenEvidence()))
    rows = {row["n"]: row for row in pq.read_table(tmp_path / "curated").to_pylist()}
    assert {n: row["text"] for n, row in rows.items()} == {1: "ALREADY BIG", 2: "É" * 30 + "ẞ" * 10, 3: "SMALL"}
    wanted = [
        {"id": rows[2]["document_id"], "step": "trim", "bytes_before": 100, "bytes_after": 80},
        {"id": rows[2]["document_id"], "step": "shout", "bytes_before": 80, "bytes_after": 90},
        {"id": rows[3]["document_id"], "step": "shout", "bytes_before": 5, "bytes_after": 5},
    ]
    edits = pq.read_table(tmp_path / "edits.parquet")
    assert edits.schema.names == ["id", "step", "bytes_before", "bytes_after"]
    assert edits.to_pylist() == sorted(wanted, key=lambda edit: edit["id"])


def test_text_steps_that_change_nothing_leave_an_empty_list(made: Curated, tmp_path: Path) -> None:
    class Same(TextOperator):
        """Leaves every text as it is."""

        name: ClassVar[str] = "same"

        def edit(self, texts: pa.LargeStringArray) -> pa.LargeStringArray:
            return texts

    made.written(tmp_path, made.outcome(Same()))
    nothing = OPERATORS.build("signal_range", {"signal": "bytes", "max": 0, "missing": "drop"})
    made.written(tmp_path / "none", made.outcome(nothing, Same()))
    for folder in (tmp_path, tmp_path / "none"):
        assert pq.read_table(folder / "edits.parquet").num_rows == 0
    assert made.written(tmp_path / "again", made.outcome(nothing)) == []


class Placed(SetOperator):
    """Gives documents 3, 0, 1, 2, 3, 0 ... copies and reverses their order."""

    name: ClassVar[str] = "placed"
    group: ClassVar[Group] = "Order"

    def decide(self, view: View) -> Decision:
        copies = ((view.rows + 3) % 4).astype(np.int32)
        return Decision(copies=copies, position=-view.rows, weight=view.rows / 4)


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
def test_rows_are_those_of_a_loop_over_the_documents(
    made: Curated, tmp_path: Path, repeat: bool, ordered: bool
) -> None:
    rows = made.written(tmp_path, made.outcome(Placed()), repeat=repeat, ordered=ordered)
    ids = made.documents.ids.to_pylist()
    kept = [row for row in range(len(ids)) if (row + 3) % 4]
    wanted = []
    for row in reversed(kept) if ordered else kept:
        own = {"document_id": ids[row], "position": len(kept) - 1 - kept.index(row), "weight": row / 4}
        wanted += [own] * ((row + 3) % 4) if repeat else [own | {"copies": (row + 3) % 4}]
    names = ["document_id", *([] if repeat else ["copies"]), "position", "weight"]
    assert [{name: row[name] for name in names} for row in rows] == wanted
    assert list(rows[0]) == [*made.corpus.source_schema.names, *names]


def test_without_an_order_ordered_files_are_those_by_id(made: Curated, tmp_path: Path) -> None:
    plain = made.written(tmp_path / "plain", made.outcome())
    assert made.written(tmp_path / "ordered", made.outcome(), ordered=True) == plain
    assert list(plain[0])[-2:] == ["document_id", "copies"]


def test_options_that_came_later_are_stated_only_where_they_are_set() -> None:
    assert CuratedOptions().plain == {"repeat": False, "ordered": False}
    assert CuratedOptions(repeat=True, origin=True).plain == {"repeat": True, "ordered": False, "origin": True}


def test_a_run_tells_how_many_source_rows_it_passes(made: Curated, tmp_path: Path) -> None:
    class Watch(NullProgress):
        def __init__(self) -> None:
            self.told: list[object] = []

        def step(self, name: str, total: int | None = None, unit: str = "rows") -> None:
            self.told.append((name, total))

        def advance(self, amount: int = 1) -> None:
            self.told.append(amount)

    watch = Watch()
    files = write_curated(tmp_path, made.corpus, made.documents, made.outcome(), progress=watch)
    assert watch.told == [("curated files", made.corpus.rows), *(shard.rows for shard in made.corpus.shards())]
    assert [file.rows for file in files] == [made.documents.n]

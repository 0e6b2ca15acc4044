"""Evaluation sets: parts of items, what is stored, names, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from plain_idf import weights_of, words_of

from tamis.analytics.duplicates.evaluation_items import PARTS, PartColumns, read_items, set_names
from tamis.analytics.duplicates.evaluation_sets import (
    EvaluationSets,
    find_evaluation,
    list_evaluations,
    save_evaluation,
)
from tamis.analytics.duplicates.planted_items import EDITS, plant, planted_recall
from tamis.analytics.duplicates.references import list_references
from tamis.analytics.steps.stored_arrays import pack
from tamis.data.errors import SettingError, StoreError
from tamis.data.hashing import file_sha256
from tamis.data.workspace import Workspace

SECRET = "a most secret question that nobody outside this room may ever read"


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_parts_are_found_by_name_and_kept_apart(tmp_path: Path) -> None:
    home = Workspace(tmp_path / "home")
    squad = write(
        tmp_path / "squad.jsonl",
        [
            {"question": "who is it", "answers": {"text": ["a man", "he"]}, "context": "a long story", "id": "1"},
            {"question": "and then", "answers": {"text": []}, "context": None, "id": "2"},
        ],
    )
    plain = write(tmp_path / "plain.jsonl", [{"text": "one text"}, {"text": None}, {"text": "another"}])
    items = read_items([squad, plain], home).to_pylist()
    assert [(row["set"], row["file"], row["row"]) for row in items] == [
        ("plain", "plain.jsonl", 0), ("plain", "plain.jsonl", 2), ("squad", "squad.jsonl", 0),
        ("squad", "squad.jsonl", 1),
    ]  # fmt: skip
    assert [tuple(row[part] for part in PARTS) for row in items] == [
        (None, None, None, "one text"),
        (None, None, None, "another"),
        ("who is it", "a man\nhe", "a long story", "who is it\n\na man\nhe"),
        ("and then", "", None, "and then\n\n"),
    ]


def test_columns_can_be_named_and_wrong_ones_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    home = Workspace(tmp_path / "home")
    path = write(tmp_path / "odd.jsonl", [{"ask": "what is it", "say": "nothing", "score": 3}])
    (row,) = read_items([path], home, PartColumns(prompt="ask", answer="say")).to_pylist()
    assert (row["prompt"], row["answer"], row["whole"]) == ("what is it", "nothing", "what is it\n\nnothing")
    (row,) = read_items([path], home, PartColumns(text="say")).to_pylist()
    assert (row["prompt"], row["whole"]) == (None, "nothing")
    with pytest.raises(SettingError, match="ask, say, score"):
        read_items([path], home, PartColumns(prompt="ask", answer="score"))
    with pytest.raises(SettingError, match="either one text or parts"):
        PartColumns(prompt="ask", text="say")
    with pytest.raises(SettingError, match="made of files"):
        read_items([], home)


def test_sets_are_named_by_their_path_and_by_its_folder_where_names_meet() -> None:
    assert set_names(["x/gsm8k.jsonl.gz", "y/mmlu"]) == ["gsm8k", "mmlu"]
    assert set_names(["x/test.jsonl", "y/test.jsonl", "z.csv"]) == ["x/test", "y/test", "z"]
    with pytest.raises(SettingError, match="one name"):
        set_names(["a/x/test.jsonl", "b/x/test.jsonl"])


def test_weights_are_those_of_plain_python_and_equal_texts_are_one_with_all_owners(tmp_path: Path) -> None:
    home = Workspace(tmp_path / "home")
    one = write(tmp_path / "one.jsonl", [{"prompt": "what is gold"}, {"prompt": "what is it"}])
    two = write(tmp_path / "two.jsonl", [{"prompt": "What IS gold?", "answer": "a metal"}])
    sets = EvaluationSets.of(read_items([two, one], home))
    assert sets.sets == ("one", "two") and len(sets) == 3
    prompts = np.flatnonzero(sets.part == PARTS.index("prompt"))
    assert [sets.owners_of(int(text)).tolist() for text in prompts] == [[0, 2], [1]]
    assert [sets.item_name(k) for k in range(3)] == [
        "one: one.jsonl, row 1", "one: one.jsonl, row 2", "two: two.jsonl, row 1",
    ]  # fmt: skip
    # The prompt and answer together would count every word twice, so they do not count.
    truth = weights_of([words_of(text) for text in ("what is gold", "what is it", "a metal")])
    assert sorted(sets.weights.tolist()) == sorted(truth.values())
    assert [PARTS[part] for part in sets.part] == ["prompt", "prompt", "answer", "whole"]


def test_stored_sets_survive_the_round_trip_hold_no_text_and_do_not_depend_on_the_order_of_paths(
    tmp_path: Path,
) -> None:
    home = Workspace(tmp_path / "home")
    paths = [write(tmp_path / f"{name}.jsonl", [{"question": f"{SECRET} {name}"}]) for name in "ab"]
    entry = save_evaluation(home, "exam", paths)
    assert save_evaluation(home, "again", paths[::-1]).digest == entry.digest
    assert find_evaluation(home, "exam") == entry and list(list_evaluations(home)) == ["again", "exam"]
    assert list_references(home) == {}
    assert b"secret" not in home.asset_path(entry.digest).read_bytes()
    again = EvaluationSets.from_table(home.table(entry.digest))
    assert again.table().equals(EvaluationSets.of(read_items(paths, home)).table())
    with pytest.raises(StoreError, match="no stored evaluation"):
        EvaluationSets.from_table(pack({}, {"kind": "reference"}))
    with pytest.raises(SettingError, match="exam"):
        find_evaluation(home, "exams")
    with pytest.raises(SettingError, match="Evaluation name"):
        save_evaluation(home, "../exam", paths)
    assert file_sha256(home.asset_path(entry.digest)) == entry.digest


WORDS = [f"w{k}" for k in range(400)]


def exam(tmp_path: Path, *lengths: int) -> pa.Table:
    rows = [{"question": " ".join(WORDS[k * 7 : k * 7 + length])} for k, length in enumerate(lengths)]
    return read_items([write(tmp_path / "exam.jsonl", list(rows))], Workspace(tmp_path / "home"))


def test_planted_items_are_found_as_far_as_each_rule_promises(tmp_path: Path) -> None:
    items = exam(tmp_path, *[10] * 6, *[30] * 6, *[60] * 6, 5)
    report = planted_recall(items, ["some other text of a few words", "and one more"], seed=3)
    found = {(row.method, row.edit, row.words): (row.found, row.planted) for row in report.rows}
    assert report.items == 18 and set(report.unplanted.values()) == {0}
    for method in ("decontaminate", "idf_decontaminate"):
        for edit in ("verbatim", "case and marks", "inside a document"):
            assert {found[method, edit, words] for words in ("8 to 19", "20 to 49", "50 and more")} == {(6, 6)}
    assert found["idf_decontaminate", "one word in ten", "50 and more"] == (6, 6)
    assert found["idf_decontaminate", "one word in ten", "8 to 19"] == (0, 6)
    assert report == planted_recall(items, ["some other text of a few words", "and one more"], seed=3)


def test_what_is_planted_follows_from_the_seed_alone() -> None:
    text, around = " ".join(WORDS[:40]), [" ".join(WORDS[100:140]), " ".join(WORDS[200:240])]
    planted = {edit: plant(text, edit, around, seed=1) for edit in EDITS}
    assert planted == {edit: plant(text, edit, around, seed=1) for edit in EDITS}
    assert planted["one word in ten"] != plant(text, "one word in ten", around, seed=2)
    assert sum(a != b for a, b in zip(planted["one word in ten"].split(), text.split(), strict=True)) == 4
    assert planted["case and marks"] == text.upper()
    outside = planted["inside a document"].split(f"\n{text}\n")
    assert "".join(outside) in around
    assert plant("", "one word in ten", [], seed=0) == "" and plant(text, "inside a document", [], seed=0) == text


def test_parquet_lists_and_large_texts_are_texts(tmp_path: Path) -> None:
    columns = {
        "prompt": pa.array(["what now"], pa.large_string()),
        "answer": pa.array([["one", "two"]], pa.list_(pa.string())),
    }
    pq.write_table(pa.table(columns), tmp_path / "lists.parquet")
    (row,) = read_items([tmp_path / "lists.parquet"], Workspace(tmp_path / "home")).to_pylist()
    assert (row["prompt"], row["answer"]) == ("what now", "one\ntwo")

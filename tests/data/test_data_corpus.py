"""A corpus is opened in place: formats, roles, nested columns, shards, batches, rows on demand."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tamis.data import shards
from tamis.data.corpus import Corpus
from tamis.data.errors import CorpusError, RoleError
from tamis.data.open_corpus import open_corpus

ROWS: list[dict[str, Any]] = [
    {"text": "The first document.", "source": "web", "score": 1, "ratio": 0.5, "flag": True},
    {"text": "Zweites, mit Umlaut: ä\nund Zeilenumbruch", "source": "web", "score": -2, "ratio": 2.0, "flag": False},
    {"text": 'Third, "quoted", 文字 🎈', "source": "mail", "score": 30, "ratio": -1.25, "flag": True},
]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows in the format the name says."""
    name = path.name
    path.parent.mkdir(exist_ok=True)
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    if ".jsonl" in name:
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    else:
        from io import StringIO

        out = StringIO(newline="")
        writer = csv.DictWriter(out, fieldnames=list(rows[0]), delimiter="\t" if ".tsv" in name else ",")
        writer.writeheader()
        writer.writerows(rows)
        data = out.getvalue().encode()
    if name.endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    if name.endswith(".zst"):
        data = zstandard.compress(data)
    path.write_bytes(data)
    return path


def all_rows(corpus: Corpus) -> list[dict[str, Any]]:
    """Return every row in source order."""
    return [row for shard in corpus.shards() for batch in corpus.batches(shard) for row in batch.to_pylist()]


@pytest.mark.parametrize(
    "name", ["a.parquet", "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.csv", "a.csv.gz", "a.csv.zst", "a.tsv"]
)
def test_every_format_gives_the_same_rows_and_types(tmp_path: Path, name: str) -> None:
    corpus = open_corpus(write_rows(tmp_path / name, ROWS))
    assert all_rows(corpus) == [dict(sorted(row.items())) for row in ROWS]
    assert corpus.schema.names == sorted(ROWS[0])
    assert corpus.schema.field("text").type == pa.large_string()
    assert corpus.schema.field("score").type == pa.int64()
    assert corpus.schema.field("flag").type == pa.bool_()
    assert (corpus.roles.text, corpus.roles.source) == ("text", "source")


def test_folder_of_mixed_formats_is_one_corpus(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    write_rows(tmp_path / "a.parquet", ROWS[:1])
    write_rows(tmp_path / "inner" / "b.jsonl.zst", ROWS[1:2])
    write_rows(tmp_path / "c.csv", ROWS[2:])
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "notes.txt").write_text("not data")
    corpus = open_corpus(tmp_path)
    assert Counter(row["text"] for row in all_rows(corpus)) == Counter(row["text"] for row in ROWS)
    assert {file.format for file in corpus.files} == {"parquet", "jsonl", "csv"}


def test_glob_opens_only_what_it_matches(tmp_path: Path) -> None:
    write_rows(tmp_path / "a1.jsonl", ROWS[:1])
    write_rows(tmp_path / "b1.jsonl", ROWS[1:])
    assert open_corpus(f"{tmp_path}/a*.jsonl").rows == 1
    assert open_corpus(f"{tmp_path}/*.jsonl").rows == 3


def test_descriptions_in_json_beside_data_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text('{\n "description": "not data"\n}\n')
    write_rows(tmp_path / "a.parquet", ROWS)
    assert [file.name for file in open_corpus(tmp_path).files] == ["a.parquet"]
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "b.json").write_text('{"text": "data"}\n')
    assert open_corpus(tmp_path / "only").rows == 1


def test_fingerprint_ignores_names_and_order_but_no_byte(tmp_path: Path) -> None:
    for folder, names in (("one", ["a", "b"]), ("two", ["z", "y"])):
        (tmp_path / folder).mkdir()
        for name, row in zip(names, ROWS, strict=False):
            write_rows(tmp_path / folder / f"{name}.jsonl", [row])
    one, two = open_corpus(tmp_path / "one"), open_corpus(tmp_path / "two")
    assert one.fingerprint == two.fingerprint
    assert all_rows(one) == all_rows(two)
    path = tmp_path / "two" / "z.jsonl"
    path.write_bytes(path.read_bytes().replace(b"first", b"fir5t"))
    assert open_corpus(tmp_path / "two").fingerprint != one.fingerprint


def test_roles_enter_the_fingerprint_but_only_text_and_id_the_text_fingerprint(tmp_path: Path) -> None:
    corpus = open_corpus(write_rows(tmp_path / "a.jsonl", ROWS))
    other = corpus.with_roles({"source": ""})
    assert other.roles.source is None
    assert other.fingerprint != corpus.fingerprint
    assert other.text_fingerprint == corpus.text_fingerprint
    assert corpus.with_roles({"text": "source", "source": ""}).text_fingerprint != corpus.text_fingerprint


def test_nested_columns_are_found_and_read_by_dotted_path(tmp_path: Path) -> None:
    rows = [{"body": {"text": "hello there", "n": 1}, "meta": {"source": "web", "deep": {"lang": "en"}}}] * 2
    for name in ("a.parquet", "a.jsonl"):
        corpus = open_corpus(write_rows(tmp_path / name, rows))
        assert corpus.roles.text == "body.text"
        assert corpus.roles.source == "meta.source"
        assert corpus.roles.language == "meta.deep.lang"
        (shard,) = corpus.shards()
        (batch,) = corpus.batches(shard, columns=["meta.deep.lang", "body.text"])
        assert batch.to_pylist() == [{"meta.deep.lang": "en", "body.text": "hello there"}] * 2
        assert [text for texts in corpus.texts(shard) for text in texts.to_pylist()] == ["hello there"] * 2


def test_column_whose_name_has_a_dot_is_read_as_itself(tmp_path: Path) -> None:
    corpus = open_corpus(write_rows(tmp_path / "a.parquet", [{"text": "x", "meta.source": "web"}]))
    assert all_rows(corpus) == [{"meta.source": "web", "text": "x"}]
    assert corpus.roles.source == "meta.source"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"content": "words", "url": "u"}, "content"),
        ({"TEXT": "words", "title": "t"}, "TEXT"),
        ({"only": "words", "n": 3}, "only"),
        ({"a": "short", "b": "a much longer text that goes on and on for a while"}, "b"),
    ],
)
def test_text_column_is_recognised_by_name_or_length(tmp_path: Path, row: dict[str, Any], text: str) -> None:
    assert open_corpus(write_rows(tmp_path / "a.jsonl", [row])).roles.text == text


def test_roles_can_be_chosen_and_taken_away(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", ROWS)
    corpus = open_corpus(path, roles={"text": "source", "label": "score", "source": ""})
    assert corpus.roles.known() == {"text": "source", "label": "score"}


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        ({"text": "nope"}, "no such column.*nope.*allowed: .*score"),
        ({"text": "score"}, "cannot be the text.*int64"),
        ({"id": "ratio"}, "cannot be the id"),
        ({"author": "text"}, "Unknown column role.*label"),
    ],
)
def test_wrong_roles_are_refused_by_name(tmp_path: Path, roles: dict[str, str], says: str) -> None:
    with pytest.raises(RoleError, match=says):
        open_corpus(write_rows(tmp_path / "a.jsonl", ROWS), roles=roles)


def test_undecidable_text_column_asks(tmp_path: Path) -> None:
    with pytest.raises(RoleError, match=r"No column can be recognised as the text.*--text"):
        open_corpus(write_rows(tmp_path / "a.jsonl", [{"a": "words one", "b": "words two"}]))


def test_different_schemas_are_joined_and_reported(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.jsonl", [{"text": "one", "n": 1, "extra": {"a": 1}}])
    write_rows(tmp_path / "b.jsonl", [{"text": "two", "n": 2.5, "extra": {"b": "x"}, "tag": "t"}])
    write_rows(tmp_path / "c.jsonl", [{"text": "six", "n": 3, "extra": [1]}])
    corpus = open_corpus(tmp_path)
    assert {row["text"]: (row["n"], row["extra"], row["tag"]) for row in all_rows(corpus)} == {
        "one": (1.0, '{"a":1}', None),
        "two": (2.5, '{"b":"x"}', "t"),
        "six": (3.0, "[1]", None),
    }
    notes = "\n".join(corpus.notes)
    assert "column tag is missing, read as NULL, in" in notes
    assert "column n has several types (double, int64) and is read as double" in notes
    assert "column extra has several types" in notes


def test_structs_of_different_files_are_joined_by_field(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["one"], "m": [{"a": 1}]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": ["two"], "m": [{"b": [{"c": 1}]}]}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"text": ["six"], "m": [{"b": [{"c": 2, "d": "x"}, None]}]}), tmp_path / "c.parquet")
    found = {row["text"]: row["m"] for row in all_rows(open_corpus(tmp_path))}
    assert found == {
        "one": {"a": 1, "b": None},
        "two": {"a": None, "b": [{"c": 1, "d": None}]},
        "six": {"a": None, "b": [{"c": 2, "d": "x"}, None]},
    }


def test_json_values_of_mixed_types_are_kept_as_json_text(tmp_path: Path) -> None:
    lines = ['{"text": "a", "v": 1}', '{"text": "b", "v": "x"}', '{"text": "c", "v": {"k": [1, 2]}}', '{"text": "d"}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert [row["v"] for row in all_rows(open_corpus(tmp_path / "a.jsonl"))] == ["1", "x", '{"k":[1,2]}', None]


def test_columns_that_appear_late_are_not_lost(tmp_path: Path) -> None:
    rows = [{"text": f"row {n}"} for n in range(9000)] + [{"text": "last", "late": 7}]
    corpus = open_corpus(write_rows(tmp_path / "a.jsonl", rows))
    assert all_rows(corpus)[-1] == {"late": 7, "text": "last"}


def test_objects_with_very_many_keys_stay_json_text(tmp_path: Path) -> None:
    rows = [{"text": f"t{n}", "m": {f"key{n}": n}} for n in range(600)]
    corpus = open_corpus(write_rows(tmp_path / "a.jsonl", rows))
    assert corpus.schema.field("m").type == pa.large_string()
    assert all_rows(corpus)[5]["m"] == '{"key5":5}'


def test_csv_keeps_what_only_looks_like_a_number(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,zip,big,n,empty\n"one",007,12345678901234567890,,\n"two",100,2,4,\n')
    rows = all_rows(open_corpus(tmp_path / "a.csv"))
    assert [(row["zip"], row["big"], row["n"], row["empty"]) for row in rows] == [
        ("007", "12345678901234567890", None, ""),
        ("100", "2", 4, ""),
    ]


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.csv", "a.csv.gz"])
def test_shards_and_batches_cover_all_rows_in_order(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_ROWS", 10_000)
    rows = [{"text": f"text number {n}", "n": n} for n in range(20_500)]
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=4000)
    else:
        write_rows(path, rows)
    corpus = open_corpus(path)
    cut = corpus.shards()
    assert len(cut) > 1
    assert [shard.index for shard in cut] == list(range(len(cut)))
    assert [shard.first for shard in cut] == list(np.cumsum([0, *(shard.rows for shard in cut)])[:-1])
    seen = []
    for shard in cut:
        batches = list(corpus.batches(shard, columns=["n"], max_rows=1000))
        assert sum(batch.num_rows for batch in batches) == shard.rows
        assert max(batch.num_rows for batch in batches) <= 1000
        seen += [value for batch in batches for value in batch.column(0).to_pylist()]
    assert seen == list(range(20_500))
    backwards = [next(corpus.texts(shard))[0].as_py() for shard in reversed(cut)]
    assert backwards == [f"text number {shard.first}" for shard in reversed(cut)]


def test_batches_stay_below_their_byte_limit(tmp_path: Path) -> None:
    rows = [{"text": f"{n:05d}" * 2_000} for n in range(300)]
    for name in ("a.jsonl", "a.parquet", "a.csv"):
        corpus = open_corpus(write_rows(tmp_path / name, rows))
        batches = list(corpus.batches(corpus.shards()[0], max_bytes=100_000))
        assert sum(batch.num_rows for batch in batches) == 300
        assert max(batch.nbytes for batch in batches) <= 110_000


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl.gz", "a.csv"])
def test_rows_are_taken_by_position_in_the_order_asked(tmp_path: Path, name: str) -> None:
    rows = [{"text": f"text number {n}", "n": n} for n in range(10_000)]
    corpus = open_corpus(write_rows(tmp_path / name, rows))
    wanted = [9_999, 0, 5_000, 0, 4_097]
    for _ in range(2):
        assert [row["n"] for row in corpus.take(wanted).to_pylist()] == wanted
    assert corpus.take([]).num_rows == 0
    with pytest.raises(CorpusError, match="out of range"):
        corpus.take([10_000])


def test_columns_without_values_are_read_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a", "none": null, "list": [], "obj": {}}\n')
    (row,) = all_rows(open_corpus(tmp_path / "a.jsonl"))
    assert row == {"text": "a", "none": None, "list": [], "obj": "{}"}


@pytest.mark.parametrize("most", [1, 7, 8192])
def test_batches_of_small_files_are_joined_up_to_the_limits(tmp_path: Path, most: int) -> None:
    for number in range(12):
        write_rows(tmp_path / f"{number}.jsonl", [{"text": f"{number} {row}"} for row in range(3)])
    corpus = open_corpus(tmp_path)
    (shard,) = corpus.shards()
    sizes = [batch.num_rows for batch in corpus.batches(shard, max_rows=most)]
    assert sizes == {1: [1] * 36, 7: [6] * 6, 8192: [36]}[most]
    assert len(list(corpus.batches(shard, max_bytes=1))) == 36
    texts = [text for texts in corpus.texts(shard, max_rows=most) for text in texts.to_pylist()]
    assert texts == [row["text"] for row in all_rows(corpus)]


def test_probes_of_many_small_files_are_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.data.opening.FEW", 2)
    for number in range(3):
        write_rows(tmp_path / "corpus" / f"{number}.jsonl", [{"text": f"{number}"}])
    large = tmp_path / "corpus" / "large.jsonl"
    write_rows(large, [{"text": "x" * 1000}] * 100)
    corpus = open_corpus(tmp_path / "corpus", probes=tmp_path / "probes")
    assert len(list((tmp_path / "probes").iterdir())) == 1
    assert open_corpus(tmp_path / "corpus", probes=tmp_path / "probes").fingerprint == corpus.fingerprint


def test_probes_are_remembered_by_content(tmp_path: Path) -> None:
    path, probes = write_rows(tmp_path / "a.jsonl", ROWS), tmp_path / "probes"
    first = open_corpus(path, probes=probes)
    assert len(list(probes.iterdir())) == 1
    second = open_corpus(path, probes=probes)
    assert (second.fingerprint, second.schema, all_rows(second)) == (first.fingerprint, first.schema, all_rows(first))
    write_rows(path, ROWS[:1])
    assert open_corpus(path, probes=probes).rows == 1
    for probe in probes.iterdir():
        probe.write_text("{broken")
    assert open_corpus(path, probes=probes).rows == 1


def test_dictionary_columns_and_views_are_read_as_their_values(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": pa.array(["a", "b"], pa.string_view()),
            "label": pa.array(["x", "x"]).dictionary_encode(),
            "vector": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    corpus = open_corpus(tmp_path / "a.parquet")
    assert all_rows(corpus)[1] == {"label": "x", "text": "b", "vector": [3.0, 4.0]}
    assert corpus.roles.label == "label"

"""Paths carry columns: partitions as DuckDB reads them, splits as ``datasets`` names them, the file when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis.data.corpus import Corpus
from tamis.data.curated import written_schema
from tamis.data.open_corpus import open_corpus
from tamis.data.path_columns import split_of


def write(root: Path, files: dict[str, dict[str, list[Any]]]) -> Path:
    """Write Parquet files by path below the root."""
    for name, columns in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), root / name)
    return root


def rows(corpus: Corpus) -> list[dict[str, Any]]:
    """Return all rows, sorted."""
    found = [row for shard in corpus.shards() for batch in corpus.batches(shard) for row in batch.to_pylist()]
    return sorted(found, key=repr)


PARTITIONS = [
    ["source=web/lang=en", "source=mail/lang=de"],
    ["y=2001/d=2024-01-01", "y=1999/d=2023-02-03"],
    ["y=007/t=a%20b%2Fc", "y=7/t=__HIVE_DEFAULT_PARTITION__"],
    ["t=2024-01-01 10:00:00/u=1.5/v=99999999999999999999/w=true/x=", "t=2024-01-02 00:00:00/u=2/v=1/w=a/x=b"],
    ["y=__HIVE_DEFAULT_PARTITION__", "y=4"],
    ["y=-3/d=2024-02-30", "y=12/d=2024-02-03"],
    ["kept=in the path"],
]


@pytest.mark.parametrize("folders", PARTITIONS)
def test_partitions_are_read_as_duckdb_reads_them(tmp_path: Path, folders: list[str]) -> None:
    root = write(tmp_path, {f"{folder}/a.parquet": {"text": [folder], "kept": ["in the file"]} for folder in folders})
    corpus = open_corpus(root, roles={"text": "text"})
    expected = duckdb.sql(
        f"SELECT * FROM read_parquet('{root}/**/*.parquet', hive_partitioning = true)"
    ).to_arrow_table()
    assert rows(corpus) == sorted((dict(sorted(row.items())) for row in expected.to_pylist()), key=repr)
    assert set(corpus.schema.names) == set(expected.column_names)


def test_a_folder_inside_a_partition_keeps_the_columns_of_its_path(tmp_path: Path) -> None:
    files = {"source=web/lang=en/a.parquet": {"text": ["a"]}, "source=web/lang=de/b.parquet": {"text": ["b"]}}
    root = write(tmp_path, files)
    expected = [row for row in rows(open_corpus(root)) if row["lang"] == "en"]
    for path in ("source=web/lang=en", "source=web/lang=en/a.parquet", "source=web/lang=en/*.parquet"):
        assert rows(open_corpus(root / path)) == expected


def test_partitions_can_be_roles_and_are_fetched_and_written(tmp_path: Path) -> None:
    root = write(
        tmp_path, {"source=web/lang=en/a.parquet": {"text": ["a", "b"]}, "source=mail/b.parquet": {"text": ["c"]}}
    )
    corpus = open_corpus(root)
    assert (corpus.roles.source, corpus.roles.language) == ("source", "lang")
    assert sorted(corpus.take([0, 1, 2]).column("source").to_pylist()) == ["mail", "web", "web"]
    assert any("column lang is missing, read as NULL, in source=mail/b.parquet" in note for note in corpus.notes)
    (mail,) = (row for row in rows(corpus) if row["source"] == "mail")
    assert mail == {"lang": None, "source": "mail", "text": "c"}
    assert written_schema(corpus).names == ["text", "lang", "source"]
    (shard,) = corpus.shards()
    assert sorted(map(str, next(corpus.batches(shard, columns=["lang"])).column(0).to_pylist())) == ["None", "en", "en"]


def test_equal_files_in_other_partitions_are_another_corpus_but_file_names_are_not(tmp_path: Path) -> None:
    same = {"text": ["a", "b"]}
    one = open_corpus(write(tmp_path / "1", {"lang=en/a.parquet": same, "lang=de/b.parquet": {"text": ["c"]}}))
    two = open_corpus(write(tmp_path / "2", {"lang=en/z.parquet": same, "lang=de/y.parquet": {"text": ["c"]}}))
    other = open_corpus(write(tmp_path / "3", {"lang=de/a.parquet": same, "lang=en/b.parquet": {"text": ["c"]}}))
    assert one.fingerprint == two.fingerprint
    assert one.fingerprint != other.fingerprint
    assert one.text_fingerprint != other.text_fingerprint


def test_a_corpus_whose_paths_say_nothing_keeps_its_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "The first document.", "source": "web"}\n')
    corpus = open_corpus(tmp_path)
    assert corpus.fingerprint == "1d037d8104879115a28dc1deb12feee2109865337ae429db720f118c5ed27702"
    assert corpus.path_columns == ()


@pytest.mark.parametrize(
    ("parts", "split"),
    [
        (["train-00000-of-00002.parquet"], "train"),
        (["data", "test", "0.parquet"], "test"),
        (["my_dev.jsonl"], "validation"),
        (["validation2.csv"], "validation"),
        (["TRAIN.parquet"], "train"),
        (["train", "test-0.parquet"], "test"),
        (["pretraining.parquet"], None),
        (["latest.parquet"], None),
        (["0.parquet"], None),
    ],
)
def test_split_is_named_by_the_file_else_by_its_nearest_folder(parts: list[str], split: str | None) -> None:
    assert split_of(parts) == split


def test_several_splits_become_a_column_that_is_written_only_when_asked(tmp_path: Path) -> None:
    root = write(tmp_path, {"train-0.parquet": {"text": ["a"]}, "test-0.parquet": {"text": ["b"]}})
    corpus = open_corpus(root)
    assert [(row["split"], row["text"]) for row in rows(corpus)] == [("test", "b"), ("train", "a")]
    assert open_corpus(root, roles={"source": "split"}).roles.source == "split"
    assert written_schema(corpus).names == ["text"]
    assert written_schema(corpus, origins=True).names == ["text", "split"]
    whole = open_corpus(root, path_columns="all")
    assert [row["file"] for row in rows(whole)] == ["test-0.parquet", "train-0.parquet"]
    assert open_corpus(root, roles={"label": "file"}).roles.label == "file"
    assert open_corpus(root, path_columns=("text",)).schema.names == ["text"]
    again = open_corpus(whole.path, roles=whole.explicit_roles, **whole.opening)
    assert (again.fingerprint, again.schema) == (whole.fingerprint, whole.schema)


def test_one_split_alone_or_a_column_of_that_name_stays_as_it_is(tmp_path: Path) -> None:
    assert open_corpus(write(tmp_path / "1", {"train-0.parquet": {"text": ["a"]}})).schema.names == ["text"]
    own = {"train.parquet": {"text": ["a"], "split": ["mine"]}, "test.parquet": {"text": ["b"], "split": ["mine"]}}
    assert {row["split"] for row in rows(open_corpus(write(tmp_path / "2", own)))} == {"mine"}

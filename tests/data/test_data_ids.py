"""Document ids: unique, sorted, and the same whatever the order, the shards or the format of the rows."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.data import jsonl_reader, shards
from tamis.data.artifact import Artifact
from tamis.data.corpus import Corpus
from tamis.data.documents import Documents, load_array, load_column, load_table
from tamis.data.errors import StoreError
from tamis.data.hashing import hash128
from tamis.data.identification import identify
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import NullProgress
from tamis.data.store import ArtifactKey, Store

Row = dict[str, Any]


def documents_of(path: Path, *, roles: dict[str, str] | None = None) -> tuple[Corpus, Documents]:
    """Open a corpus and identify its documents in a store beside it."""
    corpus = open_corpus(path, roles=roles)
    store = Store(path.with_name(f"store-{path.name}"))
    key = ArtifactKey("documents", 1, corpus.text_fingerprint)
    with store.writer(key) as out:
        artifact = identify(corpus, out, NullProgress())
    return corpus, Documents.read(artifact)


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as the suffix says; CSV writes NULL as an empty cell."""
    if path.suffix == ".parquet":
        schema = pa.schema([("text", pa.string()), ("n", pa.int32()), ("tag", pa.string()), ("x", pa.float64())])
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, row_group_size=3)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=["text", "n", "tag", "x"])
            writer.writeheader()
            writer.writerows(rows)


def content(corpus: Corpus, documents: Documents) -> dict[str, Row]:
    """Return the row of each id, without the values that formats cannot tell apart."""
    rows = corpus.fetch(documents, np.arange(documents.n)).to_pylist()
    return {
        name: {key: value for key, value in row.items() if value not in (None, "")}
        for name, row in zip(documents.ids.to_pylist(), rows, strict=True)
    }


texts = st.one_of(
    st.sampled_from(["twin", "other twin", "a", "line\nbreak", 'comma, "quote"']),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), min_size=1, max_size=12),
)
rows_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "text": texts,
            "n": st.integers(0, 3),
            "tag": st.sampled_from(["t", "u v", None]),
            "x": st.sampled_from([0.5, 2.0, -1.25]),
        }
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=30, deadline=None)
@given(rows=rows_strategy, data=st.data())
def test_ids_do_not_depend_on_order_shards_or_format(rows: list[Row], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "one").mkdir()
        write(root / "one" / "all.jsonl", rows)
        expected = content(*documents_of(root / "one"))
        assert len(expected) == len(rows)
        shuffled = data.draw(st.permutations(rows))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
        # A file of CSV has no types of its own, so its texts must not all look like numbers.
        suffixes = st.sampled_from([".parquet", ".jsonl"])
        (root / "two").mkdir()
        for number, (start, stop) in enumerate(zip([0, *cuts], [*cuts, len(rows)], strict=True)):
            if stop > start:
                write(root / "two" / f"{number}{data.draw(suffixes)}", shuffled[start:stop])
        assert content(*documents_of(root / "two")) == expected


def test_csv_gives_the_same_ids_as_parquet(tmp_path: Path) -> None:
    rows = [{"text": "twin", "n": n % 3, "tag": "t" if n % 2 else None, "x": n / 4} for n in range(20)] + [
        {"text": "alone\nwith, comma", "n": 7, "tag": "x", "x": 1.0}
    ]
    found = []
    for name in ("a.parquet", "a.jsonl", "a.csv"):
        (tmp_path / name[2:]).mkdir()
        write(tmp_path / name[2:] / name, rows[::-1] if "csv" in name else rows)
        found.append(content(*documents_of(tmp_path / name[2:])))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 21


def test_id_is_the_hash_of_the_text_and_an_ordinal(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"text": t, "n": n, "tag": None, "x": 0.5} for n, t in enumerate(["b", "a", "b"])])
    corpus, documents = documents_of(tmp_path / "a.jsonl")
    assert set(documents.ids.to_pylist()) == {f"{hash128(b'a')}-0", f"{hash128(b'b')}-0", f"{hash128(b'b')}-1"}
    assert documents.id_source == "text"
    assert documents.bytes.tolist() == [1, 1, 1]
    assert corpus.rows == documents.n


def test_ids_are_sorted_as_text_also_with_many_twins(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"text": "same", "n": n, "tag": None, "x": 0.5} for n in range(120)])
    _, documents = documents_of(tmp_path / "a.jsonl")
    ids = documents.ids.to_pylist()
    assert ids == sorted(ids)
    assert ids[2].endswith("-10")
    assert len(set(ids)) == 120


def test_unique_id_column_is_used_as_it_is(tmp_path: Path) -> None:
    rows = [{"id": name, "text": "same"} for name in ("b", "ä", "a", "B")]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus, documents = documents_of(tmp_path / "a.jsonl")
    assert documents.ids.to_pylist() == ["B", "a", "b", "ä"]
    assert documents.id_source == "column"
    assert corpus.fetch(documents, [3, 0])["id"].to_pylist() == ["ä", "B"]
    assert documents.rows_of(["b", "nobody", "B"]).tolist() == [2, -1, 0]


def test_integer_ids_are_used_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 10, "text": "x"}\n{"id": 9, "text": "y"}\n')
    assert documents_of(tmp_path / "a.jsonl")[1].ids.to_pylist() == ["10", "9"]


@pytest.mark.parametrize(
    ("ids", "says"),
    [(["a", "a", "b"], "3 documents share 2 values"), (["a", None, "b"], "1 documents have none")],
)
def test_id_column_that_is_no_id_is_said_and_not_used(tmp_path: Path, ids: list[str | None], says: str) -> None:
    lines = [json.dumps({"id": name, "text": f"text {n}"}) for n, name in enumerate(ids)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    _, documents = documents_of(tmp_path / "a.jsonl")
    assert documents.id_source == "text"
    assert says in documents.notes[0]


def test_rows_without_text_are_errors_and_counted(tmp_path: Path) -> None:
    lines = ['{"text": "a"}', '{"text": null}', '{"other": 1}', '{"text": ""}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    corpus, documents = documents_of(tmp_path / "a.jsonl")
    assert documents.n + documents.errors.num_rows == corpus.rows
    assert documents.errors.select(["position", "reason"]).to_pylist() == [
        {"position": 1, "reason": "the text is NULL"},
        {"position": 2, "reason": "the text is NULL"},
    ]
    assert sorted(corpus.fetch(documents, [0, 1])["text"].to_pylist()) == ["", "a"]


def test_corpus_of_nothing_but_errors_has_no_documents(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([None, None], pa.string())}), tmp_path / "a.parquet")
    _, documents = documents_of(tmp_path / "a.parquet")
    assert (documents.n, documents.errors.num_rows) == (0, 2)


def test_repaired_texts_are_counted_and_noted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "b\xffd"}\n{"text": "good"}\n')
    _, documents = documents_of(tmp_path / "a.jsonl")
    assert "1 texts held bytes or code points that are not Unicode" in documents.notes


def test_places_lead_back_to_the_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_ROWS", 3)
    monkeypatch.setattr(jsonl_reader, "BLOCK_ROWS", 2)
    rows = [{"text": None if n % 5 == 1 else f"t{n % 7}", "n": n} for n in range(23)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus, documents = documents_of(tmp_path / "a.jsonl")
    assert len(corpus.shards()) > 5
    for row in range(documents.n):
        shard = corpus.shards()[documents.shard[row]]
        assert shard.first + documents.row_in_shard[row] == documents.order[row]
        assert rows[documents.order[row]]["n"] == corpus.fetch(documents, [row])["n"][0].as_py()
        assert documents.ids[row].as_py().startswith(hash128(str(rows[documents.order[row]]["text"]).encode()))
    numbered = _per_document(tmp_path, corpus)
    expected = [rows[position]["n"] for position in documents.order]
    assert load_column(numbered, documents, "n").to_pylist() == expected
    assert load_table(numbered, documents).column_names == ["n"]
    assert load_array(numbered, documents, prefix="vectors-")[:, 1].tolist() == expected
    assert documents.facts_rows[documents.part_order].tolist() == list(range(documents.n))


def _per_document(tmp_path: Path, corpus: Corpus) -> Artifact:
    """Write an artifact with the column n of all documents, shard by shard."""
    with Store(tmp_path / "numbers").writer(ArtifactKey("numbers", 1, corpus.fingerprint)) as out:
        rows = 0
        for shard in corpus.shards():
            tables = [pa.table(batch).drop_null() for batch in corpus.batches(shard)]
            table = pa.concat_tables(tables).select(["n"])
            out.write_table(shard.part, table)
            numbers = table["n"].to_numpy()
            out.write_array(f"vectors-{shard.index:05d}", np.stack([numbers, numbers], axis=1))
            rows += table.num_rows
        return out.commit(rows=rows)


def test_columns_of_every_type_are_read_in_facts_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_ROWS", 3)
    monkeypatch.setattr(jsonl_reader, "BLOCK_ROWS", 2)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": f"t{n}"}) + "\n" for n in range(11)))
    corpus, documents = documents_of(tmp_path / "a.jsonl")
    numbers = [None, 1, 2, 3, 4, 5, None, 0, 7, 8, 9]
    kinds = (pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64())
    columns = {f"{kind}": pa.array(range(11), kind) for kind in kinds}
    columns |= {f"{kind} with NULL": pa.array(numbers, kind) for kind in kinds}
    table = pa.table({**columns, "odd": [0.0, -0.0, float("nan"), float("inf")] * 2 + [None] * 3,
                      "is": [True, None, False] * 3 + [True] * 2, "said": [f"é{n}" for n in range(11)],
                      "several": [[n] for n in range(11)], "nothing": pa.nulls(11, pa.float32())})  # fmt: skip
    with Store(tmp_path / "columns").writer(ArtifactKey("columns", 1, corpus.fingerprint)) as out:
        for shard in corpus.shards():
            out.write_table(shard.part, table.slice(shard.first, shard.rows))
        artifact = out.commit(rows=11)
    expected = table.take(pa.array(documents.order))
    found = load_table(artifact, documents)
    assert len(corpus.shards()) > 3
    assert found.schema == expected.schema
    assert str(found.to_pydict()) == str(expected.to_pydict())
    assert load_table(artifact, documents, columns=["said", "is"]).column_names == ["said", "is"]


@pytest.mark.parametrize("copies", [10, 11])
def test_ids_are_the_hash_of_the_text_and_a_number_in_any_number_of_copies(tmp_path: Path, copies: int) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "same"}\n' * copies + '{"text": "other"}\n')
    _, documents = documents_of(tmp_path / "a.jsonl")
    expected = [f"{hash128(b'same')}-{number}" for number in range(copies)]
    assert documents.ids.to_pylist() == sorted([*expected, f"{hash128(b'other')}-0"])
    assert documents.ids.type == pa.string()


def test_artifact_of_other_documents_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a", "n": 1}\n{"text": "b", "n": 2}\n')
    (tmp_path / "b.jsonl").write_text('{"text": "a", "n": 1}\n')
    corpus, _ = documents_of(tmp_path / "a.jsonl")
    _, fewer = documents_of(tmp_path / "b.jsonl")
    with pytest.raises(StoreError, match="has 2 rows for 1 documents"):
        load_column(_per_document(tmp_path, corpus), fewer, "n")

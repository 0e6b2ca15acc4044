"""The folder of a run loads with the ``datasets`` library as it is, and goes together with its source."""

from __future__ import annotations

import datetime as dt
import decimal
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from curating import SmallCorpus, Thinned

from tamis.analytics.export.curated import CuratedOptions, check_format
from tamis.analytics.export.run import run_bundle
from tamis.data.workspace import Workspace

datasets = pytest.importorskip("datasets")

RECIPE = """
schema_version: 1
title: Once
steps:
  - id: once
    operator: exact_dedup
    params: {keep: longest}
"""
ROWS: dict[str, list[Any]] = {
    "text": ["one text of some words", "another text of more words", "one text of some words", None],
    "label": [0, 1, 0, 1],
    "messages": [[{"role": "user", "content": "hello"}], [], [{"role": "user", "content": "hello"}], []],
    "meta": [{"z": 1, "a": "q"}] * 4,
}


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the library's cache in the test's folder, and the library off the network."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def source(kind: str, folder: Path) -> Path:
    """Write the rows as a kind of source."""
    folder.mkdir()
    if kind == "jsonl":
        lines = [json.dumps(dict(zip(ROWS, row, strict=True))) for row in zip(*ROWS.values(), strict=True)]
        (folder / "a.jsonl").write_text("\n".join(lines))
    else:
        features = None
        if kind == "features":
            value = datasets.Value
            features = datasets.Features(
                text=value("string"),
                label=datasets.ClassLabel(names=["neg", "pos"]),
                messages=[{"role": value("string"), "content": value("string")}],
                meta={"z": value("int64"), "a": value("string")},
            )
        datasets.Dataset.from_dict(ROWS, features=features).to_parquet(folder / "a.parquet")
    return folder


def typed() -> Any:
    """Return rows of the types that the library knows, with the features of a source."""
    value = datasets.Value
    columns = {
        "text": ("one text of some words", "another text of more words", "a third one"),
        "label": (1, 0, None),
        "messages": ([{"role": "user", "content": "hi"}, {"role": "assistant", "content": None}], [], None),
        "tags": (["a", "b"], [], None),
        "scores": ([0.5, 1.5], [1.0, 2.0], [0.0, 0.0]),
        "turns": ({"who": ["a"], "n": [1]}, {"who": [], "n": []}, {"who": ["b"], "n": [None]}),
        "meta": ({"z": 1, "a": {"k": "v"}}, {"z": None, "a": {"k": None}}, {"z": 3, "a": {"k": ""}}),
        "long": ("a" * 50, "", None),
        "price": (decimal.Decimal("1.10"), None, decimal.Decimal("-3.00")),
        "at": (dt.datetime(2020, 1, 2, tzinfo=dt.UTC), None, dt.datetime(2021, 1, 1, tzinfo=dt.UTC)),
        "day": (dt.date(2020, 1, 2), None, dt.date(1, 1, 1)),
        "wide": (["x"], None, []),
        "grid": ([[1, 2], [3, 4]], [[5, 6], [7, 8]], [[0, 0], [0, 0]]),
        "raw": (b"\xff\x00", b"\x00\x01", None),
    }
    features = datasets.Features(
        text=value("string"),
        label=datasets.ClassLabel(names=["neg", "pos"]),
        messages=[{"role": value("string"), "content": value("string")}],
        tags=datasets.List(value("string")),
        scores=datasets.List(value("float32"), length=2),
        turns={"who": datasets.List(value("string")), "n": datasets.List(value("int32"))},
        meta={"z": value("int64"), "a": {"k": value("string")}},
        long=value("large_string"),
        price=value("decimal128(9, 2)"),
        at=value("timestamp[ms, tz=UTC]"),
        day=value("date32"),
        wide=datasets.LargeList(value("string")),
        grid=datasets.Array2D(shape=(2, 2), dtype="int32"),
        raw=value("binary"),
    )
    return datasets.Dataset.from_dict({name: list(values) for name, values in columns.items()}, features=features)


EXTRA = {"document_id": "string", "copies": "int32"}


def load_run(out: Path, format: str) -> Any:
    """Load the curated files of a run as people do: Arrow from the saved folder, the others by name."""
    if format == "arrow":
        return datasets.load_from_disk(str(out / "curated"))
    kind = "parquet" if format == "parquet" else "json"
    return datasets.load_dataset(kind, data_files=str(out / "curated" / f"*.{format}"), split="train")


@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize("block", [True, False])
def test_every_type_loads_with_its_features_and_values(tmp_path: Path, format: str, block: bool) -> None:
    given = typed()
    (tmp_path / "corpus").mkdir()
    given.to_parquet(tmp_path / "corpus" / "a.parquet")
    if not block:
        table = pq.read_table(tmp_path / "corpus" / "a.parquet").replace_schema_metadata(None)
        pq.write_table(table.drop_columns(["grid"]), tmp_path / "corpus" / "a.parquet")
        given = datasets.Dataset.from_parquet(str(tmp_path / "corpus" / "a.parquet"))
    SmallCorpus(tmp_path / "home", tmp_path / "corpus").curate(tmp_path / "out", format=format)
    after = load_run(tmp_path / "out", format)
    added = {name: datasets.Value(kind) for name, kind in EXTRA.items()}
    assert dict(after.features) == dict(given.features) | added
    wanted = {row["text"]: row for row in given}
    assert [{name: row[name] for name in given.features} for row in after] == [wanted[row["text"]] for row in after]
    for path in (tmp_path / "out" / "curated").iterdir():
        if path.suffix in (".parquet", ".arrow"):
            schema = pq.read_schema(path) if format == "parquet" else pa.ipc.open_stream(path).schema
            stated = json.loads((schema.metadata or {}).get(b"huggingface", b'{"info": {"features": null}}'))
            whole = block or format == "arrow"
            assert (list(stated["info"]["features"] or ()) == schema.names) == whole


def test_the_features_of_a_source_that_are_not_those_of_its_columns_are_written_anew(tmp_path: Path) -> None:
    block = {"n": {"dtype": "int8", "_type": "Value"}, "l": {"names": ["a", "b"], "_type": "ClassLabel"}}
    table = pa.table({"text": ["a", "b"], "n": pa.array([1, 2], pa.int64()), "l": pa.array([0, 1], pa.int64())})
    (tmp_path / "corpus").mkdir()
    metadata = {"huggingface": json.dumps({"info": {"features": block}})}
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "corpus" / "a.parquet")
    other = table.set_column(1, "n", pa.array([1, 2], pa.int32())).replace_schema_metadata(metadata)
    pq.write_table(other, tmp_path / "corpus" / "b.parquet")
    small = SmallCorpus(tmp_path / "home", tmp_path / "corpus")
    for format in ("parquet", "arrow"):
        small.curate(tmp_path / format, format=format)
        loaded = load_run(tmp_path / format, format)
        assert loaded.features["n"] == datasets.Value("int64")
        assert loaded.features["l"] == datasets.ClassLabel(names=["a", "b"])
        assert loaded.features["copies"] == datasets.Value("int32")
        assert sorted(loaded["n"]) == [1, 1, 2, 2]


def test_a_saved_folder_is_known_by_its_content(tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "m": [{"role": "user", "content": str(n)}]} for n in range(70_000)]
    (tmp_path / "corpus").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "corpus" / "a.parquet")
    small = SmallCorpus(tmp_path / "home", tmp_path / "corpus")
    files = small.curate(tmp_path / "one", format="arrow")
    small.curate(tmp_path / "two", format="arrow")
    assert [file.name for file in files] == ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"]
    for name in ("state.json", "dataset_info.json"):
        one, two = (tmp_path / side / "curated" / name for side in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    small.curate(tmp_path / "three", Thinned(), format="arrow")
    one, two, three = (load_run(tmp_path / side, "arrow") for side in ("one", "two", "three"))
    assert one.num_rows == 70_000
    assert one._fingerprint == two._fingerprint != three._fingerprint


@pytest.mark.parametrize("format", ["parquet", "jsonl", "jsonl.zst", "arrow"])
def test_the_folder_of_a_run_loads_as_it_is_in_every_format(tmp_path: Path, format: str) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    given, out = source("jsonl", tmp_path / "corpus"), tmp_path / "out"
    options = CuratedOptions(format=check_format(format))
    run_bundle(
        tmp_path / "recipe.yaml", given, out,
        workspace=Workspace(tmp_path / "home"), roles={"text": "text"}, options=options,
    )  # fmt: skip
    before = datasets.load_dataset(str(given), split="train")
    for after in (datasets.load_dataset(str(out), split="train"), load_run(out, format)):
        assert {name: after.features[name] for name in before.features} == before.features
        wanted = {row["text"]: row for row in before}
        assert [{name: row[name] for name in before.features} for row in after] == [
            wanted[row["text"]] for row in after
        ]
        assert len(after) == 2


@pytest.mark.parametrize("kind", ["features", "parquet", "jsonl"])
def test_the_folder_of_a_run_loads_and_goes_together_with_its_source(tmp_path: Path, kind: str) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    given = source(kind, tmp_path / "corpus")
    out = tmp_path / "out"
    home = Workspace(tmp_path / "home")
    run = run_bundle(tmp_path / "recipe.yaml", given, out, workspace=home, roles={"text": "text"})
    before = datasets.load_dataset(str(given), split="train")
    after = datasets.load_dataset(str(out), split="train")
    assert len(after) == run.counts[-1].documents == 2
    assert list(after.features)[: len(before.features)] == list(before.features)
    assert {name: after.features[name] for name in before.features} == before.features
    both = datasets.concatenate_datasets([before, after])
    assert len(both) == len(before) + 2
    assert set(both["text"]) == set(before["text"])

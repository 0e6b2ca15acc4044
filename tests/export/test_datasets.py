"""The folder of a run loads with the ``datasets`` library as it is, and goes together with its source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.parametrize("kind", ["features", "parquet", "jsonl"])
def test_the_folder_of_a_run_loads_and_goes_together_with_its_source(tmp_path: Path, kind: str) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    given = source(kind, tmp_path / "corpus")
    out = tmp_path / "out"
    run = run_bundle(tmp_path / "recipe.yaml", given, out, workspace=Workspace(tmp_path / "home"))
    before = datasets.load_dataset(str(given), split="train")
    after = datasets.load_dataset(str(out), split="train")
    assert len(after) == run.counts[-1].documents == 2
    assert list(after.features)[: len(before.features)] == list(before.features)
    assert {name: after.features[name] for name in before.features} == before.features
    both = datasets.concatenate_datasets([before, after])
    assert len(both) == len(before) + 2
    assert set(both["text"]) == set(before["text"])

"""Pictures leave as they came: in every form of source and output the same documents, the same bytes."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from killing import ALL, run_until
from picture_corpora import FORMS, DrawnPicture, draw_pictures
from typer.testing import CliRunner

from tamis.analytics.export.bundle import export_bundle
from tamis.analytics.export.curated import PICTURE_FORMATS, CuratedFormat, CuratedOptions
from tamis.analytics.export.run import Run, run_bundle, verify_bundle
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.ray_engine import connect
from tamis.analytics.study.study import Study
from tamis.app.cli.main import app
from tamis.data.errors import CorpusError, SettingError, StoreError
from tamis.data.hashing import file_sha256
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

RECIPE = """
schema_version: 1
title: Wide pictures
steps:
  - {id: wide, operator: signal_range, params: {signal: width, min: 33}}
"""


@pytest.fixture(scope="module")
def drawn() -> list[DrawnPicture]:
    return draw_pictures()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, drawn: list[DrawnPicture]) -> Path:
    """Return a folder with the pictures in every form, a recipe, and a bundle made on the folder of files."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, write in FORMS.items():
        write(folder / name, drawn)
    (folder / "recipe.yaml").write_text(RECIPE)
    study = Study.open(open_corpus(folder / "folder"), Workspace(folder / "home"))
    export_bundle(folder / "bundle", study=study, recipe=Recipe.from_yaml(RECIPE))
    return folder


@pytest.fixture(scope="module")
def runs(root: Path) -> dict[tuple[str, CuratedFormat], Run]:
    """Run the recipe on every form of source, into every format it has."""
    return {
        (form, format): run(root, form, root / f"{form}-{format}", format)
        for form in FORMS
        for format in PICTURE_FORMATS
        if format != "paths" or form in ("folder", "named")
    }


def run(root: Path, form: str, out: Path, format: CuratedFormat, **options: Any) -> Run:
    chosen = CuratedOptions(format=format, **options)
    return run_bundle(root / "recipe.yaml", root / form, out, workspace=Workspace(root / "home"), options=chosen)


def written(done: Run) -> list[tuple[bytes, str | None, str]]:
    """Return picture, caption and label of every row of a run, in the order of its files, by plain readers."""
    place = done.folder / "curated"
    if done.format == "folder":
        rows = [json.loads(line) for line in (place / "metadata.jsonl").read_bytes().splitlines()]
        return [
            ((place / row["file_name"]).read_bytes(), row.get("caption") or row.get("txt"), _label(row)) for row in rows
        ]
    if done.format == "webdataset":
        return [row for path in sorted(place.glob("*.tar")) for row in _samples(path)]
    if done.format == "arrow":
        # Late: pandas.
        import datasets

        table = datasets.load_from_disk(str(place)).data.table
    else:
        table = pq.read_table(place)
    pictures = [
        each["bytes"] if each["bytes"] is not None else Path(each["path"]).read_bytes()
        for each in table.column("image").to_pylist()
    ]
    captions = table.column("caption" if "caption" in table.column_names else "txt").to_pylist()
    return list(zip(pictures, captions, map(_label, table.to_pylist()), strict=True))


def _samples(path: Path) -> list[tuple[bytes, str | None, str]]:
    # Late: webdataset.
    import webdataset

    rows = []
    for sample in webdataset.WebDataset(str(path), shardshuffle=False):
        (end,) = set(sample) & {"png", "jpg", "webp", "gif", "bmp"}
        caption = sample.get("txt", b"").decode() or None
        rows.append((sample[end], caption, _label(json.loads(sample["json"]))))
    return rows


def _label(row: dict[str, Any]) -> str:
    return str(row["label"] if "label" in row else row["json"]["label"])


def test_every_form_of_source_and_output_has_the_same_pictures_captions_and_labels_in_one_order(
    runs: dict[tuple[str, CuratedFormat], Run], drawn: list[DrawnPicture]
) -> None:
    rows = {key: written(done) for key, done in runs.items()}
    first = rows["folder", "parquet"]
    assert 20 < len(first) < len(drawn)
    assert set(first) <= {(each.raw, each.caption, each.label) for each in drawn}
    assert [key for key, found in rows.items() if found != first] == []
    assert len({done.selection for done in runs.values()}) == 1

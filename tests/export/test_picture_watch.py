"""Growing corpora of pictures, which set had a picture first, and texts of evaluations among captions."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from labelled_pictures import drawn
from typer.testing import CliRunner

from tamis.analytics.export.run import run_bundle
from tamis.analytics.export.watch import SELECTION, watch_once
from tamis.analytics.export.watch_rules import check_watchable
from tamis.analytics.recipe.recipe import Recipe
from tamis.app.cli.main import app
from tamis.data.errors import CorpusError, RecipeError
from tamis.data.workspace import Workspace

RECIPE = """schema_version: 1
title: Growing pictures
steps:
- id: sharp
  operator: signal_range
  params: {signal: sharpness, min: 1}
- id: same
  operator: image_exact_dedup
  params: {keep: oldest, date: meta_day}
- id: alike
  operator: image_near_dedup
  params: {keep: oldest, date: meta_day}
"""


def encoded(seed: int, kind: str = "seas", *, small: bool = False, format: str = "PNG") -> bytes:
    image, out = drawn(seed, kind), io.BytesIO()
    (image.resize((64, 48)) if small else image).save(out, format)
    return out.getvalue()


def write(path: Path, pictures: Sequence[bytes], day: int, **columns: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": raw, "path": None} for raw in pictures]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = {"image": pa.array(images, kind), "day": [f"2030-01-{day:02d}"] * len(pictures), **columns}
    pq.write_table(pa.table(table), path)


def test_batches_of_pictures_together_are_one_run_over_all_files(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    folder, out, home = tmp_path / "pictures", tmp_path / "out", Workspace(tmp_path / "home")
    write(folder / "1.parquet", [encoded(1), encoded(2), encoded(3), b"broken"], 1)
    # Of the second day: the pixels of a picture in another format, a smaller copy, and a new picture.
    write(folder / "2.parquet", [encoded(1, format="BMP"), encoded(2, small=True), encoded(9)], 2)
    first = None
    for name in ("1.parquet", "2.parquet"):
        hidden = folder / "2.parquet"
        if name == "1.parquet":
            hidden.rename(tmp_path / "later")
        else:
            (tmp_path / "later").rename(hidden)
        batch = watch_once(tmp_path / "recipe.yaml", folder, out, workspace=home)
        assert batch is not None
        first = first or batch
    assert (first.documents, first.kept) == (3, 3) and (batch.documents, batch.kept) == (3, 1)
    assert watch_once(tmp_path / "recipe.yaml", folder, out, workspace=home) is None
    run = run_bundle(tmp_path / "recipe.yaml", folder, tmp_path / "run", workspace=Workspace(tmp_path / "fresh"))
    assert (out / SELECTION).read_bytes() == (run.folder / SELECTION).read_bytes()
    held = [
        row["image"]["bytes"]
        for path in sorted(out.glob("part-*/curated/*.parquet")) for row in pq.read_table(path).to_pylist()
    ]  # fmt: skip
    assert sorted(held) == sorted([encoded(1), encoded(2), encoded(3), encoded(9)])


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("operator: image_exact_dedup\n  params: {keep: largest}", "a later document may be preferred"),
        ("operator: image_near_dedup\n  params: {keep: sharpest}", "a later document may be preferred"),
        ("operator: image_near_dedup\n  params: {keep: first id, within: cluster}", "cluster, which depends"),
        ("operator: coverage_sample\n  params: {share: 0.5, by: vectors}", "looks at all documents together"),
    ],
)
def test_rules_of_pictures_that_may_take_back_a_decision_are_refused(step: str, reason: str) -> None:
    recipe = Recipe.from_yaml(f"schema_version: 1\ntitle: x\nsteps:\n- id: wrong\n  {step}\n")
    with pytest.raises(RecipeError, match="wrong: ") as error:
        check_watchable(recipe)
    assert reason in str(error.value)


def test_a_folder_of_picture_files_is_not_watched_and_says_what_is(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("date: meta_day", "date: meta_path"))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(encoded(1))
    with pytest.raises(CorpusError, match=r"Files of one picture each cannot be watched.*Parquet or tar shards"):
        watch_once(
            tmp_path / "recipe.yaml", tmp_path / "pictures", tmp_path / "out", workspace=Workspace(tmp_path / "h")
        )


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus of two sources: the second repeats a picture in another format, and one smaller."""
    root = tmp_path_factory.mktemp("sets")
    pictures = [encoded(1), encoded(2), encoded(3), encoded(1, format="BMP"), encoded(2, small=True), encoded(8)]
    captions = ["the boat and the harbour at night in the light of the moon", "two", "three", "four", "five", "six"]
    write(root / "corpus.parquet", pictures, 1, source=["old"] * 3 + ["new"] * 3, caption=captions)
    write(root / "bare.parquet", pictures, 1)
    return root


@pytest.mark.parametrize(("near", "repeated"), [((), 1), (("--near", "0.8"), 2)])
def test_the_set_that_had_a_picture_first_is_found_by_pixels_and_by_likeness(
    sets: Path, near: tuple[str, ...], repeated: int
) -> None:
    command = ["duplicates", str(sets / "corpus.parquet"), "--order", "old", "--order", "new", "--json", *near]
    result = CliRunner().invoke(app, command, env={"TAMIS_HOME": str(sets / "home")})
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    assert [(row["set"], row["kept"]) for row in rows if "set" in row] == [("old", 3), ("new", 3 - repeated)]
    assert [(row["first"], row["documents"]) for row in rows if "first" in row] == [("old", repeated)]


def test_items_of_evaluations_are_found_in_captions_and_pictures_without_captions_are_refused(
    sets: Path, tmp_path: Path
) -> None:
    (tmp_path / "exam.jsonl").write_text(
        json.dumps({"question": "the boat and the harbour at night in the light of the moon", "answer": "yes"}) + "\n"
    )
    env = {"TAMIS_HOME": str(sets / "home")}
    runner = CliRunner()
    stored = runner.invoke(app, ["evaluation", "store", "exam", str(tmp_path / "exam.jsonl")], env=env)
    assert stored.exit_code == 0, stored.output
    found = runner.invoke(app, ["evaluation", "find", "exam", str(sets / "corpus.parquet")], env=env)
    assert found.exit_code == 0, found.output
    assert "1 of 6 documents hold an item" in found.output
    for command in ("find", "recall"):
        bare = runner.invoke(app, ["evaluation", command, "exam", str(sets / "bare.parquet")], env=env)
        assert bare.exit_code and "no captions" in str(bare.exception)

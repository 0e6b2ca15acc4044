"""A growing folder is curated batch by batch to the selection of one run over all files."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from killing import ALL, run_until

from tamis.analytics.export.run import run_bundle
from tamis.analytics.export.watch import LEDGER, SELECTION, STATE, watch_once
from tamis.analytics.export.watch_rules import check_watchable
from tamis.analytics.recipe.recipe import Recipe
from tamis.data.errors import CorpusError, RecipeError, StoreError
from tamis.data.hashing import file_sha256
from tamis.data.workspace import Workspace

RECIPE = """schema_version: 1
title: Growing
steps:
- id: words
  operator: signal_range
  params: {signal: n_words, min: 4}
- id: copies
  operator: exact_dedup
  params: {keep: oldest, date: meta_day}
- id: near
  operator: near_dedup
  params: {keep: oldest, date: meta_day, threshold: 0.6, n: 2}
"""
WORDS = ["river", "stone", "cloud", "green", "house", "letter", "seven", "window", "table", "mountain", "paper"]


def write(path: Path, seed: int, day: int, count: int = 60) -> None:
    """Write rows of one day; some repeat rows of any earlier seed, or nearly."""
    own, rows = random.Random(seed), []
    for number in range(count):
        source = random.Random(own.randint(0, seed) * 1000 + own.randint(0, 40)) if own.random() < 0.5 else own
        text = " ".join(source.choices(WORDS, k=source.randint(2, 14)))
        text += " again" if own.random() < 0.2 else ""
        rows.append({"text": text, "day": f"2030-01-{day:02d}", "n": number})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def recipe_file(folder: Path, text: str = RECIPE) -> Path:
    """Write a recipe."""
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def test_batches_together_are_one_run_over_all_files(tmp_path: Path) -> None:
    recipe, folder, out = recipe_file(tmp_path), tmp_path / "texts", tmp_path / "out"
    home = Workspace(tmp_path / "home")
    earlier: dict[Path, str] = {}
    for day in range(1, 5):
        write(folder / f"{day}.jsonl", day, day)
        if day == 3:
            write(folder / "3b.jsonl", 33, day)
        batch = watch_once(recipe, folder, out, workspace=home)
        assert batch is not None and batch.part == f"part-{day:05d}"
        assert len(batch.files) == (2 if day == 3 else 1)
        assert watch_once(recipe, folder, out, workspace=home) is None
        assert {path: file_sha256(path) for path in earlier} == earlier
        earlier = {path: file_sha256(path) for path in out.rglob("part-*/**/*") if path.is_file()}
    run = run_bundle(recipe, folder, tmp_path / "run", workspace=Workspace(tmp_path / "fresh"))
    assert (out / SELECTION).read_bytes() == (run.folder / SELECTION).read_bytes()
    whole = pa.concat_tables([pq.read_table(path) for path in sorted((run.folder / "curated").glob("*.parquet"))])
    parts = pa.concat_tables([pq.read_table(path) for path in sorted(out.glob("part-*/curated/*.parquet"))])
    assert parts.num_rows == whole.num_rows < 60 * 5
    order = [("day", "ascending"), ("text", "ascending"), ("n", "ascending")]
    assert parts.select(["text", "day", "n"]).sort_by(order).equals(whole.select(["text", "day", "n"]).sort_by(order))
    dropped = sum(pq.read_table(path).num_rows for path in out.glob(f"part-*/{LEDGER}"))
    assert dropped == pq.read_table(run.folder / LEDGER).num_rows


def test_a_later_file_of_an_earlier_day_stops_before_anything_is_written(tmp_path: Path) -> None:
    recipe, folder, out = recipe_file(tmp_path), tmp_path / "texts", tmp_path / "out"
    home = Workspace(tmp_path / "home")
    write(folder / "b.jsonl", 1, 9)
    watch_once(recipe, folder, out, workspace=home)
    before = {path: file_sha256(path) for path in out.rglob("*") if path.is_file()}
    (folder / "a.jsonl").write_text((folder / "b.jsonl").read_text().replace("2030-01-09", "2030-01-02"))
    with pytest.raises(RecipeError, match="change what was decided of part-00001"):
        watch_once(recipe, folder, out, workspace=home)
    assert {path: file_sha256(path) for path in out.rglob("*") if path.is_file()} == before


def test_changed_and_doubled_files_and_other_recipes_are_refused(tmp_path: Path) -> None:
    recipe, folder, out = recipe_file(tmp_path), tmp_path / "texts", tmp_path / "out"
    home = Workspace(tmp_path / "home")
    write(folder / "a.jsonl", 1, 1)
    watch_once(recipe, folder, out, workspace=home)
    (folder / "b.jsonl").write_bytes((folder / "a.jsonl").read_bytes())
    with pytest.raises(CorpusError, match="same content"):
        watch_once(recipe, folder, out, workspace=home)
    write(folder / "b.jsonl", 2, 2)
    other = recipe_file(tmp_path / "texts", RECIPE.replace("min: 4", "min: 5")).rename(tmp_path / "other.yaml")
    with pytest.raises(StoreError, match="another recipe"):
        watch_once(other, folder, out, workspace=home)
    write(folder / "a.jsonl", 3, 3)
    with pytest.raises(CorpusError, match="gone or was changed"):
        watch_once(recipe, folder, out, workspace=home)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("operator: exact_dedup\n  params: {keep: longest}", "a later document may be preferred"),
        ("operator: near_dedup\n  params: {keep: newest, date: meta_day}", "a later document may be preferred"),
        ("operator: near_dedup\n  params: {keep: first id, similarity: containment}", "rare in the whole corpus"),
        ("operator: random_sample\n  params: {share: 0.5}", "looks at all documents together"),
        (
            "operator: signal_range\n  params: {signal: perplexity, max: 9}",
            "perplexity, which depends",
        ),
        ("operator: sql_predicate\n  params: {predicate: norm_count = 1}", "norm_count, which depends on the other"),
    ],
)
def test_recipes_that_may_take_back_a_decision_are_refused_by_name(step: str, reason: str) -> None:
    recipe = Recipe.from_yaml(f"schema_version: 1\ntitle: x\nsteps:\n- id: wrong\n  {step}\n")
    with pytest.raises(RecipeError, match="wrong: ") as error:
        check_watchable(recipe)
    assert reason in str(error.value)


WATCH = """
import sys
from pathlib import Path
from tamis.analytics.export.watch import watch_once
from tamis.data.workspace import Workspace

home, recipe, folder, out = map(Path, sys.argv[1:])
watch_once(recipe, folder, out, workspace=Workspace(home))
"""


def test_a_killed_batch_is_made_again_to_the_same_bytes(tmp_path: Path) -> None:
    recipe, folder = recipe_file(tmp_path), tmp_path / "texts"
    write(folder / "1.jsonl", 1, 1)
    out, whole = tmp_path / "out", tmp_path / "whole"
    for target in (out, whole):
        run_until(ALL, WATCH, tmp_path / "home", recipe, folder, target)
    write(folder / "2.jsonl", 2, 2)
    run_until(ALL, WATCH, tmp_path / "home", recipe, folder, whole)
    for moment in (
        f"after {out / '.part-00002.partial' / LEDGER}",
        f"before {out / SELECTION}",
        f"before {out / STATE}",
    ):
        run_until(moment, WATCH, tmp_path / "home", recipe, folder, out)
    run_until(ALL, WATCH, tmp_path / "home", recipe, folder, out)
    files = {path.relative_to(whole): file_sha256(path) for path in whole.rglob("*") if path.is_file()}
    assert {path.relative_to(out): file_sha256(path) for path in out.rglob("*") if path.is_file()} == files

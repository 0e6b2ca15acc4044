"""Pictures on a cluster and after a kill: the bytes of one run on this machine, decoded once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from killing import ALL, run_until
from labelled_pictures import write_labelled

from tamis.analytics.export.curated import CuratedOptions
from tamis.analytics.export.run import run_bundle
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.steps.ray_engine import connect
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.data import picture_files, shards
from tamis.data.hashing import file_sha256
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

COUNTS = {"fields": 9, "seas": 8, "tractors": 7}
PICTURES = sum(COUNTS.values()) + 2
"""With a copy and a broken one."""
RECIPE = """schema_version: 1
title: On a cluster
steps:
- {id: sharp, operator: signal_range, params: {signal: sharpness, min: 0.5}}
- {id: same, operator: image_exact_dedup, params: {}}
- {id: alike, operator: image_near_dedup, params: {keep: sharpest}}
- {id: meant, operator: image_semantic_dedup, params: {eps: 0.2}}
- {id: few, operator: coverage_sample, params: {share: 0.6, by: vectors, within: label}}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with pictures of three labels, copies and a broken one, as files and in Parquet, and a recipe."""
    folder = tmp_path_factory.mktemp("engines")
    files = write_labelled(folder / "files", COUNTS)
    shutil.copy(files / "seas" / "seas-000.png", files / "seas" / "again.png")
    (files / "seas" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "rows").mkdir()
    for number, kind in enumerate(COUNTS):
        held = [{"bytes": path.read_bytes(), "path": path.name} for path in sorted((files / kind).iterdir())]
        image = pa.array(held, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
        table = pa.table({"image": image, "label": [kind] * len(held), "caption": [f"of the {kind}"] * len(held)})
        pq.write_table(table, folder / "rows" / f"{number}.parquet", row_group_size=4)
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_files, "MARK_FILES", 4)
    monkeypatch.setattr(shards, "SHARD_ROWS", 8)


def files_of(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in folder.rglob("*") if path.is_file()}


def test_a_cluster_gives_the_bytes_of_the_local_analysis_and_run(root: Path, tmp_path: Path) -> None:
    with connect("local", partitions=2, batch=2) as cluster:
        for form in ("files", "rows"):
            corpus = open_corpus(root / form)
            assert len(corpus.shards()) >= 3
            found, out = [], []
            for name, engine in (("here", None), ("there", cluster)):
                home = Workspace(tmp_path / f"{form}-{name}")
                made = analyze(corpus, home, steps=analysis_steps(corpus, home), engine=engine).artifacts
                found.append(
                    {f"{step} {part.name}": part.sha256 for step in made for part in made[step].manifest.parts}
                )
                run_bundle(
                    root / "recipe.yaml", root / form, tmp_path / f"out-{form}-{name}", workspace=home, engine=engine,
                    options=CuratedOptions(format="webdataset"),
                )  # fmt: skip
                out.append(files_of(tmp_path / f"out-{form}-{name}"))
            assert found[0] == found[1] and {"pictures small-00000", "map x"} <= set(found[0])
            assert out[0] == out[1]


WORK = """
import sys
from pathlib import Path
from tamis.data import picture_files, shards
picture_files.MARK_FILES, shards.SHARD_ROWS = 4, 8
from tamis.analytics.signals import pictures_step
home, corpus, count = map(Path, sys.argv[1:])
read, seen = pictures_step.read_picture, count.open("ab", buffering=0)
pictures_step.read_picture = lambda raw: (seen.write(b"."), read(raw))[1]
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.id_steps import id_steps
from tamis.analytics.duplicates.image_exact import picture_exact_step
from tamis.analytics.embedding.step import picture_embeddings_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.study.study import Study
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace
corpus = open_corpus(corpus)
steps = (*id_steps(corpus), columns_step(corpus), picture_exact_step())
facts = facts_step(steps)
study = Study.open(corpus, Workspace(home), steps=(*steps, facts), known=(*steps, picture_embeddings_step(), facts))
study.measure(Recipe().with_operator("image_near_dedup").with_operator("image_semantic_dedup", eps=0.2))
"""


KILLS, SHARD = 4, 8


def test_a_killed_analysis_goes_on_at_its_last_shard_to_the_same_bytes(root: Path, tmp_path: Path) -> None:
    whole, home = Workspace(tmp_path / "whole"), Workspace(tmp_path / "home")
    moments = run_until(ALL, WORK, whole.root, root / "files", tmp_path / "count-whole")
    assert (tmp_path / "count-whole").stat().st_size == PICTURES
    for kill in range(KILLS):
        run_until(moments // (KILLS + 1) + kill % 2, WORK, home.root, root / "files", tmp_path / "count")
    run_until(ALL, WORK, home.root, root / "files", tmp_path / "count")
    # A kill loses no more than the shards on their way, one for each processor.
    assert PICTURES <= (tmp_path / "count").stat().st_size <= PICTURES + KILLS * 2 * SHARD
    assert files_of(home.store.root / "artifacts") == files_of(whole.store.root / "artifacts")

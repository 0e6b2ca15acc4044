"""New pictures on an old map: placed by a command, kept in place where a corpus grew, or drawn again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from labelled_pictures import write_labelled
from typer.testing import CliRunner

from tamis.analytics.map.options import MapOptions, change_options, read_options, write_options
from tamis.analytics.steps.pipeline import Analysis, analyze, size_of
from tamis.analytics.study.design_sample import draw, roles_of_sample
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.app.cli.main import app
from tamis.data.corpus import Corpus
from tamis.data.hashing import file_sha256
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

COUNTS = {"fields": 12, "seas": 12}
MAPPED = ("embeddings", "knn", "map", "clusters", "concepts")


def analysed(corpus: Corpus, home: Workspace) -> Analysis:
    return analyze(corpus, home, steps=analysis_steps(corpus, home))


def by_path(analysis: Analysis) -> dict[str, tuple[float, float, int, int]]:
    """Return position, cluster and concept of each picture."""
    made = analysis.artifacts
    columns = [made["map"].array(axis).tolist() for axis in "xy"]
    columns += [made[name].array("labels").tolist() for name in ("clusters", "concepts")]
    rows = analysis.corpus.fetch(analysis.documents, range(analysis.documents.n))["path"].to_pylist()
    return dict(zip(rows, zip(*columns, strict=True), strict=True))


@pytest.fixture
def old(tmp_path: Path) -> Analysis:
    corpus, home = open_corpus(write_labelled(tmp_path / "corpus", COUNTS)), Workspace(tmp_path / "home")
    write_options(home, corpus, MapOptions(min_cluster_size=4, concepts=2))
    return analysed(corpus, home)


def test_pictures_are_placed_by_a_command_where_growth_places_them_and_old_ones_stay(
    old: Analysis, tmp_path: Path
) -> None:
    folder, home = tmp_path / "corpus", Workspace(tmp_path / "home")
    new = write_labelled(tmp_path / "new", {"seas": 3, "fields": 2}, first=12)
    shutil.copy(folder / "seas" / "seas-001.png", new / "known.png")
    (new / "broken.png").write_bytes(b"not a picture")
    command = ["place", str(folder), str(new), "--out", str(tmp_path / "placed.parquet")]
    result = CliRunner().invoke(app, command, env={"TAMIS_HOME": str(home.root)})
    assert result.exit_code == 0, result.output
    assert "placed 6 documents" in result.output and "1 are on the map already" in result.output
    rows = {row["id"]: row for row in pq.read_table(tmp_path / "placed.parquet").to_pylist()}
    shutil.copytree(new, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("known.png"))
    corpus = open_corpus(folder)
    change_options(home, corpus, size_of(corpus), {"new_documents": "placed"})
    grown = analysed(corpus, home)
    before, after = by_path(old), by_path(grown)
    assert {path: after[path] for path in before} == before
    assert after.keys() - before.keys() == {f"seas/seas-{k:03d}.png" for k in (12, 13, 14)} | {
        f"fields/fields-{k:03d}.png" for k in (12, 13)
    }
    ids = grown.documents.ids.to_pylist()
    places = dict(
        zip(ids, zip(*(grown.artifacts["map"].array(axis).tolist() for axis in "xy"), strict=True), strict=True)
    )
    assert rows.keys() <= set(ids)
    assert {name: (row["x"], row["y"]) for name, row in rows.items()} == {name: places[name] for name in rows}


def test_a_map_that_is_drawn_again_is_that_of_a_fresh_workspace(old: Analysis, tmp_path: Path) -> None:
    folder, home = write_labelled(tmp_path / "corpus", {"tractors": 6}), Workspace(tmp_path / "home")
    corpus = open_corpus(folder)
    change_options(home, corpus, size_of(corpus), {"new_documents": "placed"})
    placed = analysed(corpus, home)
    assert placed.artifacts["map"].facts["new_documents"] == 6
    change_options(home, corpus, size_of(corpus), {"new_documents": "rebuilt"})
    fresh = Workspace(tmp_path / "fresh")
    write_options(fresh, corpus, read_options(home, corpus))
    found = [
        {
            f"{name} {path.name}": file_sha256(path)
            for name in (*MAPPED, "facts") for path in done.artifacts[name].path.iterdir()
        }
        for done in (analysed(corpus, home), analysed(corpus, fresh))
    ]  # fmt: skip
    assert found[0] == found[1] and len(found[0]) > 10


def test_a_sample_of_pictures_holds_their_bytes_under_the_ids_of_the_whole(tmp_path: Path) -> None:
    folder = write_labelled(tmp_path / "corpus", COUNTS)
    (folder / "seas" / "broken.png").write_bytes(b"not a picture")
    corpus, home = open_corpus(folder), Workspace(tmp_path / "home")
    drawn = draw(corpus, home, "10")
    assert (drawn.documents, drawn.drawn) == (24, 10)
    sample = open_corpus(drawn.path, roles=roles_of_sample(corpus))
    whole, part = analysed(corpus, home), analysed(sample, home)
    assert set(part.documents.ids.to_pylist()) <= set(whole.documents.ids.to_pylist())
    assert part.documents.n == 10 and not part.documents.errors.num_rows
    wanted = dict(zip(whole.documents.ids.to_pylist(), whole.facts().array("sharpness").to_pylist(), strict=True))
    found = dict(zip(part.documents.ids.to_pylist(), part.facts().array("sharpness").to_pylist(), strict=True))
    assert found == {name: wanted[name] for name in found}
    assert set(part.facts().array("label").to_pylist()) == {"fields", "seas"}

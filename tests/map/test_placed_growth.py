"""A corpus that grew keeps its map and clusters where new documents are placed on them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from killing import ALL, run_until
from topics import topic_texts

from tamis.analytics.export.bundle import export_bundle
from tamis.analytics.export.run import run_bundle
from tamis.analytics.map.cluster_edits import ClusterEdit
from tamis.analytics.map.new_documents import FrozenMap, place_corpus
from tamis.analytics.map.options import MapOptions, change_options, read_options, write_options
from tamis.analytics.map.placed_steps import placed_words
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.pipeline import Analysis, analyze, size_of
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.analytics.study.study import Study
from tamis.data.cluster_names import name_cluster, read_people_names
from tamis.data.corpus import Corpus
from tamis.data.corpus_states import CorpusStates
from tamis.data.documents import Documents
from tamis.data.errors import SettingError, StoreError
from tamis.data.hashing import file_sha256
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

OPTIONS = MapOptions(tier="fast", min_cluster_size=10, concepts=4)
MAPPED = ("embeddings", "knn", "map", "clusters", "concepts")
GONE, CHANGED, COPY = "old-004", "old-008", "copy-of-old-012"


def write(path: Path, texts: list[str], ids: list[str] | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": texts} | ({"id": ids} if ids else {})), path)


def analysed(corpus: Corpus, home: Workspace) -> Analysis:
    return analyze(corpus, home, steps=analysis_steps(corpus, home))


def place_new(corpus: Corpus, home: Workspace) -> Analysis:
    change_options(home, corpus, size_of(corpus), {"new_documents": "placed"})
    return analysed(corpus, home)


def by_id(analysis: Analysis) -> dict[str, tuple[float, float, int, int]]:
    """Return position, cluster and concept of each document."""
    made = analysis.artifacts
    columns = [made["map"].array(axis).tolist() for axis in "xy"]
    columns += [made[name].array("labels").tolist() for name in ("clusters", "concepts")]
    return dict(zip(analysis.documents.ids.to_pylist(), zip(*columns, strict=True), strict=True))


def sums(analysis: Analysis) -> dict[str, str]:
    """Return the checksum of every file of the artifacts of the map."""
    made = [analysis.artifacts[name] for name in (*MAPPED, "facts")]
    return {f"{each.manifest.step} {path.name}": file_sha256(path) for each in made for path in each.path.iterdir()}


@dataclass(frozen=True)
class Grown:
    """A corpus before and after a document went, one changed, and a file with new ones and a copy came."""

    folder: Path
    home: Workspace
    before: Analysis
    after: Analysis


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    root = tmp_path_factory.mktemp("placed")
    texts, folder, home = topic_texts(60)[0], root / "texts", Workspace(root / "home")
    old = dict(zip([f"old-{row:03d}" for row in range(0, 240, 2)], texts[::2], strict=True))
    write(folder / "a.parquet", list(old.values())[:60], list(old)[:60])
    write(folder / "b.parquet", list(old.values())[60:], list(old)[60:])
    corpus = open_corpus(folder)
    write_options(home, corpus, OPTIONS)
    before = analysed(corpus, home)
    name_cluster(home.root, before.artifacts["clusters"].digest, 0, "the first")
    shutil.copytree(home.root, root / "copy")
    now = {name: text for name, text in old.items() if name != GONE} | {CHANGED: texts[1]}
    write(folder / "a.parquet", list(now.values())[:59], list(now)[:59])
    new = {f"new-{row:03d}": texts[row] for row in range(3, 240, 2)}
    write(folder / "c.parquet", list(new.values()), list(new))
    write(folder / "d.parquet", [old["old-012"], "😀"], [COPY, "strange"])
    return Grown(folder, home, before, place_new(open_corpus(folder), home))


def test_old_documents_keep_place_cluster_and_concept(grown: Grown) -> None:
    before, after = by_id(grown.before), by_id(grown.after)
    kept = before.keys() - {GONE, CHANGED}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert GONE not in after
    assert after[CHANGED] != before[CHANGED]
    assert after[COPY] == before["old-012"]
    assert np.isnan(after["strange"][0]) and after["strange"][2:] == (-1, -1)


def test_new_documents_lie_where_the_command_place_puts_them(grown: Grown, tmp_path: Path) -> None:
    place_corpus(
        FrozenMap.of(grown.before, grown.home), open_corpus(grown.folder / "c.parquet"), grown.home,
        tmp_path / "placed.parquet",
    )  # fmt: skip
    rows = pq.read_table(tmp_path / "placed.parquet").select(["id", "x", "y", "cluster", "concept"]).to_pylist()
    after = by_id(grown.after)
    assert len(rows) == 119
    assert {row["id"]: after[row["id"]] for row in rows} == {row["id"]: tuple(row.values())[1:] for row in rows}


def test_neighbours_are_documents_that_are_there_and_a_copy_has_its_original_first(grown: Grown) -> None:
    ids, knn = grown.after.documents.ids.to_pylist(), grown.after.artifacts["knn"]
    indices, distances = knn.array("indices"), knn.array("distances")
    assert indices.max() < len(ids) and (np.isfinite(distances) == (indices >= 0)).all()
    assert not (indices == np.arange(len(ids))[:, None]).any()
    gaps = indices < 0
    assert (gaps[:, 1:] >= gaps[:, :-1]).all()
    assert ids[indices[ids.index(COPY), 0]] == "old-012" and distances[ids.index(COPY), 0] == 0
    known = Documents.read(grown.before.artifacts["documents"]).ids.to_pylist()
    old, there = grown.before.artifacts["knn"].array("indices"), known.index("old-100")
    still = [known[row] for row in old[there] if known[row] not in (GONE, CHANGED)]
    assert [ids[row] for row in indices[ids.index("old-100")] if row >= 0] == still


def test_counts_are_those_of_the_documents_now_and_names_stay(grown: Grown) -> None:
    made, before = grown.after.artifacts, grown.before.artifacts
    # 119 new ones and the changed one; the copy has the place of its original.
    assert {made[name].facts["new_documents"] for name in ("knn", "map", "clusters", "concepts")} == {120}
    labels, table = made["clusters"].array("labels"), made["clusters"].table("clusters")
    assert table["size"].to_pylist() == [int((labels == number).sum()) for number in table["cluster"].to_pylist()]
    assert table.drop_columns("size").equals(before["clusters"].table("clusters").drop_columns("size"))
    assert read_people_names(grown.home.root, made["clusters"].digest) == {0: "the first"}
    day = CorpusStates.of(grown.home.root, grown.after.corpus).maps()[0].date
    said = placed_words(read_options(grown.home, grown.after.corpus).placed_on, made)
    assert said == f"Map and clusters of {day}; 120 new documents placed"
    assert placed_words(read_options(grown.home, grown.before.corpus).placed_on, before) == ""


def test_a_kill_in_between_changes_no_byte(grown: Grown, tmp_path: Path) -> None:
    program = """
import sys
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

corpus, home = open_corpus(sys.argv[1]), Workspace(sys.argv[2])
analyze(corpus, home, steps=analysis_steps(corpus, home))
"""
    home = Workspace(tmp_path / "home")
    shutil.copytree(grown.home.root.parent / "copy", home.root)
    corpus = open_corpus(grown.folder)
    change_options(home, corpus, size_of(corpus), {"new_documents": "placed"})
    final = home.store.root / "artifacts" / grown.after.artifacts["clusters"].digest
    run_until(f"before {final}", program, grown.folder, home.root)
    assert not final.exists()
    run_until(ALL, program, grown.folder, home.root)
    assert sums(analysed(corpus, home)) == sums(grown.after)


def test_a_second_growth_is_placed_on_the_same_map_and_rebuilding_forgets_it(grown: Grown, tmp_path: Path) -> None:
    home, folder = Workspace(tmp_path / "home"), grown.folder
    shutil.copytree(grown.home.root, home.root)
    write(folder / "e.parquet", ["one more text about nothing known"], ["later"])
    try:
        corpus = open_corpus(folder)
        more = place_new(corpus, home)
        assert read_options(home, corpus).placed_on == read_options(home, grown.after.corpus).placed_on
        found = by_id(more)
        assert [found.pop("later")[0]] != [None]
        assert str(found) == str(by_id(grown.after))
        change_options(home, corpus, size_of(corpus), {"new_documents": "rebuilt"})
        fresh = Workspace(tmp_path / "fresh")
        write_options(fresh, corpus, OPTIONS)
        assert read_options(home, corpus) == OPTIONS
        assert sums(analysed(corpus, home)) == sums(analysed(corpus, fresh))
    finally:
        (folder / "e.parquet").unlink()


def test_a_rule_on_earlier_clusters_gives_new_documents_the_cluster_they_were_placed_in(
    grown: Grown, tmp_path: Path
) -> None:
    study = Study.open(grown.after.corpus, grown.home)
    kept = []
    for analysis in (grown.before, grown.after):
        rule = OPERATORS.build("cluster", {"clusters": [0, 1], "clustering": analysis.artifacts["clusters"].digest})
        recipe = Recipe(title="two").with_operator(rule)
        bundle = export_bundle(tmp_path / analysis.documents.digest, study=study, recipe=recipe)
        done = run_bundle(bundle.folder, grown.folder, tmp_path / f"out-{len(kept)}", workspace=grown.home)
        kept.append(done.counts[-1].documents)
    labels = grown.after.artifacts["clusters"].array("labels")
    assert kept[1] == int(np.isin(labels, [0, 1]).sum())
    # The changed document has its id, so the earlier clustering keeps its cluster; all others agree.
    assert abs(kept[0] - kept[1]) <= 1


def test_edits_go_on_from_the_placed_clusters(grown: Grown) -> None:
    corpus = grown.after.corpus
    options = read_options(grown.home, corpus)
    merged = MapOptions.of(options.plain | {"edits": [ClusterEdit("merge", (0, 1)).plain]})
    found = analyze(corpus, grown.home, steps=analysis_steps(corpus, grown.home, options=merged))
    before, after = (found.artifacts[name].array("labels") for name in ("clusters", "edited_clusters"))
    assert len(np.unique(after[np.isin(before, [0, 1])])) == 1
    assert (after[~np.isin(before, [0, 1])] == before[~np.isin(before, [0, 1])]).all()


def test_options_of_a_map_that_stays_cannot_be_changed(grown: Grown) -> None:
    corpus = grown.after.corpus
    with pytest.raises(SettingError, match="keeps its options"):
        change_options(grown.home, corpus, size_of(corpus), {"concepts": 9})
    with pytest.raises(SettingError, match="What becomes of new documents"):
        change_options(grown.home, corpus, size_of(corpus), {"new_documents": "moved"})


def test_without_an_earlier_map_placing_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "texts" / "a.parquet", topic_texts(10)[0], None)
    corpus, home = open_corpus(tmp_path / "texts"), Workspace(tmp_path / "home")
    with pytest.raises(SettingError, match="no earlier map"):
        change_options(home, corpus, size_of(corpus), {"new_documents": "placed"})
    assert not (home.root / "options").exists()


def test_an_earlier_map_that_was_deleted_is_named(grown: Grown, tmp_path: Path) -> None:
    home = Workspace(tmp_path / "home")
    shutil.copytree(grown.home.root.parent / "copy", home.root)
    corpus = open_corpus(grown.folder)
    change_options(home, corpus, size_of(corpus), {"new_documents": "placed"})
    shutil.rmtree(home.store.root / "artifacts" / grown.before.artifacts["knn"].digest)
    with pytest.raises(StoreError, match="its knn are missing"):
        analysed(corpus, home)


def test_the_last_maps_of_other_texts_are_remembered_once(grown: Grown) -> None:
    states = CorpusStates.of(grown.home.root, grown.before.corpus)
    assert [each.corpus for each in states.maps()] == [grown.before.corpus.text_fingerprint]
    assert states.map_before(grown.before.corpus) is None
    assert states.map_before(grown.after.corpus) == states.maps()[0]
    states.file.with_suffix(".maps.json").write_text("[{}]")
    assert states.maps() == []


@pytest.mark.parametrize("tier", ["tuned", "precise"])
def test_known_texts_keep_the_vectors_of_the_earlier_map(tmp_path: Path, tier: str) -> None:
    texts, folder, home = topic_texts(20)[0], tmp_path / "texts", Workspace(tmp_path / "home")
    write(folder / "a.parquet", texts[::2], None)
    corpus = open_corpus(folder)
    write_options(home, corpus, MapOptions(tier=tier, min_cluster_size=5))
    before = analysed(corpus, home)
    write(folder / "b.parquet", texts[1::2], None)
    after = place_new(open_corpus(folder), home)
    old, new = by_id(before), by_id(after)
    assert {name: new[name] for name in old} == old
    assert after.artifacts["map"].facts["new_documents"] == len(new) - len(old) > 0
    place_corpus(FrozenMap.of(before, home), open_corpus(folder / "b.parquet"), home, tmp_path / "placed.parquet")
    rows = pq.read_table(tmp_path / "placed.parquet").select(["id", "x", "y", "cluster", "concept"]).to_pylist()
    apart = [np.subtract(new[row["id"]][:2], (row["x"], row["y"])) for row in rows]
    assert np.abs(apart).max() < (1e-6 if tier == "tuned" else 0.5)

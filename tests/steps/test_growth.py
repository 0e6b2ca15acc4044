"""A corpus that grew is analysed to the bytes of a fresh workspace, and only its new rows are made."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from killing import ALL, run_until

from tamis.analytics.duplicates import near
from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.duplicates.near import near_step
from tamis.analytics.duplicates.near_passes import NearParams
from tamis.analytics.embedding.step import embeddings_step
from tamis.analytics.signals.language import language_step
from tamis.analytics.signals.step import signals_step
from tamis.analytics.signals.tokens import tokens_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.engine import K, LocalEngine, Part, Work
from tamis.analytics.steps.measures import Measure, steps_of
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.steps.step import StepSpec
from tamis.data import jsonl_reader, shards
from tamis.data.corpus import Corpus
from tamis.data.hashing import file_sha256
from tamis.data.health import repair
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

WORDS = [
    "river",
    "stone",
    "cloud",
    "green",
    "house",
    "letter",
    "seven",
    "window",
    "table",
    "mountain",
    "paper",
    "silent",
]
SHARD_ROWS, BLOCK_ROWS = 40, 7


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_ROWS", SHARD_ROWS)
    monkeypatch.setattr(jsonl_reader, "BLOCK_ROWS", BLOCK_ROWS)


class Counting(LocalEngine):
    """Counts the rows of the shards it makes, by the name of their parts without the number."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}

    def made(
        self, work: Work[K], pieces: Sequence[K], corpus: Corpus, progress: Progress
    ) -> Iterator[tuple[K, Mapping[str, Part]]]:
        for piece, parts in super().made(work, pieces, corpus, progress):
            if work.rows_of is not None:
                name = work.rows_of.name
                self.rows[name] = self.rows.get(name, 0) + work.rows(piece)
            yield piece, parts


def rows(seed: int, count: int) -> list[dict[str, object]]:
    """Return rows with twins, near twins, rows without a text, and a column with a few long values."""
    chance = random.Random(seed)
    found: list[dict[str, object]] = []
    for number in range(count):
        text = " ".join(chance.choices(WORDS, k=chance.randint(3, 14)))
        if found and chance.random() < 0.2:
            text = f"{chance.choice(found)['text']}" + ("" if chance.random() < 0.5 else " more")
        title = "long " * 40 if chance.random() < 0.01 else f"title {number % 3}"
        absent = chance.random() < 0.05
        found.append({"text": None if absent else text, "title": title, "n": number, "body": text * 20})
    return found


def write(path: Path, seed: int, count: int) -> None:
    """Write a file of JSON Lines or Parquet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows(seed, count)), path, row_group_size=9)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows(seed, count)))


def all_steps(corpus: Corpus) -> tuple[StepSpec, ...]:
    """Return every step whose parts are taken over."""
    near_pairs = near_step(NearParams(n=2).measure)
    sampled = near_step(NearParams(n=2, metric="containment").measure)
    regex = steps_of([Measure("regex", (("ignore_case", True), ("pattern", "river")), column="x")])
    measured = (signals_step(), language_step(), tokens_step(), exact_step(), embeddings_step())
    return (documents_step(), columns_step(corpus), *measured, near_pairs, sampled, *regex)


def few_steps(corpus: Corpus) -> tuple[StepSpec, ...]:
    """Return steps of each kind of part: tables, tables and kept tables, dropped tables, arrays of several a row."""
    banded, sampled = (near_step(NearParams(n=2, metric=metric).measure) for metric in ("jaccard", "containment"))
    return (documents_step(), columns_step(corpus), exact_step(), banded, sampled)


def artifacts(workspace: Workspace, corpus: Corpus, steps: Sequence[StepSpec], **more: object) -> dict[str, str]:
    """Analyse a corpus and return the checksum of every file of its artifacts."""
    analysis = analyze(corpus, workspace, steps=steps, **more)  # type: ignore[arg-type]
    found = {}
    for name, artifact in analysis.artifacts.items():
        artifact.verify()
        for path in artifact.path.iterdir():
            found[f"{name} {artifact.digest[:8]} {path.name}"] = file_sha256(path)
    return found


def test_all_steps_take_over_known_rows_to_the_same_bytes(tmp_path: Path) -> None:
    folder, home = tmp_path / "texts", Workspace(tmp_path / "home")
    for seed in range(6):
        write(folder / f"{seed}.{'parquet' if seed % 2 else 'jsonl'}", seed, 30 + seed)
    corpus = open_corpus(folder)
    artifacts(home, corpus, all_steps(corpus))
    write(folder / "new.jsonl", 77, 21)
    grown, counting = open_corpus(folder), Counting()
    found = artifacts(home, grown, all_steps(grown), engine=counting)
    assert found == artifacts(Workspace(tmp_path / "fresh"), grown, all_steps(grown))
    assert counting.rows.pop("columns") <= 21 + 2 * SHARD_ROWS
    assert set(counting.rows) == {"hash", "part", "sign"}
    assert counting.rows["sign"] == 2 * 21
    # The hashes of the documents and of the texts; signals, languages, tokens, vectors and matches.
    assert counting.rows["hash"] == 2 * 21
    assert counting.rows["part"] == 5 * 21


EDITS = st.lists(
    st.tuples(st.sampled_from(["add", "change", "remove", "rename"]), st.integers(0, 5), st.integers(0, 10**6)),
    min_size=1,
    max_size=3,
)


@settings(max_examples=6, deadline=None)
@given(edits=EDITS, sizes=st.lists(st.integers(1, 60), min_size=2, max_size=6))
def test_any_edits_give_the_bytes_of_a_fresh_workspace(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, int, int]], sizes: list[int]
) -> None:
    root = tmp_path_factory.mktemp("growth")
    folder, home = root / "texts", Workspace(root / "home")
    write(folder / "first.jsonl", 5, 50)
    for number, size in enumerate(sizes):
        write(folder / f"{number}.jsonl", number, size)
    corpus = open_corpus(folder)
    artifacts(home, corpus, few_steps(corpus))
    for step, (edit, which, seed) in enumerate(edits):
        files = sorted(folder.iterdir())
        chosen = files[which % len(files)]
        if edit == "remove" and len(files) > 1:
            chosen.unlink()
        elif edit == "rename":
            chosen.rename(folder / f"renamed-{step}.jsonl")
        else:
            write(folder / f"new-{step}.jsonl" if edit == "add" else chosen, seed, 1 + seed % 50)
        corpus = open_corpus(folder)
        found = artifacts(home, corpus, few_steps(corpus))
        assert found == artifacts(Workspace(root / f"fresh-{step}"), corpus, few_steps(corpus))
        assert home.store.verify() == []


GROWN = """
import sys
from pathlib import Path
from tamis.data import jsonl_reader, shards
shards.SHARD_ROWS, jsonl_reader.BLOCK_ROWS = 40, 7
from tamis.analytics.duplicates import near
from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.pipeline import analyze
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

home, folder = map(Path, sys.argv[1:])
corpus = open_corpus(folder)
analyze(corpus, Workspace(home), steps=(documents_step(), columns_step(corpus), exact_step()))
"""


def stored(home: Path) -> dict[str, str]:
    """Return the checksum of every file of every complete artifact."""
    root = home / "store" / "artifacts"
    return {str(path.relative_to(root)): file_sha256(path) for path in root.rglob("*") if path.is_file()}


def test_growth_killed_at_any_moment_resumes_to_the_bytes_of_a_fresh_workspace(tmp_path: Path) -> None:
    folder, home = tmp_path / "texts", tmp_path / "home"
    for seed in range(4):
        write(folder / f"{seed}.jsonl", seed, 33)
    run_until(ALL, GROWN, home, folder)
    before = stored(home)
    write(folder / "new.jsonl", 9, 25)
    shutil.copytree(home, tmp_path / "uncut")
    moments = run_until(ALL, GROWN, tmp_path / "uncut", folder)
    run_until(ALL, GROWN, tmp_path / "fresh", folder)
    expected = stored(tmp_path / "fresh") | before
    assert stored(tmp_path / "uncut") == expected
    kills = 5
    assert moments > 10 * kills
    for kill in range(kills):
        run_until(moments // (kills + 1) + kill % 2, GROWN, home, folder)
        assert Workspace(home).store.verify() == []
        assert stored(home).items() <= expected.items()
    run_until(ALL, GROWN, home, folder)
    assert stored(home) == expected


def test_damaged_records_and_parts_are_made_again(tmp_path: Path) -> None:
    folder, home = tmp_path / "texts", Workspace(tmp_path / "home")
    for seed in range(5):
        write(folder / f"{seed}.jsonl", seed, 30)
    corpus = open_corpus(folder)
    artifacts(home, corpus, few_steps(corpus))
    write(folder / "new.jsonl", 9, 25)
    grown, root = open_corpus(folder), home.store.root
    for number, path in enumerate(sorted(path for path in root.glob("kept/*/*") if path.is_file())):
        if number % 2:
            path.write_bytes(bytes(len(path.read_bytes())))
    for number, path in enumerate(sorted(root.glob("known/*/*.json"))):
        if number % 2:
            path.write_bytes(path.read_bytes()[:-5])
    found = artifacts(home, grown, few_steps(grown))
    assert found == artifacts(Workspace(tmp_path / "fresh"), grown, few_steps(grown))


def test_a_set_that_a_newer_one_holds_whole_is_forgotten(tmp_path: Path) -> None:
    folder, home = tmp_path / "texts", Workspace(tmp_path / "home")
    for seed in range(6):
        write(folder / f"{seed}.jsonl", seed, 30)
        corpus = open_corpus(folder)
        last = analyze(corpus, home, steps=(exact_step(),)).artifacts["exact"].digest
    root = home.store.root
    assert [path.stem for path in root.glob("known/*/*.json") if path.stem == last] == [last]
    works = [path for path in (root / "known").iterdir() if path.is_dir()]
    assert all(len(list(work.iterdir())) == 1 for work in works)
    assert {path.name for path in (root / "kept").iterdir()} == {path.stem for path in root.glob("known/*/*.json")}
    assert home.store.orphans() == []
    for path in root.glob("known/*/*.json"):
        path.unlink()
    assert {orphan.kind for orphan in home.store.orphans()} == {"kept"}
    assert repair(home)
    assert home.store.orphans() == []
    assert not list((root / "kept").iterdir())


def test_texts_in_files_of_their_own_are_taken_over_one_by_one(tmp_path: Path) -> None:
    folder, home = tmp_path / "texts", Workspace(tmp_path / "home")
    folder.mkdir()
    for number in range(90):
        (folder / f"text-{number:03d}.md").write_text(f"{rows(number, 1)[0]['body']} {number}")
    corpus = open_corpus(folder)
    artifacts(home, corpus, few_steps(corpus))
    (folder / "text-041b.md").write_text("a text that was not there before")
    (folder / "text-007.md").unlink()
    (folder / "text-050.md").write_text("another text than before")
    grown, counting = open_corpus(folder), Counting()
    found = artifacts(home, grown, few_steps(grown), engine=counting)
    assert found == artifacts(Workspace(tmp_path / "fresh"), grown, few_steps(grown))
    assert counting.rows == {"hash": 2 * 2, "columns": 2, "sign": 2 * 2}


def test_only_pairs_with_a_new_set_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, home = tmp_path / "texts", Workspace(tmp_path / "home")
    for seed in range(4):
        write(folder / f"{seed}.jsonl", seed, 40)
    corpus = open_corpus(folder)
    steps = (documents_step(), near_step(NearParams(n=2).measure))
    artifacts(home, corpus, steps)
    (folder / "copies.jsonl").write_bytes((folder / "1.jsonl").read_bytes() + (folder / "2.jsonl").read_bytes())
    for seed in (None, 71):
        if seed is not None:
            write(folder / "more.jsonl", seed, 30)
        grown = open_corpus(folder)
        expected = artifacts(Workspace(tmp_path / f"fresh-{seed}"), grown, steps)
        with monkeypatch.context() as patch:
            patch.setattr(near, "candidates", None)
            assert artifacts(home, grown, steps) == expected


@pytest.mark.parametrize("before", [900, 1150])
def test_crowded_buckets_take_no_pairs_over(tmp_path: Path, before: int) -> None:
    folder, home = tmp_path / "texts", Workspace(tmp_path / "home")
    folder.mkdir()
    common = " ".join(f"word{number}" for number in range(200))
    lines = [json.dumps({"text": f"{common} {number} end"}) + "\n" for number in range(before + 250)]
    (folder / "a.jsonl").write_text("".join(lines[:before]))
    steps = (documents_step(), near_step(NearParams(n=2, floor=0.95).measure))
    artifacts(home, open_corpus(folder), steps)
    (folder / "b.jsonl").write_text("".join(lines[before:]))
    grown = open_corpus(folder)
    found = analyze(grown, home, steps=steps).artifacts[steps[1].name]
    assert found.facts["crowded_buckets"] > 0
    assert artifacts(home, grown, steps) == artifacts(Workspace(tmp_path / "fresh"), grown, steps)


def test_a_column_whose_type_changes_is_read_again_and_a_role_makes_another_corpus(tmp_path: Path) -> None:
    folder, home = tmp_path / "texts", Workspace(tmp_path / "home")
    write(folder / "a.jsonl", 1, 60)
    corpus = open_corpus(folder)
    artifacts(home, corpus, few_steps(corpus))
    (folder / "b.jsonl").write_text('{"text": "one more", "title": "t", "n": 0.5, "body": "b"}\n')
    grown = open_corpus(folder)
    assert grown.schema.field("n").type != corpus.schema.field("n").type
    found = artifacts(home, grown, few_steps(grown))
    assert found == artifacts(Workspace(tmp_path / "fresh"), grown, few_steps(grown))
    other = grown.with_roles({"text": "body"})
    found = artifacts(home, other, few_steps(other))
    assert found == artifacts(Workspace(tmp_path / "other"), other, few_steps(other))

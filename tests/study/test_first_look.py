"""The first look counts what the files hold, and its search finds what the search after the analysis finds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from docstrings import docstrings

from tamis.analytics.operators.patterns import words_pattern
from tamis.analytics.operators.rows import Regex
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.first_look import find_words, take_first_look
from tamis.analytics.study.study import Study
from tamis.data import shards
from tamis.data.corpus import Corpus
from tamis.data.errors import RecipeError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


@pytest.fixture
def table() -> pa.Table:
    found = docstrings(("json", "email"))
    texts = found.column("text").to_pylist()
    texts[3], texts[5] = None, ""
    sources = [None if place % 11 == 0 else "" if place % 7 == 0 else f"s{place % 3}" for place in range(len(texts))]
    return pa.table({"text": texts, "source": sources})


def written(folder: Path, table: pa.Table, *, rows: int = 40) -> Corpus:
    """Return the table as a corpus of many small shards."""
    pq.write_table(table, folder / "a.parquet", row_group_size=rows)
    return open_corpus(folder / "a.parquet")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_ROWS", 40)


def test_figures_are_those_of_the_texts(tmp_path: Path, table: pa.Table) -> None:
    corpus = written(tmp_path, table)
    assert len(corpus.shards()) > 2
    look = take_first_look(corpus, shown=2)
    sizes = sorted(len(text.encode()) for text in table.column("text").to_pylist() if text is not None)
    assert look.exact and (look.rows, look.documents) == (table.num_rows, len(sizes))
    assert (look.shortest, look.longest, look.median) == (sizes[0], sizes[-1], sizes[(len(sizes) - 1) // 2])
    assert look.bytes == sum(sizes) and look.edges[0] == sizes[0] and look.edges[-1] == sizes[-1]
    assert look.counts.sum() == len(sizes)
    counted = Counter(value or None for value in table.column("source").to_pylist())
    (group,) = look.groups
    assert (group.role, group.column, group.distinct) == ("source", "source", 3)
    ranked = sorted(counted.items(), key=lambda each: (-each[1], each[0] is None, each[0]))
    assert list(zip(group.values, group.rows, strict=True)) == ranked[:2]


def test_a_large_corpus_is_looked_at_in_part_and_says_so(tmp_path: Path, table: pa.Table) -> None:
    corpus = written(tmp_path, table)
    look = take_first_look(corpus, most_bytes=1)
    assert not look.exact and 0 < look.read < look.rows == table.num_rows
    hits = find_words(corpus, "the", most_bytes=1)
    assert not hits.exact and hits.read == look.read
    whole = find_words(corpus, "the")
    assert whole.exact and set(hits.positions) < set(whole.positions)


def test_words_are_found_at_their_places_in_the_files(tmp_path: Path, table: pa.Table) -> None:
    corpus = written(tmp_path, table)
    hits = find_words(corpus, "  The   object ")
    held = pc.match_substring_regex(table.column("text"), words_pattern("the object"), ignore_case=True)
    assert len(hits.positions) and hits.positions.tolist() == np.flatnonzero(held.fill_null(False)).tolist()
    assert "object" in corpus.take(hits.positions[:1]).column("text")[0].as_py().lower()


def test_the_search_after_the_analysis_finds_the_same_documents(tmp_path: Path, table: pa.Table) -> None:
    corpus, workspace = written(tmp_path, table), Workspace(tmp_path / "home")
    analyze(corpus, workspace, steps=[documents_step()])
    study = Study.find_so_far(corpus, workspace)
    assert study is not None
    rule = Regex(pattern=words_pattern("the object"), ignore_case=True, mode="keep", missing="drop")
    study.measure(Recipe().with_operator(rule))
    outcome = study.evaluate(Recipe().with_operator(rule))
    places = study.documents.order[np.flatnonzero(outcome.kept)]
    assert sorted(places.tolist()) == find_words(corpus, "the object").positions.tolist()


def test_no_words_are_refused(tmp_path: Path, table: pa.Table) -> None:
    with pytest.raises(RecipeError):
        find_words(written(tmp_path, table), "  ")


def test_a_corpus_without_any_text_has_no_lengths(tmp_path: Path) -> None:
    look = take_first_look(written(tmp_path, pa.table({"text": pa.array([None, None], pa.string())})))
    assert (look.documents, look.median, look.longest, int(look.counts.sum())) == (0, 0, 0, 0)

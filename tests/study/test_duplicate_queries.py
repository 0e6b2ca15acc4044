"""Questions of the Duplicates page give what plain counting gives."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from docstrings import docstrings, write_corpus
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_examples import evidence
from plain_duplicates import edited
from synthetic import synthetic_facts
from topics import topic_texts

from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.duplicates.references import put_reference
from tamis.analytics.duplicates.word_diff import MOST_WORDS, WordDiff, word_diff
from tamis.analytics.embedding.step import embeddings_step
from tamis.analytics.map.steps import knn_step
from tamis.analytics.operators.duplicates import NearDedup
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.corpus_columns import columns_step
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.study.duplicate_groups import (
    Look,
    borderline_pairs,
    duplicate_groups,
    duplicate_totals,
    group_members,
    is_large,
    look,
    rule_of,
)
from tamis.analytics.study.duplicate_sources import boilerplate_passages, boilerplate_spans, find_items
from tamis.analytics.study.duplicate_sweeps import (
    copies_sweep,
    group_sizes,
    threshold_sweep,
)
from tamis.analytics.study.nearest_documents import nearest_documents, neighbours_of, vectors_of
from tamis.analytics.study.queries import why
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

FACTS = synthetic_facts(800, seed=4, threads=1)
EVIDENCE = evidence(FACTS)
RULES = [
    ("exact_dedup", {}),
    ("exact_dedup", {"max_copies": 2, "within": "lang"}),
    ("near_dedup", {}),
    ("near_dedup", {"threshold": 0.6, "within": "source", "max_copies": 2}),
    ("semantic_dedup", {"eps": 0.1}),
]


@lru_cache(maxsize=16)
def tried(place: int) -> Look:
    name, params = RULES[place]
    return look(FACTS, EVIDENCE, rule_of(OPERATORS.build(name, params)))  # type: ignore[arg-type]


every = pytest.mark.parametrize("place", range(len(RULES)))


@every
def test_look_decides_as_the_recipe_does(place: int) -> None:
    from tamis.analytics.recipe.plan import evaluate

    found = tried(place)
    recipe = Recipe().with_operator(found.rule)
    outcome = evaluate(recipe, FACTS, EVIDENCE)
    assert np.array_equal(found.decision.copies > 0, outcome.kept)
    half = np.arange(0, FACTS.n, 2)
    assert len(look(FACTS, EVIDENCE, found.rule, rows=half).decision.copies) == len(half)


@every
def test_groups_and_totals_count_every_dropped_document_once(place: int) -> None:
    found = tried(place)
    twins = Counter(found.twins.tolist())
    page = duplicate_groups(found, limit=10_000)
    totals = duplicate_totals(found)
    assert totals.groups == page.total == page.table.num_rows == len(twins)
    assert totals.dropped == sum(twins.values()) == sum(page.table.column("dropped").to_pylist())
    tokens = FACTS.whole("n_tokens")
    assert totals.dropped_tokens == sum(page.table.column("dropped_tokens").to_pylist()) == tokens[found.dropped].sum()
    rows = page.table.select(["size", "row"]).to_pylist()
    assert rows == sorted(rows, key=lambda row: (-row["size"], row["row"]))
    assert all(row["size"] == twins[row["row"]] + 1 for row in rows)
    second = duplicate_groups(found, offset=2, limit=3)
    assert second.table.equals(page.table.slice(2, 3))


def test_groups_can_be_ordered_and_limited_to_a_source() -> None:
    found = tried(2)
    least = duplicate_groups(found, order="least similar", limit=500).table.column("least_similar").to_pylist()
    assert least == sorted(least)
    tokens = duplicate_groups(found, order="tokens", limit=500).table.column("dropped_tokens").to_pylist()
    assert tokens == sorted(tokens, reverse=True)
    page = duplicate_groups(found, source="source-00", limit=500)
    assert set(page.table.column("source").to_pylist()) == {"source-00"}
    assert page.total == page.table.num_rows < duplicate_totals(found).groups


@every
def test_members_are_the_kept_document_and_those_dropped_for_it(place: int) -> None:
    found = tried(place)
    leader = duplicate_groups(found, limit=1).table.column("row")[0].as_py()
    table = group_members(found, leader)
    mine = {int(found.view.rows[found.dropped[k]]) for k in np.flatnonzero(found.twins == leader)}
    assert table.column("row").to_pylist()[0] == leader
    assert set(table.column("row").to_pylist()[1:]) == mine
    similarity = table.column("similarity").to_pylist()[1:]
    assert similarity == sorted(similarity)
    assert group_members(found, leader, limit=1).num_rows == 2


def test_borderline_pairs_are_the_nearest_to_the_threshold() -> None:
    found = tried(2)
    table = borderline_pairs(found, limit=25)
    pairs = EVIDENCE.pairs(found.rule.measures()[0])
    away = np.sort(np.abs(pairs.similarity - np.float32(0.8)))[:25]
    assert np.array_equal(np.abs(table.column("similarity").to_numpy() - np.float32(0.8)), away)
    for row in table.to_pylist():
        assert row["duplicate"] == (np.float32(row["similarity"]) >= np.float32(0.8))
        assert not (row["duplicate"] and row["left_kept"] and row["right_kept"])
        assert row["left_id"] == FACTS.ids[row["left"]].as_py()
    assert borderline_pairs(tried(0)).num_rows == 0


@pytest.mark.parametrize("place", [2, 3, 4])
def test_threshold_sweep_is_what_each_threshold_would_drop(place: int) -> None:
    found = tried(place)
    levels = [0.88, 0.9, 0.97]
    swept = threshold_sweep(found, levels)
    for k, level in enumerate(levels):
        changed = {"threshold": level} if isinstance(found.rule, NearDedup) else {"eps": round(1 - level, 6)}
        other = look(FACTS, EVIDENCE, type(found.rule).model_validate({**found.rule.model_dump(), **changed}))
        assert swept.documents[k] == len(other.dropped)
        assert swept.tokens[k] == duplicate_totals(other).dropped_tokens
    assert (swept.by_source.sum(axis=1) == swept.documents).all()
    assert len(swept.sources) == 13 and swept.sources[-1] == "others"
    whole = threshold_sweep(found)
    assert whole.values[0] == pytest.approx(found.rule.params.floor)  # type: ignore[union-attr]
    assert (np.diff(whole.documents) <= 0).mean() > 0.8


def test_sweep_refuses_what_was_not_measured() -> None:
    with pytest.raises(RecipeError, match="not measured"):
        threshold_sweep(tried(2), [0.2])
    with pytest.raises(RecipeError, match="no threshold"):
        threshold_sweep(tried(0))
    with pytest.raises(RecipeError, match="not a duplicate rule"):
        rule_of(OPERATORS.build("token_budget", {"amount": 5}))  # type: ignore[arg-type]


@every
def test_copies_sweep_is_what_each_number_would_drop(place: int) -> None:
    found = tried(place)
    swept = copies_sweep(found, (1, 2, 3))
    for k, copies in enumerate((1, 2, 3)):
        other = look(FACTS, EVIDENCE, found.rule.model_copy(update={"max_copies": copies}))
        assert swept.documents[k] == len(other.dropped)
    assert swept.current == found.rule.max_copies


@every
def test_group_sizes_count_every_group(place: int) -> None:
    found = tried(place)
    sizes = [count + 1 for count in Counter(found.twins.tolist()).values()]
    histogram = group_sizes(found)
    for low, high, groups, documents in zip(
        histogram.low, histogram.high, histogram.groups, histogram.documents, strict=True
    ):
        mine = [size for size in sizes if low <= size <= high]
        assert (len(mine), sum(mine)) == (groups, documents)
    assert histogram.groups.sum() == len(sizes)


def test_large_groups_are_pointed_out() -> None:
    assert is_large(np.array([9, 10, 99, 1_000]), 500).tolist() == [False, True, True, True]
    assert is_large(np.array([9, 10, 99, 1_000]), 10**9).tolist() == [False, False, False, True]


def covered(text: str, diff: WordDiff, side: str) -> None:
    spans = diff.left if side == "left" else diff.right
    assert "".join(text[span.start : span.end] for span in spans) == text
    assert all(one.same != two.same for one, two in pairwise(spans))


words = st.lists(st.sampled_from(["a", "b", "the", "\n", "x y"]), max_size=20).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(words, words)
def test_word_diff_covers_both_texts_and_same_spans_hold_the_same_words(left: str, right: str) -> None:
    diff = word_diff(left, right)
    covered(left, diff, "left")
    covered(right, diff, "right")
    same = [
        [w for s in spans if s.same for w in text[s.start : s.end].split()]
        for spans, text in ((diff.left, left), (diff.right, right))
    ]
    assert same[0] == same[1]
    assert diff.shared == len(same[0])
    assert (diff.left_words, diff.right_words) == (len(left.split()), len(right.split()))
    assert word_diff(left, left).shared == len(left.split())


def test_word_diff_of_very_long_texts_is_quick_and_says_so() -> None:
    left = "head " + " ".join(f"l{k}" for k in range(MOST_WORDS + 1)) + " tail"
    right = "head " + " ".join(f"r{k}" for k in range(MOST_WORDS + 1)) + " tail"
    diff = word_diff(left, right)
    assert not diff.complete and diff.shared == 2
    assert [span.same for span in diff.left] == [True, False, True]
    repeated = word_diff("x " * 3000 + "a", "b " + "x " * 3000)
    assert repeated.complete and repeated.left_words == repeated.right_words == 3001


def vectors_step() -> StepSpec:
    """Return a step that gives each document a vector by the length of its text."""

    def run(context: StepContext) -> None:
        for shard in context.shards_to_do():
            sizes = [len(text) for part in context.corpus.document_texts(shard) for text in part.to_pylist()]
            angle = np.array(sizes) / 400
            vectors = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float16)
            vectors[np.array(sizes) == 5] = 0
            context.out.write_array(shard.part, vectors)
        context.out.commit(rows=context.documents.n, facts={"tier": "given", "space": "test"})

    return StepSpec("embeddings", 1, ("documents",), {}, "Vectors", lambda size: Estimate(1, 1), run)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a small study with planted near-copies, an evaluation set and vectors."""
    folder = tmp_path_factory.mktemp("study")
    table = docstrings(("email",))
    texts = [
        text and f"{edited(text, share=0.02, seed=k)}\nA line that all of them have."
        for k, text in enumerate(table.column("text").to_pylist())
    ]
    table = pa.concat_tables([table, table.set_column(0, "text", pa.array(texts, pa.string()))])
    table = pa.concat_tables(
        [table.slice(0, 400), pa.table({**{n: ["email"] for n in table.column_names}, "text": ["empty"]})]
    )
    corpus = open_corpus(write_corpus(folder / "corpus", table, files=3, seed=2))
    measured = (documents_step(), columns_step(corpus), exact_step(), vectors_step())
    return Study.open(corpus, Workspace(folder / "home"), steps=(*measured, facts_step(measured[:3])))


def test_neighbours_are_the_nearest_by_cosine(study: Study) -> None:
    vectors = vectors_of(study)
    assert vectors is not None
    texts = study.corpus.fetch(study.documents, np.arange(study.facts.n)).column("text").to_pylist()
    sizes = np.array([len(text) for text in texts])
    row = int(np.flatnonzero(sizes > 5)[0])
    found = nearest_documents(vectors, study.documents, row, k=7)
    assert found is not None and found.tier == "given" and row not in found.rows
    angle = np.abs(sizes - sizes[row])
    angle[(sizes == 5) | (np.arange(len(sizes)) == row)] = 10**6
    assert np.cos(np.sort(angle)[:7] / 400) == pytest.approx(found.cosine, abs=2e-3)
    assert found.table(study.facts.ids).num_rows == 7
    assert nearest_documents(vectors, study.documents, int(np.flatnonzero(sizes == 5)[0])) is None


def test_the_graph_of_the_map_gives_the_neighbours_that_all_vectors_give(tmp_path: Path) -> None:
    table = pa.table({"text": [*topic_texts(20)[0], "\U0001d573"]})
    corpus = open_corpus(write_corpus(tmp_path / "corpus", table))
    measured = (documents_step(), embeddings_step(), knn_step(k=8))
    study = Study.open(corpus, Workspace(tmp_path / "home"), steps=(*measured, facts_step(measured)))
    vectors = vectors_of(study)
    assert vectors is not None
    empty = int(np.flatnonzero(study.facts.whole("no_embedding"))[0])
    for row in (0, 17, 79):
        slow, quick = nearest_documents(vectors, study.documents, row, k=6), neighbours_of(study, row, k=6)
        more = neighbours_of(study, row, k=9)
        if row == empty:
            assert slow is quick is None
            continue
        assert slow is not None and quick is not None and more is not None
        assert quick.cosine == pytest.approx(slow.cosine, abs=1e-6) and quick.recall == 1.0
        assert len(set(quick.rows.tolist()) & set(slow.rows.tolist())) >= 5
        assert len(more.rows) == 9
    assert neighbours_of(study, empty, k=6) is None


def test_a_page_can_say_why_and_show_the_twin(study: Study) -> None:
    recipe = Recipe().with_operator(OPERATORS.build("near_dedup", {"threshold": 0.6, "n": 2}))
    study.measure(recipe)
    outcome = study.evaluate(recipe)
    row = int(outcome.dropped_by("near-dedup")[0])
    verdict = why(outcome, study.facts, row)[0]
    assert verdict.twin is not None and verdict.similarity is not None and verdict.similarity >= 0.6
    one, two = study.corpus.fetch(study.documents, np.array([row, verdict.twin])).column("text").to_pylist()
    diff = word_diff(one, two)
    assert 0 < diff.shared <= min(diff.left_words, diff.right_words)


def test_items_and_passages_are_named(study: Study, tmp_path: Path) -> None:
    texts = study.corpus.fetch(study.documents, np.arange(study.facts.n)).column("text").to_pylist()
    wanted = [text for text in texts if len(text.split()) > 40][:3]
    write_corpus(tmp_path / "eval", pa.table({"text": [" ".join(text.split()[:30]) for text in wanted]}))
    digest = put_reference([tmp_path / "eval"], study.workspace)
    rule = OPERATORS.build("decontaminate", {"evaluation": digest})
    study.measure(Recipe().with_operator(rule))
    rows = np.array([texts.index(wanted[1]), texts.index("empty")])
    assert find_items(study, rule, rows) == ["file-0.parquet, row 2", ""]  # type: ignore[arg-type]
    boilerplate = OPERATORS.build("boilerplate", {})
    study.measure(Recipe().with_operator(boilerplate))
    first = boilerplate_passages(study, boilerplate).to_pylist()[0]  # type: ignore[arg-type]
    assert first["text"] == "A line that all of them have." and first["source"] == "email"
    text = f"  Ein Bär\U0001f600.\n{first['text'].upper()}\n\nnext, {first['text']}\n{first['text']}"
    places = boilerplate_spans(study, boilerplate, text, "email")  # type: ignore[arg-type]
    assert [text[a:b] for a, b in places] == [first["text"].upper(), first["text"]]
    assert boilerplate_spans(study, boilerplate, text, "another source") == []  # type: ignore[arg-type]


def test_documentation_names_every_duplicate_rule_and_its_limits() -> None:
    from tamis.analytics.duplicates.candidates import ALL_PAIRS, HUBS, RING
    from tamis.analytics.duplicates.near_passes import expected_recall
    from tamis.analytics.text.normal_form import CONVENTION

    page = (Path(__file__).parents[2] / "docs" / "duplicates.md").read_text()
    names = {kind.name for kind in OPERATORS if kind.group == "Duplicates"} | {"decontaminate", "remove_passages"}
    assert {name for name in names if f"| `{name}` |" in page} == names
    assert f"more than {ALL_PAIRS:,} documents" in page and f"first {HUBS} of the bucket and {RING} others" in page
    assert f"Convention `{CONVENTION}`" in page
    assert f"{expected_recall(0.8, bands=20, rows=4):.3%}" == "99.997%" and "99.997%" in page
    assert f"{expected_recall(0.6, bands=20, rows=4):.1%}" == "93.8%" and "93.8%" in page

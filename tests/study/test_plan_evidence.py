"""Measures are computed once, read back in facts order, and missing ones are named."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from docstrings import docstrings, write_corpus
from synthetic import synthetic_facts

from tamis.analytics.facts.stored_sets import FrozenClustering, MemorySources, WorkspaceSources
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.measures import MEASURES, Measure, MeasureKind, MeasureRegistry, newcomers
from tamis.analytics.study.evidence import GivenEvidence, LocalEvidence
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError, StoreError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

FACTS = synthetic_facts(300, seed=6, threads=2)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    root = tmp_path_factory.mktemp("evidence")
    corpus = open_corpus(write_corpus(root / "corpus", docstrings(("json", "email")), files=3, seed=4))
    steps = (documents_step(), facts_step((documents_step(),)))
    return Study.open(corpus, Workspace(root / "home"), steps=steps)


PATTERNS = ["e", r"\bthe\b", r"(?i)NONE|null", r"[0-9]+", "^", "a*", r"\.$", "é", r"\n"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_regex_counts_are_those_of_python_where_they_can_agree(study: Study, pattern: str) -> None:
    recipe = Recipe().with_operator(OPERATORS.build("regex", {"pattern": pattern, "mode": "keep"}))
    study.measure(recipe)
    counts = study.evidence.array(*_measure(recipe))
    texts = study.corpus.fetch(study.documents, np.arange(study.documents.n)).column("text").to_pylist()
    if pattern not in ("^", "a*"):
        assert counts.tolist() == [len(re.findall(pattern, text)) for text in texts]
    assert np.array_equal(study.evaluate(recipe).kept, counts >= 1)


def _measure(recipe: Recipe) -> tuple[Measure, str]:
    (measure,) = recipe.measures()
    return measure, str(measure.column)


def test_ignored_case_is_another_measure(study: Study) -> None:
    exact, loose = (
        Recipe().with_operator(OPERATORS.build("regex", {"pattern": "json", "ignore_case": loose, "mode": "keep"}))
        for loose in (False, True)
    )
    study.measure(exact)
    study.measure(loose)
    assert study.evaluate(exact).output.documents < study.evaluate(loose).output.documents
    assert exact.measures() != loose.measures()


def test_unmeasured_rules_are_pending_with_an_estimate_and_then_not(study: Study) -> None:
    recipe = Recipe().with_operator(OPERATORS.build("regex", {"pattern": "never asked before"}))
    (planned,) = study.pending(recipe)
    assert planned.estimate.seconds > 0
    with pytest.raises(RecipeError, match=r"has not run yet.*Matches of a regular expression"):
        study.evaluate(recipe)
    study.measure(recipe)
    assert study.pending(recipe) == ()
    assert study.evaluate(recipe).output.documents == study.facts.n


def test_facts_alone_have_no_pending_measures_and_say_what_is_missing() -> None:
    recipe = Recipe().with_operator(OPERATORS.build("regex", {"pattern": "x"}))
    evidence = LocalEvidence(FACTS)
    assert evidence.pending(recipe.measures()) == ()
    with pytest.raises(RecipeError, match="has not run yet"):
        evidence.array(*_measure(recipe))


def test_workspace_keeps_id_sets_by_their_content(study: Study) -> None:
    ids = study.facts.ids.to_pylist()[::2]
    stored = study.workspace.put_ids(reversed(ids))
    outcome = study.evaluate(Recipe().with_operator(OPERATORS.build("id_list", {"stored": stored})))
    assert np.flatnonzero(outcome.kept).tolist() == list(range(0, study.facts.n, 2))
    assert WorkspaceSources(study.workspace).ids(stored).to_pylist() == ids


def test_unknown_clustering_is_a_named_error(study: Study) -> None:
    with pytest.raises(StoreError, match="artifact"):
        study.evaluate(Recipe().with_operator(OPERATORS.build("cluster", {"clusters": [1], "clustering": "a" * 64})))


def _clustering(known: int) -> FrozenClustering:
    labels = FACTS.array("cluster").to_numpy()[:known].astype(np.int32)
    centroids = np.eye(3, dtype=np.float32)
    return FrozenClustering("b" * 64, FACTS.ids.slice(0, known), labels, centroids, np.array([7, 8, 9], np.int32))


def test_known_documents_keep_their_cluster_and_others_are_newcomers() -> None:
    clustering = _clustering(120)
    assigned = clustering.assign(FACTS)
    assert np.array_equal(assigned[:120], clustering.labels)
    assert (assigned[120:] == -1).all()
    measure = Measure("cluster", (("clustering", "b" * 64),), column="c")
    assert newcomers(measure, FACTS, MemorySources({}, {"b" * 64: clustering})).tolist() == list(range(120, 300))
    own = Measure("cluster", (("clustering", FACTS.info("cluster").origin),), column="c")
    assert not len(newcomers(own, FACTS, MemorySources()))
    assert np.array_equal(LocalEvidence(FACTS).array(own, "c"), FACTS.array("cluster").to_numpy())


def test_nearest_centroid_is_the_one_of_largest_cosine_ties_to_the_first() -> None:
    vectors = np.array([[1, 0.1, 0], [0, 0, 1], [0, 0, 0], [0.5, 0.5, 0]], dtype=np.float16)
    assert _clustering(3).nearest(vectors).tolist() == [7, 9, -1, 7]
    with pytest.raises(StoreError, match="no centroids"):
        FrozenClustering("c" * 64, FACTS.ids, np.zeros(FACTS.n, np.int32)).nearest(vectors)


def test_without_any_cluster_nothing_is_near_one() -> None:
    none = np.full(FACTS.n, -1, dtype=np.int32)
    empty = FrozenClustering("d" * 64, FACTS.ids, none, np.empty((0, 3), np.float32), np.empty(0, np.int32))
    assert empty.nearest(np.eye(3, dtype=np.float16)).tolist() == [-1, -1, -1]


def test_given_evidence_says_what_was_not_given() -> None:
    evidence, measure = GivenEvidence(), Measure("near_pairs")
    for ask in (lambda: evidence.pairs(measure), lambda: evidence.array(measure, "value")):
        with pytest.raises(RecipeError, match="has not run yet"):
            ask()


def test_measures_are_registered_once_and_are_quick_or_a_step() -> None:
    registry = MeasureRegistry()
    registry.register(MeasureKind("one", "One", quick=lambda measure, facts, frozen: np.zeros(facts.n)))
    with pytest.raises(RecipeError, match="twice"):
        registry.register(MeasureKind("one", "One", quick=lambda measure, facts, frozen: np.zeros(facts.n)))
    with pytest.raises(RecipeError, match="either quick, or a step, or read from one"):
        registry.register(MeasureKind("two", "Two"))
    with pytest.raises(RecipeError, match="Unknown measure"):
        registry["three"]
    assert {kind.name for kind in MEASURES} >= {"id_set", "cluster", "regex"}


def test_identical_texts_keep_their_ids_in_any_layout(tmp_path: Path) -> None:
    table = pa.table({"text": ["same"] * 5 + ["other"], "source": list("abcabc")})
    found = []
    for name, seed in (("one", None), ("two", 3)):
        corpus = open_corpus(write_corpus(tmp_path / name, table, files=2, seed=seed))
        steps = (documents_step(), facts_step((documents_step(),)))
        opened = Study.open(corpus, Workspace(tmp_path / "home"), steps=steps)
        rows = corpus.fetch(opened.documents, np.arange(6)).column("source").to_pylist()
        found.append(list(zip(opened.facts.ids.to_pylist(), rows, strict=True)))
    assert found[0] == found[1]

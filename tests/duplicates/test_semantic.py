"""Semantic duplicates: exact cosines inside clusters, the greedy leader, the published rule, and no static vectors."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tamis.analytics.duplicates.exact import exact_step
from tamis.analytics.duplicates.semantic import Closeness, SemanticParams, closeness
from tamis.analytics.embedding.stored_vectors import PRECISE
from tamis.analytics.operators.duplicates import SemanticDedup
from tamis.analytics.operators.operator import OPERATORS, Decision, View
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.documents_step import documents_step
from tamis.analytics.steps.facts_step import facts_step
from tamis.analytics.steps.step import Estimate, StepContext, StepSpec
from tamis.analytics.study.evidence import GivenEvidence
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


def crowd(groups: int, size: int, *, spread: float = 0.05, seed: int = 0) -> NDArray[np.float16]:
    """Return unit vectors around random centres."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(groups, 32))
    found = np.repeat(centres, size, axis=0) + random.normal(size=(groups * size, 32)) * spread * 5.6
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


def cosines(vectors: NDArray[np.float16]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide @ wide.T)


def alone(vectors: NDArray[np.float16]) -> NDArray[np.int64]:
    return np.arange(len(vectors), dtype=np.int64)


def test_pairs_inside_clusters_are_exact_and_all_there() -> None:
    vectors = crowd(40, 12)
    params = SemanticParams(documents_per_cluster=60, floor=0.9)
    found = closeness(vectors, alone(vectors), params)
    truth = cosines(vectors)
    places = zip(found.pairs.left.tolist(), found.pairs.right.tolist(), strict=True)
    values = dict(zip(places, found.pairs.similarity, strict=True))
    expected = {
        (i, j)
        for i, j in itertools.combinations(range(len(vectors)), 2)
        if found.cluster[i] == found.cluster[j] and truth[i, j] >= 0.9
    }
    assert set(values) == expected
    assert len(expected) > 500
    assert all(abs(values[i, j] - truth[i, j]) < 1e-6 for i, j in expected)
    everywhere = np.count_nonzero(np.triu(truth >= 0.9, 1))
    assert len(expected) >= 0.95 * everywhere


def test_threads_and_tiles_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    from tamis.analytics.duplicates import semantic

    vectors = crowd(10, 30)
    params = SemanticParams(documents_per_cluster=100)
    one = closeness(vectors, alone(vectors), params, threads=1)
    monkeypatch.setattr(semantic, "_TILE", 7)
    two = closeness(vectors, alone(vectors), params, threads=2)
    assert one.pairs.similarity.tobytes() == two.pairs.similarity.tobytes()
    assert np.array_equal(one.pairs.left, two.pairs.left) and np.array_equal(one.pairs.right, two.pairs.right)


def test_large_clusters_are_clustered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from tamis.analytics.duplicates import semantic

    monkeypatch.setattr(semantic, "LARGEST", 40)
    vectors = crowd(8, 30)
    found = closeness(vectors, alone(vectors), SemanticParams(documents_per_cluster=30, floor=0.95))
    truth = np.count_nonzero(np.triu(cosines(vectors) >= 0.95, 1))
    assert 0.8 * truth <= len(found.pairs.left) <= truth


def test_same_text_same_vector_and_no_vector() -> None:
    vectors = crowd(3, 4)
    vectors[5] = vectors[0]
    vectors[[2, 3]] = 0
    same = alone(vectors)
    same[9] = 6
    found = closeness(vectors, same, SemanticParams(documents_per_cluster=12, floor=0.0))
    assert found.first.tolist() == [0, 1, 2, 3, 4, 0, 6, 7, 8, 6, 10, 11]
    touched = set(found.pairs.left.tolist()) | set(found.pairs.right.tolist())
    assert touched.isdisjoint({2, 3, 5, 9})
    assert found.cluster[2] == -1 and np.isnan(found.distance[3]) and found.cluster[9] == found.cluster[6]
    nobody = closeness(vectors[:0], alone(vectors[:0]), SemanticParams())
    assert len(nobody.pairs.left) == len(nobody.first) == 0


def decide(vectors: NDArray[np.float16], **params: object) -> tuple[Closeness, Decision]:
    operator = OPERATORS.build("semantic_dedup", {"keep": "first id", "documents_per_cluster": 20_000, **params})
    assert isinstance(operator, SemanticDedup)
    found = closeness(vectors, alone(vectors), operator.params)
    measure = operator.params.measure
    view = View(
        rows=alone(vectors),
        keys=np.zeros(len(vectors), dtype=np.uint64),
        copies=np.ones(len(vectors), dtype=np.int32),
        table=pa.table({}),
        evidence=GivenEvidence(
            arrays={(measure, "first"): found.first, (measure, "distance"): found.distance},
            found={measure: found.pairs},
        ),
    )
    return found, operator.decide(view)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.02, 0.05, 0.15]))
def test_greedy_leader_keeps_a_document_within_eps_of_every_dropped_one(seed: int, eps: float) -> None:
    vectors = crowd(5, 8, seed=seed)
    _, decision = decide(vectors, eps=eps)
    truth = cosines(vectors)
    assert decision.twin is not None
    kept: list[int] = []
    for row in range(len(vectors)):
        near = [other for other in kept if truth[row, other] >= 1 - eps]
        assert (decision.copies[row] > 0) == (not near)
        if near:
            assert decision.twin[row] == max(near, key=lambda other: truth[row, other])
        else:
            kept.append(row)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.02, 0.05, 0.15]))
def test_published_rule_is_that_of_the_paper_and_never_drops_less(seed: int, eps: float) -> None:
    vectors = crowd(5, 8, seed=seed)
    found, decision = decide(vectors, eps=eps, rule="published")
    truth = cosines(vectors)
    assert decision.twin is not None
    order = np.lexsort((np.arange(len(vectors)), -found.distance))
    for place, row in enumerate(order):
        earlier = order[:place]
        closest = truth[row, earlier].max(initial=-1)
        assert (decision.copies[row] == 0) == (closest > 1 - eps)
        twin = decision.twin[row]
        if twin >= 0:
            assert decision.copies[twin] > 0 and truth[row, twin] > 1 - eps
    leaders: list[int] = []
    for row in order:
        if all(truth[row, other] <= 1 - eps for other in leaders):
            leaders.append(int(row))
    assert np.count_nonzero(decision.copies) <= len(leaders)


def test_larger_eps_drops_more() -> None:
    vectors = crowd(10, 12)
    dropped = [int(np.sum(decide(vectors, eps=eps)[1].copies == 0)) for eps in (0.01, 0.05, 0.1, 0.3)]
    assert dropped == sorted(dropped) and dropped[0] < dropped[-1]


def vectors_step(name: str, tier: str) -> StepSpec:
    """Return a step that gives every text the vector its first word names."""

    def run(context: StepContext) -> None:
        table = crowd(12, 2, spread=0.01)
        for shard in context.shards_to_do():
            texts = [text for part in context.corpus.document_texts(shard) for text in part.to_pylist()]
            rows = np.array([int(text.split()[0]) for text in texts])
            context.out.write_array(shard.part, table[rows])
        context.out.commit(rows=context.documents.n, facts={"tier": tier, "space": "test"})

    return StepSpec(name, 1, ("documents",), {"tier": tier}, "Vectors", lambda size: Estimate(1, 1), run)


@pytest.mark.parametrize(("vectors", "tier", "allowed"), [("precise", "precise", True), ("analysis", "fast", False)])
def test_rule_runs_on_precise_vectors_and_refuses_static_ones(
    tmp_path: Path, vectors: str, tier: str, allowed: bool
) -> None:
    texts = [f"{k} is what this text begins with" for k in range(24)] + ["3 is what THIS text begins with!"]
    pq.write_table(pa.table({"text": texts, "id": [f"{k:02d}" for k in range(25)]}), tmp_path / "corpus.parquet")
    corpus = open_corpus(tmp_path / "corpus.parquet")
    name = PRECISE if vectors == "precise" else "embeddings"
    measured = (documents_step(), exact_step())
    steps = (*measured, vectors_step(name, tier), facts_step(measured))
    study = Study.open(corpus, Workspace(tmp_path / "home"), steps=steps)
    recipe = Recipe().with_operator(OPERATORS.build("semantic_dedup", {"vectors": vectors, "keep": "first id"}))
    if not allowed:
        with pytest.raises(RecipeError, match="Static vectors"):
            study.measure(recipe)
        recipe = Recipe().with_operator(
            OPERATORS.build("semantic_dedup", {"vectors": vectors, "keep": "first id", "allow_static": True})
        )
    study.measure(recipe)
    outcome = study.evaluate(recipe)
    assert np.flatnonzero(outcome.kept).tolist() == list(range(0, 24, 2))
    decision = outcome.traces["semantic-dedup"].decision
    assert decision.twin is not None and decision.twin[[1, 23, 24]].tolist() == [0, 22, 2]


def test_published_rule_refuses_what_it_does_not_know() -> None:
    with pytest.raises(RecipeError, match="max_copies"):
        OPERATORS.build("semantic_dedup", {"rule": "published", "max_copies": 2})

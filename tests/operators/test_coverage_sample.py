"""Coverage sampling: greedy as defined, nested, independent of row order, and worth more than chance."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrow_analysis import narrow_steps

from tamis.analytics.duplicates.greedy_star import PairGraph
from tamis.analytics.duplicates.word_neighbours import NeighbourParams, neighbours_step, word_neighbours
from tamis.analytics.operators.coverage import coverage_order, nearest_chosen
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.measures import Pairs
from tamis.analytics.study.study import Study
from tamis.analytics.text.tfidf import Features
from tamis.data.errors import RecipeError
from tamis.data.hashing import key64
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace


@st.composite
def graphs(draw: st.DrawFn) -> np.ndarray:
    """Draw a symmetric matrix of similarities with ones on the diagonal; 0 is no edge."""
    n = draw(st.integers(1, 9))
    values = draw(st.lists(st.integers(0, 8), min_size=n * n, max_size=n * n))
    half = np.triu(np.reshape(values, (n, n)) / 8.0, 1)
    return half + half.T + np.eye(n)


def _graph(matrix: np.ndarray) -> PairGraph:
    left, right = np.nonzero(np.triu(matrix, 1))
    pairs = Pairs(left.astype(np.int64), right.astype(np.int64), matrix[left, right].astype(np.float32))
    return PairGraph.of(len(matrix), pairs)


def _covered(matrix: np.ndarray, chosen: list[int]) -> float:
    return float(matrix[:, chosen].max(axis=1).sum()) if chosen else 0.0


@given(graphs())
def test_each_document_taken_is_the_one_that_adds_most(matrix: np.ndarray) -> None:
    rank, gain = coverage_order(_graph(matrix))
    order = np.argsort(rank).tolist()
    assert sorted(order) == list(range(len(matrix)))
    for taken in range(len(order)):
        before = order[:taken]
        gains = {d: _covered(matrix, [*before, d]) - _covered(matrix, before) for d in order[taken:]}
        best = max(gains.values())
        assert order[taken] == min(d for d, value in gains.items() if value == best)
        assert gain[order[taken]] == best


@given(graphs(), st.integers(1, 3))
def test_greedy_coverage_is_near_the_best_there_is(matrix: np.ndarray, size: int) -> None:
    rank, _ = coverage_order(_graph(matrix))
    size = min(size, len(matrix))
    best = max(_covered(matrix, list(chosen)) for chosen in combinations(range(len(matrix)), size))
    assert _covered(matrix, np.flatnonzero(rank < size).tolist()) >= (1 - 1 / np.e) * best


@given(graphs(), st.integers(0, 5))
def test_the_twin_of_a_dropped_document_is_its_most_similar_kept_neighbour(matrix: np.ndarray, size: int) -> None:
    rank, _ = coverage_order(_graph(matrix))
    chosen = rank < size
    twin, similarity = nearest_chosen(_graph(matrix), chosen)
    for document in range(len(matrix)):
        row = np.where(chosen, matrix[document], 0.0)
        if chosen[document] or not row.any():
            assert twin[document] == -1 and np.isnan(similarity[document])
        else:
            assert twin[document] == int(np.argmax(row)) and similarity[document] == np.float32(row.max())


def _random_features(n: int, seed: int) -> tuple[Features, np.ndarray]:
    random = np.random.default_rng(seed)
    dense = random.random((n, 12)) * (random.random((n, 12)) < 0.4)
    length = np.linalg.norm(dense, axis=1, keepdims=True)
    dense = np.divide(dense, length, out=np.zeros_like(dense), where=length > 0).astype(np.float32)
    rows, columns = np.nonzero(dense)
    starts = np.r_[0, np.cumsum(np.bincount(rows, minlength=n))]
    return Features(columns.astype(np.int32), dense[rows, columns], starts), dense


@pytest.mark.parametrize("seed", range(4))
def test_neighbours_are_the_most_similar_documents_of_the_group(seed: int) -> None:
    n, wide = 60, 4
    features, dense = _random_features(n, seed)
    codes = np.arange(n, dtype=np.int64) % 3
    found = word_neighbours(features, codes, key64([str(k) for k in range(n)]), neighbours=wide)
    products = dense.astype(np.float64) @ dense.astype(np.float64).T
    wanted = set()
    for one in range(n):
        others = [k for k in range(n) if k != one and codes[k] == codes[one] and products[one, k] > 0]
        for other in sorted(others, key=lambda k: (-np.float32(products[one, k]), k))[:wide]:
            wanted.add((min(one, other), max(one, other)))
    assert set(zip(found.left.tolist(), found.right.tolist(), strict=True)) == wanted
    assert np.allclose(found.similarity, products[found.left, found.right], atol=1e-6)


def _corpus(folder: Path, table: pa.Table) -> Study:
    folder.mkdir()
    pq.write_table(table, folder / "corpus.parquet")
    corpus = open_corpus(folder / "corpus.parquet", roles={"text": "text", "id": "id", "label": "label"})
    workspace = Workspace(folder / "home")
    return Study.open(corpus, workspace, steps=narrow_steps(corpus, workspace, "columns", "words", "tokens"))


def _families(*, families: int = 12, members: int = 20) -> pa.Table:
    """Return families of documents that share their words, one of them much larger than the others."""
    random = np.random.default_rng(2)
    texts, labels = [], []
    for family in range(families):
        words = [f"word{family}x{k}" for k in range(9)]
        for _ in range(members * (12 if family == 0 else 1)):
            texts.append(" ".join(random.choice(words, 6)))
            labels.append(f"family-{family:02d}")
    ids = [f"{k:05d}" for k in range(len(texts))]
    return pa.table({"id": ids, "text": texts, "label": labels})


def test_a_coverage_sample_reaches_every_family_where_chance_does_not(tmp_path: Path) -> None:
    study = _corpus(tmp_path / "a", _families())
    rules = {
        "coverage": OPERATORS.build("coverage_sample", {"documents": 24}),
        "random": OPERATORS.build("random_sample", {"count": 24}),
    }
    reached = {}
    for name, rule in rules.items():
        recipe = Recipe(title=name).with_operator(rule)
        study.measure(recipe)
        kept = np.flatnonzero(study.evaluate(recipe).copies)
        assert len(kept) == 24
        reached[name] = len(set(study.facts.array("label").take(pa.array(kept)).to_pylist()))
    assert reached["coverage"] == 12 > reached["random"]


def test_coverage_samples_are_nested_and_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    table = _families(families=5, members=15)
    shuffled = table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))
    kept: dict[tuple[str, float], set[str]] = {}
    for name, rows in (("a", table), ("b", shuffled)):
        study = _corpus(tmp_path / name, rows)
        for share in (0.1, 0.3):
            rule = OPERATORS.build("coverage_sample", {"share": share, "within": "label", "neighbours": 5})
            recipe = Recipe(title="r").with_operator(rule)
            study.measure(recipe)
            copies = study.evaluate(recipe).copies
            kept[name, share] = set(study.facts.ids.filter(pa.array(copies > 0)).to_pylist())
    assert kept["a", 0.1] < kept["a", 0.3]
    assert kept["a", 0.1] == kept["b", 0.1] and kept["a", 0.3] == kept["b", 0.3]


def test_a_column_that_no_step_makes_is_refused() -> None:
    with pytest.raises(RecipeError, match="within this column"):
        neighbours_step(NeighbourParams(within="nowhere").measure)

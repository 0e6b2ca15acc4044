"""Every dropped document has a kept document that is a direct, verified match; nothing else drops anything."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from docstrings import docstrings, write_corpus
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_duplicates import edited, shingle_set, similarity
from plain_duplicates import greedy_star as plain_star

from tamis.analytics.duplicates.greedy_star import PairGraph, greedy_star, sweep_star
from tamis.analytics.duplicates.near import near_pairs
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.crowd import _pair_all, _pair_within_groups
from tamis.analytics.operators.duplicates import NearDedup
from tamis.analytics.operators.operator import OPERATORS, View
from tamis.analytics.recipe.outcome import Selection
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.measures import Pairs
from tamis.analytics.study.evidence import GivenEvidence
from tamis.analytics.study.study import Study
from tamis.data.hashing import key64
from tamis.data.open_corpus import open_corpus
from tamis.data.workspace import Workspace

PLAIN = settings(max_examples=100, deadline=None)


@st.composite
def crowds(draw: st.DrawFn) -> tuple[int, list[tuple[int, int, float]], list[int], list[int], list[int]]:
    """Return nodes, edges with similarities, node and copies of documents, and an order of them."""
    nodes = draw(st.integers(1, 8))
    pairs = list(itertools.combinations(range(nodes), 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=12)) if pairs else []
    values = draw(st.lists(st.sampled_from([0.5, 0.7, 0.8, 1.0]), min_size=len(edges), max_size=len(edges)))
    node = draw(st.lists(st.integers(0, nodes - 1), max_size=12))
    copies = draw(st.lists(st.integers(1, 3), min_size=len(node), max_size=len(node)))
    order = draw(st.permutations(range(len(node))))
    return nodes, [(*edge, value) for edge, value in zip(edges, values, strict=True)], node, copies, order


@PLAIN
@given(crowds(), st.sampled_from([0.6, 0.8]))
def test_star_decides_as_plain_python_does(
    crowd: tuple[int, list[tuple[int, int, float]], list[int], list[int], list[int]], threshold: float
) -> None:
    nodes, edges, node, copies, order = crowd
    pairs = Pairs(
        np.array([edge[0] for edge in edges], dtype=np.int64),
        np.array([edge[1] for edge in edges], dtype=np.int64),
        np.array([edge[2] for edge in edges], dtype=np.float32),
    )
    graph = PairGraph.of(nodes, pairs)
    assert len(graph) == nodes and len(graph.neighbours) == len(graph.similarity) == 2 * len(edges)
    star = greedy_star(
        graph,
        np.array(node, dtype=np.int64),
        np.array(order, dtype=np.int64),
        threshold=threshold,
        copies=np.array(copies, dtype=np.int32),
    )
    value = {frozenset(edge[:2]): edge[2] for edge in edges} | {frozenset([k]): 1.0 for k in range(nodes)}

    def alike(a: int, b: int) -> float:
        return value.get(frozenset([node[a], node[b]]), 0.0)

    documents = range(len(node))
    near = {a: {b for b in documents if b != a and np.float32(alike(a, b)) >= np.float32(threshold)} for a in documents}
    kept, reasons = plain_star(order, near, dict(enumerate(copies)))
    assert set(np.flatnonzero(star.kept).tolist()) == kept
    assert (star.twin[star.kept] == -1).all() and np.isnan(star.similarity[star.kept]).all()
    assert reasons.keys() == set(documents) - kept
    for document, matches in reasons.items():
        before = [other for other in order[: order.index(document)] if other in matches]
        twin = max(before, key=lambda other: np.float32(alike(document, other)))  # the first of those most alike
        assert star.twin[document] == twin
        assert star.similarity[document] == np.float32(alike(document, twin))


def facts_of(texts: list[str], **columns: list[object]) -> Facts:
    """Return facts of texts whose ids are in the order given."""
    table = {
        "id": [f"{k:06d}" for k in range(len(texts))],
        "bytes": pa.array([len(text.encode()) for text in texts], pa.int64()),
        **columns,
    }
    return Facts.from_table(pa.table(table), digest=f"facts of {len(texts)}")


def decide(texts: list[str], params: dict[str, object], **columns: list[object]) -> tuple[np.ndarray, np.ndarray]:
    """Return which texts are kept and the twins of the others."""
    operator = OPERATORS.build("near_dedup", params)
    assert isinstance(operator, NearDedup)
    measure = operator.params.measure
    pairs, first = near_pairs(pa.array(texts, pa.large_string()), operator.params)
    facts = facts_of(texts, **columns)
    view = View(
        rows=np.arange(len(texts)),
        keys=key64(facts.ids.to_pylist()),
        copies=np.ones(len(texts), dtype=np.int32),
        table=facts.table(sorted(operator.columns())) if operator.columns() else pa.table({}),
        evidence=GivenEvidence(arrays={(measure, "first"): first}, found={measure: pairs}),
    )
    decision = operator.decide(view)
    assert decision.twin is not None
    return decision.copies > 0, decision.twin


def chain() -> list[str]:
    """Return texts A, B, C with A~B and B~C alike at 0.6 but A and C not."""
    words = [f"w{k}" for k in range(40)]
    return [" ".join(words[start : start + 24]) for start in (0, 6, 12)]


def test_chain_never_drops_c_for_a() -> None:
    texts = chain()
    plain = [shingle_set(text, n=1) for text in texts]
    assert similarity(plain[0], plain[1]) == similarity(plain[1], plain[2]) == 0.6 > similarity(plain[0], plain[2])
    params: dict[str, object] = {"threshold": 0.6, "n": 1, "bands": 128, "rows": 1, "keep": "first id"}
    kept, twin = decide(texts, params)
    assert (kept.tolist(), twin.tolist()) == ([True, False, True], [-1, 0, -1])
    kept, twin = decide([texts[1], texts[0], texts[2]], params)
    assert (kept.tolist(), twin.tolist()) == ([True, False, False], [-1, 0, 0])


def test_identical_texts_keep_exactly_max_copies() -> None:
    texts = ["One and the same text, for everybody here."] * 20_000 + [""] * 20_000 + ["short"] * 10_000
    for copies in (1, 3):
        kept, twin = decide(texts, {"max_copies": copies, "keep": "first id"})
        assert np.flatnonzero(kept).tolist() == [start + k for start in (0, 20_000, 40_000) for k in range(copies)]
        assert kept[twin[twin >= 0]].all()


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"keep": "longest"}, 2),
        ({"keep": "shortest"}, 0),
        ({"keep": "first id"}, 0),
        ({"keep": "highest signal", "signal": "score"}, 1),
        ({"keep": "lowest signal", "signal": "score"}, 3),
        ({"keep": "newest", "date": "day"}, 3),
        ({"keep": "oldest", "date": "day"}, 1),
        ({"keep": "source order", "sources": ["web", "mail"]}, 2),
        ({"keep": "source order", "sources": ["mail", "web"], "then": ["longest"]}, 1),
        ({"keep": "source order", "sources": ["mail", "web"], "then": ["newest"], "date": "day"}, 0),
    ],
)
def test_keep_policy_chooses_the_survivor(params: dict[str, object], expected: int) -> None:
    base = "one two three four five six seven eight nine ten"
    kept, twin = decide(
        [base, base.upper() + "!", base + " ...", base + "."],
        params,
        score=[2.0, 9.0, None, 1.0],
        day=["2024-01-02", "2023-12-31", None, "2024-02-01"],
        source=["mail", "mail", "web", "press"],
    )
    assert np.flatnonzero(kept).tolist() == [expected]
    assert set(twin.tolist()) == {-1, expected}


def test_scope_keeps_one_document_of_each_source() -> None:
    texts = ["one two three four five six"] * 4 + ["one two three four five six seven"]
    kept, _ = decide(
        texts, {"within": "source", "threshold": 0.6, "keep": "first id"}, source=["a", "b", "a", "b", "b"]
    )
    assert np.flatnonzero(kept).tolist() == [0, 1]


def test_copies_may_depend_on_the_cluster() -> None:
    digest = "0" * 64
    texts = ["one two three four five six"] * 6
    kept, _ = decide(
        texts,
        {"clustering": digest, "cluster_copies": [[7, 4]], "keep": "first id"},
        **{f"cluster_{digest[:16]}": [7, 1, 7, 7, 1, 7]},
    )
    assert np.flatnonzero(kept).tolist() == [0, 2, 3, 5]


def test_same_selection_for_any_layout_and_every_drop_is_verified(tmp_path: Path) -> None:
    table = docstrings(("email", "logging"))
    changed = [text and edited(text, share=0.02, seed=k) for k, text in enumerate(table.column("text").to_pylist())]
    table = pa.concat_tables([table, table.set_column(0, "text", pa.array(changed, pa.string()))])
    recipe = Recipe().with_operator(OPERATORS.build("near_dedup", {"n": 3, "threshold": 0.7}))
    digests = []
    for seed, files in ((None, 1), (3, 4)):
        corpus = open_corpus(write_corpus(tmp_path / f"corpus-{files}", table, files=files, seed=seed))
        study = Study.open(corpus, Workspace(tmp_path / f"home-{files}"), steps=steps_for(corpus))
        assert [item.spec.title for item in study.pending(recipe)] == ["Finding near-duplicates"]
        study.measure(recipe)
        outcome = study.evaluate(recipe)
        digests.append(Selection.from_outcome(outcome, study.facts).digest)
    assert digests[0] == digests[1]
    texts = corpus.fetch(study.documents, np.arange(study.facts.n)).column("text").to_pylist()
    plain = [shingle_set(text, n=3) for text in texts]
    decision = outcome.traces["near-dedup"].decision
    assert decision.twin is not None and decision.similarity is not None
    dropped = np.flatnonzero(decision.copies == 0)
    assert len(dropped) > 100
    for row in dropped:
        twin = int(decision.twin[row])
        assert decision.copies[twin] > 0
        assert decision.similarity[row] == np.float32(similarity(plain[row], plain[twin]))
        assert decision.similarity[row] >= np.float32(0.7)
    kept = np.flatnonzero(decision.copies)
    assert decision.value is not None
    assert sum(decision.value.to_pylist()[row] for row in kept) == study.facts.n


def steps_for(corpus: object) -> list[object]:
    """Return the analysis steps that duplicates need."""
    from tamis.analytics.steps.corpus_columns import columns_step
    from tamis.analytics.steps.documents_step import documents_step
    from tamis.analytics.steps.facts_step import facts_step

    measured = (documents_step(), columns_step(corpus))  # type: ignore[arg-type]
    return [*measured, facts_step(measured)]


@PLAIN
@given(crowds(), st.lists(st.sampled_from([0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0]), unique=True, min_size=1), st.data())
def test_sweep_counts_what_the_star_drops_at_each_threshold(
    crowd: tuple[int, list[tuple[int, int, float]], list[int], list[int], list[int]],
    levels: list[float],
    data: st.DataObject,
) -> None:
    nodes, edges, node, copies, order = crowd
    left, right, values = (
        np.array([edge[k] for edge in edges], dtype=np.int64 if k < 2 else np.float32) for k in range(3)
    )
    graph = PairGraph.of(nodes, Pairs(left, right, values))
    weights = np.array([data.draw(st.integers(0, 50)) for _ in node], dtype=np.int64)
    codes = np.array([data.draw(st.integers(0, 2)) for _ in node], dtype=np.int64)
    of_node, ranked = np.array(node, dtype=np.int64), np.array(order, dtype=np.int64)
    limits = np.array(copies, dtype=np.int32)
    documents, tokens = sweep_star(
        graph, of_node, ranked, np.array(levels), copies=limits, weights=weights, codes=codes, width=3
    )
    for k, level in enumerate(levels):
        dropped = ~greedy_star(graph, of_node, ranked, threshold=level, copies=limits).kept
        assert tokens[k] == weights[dropped].sum()
        assert documents[k].tolist() == np.bincount(codes[dropped], minlength=3).tolist()


@PLAIN
@given(
    st.lists(st.integers(0, 9), max_size=20),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1]), max_size=20),
)
def test_one_group_is_joined_as_many_are(sets: list[int], linked: list[tuple[int, int]]) -> None:
    members = np.array(sets, dtype=np.int64)
    left, right = (np.array([pair[side] for pair in linked], dtype=np.int64) for side in (0, 1))
    pairs = Pairs(left, right, np.linspace(0.5, 1, len(linked), dtype=np.float32))
    nodes, node, joined = _pair_all(members, pairs, 10)
    expected, of_member = np.unique(members, return_inverse=True)
    slow = _pair_within_groups(pairs, expected, 1)
    assert np.array_equal(nodes, expected) and np.array_equal(node, of_member)
    for side in ("left", "right", "similarity"):
        assert np.array_equal(getattr(joined, side), getattr(slow, side))

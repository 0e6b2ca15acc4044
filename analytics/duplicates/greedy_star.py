"""The greedy star: which documents are kept among those connected by verified pairs.

Documents are decided in a total order. One is dropped if enough documents that are already kept are its direct,
verified matches; otherwise it is kept. So every dropped document has a kept twin within the threshold, chains
A~B~C never drop C for A, and the result depends on the order only. Connected components, the common alternative, drop
documents that are similar to no kept one.

Documents with the same shingle set form one node; pairs connect nodes. A kept document covers its node and the nodes
next to it, so the work grows with the pairs, however many documents a node has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.steps.measures import Pairs


@dataclass(frozen=True)
class PairGraph:
    """Nodes and their neighbours.

    Attributes:
        starts: int64 (k + 1,), where each node's neighbours begin.
        neighbours: int64 (e,), node numbers; every pair occurs in both directions.
        similarity: float32 (e,), of the pair.
    """

    starts: NDArray[np.int64]
    neighbours: NDArray[np.int64]
    similarity: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of(cls, nodes: int, pairs: Pairs) -> PairGraph:
        """Connect nodes by pairs of node numbers."""
        degree = np.bincount(pairs.left, minlength=nodes) + np.bincount(pairs.right, minlength=nodes)
        starts = np.zeros(nodes + 1, dtype=np.int64)
        np.cumsum(degree, out=starts[1:])
        neighbours = np.empty(2 * len(pairs.left), dtype=np.int64)
        similarity = np.empty(2 * len(pairs.left), dtype=np.float32)
        _connect(pairs.left, pairs.right, pairs.similarity, starts[:-1].copy(), neighbours, similarity)
        return cls(starts, neighbours, similarity)


@dataclass(frozen=True)
class Star:
    """The decisions of the greedy star, one per document, in the order of the input.

    Attributes:
        kept: bool (m,).
        twin: int64 (m,), the most similar document kept before a dropped one, -1 for kept documents.
        similarity: float32 (m,), similarity to the twin, NaN for kept documents.
    """

    kept: NDArray[np.bool_]
    twin: NDArray[np.int64]
    similarity: NDArray[np.float32]


def greedy_star(
    graph: PairGraph, node: NDArray[np.int64], order: NDArray[np.int64], *, threshold: float, copies: NDArray[np.int32]
) -> Star:
    """Decide every document.

    Args:
        graph: similarity between nodes; documents of the same node have similarity 1.
        node: int64 (m,), node of each document.
        order: int64 (m,), the documents from first to last.
        threshold: smallest similarity that counts, compared in float32.
        copies: int32 (m,), how many kept matches a document needs to be dropped, at least 1.
    """
    count = len(node)
    kept, twin = np.zeros(count, dtype=np.bool_), np.full(count, -1, dtype=np.int64)
    similarity = np.full(count, np.nan, dtype=np.float32)
    arguments = (graph.starts, graph.neighbours, graph.similarity, node, order, np.float32(threshold), copies)
    _greedy(*arguments, kept, twin, similarity)
    return Star(kept, twin, similarity)


@njit(cache=True, nogil=True)
def _connect(left, right, values, place, neighbours, similarity):  # type: ignore[no-untyped-def]
    for k in range(len(left)):
        a, b = left[k], right[k]
        neighbours[place[a]], similarity[place[a]] = b, values[k]
        place[a] += 1
        neighbours[place[b]], similarity[place[b]] = a, values[k]
        place[b] += 1


@njit(cache=True, nogil=True)
def _greedy(starts, neighbours, values, node, order, threshold, copies, kept, twin, similarity):  # type: ignore[no-untyped-def]
    nodes = len(starts) - 1
    covered = np.zeros(nodes, dtype=np.int32)
    best = np.full(nodes, -1, dtype=np.int64)
    closest = np.full(nodes, -1.0, dtype=np.float32)
    for d in order:
        own = node[d]
        if covered[own] >= copies[d]:
            twin[d], similarity[d] = best[own], closest[own]
            continue
        kept[d] = True
        covered[own] += 1
        if closest[own] < 1:
            best[own], closest[own] = d, np.float32(1)
        for k in range(starts[own], starts[own + 1]):
            if values[k] < threshold:
                continue
            other = neighbours[k]
            covered[other] += 1
            if values[k] > closest[other]:
                best[other], closest[other] = d, values[k]


def components(graph: PairGraph) -> NDArray[np.int64]:
    """Return the number of each node's connected component, int64 (k,): the smallest node in it."""
    found = np.arange(len(graph), dtype=np.int64)
    _unite(graph.starts, graph.neighbours, found)
    return found


@njit(cache=True, nogil=True)
def _unite(starts, neighbours, root):  # type: ignore[no-untyped-def]
    for node in range(len(starts) - 1):
        for k in range(starts[node], starts[node + 1]):
            a, b = node, neighbours[k]
            while root[a] != a:
                root[a] = root[root[a]]
                a = root[a]
            while root[b] != b:
                root[b] = root[root[b]]
                b = root[b]
            if a < b:
                root[b] = a
            else:
                root[a] = b
    for node in range(len(root)):
        # A root is smaller than its nodes, so it is final before them.
        root[node] = root[root[node]]


def sweep_star(
    graph: PairGraph,
    node: NDArray[np.int64],
    order: NDArray[np.int64],
    levels: NDArray[np.float64],
    *,
    copies: NDArray[np.int32],
    weights: NDArray[np.int64],
    codes: NDArray[np.int64],
    width: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what ``greedy_star`` drops at many thresholds.

    No document depends on those of another component, and a component is decided anew only at thresholds between which
    one of its similarities lies.

    Args:
        graph, node, order, copies: as for ``greedy_star``.
        levels: float64 (v,), thresholds, compared in float32.
        weights: int64 (m,), tokens of each document.
        codes: int64 (m,), number of each document's source.
        width: above every number of a source.

    Returns:
        int64 (v, width), dropped documents by source; int64 (v,), their tokens.
    """
    part = components(graph)[node]
    ranked = order[np.argsort(part[order], kind="stable")]
    starts = np.flatnonzero(np.diff(part[ranked], prepend=-1))
    ends = np.append(starts[1:], len(ranked))
    documents = np.zeros((len(levels), width), dtype=np.int64)
    tokens = np.zeros(len(levels), dtype=np.int64)
    rising = np.argsort(levels, kind="stable")
    singles = levels[rising].astype(np.float32)
    graph_of = (graph.starts, graph.neighbours, graph.similarity)
    _sweep(*graph_of, node, ranked, starts, ends, singles, copies, weights, codes, documents, tokens)
    given = np.argsort(rising, kind="stable")
    return documents[given], tokens[given]


@njit(cache=True, nogil=True)
def _sweep(first, neighbours, values, node, ranked, starts, ends, levels, copies, weights, codes, documents, tokens):  # type: ignore[no-untyped-def]
    covered = np.zeros(len(first) - 1, dtype=np.int32)
    changes = np.zeros(len(levels) + 1, dtype=np.bool_)
    gone, lost = np.zeros(documents.shape[1], dtype=np.int64), 0
    for c in range(len(starts)):
        changes[:] = False
        for k in range(starts[c], ends[c]):
            own = node[ranked[k]]
            for e in range(first[own], first[own + 1]):
                # From this level on, the pair does not count.
                changes[np.searchsorted(levels, values[e], side="right")] = True
        for level in range(len(levels)):
            if level == 0 or changes[level]:
                gone[:] = 0
                lost = 0
                for k in range(starts[c], ends[c]):
                    covered[node[ranked[k]]] = 0
                for k in range(starts[c], ends[c]):
                    d = ranked[k]
                    own = node[d]
                    if covered[own] >= copies[d]:
                        gone[codes[d]] += 1
                        lost += weights[d]
                        continue
                    covered[own] += 1
                    for e in range(first[own], first[own + 1]):
                        if values[e] >= levels[level]:
                            covered[neighbours[e]] += 1
            tokens[level] += lost
            for s in range(len(gone)):
                documents[level, s] += gone[s]

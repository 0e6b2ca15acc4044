"""Documents with similar ones, group by group, and the decision which of them a rule of duplicates drops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from tamis.analytics.duplicates.greedy_star import PairGraph, Star, greedy_star
from tamis.analytics.operators.keep_policy import Keeping
from tamis.analytics.operators.operator import Decision, View
from tamis.analytics.operators.sets import group_codes
from tamis.analytics.steps.measures import Pairs


@dataclass(frozen=True, eq=False)
class Crowd:
    """The documents of a view that have any match, ready to be decided.

    Attributes:
        members: int64 (m,), their places in the view.
        node: int64 (m,), node of each.
        graph: similarity of nodes.
        order: int64 (m,), members from first to last.
    """

    members: NDArray[np.int64]
    node: NDArray[np.int64]
    graph: PairGraph
    order: NDArray[np.int64]

    @classmethod
    def of(cls, operator: Keeping, view: View, *, sets: NDArray[np.int64], pairs: Pairs, within: str | None) -> Crowd:
        """Find the members.

        Args:
            operator: names the keep policy.
            view: the documents.
            sets: int64 (n,), number of the set each document belongs to; documents of one set are equal.
            pairs: similar sets.
            within: column whose values are decided on their own, or None.
        """
        codes, names = group_codes(view, within)
        size = 1 + max(int(part.max(initial=0)) for part in (sets, pairs.left, pairs.right))
        linked = np.zeros(size, dtype=bool)
        linked[pairs.left] = linked[pairs.right] = True
        many = np.bincount(sets, minlength=size) > 1
        members = np.flatnonzero((linked | many)[sets])
        if len(names) == 1:
            nodes, node, joined = _pair_all(sets[members], pairs, size)
        else:
            nodes, node = np.unique(sets[members] * len(names) + codes[members], return_inverse=True)
            joined = _pair_within_groups(pairs, nodes, len(names))
        graph = PairGraph.of(len(nodes), joined)
        order = np.lexsort((members, *reversed(operator.penalties(view, members))))
        return cls(members, node, graph, order)

    def star(self, copies: NDArray[np.int32], *, threshold: float = 0.0) -> Star:
        """Decide the members; ``copies`` int32 (m,) is how many kept matches each needs to be dropped."""
        return greedy_star(self.graph, self.node, self.order, threshold=threshold, copies=copies)

    def decision(self, view: View, operator: Keeping, threshold: str) -> Decision:
        """Decide the view; the value is the number of documents that a kept document stands for."""
        return _decision(view, self.members, self.star(operator.limits(view)[self.members]), threshold)


def _decision(view: View, members: NDArray[np.int64], star: Star, threshold: str) -> Decision:
    dropped = members[~star.kept]
    copies, twin = view.copies.copy(), np.full(len(view), -1, dtype=np.int64)
    similarity = np.full(len(view), np.nan, dtype=np.float32)
    copies[dropped] = 0
    place = members[star.twin[~star.kept]]
    twin[dropped] = view.rows[place]
    similarity[dropped] = star.similarity[~star.kept]
    stands_for = 1 + np.bincount(place, minlength=len(view)).astype(np.int32)
    stands_for[dropped] = stands_for[place]
    return Decision(copies=copies, value=pa.array(stands_for), twin=twin, similarity=similarity, threshold=threshold)


def _pair_all(sets: NDArray[np.int64], pairs: Pairs, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Pairs]:
    """Return what there is with a single group: the nodes, the node of each member, and pairs of node numbers.

    Args:
        sets: int64 (m,), set of each member.
        pairs: similar sets.
        size: above every number of a set.
    """
    there = np.zeros(size, dtype=bool)
    there[sets] = True
    place = np.cumsum(there) - 1
    both = there[pairs.left] & there[pairs.right]
    found = Pairs(place[pairs.left[both]], place[pairs.right[both]], pairs.similarity[both])
    return np.flatnonzero(there), place[sets], found


def _pair_within_groups(pairs: Pairs, nodes: NDArray[np.int64], groups: int) -> Pairs:
    """Return pairs of node numbers: nodes (set, group) of paired sets in the same group."""
    limits = tuple(np.searchsorted(nodes, side * groups + k) for side in (pairs.left, pairs.right) for k in (0, groups))
    count = _join(*limits, nodes, groups, pairs.similarity, *_empty(0))
    found = _empty(count)
    _join(*limits, nodes, groups, pairs.similarity, *found)
    return Pairs(*found)


def _empty(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    return np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64), np.empty(count, dtype=np.float32)


@njit(cache=True, nogil=True)
def _join(begin_a, end_a, begin_b, end_b, nodes, groups, values, left, right, similarity):  # type: ignore[no-untyped-def]
    count = 0
    for k in range(len(values)):
        i, j = begin_a[k], begin_b[k]
        while i < end_a[k] and j < end_b[k]:
            one, two = nodes[i] % groups, nodes[j] % groups
            if one == two:
                if len(left):
                    left[count], right[count], similarity[count] = i, j, values[k]
                count += 1
            i += one <= two
            j += two <= one
    return count

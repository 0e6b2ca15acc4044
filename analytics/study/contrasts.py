"""What sets the selected documents apart from the rest: groups that are more common in them, signals that differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.facts.column_info import ColumnInfo
from tamis.analytics.facts.facts import Facts
from tamis.analytics.study.groups import group_counts
from tamis.analytics.study.scene import Scene
from tamis.data.sql import ident

_ROLES = ("signal", "size", "measure")


@dataclass(frozen=True)
class SignalContrast:
    """One numeric column in the selection and in the rest. Exact.

    Attributes:
        column: the column.
        auc: chance that a value of a selected document exceeds one of the rest, a tie counting half (the area under
            the ROC curve, Mann and Whitney's U over all pairs): 0.5 = no difference, 1 or 0 = apart.
        selected, rest: lower medians.
    """

    column: str
    auc: float
    selected: float
    rest: float

    @property
    def strength(self) -> float:
        """Return how far the two sides are apart, 0 to 1."""
        return abs(2 * self.auc - 1)


@dataclass(frozen=True)
class GroupContrast:
    """One value of a category in the selection and in the rest. Exact.

    Attributes:
        value: the value, empty for documents without one.
        selected: documents of it in the selection.
        share: of the selection.
        rest: share of the other documents.
    """

    value: str
    selected: int
    share: float
    rest: float


def compared_columns(facts: Facts) -> tuple[ColumnInfo, ...]:
    """Return the numeric columns that are compared: what is measured or counted per document, no numbers of groups."""
    found = facts.named(numeric=True)
    return tuple(info for info in found if info.role in _ROLES and not info.name.endswith("_group"))


def group_contrasts(scene: Scene, column: str, *, limit: int = 6) -> tuple[tuple[GroupContrast, ...], int]:
    """Return the values of a category with the most selected documents, and how many values have any.

    Args:
        scene: the documents.
        column: a facts column.
        limit: values at most.
    """
    table = group_counts(scene, column, limit=None).table
    values, documents = table.column("value").to_pylist(), table.column("documents").to_numpy()
    selected = table.column("selected").to_numpy()
    inside, outside = max(int(selected.sum()), 1), max(int(documents.sum() - selected.sum()), 1)
    order = np.argsort(-selected, kind="stable")[: min(limit, int(np.count_nonzero(selected)))]
    rows = []
    for k in order.tolist():
        own = int(selected[k])
        rows.append(GroupContrast(str(values[k] or ""), own, own / inside, float(documents[k] - own) / outside))
    return tuple(rows), int(np.count_nonzero(selected))


def signal_contrasts(scene: Scene, *, limit: int = 8) -> tuple[SignalContrast, ...]:
    """Return the signals that differ most between the selection and the rest, ties by name.

    What was measured to make the selection, such as the cosines of a search by meaning, is left out.
    """
    facts, inside = scene.facts, scene.selected
    rows = np.flatnonzero(inside)
    own = {column for rule in scene.selection for column in rule.columns()}
    compared = [info for info in compared_columns(facts) if info.role != "measure" or info.name not in own]
    found = [(rank_auc(value_ranks(facts, info.name), rows), info.name) for info in compared]
    known = sorted((-abs(auc - 0.5), name, auc) for auc, name in found if not np.isnan(auc))
    shown = []
    for _, name, auc in known[:limit]:
        values = facts.numbers(name)
        shown.append(SignalContrast(name, auc, _median(values[rows]), _median(values[~inside])))
    return tuple(shown)


def rank_auc(ranks: NDArray[Any], rows: NDArray[np.int64]) -> float:
    """Return the chance that a value of the chosen rows exceeds one of the others, ties counting half; NaN undefined.

    Args:
        ranks: from ``value_ranks``.
        rows: int64 (m,), different rows.

    Source: Mann and Whitney 1947, "On a test of whether one of two random variables is stochastically larger".
    """
    own = ranks[rows]
    known = int(np.count_nonzero(own))
    others = int(np.count_nonzero(ranks)) - known
    if not known or not others:
        return float("nan")
    wins = int(own.sum(dtype=np.int64)) - known * (known + 1)  # Twice the pairs won.
    return wins / (2 * known * others)


def value_ranks(facts: Facts, column: str) -> NDArray[Any]:
    """Return twice the mean rank of each document's value from 1 on, int32 (n,), int64 from 2^30 documents on; cached.

    Documents without a value have 0.
    """

    def rank() -> NDArray[Any]:
        # Not through the cache of columns: all of them at once would push everything else out.
        source = facts.source([column])
        table = facts.query(f"SELECT CAST({ident(column)} AS DOUBLE) AS value FROM {source}", source)
        values = table.column("value").to_numpy()
        known = np.flatnonzero(~np.isnan(values))
        order = known[np.argsort(values[known])]  # Equal values share a rank, so their order does not matter.
        ranked = values[order]
        first = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])) if len(ranked) else known
        ends = np.append(first[1:], len(ranked))
        found = np.zeros(facts.n, dtype=np.int32 if facts.n < 2**30 else np.int64)
        found[order] = np.repeat(first + 1 + ends, ends - first)
        return found

    return facts.memo.through(("ranks", facts.digest, column), rank, size=lambda array: int(array.nbytes))


def prepare_contrasts(facts: Facts) -> None:
    """Rank every compared column, so that the next comparison is quick."""
    for info in compared_columns(facts):
        value_ranks(facts, info.name)


def _median(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(np.partition(known, (len(known) - 1) // 2)[(len(known) - 1) // 2]) if len(known) else float("nan")

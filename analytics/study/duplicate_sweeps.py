"""What other settings of a duplicate rule would drop: sweeps of threshold and copies, and the sizes of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.duplicates.greedy_star import sweep_star
from tamis.analytics.operators.crowd import Crowd
from tamis.analytics.operators.sets import GroupDedup
from tamis.analytics.study.duplicate_groups import Look, measured_pairs
from tamis.data.errors import RecipeError

SOURCES_SHOWN = 12


def _crowd(found: Look) -> Crowd:
    """Return all documents with a match, at any measured similarity."""
    if not isinstance(found.rule, GroupDedup):
        return found.rule.crowd(found.view)
    group = np.asarray(found.view.column(found.rule.group_column).to_numpy(zero_copy_only=False), dtype=np.int64)
    sets = np.where(group < 0, found.view.rows, group)
    return Crowd.of(found.rule, found.view, sets=sets, pairs=measured_pairs(found), within=found.rule.within)


@dataclass(frozen=True, eq=False)
class DuplicateSweep:
    """What a setting would drop, for many values of it.

    Attributes:
        values: float64 (v,), similarities or numbers of copies.
        documents, tokens: int64 (v,), dropped at each value.
        sources: the sources with the most documents, then "others"; empty without a source column.
        by_source: int64 (v, s), documents dropped of each source.
        current: value of the rule.
    """

    values: NDArray[np.float64]
    documents: NDArray[np.int64]
    tokens: NDArray[np.int64]
    sources: tuple[str, ...]
    by_source: NDArray[np.int64]
    current: float


def threshold_sweep(found: Look, levels: Sequence[float] | None = None) -> DuplicateSweep:
    """Return what other thresholds would drop, with the rule otherwise unchanged (the greedy rule for semantic ones).

    Args:
        found: a look at a near or semantic rule.
        levels: similarities; None for every hundredth that was measured, below 1.

    Raises:
        RecipeError: the rule has no threshold, or a level was not measured.
    """
    if isinstance(found.rule, GroupDedup):
        raise RecipeError("Exact duplicates have no threshold", value=found.rule.name)
    floor = found.rule.floor
    chosen = np.arange(round(floor * 100), 100) / 100 if levels is None else np.asarray(levels, dtype=np.float64)
    if len(chosen) and chosen.min() < floor:
        raise RecipeError("This similarity was not measured", value=float(chosen.min()), allowed=f"{floor:g} to 1")
    crowd = _crowd(found)
    names, codes = _sources(found)
    documents, tokens = sweep_star(
        crowd.graph, crowd.node, crowd.order, np.asarray(chosen, dtype=np.float64),
        copies=found.rule.limits(found.view)[crowd.members], weights=found.tokens[crowd.members],
        codes=codes[crowd.members], width=max(len(names), 1),
    )  # fmt: skip
    by_source = documents[:, : len(names)]
    return DuplicateSweep(chosen, documents.sum(axis=1), tokens, names, by_source, found.rule.level)


def copies_sweep(found: Look, copies: Sequence[int] = (1, 2, 3, 4, 5, 8, 10, 20, 50, 100)) -> DuplicateSweep:
    """Return what other numbers of copies would drop, with the rule otherwise unchanged.

    Args:
        found: a look at an exact, near or greedy semantic rule.
        copies: numbers of copies.
    """
    crowd = _crowd(found)
    level = 0.0 if isinstance(found.rule, GroupDedup) else found.rule.level
    drops = []
    for count in copies:
        wanted = np.full(len(crowd.members), count, dtype=np.int32)
        drops.append(crowd.members[~crowd.star(wanted, threshold=level).kept])
    return _sweep(found, np.asarray(copies, dtype=np.float64), drops, float(found.rule.max_copies))


def _sweep(found: Look, values: NDArray[np.float64], drops: list[NDArray[np.int64]], current: float) -> DuplicateSweep:
    names, codes = _sources(found)
    width = max(len(names), 1)
    by_source = np.array([np.bincount(codes[drop], minlength=width) for drop in drops]).reshape(len(values), width)
    return DuplicateSweep(
        values=values,
        documents=np.array([len(drop) for drop in drops], dtype=np.int64),
        tokens=np.array([found.tokens[drop].sum() for drop in drops], dtype=np.int64),
        sources=names,
        by_source=by_source[:, : len(names)],
        current=current,
    )


def _sources(found: Look) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the sources shown and the number of each document's, int64 (n,)."""
    if "source" not in found.facts.columns:
        return (), np.zeros(len(found.view), dtype=np.int64)
    values = found.facts.array("source").cast(pa.string()).take(pa.array(found.view.rows)).fill_null("")
    encoded = values.dictionary_encode()
    names = [str(name) for name in encoded.dictionary.to_pylist()]
    codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    counts = np.bincount(codes, minlength=len(names))
    ranked = sorted(range(len(names)), key=lambda k: (-counts[k], names[k]))
    place = np.full(len(names) + 1, SOURCES_SHOWN, dtype=np.int64)
    place[ranked[:SOURCES_SHOWN]] = np.arange(min(SOURCES_SHOWN, len(names)))
    shown = tuple(names[k] or "(none)" for k in ranked[:SOURCES_SHOWN])
    return shown + (("others",) if len(names) > SOURCES_SHOWN else ()), place[codes]


@dataclass(frozen=True, eq=False)
class GroupSizes:
    """The histogram of group sizes.

    Attributes:
        low, high: int64 (b,), sizes a bin holds, both ends included; each bin is twice as wide as the one before.
        groups: int64 (b,), groups of those sizes.
        documents: int64 (b,), documents in them.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    groups: NDArray[np.int64]
    documents: NDArray[np.int64]


def group_sizes(found: Look) -> GroupSizes:
    """Return the histogram of group sizes, a kept document and all dropped for it; single documents are left out."""
    _, counts = np.unique(found.twins[found.twins >= 0], return_counts=True)
    sizes = counts + 1
    bins = np.floor(np.log2(np.maximum(sizes, 2) - 0.5)).astype(np.int64) if len(sizes) else np.empty(0, np.int64)
    number = int(bins.max()) + 1 if len(bins) else 0
    low = 2 ** np.arange(number) + 1
    groups = np.bincount(bins, minlength=number)
    documents = np.bincount(bins, weights=sizes, minlength=number).astype(np.int64)
    return GroupSizes(low, 2 ** (np.arange(number) + 1), groups, documents)

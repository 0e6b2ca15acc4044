"""Questions of the Duplicates page: groups and their members, and the pairs nearest to the threshold.

Every question starts from ``look``: a duplicate rule tried on the documents that reach it.

What other settings of a duplicate rule would drop: sweeps of threshold and copies, and the sizes of groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.duplicates import Crowd, NearDedup, SemanticDedup
from tamis.analytics.operators.keep_policy import Keeping
from tamis.analytics.operators.operator import Decision, Evidence, View, measures_of
from tamis.analytics.operators.sets import ExactDedup
from tamis.analytics.recipe.plan import attach
from tamis.analytics.steps.measures import Pairs
from tamis.data.errors import RecipeError

Rule = ExactDedup | NearDedup | SemanticDedup
Order = Literal["largest", "tokens", "least similar"]
LARGE_SHARE, LARGE_COUNT = 0.01, 1_000


@dataclass(frozen=True, eq=False)
class Look:
    """A duplicate rule tried on documents.

    Attributes:
        facts: with the columns the rule reads.
        rule: the rule.
        view: the documents that reach it.
        decision: what it decides, aligned with the view.
    """

    facts: Facts
    rule: Rule
    view: View
    decision: Decision

    @cached_property
    def dropped(self) -> NDArray[np.int64]:
        """Return the places of dropped documents in the view, ascending int64 (d,)."""
        return np.flatnonzero(self.decision.copies == 0)

    @cached_property
    def twins(self) -> NDArray[np.int64]:
        """Return the facts row of the kept twin of each dropped document, int64 (d,), -1 where there is none."""
        twin = self.decision.twin
        return np.full(len(self.dropped), -1, dtype=np.int64) if twin is None else twin[self.dropped]

    @cached_property
    def similarity(self) -> NDArray[np.float32]:
        """Return the similarity of each dropped document to its twin, float32 (d,)."""
        found = self.decision.similarity
        return np.ones(len(self.dropped), dtype=np.float32) if found is None else found[self.dropped]

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """Return the tokens of each document of the view, int64 (n,)."""
        return self.facts.whole("n_tokens")[self.view.rows]


def look(facts: Facts, evidence: Evidence, rule: Rule, *, rows: NDArray[np.int64] | None = None) -> Look:
    """Try a rule.

    Args:
        facts: the documents.
        evidence: must hold what ``rule.measures()`` names.
        rule: an exact, near or semantic duplicate rule.
        rows: ascending facts rows that reach the rule, such as ``outcome.traces[step].rows``; None for all.

    Raises:
        RecipeError: a measurement or a column is missing.
    """
    known = attach(facts, measures_of(rule), evidence)
    reaching = np.arange(facts.n, dtype=np.int64) if rows is None else rows
    columns = sorted(rule.columns())
    view = View(
        rows=reaching,
        keys=facts.keys[reaching],
        copies=np.ones(len(reaching), dtype=np.int32),
        table=known.table(columns, reaching) if columns else pa.table({"row": reaching}),
        evidence=evidence,
    )
    return Look(known, rule, view, rule.decide(view))


@dataclass(frozen=True)
class DuplicateTotals:
    """Counts of duplicates.

    Attributes:
        documents: that reach the rule.
        groups: kept documents with duplicates that were dropped.
        dropped: documents dropped.
        dropped_tokens: their tokens.
        large: groups that the page points out before they are dropped, see ``is_large``.
    """

    documents: int
    groups: int
    dropped: int
    dropped_tokens: int
    large: int


def duplicate_totals(found: Look) -> DuplicateTotals:
    """Return the totals of a look."""
    with_twin = found.twins[found.twins >= 0]
    _, counts = np.unique(with_twin, return_counts=True)
    return DuplicateTotals(
        documents=len(found.view),
        groups=len(counts),
        dropped=len(found.dropped),
        dropped_tokens=int(found.tokens[found.dropped].sum()),
        large=int(np.count_nonzero(is_large(counts + 1, len(found.view)))),
    )


def is_large(sizes: NDArray[np.int64], documents: int) -> NDArray[np.bool_]:
    """Say which groups are large enough to look at before dropping them: a hundredth of all, or a thousand."""
    return (sizes >= LARGE_COUNT) | ((sizes >= LARGE_SHARE * documents) & (sizes >= 10))


@dataclass(frozen=True)
class GroupPage:
    """Some duplicate groups.

    Attributes:
        table: ``row`` (facts row of the kept document), ``id``, ``size`` (it included), ``dropped``,
            ``dropped_tokens``, ``least_similar`` (float32), ``source`` where there is one, and ``large``.
        total: number of groups.
        offset: place of the first one.
    """

    table: pa.Table
    total: int
    offset: int


def duplicate_groups(
    found: Look, *, order: Order = "largest", source: str | None = None, offset: int = 0, limit: int = 50
) -> GroupPage:
    """Return duplicate groups: each kept document with those dropped for it. Ties go by id.

    Args:
        found: the look.
        order: largest first, most dropped tokens first, or least similar member first.
        source: only groups whose kept document has this source.
        offset, limit: the page.
    """
    there = found.twins >= 0
    leaders, place = np.unique(found.twins[there], return_inverse=True)
    dropped = np.bincount(place, minlength=len(leaders))
    tokens = np.zeros(len(leaders), dtype=np.int64)
    np.add.at(tokens, place, found.tokens[found.dropped[there]])
    least = np.full(len(leaders), np.inf, dtype=np.float32)
    np.minimum.at(least, place, found.similarity[there])
    keys: dict[Order, NDArray[Any]] = {"largest": -dropped, "tokens": -tokens, "least similar": least}
    ranked = np.lexsort((leaders, keys[order]))
    if source is not None and "source" in found.facts.columns:
        own = np.asarray(found.facts.array("source").cast(pa.string()).take(pa.array(leaders)).to_numpy(False))
        ranked = ranked[own[ranked] == source]
    shown = ranked[offset : offset + limit]
    rows = leaders[shown]
    columns = {
        "row": pa.array(rows),
        "id": found.facts.ids.take(pa.array(rows)),
        "size": pa.array(dropped[shown] + 1),
        "dropped": pa.array(dropped[shown]),
        "dropped_tokens": pa.array(tokens[shown]),
        "least_similar": pa.array(least[shown]),
        "large": pa.array(is_large(dropped[shown] + 1, len(found.view))),
    }
    return GroupPage(pa.table({**columns, **_source(found.facts, rows)}), len(ranked), offset)


def group_members(found: Look, leader: int, *, limit: int = 200) -> pa.Table:
    """Return the documents of a group: the kept one, then those dropped for it, least similar first, ties by id.

    Columns ``row``, ``id``, ``kept``, ``similarity`` (float32, 1 for the kept one), ``tokens``, ``source`` if any.

    Args:
        found: the look.
        leader: facts row of the kept document.
        limit: dropped documents at most.
    """
    mine = np.flatnonzero(found.twins == leader)
    mine = mine[np.lexsort((found.dropped[mine], found.similarity[mine]))][:limit]
    rows = np.append(np.int64(leader), found.view.rows[found.dropped[mine]])
    columns = {
        "row": pa.array(rows),
        "id": found.facts.ids.take(pa.array(rows)),
        "kept": pa.array([True] + [False] * len(mine)),
        "similarity": pa.array(np.append(np.float32(1), found.similarity[mine])),
        "tokens": pa.array(found.facts.whole("n_tokens")[rows]),
    }
    return pa.table({**columns, **_source(found.facts, rows)})


def _source(facts: Facts, rows: NDArray[np.int64]) -> dict[str, pa.Array]:
    return {"source": facts.array("source").take(pa.array(rows))} if "source" in facts.columns else {}


def borderline_pairs(found: Look, *, limit: int = 100) -> pa.Table:
    """Return the measured pairs nearest to the threshold, on either side of it; ties by ids.

    Columns ``left`` and ``right`` (facts rows), ``left_id``, ``right_id``, ``similarity`` (float32), ``duplicate``
    (whether it reaches the threshold), ``left_kept``, ``right_kept``. Exact duplicates have no such pairs.

    Args:
        found: a look at a near or semantic rule.
        limit: pairs at most.
    """
    pairs = measured_pairs(found)
    reaching = np.zeros(found.facts.n, dtype=bool)
    reaching[found.view.rows] = True
    inside = np.flatnonzero(reaching[pairs.left] & reaching[pairs.right])
    level = 1.0 if isinstance(found.rule, ExactDedup) else found.rule.level
    away = np.abs(pairs.similarity[inside] - np.float32(level))
    if len(inside) > limit:
        near = np.argpartition(away, limit)
        inside = inside[away <= away[near[limit]]]
        away = np.abs(pairs.similarity[inside] - np.float32(level))
    chosen = inside[np.lexsort((pairs.right[inside], pairs.left[inside], away))][:limit]
    left, right, similarity = pairs.left[chosen], pairs.right[chosen], pairs.similarity[chosen]
    kept = np.zeros(found.facts.n, dtype=bool)
    kept[found.view.rows] = found.decision.copies > 0
    return pa.table(
        {
            "left": left,
            "right": right,
            "left_id": found.facts.ids.take(pa.array(left)),
            "right_id": found.facts.ids.take(pa.array(right)),
            "similarity": similarity,
            "duplicate": similarity >= np.float32(level),
            "left_kept": kept[left],
            "right_kept": kept[right],
        }
    )


def measured_pairs(found: Look) -> Pairs:
    """Return all measured pairs of the rule, none for exact duplicates."""
    if isinstance(found.rule, ExactDedup):
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    return found.view.evidence.pairs(found.rule.params.measure)


def rule_of(operator: Keeping) -> Rule:
    """Return the operator as a duplicate rule.

    Raises:
        RecipeError: it is another kind of operator.
    """
    if isinstance(operator, (ExactDedup, NearDedup, SemanticDedup)):
        return operator
    raise RecipeError("This is not a duplicate rule", value=operator.name)


SOURCES_SHOWN = 12


def _crowd(found: Look) -> Crowd:
    """Return all documents with a match, at any measured similarity."""
    if not isinstance(found.rule, ExactDedup):
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
    if isinstance(found.rule, ExactDedup):
        raise RecipeError("Exact duplicates have no threshold", value=found.rule.name)
    floor = found.rule.params.floor
    chosen = np.arange(round(floor * 100), 100) / 100 if levels is None else np.asarray(levels, dtype=np.float64)
    if len(chosen) and chosen.min() < floor:
        raise RecipeError("This similarity was not measured", value=float(chosen.min()), allowed=f"{floor:g} to 1")
    crowd = _crowd(found)
    copies = found.rule.limits(found.view)[crowd.members]
    drops = [crowd.members[~crowd.star(copies, threshold=level).kept] for level in chosen]
    return _sweep(found, chosen, drops, found.rule.level)


def copies_sweep(found: Look, copies: Sequence[int] = (1, 2, 3, 4, 5, 8, 10, 20, 50, 100)) -> DuplicateSweep:
    """Return what other numbers of copies would drop, with the rule otherwise unchanged.

    Args:
        found: a look at an exact, near or greedy semantic rule.
        copies: numbers of copies.
    """
    crowd = _crowd(found)
    level = 0.0 if isinstance(found.rule, ExactDedup) else found.rule.level
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

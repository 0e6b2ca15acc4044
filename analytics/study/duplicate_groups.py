"""Questions of the Duplicates page: groups and their members, and the pairs nearest to the threshold.

Every question starts from ``look``: a duplicate rule tried on the documents that reach it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.duplicates import PairDedup
from tamis.analytics.operators.keep_policy import Keeping
from tamis.analytics.operators.operator import Decision, Evidence, View, measures_of
from tamis.analytics.operators.sets import GroupDedup
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.plan import attach
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.steps.measures import Pairs
from tamis.data.errors import RecipeError

Rule = GroupDedup | PairDedup
Order = Literal["largest", "tokens", "least similar"]
LARGE_SHARE, LARGE_COUNT = 0.01, 1_000
BORDER = 200
"""Pairs nearest to the threshold that pages show."""


@dataclass(frozen=True, eq=False)
class KeptGroups:
    """The kept documents that others were dropped for, ascending, and their groups.

    Attributes:
        leaders: int64 (g,), facts rows of the kept documents.
        dropped: int64 (g,), documents dropped for each.
        tokens: int64 (g,), their tokens.
        least: float32 (g,), least similarity of one of them.
    """

    leaders: NDArray[np.int64]
    dropped: NDArray[np.int64]
    tokens: NDArray[np.int64]
    least: NDArray[np.float32]


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
    def border(self) -> pa.Table:
        """Return the pairs nearest to the threshold, as ``borderline_pairs``."""
        return borderline_pairs(self, limit=BORDER)

    @cached_property
    def groups(self) -> KeptGroups:
        """Return the groups, each by its kept document."""
        there = self.twins >= 0
        leaders, place = np.unique(self.twins[there], return_inverse=True)
        tokens = np.zeros(len(leaders), dtype=np.int64)
        np.add.at(tokens, place, self.tokens[self.dropped[there]])
        least = np.full(len(leaders), np.inf, dtype=np.float32)
        np.minimum.at(least, place, self.similarity[there])
        return KeptGroups(leaders, np.bincount(place, minlength=len(leaders)), tokens, least)

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """Return the tokens of each document of the view, int64 (n,); zeros where they are not counted."""
        return _tokens(self.facts, self.view.rows)


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
    groups = found.groups
    leaders, dropped, tokens, least = groups.leaders, groups.dropped, groups.tokens, groups.least
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
        "tokens": pa.array(_tokens(found.facts, rows)),
    }
    return pa.table({**columns, **_source(found.facts, rows)})


def _tokens(facts: Facts, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the tokens of documents, int64 (n,); zeros where they are not counted, as those of pictures."""
    if "n_tokens" not in facts.columns:
        return np.zeros(len(rows), dtype=np.int64)
    return np.asarray(facts.whole("n_tokens")[rows])


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
    level = 1.0 if isinstance(found.rule, GroupDedup) else found.rule.level
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
    if isinstance(found.rule, GroupDedup):
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
    return found.view.evidence.pairs(found.rule.measure)


def step_like(recipe: Recipe, rule: Rule) -> Step | None:
    """Return the first step of a recipe that is the same kind of duplicate rule on the same part, None without one."""
    part = getattr(rule, "of", None)
    return next(
        (step for step in recipe if type(step.operator) is type(rule) and getattr(step.operator, "of", None) == part),
        None,
    )


def reaching_rows(outcome: Outcome | None, recipe: Recipe, step: Step | None) -> NDArray[np.int64] | None:
    """Return the ascending facts rows that reach a step, or the end of the recipe, int64 (m,); None for all.

    Args:
        outcome: of the recipe; None without one.
        recipe: the live recipe.
        step: a step of it, also one that is switched off; None for a new one at the end.
    """
    if outcome is None or not outcome.steps:
        return None
    end = len(recipe) if step is None else recipe.index(step.id)
    before = sum(other.enabled for other in recipe.steps[:end])
    return np.flatnonzero((outcome.deciding == 0) | (outcome.deciding > before)).astype(np.int64)


def rule_of(operator: Keeping) -> Rule:
    """Return the operator as a duplicate rule.

    Raises:
        RecipeError: it is another kind of operator.
    """
    if isinstance(operator, Rule):
        return operator
    raise RecipeError("This is not a duplicate rule", value=operator.name)

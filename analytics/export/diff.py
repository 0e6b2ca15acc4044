"""The differences of two recipes: rules, and documents they treat differently, with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tamis.analytics.export.bundle import Bundle
from tamis.analytics.export.bundle_study import open_for, study_for
from tamis.analytics.facts.facts import Facts
from tamis.analytics.recipe.ledger import ledger
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.plan import attach
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.study.study import Study
from tamis.analytics.training.plan import TrainingPlan, has_training
from tamis.data.progress import Progress
from tamis.data.sql import ident
from tamis.data.workspace import Workspace

Change = Literal["added", "removed", "changed", "moved", "switched on", "switched off"]


@dataclass(frozen=True)
class RuleChange:
    """One step that differs.

    Attributes:
        step: its id.
        change: its change from the first recipe to the second.
        before, after: its sentence in each, empty where it is absent.
        params: (parameter, before, after) for each parameter that differs.
    """

    step: str
    change: Change
    before: str
    after: str
    params: tuple[tuple[str, Any, Any], ...] = ()


@dataclass(frozen=True)
class DocumentDiff:
    """Documents that two outcomes on the same facts treat differently.

    Attributes:
        same: documents treated alike: kept by both with equal copies, or dropped by both.
        gained: documents only the second keeps.
        lost: documents only the first keeps.
        recounted: documents both keep with another number of copies.
        reasons: ``change`` (gained, lost, other reason), ``before`` and ``after`` (step that drops, NULL = kept),
            ``documents``, ``tokens``; the largest first.
        groups: ``column`` (cluster, source ...), ``value``, ``gained``, ``lost``; the largest change first.
        rows: facts rows gained or lost, ascending int64 (m,).
        is_lost: which of them are lost, bool (m,).
    """

    same: int
    gained: int
    lost: int
    recounted: int
    reasons: pa.Table
    groups: pa.Table
    rows: NDArray[np.int64]
    is_lost: NDArray[np.bool_]

    @property
    def gained_rows(self) -> NDArray[np.int64]:
        """Return the facts rows that only the second recipe keeps, ascending."""
        return self.rows[~self.is_lost]

    @property
    def lost_rows(self) -> NDArray[np.int64]:
        """Return the facts rows that only the first recipe keeps, ascending."""
        return self.rows[self.is_lost]


def diff_recipes(before: Recipe, after: Recipe) -> tuple[RuleChange, ...]:
    """Return the steps that differ, in the order of the second recipe, removed ones last. Steps are matched by id."""
    old = {step.id: step for step in before}
    new = {step.id: step for step in after}
    shared_before = [step.id for step in before if step.id in new]
    shared_after = [step.id for step in after if step.id in old]
    moved = set(shared_after) - _in_order(shared_before, shared_after)
    changes = []
    for step in after:
        if step.id not in old:
            changes.append(RuleChange(step.id, "added", "", step.operator.sentence()))
        else:
            changes += _changes(old[step.id], step, moved=step.id in moved)
    changes += [RuleChange(step.id, "removed", step.operator.sentence(), "") for step in before if step.id not in new]
    return tuple(changes)


def _changes(before: Step, after: Step, *, moved: bool) -> list[RuleChange]:
    """Return the changes of one step."""
    old, new = before.operator.sentence(), after.operator.sentence()
    found = []
    if before.operator != after.operator:
        names = list(dict.fromkeys([*before.params, *after.params]))
        pairs = [(name, before.params.get(name), after.params.get(name)) for name in names]
        params = tuple(pair for pair in pairs if pair[1] != pair[2])
        if before.operator.name != after.operator.name:
            params = (("operator", before.operator.name, after.operator.name), *params)
        found.append(RuleChange(after.id, "changed", old, new, params))
    if before.enabled != after.enabled:
        found.append(RuleChange(after.id, "switched on" if after.enabled else "switched off", old, new))
    if moved:
        found.append(RuleChange(after.id, "moved", old, new))
    return found


def _in_order(before: list[str], after: list[str]) -> set[str]:
    """Return a longest set of ids that have the same order in both lists."""
    rank = {step: place for place, step in enumerate(before)}
    best: list[tuple[str, ...]] = [()]
    for step in after:
        fitting = [chain for chain in best if not chain or rank[chain[-1]] < rank[step]]
        best.append((*sorted(fitting, key=len)[-1], step))
    return set(sorted(best, key=len)[-1])


def diff_outcomes(before: Outcome, after: Outcome, facts: Facts, *, limit: int = 30) -> DocumentDiff:
    """Return which documents two outcomes on the same facts treat differently, by reason and by group.

    Args:
        before, after: outcomes on ``facts``.
        facts: the documents.
        limit: rows of each group column at most.
    """
    gained, lost = ~before.kept & after.kept, before.kept & ~after.kept
    recounted = before.kept & after.kept & (before.copies != after.copies)
    other = ~before.kept & ~after.kept & (_names(before, after) != _names(after, before))
    changed = np.where(gained, 1, np.where(lost, 2, np.where(other, 3, 0))).astype(np.int8)
    differs = gained | lost
    return DocumentDiff(
        same=int(facts.n - np.count_nonzero(differs | recounted)),
        gained=int(np.count_nonzero(gained)),
        lost=int(np.count_nonzero(lost)),
        recounted=int(np.count_nonzero(recounted)),
        reasons=_reasons(before, after, facts, changed),
        groups=_groups(facts, changed, limit=limit),
        rows=np.flatnonzero(differs),
        is_lost=lost[differs],
    )


def _names(outcome: Outcome, other: Outcome) -> NDArray[np.int16]:
    """Return the number of the deciding step's id among those of both outcomes, int16 (n,), 0 = kept."""
    names = sorted({step.id for step in (*outcome.steps, *other.steps)})
    places = [0, *(1 + names.index(step.id) for step in outcome.steps)]
    return np.asarray(places, dtype=np.int16)[outcome.deciding]


def _reasons(before: Outcome, after: Outcome, facts: Facts, changed: NDArray[np.int8]) -> pa.Table:
    width = len(after.steps) + 1
    rows = np.flatnonzero(changed)
    pair = before.deciding[rows].astype(np.int64) * width + after.deciding[rows]
    codes, inverse = np.unique(pair, return_inverse=True)
    documents = np.bincount(inverse, minlength=len(codes))
    tokens = np.bincount(inverse, weights=facts.whole("n_tokens")[rows], minlength=len(codes)).astype(np.int64)
    order = np.lexsort((codes, -documents))
    old = [None, *(step.id for step in before.steps)]
    new = [None, *(step.id for step in after.steps)]
    first = [old[int(code) // width] for code in codes[order]]
    second = [new[int(code) % width] for code in codes[order]]
    words = [
        "gained" if b is None else "lost" if a is None else "other reason" for a, b in zip(first, second, strict=True)
    ]
    return pa.table(
        {
            "change": pa.array(words, pa.string()),
            "before": pa.array(first, pa.string()),
            "after": pa.array(second, pa.string()),
            "documents": pa.array(documents[order], pa.int64()),
            "tokens": pa.array(tokens[order], pa.int64()),
        }
    )


def _groups(facts: Facts, changed: NDArray[np.int8], *, limit: int) -> pa.Table:
    """Return gained and lost documents by cluster, source, language and label, where the corpus has them."""
    tables = []
    for column in [name for name in ("cluster", "source", "lang", "label") if name in facts.columns]:
        source = facts.source([column], also={"changed": changed})
        tables.append(
            facts.query(
                f"SELECT '{column}' AS \"column\", CAST({ident(column)} AS VARCHAR) AS value,"
                " count(*) FILTER (changed = 1) AS gained, count(*) FILTER (changed = 2) AS lost"
                f" FROM {source} WHERE changed IN (1, 2) GROUP BY 2 ORDER BY gained + lost DESC, value NULLS LAST"
                f" LIMIT {int(limit)}",
                source,
            )
        )
    empty = {"column": pa.string(), "value": pa.string(), "gained": pa.int64(), "lost": pa.int64()}
    return pa.concat_tables([pa.schema(list(empty.items())).empty_table(), *tables])


@dataclass(frozen=True)
class BundleDiff:
    """What differs between two bundles, on one corpus.

    Attributes:
        rules: the steps that differ.
        documents: the documents treated differently.
        before, after: ledger rows of the documents that only one of them keeps: why the other drops them.
        training: digests of both plans of training, None where a bundle has no such step.
    """

    rules: tuple[RuleChange, ...]
    documents: DocumentDiff
    before: pa.Table
    after: pa.Table
    training: tuple[str | None, str | None] = (None, None)


def diff_bundles(
    before: Bundle,
    after: Bundle,
    path: str | Path,
    *,
    workspace: Workspace | None = None,
    roles: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> BundleDiff:
    """Run two bundles on a corpus and return their differences.

    Raises:
        TamisError: as opening, analysis and recipes raise.
    """
    home = workspace or Workspace.default()
    corpus = open_for(after, path, home, roles=roles)
    studies = [study_for(bundle, corpus, home, also={"columns"}, progress=progress) for bundle in (before, after)]
    outcomes = [study.evaluate(bundle.recipe) for study, bundle in zip(studies, (before, after), strict=True)]
    documents = diff_outcomes(outcomes[0], outcomes[1], _richest(studies))
    ids = studies[0].facts.ids.take(pa.array(documents.rows))
    ledgers = [_explained(study, outcome, ids) for study, outcome in zip(studies, outcomes, strict=True)]
    plans = [
        TrainingPlan.make(study, outcome).digest if has_training(outcome.recipe) else None
        for study, outcome in zip(studies, outcomes, strict=True)
    ]
    rules = diff_recipes(before.recipe, after.recipe)
    return BundleDiff(rules, documents, ledgers[0], ledgers[1], training=(plans[0], plans[1]))


def _richest(studies: list[Study]) -> Facts:
    """Return the facts with the most columns, to group by."""
    return max((study.facts for study in studies), key=lambda facts: len(facts.columns))


def _explained(study: Study, outcome: Outcome, ids: pa.Array) -> pa.Table:
    """Return the ledger rows of the given documents."""
    table = ledger(outcome, attach(study.facts, outcome.recipe.measures(), study.evidence), study.evidence)
    return table.filter(pc.is_in(table.column("id"), value_set=ids))

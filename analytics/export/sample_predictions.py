"""Predictions from a sample: the documents that each step of a recipe leaves of the whole.

Every step is predicted by itself on the documents that the steps before it leave: its bounds follow from the bounds of
its input and its effect in the sample. Amounts (a token budget, a number of documents)
mean the whole, so the recipe runs on the sample once more with amounts scaled by the part drawn.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tamis.analytics.export.lock import LockedSample
from tamis.analytics.facts.facts import Facts
from tamis.analytics.operators.duplicates import PairDedup
from tamis.analytics.operators.keep_policy import Keeping
from tamis.analytics.operators.operator import Operator, TextOperator, TrainingOperator
from tamis.analytics.operators.sets import GroupDedup, TokenBudget
from tamis.analytics.recipe.outcome import Outcome
from tamis.analytics.recipe.recipe import Recipe, Step
from tamis.analytics.study.design_sample import DesignSample, sample_at
from tamis.analytics.study.extrapolation import (
    DedupGroups,
    Expected,
    Method,
    Prediction,
    amount_kept,
    groups_kept,
    share_kept,
)
from tamis.analytics.study.study import Study

AMOUNTS = ("amount", "documents", "tokens", "count")
COMPARED = frozenset({"norm_count", "norm_group", "text_group", "outlier", "density"})
"""Columns whose values depend on the other documents: predictions of rules that read them have trivial bounds."""


def scale_recipe(recipe: Recipe, part: float) -> Recipe:
    """Return the recipe with every amount multiplied by ``part``, at least 1."""
    for step in recipe.steps:
        changes = {
            name: max(1, round(value * part))
            for name in AMOUNTS
            if isinstance(value := getattr(step.operator, name, None), int) and not isinstance(value, bool)
        }
        if changes:
            operator = type(step.operator).model_validate({**step.operator.model_dump(), **changes})
            recipe = replace(
                recipe, steps=tuple(replace(each, operator=operator) if each is step else each for each in recipe.steps)
            )
    return recipe


def predictions(study: Study, outcome: Outcome, drawn: DesignSample) -> tuple[Prediction, ...]:
    """Return what each active step will leave of the whole.

    Args:
        study: of the sample.
        outcome: of the recipe on the sample.
        drawn: the sample.
    """
    part = drawn.drawn / max(drawn.documents, 1)
    scaled = scale_recipe(outcome.recipe, part)
    seen = outcome if scaled == outcome.recipe else study.evaluate(scaled)
    now, found = Expected.exactly(drawn.documents), []
    for number, step in enumerate(seen.steps, start=1):
        before, after = seen.counts[number - 1].documents, seen.counts[number].documents
        operator = step.operator
        method = _method(operator)
        if method == "groups" or method == "pairs":
            now = _deduplicated(now, operator, _groups(seen, step.id, before, after), alike=method == "groups")
        elif method == "amount":
            now = amount_kept(now, after, part, spread=_spread(study.facts, seen, step))
        elif method == "compared":
            now = Expected(0.0, now.middle * after / max(before, 1), now.high).ordered()
        elif method == "share":
            now = share_kept(now, after, before)
        found.append(Prediction(step.id, int(now.low), round(now.middle), int(np.ceil(now.high)), method))
    return tuple(found)


def locked_sample(study: Study, outcome: Outcome) -> LockedSample | None:
    """Return the sample of a recipe and its predictions for the whole; None where the corpus is no sample."""
    drawn = sample_at(study.corpus.path)
    if drawn is None:
        return None
    promised = predictions(study, outcome, drawn)
    return LockedSample(drawn.fingerprint, drawn.documents, drawn.drawn, drawn.seed, drawn.strata, promised)


def _method(operator: Operator) -> Method:
    if isinstance(operator, TextOperator | TrainingOperator) or operator.group == "Order":
        return "unchanged"
    if isinstance(operator, GroupDedup):
        return "groups"
    if isinstance(operator, PairDedup):
        return "pairs"
    if any(getattr(operator, name, None) is not None for name in AMOUNTS):
        return "amount"
    return "compared" if operator.columns() & COMPARED or operator.name == "boilerplate" else "share"


def _deduplicated(entering: Expected, operator: Operator, found: DedupGroups, *, alike: bool) -> Expected:
    """Return what a deduplicating step leaves; with more than one copy allowed, at least what the sample keeps."""
    after = groups_kept(entering, found, alike=alike)
    if isinstance(operator, Keeping) and (operator.max_copies != 1 or operator.cluster_copies):
        return Expected(found.kept, after.middle, after.high).ordered()
    return after


def _groups(outcome: Outcome, step_id: str, entering: int, kept: int) -> DedupGroups:
    trace = outcome.traces[step_id]
    twins = np.asarray([] if trace.decision.twin is None else trace.decision.twin, dtype=np.int64)
    _, sizes = np.unique(twins[twins >= 0], return_counts=True)
    squares = int((sizes.astype(np.int64) ** 2).sum())
    return DedupGroups(entering, kept, kept - len(sizes), double=int((sizes == 1).sum()), squares=squares)


def _spread(facts: Facts, outcome: Outcome, step: Step) -> float:
    """Return how unequal the costs of the kept documents are, the ``spread`` of ``amount_kept``.

    In an order by size the documents at the end of a budget differ from those at its start: an error of the amount then
    counts as many documents as fit into it at the end, among the last tenth kept.
    """
    operator = step.operator
    unit = getattr(operator, "unit", None) or ("tokens" if getattr(operator, "tokens", None) else "documents")
    if unit == "documents":
        return 0.0
    trace = outcome.traces[step.id]
    kept = trace.decision.copies > 0
    sizes = np.nan_to_num(facts.numbers("n_tokens" if unit == "tokens" else "bytes")[trace.rows[kept]])
    if not len(sizes) or sizes.mean() <= 0:
        return 0.0
    typical = float(sizes.mean())
    if isinstance(operator, TokenBudget) and trace.decision.value is not None:
        spent = np.asarray(trace.decision.value.to_numpy(zero_copy_only=False), dtype=np.float64)[kept]
        last = sizes[np.argsort(-spent, kind="stable")[: max(len(sizes) // 10, 1)]]
        typical = max(min(typical, float(last.mean())), 1.0)
    return float(np.sqrt(max((sizes**2).mean() / typical**2 - 1.0, 0.0)))

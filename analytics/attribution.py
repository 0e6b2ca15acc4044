"""Which step of a recipe does the work: the recipe without each step in turn, at the same budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tamis.analytics.effect_bench import selection_bytes
from tamis.analytics.effect_study import EffectStudy
from tamis.analytics.effect_trials import Trial, run_trials
from tamis.analytics.recipe import Recipe
from tamis.analytics.verdict import Difference, compare, text_error
from tamis.data.progress import NullProgress, Progress

Contribution = Literal["helps", "harms", "no measurable effect"]


@dataclass(frozen=True)
class StepEffect:
    """What one step contributes.

    Attributes:
        step: its id.
        operator: its name.
        difference: target bits per byte (general ones without a target) of the recipe without the step minus those of
            the whole recipe; above 0 the step helps.
        documents_without: documents kept without the step.
    """

    step: str
    operator: str
    difference: Difference
    documents_without: int

    @property
    def verdict(self) -> Contribution:
        """Return what the step does; below two standard deviations nothing."""
        if self.difference.low <= 0.0 <= self.difference.high:
            return "no measurable effect"
        return "helps" if self.difference.mean > 0 else "harms"


def leave_one_out(bed: EffectStudy, recipe: Recipe, *, progress: Progress | None = None) -> tuple[StepEffect, ...]:
    """Return the contribution of every active step, in order.

    Every variant is drawn at the budget of the whole recipe, with the same seeds, so the draws are paired.

    Raises:
        RecipeError: as ``plan.evaluate``.
    """
    watch = progress or NullProgress()
    bench = bed.bench
    whole = bed.copies(recipe, progress=watch)
    budget = min(bench.protocol.budget_bytes, selection_bytes(bench, whole))
    watch.step("steps left out", (len(recipe.active) + 1) * bench.protocol.draws, "sets")
    ours = run_trials(bench, whole, name="recipe", budget=budget, progress=watch)
    figure = "target bits per byte" if bench.has_target else "general bits per byte"
    found = []
    for step in recipe.active:
        copies = bed.copies(recipe.replaced(step.id, enabled=False), progress=watch)
        size = selection_bytes(bench, copies)
        others = run_trials(bench, copies, name=step.id, budget=min(budget, size), progress=watch)
        error = 0.0
        if bench.has_target:
            error = text_error(
                [trial.target_bits for trial in others], [trial.target_bits for trial in ours], bench.unseen.bytes
            )
        values = [[_cost(trial) for trial in part] for part in (others, ours)]
        draws = max(len(part) for part in values)
        difference = compare(
            figure,
            "the whole recipe",
            np.resize(values[0], draws).tolist(),
            np.resize(values[1], draws).tolist(),
            lower_is_better=True,
            text_error=error,
        )
        found.append(StepEffect(step.id, step.operator.name, difference, int(np.count_nonzero(copies))))
    return tuple(found)


def _cost(trial: Trial) -> float:
    return trial.general if trial.target is None else trial.target

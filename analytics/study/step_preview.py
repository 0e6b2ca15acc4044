"""What one step drops of the documents that reach it, with examples from both sides: of a step that runs or is tried.

A step that is tried is one more step of a recipe: the same evaluation counts it as when it is part of the recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.operators.rows import GroupedRange
from tamis.analytics.recipe.outcome import Count, Outcome
from tamis.analytics.study.documents import sample_of
from tamis.analytics.study.groups import column_values
from tamis.analytics.study.scene import Scene
from tamis.data.errors import RecipeError

EXAMPLES = 6


@dataclass(frozen=True)
class StepPreview:
    """What a step does. Counts are exact; the examples are the first by a keyed hash of the ids.

    Attributes:
        step: its id; of several steps looked at together, that of the first.
        before, after: what reaches it and what it leaves.
        output: what the whole recipe keeps.
        dropped: int64 (<= n,), facts rows of documents it drops.
        reasons: the id of the step that drops each of them.
        twins: the facts row of the kept twin of each of them, -1 where the step names none.
        kept: int64 (<= n,), facts rows of documents that reach it and that it lets pass.
        seed: of the keyed hash.
    """

    step: str
    before: Count
    after: Count
    output: Count
    dropped: NDArray[np.int64]
    reasons: tuple[str, ...]
    twins: tuple[int, ...]
    kept: NDArray[np.int64]
    seed: int

    @property
    def documents(self) -> int:
        """Return how many documents it drops."""
        return self.before.documents - self.after.documents

    @property
    def tokens(self) -> int:
        """Return how many tokens fewer are left, copies counted; below 0 where the step repeats documents."""
        return self.before.tokens - self.after.tokens


def preview_step(scene: Scene, step: str, *, last: str | None = None, n: int = EXAMPLES, seed: int = 0) -> StepPreview:
    """Return what an active step of the scene's recipe, or a run of steps, does to the documents that reach it.

    Args:
        scene: with the recipe that has the step.
        step: its id.
        last: the id of the last of the steps looked at together, the step itself by default.
        n: examples of each side at most.
        seed: of the keyed hash that draws them.

    Raises:
        RecipeError: the recipe has no such active step.
    """
    outcome, number = _found(scene, step)
    end = number if last is None else _found(scene, last)[1]
    deciding = outcome.deciding
    dropped = sample_of(scene.facts, (deciding >= number) & (deciding <= end), n=n, seed=seed)
    kept = sample_of(scene.facts, (deciding == 0) | (deciding > end), n=n, seed=seed)
    reasons = tuple(outcome.steps[place - 1].id for place in deciding[dropped].tolist())
    return StepPreview(
        step,
        before=outcome.counts[number - 1],
        after=outcome.counts[end],
        output=outcome.output,
        dropped=dropped,
        reasons=reasons,
        twins=tuple(_twin(outcome, reason, row) for reason, row in zip(reasons, dropped.tolist(), strict=True)),
        kept=kept,
        seed=seed,
    )


def dropped_in_groups(scene: Scene, step: str, *, by: str) -> Mapping[str, int]:
    """Return how many documents an active step drops, by the values of a column; empty text for no value.

    Raises:
        RecipeError: the recipe has no such active step, or the facts no such column.
    """
    outcome, number = _found(scene, step)
    values, codes = column_values(scene.facts, by)
    found = np.bincount(codes[outcome.deciding == number], minlength=len(values) + 1)
    return dict(zip([*values.to_pylist(), ""], found.tolist(), strict=True))


def group_bounds(scene: Scene, step: str) -> Mapping[str, Mapping[str, float]]:
    """Return the ends of the range of each group, ``min`` and ``max`` by its value, of a step that cuts by group.

    The ends of percentiles are those of the documents that reach the step; a group that none reaches has no ends.

    Raises:
        RecipeError: the recipe has no such active step.
    """
    outcome, number = _found(scene, step)
    operator = outcome.steps[number - 1].operator
    if isinstance(operator, GroupedRange):
        return {bound.value: bound.ends for bound in operator.bounds}
    names = {"low": "min", "high": "max"}
    resolved = outcome.resolved.get(step, {})
    return {value: {names[end]: ends[end] for end in ends} for value, ends in resolved.items()}


def _found(scene: Scene, step: str) -> tuple[Outcome, int]:
    """Return the outcome of the scene and the number of a step in it, from 1."""
    number = 0 if scene.outcome is None else scene.outcome.number(step)
    if scene.outcome is None or not number:
        steps = () if scene.outcome is None else scene.outcome.steps
        raise RecipeError("The recipe runs no such step", value=step, allowed=[each.id for each in steps])
    return scene.outcome, number


def _twin(outcome: Outcome, step: str, row: int) -> int:
    """Return the kept twin of a document that a step drops, -1 where the step names none."""
    trace = outcome.traces.get(step)
    if trace is None or trace.decision.twin is None:
        return -1
    return int(trace.decision.twin[np.searchsorted(trace.rows, row)])

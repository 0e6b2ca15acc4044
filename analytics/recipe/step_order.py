"""The order of steps: those of training stand last, each at most once, in the order of their turns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from tamis.analytics.operators.operator import OPERATORS, Operator, TrainingOperator
from tamis.data.errors import RecipeError


class Placed(Protocol):
    """A step: what stands at a place of a recipe."""

    @property
    def id(self) -> str:
        """Return the name of the step."""

    @property
    def operator(self) -> Operator:
        """Return its operator."""


def _turn(step: Placed) -> int:
    """Return the turn of a step of training, -1 for all others."""
    return step.operator.turn if isinstance(step.operator, TrainingOperator) else -1


def _may_follow(before: Placed, after: Placed) -> bool:
    return _turn(before) < 0 or _turn(after) > _turn(before)


def is_ordered(steps: Sequence[Placed]) -> bool:
    """Return whether steps may stand in this order."""
    return all(_may_follow(*pair) for pair in pairwise(steps))


def last_place(steps: Sequence[Placed], step: Placed) -> int:
    """Return the last place, from 0, at which one more step may stand."""
    return next((place for place, each in enumerate(steps) if _turn(each) > _turn(step)), len(steps))


def check_order(steps: Sequence[Placed]) -> None:
    """Check the order of steps.

    Raises:
        RecipeError: a step of training stands twice, in another order, or before a step that decides or edits.
    """
    for before, after in pairwise(steps):
        if _may_follow(before, after):
            continue
        names = f"{before.id} ({before.operator.name}) and {after.id} ({after.operator.name})"
        if _turn(after) == _turn(before):
            fix = f"remove {after.id}, or change {before.id}"
            raise RecipeError(f"A recipe has each step of training once, this one has two: {names}", fix=fix)
        if _turn(after) < 0:
            what = f"Steps of training come after all others: {names}"
            raise RecipeError(what, fix=f"move {after.id} before {before.id}")
        turns = {kind.turn: kind.name for kind in OPERATORS if issubclass(kind, TrainingOperator)}
        raise RecipeError(
            f"Steps of training stand in another order: {names}",
            allowed=", then ".join(turns[turn] for turn in sorted(turns)),
            fix=f"move {after.id} before {before.id}",
        )

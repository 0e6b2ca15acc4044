"""A second cut of the same kind changes the first one instead of adding a step that drops nothing more."""

from __future__ import annotations

from tamis.analytics.operators.duplicates import TextPairDedup
from tamis.analytics.operators.image_duplicates import ImageExactDedup, ImageNearDedup, ImageSemanticDedup
from tamis.analytics.operators.operator import OPERATORS, Operator
from tamis.analytics.operators.rows import GroupedRange, Language, SignalRange
from tamis.analytics.operators.sets import ExactDedup, PercentileBand
from tamis.analytics.recipe.recipe import Recipe, Step, params_of


def find_cut(recipe: Recipe, operator: Operator) -> Step | None:
    """Return the last active step that cuts by the same thing as a rule, None without one.

    The same thing is: for ranges the signal and the groups, by values or by percentiles; for duplicates what is
    compared; for languages whether they are kept or dropped. Other rules have no such step.
    """
    what = _cut_by(operator)
    steps = [step for step in recipe.active if what is not None and _cut_by(step.operator) == what]
    return steps[-1] if steps else None


def _cut_by(operator: Operator) -> tuple[object, ...] | None:
    match operator:
        case SignalRange():
            return ("range", operator.signal, operator.mode, None)
        case GroupedRange():
            return ("range", operator.signal, operator.mode, operator.by)
        case PercentileBand():
            return ("range", operator.signal, "keep", operator.within)
        case ExactDedup():
            return (operator.name, operator.compare, operator.within, operator.of)
        case TextPairDedup():
            return (operator.name, operator.within, operator.of)
        case ImageExactDedup():
            return (operator.name, operator.compare, operator.within)
        case ImageNearDedup() | ImageSemanticDedup():
            return (operator.name, operator.within)
        case Language():
            return (operator.name, operator.mode)
    return None


def with_cut(recipe: Recipe, operator: Operator, *, base: str = "", note: str = "") -> tuple[Recipe, str]:
    """Return the recipe with a cut and the id of its step: the first such cut changes, else a step is added.

    Args:
        recipe: the recipe.
        operator: the cut.
        base: what the id of a new step is made from; the operator's name by default.
        note: of a new step.
    """
    first = find_cut(recipe, operator)
    if first is not None:
        return recipe.replaced(first.id, operator=operator, provenance=()), first.id
    step = Step(recipe.fresh_id(base or operator.name), operator, note=note)
    return recipe.with_step(step), step.id


def join_cuts(first: Operator, second: Operator) -> Operator:
    """Return a second range of a signal with the ends that only the first one has; any other rule as it is.

    Raises:
        ParameterError: the ends cross.
    """
    if not isinstance(first, SignalRange) or not isinstance(second, SignalRange):
        return second
    params = params_of(second)
    for end in ("min", "max"):
        if getattr(second, end) is None and getattr(first, end) is not None:
            params |= {end: getattr(first, end), f"strict_{end}": getattr(first, f"strict_{end}")}
    return OPERATORS.build(second.name, params)

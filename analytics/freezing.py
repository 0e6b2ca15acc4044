"""Turning what a step derived from one corpus into fixed numbers, with their provenance."""

from __future__ import annotations

from tamis.analytics.operator import OPERATORS
from tamis.analytics.operators_sets import PercentileBand
from tamis.analytics.outcome import Outcome
from tamis.analytics.recipe import Provenance, Recipe
from tamis.data.errors import RecipeError


def freeze(recipe: Recipe, step_id: str, *, outcome: Outcome, corpus: str = "") -> Recipe:
    """Return the recipe with a percentile band replaced by the range of values it found.

    The range keeps the same documents wherever the signal means the same, instead of adapting to each corpus.

    Args:
        recipe: the recipe of ``outcome``.
        step_id: a step with the operator ``percentile_band``.
        outcome: says which values the percentiles were.
        corpus: fingerprint of the corpus, for the provenance.

    Raises:
        RecipeError: another operator, a band within groups (it has one range per group), or no value was found.
    """
    step = recipe.step(step_id)
    band = step.operator
    if not isinstance(band, PercentileBand) or band.within is not None:
        raise RecipeError(
            "Only a percentile band over all documents can become a range", value=step_id, allowed="percentile_band"
        )
    found = outcome.resolved.get(step_id, {})
    if not found:
        raise RecipeError("The percentile band found no value here", value=step_id, fix="evaluate the recipe first")
    names = (("low", "min", band.low), ("high", "max", band.high))
    bounds = {bound: found[end] for end, bound, _ in names if end in found}
    origin = tuple(
        (bound, Provenance("percentile", percentile=percentile, source=corpus))
        for end, bound, percentile in names
        if end in found
    )
    operator = OPERATORS.build("signal_range", {"signal": band.signal, "missing": band.missing, **bounds})
    return recipe.replaced(step_id, operator=operator, provenance=tuple(sorted(origin, key=lambda pair: pair[0])))

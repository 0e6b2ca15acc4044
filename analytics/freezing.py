"""Turning what a step derived from one corpus into fixed numbers, with their provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tamis.analytics.operator import OPERATORS, Operator
from tamis.analytics.operators_sets import PercentileBand
from tamis.analytics.outcome import Outcome
from tamis.analytics.recipe import Provenance, Recipe
from tamis.data.errors import RecipeError


def freeze(recipe: Recipe, step_id: str, *, outcome: Outcome, corpus: str = "") -> Recipe:
    """Return the recipe with a percentile band replaced by the range of values it found, or the range of each group.

    The range keeps the same documents wherever the signal means the same, instead of adapting to each corpus.

    Args:
        recipe: the recipe of ``outcome``.
        step_id: a step with the operator ``percentile_band``.
        outcome: says which values the percentiles were.
        corpus: fingerprint of the corpus, for the provenance.

    Raises:
        RecipeError: another operator, or no value was found.
    """
    band = recipe.step(step_id).operator
    if not isinstance(band, PercentileBand):
        raise RecipeError("Only a percentile band can be frozen", value=band.name, allowed="percentile_band")
    found = outcome.resolved.get(step_id, {})
    if not any(found.values()):
        raise RecipeError("The percentile band found no value here", value=step_id, fix="evaluate the recipe first")
    if band.within is not None:
        origin = Provenance("percentile", source=corpus)
        return recipe.replaced(step_id, operator=_grouped(band, found), provenance=(("bounds", origin),))
    percentiles = {"min": band.low, "max": band.high}
    bounds = _bounds(found)
    origins = tuple(
        (name, Provenance("percentile", percentile=percentiles[name], source=corpus)) for name in sorted(bounds)
    )
    params = {"signal": band.signal, "missing": band.missing, **bounds}
    return recipe.replaced(step_id, operator=OPERATORS.build("signal_range", params), provenance=origins)


def _bounds(found: Mapping[str, float]) -> dict[str, float]:
    """Return the ends of a band under the names that ranges give them."""
    return {name: found[end] for end, name in (("low", "min"), ("high", "max")) if end in found}


def _grouped(band: PercentileBand, found: Mapping[str, Any]) -> Operator:
    """Return one range per group; groups in which no document had a value have none."""
    bounds = [{"value": group, **_bounds(ends)} for group, ends in sorted(found.items()) if ends]
    params = {"signal": band.signal, "by": band.within, "bounds": bounds, "missing": band.missing}
    return OPERATORS.build("grouped_range", params)

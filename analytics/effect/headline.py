"""A measured effect at a glance: target and general texts together, and whether the target is small."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tamis.analytics.effect.result import Effect
from tamis.analytics.effect.verdict import Difference, Verdict

GENERAL = "general bits per byte"
LEAST_SCORED = 100
"""Scored test texts from which two standard deviations over texts are an interval of 95%, to one part in a hundred."""
VISIBLE = 0.01
"""Difference, as a share of the bits per byte of random draws, that a measurement without verdict should have shown."""

_GENERAL: dict[Verdict, str] = {
    "better": "general text is better too",
    "worse": "general text is worse",
    "no measurable effect": "general text does not change measurably",
}


@dataclass(frozen=True)
class Headline:
    """The verdict on the target with its price.

    Attributes:
        verdict: on the target.
        price: verdict on general text.
        title: both in one sentence without a full stop.
    """

    verdict: Verdict
    price: Verdict
    title: str

    @property
    def mixed(self) -> bool:
        """Say whether one gains and the other loses."""
        return {self.verdict, self.price} == {"better", "worse"}


def find_general(effect: Effect) -> Difference | None:
    """Return the difference in bits per byte of the corpus' hold-out against random draws, None for pictures."""
    return next((each for each in effect.differences if each.figure == GENERAL), None)


def headline_of(effect: Effect) -> Headline | None:
    """Return the headline of an effect, None without a target."""
    measured = find_general(effect)
    if effect.headline is None or measured is None:
        return None
    found, price = effect.headline.verdict, measured.verdict
    general = "general text is worse too" if found == price == "worse" else _GENERAL[price]
    between = {"better": ", at a price: ", "no measurable effect": ", and "}.get(found, "; ")
    between = between if price == "worse" else "; "
    return Headline(found, price, f"{found.capitalize()} for {effect.target}{between}{general}")


def enough_texts(effect: Effect, documents: int) -> int | None:
    """Return how many texts a target like this one should have, None where it has enough.

    The error over texts falls with the root of their number. The share of texts that are scored is taken as it was.

    Args:
        effect: with a target.
        documents: different texts of the target.
    """
    found, scored = effect.headline, effect.cleaning.scored_texts
    if found is None or not scored:
        return None
    half = (found.high - found.low) / 2
    wanted = LEAST_SCORED
    if found.verdict == "no measurable effect" and found.other > 0:
        wanted = max(wanted, math.ceil(scored * (half / (VISIBLE * found.other)) ** 2))
    return None if wanted <= scored else _rounded(wanted * documents / scored)


def _rounded(number: float) -> int:
    """Return a number rounded up to two significant digits."""
    unit = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return math.ceil(number / unit) * unit


def small_target(effect: Effect, documents: int) -> str:
    """Return a sentence that warns of a small target and says the size that would do, empty where it is large enough.

    Args:
        effect: with a target.
        documents: different texts of the target.
    """
    enough, found = enough_texts(effect, documents), effect.headline
    if enough is None or found is None:
        return ""
    scored = effect.cleaning.scored_texts
    few = scored < LEAST_SCORED
    why = (
        f"so few stand for little, and their interval is rough (from {LEAST_SCORED} on it is 95%)"
        if few
        else f"the interval is wider than {VISIBLE:.0%} of the loss, so a difference of that size cannot show"
    )
    return f"Small target: the verdict rests on {scored:,} texts; {why}. About {enough:,} texts would do."

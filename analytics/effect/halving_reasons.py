"""The trials of a search by successive halving, and why its recipe was chosen, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tamis.analytics.effect.curation import CHOICES, Curation
from tamis.analytics.effect.halving_plan import TIE
from tamis.analytics.effect.verdict import WIDTH


@dataclass(frozen=True)
class HalvingTrial:
    """One way to curate on one rung.

    Attributes:
        number: from 0, in the order of the search.
        rung: from 0.
        model: name of the rung.
        way: the way.
        sentence: the way in words.
        loss: bits per byte of the scored texts, None if it was not measured.
        behind: bits per byte more than the best of the rung.
        error: standard error of that difference, over texts and seeds.
        documents: that the recipe keeps.
        bytes: UTF-8 bytes of different text trained on.
        kept: whether it went on, or was chosen on the last rung.
        why: the reason in words.
    """

    number: int
    rung: int
    model: str
    way: Curation
    sentence: str
    loss: float | None
    behind: float
    error: float
    documents: int
    bytes: int
    kept: bool
    why: str


@dataclass(frozen=True)
class RungSummary:
    """What one rung did.

    Attributes:
        number: from 0.
        model: name of the rung.
        tried, kept: ways measured, and ways that went on.
        best: lowest bits per byte.
        random: bits per byte of random documents of the same budget.
    """

    number: int
    model: str
    tried: int
    kept: int
    best: float
    random: float

    @property
    def sentence(self) -> str:
        """Return the rung in words."""
        stay = "1 is chosen" if self.kept == 1 else f"{self.kept} go on"
        return (
            f"{self.model}: {self.tried} recipes, best {self.best:.3f} bits per byte (random documents"
            f" {self.random:.3f}); {stay}"
        )


def reasons(way: Curation, trials: Sequence[HalvingTrial], rungs: Sequence[RungSummary]) -> tuple[str, ...]:
    """Return what each rung did, how the final was decided, and the way against plain ones and other choices."""
    lines = [f"{rung.sentence}." for rung in rungs]
    return (*lines, _decided(trials), _plain(way, trials), *(_choice(way, name, trials) for name in CHOICES))


def _decided(trials: Sequence[HalvingTrial]) -> str:
    """Return how many recipes of the final no model tells apart, and that the simplest of them is taken."""
    final, tie = (
        [trial for trial in trials if trial.loss is not None and trial.model.startswith(name)]
        for name in ("final", TIE.name)
    )
    near = [trial for trial in final if trial.behind <= WIDTH * trial.error]
    if len(near) == 1:
        return "The final leaves one recipe: the others are behind it beyond the noise."
    said = f"The final does not tell {len(near)} recipes apart"
    if not tie:
        return f"{said}: the simplest of them is taken."
    left = [trial for trial in tie if trial.behind <= WIDTH * trial.error]
    end = "one of them" if len(left) == 1 else f"{len(left)} of them, of which the simplest is taken"
    return f"{said}; an n-gram model, which reads all that they keep, leaves {end}."


def _plain(way: Curation, trials: Sequence[HalvingTrial]) -> str:
    """Return the chosen way against the best rule set or random draw as it is, where the last model has both."""
    if not way.method:
        return "This is a plain recipe, a rule set and a random draw: nothing in it is fitted to the target."
    here = [trial for trial in trials if trial.model.startswith("final") and trial.loss is not None]
    own = next(trial for trial in here if trial.way == replace(way, order=""))
    plain = [trial for trial in here if not trial.way.method]
    if not plain:
        return "No plain recipe reached the final."
    best = min(plain, key=_cost)
    return f"The best plain recipe is {best.sentence}. {_difference('It', own, best)}"


def _choice(way: Curation, name: str, trials: Sequence[HalvingTrial]) -> str:
    """Return one choice against the best trial with another, on the highest rung that has both."""
    said, measured = f"{CHOICES[name]}: {way.said(name)}", [trial for trial in trials if trial.loss is not None]
    for rung in sorted({trial.rung for trial in measured}, reverse=True):
        here = [trial for trial in measured if trial.rung == rung]
        own = [trial for trial in here if getattr(trial.way, name) == getattr(way, name)]
        others = [trial for trial in here if getattr(trial.way, name) != getattr(way, name)]
        if own and others:
            return f"{said}. {_against(name, min(own, key=_cost), min(others, key=_cost))}"
    return f"{said}. Nothing else was measured."


def _against(name: str, own: HalvingTrial, other: HalvingTrial) -> str:
    return _difference(f"The best recipe with {other.way.said(name)}", own, other)


def _difference(who: str, own: HalvingTrial, other: HalvingTrial) -> str:
    more, error = _cost(other) - _cost(own), max(own.error, other.error)
    end = "" if abs(more) > WIDTH * error else ", which is within the noise"
    return (
        f"{who} needs {abs(more):.3f} bits per byte {'more' if more >= 0 else 'less'} ({own.model}: {_cost(other):.3f}"
        f" to {_cost(own):.3f}, standard error {error:.3f}){end}."
    )


def _cost(trial: HalvingTrial) -> float:
    return float("inf") if trial.loss is None else trial.loss

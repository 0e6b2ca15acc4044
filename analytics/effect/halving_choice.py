"""Which ways go on after a rung of a search, and the reason of each: a part of them, those within the noise, one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tamis.analytics.effect.curation import Curation
from tamis.analytics.effect.verdict import WIDTH


@dataclass(frozen=True)
class RankedWay:
    """One way on a rung.

    Attributes:
        way: the way.
        behind: bits per byte more than the best of the rung, 0 for the best.
        error: standard error of that difference, paired over texts and seeds, 0 for the best.
    """

    way: Curation
    behind: float
    error: float

    @property
    def is_near(self) -> bool:
        """Return whether the model does not tell the way from the best."""
        return self.behind <= WIDTH * self.error


@dataclass(frozen=True)
class Stay:
    """Whether a way goes on, and why."""

    kept: bool
    why: str


Choose = Callable[[Sequence[RankedWay]], list[Stay]]
"""From the ways of a rung, the best first, to what becomes of each."""


def best_part(count: int, *, beside: Collection[Curation] = ()) -> Choose:
    """Return the choice of so many ways with the fewest bits, and of the best of those that have to be beaten."""

    def choose(ranked: Sequence[RankedWay]) -> list[Stay]:
        to_beat = next((place for place, each in enumerate(ranked) if each.way in beside), None)
        found = []
        for place in range(len(ranked)):
            rank = f"{place + 1} of {len(ranked)}"
            if place < count:
                found.append(Stay(kept=True, why=f"{rank}: among the best {count}"))
            elif place == to_beat:
                found.append(Stay(kept=True, why=f"{rank}: the best plain recipe, which has to be beaten"))
            else:
                found.append(Stay(kept=False, why=f"{rank}: the best {count} stay"))
        return found

    return choose


def near_best(ranked: Sequence[RankedWay]) -> list[Stay]:
    """Keep every way that the model does not tell from the best."""
    said = {True: "not told from the best", False: "behind the best beyond the noise"}
    return [
        Stay(each.is_near, f"{place + 1} of {len(ranked)}: {said[each.is_near] if place else 'the best'}")
        for place, each in enumerate(ranked)
    ]


def simplest_near(ranked: Sequence[RankedWay]) -> list[Stay]:
    """Keep the simplest of the ways that the model does not tell from the best.

    A plain recipe is simpler than one with a score, which is fitted to the target; then fewer choices are simpler.
    """
    near = [place for place, each in enumerate(ranked) if each.is_near]
    chosen = min(near, key=lambda place: (ranked[place].way.method != "", ranked[place].way.steps, place))
    simplest = f"the simplest of the {len(near)} that are not told from the best" if len(near) > 1 else "the best"
    said = dict.fromkeys(near, "not told from a simpler one") | {chosen: simplest}
    return [
        Stay(place == chosen, f"{place + 1} of {len(ranked)}: {said.get(place, 'behind the best beyond the noise')}")
        for place in range(len(ranked))
    ]

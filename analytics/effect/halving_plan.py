"""What a search by successive halving is asked for: its budget, its rungs, and how long they take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from tamis.analytics.effect.curation import MOST_CHANGES, MOST_PLAIN, ORDERS
from tamis.analytics.effect.proxy_plan import LANES, Device, ProxyPlan
from tamis.data.errors import SettingError

NGRAM = "n-gram"
LastModel = Literal["n-gram", "0.5M", "2M", "8M"]
FIRST_PART = 0.25
"""Share of each selection that the first rung reads."""


@dataclass(frozen=True)
class Rung:
    """A model that ways to curate meet.

    Attributes:
        name: for people.
        model: ``n-gram``, or a size of transformer.
        part: share of each selection that an n-gram model reads.
        seeds: transformers per way.
    """

    name: str
    model: str
    part: float = 1.0
    seeds: int = 1


TIE = Rung(f"tie, {NGRAM}", NGRAM)
"""Decides among recipes that transformers do not tell apart: an n-gram model reads all that they keep."""


@dataclass(frozen=True)
class SearchPlan:
    """What a search is asked for.

    Attributes:
        tokens: the budget of the recipe; the most that it keeps.
        start: ways to curate on the first rung.
        keep: one in so many stays after a rung.
        last: the largest proxy.
        read: bytes that a transformer reads.
        seeds: transformers per way of the final; one before it.
        near: try near-duplicates too, which need a longer measurement.
        by: column of the groups that are mixed; None chooses sources or clusters, empty mixes nothing.
        device: of the transformers.
    """

    tokens: int
    start: int = 27
    keep: int = 3
    last: LastModel = "0.5M"
    read: int = 400_000
    seeds: int = 2
    near: bool = False
    by: str | None = None
    device: Device = "cpu"

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            SettingError: a field has no possible value.
        """
        if self.tokens < 1 or self.start < 1 or self.seeds < 1:
            raise SettingError(
                "A search needs a budget, recipes and seeds", value=(self.tokens, self.start, self.seeds),
                allowed="1 or more of each",
            )  # fmt: skip
        if self.keep < 2:
            raise SettingError("A rung keeps one recipe in so many", value=self.keep, allowed="2 or more")
        if self.last not in get_args(LastModel):
            raise SettingError("Unknown last model of a search", value=self.last, allowed=get_args(LastModel))
        for rung in self.rungs[2:]:
            self.proxy(rung)

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """Return the rungs up to the last model, from the cheapest."""
        known = get_args(LastModel)
        sizes = known[1 : known.index(self.last) + 1]
        return (Rung("n-gram on a quarter", NGRAM, FIRST_PART), *(Rung(name, name) for name in (NGRAM, *sizes)))

    def on_last(self, what: str, *, seeds: int = 1) -> Rung:
        """Return a rung that the last model judges once more."""
        return replace(self.rungs[-1], name=f"{what}, {self.last}", seeds=seeds)

    def proxy(self, rung: Rung) -> ProxyPlan:
        """Return how the transformers of a rung are trained.

        Raises:
            SettingError: too few bytes for the size.
        """
        return ProxyPlan(rung.model, self.read, rung.seeds, (), self.device)

    def stay(self, count: int) -> int:
        """Return how many of so many ways stay."""
        return math.ceil(count / self.keep)

    @property
    def counts(self) -> tuple[int, ...]:
        """Return how many ways are measured at most: on each rung, with one change, in the final."""
        found = [self.start]
        for _ in self.rungs[1:]:
            found.append(self.stay(found[-1]))
        found[-1] += MOST_PLAIN
        # The best plain rule set stays, whatever its place.
        found.append(self.stay(found[-1]) + 1 + MOST_CHANGES)
        return (*found, self.stay(found[-1]) + 1)

    @property
    def models(self) -> Mapping[str, int]:
        """Return size -> transformers that are trained at most, those of random documents among them."""
        found = {rung.model: count + 1 for rung, count in zip(self.rungs[2:], self.counts[2:], strict=False)}
        if found:
            more = (self.counts[-1] + 1) * (self.seeds - 1)
            found[self.last] += MOST_CHANGES + more + len(ORDERS) * self.seeds
        return found

    @property
    def ngram_sets(self) -> float:
        """Return how many whole budgets the n-gram models read at most."""
        whole = self.counts[1:] if self.last == NGRAM else (self.counts[1], self.counts[-1])
        return self.counts[0] * FIRST_PART + sum(whole)

    @property
    def seconds(self) -> float:
        """Return the estimated seconds of the transformers on two processors."""
        sizes = {rung.model: self.proxy(rung) for rung in self.rungs[2:]}
        return sum(count * sizes[size].model_seconds / LANES for size, count in self.models.items())

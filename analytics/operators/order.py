"""Rules that repeat documents and rules that order them."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tamis.analytics.operators.operator import OPERATORS, Decision, Group, Scope, SetOperator, View, last_if_absent
from tamis.analytics.operators.rows import NumericColumn
from tamis.analytics.operators.sampling import ranks_within
from tamis.analytics.operators.sets import Seed
from tamis.data.hashing import uniform

_REPETITION = (
    "Up to 4 copies are nearly as good as new tokens, beyond 16 they add almost nothing (aggressively filtered sets "
    "bear about 10): look at the effective tokens."
)


class Bin(BaseModel):
    """How many copies documents get from a value upwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    at_least: float = Field(description="Smallest value of the bin.")
    copies: int = Field(ge=0, le=100, description="Copies of documents in the bin; 0 drops them.")


_COPIES = {1: 1, 2: 2, 3: 3, 5: 5, 100: 8, 1000: 1}
FINEWEB2 = tuple(Bin(at_least=low, copies=copies) for low, copies in _COPIES.items())


@OPERATORS.register
class Rehydrate(SetOperator):
    """Gives documents copies by bins of a column, by default the number of duplicates a document had.

    Deduplicate first: the survivor of a group knows how often its text occurred. The default bins are FineWeb-2's.
    """

    name: ClassVar[str] = "rehydrate"
    term: ClassVar[str] = "rehydration, upsampling by duplicate count"
    group: ClassVar[Group] = "Mixture"
    scope: ClassVar[Scope] = "map"
    summary: ClassVar[str] = "Repeats documents by how often their text occurred, or by bins of another column."
    source: ClassVar[str] = "Penedo et al. 2025, arXiv 2506.20920; Muennighoff et al. 2023, arXiv 2305.16264"
    warning: ClassVar[str | None] = _REPETITION
    idempotent: ClassVar[bool] = False

    signal: NumericColumn = Field("norm_count", description="The column whose bins decide; NULL leaves one copy.")
    bins: tuple[Bin, ...] = Field(FINEWEB2, min_length=1, max_length=100, description="Copies by smallest value.")
    max_copies: int = Field(8, ge=1, le=100, description="The most copies of a document.")

    @model_validator(mode="after")
    def _bins_ascend(self) -> Rehydrate:
        if any(low.at_least >= high.at_least for low, high in zip(self.bins, self.bins[1:], strict=False)):
            raise ValueError("bins must ascend")
        return self

    def columns(self) -> frozenset[str]:
        return frozenset({self.signal})

    def decide(self, view: View) -> Decision:
        values = view.numbers(self.signal)
        place = np.searchsorted([item.at_least for item in self.bins], values, side="right")
        copies = np.array([1, *(item.copies for item in self.bins)], dtype=np.int32)
        times = np.where(np.isnan(values), 1, copies[np.where(np.isnan(values), 0, place)])
        return Decision(
            copies=multiply_copies(view.copies, times, self.max_copies),
            value=view.column(self.signal),
            threshold=f"bins of {self.signal}",
        )

    def sentence(self) -> str:
        shown = ", ".join(f"{item.at_least:g}+: {item.copies}" for item in self.bins[:6])
        return f"Repeat documents by {self.signal} ({shown}), at most {self.max_copies} copies"


def multiply_copies(copies: NDArray[np.int32], times: NDArray[np.integer], most: int) -> NDArray[np.int32]:
    """Return copies multiplied, but never raised above ``most``, int32 (n,)."""
    wide = copies.astype(np.int64) * times
    return np.where(wide > most, np.maximum(copies, most) * (times > 0), wide).astype(np.int32)


@OPERATORS.register
class Upsample(SetOperator):
    """Repeats the better documents along a curve: one copy up to a percentile of the score, then more and more.

    Between the percentile and the best document the expected copies rise from 1 to ``max_copies``; the fraction is
    decided by keyed hash, so copies are whole numbers with the right mean.
    """

    name: ClassVar[str] = "upsample"
    term: ClassVar[str] = "quality-aware upsampling"
    group: ClassVar[Group] = "Mixture"
    scope: ClassVar[Scope] = "gather"
    summary: ClassVar[str] = "Repeats documents of high score, the best ones most."
    source: ClassVar[str] = "Olmo 3 team 2025, arXiv 2512.13961 (quality-aware upsampling curves)"
    warning: ClassVar[str | None] = _REPETITION
    idempotent: ClassVar[bool] = False

    signal: NumericColumn = Field(description="The score; documents without one (NULL) keep one copy.")
    best: Literal["highest", "lowest"] = Field("highest", description="Which end of the score is good.")
    above: float = Field(50.0, ge=0, lt=100, description="Percentile from which documents are repeated.")
    max_copies: int = Field(4, ge=2, le=100, description="Copies of the very best document.")
    power: float = Field(1.0, gt=0, le=10, description="Shape of the curve: 1 rises evenly, 2 favours the very best.")
    seed: Seed = 0

    def columns(self) -> frozenset[str]:
        return frozenset({self.signal})

    def decide(self, view: View) -> Decision:
        values = view.numbers(self.signal)
        known = ~np.isnan(values)
        whole = np.zeros(len(view), dtype=np.int64)
        order, rank = ranks_within(values if self.best == "highest" else -values, view.rows, whole)
        place = np.zeros(len(view))
        count = max(int(known.sum()), 1)
        place[order] = 1.0 - (rank + 0.5) / count
        beyond = np.clip((place - self.above / 100) / (1 - self.above / 100), 0.0, 1.0)
        expected = np.where(known, 1.0 + (self.max_copies - 1) * beyond**self.power, 1.0)
        drawn = uniform(view.keys, seed=self.seed, salt=self.name)
        times = np.floor(expected + drawn).astype(np.int64)
        return Decision(
            copies=multiply_copies(view.copies, times, self.max_copies),
            value=view.column(self.signal),
            threshold=f"above percentile {self.above:g}",
        )

    def sentence(self) -> str:
        return (
            f"Repeat documents above percentile {self.above:g} of {self.signal} ({self.best} is best), "
            f"up to {self.max_copies} copies"
        )


Order = Literal["shuffle", "easy to hard", "hard to easy", "warm-up then random", "interleaved", "best last"]


@OPERATORS.register
class Curriculum(SetOperator):
    """Orders the documents for training; drops nothing. Loaders read the column ``position``."""

    name: ClassVar[str] = "curriculum"
    term: ClassVar[str] = "curriculum order"
    group: ClassVar[Group] = "Order"
    scope: ClassVar[Scope] = "gather"
    summary: ClassVar[str] = "Orders the documents: shuffled, by difficulty, with a warm-up, interleaved, best last."
    source: ClassVar[str] = "Zhang et al. 2025, arXiv 2506.11300; Luo et al. 2025, arXiv 2511.18903"
    warning: ClassVar[str | None] = (
        "Published: 18-45% fewer steps early on and a lasting gain of up to 3.5% as a warm-up before random order. "
        "Ascending quality is cancelled by learning-rate decay. Nothing more is promised."
    )

    order: Order = Field("shuffle", description="The order.")
    difficulty: NumericColumn | None = Field(
        None, description="The column to order by: a difficulty, or for best last a quality; NULL comes first."
    )
    hard: Literal["highest", "lowest"] = Field("highest", description="Which end of the column is hard (or best).")
    warm_up: float = Field(0.1, gt=0, lt=1, description="Share of documents in the warm-up, or at the end as the best.")
    slices: int = Field(4, ge=2, le=1000, description="How many interleaved slices, each from easy to hard.")
    seed: Seed = 0

    @model_validator(mode="after")
    def _has_a_difficulty(self) -> Curriculum:
        if (self.order == "shuffle") != (self.difficulty is None):
            raise ValueError("give difficulty with every order but shuffle")
        return self

    def columns(self) -> frozenset[str]:
        return frozenset({self.difficulty} if self.difficulty else ())

    def decide(self, view: View) -> Decision:
        by_chance = self.shuffled(view.keys, view.rows)
        if self.difficulty is None:
            drawn = uniform(view.keys, seed=self.seed, salt=self.name)
            return Decision(copies=view.copies, value=pa.array(drawn), position=places(by_chance))
        order = self.arranged(self.rising(view.numbers(self.difficulty), view.rows), by_chance)
        return Decision(copies=view.copies, value=view.column(self.difficulty), position=places(order))

    def shuffled(self, keys: NDArray[np.uint64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return documents by keyed hash, then by row, int64 (n,)."""
        return np.lexsort((rows, uniform(keys, seed=self.seed, salt=self.name)))

    def rising(self, values: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return documents from easy to hard, NaN first, then by row, int64 (n,)."""
        ascending = values if self.hard == "highest" else -values
        return np.lexsort((rows, -last_if_absent(-ascending)))

    def part(self, n: int) -> int:
        """Return how many of n documents are in the warm-up, or at the end as the best."""
        return int(np.floor(self.warm_up * n + 0.5))

    def arranged(self, easy: NDArray[np.int64], by_chance: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the documents in training order, int64 (n,): a matter of O(n), unlike what it is made of.

        Args:
            easy: int64 (n,), as ``rising`` gives them.
            by_chance: int64 (n,), as ``shuffled`` gives them.
        """
        part = self.part(len(easy))

        def shuffled(some: NDArray[np.int64]) -> NDArray[np.int64]:
            inside = np.zeros(len(easy), dtype=np.bool_)
            inside[some] = True
            return by_chance[inside[by_chance]]

        if self.order == "shuffle":
            return by_chance
        if self.order == "easy to hard":
            return easy
        if self.order == "hard to easy":
            return easy[::-1]
        if self.order == "interleaved":
            return np.concatenate([easy[first :: self.slices] for first in range(self.slices)])
        if self.order == "best last":
            return np.concatenate([shuffled(easy[: len(easy) - part]), easy[len(easy) - part :]])
        return np.concatenate([easy[:part], shuffled(easy[part:])])

    def sentence(self) -> str:
        if self.difficulty is None:
            return f"Shuffle the documents (seed {self.seed})"
        more = {
            "warm-up then random": f", the easiest {self.warm_up * 100:g}% first",
            "best last": f", the best {self.warm_up * 100:g}% last",
            "interleaved": f", {self.slices} slices",
        }.get(self.order, "")
        return f"Order documents by {self.difficulty}: {self.order}{more}"


def places(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each document in an order, int64 (n,)."""
    found = np.empty(len(order), dtype=np.int64)
    found[order] = np.arange(len(order))
    return found

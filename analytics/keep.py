"""Which document of a group survives: one policy for every kind of duplicate, always ending in the id."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tamis.analytics.operator import SetOperator, View

Policy = Literal["longest", "shortest", "highest signal", "lowest signal", "source order", "first id"]


class Keeping(SetOperator):
    """Base of operators that keep some documents of each group."""

    keep: Policy = Field("longest", description="Which document of a group to keep; ties go to the smaller id.")
    signal: Annotated[str, Field(json_schema_extra={"widget": "numeric column"})] | None = Field(
        None, description="The column to compare, for highest signal and lowest signal; NULL comes last."
    )
    sources: tuple[str, ...] = Field((), description="Sources from best to worst, for source order; others come last.")
    max_copies: int = Field(1, ge=1, description="How many documents of a group to keep.")

    @model_validator(mode="after")
    def _policy_is_complete(self) -> Keeping:
        if (self.keep in ("highest signal", "lowest signal")) != (self.signal is not None):
            raise ValueError("give signal with highest signal or lowest signal, and only there")
        if (self.keep == "source order") != bool(self.sources):
            raise ValueError("give sources with source order, and only there")
        return self

    def policy_columns(self) -> frozenset[str]:
        """Return the facts columns the policy reads."""
        if self.keep in ("longest", "shortest"):
            return frozenset({"bytes"})
        if self.signal is not None:
            return frozenset({self.signal})
        return frozenset({"source"}) if self.sources else frozenset()

    def penalty(self, view: View, members: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how bad each member is, float64 (m,): the smallest is kept, ties by id.

        Args:
            view: the documents of the step.
            members: int64 (m,), places in the view.
        """
        if self.keep == "first id":
            return np.zeros(len(members))
        if self.keep == "source order":
            place = pc.index_in(view.column("source").take(pa.array(members)), pa.array(self.sources))
            return np.asarray(place.fill_null(len(self.sources)).to_numpy(zero_copy_only=False), dtype=np.float64)
        name = self.signal if self.signal is not None else "bytes"
        values = view.numbers(name)[members]
        if self.keep in ("longest", "highest signal"):
            values = -values
        values[np.isnan(values)] = np.inf
        return values

    def best_first(
        self, view: View, members: NDArray[np.int64], groups: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return an order of the members, group by group and best first, and each one's place in its group.

        Args:
            view: the documents of the step.
            members: int64 (m,), ascending places in the view.
            groups: int64 (m,), group of each member.

        Returns:
            order: int64 (m,), indices into ``members``; rank: int64 (m,), 0 = best, aligned with ``order``.
        """
        order = np.lexsort((members, self.penalty(view, members), groups))
        sorted_groups = groups[order]
        first = np.r_[True, sorted_groups[1:] != sorted_groups[:-1]] if len(order) else np.zeros(0, dtype=bool)
        starts = np.flatnonzero(first)
        sizes = np.diff(np.r_[starts, len(order)])
        rank = np.arange(len(order)) - np.repeat(starts, sizes)
        return order, rank.astype(np.int64)

    def policy_sentence(self) -> str:
        """Return the policy for a sentence."""
        kept = {
            "longest": "the longest",
            "shortest": "the shortest",
            "highest signal": f"the highest {self.signal}",
            "lowest signal": f"the lowest {self.signal}",
            "source order": "the best source",
            "first id": "the smallest id",
        }[self.keep]
        return kept if self.max_copies == 1 else f"{self.max_copies} by {kept.removeprefix('the ')}"

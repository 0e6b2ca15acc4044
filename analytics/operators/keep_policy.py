"""Which document of a group survives: one policy for every kind of duplicate, always ending in the id."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tamis.analytics.operators.operator import SetOperator, View, last_if_absent
from tamis.analytics.steps.measures import Measure

Simple = Literal["longest", "shortest", "newest", "oldest", "source order"]
Policy = Literal[
    "longest", "shortest", "highest signal", "lowest signal", "newest", "oldest", "source order", "first id"
]

PictureSimple = Literal["largest", "sharpest", "best caption", "newest", "oldest", "source order"]
PicturePolicy = Literal[
    "largest", "sharpest", "best caption", "highest signal", "lowest signal", "newest", "oldest", "source order",
    "first id",
]  # fmt: skip
_BY_COLUMN: dict[str, tuple[str, int]] = {
    "longest": ("bytes", -1),
    "shortest": ("bytes", 1),
    "largest": ("megapixels", -1),
    "sharpest": ("sharpness", -1),
    "best caption": ("bytes", -1),
}
"""Criteria that compare a column: its name, and -1 where more is better."""


class Keeping(SetOperator):
    """Base of operators that keep some documents of each group."""

    keep: Policy = Field("longest", description="Which document of a group to keep; ties go to the smaller id.")
    signal: Annotated[str, Field(json_schema_extra={"widget": "numeric column"})] | None = Field(
        None, description="The column to compare, for highest signal and lowest signal; NULL comes last."
    )
    sources: tuple[str, ...] = Field((), description="Sources from best to worst, for source order; others come last.")
    date: Annotated[str, Field(json_schema_extra={"widget": "column"})] | None = Field(
        None, description="The column that sorts by time, for newest and oldest; NULL comes last."
    )
    then: tuple[Simple, ...] = Field((), description="Criteria that break ties, in this order; the id is last.")
    max_copies: int = Field(1, ge=1, description="How many documents of a group to keep.")
    cluster_copies: tuple[tuple[int, Annotated[int, Field(ge=1)]], ...] = Field(
        (),
        description="How many to keep in some clusters, as (cluster, copies); max_copies in all others.",
        json_schema_extra={"widget": "hidden"},
    )
    clustering: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        None, description="Digest of the clustering that cluster_copies names."
    )

    @model_validator(mode="after")
    def _policy_is_complete(self) -> Keeping:
        if (self.keep in ("highest signal", "lowest signal")) != (self.signal is not None):
            raise ValueError("give signal with highest signal or lowest signal, and only there")
        criteria = {self.keep, *self.then}
        if ("source order" in criteria) != bool(self.sources):
            raise ValueError("give sources with source order, and only there")
        if bool({"newest", "oldest"} & criteria) != (self.date is not None):
            raise ValueError("give date with newest or oldest, and only there")
        if bool(self.cluster_copies) != (self.clustering is not None):
            raise ValueError("give clustering with cluster_copies, and only there")
        if len({cluster for cluster, _ in self.cluster_copies}) != len(self.cluster_copies):
            raise ValueError("cluster_copies names a cluster twice")
        return self

    def policy_columns(self) -> frozenset[str]:
        """Return the facts columns the policy reads."""
        criteria = {self.keep, *self.then}
        names = {self.signal, self.date, "source" if self.sources else None}
        names |= {_BY_COLUMN[criterion][0] for criterion in criteria if criterion in _BY_COLUMN}
        if self.clustering is not None:
            names.add(self._cluster_measure(self.clustering).column)
        return frozenset(name for name in names if name is not None)

    def policy_measures(self) -> tuple[Measure, ...]:
        """Return the measures the policy reads."""
        return () if self.clustering is None else (self._cluster_measure(self.clustering),)

    @staticmethod
    def _cluster_measure(clustering: str) -> Measure:
        return Measure("cluster", (("clustering", clustering),), column=f"cluster_{clustering[:16]}")

    def limits(self, view: View) -> NDArray[np.int32]:
        """Return how many documents of its group each document's cluster allows, int32 (n,)."""
        found = np.full(len(view), self.max_copies, dtype=np.int32)
        if self.clustering is not None:
            clusters = view.numbers(str(self._cluster_measure(self.clustering).column))
            for cluster, copies in self.cluster_copies:
                found[clusters == cluster] = copies
        return found

    def penalties(self, view: View, members: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
        """Return how bad each member is, float64 (m,) per criterion, the most important first; ties go by id.

        Args:
            view: the documents of the step.
            members: int64 (m,), places in the view.
        """
        return tuple(self._penalty(criterion, view, members) for criterion in (self.keep, *self.then))

    def _penalty(self, criterion: str, view: View, members: NDArray[np.int64]) -> NDArray[np.float64]:
        if criterion == "first id":
            return np.zeros(len(members))
        if criterion == "source order":
            place = pc.index_in(view.column("source").take(pa.array(members)), pa.array(self.sources))
            return np.asarray(place.fill_null(len(self.sources)).to_numpy(zero_copy_only=False), dtype=np.float64)
        if criterion in ("newest", "oldest"):
            values = _ranks(view, str(self.date))[members]
            return last_if_absent(-values if criterion == "newest" else values)
        sign = -1 if criterion == "highest signal" else 1
        name, sign = _BY_COLUMN.get(criterion, (str(self.signal), sign))
        return last_if_absent(sign * view.numbers(name)[members])

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
        order = np.lexsort((members, *reversed(self.penalties(view, members)), groups))
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
            "newest": f"the newest by {self.date}",
            "oldest": f"the oldest by {self.date}",
            "source order": "the best source",
            "first id": "the smallest id",
            "largest": "the largest",
            "sharpest": "the sharpest",
            "best caption": "the one with the longest caption",
        }[self.keep]
        kept = ", then ".join([kept, *self.then])
        text = kept if self.max_copies == 1 else f"{self.max_copies} by {kept.removeprefix('the ')}"
        return text if not self.cluster_copies else f"{text} (more or fewer in {len(self.cluster_copies)} clusters)"


class KeepingPictures(Keeping):
    """Base of operators that keep some pictures of each group."""

    keep: PicturePolicy = Field(  # type: ignore[assignment]
        "largest",
        description="Which picture of a group to keep: that of most pixels, the sharpest, or that with the longest"
        " caption; ties go to the smaller id.",
    )
    then: tuple[PictureSimple, ...] = Field(  # type: ignore[assignment]
        (), description="Criteria that break ties, in this order; the id is last."
    )


def _ranks(view: View, column: str) -> NDArray[np.float64]:
    """Return values that sort as a column does, float64 (n,), NULL as NaN: numbers, booleans or text by bytes."""
    values = view.column(column)
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return view.numbers(column)
    encoded = values.dictionary_encode()
    place = pc.rank(encoded.dictionary.cast(pa.binary()), tiebreaker="dense").cast(pa.float64())
    ranks = np.asarray(place.to_numpy(zero_copy_only=False), dtype=np.float64)
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.where(codes < 0, np.nan, np.append(ranks, np.nan)[codes])

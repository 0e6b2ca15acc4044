"""Rules that decide documents together: percentiles, exact duplicates, samples and budgets."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator, model_validator

from tamis.analytics.operators.keep_policy import Keeping
from tamis.analytics.operators.operator import (
    OPERATORS,
    Decision,
    Group,
    Of,
    Scope,
    SetOperator,
    View,
    is_said,
    last_if_absent,
    spoken,
)
from tamis.analytics.operators.rows import CategoryColumn, GroupBounds, NumericColumn, in_column
from tamis.analytics.operators.token_costs import token_cost
from tamis.analytics.signals.step import signal_measures
from tamis.analytics.steps.measures import Measure
from tamis.data.hashing import mix_keys, uniform

Within = Annotated[CategoryColumn | None, Field(description="Decide within each value of this category on its own.")]
Seed = Annotated[int, Field(ge=0, lt=2**63, description="Seed of the keyed hash; the same seed gives the same choice.")]


def group_codes(view: View, column: str | None) -> tuple[NDArray[np.int64], list[str]]:
    """Return the group of each document, int64 (n,), and the names of the groups; one group without a column."""
    if column is None:
        return np.zeros(len(view), dtype=np.int64), [""]
    encoded = view.column(column).cast(pa.string()).fill_null("").dictionary_encode()
    codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    names = [str(name) for name in encoded.dictionary.to_pylist()]
    # Dictionary order follows the rows; sorted names make group numbers independent of it.
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    return place[codes] if len(names) else codes, [names[k] for k in order]


@OPERATORS.register
class PercentileBand(SetOperator):
    """Keeps the documents between two percentiles of a signal, over all of them or within each category value.

    A percentile p is the smallest value that at least p percent of the documents with a value do not exceed. The
    values come from the documents that reach the step, so a recipe made on a sample adapts to the whole corpus; the
    lock of an export states the values found.
    """

    name: ClassVar[str] = "percentile_band"
    term: ClassVar[str] = "percentile filter"
    group: ClassVar[Group] = "Filter"
    scope: ClassVar[Scope] = "gather"
    summary: ClassVar[str] = "Keeps documents between two percentiles of a signal."
    source: ClassVar[str] = (
        "Wenzek et al. 2019, arXiv 1911.00359 (percentiles per language); Marion et al. 2023, arXiv 2309.04564"
    )
    idempotent: ClassVar[bool] = False

    signal: NumericColumn = Field(description="The numeric column to rank by.")
    low: float | None = Field(None, ge=0, le=100, description="Drop documents below this percentile.")
    high: float | None = Field(None, ge=0, le=100, description="Drop documents above this percentile.")
    within: Within = None
    missing: Literal["keep", "drop"] = Field("keep", description="What happens to documents without a value (NULL).")
    bounds: tuple[GroupBounds, ...] | None = Field(
        None, max_length=2_000, description="Values of within whose range is stated by hand instead of by percentiles."
    )

    @field_validator("bounds")
    @classmethod
    def _are_in_the_column(
        cls, bounds: tuple[GroupBounds, ...] | None, info: ValidationInfo
    ) -> tuple[GroupBounds, ...] | None:
        return in_column(bounds, info.data.get("within") or "") or None

    @model_validator(mode="after")
    def _has_a_band(self) -> PercentileBand:
        if self.low is None and self.high is None:
            raise ValueError("give low, high or both")
        if self.bounds and self.within is None:
            raise ValueError("bounds by hand need within, the column whose values they name")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low must not be above high")
        return self

    def columns(self) -> frozenset[str]:
        return frozenset({self.signal} | ({self.within} if self.within else set()))

    def measures(self) -> tuple[Measure, ...]:
        return signal_measures(self.signal)

    def keys(self) -> tuple[str, ...]:
        return (self.within,) if self.within else ()

    def decide(self, view: View) -> Decision:
        values = view.numbers(self.signal)
        codes, names = group_codes(view, self.within)
        lows, highs = self._bounds(values, codes, len(names))
        self._by_hand(names, lows, highs)
        outside = (values < lows[codes]) | (values > highs[codes])
        absent = np.isnan(values)
        kept = ~outside & (~absent | (self.missing == "keep"))
        bounds = {name: self._named(lows[k], highs[k]) for k, name in enumerate(names)}
        texts = [self._bound_text(lows[k], highs[k]) for k in range(len(names))]
        return Decision(
            copies=np.where(kept, view.copies, 0).astype(np.int32),
            value=view.column(self.signal),
            threshold=pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(texts, pa.string())),
            resolved=bounds if self.within else bounds.get("", {}),
        )

    def _bounds(
        self, values: NDArray[np.float64], codes: NDArray[np.int64], groups: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lowest and highest passing value of each group, float64 (groups,)."""
        lows, highs = np.full(groups, -np.inf), np.full(groups, np.inf)
        order = np.argsort(codes, kind="stable") if groups > 1 else np.arange(len(codes))
        ends = np.cumsum(np.bincount(codes, minlength=groups))
        for k in range(groups):
            own = values[order[ends[k - 1] if k else 0 : ends[k]]]
            own = own[~np.isnan(own)]
            if len(own):
                lows[k] = -np.inf if self.low is None else percentile(own, self.low)
                highs[k] = np.inf if self.high is None else percentile(own, self.high)
        return lows, highs

    def _by_hand(self, names: list[str], lows: NDArray[np.float64], highs: NDArray[np.float64]) -> None:
        """Write the stated ranges over those of the percentiles."""
        place = {name: k for k, name in enumerate(names)}
        for bound in self.bounds or ():
            if bound.value in place:
                k = place[bound.value]
                lows[k] = -np.inf if bound.min is None else bound.min
                highs[k] = np.inf if bound.max is None else bound.max

    def _named(self, low: float, high: float) -> dict[str, float]:
        return {name: float(value) for name, value in (("low", low), ("high", high)) if np.isfinite(value)}

    def _bound_text(self, low: float, high: float) -> str:
        parts = [f">= {low:.6g}" if np.isfinite(low) else "", f"<= {high:.6g}" if np.isfinite(high) else ""]
        return " and ".join(part for part in parts if part)

    def sentence(self) -> str:
        low = 0 if self.low is None else self.low
        high = 100 if self.high is None else self.high
        per = f" within each {self.within}" if self.within else ""
        hand = f", {len(self.bounds)} by ranges of their own" if self.bounds else ""
        return f"Keep documents between percentile {low:g} and {high:g} of {self.signal}{per}{hand}"


def percentile(values: NDArray[np.float64], p: float) -> float:
    """Return the smallest value that at least ``p`` percent of the values do not exceed; p = 0 gives the minimum.

    Source: inverted empirical distribution function, Hyndman and Fan 1996, definition 1.
    """
    place = max(0, int(np.ceil(p * len(values) / 100)) - 1)
    return float(np.partition(values, place)[place])


class GroupDedup(Keeping):
    """A rule that keeps up to ``max_copies`` documents of each group of a column; the kept one is named as the twin."""

    if TYPE_CHECKING:  # A field of the rules, where it stands in their own order.
        within: str | None

    @property
    @abstractmethod
    def group_column(self) -> str:
        """Return the facts column with the duplicate group, negative for none."""

    @property
    @abstractmethod
    def what(self) -> str:
        """Return what the documents of a group share, for a sentence."""

    def columns(self) -> frozenset[str]:
        return self.policy_columns() | {self.group_column} | ({self.within} if self.within else set())

    def measures(self) -> tuple[Measure, ...]:
        return self.policy_measures()

    def keys(self) -> tuple[str, ...]:
        return (self.group_column, *((self.within,) if self.within else ()))

    def counts(self, view: View) -> NDArray[np.bool_]:
        """Return which documents can be duplicates, bool (n,)."""
        return np.ones(len(view), dtype=np.bool_)

    def decide(self, view: View) -> Decision:
        group = np.asarray(view.column(self.group_column).to_numpy(zero_copy_only=False), dtype=np.int64)
        members = np.flatnonzero((group >= 0) & self.counts(view))
        groups = group[members]
        if self.within is not None:
            codes, names = group_codes(view, self.within)
            groups = groups * len(names) + codes[members]
        order, rank = self.best_first(view, members, groups)
        sorted_members = members[order]
        leader = sorted_members[np.maximum.accumulate(np.where(rank == 0, np.arange(len(rank)), 0))]
        dropped = rank >= self.limits(view)[sorted_members]
        copies = view.copies.copy()
        copies[sorted_members[dropped]] = 0
        twin = np.full(len(view), -1, dtype=np.int64)
        twin[sorted_members[dropped]] = view.rows[leader[dropped]]
        stands_for = 1 + np.bincount(leader[dropped], minlength=len(view)).astype(np.int32)
        stands_for[sorted_members[dropped]] = stands_for[leader[dropped]]
        return Decision(
            copies=copies,
            value=pa.array(stands_for),
            twin=twin,
            similarity=np.where(twin >= 0, 1.0, np.nan).astype(np.float32),
            threshold=f"same {self.what}, at most {self.max_copies}",
        )

    def sentence(self) -> str:
        per = f" within each {self.within}" if self.within else ""
        return f"Keep {self.policy_sentence()} of the documents with the same {self.what}{per}"


@OPERATORS.register
class ExactDedup(GroupDedup):
    """Keeps up to ``max_copies`` documents of each group with the same text; the kept one is named as the twin."""

    name: ClassVar[str] = "exact_dedup"
    term: ClassVar[str] = "exact deduplication"
    group: ClassVar[Group] = "Duplicates"
    scope: ClassVar[Scope] = "by_key"
    summary: ClassVar[str] = "Drops documents whose text is the same as a kept one."
    source: ClassVar[str] = "Lee et al. 2021, arXiv 2107.06499; Muennighoff et al. 2023, arXiv 2305.16264 (max_copies)"

    compare: Literal["normalised text", "raw text"] = Field(
        "normalised text", description="Compare normalised text (case, white space, punctuation) or exact bytes."
    )
    within: Within = None
    of: Of = None

    @property
    def group_column(self) -> str:
        """Return the facts column with the duplicate group."""
        name = "norm_group" if self.compare == "normalised text" else "text_group"
        return name if self.of is None else f"{self.of}.{name}"

    def columns(self) -> frozenset[str]:
        return super().columns() | (set() if self.of is None else {f"{self.of}.bytes"})

    def counts(self, view: View) -> NDArray[np.bool_]:
        return is_said(view, self.of)

    @property
    def what(self) -> str:
        return self.compare if self.of is None else f"{self.compare} of {spoken(self.of)}"


@OPERATORS.register
class RandomSample(SetOperator):
    """Keeps a share of the documents, or a number of them, by a keyed hash of their ids."""

    name: ClassVar[str] = "random_sample"
    term: ClassVar[str] = "random sampling"
    group: ClassVar[Group] = "Sampling"
    scope: ClassVar[Scope] = "gather"
    summary: ClassVar[str] = "Keeps a random share or number of documents, the same ones every time."
    source: ClassVar[str] = "Keyed hashing of ids, as in reproducible splits; no random state"

    share: float | None = Field(None, gt=0, le=1, description="Chance of each document to be kept.")
    count: int | None = Field(None, ge=1, description="How many documents to keep.")
    within: Within = None
    seed: Seed = 0

    @model_validator(mode="after")
    def _has_one_size(self) -> RandomSample:
        if (self.share is None) == (self.count is None):
            raise ValueError("give either share or count")
        if self.within is not None and self.count is None:
            raise ValueError("within needs count: that many documents of each value")
        return self

    def columns(self) -> frozenset[str]:
        return frozenset({self.within} if self.within else ())

    def keys(self) -> tuple[str, ...]:
        return (self.within,) if self.within else ()

    def decide(self, view: View) -> Decision:
        drawn = uniform(view.keys, seed=self.seed, salt=self.name)
        if self.share is not None:
            kept = drawn < self.share
            threshold = f"< {self.share:g}"
        else:
            kept = self._smallest(view)
            threshold = f"{self.count} documents"
        return Decision(
            copies=np.where(kept, view.copies, 0).astype(np.int32),
            value=pa.array(drawn),
            threshold=threshold,
        )

    def _smallest(self, view: View) -> NDArray[np.bool_]:
        """Return which documents are among the first ``count`` of their group by keyed hash, bool (n,)."""
        codes, _ = group_codes(view, self.within)
        order = np.lexsort((view.rows, mix_keys(view.keys, seed=self.seed, salt=self.name), codes))
        sizes = np.bincount(codes)
        starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
        kept = np.zeros(len(view), dtype=bool)
        kept[order] = np.arange(len(view)) - starts < (self.count or 0)
        return kept

    def sentence(self) -> str:
        if self.share is not None:
            return f"Keep a random {self.share * 100:g}% of the documents (seed {self.seed})"
        per = f" of each {self.within}" if self.within else ""
        return f"Keep {self.count} random documents{per} (seed {self.seed})"


@OPERATORS.register
class TokenBudget(SetOperator):
    """Walks the documents in a stated order and stops before the budget would be exceeded."""

    name: ClassVar[str] = "token_budget"
    term: ClassVar[str] = "token budget"
    group: ClassVar[Group] = "Budget"
    scope: ClassVar[Scope] = "gather"
    summary: ClassVar[str] = "Stops at a number of tokens, bytes or documents, in a stated order."
    source: ClassVar[str] = "Common practice: DataComp-LM, Li et al. 2024, arXiv 2406.11794 (fixed token budgets)"

    amount: int = Field(ge=1, description="The budget.")
    unit: Literal["tokens", "bytes", "documents"] = Field("tokens", description="What is counted; copies count.")
    order: Literal["random", "highest", "lowest"] = Field("random", description="Which documents come first.")
    signal: NumericColumn | None = Field(None, description="The column to order by; NULL comes last.")
    seed: Seed = 0

    @model_validator(mode="after")
    def _order_is_complete(self) -> TokenBudget:
        if (self.order == "random") != (self.signal is None):
            raise ValueError("give signal with highest or lowest, and only there")
        return self

    def columns(self) -> frozenset[str]:
        counted = {"tokens": {"n_tokens"}, "bytes": {"bytes"}, "documents": set[str]()}[self.unit]
        return frozenset(counted | ({self.signal} if self.signal else set()))

    def decide(self, view: View) -> Decision:
        order = np.lexsort((view.rows, *self._sort_keys(view)))
        cost = self._cost(view)
        spent = np.empty(len(view), dtype=np.int64)
        spent[order] = np.cumsum(cost[order])
        return Decision(
            copies=np.where(spent <= self.amount, view.copies, 0).astype(np.int32),
            value=pa.array(spent),
            threshold=f"<= {self.amount} {self.unit}",
        )

    def _sort_keys(self, view: View) -> tuple[NDArray[Any], ...]:
        """Return sort keys, the most important last."""
        if self.signal is None:
            return (mix_keys(view.keys, seed=self.seed, salt=self.name),)
        values = view.numbers(self.signal)
        return (last_if_absent(-values if self.order == "highest" else values),)

    def _cost(self, view: View) -> NDArray[np.int64]:
        """Return the cost of each document in units of the budget, int64 (n,)."""
        if self.unit == "documents":
            return view.copies.astype(np.int64)
        if self.unit == "tokens":
            return token_cost(view, *group_codes(view, None))
        column = view.column("bytes").cast(pa.int64()).fill_null(0)
        size = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.int64)
        return size * view.copies

    def sentence(self) -> str:
        first = f"random (seed {self.seed})" if self.signal is None else f"{self.order} {self.signal}"
        return f"Keep documents up to {self.amount:,} {self.unit}, {first} first"

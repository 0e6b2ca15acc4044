"""Rules that set the size of each group: budgets per cluster by complexity, mixtures of sources or languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from tamis.analytics.map.concepts import MEASURED
from tamis.analytics.operators.operator import OPERATORS, Decision, Group, Scope, SetOperator, View, value_in
from tamis.analytics.operators.quotas import (
    FLOOR,
    fill_shares,
    quotas,
    whole_numbers,
)
from tamis.analytics.operators.rows import CategoryColumn, Digest, NumericColumn
from tamis.analytics.operators.sampling import first_of_each, percentiles_within, ranks_within, select_within_amount
from tamis.analytics.operators.sets import Seed, group_codes
from tamis.analytics.operators.token_costs import Unit, UnitBudget, Wanted
from tamis.analytics.steps.measures import Measure
from tamis.data.errors import RecipeError
from tamis.data.hashing import uniform


def effective_tokens(tokens: NDArray[np.float64], copies: NDArray[np.int32], *, decay: float = 15.0) -> float:
    """Return the tokens that repeated tokens are worth: D' = U + U R* (1 - exp(-R / R*)), summed over documents.

    Args:
        tokens: float64 (n,), tokens of each document.
        copies: int32 (n,), how often each is seen; R = copies - 1.
        decay: R*, about 15 (Muennighoff et al. 2023, arXiv 2305.16264); about 10 for strongly filtered sets.
    """
    kept = copies > 0
    repeats = copies[kept].astype(np.float64) - 1.0
    return float((tokens[kept] * (1.0 + decay * (1.0 - np.exp(-repeats / decay)))).sum())


Complexity = Literal["geometric", "redundancy-aware", "measured"]
COMPLEXITIES: Mapping[Complexity, str] = dict(zip(get_args(Complexity), MEASURED, strict=True))
"""Measure of complexity -> name of its column among the stored concepts."""


@OPERATORS.register
class ClusterBudget(SetOperator):
    """Gives every cluster a number of documents by its complexity, between a floor and its size.

    Quotas are the point nearest to N P_j with l_j <= x_j <= n_j that adds up to the budget, P_j ~ size_j^alpha
    exp(complexity_j / tau), l_j = min(floor(floor N / k), n_j - 1), rounded by largest remainders.
    """

    name: ClassVar[str] = "cluster_budget"
    term: ClassVar[str] = "density-based pruning per concept (elephants and dogs)"
    group: ClassVar[Group] = "Budget"
    scope: ClassVar[Scope] = "gather"
    summary: ClassVar[str] = "Gives each cluster a budget by its complexity; simple concepts keep fewer documents."
    source: ClassVar[str] = "Abbas et al. 2024, arXiv 2401.04578, section 3"
    warning: ClassVar[str | None] = (
        "At tau 0.5 the quotas are nearly equal-size budgets. On text the geometric measure takes templated documents "
        "for the most complex ones: compare with the redundancy-aware and the measured complexity. Deduplicate first."
    )
    idempotent: ClassVar[bool] = False

    concepts: Digest = Field(description="Digest of the stored concepts: centroids and their complexities.")
    complexity: Complexity = Field("redundancy-aware", description="Which measure of complexity decides.")
    share: float | None = Field(None, gt=0, le=1, description="Share of the documents to keep.")
    documents: int | None = Field(None, ge=1, description="How many documents to keep.")
    tau: float = Field(0.5, gt=0, le=1000, description="Temperature; small lets complexity decide, large makes equal.")
    alpha: float = Field(0.0, ge=0, le=2, description="Weight of cluster size: 0 as published, 1 proportional.")
    floor: float = Field(FLOOR, ge=0, le=1, description="Least part of an equal share that every cluster keeps.")
    keep: Literal["far", "near", "random"] = Field(
        "far", description="Which members: far from the centroid (hard), near it (typical), or by keyed hash."
    )
    seed: Seed = 0

    @model_validator(mode="after")
    def _has_one_size(self) -> ClusterBudget:
        if (self.share is None) == (self.documents is None):
            raise ValueError("give either share or documents")
        return self

    def column(self, value: str) -> str:
        """Return the facts column with the cluster, distance or complexity of each document's concept."""
        return f"concept_{value}_{self.concepts[:16]}"

    def columns(self) -> frozenset[str]:
        return frozenset(str(measure.column) for measure in self.measures())

    def measures(self) -> tuple[Measure, ...]:
        wanted = ["cluster", COMPLEXITIES[self.complexity], *(["distance"] if self.keep != "random" else [])]
        return tuple(Measure("concept", (("concepts", self.concepts),), column=self.column(name)) for name in wanted)

    def assets(self) -> tuple[str, ...]:
        return (self.concepts,)

    def decide(self, view: View) -> Decision:
        clusters = view.numbers(self.column("cluster"))
        labels, codes = np.unique(clusters, return_inverse=True)
        sizes = np.bincount(codes, minlength=len(labels)).astype(np.int64)
        complexity = largest(view.numbers(self.column(COMPLEXITIES[self.complexity])), codes, len(labels))
        asked = self.documents if self.documents is not None else int(np.floor((self.share or 0) * len(view) + 0.5))
        total = min(asked, len(view))
        found = quotas(complexity, sizes, total, tau=self.tau, alpha=self.alpha, floor=self.floor)
        order, rank = ranks_within(self._preference(view), view.rows, codes)
        chosen = first_of_each(order, rank, codes, found)
        texts = pa.array([f"{quota:,} of {size:,}" for quota, size in zip(found, sizes, strict=True)], pa.string())
        return Decision(
            copies=np.where(chosen, view.copies, 0).astype(np.int32),
            value=view.column(self.column("cluster")),
            threshold=pa.DictionaryArray.from_arrays(pa.array(codes), texts),
            resolved={f"{label:.0f}": int(quota) for label, quota in zip(labels, found, strict=True)},
        )

    def _preference(self, view: View) -> NDArray[np.float64]:
        if self.keep == "random":
            return uniform(view.keys, seed=self.seed, salt=self.name)
        distance = view.numbers(self.column("distance"))
        return distance if self.keep == "far" else -distance

    def sentence(self) -> str:
        size = f"{self.share * 100:g}% of the documents" if self.share is not None else f"{self.documents:,} documents"
        members = {"far": "hard ones", "near": "typical ones", "random": "random ones"}[self.keep]
        return f"Keep {size}, each cluster by its {self.complexity} complexity (tau {self.tau:g}), {members} first"


def largest(values: NDArray[np.float64], codes: NDArray[np.int64], groups: int) -> NDArray[np.float64]:
    """Return the largest value of each group, float64 (groups,), NaN for a group without values."""
    found = np.full(groups, -np.inf)
    np.maximum.at(found, codes, np.where(np.isnan(values), -np.inf, values))
    return np.where(np.isinf(found), np.nan, found)


class GroupWeight(BaseModel):
    """The weight of one group in a mixture."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    group: str = Field(max_length=1000, description="Value of the column; empty for documents without one.")
    weight: float = Field(ge=0, description="Relative share of tokens.")


def cut_tiers(
    codes: NDArray[np.int64], names: Sequence[str], quality: NDArray[np.float64], tiers: int
) -> tuple[NDArray[np.int64], list[str]]:
    """Return groups cut into tiers by the percentile of a score within the group: codes int64 (n,), and names.

    Args:
        codes: int64 (n,), group of each document.
        names: of the groups.
        quality: float64 (n,); NaN is lowest.
        tiers: how many; the first is the lowest.
    """
    place = np.minimum((percentiles_within(quality, codes) * tiers).astype(np.int64), tiers - 1)
    return codes * tiers + place, [f"{name} · tier {k + 1}" for name in names for k in range(tiers)]


@OPERATORS.register
class Mixture(UnitBudget):
    """Changes the shares of tokens (or documents) of groups, by weights or by temperature, within what they have.

    With alpha, the share of a group is proportional to (its tokens) ** alpha: 1 leaves the mixture, 0 makes groups
    equal. What a group lacks goes to the others in proportion when a total is given; without a total the largest
    amount in exact proportions is kept.
    """

    name: ClassVar[str] = "mixture"
    term: ClassVar[str] = "mixture reweighting, temperature sampling"
    group: ClassVar[Group] = "Mixture"
    scope: ClassVar[Scope] = "gather"
    summary: ClassVar[str] = "Sets the share of tokens of each source, language, label or cluster."
    source: ClassVar[str] = "Conneau et al. 2020, arXiv 1911.02116 (alpha 0.3); Xie et al. 2023, arXiv 2305.10429"
    warning: ClassVar[str | None] = (
        "Small groups that are repeated more than 4 times lose value, more than 16 times nearly all of it: see the "
        "effective tokens."
    )
    idempotent: ClassVar[bool] = False

    by: CategoryColumn = Field("source", description="The column whose groups are mixed.")
    tiers: int | None = Field(
        None, ge=2, le=10, description="Cut every group into so many tiers of quality, named as news · tier 1 (lowest)."
    )
    quality: NumericColumn | None = Field(None, description="The score of the tiers; NULL is lowest.")
    alpha: float | None = Field(None, ge=0, le=2, description="Temperature exponent; give this or weights.")
    weights: tuple[GroupWeight, ...] = Field((), max_length=10_000, description="Weights by group.")
    other: float = Field(0.0, ge=0, description="Weight of each group that the weights do not name.")
    tokens: int | None = Field(None, ge=1, description="Tokens wanted in all; absent for as many as the shares allow.")
    share: float | None = Field(None, gt=0, description="The same as a share of what reaches the step.")
    unit: Unit = None
    documents: Wanted = None
    max_copies: int = Field(1, ge=1, le=100, description="How often a document may be repeated to fill its group.")
    output: Literal["documents", "weights"] = Field(
        "documents", description="Drop and repeat documents, or keep all and give each a training weight."
    )
    prefer: NumericColumn | None = Field(None, description="Keep the highest of this column first; else by hash.")
    seed: Seed = 0

    @field_validator("weights")
    @classmethod
    def _are_in_the_column(cls, weights: tuple[GroupWeight, ...], info: ValidationInfo) -> tuple[GroupWeight, ...]:
        by = "" if info.data.get("tiers") else info.data.get("by", "")
        return tuple(item.model_copy(update={"group": value_in(by, item.group)}) for item in weights)

    @model_validator(mode="after")
    def _is_complete(self) -> Mixture:
        if (self.alpha is None) == (not self.weights):
            raise ValueError("give either alpha or weights")
        if self.tokens is not None and self.share is not None:
            raise ValueError("give tokens or share, not both")
        if (self.tiers is None) != (self.quality is None):
            raise ValueError("give tiers together with quality, the score that they cut")
        if len({item.group for item in self.weights}) != len(self.weights):
            raise ValueError("each group may have one weight only")
        return self

    def columns(self) -> frozenset[str]:
        return self.cost_columns | {self.by} | {name for name in (self.prefer, self.quality) if name}

    def decide(self, view: View) -> Decision:
        codes, names = group_codes(view, self.by)
        if self.tiers is not None and self.quality is not None:
            codes, names = cut_tiers(codes, names, view.numbers(self.quality), self.tiers)
        cost = self.cost(view, codes, names)
        supply = np.bincount(codes, weights=cost, minlength=len(names)).astype(np.float64)
        wanted = self._wanted(supply, names)
        total = self.amount if self.amount is not None else None if self.share is None else self.share * supply.sum()
        if len(view) and not (wanted * supply).any():
            raise RecipeError(
                "No group of the mixture has any documents",
                value=[item.group for item in self.weights[:10]],
                allowed=names[:50],
                fix="name groups of this corpus, or give the others a weight",
            )
        if self.output == "weights":
            return self._weigh(view, codes, names, supply, wanted)
        caps = supply * self.max_copies
        amounts = fill_shares(wanted, caps, None if total is None else float(total))
        if self.counts == "documents":
            sizes, whole = caps.astype(np.int64), int(np.floor(amounts.sum() + 0.5))
            amounts = whole_numbers(amounts, np.zeros_like(sizes), sizes, whole).astype(np.float64)
        return self._take(view, codes, names, supply, amounts, cost)

    def _wanted(self, supply: NDArray[np.float64], names: list[str]) -> NDArray[np.float64]:
        if self.alpha is not None:
            return np.where(supply > 0, np.maximum(supply, 1e-300) ** self.alpha, 0.0)
        given = {item.group: item.weight for item in self.weights}
        return np.array([given.get(name, self.other) for name in names], dtype=np.float64)

    def _take(
        self,
        view: View,
        codes: NDArray[np.int64],
        names: list[str],
        supply: NDArray[np.float64],
        amounts: NDArray[np.float64],
        cost: NDArray[np.int64],
    ) -> Decision:
        """Repeat each group while the whole of it fits into its amount, then add documents in order."""
        whole = np.minimum(np.floor(amounts / np.maximum(supply, 1.0) + 1e-9), self.max_copies)
        left = np.where(whole < self.max_copies, amounts - whole * supply, 0.0)
        order, _ = ranks_within(self._order(view), view.rows, codes)
        more = select_within_amount(order, codes, cost, left + 1e-6) & (left > 0)[codes]
        times = whole[codes].astype(np.int64) + more
        unit = self.counts
        texts = pa.array([f"{amount:,.0f} of {has:,.0f} {unit}" for amount, has in zip(amounts, supply, strict=True)])
        return Decision(
            copies=(view.copies * times).astype(np.int32),
            value=view.column(self.by).cast(pa.string()),
            threshold=pa.DictionaryArray.from_arrays(pa.array(codes), texts.cast(pa.string())),
            resolved={name: round(float(amount)) for name, amount in zip(names, amounts, strict=True)},
        )

    def _order(self, view: View) -> NDArray[np.float64]:
        if self.prefer is None:
            return uniform(view.keys, seed=self.seed, salt=self.name)
        return view.numbers(self.prefer)

    def _weigh(
        self,
        view: View,
        codes: NDArray[np.int64],
        names: list[str],
        supply: NDArray[np.float64],
        wanted: NDArray[np.float64],
    ) -> Decision:
        """Keep documents as they are; weights have the mean 1 over what is counted. Groups of weight 0 are dropped."""
        shares = np.where(supply > 0, wanted, 0.0)
        shares = shares / max(shares.sum(), 1e-300)
        factor = shares * supply.sum() / np.maximum(supply, 1.0)
        weight = factor[codes]
        resolved: dict[str, Any] = {name: round(float(value), 6) for name, value in zip(names, factor, strict=True)}
        return Decision(
            copies=np.where(weight > 0, view.copies, 0).astype(np.int32),
            value=view.column(self.by).cast(pa.string()),
            weight=weight,
            threshold="weight above 0",
            resolved=resolved,
        )

    def sentence(self) -> str:
        how = f"{self.counts} ** {self.alpha:g}" if self.alpha is not None else f"{len(self.weights)} weights"
        verb = "Weigh" if self.output == "weights" else "Mix"
        size = (
            f" to {self.amount:,} {self.counts}" if self.amount else f" to {self.share * 100:g}%" if self.share else ""
        )
        tiers = f" and {self.tiers} tiers of {self.quality}" if self.tiers else ""
        return f"{verb} documents by {self.by}{tiers} in proportion to {how}{size}"

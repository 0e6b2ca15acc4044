"""Rules that give documents copies, or none, by curves over their quality, until a token budget is met.

A curve says how many copies a document of a quality percentile should have on average. It is scaled until the copies
that come out, whole numbers by keyed hash, cost as many tokens as there are: the budget is met within one copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from tamis.analytics.operators.budget import GroupWeight
from tamis.analytics.operators.operator import OPERATORS, Decision, Group, Scope, View, value_in
from tamis.analytics.operators.order import multiply_copies
from tamis.analytics.operators.quotas import fill_shares
from tamis.analytics.operators.rows import CategoryColumn, NumericColumn
from tamis.analytics.operators.sampling import percentiles_within
from tamis.analytics.operators.sets import Seed, group_codes
from tamis.analytics.operators.token_costs import Unit, UnitBudget, Wanted
from tamis.data.hashing import uniform

_REPETITION = (
    "Up to 4 copies are nearly as good as new tokens, beyond 16 they add almost nothing: look at the effective tokens."
)
_CLOSE = 1e-12
"""Relative width at which the search for the scale of a curve ends."""


@dataclass(frozen=True, eq=False)
class Spending:
    """Documents on which tokens are spent.

    Attributes:
        tokens: int64 (n,), of one copy.
        copies: int32 (n,), copies so far.
        drawn: float64 (n,), uniform in (0, 1) by keyed hash; decides fractions of copies.
        most: the most copies of a document.
    """

    tokens: NDArray[np.int64]
    copies: NDArray[np.int32]
    drawn: NDArray[np.float64]
    most: int

    def part(self, rows: NDArray[np.int64]) -> Spending:
        """Return some of the documents."""
        return Spending(self.tokens[rows], self.copies[rows], self.drawn[rows], self.most)

    def take(self, expected: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return whole copies with the means ``expected``, at most ``most``, int32 (n,)."""
        times = np.floor(np.minimum(expected, self.most) + self.drawn).astype(np.int64)
        return multiply_copies(self.copies, np.minimum(times, self.most), self.most)

    def cost(self, expected: NDArray[np.float64]) -> int:
        """Return the tokens of those copies."""
        return int((self.tokens * self.take(expected)).sum())

    def scale(self, curve: NDArray[np.float64], amount: float) -> float:
        """Return the largest scale at which the copies along ``curve`` cost at most ``amount`` tokens.

        Copies never shrink when the scale grows, so bisection finds it; where even the most copies of all documents
        with a curve above 0 cost less, they are what is returned.
        """
        risen = curve > 0
        if not risen.any():
            return 0.0
        high = self.most / float(curve[risen].min())
        if self.cost(high * curve) <= amount:
            return high
        low = float(((1.0 - self.drawn[risen]) / curve[risen]).min()) / 2.0
        while high / low > 1.0 + _CLOSE:
            middle = float(np.sqrt(low) * np.sqrt(high))
            if not low < middle < high:
                break
            if self.cost(middle * curve) <= amount:
                low = middle
            else:
                high = middle
        return low


class Curved(UnitBudget):
    """Base of rules that repeat and drop documents along a curve of their quality, up to a token budget."""

    scope: ClassVar[Scope] = "gather"
    group: ClassVar[Group] = "Mixture"
    idempotent: ClassVar[bool] = False

    tokens: int | None = Field(None, ge=1, description="Tokens wanted in all; copies count.")
    share: float | None = Field(
        None, gt=0, le=100, description="The same as a share of what reaches the step; may exceed 1."
    )
    unit: Unit = None
    documents: Wanted = None
    max_copies: int = Field(7, ge=1, le=100, description="The most copies of a document.")
    seed: Seed = 0

    def spending(self, view: View, codes: NDArray[np.int64], names: list[str]) -> Spending:
        """Return the documents with what a copy of each costs."""
        single = self.cost(view, codes, names) // np.maximum(view.copies, 1)
        return Spending(single, view.copies, uniform(view.keys, seed=self.seed, salt=self.name), self.max_copies)

    def budget(self, supply: float) -> float | None:
        """Return the amount wanted, None if the rule states none."""
        return float(self.amount) if self.amount is not None else None if self.share is None else self.share * supply

    def budget_text(self) -> str:
        """Return the budget for sentences."""
        if self.amount is not None:
            return f"{self.amount:,} {self.counts}"
        return f"{(self.share or 0) * 100:g}% of the {self.counts}"


@OPERATORS.register
class QualityCurve(Curved):
    """Repeats the best documents of every topic, keeps the better ones and drops the rest, up to a token budget.

    Inside a topic a document of the quality percentile x (0 worst, 1 best, equal scores share the middle) has
    C (x - a)^p e^(l (x - a)) copies on average from the percentile a upwards, and none below it. C is found for each
    topic by bisection so that its part of the budget is met within one copy; no document has more than ``max_copies``.
    The fraction of a copy is decided by keyed hash. Topics share the budget as their tokens do, or by ``weights``; what
    a topic cannot give goes to the others.
    """

    name: ClassVar[str] = "quality_curve"
    term: ClassVar[str] = "quality-aware upsampling curve (Dolma 3)"
    summary: ClassVar[str] = "Gives copies by a rising curve of quality within each topic, up to a token budget."
    source: ClassVar[str] = (
        "Olmo 3 team 2025, arXiv 2512.13961, section 3.4.4 and appendix A.2.4: C (x - a)^p e^(l (x - a)), the lowest"
        " 40% dropped, the best 5% up to 7 times; there p and l are solved too, here they are stated"
    )
    warning: ClassVar[str | None] = _REPETITION

    signal: NumericColumn = Field(description="The quality; documents without one (NULL) rank lowest.")
    best: Literal["highest", "lowest"] = Field("highest", description="Which end of the score is good.")
    within: Annotated[
        CategoryColumn | None, Field(description="The topic: percentiles and budgets are those of each value.")
    ] = None
    below: float = Field(40.0, ge=0, lt=100, description="Percentile a: documents below it are dropped.")
    power: float = Field(1.0, ge=0, le=20, description="Power p of the curve; 0 with rate 0 treats all alike.")
    rate: float = Field(3.0, ge=0, le=50, description="Rate l of the curve; larger favours the very best.")
    weights: tuple[GroupWeight, ...] = Field(
        (),
        max_length=10_000,
        description="Shares of the budget by topic, as of a fitted mixture; none: as their tokens.",
    )

    @field_validator("weights")
    @classmethod
    def _are_in_the_column(cls, weights: tuple[GroupWeight, ...], info: ValidationInfo) -> tuple[GroupWeight, ...]:
        within = info.data.get("within") or ""
        return tuple(item.model_copy(update={"group": value_in(within, item.group)}) for item in weights)

    @model_validator(mode="after")
    def _is_complete(self) -> QualityCurve:
        if (self.amount is None) == (self.share is None):
            raise ValueError(f"give either {self.counts} or share")
        if self.weights and self.within is None:
            raise ValueError("weights need within, the column whose values they name")
        if len({item.group for item in self.weights}) != len(self.weights):
            raise ValueError("each topic may have one weight only")
        return self

    def columns(self) -> frozenset[str]:
        return self.cost_columns | {self.signal} | ({self.within} if self.within else set())

    def decide(self, view: View) -> Decision:
        codes, names = group_codes(view, self.within)
        spending = self.spending(view, codes, names)
        values = view.numbers(self.signal)
        beyond = percentiles_within(values if self.best == "highest" else -values, codes) - self.below / 100
        with np.errstate(invalid="ignore"):
            curve = np.where(beyond > 0, np.maximum(beyond, 0.0) ** self.power * np.exp(self.rate * beyond), 0.0)
        supply = np.bincount(codes, spending.tokens * view.copies, len(names)).astype(np.float64)
        amounts = self._amounts(names, codes, spending, curve, supply)
        scales = np.zeros(len(names))
        for k, rows in _by_group(codes, len(names)):
            scales[k] = spending.part(rows).scale(curve[rows], amounts[k] + 1e-6)
        copies = spending.take(scales[codes] * curve)
        texts = [f"{amount:,.0f} of {has:,.0f} {self.counts}" for amount, has in zip(amounts, supply, strict=True)]
        return Decision(
            copies=copies,
            value=view.column(self.signal),
            threshold=pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(texts, pa.string())),
            resolved={name: float(scale) for name, scale in zip(names, scales, strict=True)},
        )

    def _amounts(
        self,
        names: list[str],
        codes: NDArray[np.int64],
        spending: Spending,
        curve: NDArray[np.float64],
        supply: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the tokens of each topic, float64 (k,)."""
        most = spending.take(np.where(curve > 0, float(self.max_copies), 0.0))
        caps = np.bincount(codes, spending.tokens * most, len(names)).astype(np.float64)
        given = {item.group: item.weight for item in self.weights}
        wanted = np.array([given.get(name, 0.0) for name in names]) if given else supply
        return fill_shares(wanted, caps, self.budget(float(supply.sum())))

    def sentence(self) -> str:
        per = f" of their {self.within}" if self.within else ""
        return (
            f"Repeat the best documents{per} by {self.signal} ({self.best} is best) up to {self.max_copies} times and"
            f" drop those below percentile {self.below:g}, to {self.budget_text()}"
        )


def _by_group(codes: NDArray[np.int64], groups: int) -> list[tuple[int, NDArray[np.int64]]]:
    """Return the places of each group, ascending; groups without documents are left out."""
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(codes, minlength=groups))[:-1]) if groups else []
    return [(k, rows) for k, rows in enumerate(parts) if len(rows)]


class WeighedScore(BaseModel):
    """One quality score among several."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    signal: NumericColumn = Field(description="The score.")
    weight: float = Field(1.0, description="Above 0 where high values are good, below 0 where low ones are.")


Scores = Annotated[tuple[WeighedScore, ...], Field(max_length=50)]


class DomainSampling(BaseModel):
    """What one domain does otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: str = Field(max_length=1000, description="Value of the domain; empty for documents without one.")
    threshold: float | None = Field(None, ge=0, le=1, description="Part of the domain above its quality threshold.")
    steepness: float | None = Field(None, gt=0, le=10_000, description="How sharp the curve is.")
    strength: float | None = Field(None, ge=0, le=10, description="Power of the curve; 0 treats all above alike.")
    floor: float | None = Field(None, ge=0, le=1, description="Copies of documents below the threshold.")


class DomainWeight(BaseModel):
    """What one score weighs in one domain."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    value: str = Field(max_length=1000, description="Value of the domain; empty for documents without one.")
    signal: NumericColumn = Field(description="The score, one of those above.")
    weight: float = Field(1.0, description="Above 0 where high values are good there, below 0 where low ones are.")


@OPERATORS.register
class QuaDMix(Curved):
    """Samples documents by a curve of several merged quality scores, with its own parameters in every domain.

    The merged quality is the weighted mean of the scores' percentiles over all documents, with the weights of the
    document's domain where ``weights`` states them; r is the rank of it within
    the domain, 0 best and 1 worst. A document has (2 / (1 + e^(-l (w - r))))^h + e copies on average up to the
    threshold w, and e below: l is ``steepness``, w ``threshold``, h ``strength`` and e ``floor``. With a budget all of
    that is multiplied by the number that meets it. The fraction of a copy is decided by keyed hash.
    """

    name: ClassVar[str] = "quadmix"
    term: ClassVar[str] = "quality-diversity sampling (QuaDMix)"
    summary: ClassVar[str] = "Samples by several merged quality scores, by a curve of its own in each domain."
    source: ClassVar[str] = (
        "Liu et al. 2025, arXiv 2504.16511, section 3 (searches l up to 1000, w up to 0.1, h up to 1, e up to 0.001);"
        " scores are brought to percentiles"
    )
    warning: ClassVar[str | None] = (
        "The published ranges keep about a tenth: raise the threshold for more. Judge parameters on the page Effect."
    )

    scores: Scores = Field(min_length=1, description="Quality scores and their weights.")
    within: Annotated[CategoryColumn | None, Field(description="The domain: ranks are those of each value.")] = None
    threshold: float = Field(0.1, ge=0, le=1, description="Part of a domain above its quality threshold, w.")
    steepness: float = Field(100.0, gt=0, le=10_000, description="How sharp the curve is, l.")
    strength: float = Field(1.0, ge=0, le=10, description="Power of the curve, h; 0 treats all above alike.")
    floor: float = Field(0.001, ge=0, le=1, description="Copies of documents below the threshold, e.")
    domains: tuple[DomainSampling, ...] = Field(
        (), max_length=2_000, description="Domains that do otherwise; what they leave out is as stated above."
    )
    weights: tuple[DomainWeight, ...] | None = Field(
        None,
        max_length=20_000,
        description="Weights of scores in single domains; absent, or for scores and domains not named: as above.",
    )

    @field_validator("domains")
    @classmethod
    def _are_in_the_column(
        cls, domains: tuple[DomainSampling, ...], info: ValidationInfo
    ) -> tuple[DomainSampling, ...]:
        within = info.data.get("within") or ""
        return tuple(item.model_copy(update={"value": value_in(within, item.value)}) for item in domains)

    @field_validator("weights")
    @classmethod
    def _weigh_the_column(
        cls, weights: tuple[DomainWeight, ...] | None, info: ValidationInfo
    ) -> tuple[DomainWeight, ...] | None:
        within = info.data.get("within") or ""
        # An empty table of a form states nothing.
        if not weights:
            return None
        return tuple(item.model_copy(update={"value": value_in(within, item.value)}) for item in weights)

    @model_validator(mode="after")
    def _is_complete(self) -> QuaDMix:
        if self.tokens is not None and self.share is not None:
            raise ValueError("give tokens or share, not both")
        if self.domains and self.within is None:
            raise ValueError("domains need within, the column whose values they name")
        if len({item.value for item in self.domains}) != len(self.domains):
            raise ValueError("each domain may be named once only")
        if not any(item.weight for item in self.scores):
            raise ValueError("one weight at least must not be 0")
        self._check_weights(self.weights or ())
        return self

    def _check_weights(self, weights: tuple[DomainWeight, ...]) -> None:
        if weights and self.within is None:
            raise ValueError("weights need within, the column whose values they name")
        named = {(item.value, item.signal) for item in weights}
        if len(named) != len(weights):
            raise ValueError("each score may be weighed once only in a domain")
        unknown = {signal for _, signal in named} - {item.signal for item in self.scores}
        if unknown:
            raise ValueError(f"weights name {min(unknown)}, which is not among the scores")
        for value in {item.value for item in weights}:
            if not any(self._weights_of(value)):
                raise ValueError(f"one weight at least must not be 0 in {value or 'documents without a domain'}")

    def _weights_of(self, name: str) -> list[float]:
        """Return the weight of each score in a domain."""
        own = {item.signal: item.weight for item in self.weights or () if item.value == name}
        return [own.get(item.signal, item.weight) for item in self.scores]

    def columns(self) -> frozenset[str]:
        return self.cost_columns | {item.signal for item in self.scores} | ({self.within} if self.within else set())

    def decide(self, view: View) -> Decision:
        codes, names = group_codes(view, self.within)
        merged = self._merged(view, codes, names)
        rank = 1.0 - percentiles_within(merged, codes)
        expected = self._expected(rank, codes, names)
        spending = self.spending(view, codes, names)
        amount = self.budget(float((spending.tokens * view.copies).sum()))
        scale = 1.0 if amount is None else spending.scale(expected, amount + 1e-6)
        return Decision(
            copies=spending.take(scale * expected),
            value=pa.array(merged),
            threshold=pa.DictionaryArray.from_arrays(
                pa.array(codes),
                pa.array([f"best {self._of(name)['threshold'] * 100:g}%" for name in names], pa.string()),
            ),
            resolved={"scale": float(scale)},
        )

    def _merged(self, view: View, codes: NDArray[np.int64], names: list[str]) -> NDArray[np.float64]:
        """Return the weighted mean of the scores' percentiles, float64 (n,), high is good."""
        whole = np.zeros(len(view), dtype=np.int64)
        merged, total = np.zeros(len(view)), np.zeros(len(view))
        by_domain = np.array([self._weights_of(name) for name in names]).reshape(-1, len(self.scores))
        for place, item in enumerate(self.scores):
            weights, values = by_domain[codes, place], view.numbers(item.signal)
            for sign in (1.0, -1.0):
                part = np.maximum(sign * weights, 0.0)
                if part.any():
                    # A missing score is the worst, whichever end of it is good.
                    merged += part * percentiles_within(sign * values, whole)
                    total += part
        return merged / total

    def _of(self, name: str) -> dict[str, float]:
        """Return the parameters of a domain."""
        shared = {key: float(getattr(self, key)) for key in ("threshold", "steepness", "strength", "floor")}
        own = next((item for item in self.domains if item.value == name), None)
        given = {} if own is None else own.model_dump(exclude={"value"}, exclude_none=True)
        return {**shared, **given}

    def _expected(self, rank: NDArray[np.float64], codes: NDArray[np.int64], names: list[str]) -> NDArray[np.float64]:
        """Return the mean copies of each document, float64 (n,)."""
        found = [self._of(name) for name in names]
        threshold, steepness, strength, floor = (
            np.array([item[key] for item in found])[codes] for key in ("threshold", "steepness", "strength", "floor")
        )
        above = rank <= threshold
        risen = 2.0 / (1.0 + np.exp(-steepness * np.where(above, threshold - rank, 0.0)))
        return np.asarray(np.where(above, risen**strength, 0.0) + floor, dtype=np.float64)

    def sentence(self) -> str:
        scores = ", ".join(item.signal for item in self.scores[:4]) + (" and more" if len(self.scores) > 4 else "")
        per = f" of each {self.within}" if self.within else ""
        size = "" if self.amount is None and self.share is None else f", to {self.budget_text()}"
        return f"Sample the best {self.threshold * 100:g}%{per} by {scores} merged{size} (seed {self.seed})"

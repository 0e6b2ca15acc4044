"""Rules that keep a share of the documents by a score: the best, a sample of the better, all levels, the middle.

Choosing documents by scores: top shares, keyed weighted sampling, strata. Pure functions with total orders.

Chance comes from keyed hashes of document ids, so a choice is the same for any row order. Weighted sampling without
replacement adds Gumbel noise to the logarithm of the weights and takes the largest (Efraimidis and Spirakis 2006;
Vieira 2014, "Gumbel-max trick and weighted reservoir sampling").
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, model_validator

from tamis.analytics.operators.operator import (
    OPERATORS,
    Decision,
    Group,
    Scope,
    SetOperator,
    View,
    last_if_absent,
)
from tamis.analytics.operators.rows import NumericColumn
from tamis.analytics.operators.sets import Seed, Within, group_codes
from tamis.analytics.operators.token_costs import token_cost
from tamis.data.hashing import uniform


def gumbel(keys: NDArray[np.uint64], *, seed: int, salt: str) -> NDArray[np.float64]:
    """Return standard Gumbel noise per document, float64 (n,), a pure function of (seed, salt, key)."""
    return np.asarray(-np.log(-np.log(uniform(keys, seed=seed, salt=salt))), dtype=np.float64)


def ranks_within(
    scores: NDArray[np.float64], rows: NDArray[np.int64], codes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order documents by group, then highest score, then row; NaN comes last.

    Args:
        scores: float64 (n,).
        rows: int64 (n,), facts rows, which break ties.
        codes: int64 (n,), group of each document.

    Returns:
        order int64 (n,), places in that order; rank int64 (n,), place of ``order[k]`` within its group, from 0.
    """
    worst_last = last_if_absent(-scores)
    if not codes.any() and (rows[1:] > rows[:-1]).all():  # The same order, in one pass instead of three.
        order = np.argsort(worst_last, kind="stable")
    else:
        order = np.lexsort((rows, worst_last, codes))
    sizes = np.bincount(codes) if len(codes) else np.zeros(0, dtype=np.int64)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order, np.arange(len(order)) - starts


def percentiles_within(values: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the percentile of each value within its group, float64 (n,), in (0, 1), 1 the highest.

    Equal values share the middle of their places, (place + 0.5) / size; NaN is the lowest value.
    """
    filled = np.where(np.isnan(values), -np.inf, values)
    order = np.lexsort((filled, codes))
    grouped, ordered = codes[order], filled[order]
    new_group = np.r_[True, grouped[1:] != grouped[:-1]] if len(order) else np.zeros(0, dtype=bool)
    new_run = new_group | (np.r_[True, ordered[1:] != ordered[:-1]] if len(order) else new_group)
    starts, group_starts = np.flatnonzero(new_run), np.flatnonzero(new_group)
    ends = np.r_[starts[1:], len(order)]
    sizes = np.diff(np.r_[group_starts, len(order)])
    middle = np.repeat((starts + ends) / 2.0, ends - starts)
    found = np.empty(len(values))
    found[order] = (middle - np.repeat(group_starts, sizes)) / np.repeat(sizes, sizes)
    return found


def round_share(share: float, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many of each group make up a share, halves rounded up, int64 (groups,)."""
    # A share such as 0.29 times 100 is 28.999999999999996: round that first.
    return np.floor(np.round(share * sizes, 9) + 0.5).astype(np.int64)


def first_of_each(
    order: NDArray[np.int64], rank: NDArray[np.int64], codes: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which documents are among the first ``counts[group]`` of their group, bool (n,)."""
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order] = rank < counts[codes[order]]
    return chosen


def select_within_amount(
    order: NDArray[np.int64], codes: NDArray[np.int64], cost: NDArray[np.int64], amounts: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which documents fit when each group is walked in order and stops before its amount is exceeded, bool (n,).

    Args:
        order: int64 (n,), documents group by group, see ``ranks_within``.
        codes: int64 (n,), group of each document.
        cost: int64 (n,), the cost of each document.
        amounts: float64 (groups,), the budget of each group.
    """
    running = np.cumsum(cost[order])
    grouped = codes[order]
    first = np.r_[True, grouped[1:] != grouped[:-1]] if len(order) else np.zeros(0, dtype=bool)
    starts = np.flatnonzero(first)
    before = np.repeat(running[starts] - cost[order][starts], np.diff(np.r_[starts, len(order)]))
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order] = running - before <= amounts[grouped]
    return chosen


def standardise(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scores with mean 0 and standard deviation 1; NaN and infinities stay; equal scores become 0."""
    known = scores[np.isfinite(scores)]
    spread = float(known.std()) if len(known) else 0.0
    if spread > 0:
        return (scores - known.mean()) / spread
    return np.where(np.isfinite(scores), 0.0, scores)


def strata(scores: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Return which of ``count`` strata of equal width a score lies in, int64 (n,); NaN is -1.

    The strata divide the range of the finite scores; infinite ones lie in the first and the last.
    """
    known = scores[np.isfinite(scores)]
    found = np.full(len(scores), -1, dtype=np.int64)
    if len(known):
        low, high = float(known.min()), float(known.max())
        width = (high - low) / count or 1.0
        inside = ~np.isnan(scores)
        found[inside] = np.clip((scores[inside] - low) / width, 0, count - 1).astype(np.int64)
    return found


def even_quotas(sizes: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Return how many to take from each stratum as equally as their sizes allow, int64 (k,).

    The smallest strata come first and the others make up for what they lack; ties by number. Source: Zheng et al.
    2023, arXiv 2210.15809, algorithm 1.
    """
    quotas = np.zeros(len(sizes), dtype=np.int64)
    left = min(total, int(sizes.sum()))
    order = np.lexsort((np.arange(len(sizes)), sizes))
    for place, stratum in enumerate(order):
        quotas[stratum] = min(int(sizes[stratum]), left // (len(sizes) - place))
        left -= int(quotas[stratum])
    # Whole numbers leave a remainder smaller than the number of strata: one more each, the largest first.
    for stratum in order[::-1]:
        if left and quotas[stratum] < sizes[stratum]:
            quotas[stratum] += 1
            left -= 1
    return quotas


class Choosing(SetOperator):
    """Base of rules that keep a share, a number or a token budget of documents, highest score first."""

    scope: ClassVar[Scope] = "gather"
    idempotent: ClassVar[bool] = False

    share: float | None = Field(None, gt=0, le=1, description="Share of the documents to keep.")
    documents: int | None = Field(None, ge=1, description="How many documents to keep.")
    tokens: int | None = Field(None, ge=1, description="How many tokens to keep at most; copies count.")
    within: Within = None

    @model_validator(mode="after")
    def _has_one_size(self) -> Choosing:
        if sum(size is not None for size in (self.share, self.documents, self.tokens)) != 1:
            raise ValueError("give one of share, documents and tokens")
        return self

    def size_columns(self) -> frozenset[str]:
        """Return the facts columns that the size reads."""
        return frozenset({"n_tokens"} if self.tokens is not None else ()) | (
            frozenset({self.within}) if self.within else frozenset()
        )

    def keys(self) -> tuple[str, ...]:
        return (self.within,) if self.within else ()

    def choose(self, view: View, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which documents are kept, bool (n,): highest scores first, NaN last, ties by id."""
        codes, names = group_codes(view, self.within)
        order, rank = ranks_within(scores, view.rows, codes)
        if self.tokens is not None:
            return select_within_amount(
                order, codes, token_cost(view, codes, names), np.full(len(names), float(self.tokens))
            )
        sizes = np.bincount(codes, minlength=len(names))
        if self.share is not None:
            counts = round_share(self.share, sizes)
        else:
            counts = np.full(len(names), self.documents or 0, dtype=np.int64)
        return first_of_each(order, rank, codes, counts)

    def kept(self, view: View, scores: NDArray[np.float64], shown: NDArray[np.float64] | None = None) -> Decision:
        """Return the decision that keeps the highest scores; the ledger shows ``shown``, by default the scores."""
        chosen = self.choose(view, scores)
        values = scores if shown is None else shown
        return Decision(
            copies=np.where(chosen, view.copies, 0).astype(np.int32),
            value=pa.array(values, mask=np.isnan(values)),
            threshold=self.size_text(),
        )

    def size_text(self) -> str:
        """Return how much is kept, for sentences and ledgers."""
        if self.share is not None:
            size = f"{self.share * 100:g}% of the documents"
        elif self.documents is not None:
            size = f"{self.documents:,} documents"
        else:
            size = f"{self.tokens:,} tokens"
        return size + (f" within each {self.within}" if self.within else "")


@OPERATORS.register
class TopShare(Choosing):
    """Keeps the documents with the highest (or lowest) values of a score; documents without one come last."""

    name: ClassVar[str] = "top_share"
    term: ClassVar[str] = "quality threshold, top share"
    group: ClassVar[Group] = "Sampling"
    summary: ClassVar[str] = "Keeps the best share of the documents by a score."
    source: ClassVar[str] = "Li et al. 2024, arXiv 2406.11794 (keeps the top tenth of a classifier's scores)"
    warning: ClassVar[str | None] = (
        "A hard cut by one score narrows the corpus: compare coverage and composition on the page Effect, or use a "
        "stratified share or a softmax sample."
    )

    signal: NumericColumn = Field(
        description="The score to rank by; any numeric column, imported ones included. Infinite ones rank at the ends."
    )
    best: Literal["highest", "lowest"] = Field("highest", description="Which end of the score is good.")

    def columns(self) -> frozenset[str]:
        return self.size_columns() | {self.signal}

    def decide(self, view: View) -> Decision:
        values = view.numbers(self.signal)
        return self.kept(view, values if self.best == "highest" else -values, values)

    def sentence(self) -> str:
        return f"Keep {self.size_text()} with the {self.best} {self.signal}"


@OPERATORS.register
class SoftmaxSample(Choosing):
    """Samples documents without replacement with probability proportional to exp(score / temperature).

    The score is first brought to mean 0 and standard deviation 1 over the documents that reach the step. A high
    temperature is a random sample, a low one the top share.
    """

    name: ClassVar[str] = "softmax_sample"
    term: ClassVar[str] = "softmax sampling (QuRating)"
    group: ClassVar[Group] = "Sampling"
    summary: ClassVar[str] = "Samples documents, better ones more often, by a softmax of a score."
    source: ClassVar[str] = "Wettig et al. 2024, arXiv 2402.09739, section 3.3 (temperature 2.0 worked best)"

    signal: NumericColumn = Field(description="The score; documents without one (NULL) come last.")
    best: Literal["highest", "lowest"] = Field("highest", description="Which end of the score is good.")
    temperature: float = Field(2.0, gt=0, le=1000, description="In standard deviations of the score; low is strict.")
    seed: Seed = 0

    def columns(self) -> frozenset[str]:
        return self.size_columns() | {self.signal}

    def decide(self, view: View) -> Decision:
        values = view.numbers(self.signal)
        sign = 1.0 if self.best == "highest" else -1.0
        noisy = sign * standardise(values) / self.temperature + gumbel(view.keys, seed=self.seed, salt=self.name)
        return self.kept(view, noisy, values)

    def sentence(self) -> str:
        return (
            f"Sample {self.size_text()}, those with the {self.best} {self.signal} more often "
            f"(temperature {self.temperature:g}, seed {self.seed})"
        )


@OPERATORS.register
class StratifiedShare(SetOperator):
    """Keeps a share of the documents spread evenly over all levels of a score, optionally without the hardest ones.

    The score's range is cut into strata of equal width; each gives the same number if its size allows, chosen by keyed
    hash. Unlike a top share this keeps easy and hard documents, which matters when labels or scores are noisy.
    """

    name: ClassVar[str] = "stratified_share"
    term: ClassVar[str] = "coverage-centric selection (CCS)"
    group: ClassVar[Group] = "Sampling"
    scope: ClassVar[Scope] = "gather"
    summary: ClassVar[str] = "Keeps a share of the documents from all levels of a score."
    source: ClassVar[str] = "Zheng et al. 2023, arXiv 2210.15809, algorithm 1"
    idempotent: ClassVar[bool] = False

    signal: NumericColumn = Field(description="The score, for example a difficulty; NULL counts as a stratum.")
    share: float = Field(0.3, gt=0, le=1, description="Share of the documents to keep.")
    strata: int = Field(50, ge=2, le=1000, description="How many strata of equal width.")
    drop_hardest: float = Field(0.0, ge=0, lt=1, description="Share of the documents to drop first, at the hard end.")
    hard: Literal["highest", "lowest"] = Field("highest", description="Which end of the score is hard.")
    seed: Seed = 0

    def columns(self) -> frozenset[str]:
        return frozenset({self.signal})

    def decide(self, view: View) -> Decision:
        values = view.numbers(self.signal)
        hardness = values if self.hard == "highest" else -values
        whole = np.zeros(len(view), dtype=np.int64)
        order, rank = ranks_within(hardness, view.rows, whole)
        sizes = np.array([np.count_nonzero(~np.isnan(values))])
        hardest = first_of_each(order, rank, whole, round_share(self.drop_hardest, sizes))
        codes = strata(np.where(hardest, np.nan, values), self.strata)
        codes[np.isnan(values)] = self.strata
        codes[hardest] = self.strata + 1
        members = np.bincount(codes, minlength=self.strata + 2)
        members[self.strata + 1] = 0
        total = int(round_share(self.share, np.array([len(view)]))[0])
        quotas = even_quotas(members, total)
        drawn = gumbel(view.keys, seed=self.seed, salt=self.name)
        order, rank = ranks_within(drawn, view.rows, codes)
        chosen = first_of_each(order, rank, codes, quotas)
        return Decision(
            copies=np.where(chosen, view.copies, 0).astype(np.int32),
            value=pa.array(values, mask=np.isnan(values)),
            threshold=f"{self.share * 100:g}% from {self.strata} strata",
            resolved={"strata": int(np.count_nonzero(members)), "documents": int(quotas.sum())},
        )

    def sentence(self) -> str:
        first = f"Drop the hardest {self.drop_hardest * 100:g}%, then keep" if self.drop_hardest else "Keep"
        return f"{first} {self.share * 100:g}% of the documents evenly from {self.strata} levels of {self.signal}"


@OPERATORS.register
class PerplexityBand(Choosing):
    """Keeps the documents in the low, middle or high part of perplexity, by rank: exactly the share asked for.

    The column ``perplexity`` of the analysis comes from a trigram model that has not seen the document; any other
    column of perplexities or bits can be named.
    """

    name: ClassVar[str] = "perplexity_band"
    term: ClassVar[str] = "perplexity filter"
    group: ClassVar[Group] = "Sampling"
    summary: ClassVar[str] = "Keeps documents of low, middle or high perplexity under a model of the corpus."
    source: ClassVar[str] = "Marion et al. 2023, arXiv 2309.04564 (the middle did best); Wenzek et al. 2019"
    warning: ClassVar[str | None] = (
        "Low perplexity also marks templates and repetition, high perplexity also marks rare knowledge: look at both "
        "ends before cutting."
    )

    signal: NumericColumn = Field("perplexity", description="The column with perplexities; NULL comes last.")
    part: Literal["low", "middle", "high"] = Field("middle", description="Which part to keep.")

    def columns(self) -> frozenset[str]:
        return self.size_columns() | {self.signal}

    def decide(self, view: View) -> Decision:
        values = view.numbers(self.signal)
        return self.kept(view, self._preference(view, values), values)

    def _preference(self, view: View, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a score that is highest where documents are wanted, float64 (n,)."""
        if self.part != "middle":
            return values if self.part == "high" else -values
        codes, _ = group_codes(view, self.within)
        order, rank = ranks_within(values, view.rows, codes)
        place: NDArray[Any] = np.empty(len(view))
        sizes = np.bincount(codes[~np.isnan(values)], minlength=int(codes.max(initial=0)) + 1)
        place[order] = -np.abs(rank - (sizes[codes[order]] - 1) / 2.0)
        return np.where(np.isnan(values), np.nan, place)

    def sentence(self) -> str:
        part = "middle of the" if self.part == "middle" else f"{self.part}est"
        return f"Keep {self.size_text()} with the {part} {self.signal}"

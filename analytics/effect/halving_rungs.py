"""The rungs of a search by successive halving: what each model says of each way, which ways stay, and why."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.effect.bench import random_copies, run_trials, selection_bytes, training_set
from tamis.analytics.effect.curation import ORDERS, Curation, Ingredients, changed_ways, plain_ways, start_ways
from tamis.analytics.effect.halving_choice import Choose, RankedWay, best_part, near_best, simplest_near
from tamis.analytics.effect.halving_plan import NGRAM, TIE, Rung, SearchPlan
from tamis.analytics.effect.halving_reasons import HalvingTrial, RungSummary
from tamis.analytics.effect.proxy_arm import Arm
from tamis.analytics.effect.proxy_ground import ProxyGround
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.verdict import WIDTH, text_error
from tamis.data.errors import RecipeError, SettingError
from tamis.data.progress import Progress


@dataclass(frozen=True, eq=False)
class WayLoss:
    """What a proxy says of one way.

    Attributes:
        bits: float64 (m,) of each draw or seed: bits of the scored texts.
        bytes: int64 (m,), of those texts.
        read: bytes that were trained on, repeats left out.
    """

    bits: tuple[NDArray[np.float64], ...]
    bytes: NDArray[np.int64]
    read: int

    @property
    def mean(self) -> float:
        """Return bits per byte."""
        return float(np.mean([each.sum() for each in self.bits]) / self.bytes.sum())

    def error_to(self, other: WayLoss) -> float:
        """Return the standard error of the difference of two ways, over texts and over paired draws or seeds."""
        over_texts = text_error(self.bits, other.bits, self.bytes)
        if len(self.bits) != len(other.bits) or len(self.bits) < 2:
            return over_texts
        each = [(a.sum() - b.sum()) / self.bytes.sum() for a, b in zip(self.bits, other.bits, strict=True)]
        return float(np.hypot(over_texts, np.std(each, ddof=1) / math.sqrt(len(each))))


@dataclass(frozen=True, eq=False)
class BuiltWay:
    """A way and what it selects.

    Attributes:
        way: the way.
        copies: int32 (n,), of each document.
        position: int64 (n,), the place of each document in a stated order of training, None for a shuffled one.
        limit: UTF-8 bytes at most that are trained on, copies counted.
    """

    way: Curation
    copies: NDArray[np.int32]
    position: NDArray[np.int64] | None
    limit: int


@dataclass(eq=False)
class Rungs:
    """Runs the rungs and writes down every trial.

    Attributes:
        bed: the half of the target that recipes may see, cut in two: to fit with and to score.
        parts: what recipes are built from.
        plan: what is asked for.
        options: see ``choices``.
        progress: counts the trials; may cancel.
        trials: every way on every rung, in order.
        summaries: what each rung did.
    """

    bed: EffectStudy
    parts: Ingredients
    plan: SearchPlan
    options: Mapping[str, Sequence[str]]
    progress: Progress
    trials: list[HalvingTrial] = field(default_factory=list)
    summaries: list[RungSummary] = field(default_factory=list)
    _built: dict[Curation, BuiltWay] = field(default_factory=dict)

    @property
    def budget(self) -> int:
        """Return the UTF-8 bytes that random documents of the token budget have."""
        facts = self.bed.study.facts
        tokens = max(int(facts.whole("n_tokens").sum()), 1)
        wanted = int(self.plan.tokens * int(facts.whole("bytes").sum()) / tokens)
        return max(min(self.bed.protocol.budget_bytes, wanted), 1)

    def run(self) -> Curation:
        """Return the way that is left.

        Raises:
            SettingError: no way keeps anything.
        """
        self.progress.step("search", sum(self.plan.counts) + len(self.plan.counts), "trials")
        ways: Sequence[Curation] = start_ways(self.options, count=self.plan.start, seed=self.bed.protocol.seed)
        *rungs, last = self.plan.rungs
        for rung in rungs:
            ways = self._rung(rung, ways)
        plain = plain_ways(self.options)
        ways = self._rung(last, [*ways, *plain], beside=plain)
        ways = self._rung(self.plan.on_last("one change"), [*ways, *self._changes(ways[0])], beside=plain)
        final = self.plan.on_last("final", seeds=self.plan.seeds)
        if last.model == NGRAM:
            return self._rung(final, ways, choose=simplest_near)[0]
        ways = self._rung(final, ways, choose=near_best)
        random = self.summaries[-1].random
        if len(ways) > 1:
            ways = self._rung(TIE, ways, choose=simplest_near)
        return self._in_order(ways[0], random)

    def _changes(self, best: Curation) -> list[Curation]:
        """Return the ways one change away from the best that the last model has not judged."""
        judged = {trial.way: trial.loss for trial in self.trials if trial.rung == len(self.summaries) - 1}
        losses = {way: loss for way, loss in judged.items() if loss is not None}
        return [way for way in changed_ways(best, self.options, losses) if way not in judged]

    def _rung(
        self,
        rung: Rung,
        ways: Sequence[Curation],
        *,
        beside: Sequence[Curation] = (),
        choose: Choose | None = None,
    ) -> list[Curation]:
        """Measure ways, write them down, and return those that stay, the best first.

        Args:
            rung: the model.
            ways: to measure; each is measured once.
            beside: ways of which the best stays, whatever its place.
            choose: which stay; None for one in ``keep``.
        """
        built = self._distinct(rung, list(dict.fromkeys(ways)))
        losses, random = self._measured(rung, built)
        ranked = sorted(range(len(built)), key=lambda k: (losses[k].mean, built[k].way.steps, k))
        best = losses[ranked[0]]
        found = [
            RankedWay(built[k].way, losses[k].mean - best.mean, losses[k].error_to(best) if place else 0.0)
            for place, k in enumerate(ranked)
        ]
        stays = (choose or best_part(self.plan.stay(len(built)), beside=beside))(found)
        for k, each, stay in zip(ranked, found, stays, strict=True):
            self._note(
                rung, each.way, losses[k], kept=stay.kept, why=stay.why, behind=each.behind, error=each.error,
                documents=int(np.count_nonzero(built[k].copies)),
            )  # fmt: skip
        stayed = [each.way for each, stay in zip(found, stays, strict=True) if stay.kept]
        self.summaries.append(
            RungSummary(len(self.summaries), rung.name, len(built), len(stayed), best.mean, random.mean)
        )
        return stayed

    def _distinct(self, rung: Rung, ways: Sequence[Curation]) -> list[BuiltWay]:
        """Return ways that select different documents, the simplest of each; the others are written down as dropped."""
        found: dict[str, BuiltWay] = {}
        for way in sorted(ways, key=lambda way: way.steps):
            self.progress.check()
            try:
                each = self._build(way)
            except (SettingError, RecipeError) as error:
                self._note(rung, way, None, kept=False, why=f"cannot be built: {error}")
                continue
            named = hashlib.sha256(each.copies.tobytes()).hexdigest()
            if selection_bytes(self.bed.bench, each.copies) == 0:
                self._note(rung, way, None, kept=False, why="keeps nothing")
            elif named in found:
                self._note(rung, way, None, kept=False, why=f"selects what “{found[named].way.sentence()}” does")
            else:
                found[named] = each
        if not found:
            raise SettingError("No recipe of the search keeps anything", value=len(ways), fix="raise the budget")
        order = {way: place for place, way in enumerate(ways)}
        return sorted(found.values(), key=lambda each: order[each.way])

    def _build(self, way: Curation) -> BuiltWay:
        if way not in self._built:
            recipe = self.parts.build(way, progress=self.progress)
            self.bed.study.measure(recipe, progress=self.progress)
            outcome = self.bed.study.evaluate(recipe, progress=self.progress)
            limit = self.bed.protocol.budget_bytes
            self._built[way] = BuiltWay(way, outcome.copies, outcome.position, limit)
        return self._built[way]

    def _measured(self, rung: Rung, built: Sequence[BuiltWay]) -> tuple[list[WayLoss], WayLoss]:
        """Return what a model says of each way, and of random documents of the budget."""
        everything = random_copies(self.bed.bench, deduplicated=False)
        random = BuiltWay(Curation(duplicates="none", method=""), everything, None, self.budget)
        measure = self._ngram if rung.model == NGRAM else self._transformers
        *found, last = measure(rung, [*built, random])
        return found, last

    def _ngram(self, rung: Rung, built: Sequence[BuiltWay]) -> list[WayLoss]:
        found, bench = [], self.bed.bench
        for each in built:
            budget = int(min(each.limit, selection_bytes(bench, each.copies)) * rung.part)
            draws = 1 if rung.part < 1 else None
            trials = run_trials(bench, each.copies, name="search", budget=budget, draws=draws, progress=None)
            found.append(WayLoss(tuple(t.target_bits for t in trials), bench.unseen.bytes, trials[0].bytes))
            self.progress.check()
            self.progress.advance()
        return found

    def _transformers(self, rung: Rung, built: Sequence[BuiltWay]) -> list[WayLoss]:
        ground = ProxyGround(self.bed, self.plan.proxy(rung))
        arms = [self._arm(each, seed) for each in built for seed in range(rung.seeds)]
        trials = ground.trials(arms, progress=self.progress)
        found = []
        for place in range(len(built)):
            own = range(place * rung.seeds, (place + 1) * rung.seeds)
            read = int(self.bed.bench.bytes[arms[own[0]].rows].sum())
            found.append(WayLoss(tuple(trials[k].bits for k in own), ground.scored.bytes, read))
        return found

    def _arm(self, each: BuiltWay, seed: int) -> Arm:
        drawn = training_set(self.bed.bench, each.copies, budget=each.limit, seed=seed, salt="training set")
        places = None if each.position is None else each.position[drawn.rows]
        return Arm("search", 1.0, seed, drawn.rows, drawn.copies, places)

    def _in_order(self, best: Curation, random: float) -> Curation:
        """Try orders of training on the largest transformer; an n-gram model does not see order.

        Args:
            best: the way, shuffled.
            random: bits per byte of random documents on that transformer.
        """
        rung = self.plan.on_last("order", seeds=self.plan.seeds)
        orders = [order for order in ORDERS if best.method or order != "best last"]
        built = [self._build(replace(best, order=order)) for order in ("", *orders)]
        losses = self._transformers(rung, built)
        errors = [0.0, *(each.error_to(losses[0]) for each in losses[1:])]
        better = [k for k in range(1, len(built)) if losses[0].mean - losses[k].mean > WIDTH * errors[k]]
        chosen = min(better, key=lambda k: losses[k].mean, default=0)
        for k, each in enumerate(built):
            why = "better beyond the noise" if k in better else "not better than shuffled beyond the noise"
            self._note(
                rung, each.way, losses[k], kept=k == chosen, why=why if k else "shuffled, the order to beat",
                behind=losses[k].mean - losses[chosen].mean, error=errors[k],
                documents=int(np.count_nonzero(each.copies)),
            )  # fmt: skip
        lowest = min(loss.mean for loss in losses)
        self.summaries.append(RungSummary(len(self.summaries), rung.name, len(losses), 1, lowest, random))
        return built[chosen].way

    def _note(
        self,
        rung: Rung,
        way: Curation,
        loss: WayLoss | None,
        *,
        kept: bool,
        why: str,
        behind: float = 0.0,
        error: float = 0.0,
        documents: int = 0,
    ) -> None:
        self.trials.append(
            HalvingTrial(
                number=len(self.trials), rung=len(self.summaries), model=rung.name, way=way, sentence=way.sentence(),
                loss=None if loss is None else loss.mean, behind=behind, error=error, documents=documents,
                bytes=0 if loss is None else loss.read, kept=kept, why=why,
            )
        )  # fmt: skip

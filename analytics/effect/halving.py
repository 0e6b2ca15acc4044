"""Search for a recipe by successive halving: many ways to curate meet a cheap proxy, the best go on to a dearer one.

Every way spends the same token budget. Rungs are an n-gram model on a quarter of the budget, the same on all of it, and
transformers of rising size; after each rung the best third stays. Scorers and mixtures are fitted on one part of the
texts that recipes may see, ways are judged by the other part, and the half kept for the verdict is never read.

Sources: Jamieson and Talwalkar 2016, arXiv 1502.07943 (successive halving); Breiman et al. 1984 (the simplest within
one standard error).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tamis.analytics.effect.bench import Protocol, random_copies, run_trials, selection_bytes, training_set
from tamis.analytics.effect.curation import Curation, Ingredients, choices, groups_column, start_ways
from tamis.analytics.effect.halving_reasons import HalvingTrial, RungSummary, reasons
from tamis.analytics.effect.proxy_effect import Arm, ProxyGround
from tamis.analytics.effect.proxy_plan import Device, ProxyPlan
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.target import Target, TargetEntry
from tamis.analytics.effect.verdict import text_error
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.errors import RecipeError, SettingError
from tamis.data.progress import NullProgress, Progress

VERSION = 1
LastModel = Literal["n-gram", "0.5M", "2M", "8M"]
FIRST_PART = 0.25
"""Share of the budget that the first rung reads."""


@dataclass(frozen=True)
class SearchPlan:
    """What a search is asked for.

    Attributes:
        tokens: the budget of the recipe.
        start: ways to curate on the first rung.
        keep: one in so many stays after a rung.
        last: the largest proxy.
        read: bytes that a transformer reads.
        seeds: transformers per way; draws of the n-gram model.
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
        for size in self.sizes:
            self.proxy(size)

    @property
    def sizes(self) -> tuple[str, ...]:
        """Return the sizes of the transformers, ascending."""
        known = get_args(LastModel)
        return known[1 : known.index(self.last) + 1]

    def proxy(self, size: str) -> ProxyPlan:
        """Return how the transformers of a rung are trained.

        Raises:
            SettingError: too few bytes for the size.
        """
        return ProxyPlan(size, self.read, self.seeds, (), self.device)

    @property
    def counts(self) -> tuple[int, ...]:
        """Return how many ways each rung measures, at most."""
        found = [self.start]
        for _ in self.sizes:
            found.append(math.ceil(found[-1] / self.keep))
        return (found[0], *(math.ceil(count / self.keep) for count in found))

    @property
    def seconds(self) -> float:
        """Return the estimated seconds of the transformers on two processors."""
        models = zip(self.counts[2:], self.sizes, strict=True)
        return sum((count + 1) * self.proxy(size).seconds / 3 for count, size in models)


@dataclass(frozen=True)
class HalvingResult:
    """What a search found.

    Attributes:
        recipe: fitted on all texts that recipes may see; measure it with ``evaluate_effect``.
        way: from which the recipe is built.
        target: name of the target.
        plan: what was asked for.
        budget_bytes: UTF-8 bytes of the budget, the most that a model reads of a recipe.
        rungs: what each rung did.
        trials: every way on every rung, in order.
        reasons: why this recipe, choice by choice.
    """

    recipe: Recipe
    way: Curation
    target: str
    plan: SearchPlan
    budget_bytes: int
    rungs: tuple[RungSummary, ...]
    trials: tuple[HalvingTrial, ...]
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored."""
        return {"version": VERSION, **asdict(replace(self, recipe=None)), "recipe": self.recipe.to_yaml()}  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> HalvingResult:
        """Read a stored result.

        Raises:
            SettingError: it is no result of this version.
        """
        if value.get("version") != VERSION:
            raise SettingError("This is not the result of a search", value=value.get("version"), fix="search again")
        return cls(
            recipe=Recipe.from_yaml(value["recipe"]),
            way=Curation(**value["way"]),
            target=value["target"],
            plan=SearchPlan(**value["plan"]),
            budget_bytes=value["budget_bytes"],
            rungs=tuple(RungSummary(**each) for each in value["rungs"]),
            trials=tuple(HalvingTrial(**{**each, "way": Curation(**each["way"])}) for each in value["trials"]),
            reasons=tuple(value["reasons"]),
        )


def search_recipe(
    study: Study,
    target: TargetEntry,
    plan: SearchPlan,
    *,
    protocol: Protocol | None = None,
    progress: Progress | None = None,
) -> HalvingResult:
    """Search for the recipe of fewest bits per byte of a target at a token budget, by successive halving.

    Args:
        study: the analysed corpus.
        target: texts of the purpose; the half kept for the verdict is never read.
        plan: budget, number of ways, proxies.
        protocol: sizes and seeds of the n-gram measurements.
        progress: counts the trials; may cancel.

    Raises:
        SettingError: the target has too few texts, or no way keeps anything.
    """
    watch = progress or NullProgress()
    rules = protocol or Protocol(draws=plan.seeds)
    bed = EffectStudy.open(study, target, protocol=rules, search=True, progress=watch)
    if bed.target is None:
        raise SettingError("A search needs a target")
    by = groups_column(study) if plan.by is None else plan.by
    parts = Ingredients(study, target, bed.target, plan.tokens, by, rules)
    search = _Halving(bed, parts, plan, watch)
    way = search.run(start_ways(choices(study, by=by, near=plan.near), count=plan.start, seed=rules.seed))
    visible = replace(parts, seen=Target.open(study.workspace, target.digest), _weights={})
    why = f"Proposed by a search of {len(search.trials)} trials for {target.name} at {plan.tokens:,} tokens."
    return HalvingResult(
        recipe=visible.build(way, progress=watch).described(title=f"Proposed for {target.name}", why=why),
        way=way,
        target=target.name,
        plan=plan,
        budget_bytes=search.budget,
        rungs=tuple(search.rungs),
        trials=tuple(search.trials),
        reasons=reasons(way, search.trials, search.rungs),
    )


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
class _Built:
    way: Curation
    copies: NDArray[np.int32]
    position: NDArray[np.int64] | None


@dataclass(eq=False)
class _Halving:
    """Runs the rungs and writes down every trial."""

    bed: EffectStudy
    parts: Ingredients
    plan: SearchPlan
    progress: Progress
    trials: list[HalvingTrial] = field(default_factory=list)
    rungs: list[RungSummary] = field(default_factory=list)
    budget: int = 0

    def run(self, ways: Sequence[Curation]) -> Curation:
        """Return the way that is left."""
        self.budget = self._bytes()
        names = ["n-gram on a quarter", "n-gram", *self.plan.sizes]
        self.progress.step("search", sum(self.plan.counts) + len(names), "trials")
        built = self._distinct(ways, names[0])
        for number, name in enumerate(names):
            losses, random = self._measure(number, name, built)
            last = number == len(names) - 1
            built, best = self._decide(number, name, built, losses, random, last=last)
        if self.plan.sizes and best.way.method:
            best = self._in_order(best)
        return best.way

    def _bytes(self) -> int:
        """Return the UTF-8 bytes of the token budget in this corpus."""
        facts = self.bed.study.facts
        tokens = max(int(facts.whole("n_tokens").sum()), 1)
        wanted = int(self.plan.tokens * int(facts.whole("bytes").sum()) / tokens)
        return max(min(self.bed.protocol.budget_bytes, wanted), 1)

    def _distinct(self, ways: Sequence[Curation], rung: str) -> list[_Built]:
        """Return ways that select different documents, the simplest of each; the others are written down as dropped."""
        found: dict[str, _Built] = {}
        for way in sorted(ways, key=lambda way: way.steps):
            self.progress.check()
            try:
                each = self._build(way)
            except (SettingError, RecipeError) as error:
                self._note(0, rung, way, None, kept=False, why=f"cannot be built: {error}")
                continue
            size = selection_bytes(self.bed.bench, each.copies)
            named = hashlib.sha256(each.copies.tobytes()).hexdigest()
            if size == 0:
                self._note(0, rung, way, None, kept=False, why="keeps nothing")
            elif named in found:
                self._note(0, rung, way, None, kept=False, why=f"selects what “{found[named].way.sentence()}” does")
            else:
                found[named] = each
        if not found:
            raise SettingError("No recipe of the search keeps anything", value=len(ways), fix="raise the budget")
        order = {way: place for place, way in enumerate(ways)}
        return sorted(found.values(), key=lambda each: order[each.way])

    def _build(self, way: Curation) -> _Built:
        recipe = self.parts.build(way, progress=self.progress)
        self.bed.study.measure(recipe, progress=self.progress)
        outcome = self.bed.study.evaluate(recipe, progress=self.progress)
        return _Built(way, outcome.copies, outcome.position)

    def _measure(self, number: int, name: str, built: Sequence[_Built]) -> tuple[list[WayLoss], WayLoss]:
        """Return what a rung says of each way, and of random documents of the budget."""
        random = _Built(Curation(duplicates="none", method=""), random_copies(self.bed.bench, deduplicated=False), None)
        wanted = [*built, random]
        found = self._ngram(number, wanted) if number < 2 else self._transformers(name, wanted)
        return found[:-1], found[-1]

    def _ngram(self, number: int, built: Sequence[_Built]) -> list[WayLoss]:
        found, bench = [], self.bed.bench
        for each in built:
            size = selection_bytes(bench, each.copies)
            budget = int(min(self.budget, size) * (FIRST_PART if number == 0 else 1.0))
            draws = 1 if number == 0 else None
            trials = run_trials(bench, each.copies, name="search", budget=budget, draws=draws, progress=None)
            found.append(WayLoss(tuple(t.target_bits for t in trials), bench.unseen.bytes, trials[0].bytes))
            self.progress.check()
            self.progress.advance()
        return found

    def _transformers(self, size: str, built: Sequence[_Built]) -> list[WayLoss]:
        ground = ProxyGround(self.bed, self.plan.proxy(size))
        arms = [self._arm(each, seed) for each in built for seed in range(self.plan.seeds)]
        trials = ground.trials(arms, progress=self.progress)
        found = []
        for place in range(len(built)):
            own = range(place * self.plan.seeds, (place + 1) * self.plan.seeds)
            read = int(self.bed.bench.bytes[arms[own[0]].rows].sum())
            found.append(WayLoss(tuple(trials[k].bits for k in own), ground.scored.bytes, read))
        return found

    def _arm(self, each: _Built, seed: int) -> Arm:
        drawn = training_set(self.bed.bench, each.copies, budget=self.budget, seed=seed, salt="training set")
        places = None if each.position is None else each.position[drawn.rows]
        return Arm("search", 1.0, seed, drawn.rows, drawn.copies, places)

    def _decide(
        self, number: int, name: str, built: Sequence[_Built], losses: Sequence[WayLoss], random: WayLoss, *, last: bool
    ) -> tuple[list[_Built], _Built]:
        """Write the trials of a rung down, and return the ways that go on and the best one."""
        ranked = sorted(range(len(built)), key=lambda k: (losses[k].mean, built[k].way.steps, k))
        best = losses[ranked[0]]
        errors = [0.0 if k == ranked[0] else losses[k].error_to(best) for k in range(len(built))]
        chosen = ranked[0]
        if last:
            near = [k for k in ranked if losses[k].mean - best.mean <= errors[k]]
            chosen = min(near, key=lambda k: (built[k].way.steps, ranked.index(k)))
        stay = ranked[:1] if last else ranked[: math.ceil(len(built) / self.plan.keep)]
        for place, k in enumerate(ranked):
            kept = k == chosen if last else k in stay
            why = _why(place, len(ranked), len(stay), last=last, kept=kept, simpler=kept and k != ranked[0])
            self._note(
                number, name, built[k].way, losses[k], kept=kept, why=why, behind=losses[k].mean - best.mean,
                error=errors[k], documents=int(np.count_nonzero(built[k].copies)),
            )  # fmt: skip
        self.rungs.append(RungSummary(number, name, len(built), 1 if last else len(stay), best.mean, random.mean))
        return [built[k] for k in sorted(stay)], built[chosen]

    def _in_order(self, best: _Built) -> _Built:
        """Try orders of training on the largest transformer; an n-gram model does not see order."""
        size, number = self.plan.sizes[-1], len(self.rungs)
        name = f"order, {size}"
        orders = [self._build(replace(best.way, order=order)) for order in ("best last", "short first")]
        losses = self._transformers(size, [best, *orders])
        errors = [0.0, *(each.error_to(losses[0]) for each in losses[1:])]
        better = [k for k in (1, 2) if losses[0].mean - losses[k].mean > 2 * errors[k]]
        chosen = min(better, key=lambda k: losses[k].mean, default=0)
        for k, each in enumerate([best, *orders]):
            why = "better beyond the noise" if k in better else "not better than shuffled beyond the noise"
            why = "shuffled, the order to beat" if k == 0 else why
            self._note(
                number, name, each.way, losses[k], kept=k == chosen, why=why,
                behind=losses[k].mean - losses[chosen].mean, error=errors[k],
                documents=int(np.count_nonzero(each.copies)),
            )  # fmt: skip
        lowest = min(loss.mean for loss in losses)
        self.rungs.append(RungSummary(number, name, len(losses), 1, lowest, self.rungs[-1].random))
        return [best, *orders][chosen]

    def _note(
        self,
        number: int,
        rung: str,
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
                number=len(self.trials), rung=number, model=rung, way=way, sentence=way.sentence(),
                loss=None if loss is None else loss.mean, behind=behind, error=error, documents=documents,
                bytes=0 if loss is None else loss.read, kept=kept, why=why,
            )
        )  # fmt: skip


def _why(place: int, count: int, stay: int, *, last: bool, kept: bool, simpler: bool) -> str:
    """Return why a way stays or goes."""
    rank = f"{place + 1} of {count}"
    if not last:
        return f"{rank}: among the best {stay}" if kept else f"{rank}: the best {stay} stay"
    if simpler:
        return f"{rank}: as good as the best within one standard error, and simpler"
    if kept:
        return f"{rank}: the best"
    return f"{rank}: a simpler one is as good" if place == 0 else f"{rank}: not the best"

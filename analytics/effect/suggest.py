"""Propose a recipe for a target: a small, seeded search that logs every trial.

The search fits scorers on one part of the texts that recipes may see and scores on the other part; the test half of the
target is never read. It starts from a plain recipe and changes one thing at a time (scorer, duplicates, rule set,
strictness), keeping a change only when it is better by more than the noise over the scored texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tamis.analytics.effect.bench import RANDOM, Protocol, Trial, random_copies, run_trials, selection_bytes
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.scorer_fit import relevance_operator
from tamis.analytics.effect.target import Target, TargetEntry
from tamis.analytics.effect.verdict import text_error
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.presets import RULE_SETS, with_rule_set
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.signals.relevance_step import METHODS
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.progress import NullProgress, Progress

TEMPERATURES: tuple[float | None, ...] = (None, 0.1, 0.5)
Duplicates = Literal["none", "exact", "near"]


@dataclass(frozen=True)
class Candidate:
    """One point of the search.

    Attributes:
        method: relevance method, see ``METHODS``.
        duplicates: how duplicates are dropped first.
        rules: name of a published rule set that filters first, empty for none.
        temperature: None keeps the best, a number samples.
    """

    method: str = "classifier"
    duplicates: Duplicates = "exact"
    rules: str = ""
    temperature: float | None = None

    @property
    def steps(self) -> int:
        """Return the number of steps; of two equally good candidates the simpler one is proposed."""
        return 1 + (self.duplicates != "none") + (self.rules != "") + (self.temperature is not None)

    def sentence(self) -> str:
        """Return the candidate in words."""
        parts = [f"relevance by {self.method.replace('_', ' ')}"]
        if self.duplicates != "none":
            parts.append(f"{self.duplicates} duplicates dropped")
        if self.rules:
            parts.append(f"rule set {self.rules}")
        if self.temperature is not None:
            parts.append(f"temperature {self.temperature:g}")
        return ", ".join(parts)


@dataclass(frozen=True)
class SearchTrial:
    """One recipe tried by the search.

    Attributes:
        number: from 0 for the random baseline.
        candidate: the recipe tried, None for the baseline.
        target: bits per byte of the scored part of the visible texts.
        general: bits per byte of the corpus hold-out.
        documents: that the recipe keeps.
        error: standard error over the texts of the difference to the best so far.
        accepted: whether it became the best.
        log: one sentence.
    """

    number: int
    candidate: Candidate | None
    target: float
    general: float
    documents: int
    error: float
    accepted: bool
    log: str


@dataclass(frozen=True)
class Suggestion:
    """The result of the search.

    Attributes:
        recipe: fitted on all texts that recipes may see; measure it with ``evaluate_effect``.
        candidate: from which the recipe is built.
        trials: all trials, in order.
        tokens: the budget.
    """

    recipe: Recipe
    candidate: Candidate
    trials: tuple[SearchTrial, ...]
    tokens: int


def suggest_recipe(
    study: Study,
    target: TargetEntry,
    *,
    tokens: int,
    trials: int = 20,
    near: bool = False,
    protocol: Protocol | None = None,
    progress: Progress | None = None,
) -> Suggestion:
    """Search for a recipe that needs the fewest bits per byte of the target at a token budget.

    Args:
        study: the analysed corpus.
        target: texts of the purpose.
        tokens: the budget.
        trials: most recipes to try.
        near: also try near-duplicates, which need a longer measurement.
        protocol: sizes and seeds of the measurements.
        progress: counts the trials; may cancel.

    Raises:
        SettingError: the budget or the number of trials is not positive, or the target has too few texts.
    """
    if tokens < 1 or trials < 1:
        raise SettingError("A search needs a budget and trials", value=(tokens, trials), allowed="1 or more of each")
    watch = progress or NullProgress()
    bed = EffectStudy.open(study, target, protocol=protocol or Protocol(draws=3), search=True, progress=watch)
    search = _Search(bed, target, tokens, trials, watch)
    best = search.run(_options(study, near=near))
    visible = Target.open(study.workspace, target.digest)
    recipe = build_recipe(study, visible, target, best, tokens=tokens, progress=watch)
    why = f"Proposed by a search of {len(search.trials) - 1} recipes for {target.name} at {tokens:,} tokens."
    return Suggestion(
        recipe.described(title=f"Proposed for {target.name}", why=why), best, tuple(search.trials), tokens
    )


def build_recipe(
    study: Study,
    target: Target,
    entry: TargetEntry,
    candidate: Candidate,
    *,
    tokens: int,
    progress: Progress | None = None,
) -> Recipe:
    """Return the recipe of a candidate: rule set, duplicates, relevance up to the budget."""
    recipe = with_rule_set(Recipe(), candidate.rules) if candidate.rules else Recipe()
    if candidate.duplicates != "none":
        recipe = recipe.with_operator(OPERATORS.build(f"{candidate.duplicates}_dedup", {}))
    params: dict[str, object] = {"tokens": tokens}
    if candidate.temperature is not None:
        params["temperature"] = candidate.temperature
    return recipe.with_operator(relevance_operator(study, target, entry, candidate.method, progress=progress, **params))


def _options(study: Study, *, near: bool) -> dict[str, Sequence[object]]:
    """Return the search space: field of a candidate -> values that the corpus supports."""
    embedded = any(step.name == "embeddings" for step in study.evidence.steps)
    methods = [name for name, kind in METHODS.items() if embedded or kind.input == "words"]
    fitting = [name for name, rules in RULE_SETS.items() if set(rules.reads()) <= set(study.facts.columns)]
    copies: list[Duplicates] = ["none", "exact"] if "norm_group" in study.facts.columns else ["none"]
    return {
        "method": methods,
        "duplicates": [*copies, "near"] if near else copies,
        "rules": ["", *fitting],
        "temperature": TEMPERATURES,
    }


class _Search:
    """Coordinate search: change one field at a time and keep a change that is better beyond the noise."""

    def __init__(self, bed: EffectStudy, entry: TargetEntry, tokens: int, most: int, progress: Progress) -> None:
        self.bed, self.entry, self.tokens, self.most, self.progress = bed, entry, tokens, most, progress
        self.trials: list[SearchTrial] = []
        self._measured: dict[Candidate, tuple[Trial, ...]] = {}
        self._budget = self._bytes()

    def run(self, options: dict[str, Sequence[object]]) -> Candidate:
        """Try candidates until nothing helps or the trials are used up, and return the best."""
        self.progress.step("search", self.most, "trials")
        self._baseline()
        start = Candidate(duplicates="exact" if "exact" in options["duplicates"] else "none")
        best = self._try(start, None)
        improved = True
        while improved:
            improved = False
            for candidate in _neighbours(best, options):
                if candidate in self._measured:
                    continue
                if len(self.trials) > self.most:
                    return best
                better = self._try(candidate, best)
                improved, best = improved or better != best, better
        return best

    def _bytes(self) -> int:
        """Return the UTF-8 bytes of the token budget in this corpus."""
        facts = self.bed.study.facts
        tokens = max(int(facts.whole("n_tokens").sum()), 1)
        wanted = int(self.tokens * int(facts.whole("bytes").sum()) / tokens)
        return max(min(self.bed.protocol.budget_bytes, wanted), 1)

    def _baseline(self) -> None:
        copies = random_copies(self.bed.bench, deduplicated=False)
        trials = run_trials(self.bed.bench, copies, name=RANDOM, budget=self._budget)
        self._record(None, trials, 0.0, accepted=False, log="Random documents of the same size, for comparison")

    def _try(self, candidate: Candidate, best: Candidate | None) -> Candidate:
        """Measure a candidate and return the better one of both."""
        self.progress.check()
        study, target = self.bed.study, self.bed.target
        if target is None:
            raise SettingError("A search needs a target")
        recipe = build_recipe(study, target, self.entry, candidate, tokens=self.tokens, progress=self.progress)
        copies = self.bed.copies(recipe, progress=self.progress)
        size = selection_bytes(self.bed.bench, copies)
        if size == 0:
            self._measured[candidate] = ()
            return best or candidate
        trials = run_trials(self.bed.bench, copies, name="recipe", budget=min(self._budget, size))
        self._measured[candidate] = trials
        if best is None:
            self._record(candidate, trials, 0.0, accepted=True, log=f"Start: {candidate.sentence()}")
            return candidate
        gain, error = self._gain(trials, self._measured[best])
        simpler = candidate.steps < best.steps
        accepted = gain > 2 * error or (simpler and gain > -error / 2)
        reason = "better beyond the noise" if gain > 2 * error else "as good and simpler" if accepted else "not better"
        self._record(
            candidate, trials, error, accepted=accepted, log=f"{candidate.sentence()}: {gain:+.4f} bits, {reason}"
        )
        return candidate if accepted else best

    def _gain(self, trials: Sequence[Trial], best: Sequence[Trial]) -> tuple[float, float]:
        """Return the bits per byte that a candidate saves, and their standard error over the texts."""
        costs = [float(np.mean([trial.target for trial in part])) for part in (trials, best)]
        bits = [[trial.target_bits for trial in part] for part in (trials, best)]
        return costs[1] - costs[0], text_error(bits[0], bits[1], self.bed.bench.unseen.bytes)

    def _record(
        self, candidate: Candidate | None, trials: Sequence[Trial], error: float, *, accepted: bool, log: str
    ) -> None:
        self.trials.append(
            SearchTrial(
                number=len(self.trials),
                candidate=candidate,
                target=float(np.mean([trial.target for trial in trials])),
                general=float(np.mean([trial.general for trial in trials])),
                documents=int(np.mean([trial.documents for trial in trials])),
                error=error,
                accepted=accepted,
                log=log,
            )
        )
        self.progress.advance()


def _neighbours(best: Candidate, options: dict[str, Sequence[object]]) -> Iterator[Candidate]:
    """Yield the candidates that differ from ``best`` in one field, in a fixed order."""
    for name, values in options.items():
        for value in values:
            if value != getattr(best, name):
                yield replace(best, **{name: value})  # type: ignore[arg-type]

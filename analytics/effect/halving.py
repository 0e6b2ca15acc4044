"""Search for a recipe by successive halving: many ways to curate meet a cheap proxy, the best go on to a dearer one.

Every way spends at most the same token budget. Rungs are an n-gram model on a quarter of each selection, the same on
all of it, and transformers of rising size; after each rung the best third stays. A cheap proxy cannot rank what is
nearly alike, so the last model also judges every published rule set as it is, whatever cheaper ones would say of it,
and the ways that differ from the best in one choice; the best of all these are trained with more seeds. Those it does
not tell apart are judged by the n-gram model once more, which reads all that they keep; the simplest of those that it
does not tell apart either is taken, since nothing measured speaks for more.

Scorers and mixtures are fitted on one part of the texts that recipes may see, ways are judged by the other part, and
the half kept for the verdict is never read.

Source: Jamieson and Talwalkar 2016, arXiv 1502.07943 (successive halving).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from tamis.analytics.effect.bench import Protocol
from tamis.analytics.effect.curation import Curation, Ingredients, choices, groups_column
from tamis.analytics.effect.halving_plan import SearchPlan
from tamis.analytics.effect.halving_reasons import HalvingTrial, RungSummary, reasons
from tamis.analytics.effect.halving_rungs import Rungs
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.target import Target, TargetEntry
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.data.errors import SettingError
from tamis.data.progress import NullProgress, Progress

VERSION = 3


@dataclass(frozen=True)
class HalvingResult:
    """What a search found.

    Attributes:
        recipe: fitted on all texts that recipes may see; measure it with ``evaluate_effect``.
        way: from which the recipe is built.
        target: name of the target.
        plan: what was asked for.
        budget_bytes: UTF-8 bytes that random documents of the budget have.
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
    """Search for the recipe of fewest bits per byte of a target within a token budget, by successive halving.

    Args:
        study: the analysed corpus.
        target: texts of the purpose; the half kept for the verdict is never read.
        plan: budget, number of ways, proxies.
        protocol: sizes and seeds of the n-gram measurements.
        progress: counts the trials; may cancel.

    Raises:
        SettingError: the target has too few texts, the budget holds the whole corpus, or no way keeps anything.
    """
    watch = progress or NullProgress()
    rules = protocol or Protocol(draws=plan.seeds)
    bed = EffectStudy.open(study, target, protocol=rules, search=True, progress=watch)
    if bed.target is None:
        raise SettingError("A search needs a target")
    have = int(study.facts.whole("n_tokens").sum())
    if plan.tokens >= have:
        raise SettingError(
            "A budget that holds the whole corpus leaves nothing to choose", value=plan.tokens,
            allowed=f"fewer than {have:,} tokens", fix="take fewer tokens",
        )  # fmt: skip
    by = groups_column(study) if plan.by is None else plan.by
    parts = Ingredients(study, target, bed.target, plan.tokens, by, rules)
    search = Rungs(bed, parts, plan, choices(study, by=by, near=plan.near), watch)
    way = search.run()
    visible = replace(parts, seen=Target.open(study.workspace, target.digest), _weights={})
    why = f"Proposed by a search of {len(search.trials)} trials for {target.name} at {plan.tokens:,} tokens."
    return HalvingResult(
        recipe=visible.build(way, progress=watch).described(title=f"Proposed for {target.name}", why=why),
        way=way,
        target=target.name,
        plan=plan,
        budget_bytes=search.budget,
        rungs=tuple(search.summaries),
        trials=tuple(search.trials),
        reasons=reasons(way, search.trials, search.summaries),
    )

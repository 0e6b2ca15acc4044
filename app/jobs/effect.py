"""Background jobs around the effect of a recipe: attribution of steps, a proposed recipe, a report, a fitted scorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tamis.analytics.effect.evaluation import StepEffect, leave_one_out
from tamis.analytics.effect.halving import HalvingResult, search_recipe
from tamis.analytics.effect.halving_plan import SearchPlan
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.report_writer import write_report
from tamis.analytics.effect.scorer_fit import fit_scorer
from tamis.analytics.effect.suggest import Candidate, SearchTrial, suggest_recipe
from tamis.analytics.effect.target import Target, find_target
from tamis.analytics.effect.verdict import Difference
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.concept_profiles import freeze_concepts
from tamis.analytics.study.study import Study
from tamis.app.jobs.corpus import COMMAND, opening_params, reopen
from tamis.app.jobs.mixture import find_dials
from tamis.app.jobs.proxy import find_proxies
from tamis.data.corpus import Corpus
from tamis.data.jobs import Job, Request, start
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

ATTRIBUTION = "attribution"
SUGGEST = "suggest"
HALVING = "halving"
REPORT = "report"
SCORER = "scorer"
CONCEPTS = "concepts"


def start_attribution(corpus: Corpus, workspace: Workspace, recipe: Recipe, target: str) -> Job:
    """Start measuring the contribution of each step of a recipe, or join the running job.

    Args:
        corpus: the analysed corpus.
        workspace: where artifacts, targets and the job's record are kept.
        recipe: its steps are left out one by one.
        target: name of a saved target, empty to measure general text.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {"recipe": recipe.to_yaml(), "digest": recipe.digest, "target": target}
    return start(workspace.jobs, Request(ATTRIBUTION, params, title=f"Steps of {recipe.title}"), command=COMMAND)


def start_suggest(
    corpus: Corpus, workspace: Workspace, target: str, *, tokens: int, trials: int, near: bool = False
) -> Job:
    """Start a search for a recipe, or join the running job; arguments as ``suggest_recipe``.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {"target": target, "tokens": tokens, "trials": trials, "near": near}
    return start(workspace.jobs, Request(SUGGEST, params, title=f"A recipe for {target}"), command=COMMAND)


def start_halving(corpus: Corpus, workspace: Workspace, target: str, plan: SearchPlan) -> Job:
    """Start a search for a recipe by successive halving, or join the running job.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {"target": target, "plan": asdict(plan)}
    return start(workspace.jobs, Request(HALVING, params, title=f"A recipe for {target}"), command=COMMAND)


def start_report(corpus: Corpus, workspace: Workspace, recipe: Recipe, target: str, *, examples: int) -> Job:
    """Start writing the report and the dataset card of a recipe, or join the running job.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {
        "recipe": recipe.to_yaml(), "digest": recipe.digest, "target": target, "examples": examples,
    }  # fmt: skip
    return start(workspace.jobs, Request(REPORT, params, title=f"Report on {recipe.title}"), command=COMMAND)


def start_scorer(corpus: Corpus, workspace: Workspace, target: str, method: str) -> Job:
    """Start fitting a relevance scorer to a target, or join the running job.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {"target": target, "method": method}
    return start(workspace.jobs, Request(SCORER, params, title=f"Scorer for {target}"), command=COMMAND)


def start_concepts(corpus: Corpus, workspace: Workspace) -> Job:
    """Start measuring the complexity of the concepts and freezing them for a budget rule, or join the running job.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace)
    return start(workspace.jobs, Request(CONCEPTS, params, title=f"Concepts of {corpus.name}"), command=COMMAND)


def _study(params: Mapping[str, Any], progress: Progress) -> Study:
    workspace = Workspace(Path(params["workspace"]))
    return Study.open(reopen(params, workspace, progress), workspace, progress=progress)


def attribute(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_attribution``."""
    study = _study(params, progress)
    entry = find_target(study.workspace, params["target"]) if params["target"] else None
    bed = EffectStudy.open(study, entry, progress=progress)
    found = leave_one_out(bed, Recipe.from_yaml(params["recipe"]), progress=progress)
    return {"steps": study.workspace.put_value([asdict(each) for each in found])}


def suggest(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_suggest``."""
    study = _study(params, progress)
    entry = find_target(study.workspace, params["target"])
    found = suggest_recipe(
        study, entry, tokens=params["tokens"], trials=params["trials"], near=params["near"], progress=progress
    )
    value = {
        "recipe": found.recipe.to_yaml(),
        "sentence": found.candidate.sentence(),
        "tokens": found.tokens,
        "trials": [asdict(trial) for trial in found.trials],
    }
    return {"suggestion": study.workspace.put_value(value)}


def halving(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_halving``."""
    study = _study(params, progress)
    entry = find_target(study.workspace, params["target"])
    found = search_recipe(study, entry, SearchPlan(**params["plan"]), progress=progress)
    return {"search": study.workspace.put_value(found.to_json())}


def read_halving(workspace: Workspace, job: Job) -> HalvingResult:
    """Return what a finished search found.

    Raises:
        StoreError: the workspace does not have it.
        SettingError: it is of another version.
    """
    return HalvingResult.from_json(workspace.value(str(job.result["search"])))


def report(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_report``."""
    study = _study(params, progress)
    entry = find_target(study.workspace, params["target"]) if params["target"] else None
    recipe = Recipe.from_yaml(params["recipe"])
    folder = study.workspace.root / "reports" / f"{recipe.digest[:16]}-{study.facts.digest[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    written = write_report(
        study, recipe, folder / "report.html", card=folder / "card.md", target=entry, examples=params["examples"],
        proxies=find_proxies(study.workspace, study.corpus.fingerprint, recipe.digest, entry.digest if entry else ""),
        dials=find_dials(study.workspace, study.corpus.fingerprint, recipe, entry.digest) if entry else (),
        progress=progress,
    )  # fmt: skip
    return {"html": str(written.html), "card": str(written.card)}


def scorer(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_scorer``."""
    study = _study(params, progress)
    entry = find_target(study.workspace, params["target"])
    target = Target.open(study.workspace, entry.digest)
    return {"model": fit_scorer(study, target, params["method"], progress=progress)}


def concepts(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_concepts``."""
    return {"concepts": freeze_concepts(_study(params, progress), progress=progress)}


WORKS = {
    ATTRIBUTION: attribute, SUGGEST: suggest, HALVING: halving, REPORT: report, SCORER: scorer, CONCEPTS: concepts,
}  # fmt: skip


def step_effects(value: Sequence[Mapping[str, Any]]) -> tuple[StepEffect, ...]:
    """Return the step effects that ``attribute`` stored."""
    return tuple(StepEffect(**{**each, "difference": Difference(**each["difference"])}) for each in value)


def search_trials(value: Sequence[Mapping[str, Any]]) -> tuple[SearchTrial, ...]:
    """Return the trials that ``suggest`` stored."""
    return tuple(
        SearchTrial(**{**each, "candidate": Candidate(**each["candidate"]) if each["candidate"] else None})
        for each in value
    )

"""The background job that fits a mixture of domains to a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tamis.analytics.effect.mixture_fit import FitParams, MixtureFit, fit_mixture
from tamis.analytics.effect.mixture_swarm import DomainParams
from tamis.analytics.effect.mixture_transformer import TransformerProxy
from tamis.analytics.effect.proxy_plan import ProxyPlan
from tamis.analytics.effect.synthetic_dial import DialParams, ReportedDial, SyntheticDial, sweep_shares
from tamis.analytics.effect.target import find_target
from tamis.analytics.operators.operator import Operator
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.app.jobs.corpus import COMMAND, opening_params, reopen
from tamis.data.corpus import Corpus
from tamis.data.jobs import Job, Request, list_jobs, start
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

MIXTURE = "mixture"
DIAL = "synthetic_dial"


def start_mixture(
    corpus: Corpus, workspace: Workspace, target: str, wanted: FitParams, *, proxy: ProxyPlan | None = None
) -> Job:
    """Start fitting a mixture to a saved target, or join the running job; one that was stopped repeats no trial.

    Args:
        corpus: the analysed corpus.
        workspace: where artifacts, targets and the job's record are kept.
        target: name of a saved target.
        wanted: what to fit.
        proxy: the transformer that measures a mixture; None for the n-gram model.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {"target": target, "wanted": asdict(wanted)}
    if proxy is not None:
        params["proxy"] = proxy.to_json()
    return start(workspace.jobs, Request(MIXTURE, params, title=f"A mixture for {target}"), command=COMMAND)


def mix(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_mixture``."""
    workspace = Workspace(Path(params["workspace"]))
    study = Study.open(reopen(params, workspace, progress), workspace, progress=progress)
    wanted = FitParams(**{**params["wanted"], "domains": DomainParams(**params["wanted"]["domains"])})
    proxy = TransformerProxy(ProxyPlan.from_json(params["proxy"])) if "proxy" in params else None
    found = fit_mixture(study, find_target(workspace, params["target"]), wanted, proxy=proxy, progress=progress)
    return {"fit": workspace.put_value(found.to_json())}


def read_mixture(workspace: Workspace, job: Job) -> tuple[MixtureFit, str]:
    """Return what a finished fit found, and its digest.

    Raises:
        StoreError: the workspace does not have it.
        SettingError: it is of another version.
    """
    digest = str(job.result["fit"])
    return MixtureFit.open(workspace, digest), digest


def start_dial(corpus: Corpus, workspace: Workspace, target: str, recipe: Recipe, wanted: DialParams) -> Job:
    """Start a sweep over shares of synthetic text, or join the running job.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {
        "target": target, "wanted": asdict(wanted), "recipe": recipe.to_yaml(), "digest": recipe.digest,
    }  # fmt: skip
    return start(workspace.jobs, Request(DIAL, params, title=f"Synthetic shares for {target}"), command=COMMAND)


def sweep(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_dial``."""
    workspace = Workspace(Path(params["workspace"]))
    study = Study.open(reopen(params, workspace, progress), workspace, progress=progress)
    given: Mapping[str, Any] = params["wanted"]
    wanted = DialParams(**{**given, "synthetic": tuple(given["synthetic"]), "shares": tuple(given["shares"])})
    target = find_target(workspace, params["target"])
    found = sweep_shares(study, target, wanted, recipe=Recipe.from_yaml(params["recipe"]), progress=progress)
    return {"dial": workspace.put_value(found.to_json()), "target": target.digest}


def find_dials(workspace: Workspace, corpus: str, recipe: Recipe, target: str) -> tuple[ReportedDial, ...]:
    """Return the latest sweep of each column and its values that belongs to a recipe.

    One belongs to it if its rules are those with which the recipe begins, so a mixture may be added after the sweep.

    Args:
        workspace: holds the jobs.
        corpus: fingerprint of the corpus.
        recipe: the reported recipe.
        target: digest of the target's texts.

    Raises:
        StoreError: the workspace has lost a result.
    """
    found: dict[tuple[str, tuple[str, ...]], ReportedDial] = {}
    rules = _rules(recipe)
    for job in list_jobs(workspace.jobs):
        same = job.kind == DIAL and job.state == "done" and job.params["fingerprint"] == corpus
        if not same or job.result.get("target") != target:
            continue
        before = _rules(Recipe.from_yaml(job.params["recipe"]))
        if rules[: len(before)] == before:
            dial = read_dial(workspace, job)
            found.setdefault((dial.params.by, dial.params.synthetic), ReportedDial(dial, len(before)))
    return tuple(found[key] for key in sorted(found))


def _rules(recipe: Recipe) -> list[Operator]:
    return [step.operator for step in recipe.active]


def read_dial(workspace: Workspace, job: Job) -> SyntheticDial:
    """Return what a finished sweep found.

    Raises:
        StoreError: the workspace does not have it.
        SettingError: it is of another version.
    """
    return SyntheticDial.from_json(workspace.value(str(job.result["dial"])))

"""The background job that trains proxy models for a recipe; its folder holds the curves so far."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tamis.analytics.effect.proxy_effect import measure_proxy
from tamis.analytics.effect.proxy_plan import SIZES, ProxyPlan
from tamis.analytics.effect.proxy_result import ProxyEffect
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.target import find_target
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.study import Study
from tamis.app.jobs.corpus import COMMAND, opening_params, reopen
from tamis.data.corpus import Corpus
from tamis.data.jobs import Job, Request, list_jobs, start
from tamis.data.parquet import write_bytes
from tamis.data.priority import YIELDS
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

PROXY = "proxy"
_CURVES = "curves.json"


def start_proxy(
    corpus: Corpus, workspace: Workspace, recipe: Recipe, target: str, plan: ProxyPlan, *, yields: bool = False
) -> Job:
    """Start training proxy models, or join the running job; a job that was stopped or killed goes on.

    Args:
        corpus: the analysed corpus.
        workspace: where artifacts, targets and the job's record are kept.
        recipe: what to measure.
        target: name of a saved target.
        plan: size, tokens and seeds.
        yields: whether it leaves the processors to pages that are served meanwhile.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {
        "recipe": recipe.to_yaml(), "digest": recipe.digest, "target": target, "plan": plan.to_json(),
    }  # fmt: skip
    request = Request(PROXY, params, title=f"{plan.size} models of {recipe.title or 'a recipe'}")
    return start(workspace.jobs, request, command=COMMAND, environment={YIELDS: "1" if yields else ""})


def train(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_proxy``."""
    workspace = Workspace(Path(params["workspace"]))
    study = Study.open(reopen(params, workspace, progress), workspace, progress=progress)
    bed = EffectStudy.open(study, find_target(workspace, params["target"]), progress=progress)
    folder = workspace.jobs / Request(PROXY, params).id

    def tell(found: ProxyEffect) -> None:
        write_bytes(folder / _CURVES, json.dumps(found.to_json()).encode(), durable=False)

    found = measure_proxy(
        bed, Recipe.from_yaml(params["recipe"]), ProxyPlan.from_json(params["plan"]), listen=tell, progress=progress
    )
    return {"effect": workspace.put_value(found.to_json()), "verdict": found.verdict}


def find_proxies(workspace: Workspace, corpus: str, recipe: str, target: str) -> tuple[ProxyEffect, ...]:
    """Return the latest whole result of each size and tokenizer, the smallest first, bytes before tokens.

    Args:
        workspace: holds the jobs.
        corpus: fingerprint of the corpus.
        recipe: digest of the recipe.
        target: digest of the target's texts.
    """
    found: dict[tuple[int, bool, str], ProxyEffect] = {}
    sizes = list(SIZES)
    for job in list_jobs(workspace.jobs):
        same = job.kind == PROXY and job.params["fingerprint"] == corpus and job.params["digest"] == recipe
        if same and job.state == "done" and (effect := read_proxy(workspace, job)) and effect.target_digest == target:
            found.setdefault((sizes.index(effect.size), not effect.reads_bytes, effect.tokenizer), effect)
    return tuple(found[key] for key in sorted(found))


def read_proxy(workspace: Workspace, job: Job) -> ProxyEffect | None:
    """Return the result of a job, or what it has found so far; None before the first curve.

    Raises:
        StoreError: the workspace does not have the result.
    """
    if job.state == "done":
        return ProxyEffect.from_json(workspace.value(str(job.result["effect"])))
    try:
        return ProxyEffect.from_json(json.loads((job.folder / _CURVES).read_bytes()))
    except (OSError, ValueError):
        return None

"""The process of a background job: ``python -m tamis.app.jobs.worker FOLDER``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tamis.analytics.effect.evaluation import evaluate_effect
from tamis.analytics.effect.purpose import EffectStudy
from tamis.analytics.effect.target import find_target
from tamis.analytics.export.curated import CuratedOptions, check_format
from tamis.analytics.export.run import run_bundle, summary
from tamis.analytics.map.options import MapOptions, read_options
from tamis.analytics.operators.operator import measures_of, named_list
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.standard_analysis import LOOKED_AT_FIRST, analysis_steps, steps_on_screen
from tamis.analytics.study.study import Study
from tamis.app.jobs.clusters import EDIT, NAMES, edit_clusters, name_clusters
from tamis.app.jobs.corpus import COMMAND, opening_params, reopen
from tamis.app.jobs.effect import WORKS
from tamis.app.jobs.mixture import DIAL, MIXTURE, mix, sweep
from tamis.app.jobs.place import PLACE, place_other
from tamis.app.jobs.proxy import PROXY, train
from tamis.app.jobs.teach import TEACH, learn
from tamis.app.jobs.training import PREPARE, prepare
from tamis.data.corpus import Corpus
from tamis.data.errors import JobError
from tamis.data.jobs import Job, Request, asked_first, list_jobs, start, work
from tamis.data.priority import YIELDS, yield_processors
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

ANALYZE = "analyze"
RUN = "run"
EFFECT = "effect"
MEASURE = "measure"


def start_analysis(corpus: Corpus, workspace: Workspace, *, yields: bool = True) -> Job:
    """Start the analysis of a corpus in the background, or join the running job.

    Args:
        corpus: what to analyse; the job opens it again and fails if it has changed.
        workspace: where artifacts and the job's record are kept.
        yields: whether it leaves the processors to pages that are served meanwhile.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {"map": read_options(workspace, corpus).plain}
    request = Request(ANALYZE, params, title=f"Analysis of {corpus.name}")
    return start(workspace.jobs, request, command=COMMAND, environment={YIELDS: "1"} if yields else {YIELDS: ""})


def find_analysis(corpus: Corpus, workspace: Workspace) -> Job | None:
    """Return the active job that analyses a corpus, whoever started it, None without one."""
    for job in list_jobs(workspace.jobs):
        if job.kind == ANALYZE and job.active and job.params["fingerprint"] == corpus.fingerprint:
            return job
    return None


def start_run(bundle: Path, corpus: Corpus, out: Path, workspace: Workspace, *, format: str = "parquet") -> Job:
    """Start a run of a bundle in the background, or join the running job.

    Args:
        bundle: the bundle's folder.
        corpus: what to run it on.
        out: the folder to make.
        workspace: where measurements and the job's record are kept.
        format: of the curated files.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {"bundle": str(bundle), "out": str(out), "format": format}
    return start(workspace.jobs, Request(RUN, params, title=f"Run on {corpus.name}"), command=COMMAND)


def start_effect(corpus: Corpus, workspace: Workspace, recipe: Recipe, target: str) -> Job:
    """Start measuring the effect of a recipe on a target, or join the running job.

    Args:
        corpus: the analysed corpus.
        workspace: where artifacts, targets and the job's record are kept.
        recipe: what to measure.
        target: name of a saved target, empty to measure without a verdict.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {"recipe": recipe.to_yaml(), "target": target}
    return start(workspace.jobs, Request(EFFECT, params, title=f"Effect of {recipe.title}"), command=COMMAND)


def start_measure(corpus: Corpus, workspace: Workspace, recipe: Recipe) -> Job:
    """Start the measurements that a recipe still needs, or join the running job.

    Args:
        corpus: the analysed corpus.
        workspace: where artifacts and the job's record are kept.
        recipe: its rules need them.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {"recipe": recipe.to_yaml()}
    title = f"Measuring {measured(recipe)} on {corpus.name}"
    return start(workspace.jobs, Request(MEASURE, params, title=title), command=COMMAND)


def measured(recipe: Recipe) -> str:
    """Return what the rules of a recipe measure, in a few words."""
    rules = [step.operator for step in recipe.active if measures_of(step.operator)]
    names = [f"{rule.term} ({signal})" if (signal := getattr(rule, "signal", None)) else rule.term for rule in rules]
    return named_list(tuple(dict.fromkeys(names)), most=3) or "nothing new"


def run(request: Request, progress: Progress) -> dict[str, Any]:
    """Run the job of a request.

    Raises:
        JobError: unknown kind, or the corpus has changed since the job was started.
        TamisError: the work fails.
    """
    own = {ANALYZE: _analyze, RUN: _run, EFFECT: _effect, MEASURE: _measure}
    works = {
        **own,
        EDIT: edit_clusters,
        NAMES: name_clusters,
        PLACE: place_other,
        PREPARE: prepare,
        MIXTURE: mix,
        DIAL: sweep,
        TEACH: learn,
        PROXY: train,
        **WORKS,
    }
    if request.kind not in works:
        raise JobError("Unknown kind of job", value=request.kind, allowed=works)
    return works[request.kind](request.params, progress)


def _run(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    done = run_bundle(
        params["bundle"],
        params["path"],
        params["out"],
        workspace=Workspace(Path(params["workspace"])),
        roles=params["roles"],
        by_hand=params.get("by_hand"),
        options=CuratedOptions(format=check_format(params["format"])),
        progress=progress,
        **params["opening"],
    )
    return summary(done)


def _effect(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    workspace = Workspace(Path(params["workspace"]))
    corpus = reopen(params, workspace, progress)
    study = Study.open(corpus, workspace, progress=progress)
    entry = find_target(workspace, params["target"]) if params["target"] else None
    bed = EffectStudy.open(study, entry, progress=progress)
    effect = evaluate_effect(bed, Recipe.from_yaml(params["recipe"]), progress=progress)
    return {"effect": workspace.put_value(effect.to_json()), "verdict": effect.verdict}


def _measure(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    workspace = Workspace(Path(params["workspace"]))
    corpus = reopen(params, workspace, progress)
    # An analysis that still runs is not waited for: the measurements read only some of its steps.
    study = Study.find_so_far(corpus, workspace) or Study.open(corpus, workspace, progress=progress)
    study.measure(Recipe.from_yaml(params["recipe"]), progress=progress)
    return {}


def _analyze(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    workspace = Workspace(Path(params["workspace"]))
    corpus = reopen(params, workspace, progress)
    chosen = steps_on_screen if os.environ.get(YIELDS) else analysis_steps
    steps = chosen(corpus, workspace, options=MapOptions.of(params["map"]))
    folder = workspace.jobs / Request(ANALYZE, params).id
    analysis = analyze(
        corpus, workspace, steps=steps, progress=progress, first=lambda: (*asked_first(folder), *LOOKED_AT_FIRST)
    )
    return {"artifacts": {name: artifact.digest for name, artifact in analysis.artifacts.items()}}


def main(arguments: list[str]) -> int:
    """Run the job whose folder is given; return the exit code."""
    if len(arguments) != 1:
        print("usage: python -m tamis.app.jobs.worker FOLDER", file=sys.stderr)
        return 2
    if os.environ.get(YIELDS):
        yield_processors()
    return 0 if work(Path(arguments[0]), run) == "done" else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

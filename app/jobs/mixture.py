"""The background job that fits a mixture of domains to a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tamis.analytics.effect.mixture_fit import FitParams, fit_mixture
from tamis.analytics.effect.mixture_swarm import DomainParams
from tamis.analytics.effect.target import find_target
from tamis.analytics.study.study import Study
from tamis.app.jobs.corpus import COMMAND, opening_params, reopen
from tamis.data.corpus import Corpus
from tamis.data.jobs import Job, Request, start
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

MIXTURE = "mixture"


def start_mixture(corpus: Corpus, workspace: Workspace, target: str, wanted: FitParams) -> Job:
    """Start fitting a mixture to a saved target, or join the running job.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {"target": target, "wanted": asdict(wanted)}
    return start(workspace.jobs, Request(MIXTURE, params, title=f"A mixture for {target}"), command=COMMAND)


def mix(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_mixture``."""
    workspace = Workspace(Path(params["workspace"]))
    study = Study.open(reopen(params, workspace, progress), workspace, progress=progress)
    wanted = FitParams(**{**params["wanted"], "domains": DomainParams(**params["wanted"]["domains"])})
    found = fit_mixture(study, find_target(workspace, params["target"]), wanted, progress=progress)
    return {"fit": workspace.put_value(found.to_json())}

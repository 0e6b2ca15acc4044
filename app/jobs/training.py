"""The background job that writes training data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tamis.analytics.handover.prepare import PrepareOptions, prepare_bundle
from tamis.app.jobs.corpus import COMMAND, opening_params
from tamis.data.corpus import Corpus
from tamis.data.jobs import Job, Request, start
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

PREPARE = "prepare"


def start_prepare(bundle: Path, corpus: Corpus, out: Path, workspace: Workspace, *, format: str) -> Job:
    """Start writing the training data of a bundle in the background, or join the running job.

    Args:
        bundle: the bundle's folder.
        corpus: what to run it on.
        out: the folder to make.
        workspace: where measurements and the job's record are kept.
        format: of the training data.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {"bundle": str(bundle), "out": str(out), "format": format}
    title = f"Training data of {corpus.name} as {format}"
    return start(workspace.jobs, Request(PREPARE, params, title=title), command=COMMAND)


def prepare(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_prepare``."""
    done = prepare_bundle(
        params["bundle"],
        params["path"],
        params["out"],
        PrepareOptions(format=params["format"]),
        workspace=Workspace(Path(params["workspace"])),
        roles=params["roles"],
        by_hand=params.get("by_hand"),
        progress=progress,
        **params["opening"],
    )
    return {"content": done.content, "samples": sum(each.samples for each in done.splits)}

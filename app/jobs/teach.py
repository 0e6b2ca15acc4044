"""The background job that teaches a concept from labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tamis.analytics.effect.label_classifier import Examples
from tamis.analytics.effect.taught_concept import TaughtConcept, teach
from tamis.analytics.study.study import Study
from tamis.app.jobs.corpus import COMMAND, opening_params, reopen
from tamis.data.corpus import Corpus
from tamis.data.jobs import Job, Request, list_jobs, start
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

TEACH = "teach"


def start_teaching(study: Study, like: Examples, unlike: Examples, *, name: str) -> Job:
    """Start teaching a concept, or join the running job that learns from the same labels.

    Raises:
        JobError: the process cannot be started.
    """
    workspace, ids = study.workspace, study.facts.ids
    sides = {
        side: {"ids": [ids[row].as_py() for row in given.rows], "texts": list(given.texts)}
        for side, given in (("like", like), ("unlike", unlike))
    }
    params = opening_params(study.corpus, workspace) | {"name": name, "labels": workspace.put_value(sides)}
    return start(workspace.jobs, Request(TEACH, params, title=f"Teaching {name}"), command=COMMAND)


def learn(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_teaching``."""
    workspace = Workspace(Path(params["workspace"]))
    study = Study.open(reopen(params, workspace, progress), workspace, progress=progress)
    sides = workspace.value(params["labels"])
    like, unlike = (
        Examples.of_ids(study, sides[side]["ids"]) + Examples(texts=tuple(sides[side]["texts"]))
        for side in ("like", "unlike")
    )
    return {
        "concept": workspace.put_value(teach(study, like, unlike, name=params["name"], progress=progress).to_json())
    }


def taught_concepts(workspace: Workspace, corpus: Corpus) -> dict[str, TaughtConcept]:
    """Return the concepts taught on this corpus by name, the latest first; those of before it grew are among them.

    Raises:
        StoreError: the workspace has lost one.
    """
    found: dict[str, TaughtConcept] = {}
    for job in _finished(workspace, corpus):
        if job.params["name"] not in found:
            found[job.params["name"]] = TaughtConcept.from_json(workspace.value(str(job.result["concept"])))
    return found


def _finished(workspace: Workspace, corpus: Corpus) -> Iterator[Job]:
    for job in list_jobs(workspace.jobs):
        if job.kind == TEACH and job.state == "done" and job.params["path"] == corpus.path:
            yield job

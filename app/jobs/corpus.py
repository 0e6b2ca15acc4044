"""The start of every background job: the command that runs it and the corpus, opened again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tamis.data.corpus import Corpus
from tamis.data.errors import JobError
from tamis.data.open_corpus import open_corpus
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

COMMAND = ("-m", "tamis.app.jobs.worker")


def opening_params(corpus: Corpus, workspace: Workspace) -> dict[str, Any]:
    """Return the parameters from which a job opens the same corpus in the same workspace."""
    return {
        "workspace": str(workspace.root),
        "path": corpus.path,
        "roles": corpus.explicit_roles,
        "by_hand": sorted(corpus.by_hand),
        "opening": corpus.opening,
        "fingerprint": corpus.fingerprint,
    }


def reopen(params: Mapping[str, Any], workspace: Workspace, progress: Progress) -> Corpus:
    """Open the corpus of a job.

    Raises:
        JobError: the corpus has changed since the job was started.
    """
    corpus = open_corpus(
        params["path"],
        roles=params["roles"],
        by_hand=params.get("by_hand", ()),
        probes=workspace.probes,
        progress=progress,
        **params["opening"],
    )
    if corpus.fingerprint != params["fingerprint"]:
        raise JobError("The corpus has changed since the job was started", value=params["path"], fix="start it again")
    return corpus

"""The background job that asks a model for the names of clusters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tamis.analytics.model_naming import asking, name_by_model
from tamis.analytics.pipeline import analyze
from tamis.analytics.worker_corpus import COMMAND, given, opened
from tamis.data.chat import ChatEndpoint
from tamis.data.corpus import Corpus
from tamis.data.jobs import Job, Request, start
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

NAMES = "name-clusters"


def start_naming(corpus: Corpus, workspace: Workspace, endpoint: ChatEndpoint, *, snippets: int) -> Job:
    """Start asking a model for names, or join it when it is already going on; names already got stay.

    Args:
        corpus: the analysed corpus.
        workspace: where names and the job's record are kept; the job finds the key in its environment.
        endpoint: whom to ask.
        snippets: beginnings of documents per cluster.

    Raises:
        SettingError: the key is missing.
        JobError: the process cannot be started.
    """
    endpoint.require_key()
    params = given(corpus, workspace) | {"endpoint": asdict(endpoint), "snippets": snippets}
    return start(workspace.jobs, Request(NAMES, params, title=f"Names of {corpus.name}"), command=COMMAND)


def name_clusters(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Ask for the names that are missing.

    Raises:
        TamisError: as asking raises.
    """
    workspace = Workspace(Path(params["workspace"]))
    corpus = opened(params, workspace, progress)
    endpoint = ChatEndpoint(**params["endpoint"])
    asked = asking(
        analyze(corpus, workspace, progress=progress), workspace.root, endpoint.model,
        snippets=params["snippets"], progress=progress,
    )  # fmt: skip
    return asdict(name_by_model(asked, endpoint, workspace.root, progress=progress))

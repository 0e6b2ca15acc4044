"""Background jobs that edit clusters (merge, split, undo) and ask a model for their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tamis.analytics.map.cluster_edits import ClusterEdit
from tamis.analytics.map.cluster_steps import clusters_of
from tamis.analytics.map.model_names import name_by_model, plan_naming
from tamis.analytics.map.options import MapOptions, read_options, write_options
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.app.jobs.corpus import COMMAND, opening_params, reopen
from tamis.data.chat import ChatEndpoint
from tamis.data.cluster_names import carry_names
from tamis.data.corpus import Corpus
from tamis.data.errors import JobError
from tamis.data.jobs import Job, Request, start
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

EDIT = "edit-clusters"


def start_edit(corpus: Corpus, workspace: Workspace, edit: ClusterEdit | None) -> Job:
    """Start an edit of the clusters; the corpus keeps its clusters until the new ones are there.

    Args:
        corpus: the analysed corpus.
        workspace: where artifacts, options and the job's record are kept.
        edit: what to change; None undoes the last edit.

    Raises:
        JobError: the process cannot be started.
    """
    before = read_options(workspace, corpus)
    params = opening_params(corpus, workspace) | {"edit": None if edit is None else edit.plain, "before": before.plain}
    return start(workspace.jobs, Request(EDIT, params, title=f"Clusters of {corpus.name}"), command=COMMAND)


def edit_clusters(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Make the edited clusters and their facts, then switch the corpus to them.

    Raises:
        JobError: the options were changed after the job was started.
        SettingError: the edit names unknown clusters.
    """
    workspace = Workspace(Path(params["workspace"]))
    corpus = reopen(params, workspace, progress)
    before = MapOptions.of(params["before"])
    if read_options(workspace, corpus) != before:
        raise JobError("Somebody else has changed the clusters meanwhile", fix="look at them and edit again")
    edit = params["edit"]
    edits = before.edits[:-1] if edit is None else (*before.edits, ClusterEdit.of(edit))
    after = replace(before, edits=edits)
    old = clusters_of(analyze(corpus, workspace, steps=analysis_steps(corpus, workspace), progress=progress).artifacts)
    found = analyze(corpus, workspace, steps=analysis_steps(corpus, workspace, options=after), progress=progress)
    new = clusters_of(found.artifacts)
    if old is not None and new is not None:
        changed = () if edit is None else edit["clusters"]
        carry_names(workspace.root, old.digest, to=new.digest, without=changed)
    write_options(workspace, corpus, after)
    return {"edits": len(edits)}


NAMES = "name-clusters"


def start_naming(corpus: Corpus, workspace: Workspace, endpoint: ChatEndpoint, *, snippets: int) -> Job:
    """Start asking a model for names, or join the running job; stored names stay.

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
    params = opening_params(corpus, workspace) | {"endpoint": asdict(endpoint), "snippets": snippets}
    return start(workspace.jobs, Request(NAMES, params, title=f"Names of {corpus.name}"), command=COMMAND)


def name_clusters(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Ask for the names that are missing.

    Raises:
        TamisError: the model cannot be asked.
    """
    workspace = Workspace(Path(params["workspace"]))
    corpus = reopen(params, workspace, progress)
    endpoint = ChatEndpoint(**params["endpoint"])
    analysis = analyze(corpus, workspace, steps=analysis_steps(corpus, workspace), progress=progress)
    asked = plan_naming(analysis, workspace.root, endpoint.model, snippets=params["snippets"], progress=progress)
    return asdict(name_by_model(asked, endpoint, workspace.root, progress=progress))

"""The background job that edits clusters: merge, split, take back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tamis.analytics.cluster_edits import ClusterEdit
from tamis.analytics.cluster_steps import clusters_of
from tamis.analytics.map_options import MapOptions, read_options, write_options
from tamis.analytics.pipeline import analysis_steps, analyze
from tamis.analytics.worker_corpus import COMMAND, given, opened
from tamis.data.cluster_names import carry_names
from tamis.data.corpus import Corpus
from tamis.data.errors import JobError
from tamis.data.jobs import Job, Request, start
from tamis.data.model_names import carry_model_names
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

EDIT = "edit-clusters"


def start_edit(corpus: Corpus, workspace: Workspace, edit: ClusterEdit | None) -> Job:
    """Start an edit of the clusters; the corpus keeps its clusters until the new ones are there.

    Args:
        corpus: the analysed corpus.
        workspace: where artifacts, options and the job's record are kept.
        edit: what to change; None takes the last edit back.

    Raises:
        JobError: the process cannot be started.
    """
    before = read_options(workspace, corpus)
    params = given(corpus, workspace) | {"edit": None if edit is None else edit.plain, "before": before.plain}
    return start(workspace.jobs, Request(EDIT, params, title=f"Clusters of {corpus.name}"), command=COMMAND)


def edit_clusters(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Make the edited clusters and the facts that hold them, and only then let the corpus use them.

    Raises:
        JobError: the options were changed after the job was started.
        SettingError: the edit names clusters that are not there.
    """
    workspace = Workspace(Path(params["workspace"]))
    corpus = opened(params, workspace, progress)
    before = MapOptions.of(params["before"])
    if read_options(workspace, corpus) != before:
        raise JobError("The clusters were changed by somebody else meanwhile", fix="look at them and edit again")
    edit = params["edit"]
    edits = before.edits[:-1] if edit is None else (*before.edits, ClusterEdit.of(edit))
    after = replace(before, edits=edits)
    old = clusters_of(analyze(corpus, workspace, progress=progress).artifacts)
    found = analyze(corpus, workspace, steps=analysis_steps(corpus, workspace, options=after), progress=progress)
    new = clusters_of(found.artifacts)
    if old is not None and new is not None:
        changed = () if edit is None else edit["clusters"]
        carry_names(workspace.root, old.digest, to=new.digest, without=changed)
        carry_model_names(workspace.root, old.digest, to=new.digest, without=changed)
    write_options(workspace, corpus, after)
    return {"edits": len(edits)}

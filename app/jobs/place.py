"""Background job that places the documents of another corpus on the map of one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tamis.analytics.map.new_documents import FrozenMap, place_corpus
from tamis.analytics.steps.pipeline import analyze
from tamis.analytics.study.standard_analysis import analysis_steps
from tamis.app.jobs.corpus import COMMAND, opening_params, reopen
from tamis.data.corpus import Corpus
from tamis.data.jobs import Job, Request, start
from tamis.data.parquet import read_parquet
from tamis.data.progress import Progress
from tamis.data.workspace import Workspace

PLACE = "place"


def start_place(corpus: Corpus, other: Corpus, workspace: Workspace, *, clustering: str) -> Job:
    """Start placing a corpus on the map of another, or join the running job.

    Args:
        corpus: the analysed corpus with the map.
        other: its documents are placed.
        workspace: where artifacts and the job's record are kept.
        clustering: digest of the clusters in use; other clusters are another job.

    Raises:
        JobError: the process cannot be started.
    """
    params = opening_params(corpus, workspace) | {"other": opening_params(other, workspace), "clustering": clustering}
    title = f"{other.name} on the map of {corpus.name}"
    return start(workspace.jobs, Request(PLACE, params, title=title), command=COMMAND)


def place_other(params: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the job of ``start_place``; its result names the table of ``FrozenMap.placed``."""
    workspace = Workspace(Path(params["workspace"]))
    corpus = reopen(params, workspace, progress)
    other = reopen(params["other"], workspace, progress)
    analysis = analyze(corpus, workspace, steps=analysis_steps(corpus, workspace), progress=progress)
    draft = workspace.assets / f"draft-placed-{other.fingerprint[:16]}-{corpus.fingerprint[:16]}.parquet"
    try:
        done = place_corpus(FrozenMap.of(analysis, workspace), other, workspace, draft, progress=progress)
        table = workspace.put_table(read_parquet(draft))
    finally:
        draft.unlink(missing_ok=True)
    return {"table": table, "documents": done.documents, "without": done.without}

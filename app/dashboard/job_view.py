"""A background job on a page: progress, a button that stops it, and its error."""

from __future__ import annotations

from typing import Any

import streamlit as st

from tamis.app.dashboard import login, session
from tamis.app.dashboard.look import duration
from tamis.app.dashboard.page_context import plain
from tamis.data.errors import TamisError
from tamis.data.jobs import Job, find_job, list_jobs
from tamis.data.workspace import Workspace


def last_job(workspace: Workspace, corpus: str, kind: str, **wanted: Any) -> Job | None:
    """Return the latest finished job of a kind on a corpus, by its fingerprint, with these parameters."""
    for job in list_jobs(workspace.jobs):
        same = all(job.params.get(name) == value for name, value in wanted.items())
        if job.kind == kind and job.state == "done" and job.params["fingerprint"] == corpus and same:
            return job
    return None


@st.fragment(run_every=1.0)
def watch(workspace: Workspace, name: str, setting: str) -> None:
    """Follow a job; the page stays usable, and a reload finds it again.

    Args:
        workspace: holds the job's record.
        name: id of the job.
        setting: the page setting that holds the id; it is cleared when the job is done.
    """
    try:
        job = find_job(workspace.jobs, name)
    except TamisError as error:
        st.text(str(error))
        return
    left = "" if job.progress.eta is None else f", about {duration(job.progress.eta)} left"
    if job.active:
        st.progress(min(job.progress.fraction, 1.0), text=plain(f"{job.progress.step or job.state}{left}"))
        stopping = job.cancelling or not login.may("owner")
        if st.button("Stop", key=session.widget("job", setting, "stop"), disabled=stopping) and not stopping:
            job.cancel()
    elif job.state == "done":
        session.choose(**{setting: None})
        st.rerun()
    else:
        st.text(f"{job.state}: {job.message}")

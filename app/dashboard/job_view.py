"""A background job on a page: progress, a button that stops it, and what went wrong."""

from __future__ import annotations

import streamlit as st

from tamis.app.dashboard import login, session
from tamis.app.dashboard.look import duration
from tamis.app.dashboard.page_context import plain
from tamis.data.errors import TamisError
from tamis.data.jobs import find_job
from tamis.data.workspace import Workspace


@st.fragment(run_every=1.0)
def watch(workspace: Workspace, name: str, setting: str) -> None:
    """Follow a job; the page stays usable, and a reload finds it again.

    Args:
        workspace: where its record is.
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

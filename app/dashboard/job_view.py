"""A background job on a page: progress, a button that stops it, and its error."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard import login, session
from tamis.app.dashboard.look import duration
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.app.jobs.worker import start_measure
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


def offer_job(here: Stage, title: str, setting: str, start: Callable[[], Job], *, seconds: float, ready: bool) -> None:
    """Show the button that starts a job of the page Effect or Review, with its estimate, and follow the job.

    Args:
        here: the stage.
        title: of the button.
        setting: the page setting that holds the job's id; the button's key ends with it.
        start: starts the job.
        seconds: the estimate.
        ready: whether the job can be started now.
    """
    job = session.current().setting(setting)
    allowed = ready and login.may("owner")
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(title, key=f"effect/{setting}", type="primary", disabled=not allowed):
            login.demand("owner", to="start a measurement")
            session.choose(**{setting: start().id})
            st.rerun()
        st.caption(f"about {duration(seconds)} in the background")
    if job:
        watch(here.workspace, str(job), setting)


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
        show_fault(error)
        return
    if job.active:
        words = ", ".join(filter(None, [job.progress.step or job.state, time_left(job)]))
        st.progress(min(job.progress.fraction, 1.0), text=plain(words))
        stopping = job.cancelling or not login.may("owner")
        if st.button("Stop", key=session.widget("job", setting, "stop"), disabled=stopping) and not stopping:
            job.cancel()
    elif job.state == "done":
        session.choose(**{setting: None})
        st.rerun()
    elif job.state == "failed":
        show_fault(f"It failed: {job.message}")
    else:
        st.text(f"{job.state}: {job.message}")


def time_left(job: Job) -> str:
    """Return the time that a job still takes by its estimate, in words; empty while it is unknown."""
    left = job.time_left(time.time())
    return "" if left is None else f"about {duration(left)} left" if left else "longer than estimated"


def offer_measurement(here: Stage, recipe: Recipe, *, what: str, name: str) -> bool:
    """Say whether everything that a recipe needs is measured; if not, offer to measure it and follow the job.

    Args:
        here: the stage.
        recipe: its rules need measurements.
        what: what is missing, for people.
        name: prefix of the button and of the page setting that holds the job.
    """
    study = here.opened.study
    pending = study.pending(recipe)
    if not pending:
        return True
    setting = f"{name}_job"
    seconds = sum(step.estimate.seconds for step in pending)
    st.markdown(f"{what} are not measured yet: about {duration(seconds)}, once.")
    job = session.current().setting(setting)
    if st.button("Measure", key=f"{name}/measure", type="primary", disabled=not login.may("owner")):
        login.demand("owner", to="start a measurement")
        session.choose(**{setting: start_measure(study.corpus, here.workspace, recipe).id})
        st.rerun()
    if job:
        watch(here.workspace, str(job), setting)
    return False

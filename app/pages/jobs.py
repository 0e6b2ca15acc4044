"""Jobs: all running and finished background jobs of this workspace, visible to everyone."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from tamis.app.dashboard import login, session
from tamis.app.dashboard.job_view import time_left
from tamis.app.dashboard.look import count, duration, heading, moment, short, time_zone
from tamis.app.dashboard.page_context import plain, show_fault, workspace
from tamis.data.errors import TamisError
from tamis.data.jobs import Job, find_job, list_jobs

REFRESH_SECONDS = 1.5
SHOWN = 100
LOG_BYTES = 8_000
_STATES = {
    "queued": ":material/schedule:",
    "running": ":material/play_circle:",
    "done": ":material/check_circle:",
    "failed": ":material/error:",
    "cancelled": ":material/cancel:",
}


def page() -> None:
    """Lay out the page; running jobs, also those of other people, refresh every second and a half."""

    seen: dict[str, tuple[str, int, float]] = {}
    ended = [job for job in list_jobs(workspace().jobs) if not job.active]

    @st.fragment(run_every=REFRESH_SECONDS)
    def running() -> None:
        jobs = list_jobs(workspace().jobs)
        active = [job for job in jobs if job.active]
        if len(jobs) - len(active) != len(ended):  # The list below follows what ends and what starts again.
            st.rerun()
        heading("Running now", f"{count(len(active))} of {count(len(jobs))} jobs")
        if not active:
            st.caption("Nothing runs. Analyses, measurements, runs and reports started on any page show up here.")
        for job in active:
            _running(job, _speed(job, seen))

    running()
    _ended(ended)


def _speed(job: Job, seen: dict[str, tuple[str, int, float]]) -> float:
    """Return units per second of the step since the last refresh, 0 if unknown."""
    now = (job.progress.step, job.progress.done, job.updated)
    before = seen.setdefault(job.id, now)
    if before[0] != now[0]:
        seen[job.id] = now
        return 0.0
    spent = now[2] - before[2]
    return (now[1] - before[1]) / spent if spent > 0 else 0.0


def _running(job: Job, speed: float) -> None:
    """Show one running job: stage, share, speed, time left, and a button that stops it."""
    now = job.progress
    with st.container(border=True):
        words, stop = st.columns([6, 1], vertical_alignment="center")
        words.markdown(f"{_STATES[job.state]} **{plain(job.title)}** · {plain(job.kind)}")
        if stop.button(
            "Stop", key=session.widget("jobs", "stop", job.id), disabled=job.cancelling or not login.may("owner"),
            help="It stops at the next safe point; what is finished stays.",
        ):  # fmt: skip
            login.demand("owner", to="stop a job")
            job.cancel()
        parts = [now.step or job.state, f"{duration(max(0.0, job.updated - job.started))} so far"]
        parts += [left] if (left := time_left(job)) else []
        if now.total:
            parts.append(f"{count(now.done)} of {count(now.total)} {now.unit}")
        if speed > 0:
            parts.append(f"{short(speed)} {now.unit}/s")
        st.progress(min(now.fraction, 1.0), text=plain(" · ".join(parts)))


def _ended(jobs: Sequence[Job]) -> None:
    """Show the finished jobs, the latest first, and the log of the chosen one."""
    heading("Ended", f"the latest {count(min(SHOWN, len(jobs)))} of {count(len(jobs))}; times in {time_zone()}")
    if not jobs:
        st.caption("No job has ended yet.")
        return
    shown = jobs[:SHOWN]
    event = st.dataframe(
        [
            {
                "state": job.state,
                "what": job.title,
                "kind": job.kind,
                "started": moment(job.started),
                "took": duration(max(0.0, job.updated - job.started)),
                "message": job.message[:200],
            }
            for job in shown
        ],
        hide_index=True,
        row_height=30,
        height=min(300, 38 + 30 * len(shown)),
        on_select="rerun",
        selection_mode="single-row",
        key="jobs/ended",
    )
    places = event["selection"]["rows"]
    if places and places[0] < len(shown):
        _one(shown[places[0]])
    else:
        st.caption("Choose a job to see its message and the end of its log.")


def _one(job: Job) -> None:
    """Show the message and the end of the log of one job."""
    try:
        job = find_job(workspace().jobs, job.id)
    except TamisError as error:
        show_fault(error)
        return
    st.markdown(f"{_STATES[job.state]} **{plain(job.title)}**")
    if job.message:
        st.text(job.message)
    if job.state in ("failed", "cancelled"):
        st.caption("Start it again from its page: finished parts are stored, so it continues from there.")
    log = job.folder / "log.txt"
    text = ""
    if log.is_file():
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    st.code(text or "The log is empty.", language=None, height=200)

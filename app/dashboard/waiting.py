"""What the analysis has not made yet: said where it is missing, with the time left, and replaced when it is there."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

import streamlit as st

from tamis.analytics.steps.pipeline import PlannedStep
from tamis.app.dashboard import cache, login, session
from tamis.app.dashboard.look import count, duration
from tamis.app.dashboard.open_corpus import plan_of
from tamis.app.dashboard.page_context import guard_page, plain
from tamis.app.jobs.outlook import Awaited, awaited_steps, time_until
from tamis.app.jobs.worker import find_analysis, start_analysis
from tamis.data.corpus import Corpus
from tamis.data.job import Job
from tamis.data.jobs import ask_first
from tamis.data.workspace import CorpusEntry, Workspace

REFRESH_SECONDS = 1.5


def until_words(seconds: float | None) -> str:
    """Return when something will be there, in words."""
    if seconds is None:
        return "once the analysis runs"
    return f"in about {duration(seconds)}" if seconds >= 1 else "any moment now"


def follow(workspace: Workspace, name: str) -> None:
    """Show in the rail how far the analysis of a corpus is, and run the page again when more of it is there.

    Args:
        workspace: the workspace.
        name: of the corpus.
    """
    shown = cache.key_of(workspace, name)
    if cache.is_analysed(shown):
        return
    with st.container(border=True, gap="xsmall", key="rail_analysis"):
        _state(workspace, name, shown)


@st.fragment(run_every=REFRESH_SECONDS)
@guard_page
def _state(workspace: Workspace, name: str, shown: cache.CorpusKey) -> None:
    now = cache.key_of(workspace, name)
    if now != shown:
        st.rerun()
    job, plan, awaited = look(workspace, cache.corpus(now))
    done = len(plan) - len(awaited)
    if job is None:
        if words := changed_words(workspace.corpus(name), cache.corpus(now)):
            st.caption(words)
        st.caption(f"Analysed so far: {done} of {len(plan)} steps. Nothing works on the others: see Overview.")
        return
    running = next((each.title for each in awaited if each.running), job.progress.step or job.state)
    st.caption(f"{plain(running)} · {done} of {len(plan)} steps")
    st.progress(min(job.progress.fraction, 1.0))
    st.caption(f"Complete {until_words(time_until([each.name for each in awaited], awaited))}")


def changed_words(entry: CorpusEntry, corpus: Corpus) -> str:
    """Return that a corpus is another one than when it was opened, as a sentence; empty if it is the same."""
    if entry.fingerprint in ("", corpus.fingerprint):
        return ""
    return "Its files or roles changed since it was opened, so it is another corpus: analyse it again."


def look(workspace: Workspace, corpus: Corpus) -> tuple[Job | None, tuple[PlannedStep, ...], tuple[Awaited, ...]]:
    """Return the job that works on the analysis of a corpus, the whole plan and what is not done of it."""
    job, plan = find_analysis(corpus, workspace), plan_of(workspace, corpus)
    return job, plan, awaited_steps(plan, job, time.time())


def is_awaited(workspace: Workspace, corpus: Corpus, step: str) -> bool:
    """Return whether the analysis of a corpus has a step that is not done."""
    return any(planned.spec.name == step and not planned.done for planned in plan_of(workspace, corpus))


def pull(workspace: Workspace, corpus: Corpus, steps: Collection[str]) -> None:
    """Ask the running analysis to make these steps next."""
    job = find_analysis(corpus, workspace)
    if job is not None:
        ask_first(job, sorted(steps))


@st.fragment(run_every=REFRESH_SECONDS)
@guard_page
def say(workspace: Workspace, corpus: Corpus, steps: frozenset[str], *, what: str) -> None:
    """Say that something is not there yet, and when it will be.

    Args:
        workspace: the workspace.
        corpus: the corpus.
        steps: the steps that make it.
        what: what is missing, as the beginning of a sentence with a plural verb: ``The duplicates``.
    """
    job, _, awaited = look(workspace, corpus)
    wanted = [each for each in awaited if each.name in steps]
    before = [each for each in awaited if each.name not in steps][: awaited.index(wanted[-1])] if wanted else []
    if job is None:
        st.info(f"{what} not there yet, and no analysis runs. Start it on the Overview page.", icon=":material/pause:")
        return
    when = until_words(time_until(steps, awaited))
    st.info(f"{what} not there yet: {when}. This page fills in by itself.", icon=":material/hourglass_top:")
    first = [each for each in before if each.seconds is not None and each.seconds <= (wanted[-1].seconds or 0.0)]
    for each in (*first, *wanted):
        st.caption(f"{plain(each.title)}: {'running, done ' if each.running else ''}{until_words(each.seconds)}")


@st.fragment(run_every=REFRESH_SECONDS)
@guard_page
def say_sample(workspace: Workspace, corpus: Corpus, *, shown: int, total: int) -> None:
    """Say that a page shows a sample until the whole is there.

    Args:
        workspace: the workspace.
        corpus: the corpus.
        shown: documents on the map.
        total: documents.
    """
    _, _, awaited = look(workspace, corpus)
    sample = f"Shown is a sample of {count(shown)} of {count(total)} documents, drawn by keyed hash"
    when = until_words(time_until(("map",), awaited))
    st.caption(
        f":material/hourglass_top: {sample}; the map of all replaces it {when}. "
        "A lasso selects documents of the sample only."
    )


@st.fragment(run_every=REFRESH_SECONDS)
@guard_page
def say_later(workspace: Workspace, corpus: Corpus, steps: Mapping[str, str]) -> None:
    """Say in a line what a part of a page will show later, and when.

    Args:
        workspace: the workspace.
        corpus: the corpus.
        steps: what each step brings, by its name; those that are done are not named.
    """
    job, _, awaited = look(workspace, corpus)
    wanted = [each for each in awaited if each.name in steps]
    when = ["" if job is None else f" {until_words(each.seconds)}" for each in wanted]
    found = ", ".join(f"{steps[each.name]}{words}" for each, words in zip(wanted, when, strict=True))
    if found:
        rest = "; nothing works on it now" if job is None else ""
        st.caption(f":material/hourglass_top: Not counted yet: {found}{rest}")


def offer_start(workspace: Workspace, corpus: Corpus) -> None:
    """Show the button that starts the analysis, or goes on with one that was stopped."""
    if st.button("Start the analysis", type="primary", key="analysis/start", disabled=not login.may("owner")):
        login.demand("owner", to="start an analysis")
        session.choose(job=start_analysis(corpus, workspace).id)
        st.rerun()

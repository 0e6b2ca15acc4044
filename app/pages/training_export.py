"""The way out of the page Training: the run written as a background job, and the command that writes it anywhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from shlex import quote

import streamlit as st

from tamis.analytics.export.bundle import export_bundle
from tamis.analytics.handover.prepared import Prepared
from tamis.analytics.training.run_outline import RunOutline
from tamis.analytics.training.trace import PREPARE_FILE
from tamis.analytics.training.writers import WRITERS, FormatWriter
from tamis.app.dashboard import login, session
from tamis.app.dashboard.job_view import watch
from tamis.app.dashboard.look import count, heading
from tamis.app.dashboard.page_context import Stage, plain
from tamis.app.jobs.training import start_prepare
from tamis.app.pages.recipe_export import bundle_folder

FIRST = "datasets"
JOB = "prepare_job"


def show(here: Stage, run: RunOutline) -> None:
    """Lay out the export of a run: format, recipe, command, and the job that writes it from here."""
    heading("Write it", "the same bytes on every machine")
    writers = {writer.name: writer for writer in WRITERS if ("tokens" if run.steps.pack else "text") in writer.forms}
    names = list(writers)
    chosen = st.selectbox(
        "Format", names, index=names.index(FIRST) if FIRST in names else 0, key="training/format",
        format_func=lambda name: f"{name} · {writers[name].library}",
    )  # fmt: skip
    bundle = bundle_folder(here, session.current().recipe)
    out = here.workspace.runs / f"{bundle.name}-{chosen}"
    if (out / PREPARE_FILE).is_file():
        _finished(Prepared.open(out), writers[chosen])
    else:
        _start(here, bundle, out, chosen)
    path = here.workspace.corpus(session.current().corpus).path
    st.caption("The same anywhere else, with the recipe downloaded:")
    st.code(f"tamis prepare recipe.yaml {quote(path)} -o OUT --as {chosen}", language="bash", wrap_lines=True)


def _start(here: Stage, bundle: Path, out: Path, format: str) -> None:
    """Offer to write the run as a background job, and follow the job."""
    job, allowed = session.current().setting(JOB), login.may("owner")
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="training_export"):
        pressed = st.button(
            "Write training data", key="training/write", type="primary", icon=":material/save:", disabled=not allowed
        )
        _recipe_file()
    if pressed:
        login.demand("owner", to="write training data")
        if not bundle.is_dir():
            with st.spinner("Exporting the recipe …"):
                export_bundle(bundle, study=here.opened.study, recipe=session.current().recipe)
        started = start_prepare(bundle, here.opened.study.corpus, out, here.workspace, format=format)
        session.choose(**{JOB: started.id})
        st.rerun()
    if job:
        watch(here.workspace, str(job), JOB)


def _recipe_file() -> None:
    st.download_button(
        "recipe.yaml", session.current().recipe.to_yaml(), "recipe.yaml", "application/yaml", key="training/yaml",
        icon=":material/download:",
    )  # fmt: skip


def _finished(done: Prepared, writer: FormatWriter) -> None:
    """Show training data that is written."""
    held = ", ".join(f"{each.split} {count(each.samples)}" for each in done.splits)
    st.markdown(f":material/check_circle: **Written:** {plain(held)} samples")
    st.code(str(done.folder), language=None, wrap_lines=True)
    st.caption(f"content {done.content[:16]} · {plain(writer.reading)}")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _recipe_file()
        if st.button("Remove it", key="training/remove", type="tertiary", disabled=not login.may("owner")):
            login.demand("owner", to="remove training data")
            shutil.rmtree(done.folder)
            st.rerun()

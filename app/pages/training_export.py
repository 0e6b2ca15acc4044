"""The way out of the page Training: the command that writes the run, and the recipe it reads."""

from __future__ import annotations

from shlex import quote

import streamlit as st

from tamis.analytics.training.run_outline import RunOutline
from tamis.analytics.training.writers import WRITERS
from tamis.app.dashboard import session
from tamis.app.dashboard.look import heading
from tamis.app.dashboard.page_context import Stage, plain

FIRST = "datasets"


def show(here: Stage, run: RunOutline) -> None:
    """Lay out the export of a run: format, recipe, command."""
    heading("Write it", "the same bytes on every machine")
    writers = {writer.name: writer for writer in WRITERS if ("tokens" if run.steps.pack else "text") in writer.forms}
    names = list(writers)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="training_export"):
        chosen = st.selectbox(
            "Format", names, index=names.index(FIRST) if FIRST in names else 0, key="training/format", width=280,
            format_func=lambda name: f"{name} · {writers[name].library}",
        )  # fmt: skip
        st.download_button(
            "recipe.yaml", session.current().recipe.to_yaml(), "recipe.yaml", "application/yaml", key="training/yaml",
            icon=":material/download:",
        )  # fmt: skip
    path = here.workspace.corpus(session.current().corpus).path
    st.code(f"tamis prepare recipe.yaml {quote(path)} -o OUT --as {chosen}", language="bash", wrap_lines=True)
    st.caption(f"A trainer reads it with {plain(writers[chosen].library)}: {plain(writers[chosen].reading)}")

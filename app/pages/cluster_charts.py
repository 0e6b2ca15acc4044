"""Charts of the Clusters page: how fine the clustering is, complexity against size, learning curves of concepts."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from tamis.analytics.study.concept_profiles import NAME, ConceptProfiles, concept_profiles_step
from tamis.analytics.study.study import find_artifact
from tamis.app.dashboard import login, session
from tamis.app.dashboard.job_view import watch
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage
from tamis.app.figures.clusters import complexity_figure, fineness_figure
from tamis.app.figures.effect import curves_figure
from tamis.app.jobs.effect import start_concepts
from tamis.data.artifact import Artifact

_MEASURES = {"redundancy_aware": "redundancy-aware", "measured": "measured", "geometric": "geometric"}


def show(here: Stage, artifact: Artifact) -> None:
    """Lay out the charts."""
    fine, complexity, curves = st.tabs(["How fine", "Complexity", "Learning curves"])
    with fine:
        sweep: list[dict[str, Any]] = artifact.json("sweep") if "sweep" in artifact.parts() else []
        if sweep:
            _plot(fineness_figure(sweep, chosen=int(artifact.facts["min_cluster_size"])), "fine")
            st.caption("Clusters by smallest cluster size; the dashed line is the size in use. Exact.")
        else:
            st.caption("This clustering was made without a sweep.")
    profiles = _profiles(here)
    with complexity:
        if profiles is None:
            _offer(here)
        else:
            measure = st.segmented_control(
                "Measure", list(_MEASURES), default="redundancy_aware", required=True, key="clusters/measure",
                format_func=_MEASURES.__getitem__, label_visibility="collapsed",
            )  # fmt: skip
            _plot(complexity_figure(profiles, measure), "complexity")
            st.caption(
                "Concepts are the k-means groups of the embeddings that budgets use. On text the geometric measure "
                "takes templates for complex; compare the three."
            )
    with curves:
        if profiles is None:
            st.caption("The measurement of complexity makes the learning curves.")
        else:
            _plot(curves_figure(profiles, height=340), "curves")
            steep = np.asarray(profiles.table.column("measured").to_numpy(zero_copy_only=False), dtype=np.float64)
            st.caption(
                "Bits per byte of held-out members of the largest concepts. Flat curves (elephants) need few "
                "documents, steep ones (dogs) gain from more; "
                f"{count(int(np.isfinite(steep).sum()))} concepts measured, sampled."
            )


def _plot(figure: go.Figure, name: str) -> None:
    st.plotly_chart(figure, key=f"clusters/{name}", config={"displayModeBar": False})


def _profiles(here: Stage) -> ConceptProfiles | None:
    """Return the profiles of the concepts, if they are measured."""
    study = here.opened.study
    artifact = find_artifact(study, NAME, also=[concept_profiles_step()])
    return None if artifact is None else ConceptProfiles(artifact.table("profiles"))


def _offer(here: Stage) -> None:
    study = here.opened.study
    if st.button("Measure the complexity of the concepts", key="clusters/profile", disabled=not login.may("owner")):
        login.demand("owner", to="start a measurement")
        session.choose(concepts_job=start_concepts(study.corpus, here.workspace).id)
        st.rerun()
    if job := session.current().setting("concepts_job"):
        watch(here.workspace, str(job), "concepts_job")

"""Editing clusters on the Clusters page: merge, split, take the last edit back; each is a background job."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from tamis.analytics.cluster_edits import MOST_PARTS, ClusterEdit
from tamis.analytics.worker_clusters import start_edit
from tamis.app import login, session
from tamis.app.job_view import watch
from tamis.app.look import count
from tamis.app.stage import Stage
from tamis.data.artifact import Artifact


def show(here: Stage, artifact: Artifact, numbers: Sequence[int]) -> None:
    """Offer to split the chosen cluster, or to merge the chosen ones."""
    if here.opened.study is None or not login.may("owner"):
        return
    if len(numbers) > 1:
        if st.button(f"Merge these {len(numbers)}", key="clusters/merge", help="They become one cluster"):
            _start(here, ClusterEdit("merge", tuple(numbers)))
    else:
        key = session.widget("clusters", "parts", str(numbers[0]), artifact.digest[:8])
        parts = st.number_input("Parts", min_value=2, max_value=MOST_PARTS, value=2, key=key, width=110)
        if st.button("Split", key="clusters/split", help="By k-means of the embeddings of its documents"):
            _start(here, ClusterEdit("split", tuple(numbers), int(parts)))


def history(here: Stage, artifact: Artifact) -> None:
    """Say how many edits the clusters carry, and offer to take the last one back."""
    edits = int(artifact.facts.get("edits", 0))
    if here.opened.study is not None and edits and login.may("owner"):
        cells = st.columns([3, 2], vertical_alignment="center")
        cells[0].caption(f"{count(edits)} edits by hand; rules made before keep the clusters they were made with.")
        if cells[1].button("Take the last edit back", key="clusters/back"):
            _start(here, None)
    follow(here)


def _start(here: Stage, edit: ClusterEdit | None) -> None:
    login.demand("owner", to="edit the clusters")
    assert here.opened.study is not None
    session.choose(cluster_job=start_edit(here.opened.study.corpus, here.workspace, edit).id)
    st.rerun()


def follow(here: Stage) -> None:
    """Show the edit that is going on."""
    if job := session.current().setting("cluster_job"):
        watch(here.workspace, str(job), "cluster_job")

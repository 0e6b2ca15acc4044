"""Editing and naming clusters on the Clusters page: each edit is a background job, names come from people or a model.

A model is asked only where the server was started with an endpoint, and only by owners.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import streamlit as st

from tamis.analytics.map.cluster_edits import MOST_PARTS, ClusterEdit
from tamis.analytics.map.model_names import SNIPPETS, NamingPlan, plan_naming
from tamis.app.dashboard import login, session
from tamis.app.dashboard.job_view import watch
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.app.jobs.clusters import start_edit, start_naming
from tamis.data.artifact import Artifact
from tamis.data.chat import ChatEndpoint
from tamis.data.cluster_names import forget_model_names, read_model_names
from tamis.data.errors import TamisError


def show(here: Stage, artifact: Artifact, numbers: Sequence[int]) -> None:
    """Offer to split the chosen cluster, or to merge the chosen ones."""
    if not login.may("owner"):
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
    """Show the number of edits of the clusters, and offer to undo the last one."""
    edits = int(artifact.facts.get("edits", 0))
    if edits and login.may("owner"):
        cells = st.columns([3, 2], vertical_alignment="center")
        cells[0].caption(f"{count(edits)} edits by hand; rules made before keep the clusters they were made with.")
        if cells[1].button("Take the last edit back", key="clusters/back"):
            _start(here, None)
    follow(here)


def _start(here: Stage, edit: ClusterEdit | None) -> None:
    login.demand("owner", to="edit the clusters")
    session.choose(cluster_job=start_edit(here.opened.study.corpus, here.workspace, edit).id)
    st.rerun()


def follow(here: Stage) -> None:
    """Show the running edit."""
    if job := session.current().setting("cluster_job"):
        watch(here.workspace, str(job), "cluster_job")


ENDPOINT, MODEL, KEY_ENV = "TAMIS_NAMES_ENDPOINT", "TAMIS_NAMES_MODEL", "TAMIS_NAMES_KEY_ENV"


def configured() -> ChatEndpoint | None:
    """Return the endpoint the server was started with, None without one.

    Raises:
        SettingError: the endpoint is not allowed.
    """
    url = os.environ.get(ENDPOINT, "")
    return ChatEndpoint(url, os.environ.get(MODEL, ""), os.environ.get(KEY_ENV, "")) if url else None


def offer_names(here: Stage) -> None:
    """Show what would be sent, and send it once an owner agrees."""
    if not os.environ.get(ENDPOINT) or not login.may("owner"):
        return
    with st.expander("Names by a model", icon=":material/label:"):
        try:
            _panel(here)
        except TamisError as error:
            show_fault(error)


def _panel(here: Stage) -> None:
    endpoint = configured()
    assert endpoint is not None
    if job := session.current().setting("names_job"):
        watch(here.workspace, str(job), "names_job")
        return
    snippets = SNIPPETS if st.toggle("Send beginnings of documents", value=True, key="clusters/names/snippets") else 0
    if not st.toggle("Look at what would be sent", key="clusters/names/look"):
        st.caption(plain(f"Asks {endpoint.model} at {endpoint.host}. Nothing is sent before you have seen it."))
        return
    asked = plan_naming(here.opened.analysis, here.workspace.root, endpoint.model, snippets=snippets)
    st.caption(plain(asked.sentence(endpoint)))
    if asked.questions:
        _preview(asked)
        agreed = st.checkbox(f"I agree that this goes to {plain(endpoint.host)}", key="clusters/names/agreed")
        if st.button("Ask for names", disabled=not agreed, key="clusters/names/send", type="primary") and agreed:
            login.demand("owner", to="send parts of the corpus to a model")
            started = start_naming(here.opened.study.corpus, here.workspace, endpoint, snippets=snippets)
            session.choose(names_job=started.id)
            st.rerun()
    given = read_model_names(here.workspace.root, asked.clustering)
    if given and st.button(f"Forget the {len(given):,} names models gave", key="clusters/names/forget"):
        login.demand("owner", to="name a cluster")
        forget_model_names(here.workspace.root, asked.clustering)
        st.rerun()


def _preview(asked: NamingPlan) -> None:
    messages = asked.questions[0].messages
    st.caption(f"The first of {len(asked.questions):,}, exactly as it is sent:")
    st.code("\n\n".join(message["content"] for message in messages), language=None, wrap_lines=True, height=190)

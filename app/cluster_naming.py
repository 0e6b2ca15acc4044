"""Names by a model on the Clusters page: there only where the server was started with an endpoint, for owners."""

from __future__ import annotations

import os

import streamlit as st

from tamis.analytics.model_naming import SNIPPETS, Asking, asking
from tamis.analytics.worker_names import start_naming
from tamis.app import login, session
from tamis.app.job_view import watch
from tamis.app.stage import Stage, brief, plain
from tamis.data.chat import ChatEndpoint
from tamis.data.errors import TamisError
from tamis.data.model_names import forget_model_names, model_names

ENDPOINT, MODEL, KEY_ENV = "TAMIS_NAMES_ENDPOINT", "TAMIS_NAMES_MODEL", "TAMIS_NAMES_KEY_ENV"


def configured() -> ChatEndpoint | None:
    """Return the endpoint the server was started with, None without one.

    Raises:
        SettingError: it is not one that may be asked.
    """
    url = os.environ.get(ENDPOINT, "")
    return ChatEndpoint(url, os.environ.get(MODEL, ""), os.environ.get(KEY_ENV, "")) if url else None


def show(here: Stage) -> None:
    """Say what would be sent, and send it once an owner agrees."""
    if not os.environ.get(ENDPOINT) or here.opened.analysis is None or not login.may("owner"):
        return
    with st.expander("Names by a model", icon=":material/label:"):
        try:
            _panel(here)
        except TamisError as error:
            st.text(brief(error))


def _panel(here: Stage) -> None:
    endpoint = configured()
    assert endpoint is not None and here.opened.analysis is not None and here.opened.study is not None
    if job := session.current().setting("names_job"):
        watch(here.workspace, str(job), "names_job")
        return
    snippets = SNIPPETS if st.toggle("Send beginnings of documents", value=True, key="clusters/names/snippets") else 0
    if not st.toggle("Look at what would be sent", key="clusters/names/look"):
        st.caption(plain(f"Asks {endpoint.model} at {endpoint.host}. Nothing is sent before you have seen it."))
        return
    asked = asking(here.opened.analysis, here.workspace.root, endpoint.model, snippets=snippets)
    st.caption(plain(asked.sentence(endpoint)))
    if asked.questions:
        _preview(asked)
        agreed = st.checkbox(f"I agree that this goes to {plain(endpoint.host)}", key="clusters/names/agreed")
        if st.button("Ask for names", disabled=not agreed, key="clusters/names/send", type="primary") and agreed:
            login.demand("owner", to="send parts of the corpus to a model")
            started = start_naming(here.opened.study.corpus, here.workspace, endpoint, snippets=snippets)
            session.choose(names_job=started.id)
            st.rerun()
    given = model_names(here.workspace.root, asked.clustering)
    if given and st.button(f"Forget the {len(given):,} names models gave", key="clusters/names/forget"):
        login.demand("owner", to="name a cluster")
        forget_model_names(here.workspace.root, asked.clustering)
        st.rerun()


def _preview(asked: Asking) -> None:
    messages = asked.questions[0].messages
    st.caption(f"The first of {len(asked.questions):,}, exactly as it is sent:")
    st.code("\n\n".join(message["content"] for message in messages), language=None, wrap_lines=True, height=190)

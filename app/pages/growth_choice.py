"""The choice of what becomes of the new documents of a corpus that grew; the workspace stores it."""

from __future__ import annotations

import streamlit as st

from tamis.analytics.map.options import NEW_DOCUMENTS, read_options, with_new_documents, write_options
from tamis.app.dashboard import login, session
from tamis.app.dashboard.page_context import show_fault
from tamis.data.corpus import Corpus
from tamis.data.corpus_states import CorpusStates
from tamis.data.errors import TamisError
from tamis.data.workspace import Workspace


def show(workspace: Workspace, corpus: Corpus, *, place: str) -> None:
    """Offer to owners to rebuild the map or to place new documents on the earlier one, where there is one.

    Args:
        workspace: keeps the choice.
        corpus: the corpus.
        place: of the widget on the page, for its key.
    """
    options = read_options(workspace, corpus)
    on = options.placed_on or CorpusStates.of(workspace.root, corpus).map_before(corpus)
    if on is None:
        return
    now = "rebuilt" if options.placed_on is None else "placed"
    titles = {"rebuilt": "map and clusters rebuilt", "placed": f"placed on the map of {on.date}"}
    chosen = st.selectbox(
        "New documents", NEW_DOCUMENTS, index=NEW_DOCUMENTS.index(now), format_func=titles.__getitem__, width=320,
        key=session.widget("overview", f"new-documents-{place}", now), disabled=not login.may("owner"),
        help="Rebuilt: neighbours, map, clusters and concepts are made again of all documents. "
        "Placed: earlier documents keep their places and clusters, new ones join them in seconds.",
    )  # fmt: skip
    if chosen == now:
        return
    login.demand("owner", to="choose what becomes of new documents")
    try:
        write_options(workspace, corpus, with_new_documents(workspace, corpus, options, chosen))
    except TamisError as error:
        show_fault(error)
    else:
        st.rerun()

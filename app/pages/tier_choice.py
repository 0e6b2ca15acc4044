"""The choice of the embedding tier of a corpus, with the cost of each; the workspace stores it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from tamis.analytics.embedding.step import fast_estimate, precise_estimate, tuned_estimate
from tamis.analytics.embedding.tuned_step import SAMPLE_SECONDS
from tamis.analytics.map.options import chosen_tier, read_options, write_options
from tamis.analytics.steps.pipeline import size_of
from tamis.app.dashboard import login, session
from tamis.app.dashboard.look import duration
from tamis.app.dashboard.page_context import plain
from tamis.app.pages import growth_choice
from tamis.data.corpus import Corpus
from tamis.data.shapes import PICTURE
from tamis.data.workspace import Workspace


def show(workspace: Workspace, corpus: Corpus) -> None:
    """Offer the tiers with their estimates to owners; own vectors from the command line stay."""
    options, size = read_options(workspace, corpus), size_of(corpus)
    growth_choice.show(workspace, corpus, place="analysis")
    if options.placed_on is not None:
        st.caption(f"Embedding: {options.placed_on.tier}, as on the map of {options.placed_on.date}")
        return
    if options.tier == "given":
        st.caption(f"Embedding: your own vectors ({options.vectors})")
        return
    if corpus.shape.kind == PICTURE:
        model = options.model if options.tier == "precise" else "EfficientNet-Lite0"
        st.caption(f"Embedding: {plain(model)}. Another model: tamis analyze --tier precise --model FOLDER")
        return
    costs = {
        "precise": precise_estimate(size).seconds,
        "tuned": tuned_estimate(size).seconds + min(SAMPLE_SECONDS, precise_estimate(size).seconds),
        "fast": fast_estimate(size).seconds,
    }
    titles = {tier: f"{tier}, about {duration(seconds)}" for tier, seconds in costs.items()}
    titles["auto"] = f"automatic: {chosen_tier(size, replace(options, tier='auto'))}"
    names = ["auto", *costs]
    chosen = st.selectbox(
        "Embedding", names, index=names.index(options.tier), format_func=titles.__getitem__, width=260,
        key=session.widget("overview", "tier", options.tier), disabled=not login.may("owner"),
        help="Precise finds the best neighbours; tuned is fitted to this corpus; fast is quickest. "
        "Another tier recomputes embedding, map and clusters.",
    )  # fmt: skip
    if chosen != options.tier:
        login.demand("owner", to="choose the embedding")
        write_options(workspace, corpus, replace(options, tier=chosen))
        st.rerun()

"""Clusters: the topics of the corpus, how much of each the recipe keeps, and the words that distinguish two topics."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from tamis.analytics.map.cluster_names import distinguishing_words, read_terms
from tamis.analytics.operators.selection import Cluster
from tamis.analytics.study.queries import cluster_table
from tamis.app.dashboard import login, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.look import count, share, short
from tamis.app.dashboard.page_context import Stage, plain, stage
from tamis.app.dashboard.selection_bar import log_of
from tamis.app.dashboard.text_view import cards
from tamis.app.figures.figures import share_bars, treemap_figure
from tamis.app.pages import cluster_charts, cluster_tools, review_panel
from tamis.data.artifact import Artifact
from tamis.data.cluster_names import LONGEST, ModelName, name_cluster, read_model_names

EXAMPLES, PICTURES = 5, 18
"""Typical and odd documents shown of a cluster: texts, and pictures on a contact sheet."""
MOST_CHOSEN = 12
PREVIEW = 320


def page() -> None:
    """Lay out the page."""
    here = stage()
    artifact = here.opened.clusters()
    if artifact is None or "cluster" not in here.facts.columns:
        later = "This corpus has no clusters yet. The Overview page shows what the analysis still needs."
        st.info(here.opened.unmapped_words or later)
        return
    rows = _rows(here, artifact)
    left, right = st.columns([5, 4], gap="medium")
    with left:
        _headline(here, artifact, rows)
        chosen = _chosen(here, rows, artifact) if rows else _none()
    with right:
        if not chosen:
            if rows:
                st.caption(
                    "Choose a cluster in the table to read, name or split it, two to compare them, more to merge them."
                )
                cluster_tools.offer_names(here)
            cluster_tools.history(here, artifact)
            cluster_charts.show(here, artifact)
        else:
            _detail(here, artifact, [rows[place] for place in chosen])


def _none() -> list[int]:
    """Show that there are no clusters; nothing can be chosen."""
    st.info(
        "No clusters were found: every document is unclustered. Clusters may be smaller with"
        " `tamis open PATH --map min_cluster_size=5`; `--map clustering=k-means` leaves no document out."
    )
    return []


def _chosen(here: Stage, rows: list[dict[str, Any]], artifact: Artifact) -> list[int]:
    """Show the clusters as a treemap and as a table; return the rows chosen in it."""
    st.plotly_chart(
        treemap_figure(rows, height=330), key=session.widget("clusters", "treemap"),
        config={"displayModeBar": False}, alt="Clusters by category, sized by documents",
    )  # fmt: skip
    st.caption("Area: documents. Colour: the share that the recipe keeps, blue all of them, orange none.")
    return _table(rows, artifact, tokens="n_tokens" in here.facts.columns)


def _rows(here: Stage, artifact: Artifact) -> list[dict[str, Any]]:
    """Return one row per cluster, the largest first, names and counts together."""
    about = {row["cluster"]: row for row in artifact.table("clusters").to_pylist()}
    counted = here.ask(cluster_table).to_pylist()
    names, answered = here.opened.cluster_names(), read_model_names(here.workspace.root, artifact.digest)
    merged = [
        {
            **about[row["cluster"]],
            **row,
            "name": names[str(row["cluster"])],
            "origin": _origin(names[str(row["cluster"])], answered.get(row["cluster"])),
        }
        for row in counted
        if row["cluster"] in about
    ]
    return sorted(merged, key=lambda row: (-row["documents"], row["cluster"]))


def _origin(name: str, answered: ModelName | None) -> str:
    """Return a note if the name in use comes from a model."""
    return f" · named by {plain(answered.model)}" if answered is not None and answered.name == name else ""


def _headline(here: Stage, artifact: Artifact, rows: list[dict[str, Any]]) -> None:
    outside = here.facts.n - sum(row["documents"] for row in rows)
    st.markdown(
        f"**{len(rows)} clusters** in {len({row['category'] for row in rows})} categories · "
        f"{share(outside, here.facts.n)} of documents are in none"
    )
    facts = artifact.facts
    if words := here.opened.placed_words:
        st.caption(f"{words}: each is in the cluster of the nearest centroid.")
    st.caption(f"{plain(facts['found_by'])} · {plain(facts['tier'])} embedding · names by {plain(facts['names'])}")


def _table(rows: list[dict[str, Any]], artifact: Artifact, *, tokens: bool) -> list[int]:
    """Show the clusters and return the chosen rows; after an edit nothing is chosen, since the rows have moved."""
    event = st.dataframe(
        [
            {
                "name": row["name"],
                "category": row["category_name"],
                "documents": row["documents"],
                **({"tokens": row["tokens"]} if tokens else {}),
                "kept": 100 * row["kept"] / row["documents"] if row["documents"] else 0.0,
                "duplicates": 100 * row["duplicates"] / row["documents"] if row["documents"] else 0.0,
            }
            for row in rows
        ],
        hide_index=True,
        height=min(330, 38 + 30 * len(rows)),
        row_height=30,
        on_select="rerun",
        selection_mode="multi-row",
        key=session.widget("clusters", "table", artifact.digest[:16]),
        column_config={
            "name": st.column_config.TextColumn(width=150),
            "category": st.column_config.TextColumn(width=110),
            "documents": st.column_config.NumberColumn(width=80),
            "tokens": st.column_config.NumberColumn(format="compact"),
            "kept": st.column_config.ProgressColumn("kept %", format="%.0f", min_value=0, max_value=100, width="small"),
            "duplicates": st.column_config.NumberColumn("twins %", format="%.1f", help="With an exact duplicate"),
        },
    )
    places = event["selection"]["rows"]
    return [int(place) for place in places if int(place) < len(rows)][:MOST_CHOSEN]


def _detail(here: Stage, artifact: Artifact, chosen: list[dict[str, Any]]) -> None:
    """Show one cluster, or compare two."""
    clustering = here.facts.info("cluster").origin
    numbers = tuple(int(row["cluster"]) for row in chosen)
    for row in chosen:
        st.markdown(f"##### {plain(row['name'])}")
        st.caption(
            f"{count(row['documents'])} documents · {short(row['tokens'])} tokens · "
            f"{share(row['kept'], row['documents'])} kept · words: {plain(', '.join(row['words'][:10]))}{row['origin']}"
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button("Select", key="clusters/select", type="primary", help="Select these documents on every page"):
            adopt(selection=(Cluster(clusters=numbers, clustering=clustering, mode="keep", missing="drop"),))
            st.rerun()
        cluster_tools.show(here, artifact, numbers)
    cluster_tools.follow(here)
    if len(chosen) == 2:
        _compare(artifact, chosen)
    elif len(chosen) == 1:
        _rename(here, artifact, chosen[0])
        desk = review_panel.ReviewDesk(here, log_of(here), login.person().name)
        review_panel.comment(desk, "cluster", f"{clustering[:32]}:{numbers[0]}", title="Comment on this cluster")
        _examples(here, numbers[0])


def _rename(here: Stage, artifact: Artifact, row: dict[str, Any]) -> None:
    """Let an owner name the cluster; an empty name restores the name from its words."""
    if not login.may("owner"):
        return
    key = session.widget("clusters", "name", str(row["cluster"]), str(row["name"]))
    name = st.text_input("Name", value=row["name"], key=key, max_chars=LONGEST, help="Empty: the name from its words")
    if name != row["name"]:
        login.demand("owner", to="name a cluster")
        name_cluster(here.workspace.root, artifact.digest, int(row["cluster"]), name)
        st.rerun()


def _compare(artifact: Artifact, chosen: list[dict[str, Any]]) -> None:
    """Show the words that distinguish two clusters."""
    found = distinguishing_words(read_terms(artifact.table("terms")), chosen[0]["cluster"], chosen[1]["cluster"])
    labels = [item.word for item in found]
    first = [100 * item.share_a for item in found]
    second = [100 * item.share_b for item in found]
    st.plotly_chart(
        share_bars(labels, first, second, height=60 + 23 * len(labels), x="% of documents with the word",
                   beside=True, names=(chosen[0]["name"], chosen[1]["name"])),
        key="clusters/compare", config={"displayModeBar": False}, alt="Distinguishing words",
    )  # fmt: skip


def _examples(here: Stage, cluster: int) -> None:
    """Show the most typical and the most atypical documents of a cluster, by distance to their neighbours."""
    members = np.flatnonzero(here.facts.numbers("cluster") == cluster)
    if "outlier" in here.facts.columns:
        members = members[np.lexsort((members, here.facts.numbers("outlier")[members]))]
    number = PICTURES if here.pictures else EXAMPLES
    for title, rows in (("Typical", members[:number]), ("Odd", members[::-1][:number])):
        st.markdown(f"**{title}**")
        st.html(cards(here.readings([int(row) for row in rows]), length=PREVIEW))

"""Another corpus beside the open one: sizes, signals, languages and sources, and both on one map."""

from __future__ import annotations

import streamlit as st

from tamis.analytics.study.queries import SideBySide, points_on_map, topic_shares
from tamis.app.dashboard import cache, login, session
from tamis.app.dashboard.job_view import last_job, watch
from tamis.app.dashboard.look import Stat, count, heading, short, size, stats
from tamis.app.dashboard.page_context import Stage, show_fault
from tamis.app.dashboard.rail import is_analysed
from tamis.app.figures.clusters import two_corpora_figure
from tamis.app.jobs.corpus import opening_params
from tamis.app.jobs.place import PLACE, start_place
from tamis.data.corpus import Corpus
from tamis.data.errors import TamisError

SIGNALS = 15
POINTS = 1_500


def unfold(here: Stage) -> None:
    """Offer the comparison with another corpus of the workspace, where there is one."""
    others = [name for name in here.workspace.corpora() if name != here.opened.name]
    if not others:
        return
    unfolded = st.expander("Beside another corpus", icon=":material/compare:", key="beside", on_change="rerun")
    if unfolded.open:
        with unfolded:
            _show(here, others)


def _show(here: Stage, others: list[str]) -> None:
    other = st.selectbox("Other corpus", others, index=None, key="beside/other", placeholder="Choose a corpus")
    if other is None:
        return
    if not is_analysed(here.workspace, other):
        st.caption("That corpus is not analysed yet: open it in the rail and start its analysis.")
        return
    try:
        key = cache.key_of(here.workspace, other)
        found = cache.beside(cache.CorpusPair(here.key.corpus, key))
        _sizes(here.opened.name, other, found)
        left, right = st.columns(2, gap="medium")
        with left:
            _signals(here.opened.name, other, found)
        with right:
            _groups(here.opened.name, other, found)
        _topics(here, other, key)
    except TamisError as error:
        show_fault(error)


def _sizes(first: str, second: str, found: SideBySide) -> None:
    figures = []
    for name, sums in ((first, found.first), (second, found.second)):
        values = {"Documents": count(sums.documents), "Tokens": short(sums.tokens), "Text": size(sums.bytes)}
        figures += [Stat(f"{title} of {name}", value, help="Exact.") for title, value in values.items()]
    stats(figures)


def _signals(first: str, second: str, found: SideBySide) -> None:
    rows = found.signals.slice(0, SIGNALS).to_pylist()
    heading("Signals", f"the {len(rows)} most different of {count(found.signals.num_rows)}")
    st.dataframe(
        [
            {
                "signal": row["title"],
                f"median of {first}": f"{row['first']:.4g}",
                f"median of {second}": f"{row['second']:.4g}",
                "distance": row["distance"],
            }
            for row in rows
        ],
        hide_index=True, row_height=28,
        column_config={"distance": st.column_config.ProgressColumn(format="%.2f", min_value=0, max_value=1)},
    )  # fmt: skip
    st.caption(
        "Medians are exact. The distance is the largest difference of the two cumulative distributions, from at most "
        f"{count(found.sampled)} documents of each by keyed hash, seed 0."
    )


def _groups(first: str, second: str, found: SideBySide) -> None:
    heading("Languages, sources and labels", "shares of documents in per cent, exact, the most different first")
    st.dataframe(
        [
            {
                "by": row["title"],
                "value": row["value"] or "(none)",
                first: round(100 * row["first"], 2),
                f"{second} ": round(100 * row["second"], 2),
            }
            for row in found.groups.to_pylist()
        ],
        hide_index=True, row_height=28, height=38 + 28 * SIGNALS,
    )  # fmt: skip


def _topics(here: Stage, other: str, key: cache.CorpusKey) -> None:
    """Show both corpora on the map of the open one, once its job has placed the other."""
    clusters = here.opened.clusters()
    if clusters is None or "x" not in here.facts.columns:
        return
    heading("Topics on one map", f"{other} on the map and in the clusters of {here.opened.name}")
    corpus = cache.corpus(key)
    done = last_job(
        here.workspace,
        here.facts.corpus,
        PLACE,
        clustering=clusters.digest,
        other=opening_params(corpus, here.workspace),
    )
    if done is None:
        _offer(here, corpus, clusters.digest)
        return
    placed = here.workspace.table(str(done.result["table"]))
    names = here.opened.cluster_names() | {"-1": "unclustered"}
    left, right = st.columns([4, 5], gap="medium")
    table = topic_shares(here.facts, placed)
    with left:
        st.dataframe(
            [
                {
                    "topic": names.get(row["value"], row["value"]),
                    here.opened.name: round(100 * row["first"], 2),
                    f"{other} ": round(100 * row["second"], 2),
                }
                for row in table.to_pylist()
            ],
            hide_index=True, row_height=28, height=430,
        )  # fmt: skip
        st.caption("Shares of documents in per cent, exact, the most different first.")
    with right:
        st.plotly_chart(
            two_corpora_figure(*points_on_map(here.facts, placed, n=POINTS), (here.opened.name, other)),
            key=session.widget("beside", "map", other), config={"displayModeBar": False},
            alt=f"{here.opened.name} and {other} on one map",
        )  # fmt: skip
        st.caption(
            f"At most {count(POINTS)} documents of each by keyed hash, seed 0; "
            f"{count(int(done.result['without']))} of {other} have no embedding."
        )


def _offer(here: Stage, corpus: Corpus, clustering: str) -> None:
    """Offer to place the other corpus on the map, and follow the job."""
    if st.button("Place it on the map", key="beside/place", type="primary", disabled=not login.may("owner")):
        login.demand("owner", to="start a measurement")
        job = start_place(here.opened.study.corpus, corpus, here.workspace, clustering=clustering)
        session.choose(place_job=job.id)
        st.rerun()
    st.caption("In the background: it embeds the other corpus as this one was; this map stays as it is.")
    if name := session.current().setting("place_job"):
        watch(here.workspace, str(name), "place_job")

"""What the files that came since the last analysis have against those that were there."""

from __future__ import annotations

import streamlit as st

from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.queries import Drift
from tamis.app.dashboard import cache
from tamis.app.dashboard.job_view import offer_measurement
from tamis.app.dashboard.look import Stat, count, heading, share, short, size, stats
from tamis.app.dashboard.page_context import Stage, show_fault
from tamis.app.jobs.teach import taught_concepts
from tamis.app.pages import growth_choice
from tamis.data.errors import TamisError


def unfold(here: Stage) -> None:
    """Offer the comparison of the new part with the old one, where the corpus grew."""
    if here.opened.missing or cache.known_before(here.key.corpus) is None:
        return
    unfolded = st.expander("What the new files brought", icon=":material/trending_up:", key="drift", on_change="rerun")
    if unfolded.open:
        with unfolded:
            growth_choice.show(here.workspace, here.opened.study.corpus, place="card")
            try:
                _show(here, cache.drift(here.key.corpus))
                _concepts(here)
            except TamisError as error:
                show_fault(error)


def _show(here: Stage, found: Drift) -> None:
    figures = [
        Stat("New documents", count(found.new.documents), help="In files that the last analysis did not have; exact."),
        Stat("Old documents", count(found.old.documents), help="In files that were there; exact."),
        Stat("New tokens", short(found.new.tokens), help="Exact."),
        Stat("New text", size(found.new.bytes), help="UTF-8 bytes, exact."),
    ]
    if found.repeated is not None:
        help_ = f"{count(found.repeated)} new documents have the normalised text of an old one; exact."
        figures.append(Stat("Copies of old ones", share(found.repeated, found.new.documents), help=help_))
    stats(figures)
    left, right = st.columns(2, gap="medium")
    with left:
        _signals(found)
    with right:
        _groups(here, found)


def _signals(found: Drift) -> None:
    heading("Signals", "the most different first, exact")
    st.dataframe(
        [
            {
                "signal": row.column,
                "median of old": f"{row.rest:.4g}",
                "median of new": f"{row.selected:.4g}",
                "new has more": row.auc,
            }
            for row in found.signals
        ],
        hide_index=True, row_height=28,
        column_config={"new has more": st.column_config.ProgressColumn(format="%.2f", min_value=0, max_value=1)},
    )  # fmt: skip
    st.caption("“New has more” is the chance that a new document has a larger value than an old one; 0.50 is no drift.")


def _concepts(here: Stage) -> None:
    """Say the drift of every concept that people taught on this corpus."""
    concepts = taught_concepts(here.workspace, here.opened.study.corpus)
    if not concepts:
        return
    heading("Taught concepts", "probabilities of all documents, exact")
    recipe = Recipe()
    for concept in concepts.values():
        recipe = recipe.with_operator(concept.rule())
    if not offer_measurement(here, recipe, what="Scores of taught concepts on this corpus", name="drift_concepts"):
        return
    rows = []
    for name, concept in concepts.items():
        found = cache.concept_scores(cache.ConceptKey(here.key.corpus, concept.rule())).drift
        if found is not None:
            rows.append(
                {
                    "concept": name,
                    "median of old": f"{found.old_median:.2f}",
                    "median of new": f"{found.new_median:.2f}",
                    "new scores higher": found.higher,
                    "drift": "label new ones and teach again" if found.drifts else "none to speak of",
                }
            )
    st.dataframe(
        rows, hide_index=True, row_height=28,
        column_config={
            "new scores higher": st.column_config.ProgressColumn(format="%.2f", min_value=0, max_value=1)
        },
    )  # fmt: skip


def _groups(here: Stage, found: Drift) -> None:
    heading("Sources, languages, labels, clusters", "shares of documents in per cent, exact")
    names = here.opened.cluster_names() if "cluster" in found.groups else {}
    st.dataframe(
        [
            {
                "by": here.facts.info(column).title,
                "value": names.get(row["value"], row["value"]) if column == "cluster" else row["value"] or "(none)",
                "old": round(100 * row["first"], 2),
                "new": round(100 * row["second"], 2),
            }
            for column, table in found.groups.items()
            for row in table.to_pylist()
        ],
        hide_index=True, row_height=28,
    )  # fmt: skip

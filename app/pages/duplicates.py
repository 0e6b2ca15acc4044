"""Duplicates: groups and their kept document, pairs nearest to the threshold, what other settings would drop.

Evaluation items in the corpus are the part Contamination.
"""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import streamlit as st

from tamis.analytics.duplicates.word_diff import word_diff
from tamis.analytics.operators.duplicates import NearDedup, SemanticDedup
from tamis.analytics.operators.operator import new_params
from tamis.analytics.operators.sets import ExactDedup
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.queries import (
    Look,
    Order,
    Rule,
    borderline_pairs,
    copies_sweep,
    duplicate_groups,
    duplicate_totals,
    group_members,
    group_sizes,
    look,
    threshold_sweep,
)
from tamis.analytics.study.readings import Reading
from tamis.app.dashboard import session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.conversation_view import unlike
from tamis.app.dashboard.job_view import offer_measurement
from tamis.app.dashboard.look import count, share, short
from tamis.app.dashboard.page_context import Stage, plain, stage
from tamis.app.dashboard.text_view import cards, reader
from tamis.app.figures.figures import dial_figure, sizes_figure
from tamis.app.pages import contamination

GROUPS = 40
MEMBERS = 30
DIFF_CHARACTERS = 6_000
HEIGHT = 280
"""Pixels of the figures: room for ten sources in the legend."""
_START = {"near": 0.8, "semantic": 0.95}


def page() -> None:
    """Lay out the page."""
    here = stage()
    if "norm_group" not in here.facts.columns:
        st.info("Duplicates are not measured yet. The Overview page shows the missing steps.")
        return
    rule = _rule(here)
    if rule is None:
        return
    found = _look(here, rule)
    if found is None:
        return
    _headline(found, rule)
    left, right = st.columns([5, 4], gap="medium")
    with left:
        _dials(here, found)
        leader = _groups(found)
    with right:
        groups, border = st.tabs(["Group", "Nearest to the threshold"])
        with groups:
            _group(here, found, leader)
        with border:
            _borderline(here, found)


def _rule(here: Stage) -> Rule | None:
    """Show the settings of the rule under trial; evaluation sets have a part of the page of their own."""
    now = session.current()
    kinds = {"exact": "Exact", "near": "Near", "semantic": "Semantic", "contamination": "Contamination"}
    chosen = session.widget_value("duplicates/kind", now.setting("dup_kind", "exact"))
    widths = [3.3, 1.6, 1.6, 3.2, 1.8] if chosen == "contamination" else [3.6, 2.2, 1.7, 1.9, 2.2]
    cells = st.columns(widths, vertical_alignment="bottom")
    kind = cells[0].segmented_control(
        "Kind", list(kinds), default=now.setting("dup_kind", "exact"), required=True, label_visibility="collapsed",
        format_func=lambda name: kinds[name], key="duplicates/kind",
    )  # fmt: skip
    if kind == "contamination":
        session.choose(dup_kind=kind)
        contamination.show(here, cells[1:])
        return None
    threshold = float(now.setting(f"dup_{kind}", _START.get(kind, 1.0)))
    if kind in _START:
        title = "Jaccard of word 5-grams" if kind == "near" else "Cosine of precise vectors"
        low = 0.5 if kind == "near" else 0.85
        threshold = cells[1].slider(title, low, 0.99, threshold, 0.01, key=f"duplicates/at/{kind}")
    copies = int(
        cells[2].number_input("Copies kept", 1, 1000, int(now.setting("dup_copies", 1)), key="duplicates/copies")
    )
    session.choose(**{"dup_kind": kind, f"dup_{kind}": threshold, "dup_copies": copies})
    keep = cells[3].selectbox("Keep the", ["longest", "shortest", "first id"], key="duplicates/keep")
    params: dict[str, Any] = {"keep": keep, "max_copies": copies}
    if scopes := here.opened.study.corpus.shape.scopes:
        of = st.segmented_control(
            "Compare", ["whole", *scopes], default=now.setting("dup_of", "whole"), required=True,
            format_func=lambda name: "Whole text" if name == "whole" else name.replace("_", " ").capitalize(),
            key="duplicates/of",
        )  # fmt: skip
        session.choose(dup_of=of)
        params |= {"of": of} if of != "whole" else {}
    rule: Rule = ExactDedup(**params)
    if kind == "near":
        rule = NearDedup(threshold=threshold, **new_params(NearDedup), **params)
    elif kind == "semantic":
        rule = SemanticDedup(eps=round(1 - threshold, 4), **params)
    with cells[4]:
        ready = not here.opened.study.pending(Recipe().with_operator(rule))
        if st.button(
            "Add to the recipe", key="duplicates/add", type="primary", icon=":material/add:", disabled=not ready
        ):
            adopt(recipe=now.recipe.with_operator(rule))
            st.rerun()
    return rule


def _look(here: Stage, rule: Rule) -> Look | None:
    """Try the rule on all documents; offer the measurement first if it is missing."""
    if not offer_measurement(here, Recipe().with_operator(rule), what="Similar pairs", name="dup"):
        return None
    facts = here.opened.facts
    found: Look = facts.memo.through(
        ("duplicates", facts.digest, rule.name, repr(rule)),
        lambda: look(facts, here.opened.evidence, rule),
        size=lambda seen: seen.view.rows.nbytes * 4,
    )
    return found


def _headline(found: Look, rule: Rule) -> None:
    sums = duplicate_totals(found)
    cells = st.columns(4, gap="small")
    cells[0].metric("Would be dropped", count(sums.dropped), border=True)
    cells[1].metric("Share of documents", share(sums.dropped, sums.documents), border=True)
    cells[2].metric("Tokens", short(sums.dropped_tokens), border=True)
    cells[3].metric("Groups", count(sums.groups), border=True, help=f"{sums.large} of them are large.")
    st.caption(f"All {count(sums.documents)} documents, exact. {plain(rule.sentence())}. Every drop has a kept twin.")


def _dials(here: Stage, found: Look) -> None:
    """Show what another threshold or another number of copies would drop."""
    del here
    names = ["Copies", "Group sizes"] if isinstance(found.rule, ExactDedup) else ["Threshold", "Copies", "Group sizes"]
    chosen = st.segmented_control(
        "Dial",
        names,
        default=names[0],
        required=True,
        key=f"duplicates/dial/{len(names)}",
        label_visibility="collapsed",
    )
    if chosen == "Threshold":
        figure = dial_figure(threshold_sweep(found), title="similarity threshold", height=HEIGHT)
    elif chosen == "Copies":
        figure = dial_figure(copies_sweep(found), title="copies kept of a group", height=HEIGHT, log=True)
    else:
        figure = sizes_figure(group_sizes(found), height=HEIGHT)
    st.plotly_chart(figure, key="duplicates/figure", config={"displayModeBar": False}, alt=f"Effect of {chosen}")


def _groups(found: Look) -> int | None:
    """Show the groups and return the kept document of the chosen one."""
    orders: dict[Order, str] = {
        "largest": "Largest first",
        "tokens": "Most tokens first",
        "least similar": "Least similar first",
    }
    order = st.selectbox(
        "Order",
        list(orders),
        format_func=lambda name: orders[name],
        key="duplicates/order",
        label_visibility="collapsed",
    )
    listed = duplicate_groups(found, order=order, limit=GROUPS)
    rows = listed.table.to_pylist()
    if not rows:
        st.caption("No group: this rule finds no duplicates.")
        return None
    event = st.dataframe(
        [
            {
                "size": row["size"],
                "dropped tokens": row["dropped_tokens"],
                "least similar": row["least_similar"],
                "source": row.get("source") or "",
                "kept document": row["id"],
                "": "large: look first" if row["large"] else "",
            }
            for row in rows
        ],
        hide_index=True,
        height=300,
        row_height=30,
        on_select="rerun",
        selection_mode="single-row",
        key=f"duplicates/groups/{order}",
        column_config={"least similar": st.column_config.NumberColumn(format="%.3f")},
    )
    st.caption(f"{count(min(GROUPS, listed.total))} of {count(listed.total)} groups shown")
    places = event["selection"]["rows"]
    return int(rows[places[0]]["row"]) if places and places[0] < len(rows) else int(rows[0]["row"])


def _group(here: Stage, found: Look, leader: int | None) -> None:
    """Show the kept document and one dropped document with the words that differ."""
    if leader is None:
        st.caption("No group to show.")
        return
    members = group_members(found, leader, limit=MEMBERS).to_pylist()
    dropped = [row for row in members if not row["kept"]]
    kept = here.opened.readings([leader])[0]
    st.markdown("**Kept**")
    st.html(cards([kept], length=900))
    labels = {
        row["row"]: f"{place}. {row['similarity']:.3f} · {row.get('source') or ''} · {row['id'][:16]}"
        for place, row in enumerate(dropped, start=1)
    }
    chosen = st.selectbox(
        f"Dropped for it ({count(len(dropped))} shown, least similar first)", list(labels),
        format_func=lambda row: labels[row], key=f"duplicates/member/{leader}",
    )  # fmt: skip
    if chosen is not None:
        _difference(here, kept, int(chosen))


def _difference(here: Stage, kept: Reading, row: int) -> None:
    """Show a dropped document with marks on the words that its kept twin lacks, and the words only the twin has."""
    other = here.opened.readings([row])[0]
    found = word_diff(kept.text[:DIFF_CHARACTERS], other.text[:DIFF_CHARACTERS])
    added, removed = unlike(found.right), unlike(found.left)
    st.html(reader(other, added, limit=DIFF_CHARACTERS))
    lost = " … ".join(kept.text[begin:end].strip() for begin, end in removed)
    if not added and not lost:
        st.caption("Word for word the same.")
    elif lost:
        st.html(f'<div class="tamis-muted">Only in the kept one: <bdi>{escape(lost[:600])}</bdi></div>')


def _borderline(here: Stage, found: Look) -> None:
    """Show the pairs nearest to the threshold, on either side of it."""
    rows = borderline_pairs(found, limit=60).to_pylist()
    if not rows:
        st.caption("Exact duplicates have no border.")
        return
    labels = [
        f"{place}. {row['similarity']:.3f} · {'' if row['duplicate'] else 'not a '}duplicate · {row['right_id'][:16]}"
        for place, row in enumerate(rows, start=1)
    ]
    place = st.selectbox("Pair", range(len(rows)), format_func=lambda k: labels[k], key="duplicates/pair")
    row = rows[int(place or 0)]
    left, right = here.opened.readings([int(row["left"]), int(row["right"])])
    difference = word_diff(left.text[:DIFF_CHARACTERS], right.text[:DIFF_CHARACTERS])
    cells = st.columns(2)
    for cell, document, spans in ((cells[0], left, difference.left), (cells[1], right, difference.right)):
        cell.html(reader(document, unlike(spans), limit=DIFF_CHARACTERS))
    st.caption(
        f"{count(int(np.count_nonzero([item['duplicate'] for item in rows])))} of these {len(rows)} are duplicates"
    )

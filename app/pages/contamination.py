"""Contamination: evaluation items in the corpus, by set, both texts side by side, and what people say of the hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import streamlit as st
from numpy.typing import NDArray

from tamis.analytics.duplicates.evaluation_items import PARTS
from tamis.analytics.duplicates.evaluation_sets import EvaluationEntry, list_evaluations
from tamis.analytics.operators.contamination import IdfDecontaminate
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.review.agreement import Votes
from tamis.analytics.review.hit_reviews import (
    RIGHT,
    UNSURE,
    WRONG,
    hit_subjects,
    precision_of_hits,
    sample_order,
)
from tamis.analytics.study.contamination import Contamination, find_contamination, hit_texts
from tamis.analytics.study.readings import Reading
from tamis.app.dashboard import login, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.job_view import offer_measurement
from tamis.app.dashboard.look import Stat, count, heading, is_dark, share, stats
from tamis.app.dashboard.marked_text import Span, window
from tamis.app.dashboard.page_context import Stage, plain
from tamis.app.dashboard.selection_bar import log_of
from tamis.app.dashboard.text_view import reader
from tamis.app.pages import review_panel
from tamis.data.errors import StoreError

LISTED = 500
SETS = 6
SHOWN = 1_400
SEED = 0
_ANSWERS = {
    RIGHT: (":material/check: Right", "The document holds this item"),
    WRONG: (":material/close: Wrong", "It does not: a common phrase, or another text"),
    UNSURE: (":material/question_mark: Unsure", ""),
}


def show(here: Stage, cells: Sequence[Any]) -> None:
    """Lay out the part of the page; ``cells`` are the places of its settings."""
    entries = {entry.digest: entry for entry in list_evaluations(here.workspace).values()}
    if not entries:
        st.info(
            "No evaluation sets are stored yet. `tamis evaluation store NAME FILES...` stores some: hashes of the words"
            " of their prompts, answers and passages."
        )
        return
    rule = _rule(here, cells, entries)
    if rule is None or not offer_measurement(here, Recipe().with_operator(rule), what="Evaluation items", name="eval"):
        return
    facts = here.opened.facts
    found: Contamination = facts.memo.through(
        ("contamination", facts.digest, repr(rule)),
        lambda: find_contamination(here.opened.study, rule),
        size=lambda hits: hits.nbytes,
    )
    _headline(here, found)
    left, right = st.columns([9, 10], gap="medium")
    with left:
        _sets(found)
        hit = _hits(here, found)
    with right:
        if hit is not None:
            _hit(here, found, hit)


def _rule(here: Stage, cells: Sequence[Any], entries: dict[str, EvaluationEntry]) -> IdfDecontaminate | None:
    """Show the settings of the rule under trial."""
    now, known = session.current(), list(entries)
    stored = now.setting("eval_set", known[0])
    evaluation = cells[0].selectbox(
        "Evaluation sets", known, index=known.index(stored) if stored in known else 0, key="contamination/sets",
        format_func=lambda digest: entries[digest].name,
    )  # fmt: skip
    least = cells[1].slider(
        "Share of an item", 0.5, 1.0, float(now.setting("eval_share", 0.8)), 0.01, key="contamination/share",
        help="Of the weight of its words, for items of 50 words and more; it rises to 1.0 at 20 words",
    )  # fmt: skip
    chosen = [part for part in PARTS if part in now.setting("eval_parts", ("prompt", "answer", "whole"))]
    parts = cells[2].multiselect("Parts", PARTS, default=chosen, key="contamination/parts")
    session.choose(eval_set=evaluation, eval_share=least, eval_parts=tuple(parts))
    if not parts:
        st.caption("Choose at least one part.")
        return None
    rule = OPERATORS.build("idf_decontaminate", {"evaluation": evaluation, "share": least, "parts": parts})
    assert isinstance(rule, IdfDecontaminate)
    ready = not here.opened.study.pending(Recipe().with_operator(rule))
    if cells[3].button("Add to the recipe", key="contamination/add", type="primary", icon=":material/add:",
                       disabled=not ready):  # fmt: skip
        adopt(recipe=now.recipe.with_operator(rule))
        st.rerun()
    return rule


def _headline(here: Stage, found: Contamination) -> None:
    total, items = here.opened.facts.n, sum(each.items for each in found.counts)
    facts = here.opened.facts
    said = precision_of_hits(found, facts.ids, facts.keys, log_of(here).events(), seed=SEED)
    right = "not judged" if not said.right.of else f"{said.right.share:.0%}"
    around = "" if not said.right.of else "exact" if said.exact else f"{said.right.low:.0%} to {said.right.high:.0%}"
    stats(
        [
            Stat(
                "Contaminated",
                count(found.documents),
                share(found.documents, total),
                help="Documents that hold an item",
            ),
            Stat("Items found", count(sum(each.found for each in found.counts)), f"of {count(items)}"),
            Stat("Hits", count(len(found)), help="Document and text of a part"),
            Stat("Right", right, around, help=said.sentence),
        ]
    )
    st.caption(f"All {count(total)} documents, exact. {plain(found.rule.sentence())}. {plain(said.sentence)}")


def _sets(found: Contamination) -> None:
    heading("Evaluation sets", "documents that hold an item, by set and part")
    rows = [
        {"set": each.name, "items": each.items, "looked for": each.looked_for, "found": each.found,
         "documents": each.documents, **dict(each.by_part)}
        for each in sorted(found.counts, key=lambda each: (-each.documents, each.name))
    ]  # fmt: skip
    st.dataframe(rows, hide_index=True, row_height=28, height="content" if len(rows) <= SETS else 220)


def _hits(here: Stage, found: Contamination) -> int | None:
    """Show the hits and return the chosen one."""
    if not len(found):
        st.caption("No document holds an item.")
        return None
    ways = {"score": "Strongest first", "sample": "Sample to review"}
    way = st.segmented_control(
        "Order", list(ways), default="score", required=True, format_func=ways.__getitem__, key="contamination/order",
        label_visibility="collapsed",
    )  # fmt: skip
    facts = here.opened.facts
    order: NDArray[np.int64] = np.arange(len(found))
    if way == "sample":
        order = sample_order(found, facts.keys, seed=SEED)
    order = order[:LISTED]
    votes = Votes.of(log_of(here).events(), about="hit")
    said = dict(zip(votes.documents, votes.consensus().tolist(), strict=True))
    subjects = hit_subjects(found, facts.ids, order.tolist())
    words = {0: "wrong", 1: "right", -1: "unsure"}
    shown = pa.table(
        {
            "score": found.strengths[order],
            "share": found.shares[order],
            "words": found.sets.words[found.texts[order]],
            "part": [found.part(int(hit)) for hit in order],
            "set": [", ".join(found.set_names(int(hit))) for hit in order],
            "said": ["" if subject not in said else words[said[subject]] for subject in subjects],
            "document": facts.ids.take(pa.array(found.rows[order])),
        }
    )
    event = st.dataframe(
        shown, hide_index=True, height=330, row_height=28, on_select="rerun", selection_mode="single-row",
        key=session.widget("contamination", "hits", str(way), str(len(found))),
        column_config={name: st.column_config.NumberColumn(format="%.3f") for name in ("score", "share")},
    )  # fmt: skip
    sampled = f"by keyed hash, seed {SEED}" if way == "sample" else "strongest first"
    st.caption(f"{count(len(order))} of {count(len(found))} hits, {sampled}. Score: the share, adjusted to the length.")
    rows = event["selection"]["rows"]
    if rows and rows[0] < len(order):
        return int(order[rows[0]])
    open_ = [place for place, subject in enumerate(subjects) if subject not in said]
    return int(order[open_[0] if way == "sample" and open_ else 0])


def _hit(here: Stage, found: Contamination, hit: int) -> None:
    """Show both texts of a hit with the words they share, and the buttons."""
    heading("Hit", f"{found.shares[hit]:.3f} of the weight of {count(found.sets.words[found.texts[hit]])} words")
    st.text(found.items(hit))
    _judge(here, found, hit)
    try:
        both = hit_texts(here.opened.study, found, hit)
    except StoreError as error:
        st.text(str(error))
        st.html(reader(here.readings([int(found.rows[hit])])[0], limit=SHOWN))
        return
    cells = st.columns(2, gap="small")
    name = here.opened.facts.ids[int(found.rows[hit])].as_py()
    for cell, title, text, places in (
        (cells[0], f"Document {name[:24]}", both.document, both.shared.document),
        (cells[1], f"Item, {found.part(hit)}", both.item, both.shared.item),
    ):
        with cell, st.container(border=True):
            heading(title)
            st.html(_marked(text, places))
    st.caption("Shared words are bold and coloured, those of the best passage only.")


def _marked(text: str, places: Sequence[Span]) -> str:
    """Return the part of a text around its shared words as HTML."""
    begin = max(0, places[0][0] - SHOWN // 4) if places else 0
    shown, inside, _, after = window(text[begin:], [(a - begin, b - begin) for a, b in places], length=SHOWN)
    kind = f"tamis-shared {'dark' if is_dark() else 'light'}"
    return (
        ("<div>…</div>" if begin else "")
        + reader(Reading(shown), inside, kind=kind)
        + ("<div>…</div>" if after else "")
    )


def _judge(here: Stage, found: Contamination, hit: int) -> None:
    """Show the buttons with which people say whether a hit is right."""
    name = login.person().name
    if not name:
        st.caption("Who reviews? Say whether hits are right, and the precision of the rule follows.")
        login.ask_name()
        return
    desk = review_panel.ReviewDesk(here, log_of(here), name)
    (subject,) = hit_subjects(found, here.opened.facts.ids, [hit])
    mine = [event for event in desk.log.events() if event.subject == subject and event.reviewer == name]
    with st.container(horizontal=True, gap="small"):
        for value, (label, help_) in _ANSWERS.items():
            said = bool(mine) and mine[-1].value == value
            st.button(
                label, key=f"contamination/{value}", type="primary" if said else "secondary", help=help_ or None,
                on_click=review_panel.add, args=(desk, "hit", subject, "decision", value),
                kwargs={"before": len(mine)}, disabled=not login.may("reviewer"),
            )  # fmt: skip

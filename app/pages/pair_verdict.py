"""The question "same document?" about two documents: buttons with keys, and the decision in the review store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from tamis.analytics.review.pairs import DIFFERENT, SAME, UNSURE, pair_context, pair_subject
from tamis.app.dashboard import login, session
from tamis.app.dashboard.page_context import Stage, brief, plain
from tamis.app.dashboard.selection_bar import log_of
from tamis.data.errors import TamisError
from tamis.data.reviews import Event, ReviewLog, event_key

ANSWERS = {
    SAME: (":material/check: Same", "S", "One of the two may go"),
    DIFFERENT: (":material/close: Not the same", "N", "Both should stay"),
    UNSURE: (":material/question_mark: Unsure", "U", "Nobody can tell"),
}
WORDS = {SAME: "same", DIFFERENT: "not the same", UNSURE: "unsure"}


def ask(here: Stage, left: int, right: int, *, similarity: float, then: Mapping[str, Any]) -> None:
    """Show the buttons for two facts rows and what was said; without a name, ask for it first.

    Args:
        here: the stage.
        left, right: facts rows.
        similarity: of both, stored beside the answer.
        then: page settings of the pair that follows an answer.
    """
    name = login.person().name
    if not name:
        st.caption("Who reviews? Say whether pairs are the same, and the precision of the rule follows.")
        login.ask_name()
        return
    log = log_of(here)
    one, other = (here.facts.ids[row].as_py() for row in (left, right))
    subject = pair_subject(one, other)
    said = [event for event in log.events() if event.subject_kind == "pair" and event.subject == subject]
    mine = [event.value for event in said if event.reviewer == name]
    context = {**pair_context(one, other), "similarity": round(similarity, 4), "queue": "duplicates"}
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for value, (label, key, help_) in ANSWERS.items():
            st.button(
                label, key=f"duplicates/answer/{value}", shortcut=key, help=help_, disabled=not login.may("reviewer"),
                type="primary" if mine and mine[-1] == value else "secondary",
                on_click=_answer, args=(log, name, subject, value, context, len(mine), then),
            )  # fmt: skip
    others = {event.reviewer: event.value for event in said if event.reviewer != name}
    if others and mine:
        st.caption(plain(", ".join(f"{who}: {WORDS[value]}" for who, value in sorted(others.items()))))


def _answer(
    log: ReviewLog, name: str, subject: str, value: str, context: dict[str, Any], before: int, then: Mapping[str, Any]
) -> None:
    if store(log, name, subject, value, context, before):
        session.choose(**then)


def store(log: ReviewLog, name: str, subject: str, value: str, context: dict[str, Any], before: int) -> bool:
    """Store an answer; ``before`` counts this person's answers to the pair, so sending one twice stores it once.

    Returns:
        Whether it is stored; the reason why not is left for the next run.
    """
    key = event_key(log.corpus, name, "pair", subject, "decision", value, before)
    try:
        login.demand("reviewer", to="decide on documents")
        log.store.add(Event(key, name, log.corpus, "pair", subject, "decision", value, context))
    except TamisError as error:
        session.say(f"The decision was not stored. {brief(error)}")
        return False
    return True

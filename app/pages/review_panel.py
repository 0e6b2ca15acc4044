"""Beside the document under review: progress of the team, agreement, precision of rules, notes, history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from tamis.analytics.operators.keep_policy import Keeping
from tamis.analytics.operators.operator import OPERATORS
from tamis.analytics.review.agreement import (
    DROP,
    KEEP,
    Votes,
    against_chance,
    krippendorff_alpha,
    pairs_of,
    precision_of_steps,
    progress,
)
from tamis.analytics.review.pairs import document_votes
from tamis.analytics.review.queues import Queue, places
from tamis.analytics.study.extrapolation import Interval
from tamis.app.dashboard import login, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.look import count, heading, moment, time_zone
from tamis.app.dashboard.page_context import Stage, plain
from tamis.app.pages import review_effects
from tamis.data.errors import TamisError
from tamis.data.reviews import Event, Kind, ReviewLog, Subject, event_key

REFRESH_SECONDS = 3
HISTORY = 40


@dataclass(frozen=True)
class ReviewDesk:
    """What a reviewer works with.

    Attributes:
        here: the stage.
        log: the reviews of the corpus.
        name: who reviews.
    """

    here: Stage
    log: ReviewLog
    name: str


def show(desk: ReviewDesk, queue: Queue, documents: tuple[str, ...]) -> None:
    """Lay out the panel; it refreshes the decisions of others every few seconds."""

    @st.fragment(run_every=REFRESH_SECONDS)
    def panel() -> None:
        votes = document_votes(desk.here.scene, desk.log.events())
        _team(votes, documents)
        agreement, rules, history = st.tabs(["Agreement", "Rules", "History"])
        with agreement:
            _agreement(desk, votes)
        with rules:
            _rules(desk, votes)
        with history:
            _history(desk)

    panel()


def _team(votes: Votes, documents: tuple[str, ...]) -> None:
    done = progress(votes, documents)
    heading("Team", f"{count(done.pop(''))} of {count(len(documents))} decided by anyone")
    rows = [{"who": name, "decided": number / max(1, len(documents)), "documents": number} for name, number in
            sorted(done.items(), key=lambda item: (-item[1], item[0])) if number]  # fmt: skip
    if rows:
        st.dataframe(
            rows, hide_index=True, row_height=28,
            column_config={"decided": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)},
        )  # fmt: skip


def _agreement(desk: ReviewDesk, votes: Votes) -> None:
    shared = int(((votes.table >= 0).sum(axis=1) >= 2).sum())
    alpha = _number(krippendorff_alpha(votes.table))
    st.markdown(f"**{alpha}** Krippendorff's alpha, documents that two or more people decided: {count(shared)}")
    st.caption("1 is perfect, 0 is chance; below 0.67 conclude nothing firm from these votes.")
    rows = [
        {"people": f"{pair.one}, {pair.other}", "shared": pair.shared, "alike": pair.same / pair.shared,
         "Cohen's kappa": None if np.isnan(pair.kappa) else pair.kappa} for pair in pairs_of(votes)
    ]  # fmt: skip
    if rows:
        st.dataframe(
            rows, hide_index=True, row_height=28,
            column_config={"alike": st.column_config.NumberColumn(format="percent"),
                           "Cohen's kappa": st.column_config.NumberColumn(format="%.2f")},
        )  # fmt: skip
    outcome = desk.here.scene.outcome
    if outcome is None or not outcome.steps:
        return
    found = against_chance(votes, places(desk.here.scene, votes), outcome, desk.name)
    if found.agreed.of:
        st.markdown(f"**You against chance**: you agree with the recipe on {_interval(found.agreed)}")
        st.caption(
            f"Chance would agree on {found.chance:.0%} at your and its rates; kappa {_number(found.kappa)}. "
            "Agreement with people does not show that a rule helps: the page Effect measures that."
        )


def _rules(desk: ReviewDesk, votes: Votes) -> None:
    outcome = desk.here.scene.outcome
    if outcome is None or not outcome.steps:
        st.caption("The recipe has no rules yet.")
        return
    found = precision_of_steps(votes, places(desk.here.scene, votes), outcome)
    pairs = {step.id for step in outcome.steps if isinstance(step.operator, Keeping)}
    rows = [
        {"step": item.step or "kept", "right": item.right.share if item.right.of else None,
         "95% interval": f"{item.right.low:.0%} to {item.right.high:.0%}", "votes": item.right.of,
         "unsure": item.unsure, "judged as": "pairs" if item.step in pairs else "documents"} for item in found
    ]  # fmt: skip
    st.dataframe(
        rows, hide_index=True, row_height=28,
        column_config={"right": st.column_config.NumberColumn(format="percent")},
    )  # fmt: skip
    st.caption(
        "Of the documents a step drops, the share that the majority would drop as well; of the kept ones, keep."
        " Documents dropped as duplicates are judged beside their kept twin: the share that is called the same."
    )
    _decisions_as_rules(desk, votes)
    if st.toggle("Compare with measured effects", key="review/effects"):
        review_effects.show(desk.here, votes)


def _decisions_as_rules(desk: ReviewDesk, votes: Votes) -> None:
    """Offer to turn decisions into a rule or a selection."""
    says = votes.consensus()
    dropped = [name for name, value in zip(votes.documents, says, strict=True) if value == DROP]
    kept = [name for name, value in zip(votes.documents, says, strict=True) if value == KEEP]
    with st.container(horizontal=True, gap="small"):
        drop = st.button(
            f"Drop these {count(len(dropped))}", key="review/rule", disabled=not dropped,
            help="A rule that drops what the majority would drop, as a list of ids",
        )  # fmt: skip
        select = st.button(
            f"Select the {count(len(kept))} kept", key="review/select", disabled=not kept,
            help="For example as the target of a relevance rule",
        )  # fmt: skip
    if drop:
        _add_list(desk, tuple(dropped))
    elif select:
        _select(desk, tuple(kept))
    if drop or select:
        st.rerun()


def _add_list(desk: ReviewDesk, ids: tuple[str, ...]) -> None:
    stored = desk.here.workspace.put_ids(ids)
    rule = OPERATORS.build("id_list", {"stored": stored, "mode": "drop"})
    adopt(recipe=session.current().recipe.with_operator(rule, note=f"decided by people: {len(ids)} documents"))


def _select(desk: ReviewDesk, ids: tuple[str, ...]) -> None:
    rule = OPERATORS.build("id_list", {"stored": desk.here.workspace.put_ids(ids)})
    adopt(selection=[rule])  # type: ignore[list-item]


def comment(desk: ReviewDesk, subject_kind: Subject, subject: str, *, title: str, kind: Kind = "comment") -> None:
    """Show the comments on a subject, and a field to add one."""
    said = [
        event for event in desk.log.events()
        if event.kind == kind and event.subject_kind == subject_kind and event.subject == subject
    ]  # fmt: skip
    for event in said[-5:]:
        st.text(f"{event.reviewer}, {moment(event.at)}: {event.value}")
    if not desk.name or not login.may("reviewer"):
        return
    key = session.widget("review", kind, subject_kind, subject, str(len(said)))
    text = st.text_input(title, key=key, max_chars=1000, label_visibility="collapsed", placeholder=title)
    if text and text.strip():
        add(desk, subject_kind, subject, kind, text, before=len(said))
        st.rerun()


def add(desk: ReviewDesk, subject_kind: Subject, subject: str, kind: Kind, value: str, *, before: int) -> None:
    """Store one event; ``before`` counts the equal ones before it, so that sending it twice stores it once."""
    key = event_key(desk.log.corpus, desk.name, subject_kind, subject, kind, value, before)
    try:
        login.demand("reviewer", to="write about documents and recipes")
        desk.log.store.add(Event(key, desk.name, desk.log.corpus, subject_kind, subject, kind, value.strip()))
    except TamisError as error:
        session.say(str(error))


def _history(desk: ReviewDesk) -> None:
    events = desk.log.events()
    rows = [
        {"when": moment(event.at), "who": event.reviewer, "what": event.kind, "said": event.value[:200],
         "about": f"{event.subject_kind} {event.subject[:24]}"} for event in reversed(events[-HISTORY:])
    ]  # fmt: skip
    if not rows:
        st.caption("Nothing has been said yet.")
        return
    st.dataframe(rows, hide_index=True, row_height=28, height=300)
    st.caption(
        f"The last {count(len(rows))} of {count(len(events))} events, times in {time_zone()}; nothing is ever "
        "changed or removed."
    )


def _number(value: float) -> str:
    return "not defined yet" if np.isnan(value) else f"{value:.2f}"


def _interval(found: Interval) -> str:
    return plain(f"{found.share:.0%} of {found.of} documents ({found.low:.0%} to {found.high:.0%})")

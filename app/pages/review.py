"""Review: people read documents one by one, blind if they like, and decide keep, drop or unsure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from tamis.analytics.duplicates.word_diff import word_diff
from tamis.analytics.review.agreement import Votes
from tamis.analytics.review.pairs import document_votes, pair_context, pair_subject, twin_rows
from tamis.analytics.review.queues import NEEDS_STEP, TITLES, Kind, Queue, queue_rows
from tamis.analytics.study.queries import why
from tamis.analytics.study.reasons import verdict_words
from tamis.app.dashboard import login, session
from tamis.app.dashboard.conversation_view import unlike
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage, plain, stage
from tamis.app.dashboard.picture_html import beside, figure
from tamis.app.dashboard.selection_bar import log_of
from tamis.app.dashboard.text_view import reader
from tamis.app.pages import review_panel, teach_card
from tamis.app.pages.pair_verdict import ANSWERS
from tamis.app.pages.review_panel import ReviewDesk
from tamis.data.errors import TamisError
from tamis.data.reviews import DECISIONS, Event, Subject, event_key

TEXT_LIMIT = 30_000
TWIN_LIMIT = 6_000
"""Characters of two texts that are compared word by word."""
SIZES = [20, 50, 100, 200, 500, 1000]
_LOOK = {
    "keep": (":material/check: Keep", "K"),
    "drop": (":material/close: Drop", "D"),
    "unsure": (":material/question_mark: Unsure", "U"),
}


@dataclass(frozen=True)
class Judged:
    """What a decision is about.

    Attributes:
        kind: ``document`` or ``pair``.
        name: its subject in the store.
        context: what a decision carries besides.
    """

    kind: Subject
    name: str
    context: Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a person is in a queue.

    Attributes:
        rows: int64 (m,), facts rows of the queue.
        ids: their ids.
        at: place in the queue, m when everything is decided.
        decided: how many of them this person has decided.
        twin: facts row of the kept document that the one at this place is a duplicate of, -1 where it is none.
    """

    rows: NDArray[np.int64]
    ids: tuple[str, ...]
    at: int
    decided: int
    twin: int = -1


def page() -> None:
    """Lay out the page."""
    here = stage()
    name = login.person().name
    if not name:
        st.markdown("**Who reviews?** Decisions are stored with a name, so that a team can see how well it agrees.")
        login.ask_name()
        return
    desk = ReviewDesk(here, log_of(here), name)
    focus = bool(session.current().setting("review_focus", False))
    queue = _bar(here, focus)
    votes = document_votes(here.scene, desk.log.events())
    rows = _rows(here, queue, votes)
    if focus:
        _read(desk, queue, rows, votes)
        return
    left, right = st.columns([5, 3], gap="medium")
    with left:
        _read(desk, queue, rows, votes)
    with right:
        review_panel.show(desk, queue, tuple(here.facts.ids.take(rows).to_pylist()))
    teach_card.unfold(here, desk.log.events())


def _rows(here: Stage, queue: Queue, votes: Votes) -> NDArray[np.int64]:
    """Return the documents of the queue; disputed ones are looked up each time, the others are cached."""
    if queue.kind == "disagreement":
        return queue_rows(here.scene, queue, votes)
    found: NDArray[np.int64] = here.ask(_queue_rows, queue=queue)
    return found


def _queue_rows(scene: Any, *, queue: Queue) -> NDArray[np.int64]:
    return queue_rows(scene, queue, Votes.of(()))


def _bar(here: Stage, focus: bool) -> Queue:
    """Show the choice of the queue and return it."""
    now = session.current()
    queue = Queue(
        kind=now.setting("review_kind", "mixed"),
        step=str(now.setting("review_step", "")),
        size=int(now.setting("review_size", 100)),
    )
    before = queue
    if not focus:
        queue = _choices(here, queue)
    if queue != before:
        session.choose(review_at=None)  # Another queue starts at its own beginning.
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        blind = st.toggle(
            "Blind", value=bool(now.setting("review_blind", True)), key="review/blind",
            help="Hide what the recipe decided, where the document comes from and what others said",
        )  # fmt: skip
        what = "picture" if here.pictures else "text"
        wide = st.toggle(f"Only the {what}", value=focus, key="review/focus", help="A reading view that fits phones")
    session.choose(
        review_kind=queue.kind, review_step=queue.step, review_size=queue.size, review_blind=blind, review_focus=wide
    )
    if wide != focus:
        st.rerun()
    return queue


def _choices(here: Stage, queue: Queue) -> Queue:
    """Show the settings of the queue."""
    outcome = here.scene.outcome
    steps = [step.id for step in outcome.steps] if outcome is not None else []
    kinds = list(get_args(Kind))
    wide = [4, 3, 1.4] if queue.kind in NEEDS_STEP else [7, 0.1, 1.4]
    cells = st.container(key="review_choices").columns(wide, vertical_alignment="bottom")
    key = session.widget_holding("review/kind", queue.kind)
    kind: Kind = cells[0].selectbox(
        "Queue", kinds, index=kinds.index(queue.kind), format_func=lambda name: TITLES[name], key=key,
        on_change=lambda: session.choose(review_kind=session.widget_value(key, queue.kind), review_at=None),
    )  # fmt: skip
    step = ""
    if kind in NEEDS_STEP:
        options = ["", *steps] if kind == "dropped" else steps
        step = cells[1].selectbox(
            "Step", options, index=options.index(queue.step) if queue.step in options else 0,
            format_func=lambda name: name or "any step", key=f"review/step/{kind}",
        ) or ""  # fmt: skip
    size = cells[2].selectbox(
        "Documents", SIZES, index=SIZES.index(queue.size) if queue.size in SIZES else 2, key="review/size"
    )
    return replace(queue, kind=kind, step=step, size=int(size))


def _place(desk: ReviewDesk, rows: NDArray[np.int64], votes: Votes) -> Place:
    """Return this person's place in the queue: set by the arrows, else the first document without their decision."""
    ids = tuple(desk.here.facts.ids.take(rows).to_pylist())
    mine = dict(zip(votes.documents, votes.of_reviewer(desk.name).tolist(), strict=True))
    open_ = [place for place, name in enumerate(ids) if mine.get(name, -1) < 0]
    opened = session.current().setting("review_open")
    if opened in ids:  # Another part of the page asked for this document.
        session.choose(review_at=ids.index(opened), review_open=None)
    asked = session.current().setting("review_at")
    at = int(asked) if asked is not None and 0 <= int(asked) < len(ids) else (open_[0] if open_ else len(ids))
    outcome = desk.here.scene.outcome
    twin = -1 if outcome is None or at >= len(ids) else int(twin_rows(outcome, rows[at : at + 1])[0])
    return Place(rows, ids, at, len(ids) - len(open_), twin)


def _read(desk: ReviewDesk, queue: Queue, rows: NDArray[np.int64], votes: Votes) -> None:
    """Show the document and the buttons."""
    if not len(rows):
        st.info("No document is in this queue. Choose another queue, or other rules on the page Recipe.")
        return
    place = _place(desk, rows, votes)
    st.progress(place.decided / len(rows), text=f"{count(place.decided)} of {count(len(rows))} decided by you")
    if place.at >= len(rows):
        st.success("You have decided every document of this queue.", icon=":material/done_all:")
        st.button("Look at them again", key="review/again", on_click=session.choose, kwargs={"review_at": 0})
        return
    _buttons(desk, queue, place, votes)
    _document(desk, place, votes)


def _subject(desk: ReviewDesk, place: Place) -> Judged:
    """Return what is decided: the document, or the pair of it and its twin."""
    document = place.ids[place.at]
    if place.twin < 0:
        return Judged("document", document, {})
    other = desk.here.facts.ids[place.twin].as_py()
    return Judged("pair", pair_subject(document, other), pair_context(document, other))


def _buttons(desk: ReviewDesk, queue: Queue, place: Place, votes: Votes) -> None:
    document, subject = place.ids[place.at], _subject(desk, place)
    mine = dict(zip(votes.documents, votes.of_reviewer(desk.name).tolist(), strict=True)).get(document, -1)
    before = sum(event.subject == subject.name and event.reviewer == desk.name for event in desk.log.events())
    answers = {value: answer[:2] for value, answer in ANSWERS.items()} if subject.kind == "pair" else _LOOK
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="review_buttons"):
        if subject.kind == "pair":
            st.markdown("**Same document?**")
        for value, (label, key) in answers.items():
            st.button(
                label, key=f"review/{subject.kind}/{value}", shortcut=key, on_click=_decide,
                args=(desk, queue, place, value, before), disabled=not login.may("reviewer"),
                type="primary" if mine == DECISIONS.index(value) else "secondary",
            )  # fmt: skip
        st.button(
            "Back", key="review/back", icon=":material/arrow_back:", shortcut="Left", type="tertiary",
            on_click=session.choose, kwargs={"review_at": max(0, place.at - 1)}, disabled=place.at == 0,
        )  # fmt: skip
        st.button(
            "Next", key="review/next", icon=":material/arrow_forward:", shortcut="Right", type="tertiary",
            on_click=session.choose, kwargs={"review_at": place.at + 1}, disabled=place.at + 1 >= len(place.rows),
        )  # fmt: skip
        st.caption(f"document {count(place.at + 1)} of {count(len(place.rows))}")


def _decide(desk: ReviewDesk, queue: Queue, place: Place, value: str, before: int) -> None:
    """Store a decision and go on to the next document without one."""
    now, subject = session.current(), _subject(desk, place)
    event = Event(
        key=event_key(desk.log.corpus, desk.name, subject.name, "decision", value, before),
        reviewer=desk.name,
        corpus=desk.log.corpus,
        subject_kind=subject.kind,
        subject=subject.name,
        kind="decision",
        value=value,
        context={
            "queue": queue.kind,
            "step": queue.step,
            "recipe": now.recipe.digest,
            "blind": bool(now.setting("review_blind", True)),
            **subject.context,
        },
    )
    try:
        login.demand("reviewer", to="decide on documents")
        desk.log.store.add(event)
    except TamisError as error:
        session.say(f"The decision was not stored. {error}")
        return
    later = place.at + 1
    session.choose(review_at=later if session.current().setting("review_at") is not None else None)
    if later >= len(place.rows):
        session.choose(review_at=None)


def _document(desk: ReviewDesk, place: Place, votes: Votes) -> None:
    row = int(place.rows[place.at])
    with st.container(height=520, border=True, key="review_text"):
        if desk.here.pictures:
            _pictures(desk, row, place.twin)
        elif place.twin < 0:
            st.html(reader(desk.here.readings([row])[0], kind="tamis-read", limit=TEXT_LIMIT))
        else:
            _beside_twin(desk, row, place.twin)
    if not session.current().setting("review_blind", True):
        _verdict(desk, row, place.ids[place.at], votes)
    review_panel.comment(desk, "document", place.ids[place.at], title="Note on this document", kind="note")


def _pictures(desk: ReviewDesk, row: int, twin: int) -> None:
    """Show a picture, or two that are called the same and where they differ."""
    if twin < 0:
        st.html(figure(desk.here.readings([row])[0], tallest=440, least=400))
        return
    document, kept = desk.here.readings([row, twin])
    st.html(beside(desk.here.opened.study, kept, document, titles=("One", "The other")))


def _beside_twin(desk: ReviewDesk, row: int, twin: int) -> None:
    """Show a document beside the kept one it is called the same as, with the words that differ marked in both."""
    document, kept = desk.here.readings([row, twin])
    found = word_diff(kept.text[:TWIN_LIMIT], document.text[:TWIN_LIMIT])
    cells = st.columns(2, gap="small")
    for cell, title, text, spans in (
        (cells[0], "One", kept, found.left),
        (cells[1], "The other", document, found.right),
    ):
        cell.html(f'<div class="tamis-head">{title}</div>{reader(text, unlike(spans), limit=TWIN_LIMIT)}')


def _verdict(desk: ReviewDesk, row: int, document: str, votes: Votes) -> None:
    """Show what the recipe and the others decided."""
    outcome = desk.here.scene.outcome
    if outcome is not None and outcome.steps:
        number = int(outcome.deciding[row])
        words = f"dropped by {outcome.steps[number - 1].id}" if number else "kept"
        st.markdown(f"The recipe: **{plain(words)}**")
        rules = {step.id: step.operator for step in outcome.steps}
        for verdict in why(outcome, desk.here.facts, row):
            if verdict.passed is not None:
                st.caption(plain(f"{verdict.step}: {verdict_words(verdict, rules[verdict.step])}"))
    if document in votes.documents:
        said = votes.table[votes.documents.index(document)]
        words = ", ".join(
            f"{name}: {DECISIONS[value]}" for name, value in zip(votes.reviewers, said, strict=True) if value >= 0
        )
        st.markdown(f"People: {plain(words)}")

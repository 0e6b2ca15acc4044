"""In the rail: further actions on a selection (cap, tag, note), and the tagged selections."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.review.tags import LONGEST_TAG, SelectionMark, make_mark, notes_of, over_cap, tags_of
from tamis.analytics.study.queries import totals
from tamis.app.dashboard import cache, login, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.icon_button import icon_button
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import Stage, brief, plain
from tamis.data.errors import TamisError
from tamis.data.reviews import Kind, ReviewLog

SHOWN = 30


def log_of(here: Stage) -> ReviewLog:
    """Return the review log of the open corpus."""
    study = here.opened.study
    corpus = study.corpus.text_fingerprint
    return cache.review_log(str(here.workspace.root), corpus)


def more(here: Stage) -> None:
    """Offer cap, tag and note for the selection."""
    with st.container(horizontal=True, gap="xsmall"):
        _cap(here)
        _words(here, "tag", "Tag", "A name that brings this selection back, for everyone")
        _words(here, "note", "Note", "Words about this selection, for everyone")
    for note in notes_of(log_of(here).events(), session.current().selection)[-3:]:
        st.text(f"{note.who}: {note.text}")


def show_tagged(here: Stage) -> None:
    """Show the selections that people tagged; a click selects one."""
    marks = tags_of(log_of(here).events())
    if not marks:
        return
    with st.expander(f"Tagged selections ({count(len(marks))})", icon=":material/label:"):
        for mark in marks[:SHOWN]:
            name = session.widget("tag", mark.subject, mark.text)
            words, cross = st.columns([6, 1], gap="small", vertical_alignment="center")
            words.button(
                plain(mark.text), key=name, on_click=_select, args=(mark,), type="tertiary",
                help=plain(f"{mark.who}, {count(mark.documents)} documents when it was tagged"),
            )  # fmt: skip
            with cross:
                icon_button(
                    f"Take away the tag {mark.text}", "close", key=f"{name}/remove", on_click=_untag, args=(here, mark),
                    help="Take this tag away", disabled=not login.may("reviewer"),
                )  # fmt: skip
        if len(marks) > SHOWN:
            st.caption(f"The first {SHOWN} of {count(len(marks))}.")


def _cap(here: Stage) -> None:
    """Offer to cap the number of selected documents that are kept."""
    with (
        st.popover("Cap", type="tertiary", help="Keep at most so many of these", key="rail/cap-open"),
        st.form("rail/cap", border=False),
    ):
        most = st.number_input("Keep at most", min_value=0, value=1000, step=100, format="%d")
        if st.form_submit_button("Add to the recipe"):
            rows = over_cap(here.scene, most=int(most))
            if not len(rows):
                st.text("The recipe keeps no more than that already.")
                return
            stored = here.workspace.put_ids(here.facts.ids.take(rows))
            rule = OPERATORS.build("id_list", {"stored": stored, "mode": "drop"})
            note = f"cap: keeps {int(most)} of a selection, drops {len(rows)}, by keyed hash, seed 0"
            adopt(selection=(), recipe=session.current().recipe.with_operator(rule, note=note))
            st.rerun()


def _words(here: Stage, kind: Kind, title: str, help_: str) -> None:
    """Offer to write a tag or a note."""
    with st.popover(title, type="tertiary", help=help_), st.form(f"rail/{kind}", border=False, clear_on_submit=True):
        limit = LONGEST_TAG if kind == "tag" else 1000
        text = st.text_input(title, max_chars=limit, label_visibility="collapsed", placeholder=help_)
        if st.form_submit_button("Save", disabled=not login.may("reviewer")):
            _store(here, kind, text, session.current().selection)
            st.rerun()


def _store(here: Stage, kind: Kind, text: str, selection: Sequence[RowOperator]) -> None:
    """Store a mark under the person's name, or show the error."""
    log = log_of(here)
    try:
        who = login.demand("reviewer", to=f"write a {kind}").name
        before = sum(event.kind == kind for event in log.events())
        documents = here.ask(totals).selected.documents
        log.store.add(
            make_mark(kind, text, selection=selection, corpus=log.corpus, documents=documents, who=who, before=before)
        )
    except TamisError as error:
        session.say(brief(error), fault=True)


def _select(mark: SelectionMark) -> None:
    try:
        adopt(selection=mark.rules())
    except TamisError as error:
        session.say(brief(error), fault=True)


def _untag(here: Stage, mark: SelectionMark) -> None:
    try:
        _store(here, "untag", mark.text, mark.rules())
    except TamisError as error:
        session.say(brief(error), fault=True)

"""In the rail: further actions on a selection (cap, tag, note), and the tagged selections."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.review.tags import (
    LONGEST_TAG,
    CapPreview,
    SelectionMark,
    make_mark,
    notes_of,
    over_cap,
    preview_cap,
    tags_of,
)
from tamis.analytics.study.queries import totals
from tamis.app.dashboard import cache, login, session
from tamis.app.dashboard.changes import adopt
from tamis.app.dashboard.icon_button import icon_button
from tamis.app.dashboard.look import count, short
from tamis.app.dashboard.page_context import Stage, brief, plain
from tamis.app.dashboard.text_view import cards
from tamis.data.errors import TamisError
from tamis.data.reviews import Kind, ReviewLog

SHOWN = 30
CAP_HEIGHT, CAP_PREVIEW = 330, 150
"""Pixels of the examples of a cap, and characters of each."""


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
    """Offer to cap the number of selected documents that are kept; what that drops is seen before it is added."""
    unfolded = st.popover(
        "Cap", type="tertiary", help="Keep at most so many of these", key="rail/cap-open", on_change="rerun"
    )
    if not unfolded.open:
        return
    with unfolded:
        most = int(st.number_input("Keep at most", min_value=0, value=1000, step=100, format="%d", key="rail/cap"))
        found: CapPreview = here.ask(preview_cap, most=most)
        st.button(
            "Add the cap", key="rail/cap-add", type="primary", on_click=_add_cap, args=(here, most),
            disabled=not found.documents,
        )  # fmt: skip
        if not found.documents:
            st.caption(f"The recipe keeps {count(found.reached)} of them, no more than that already.")
            return
        st.markdown(
            f"drops **{count(found.documents)}** of the {count(found.reached)} selected that the recipe keeps, "
            f"**{short(found.tokens)}** tokens · exact"
        )
        with st.container(height=CAP_HEIGHT, border=False, key="cap_examples"):
            sides = (("Would be dropped", found.dropped), ("Would stay", found.kept))
            for cell, (title, rows) in zip(st.columns(2, gap="small"), sides, strict=True):
                cell.markdown(f"**{title}**")
                cell.html(cards(here.readings(rows.tolist()), length=CAP_PREVIEW))


def _add_cap(here: Stage, most: int) -> None:
    """Add the rule that drops what is over the cap."""
    rows = here.ask(over_cap, most=most)
    rule = OPERATORS.build("id_list", {"stored": here.workspace.put_ids(here.facts.ids.take(rows)), "mode": "drop"})
    note = f"cap: keeps {most} of a selection, drops {len(rows)}, by keyed hash, seed 0"
    adopt(selection=(), recipe=session.current().recipe.with_operator(rule, note=note))


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

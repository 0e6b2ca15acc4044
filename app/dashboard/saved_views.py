"""In the rail: views under a name. A view is what a link restores: corpus, selection, recipe, settings of the pages."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from tamis.app.dashboard import login, session
from tamis.app.dashboard.icon_button import icon_button
from tamis.app.dashboard.page_context import plain, show_fault
from tamis.app.dashboard.recipe_choices import ago
from tamis.data.errors import TamisError
from tamis.data.saved import LONGEST_NAME, SavedEntry, list_saved, remove_saved, save_entry
from tamis.data.workspace import Workspace

SHOWN = 20


def show(workspace: Workspace) -> None:
    """Offer to save this view and to open a saved one."""
    with st.popover(":material/bookmark: Views", type="tertiary", help="Save what you see under a name, or open it"):
        with st.form("rail/view", border=False, clear_on_submit=False):
            typed = st.text_input("Save this view as", max_chars=LONGEST_NAME, placeholder="a name")
            if st.form_submit_button("Save", disabled=not login.may("reviewer")):
                _save(workspace, typed)
        entries = list_saved(workspace, "view")
        for entry in entries[:SHOWN]:
            _entry(workspace, entry)
        if len(entries) > SHOWN:
            st.caption(f"The latest {SHOWN} of {len(entries)}.")


def _save(workspace: Workspace, typed: str) -> None:
    now = session.current()
    try:
        who = login.demand("reviewer", to="save a view", named=False).name
        at = datetime.now(UTC).isoformat(timespec="seconds")
        value = now.view.to_value()
        entry = save_entry(workspace, "view", typed, value, who=who, at=at, corpus=now.corpus)
    except TamisError as error:
        show_fault(error)
        return
    respelt = "" if entry.name == typed.strip() else " Names have no spaces."
    st.success(plain(f"Saved as {entry.name}.{respelt}"))


def _entry(workspace: Workspace, entry: SavedEntry) -> None:
    """Show one saved view; a click opens it."""
    key = session.widget("view", entry.key[:16])
    words, cross = st.columns([6, 1], gap="small", vertical_alignment="center")
    by = f", by {entry.who}" if entry.who else ""
    words.button(
        plain(entry.name), key=key, type="tertiary", on_click=_open, args=(workspace, entry),
        help=plain(f"{entry.corpus}, saved {ago(entry.at)}{by}"),
    )  # fmt: skip
    with cross:
        icon_button(
            f"Remove the view {entry.name}", "close", key=f"{key}/remove", on_click=_remove, args=(workspace, entry),
            help=plain(f"Remove {entry.name}"), disabled=not login.may("reviewer"),
        )  # fmt: skip


def _open(workspace: Workspace, entry: SavedEntry) -> None:
    try:
        workspace.corpus(entry.corpus)
        session.open_view(entry.corpus, session.SharedView.from_value(workspace.value(entry.content)))
    except TamisError as error:
        session.say(str(error), fault=True)


def _remove(workspace: Workspace, entry: SavedEntry) -> None:
    try:
        login.demand("reviewer", to="remove a saved view", named=False)
        remove_saved(workspace, entry)
    except TamisError as error:
        session.say(str(error), fault=True)

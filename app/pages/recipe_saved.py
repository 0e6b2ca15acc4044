"""Saved recipes: keep the live one under a name, open an older one, or load a text."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from tamis.analytics.recipe.recipe import Recipe
from tamis.app.dashboard import login, session
from tamis.app.dashboard.changes import attempt
from tamis.app.dashboard.icon_button import icon_button
from tamis.app.dashboard.page_context import Stage, plain, show_fault
from tamis.app.dashboard.recipe_choices import ago, saved_recipe
from tamis.data.errors import TamisError
from tamis.data.saved import LONGEST_NAME, SavedEntry, list_saved, remove_saved, save_entry

SHOWN = 30


def show(here: Stage) -> None:
    """Lay out the tab."""
    _save(here)
    entries = list_saved(here.workspace, "recipe")
    for entry in entries[:SHOWN]:
        _entry(here, entry)
    if len(entries) > SHOWN:
        st.caption(f"The latest {SHOWN} of {len(entries)}; Compare lists them all.")
    load_text()


def _save(here: Stage) -> None:
    recipe = session.current().recipe
    with st.form("recipe/save", border=False):
        cells = st.columns([3, 1.2], vertical_alignment="bottom")
        typed = cells[0].text_input(
            "Save the recipe as", max_chars=LONGEST_NAME, placeholder="a name, such as weekly",
            help="A name can be used again: each save is kept with its time, and Compare lists them all.",
        )  # fmt: skip
        if cells[1].form_submit_button("Save", width="stretch", disabled=not login.may("reviewer")):
            try:
                who = login.demand("reviewer", to="save a recipe", named=False).name
                at = datetime.now(UTC).isoformat(timespec="seconds")
                entry = save_entry(here.workspace, "recipe", typed, recipe.to_dict(), who=who, at=at)
            except TamisError as error:
                show_fault(error)
                return
            respelt = "" if entry.name == typed.strip() else " Names have no spaces."
            st.success(plain(f"Saved as {entry.name}.{respelt}"))


def _entry(here: Stage, entry: SavedEntry) -> None:
    """Show one saved recipe with the buttons that open and remove it."""
    by = f" by {entry.who}" if entry.who else ""
    key = session.widget("saved", entry.key[:16])
    with st.container(horizontal=True, vertical_alignment="center"):
        opening = st.button(
            f"Open {plain(entry.name)}", key=f"{key}/open", help="It replaces the recipe; Undo goes back"
        )
        st.caption(f"saved {ago(entry.at)}{plain(by)}", width="stretch")
        removing = icon_button(
            f"Remove the recipe {entry.name}", "delete", key=f"{key}/remove", disabled=not login.may("reviewer"),
            help=f"Remove {plain(entry.name)}, {entry.at}",
        )  # fmt: skip
    try:
        if opening:
            attempt(recipe=saved_recipe(here.workspace, entry))
            st.rerun()
        if removing:
            login.demand("reviewer", to="remove a saved recipe", named=False)
            remove_saved(here.workspace, entry)
            st.rerun()
    except TamisError as error:
        show_fault(error)


def load_text() -> None:
    """Replace the recipe by a text."""
    with st.form("recipe/load", border=False):
        text = st.text_area("Recipe as YAML", height=300, placeholder="schema_version: 1\nsteps: []")
        if st.form_submit_button("Replace the recipe"):
            try:
                attempt(recipe=Recipe.from_yaml(text))
            except TamisError as error:
                show_fault(error)
            else:
                st.rerun()

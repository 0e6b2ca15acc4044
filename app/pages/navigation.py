"""The pages in the order of the navigation. A new page is one line here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from tamis.app.dashboard import session
from tamis.app.dashboard.page_context import guard_page
from tamis.app.dashboard.rail import is_ready

PAGES = (
    ("overview", "Overview", ":material/dashboard:"),
    ("map", "Map", ":material/scatter_plot:"),
    ("clusters", "Clusters", ":material/bubble_chart:"),
    ("duplicates", "Duplicates", ":material/content_copy:"),
    ("quality", "Quality", ":material/bar_chart:"),
    ("recipe", "Recipe", ":material/filter_alt:"),
    ("effect", "Effect", ":material/balance:"),
    ("review", "Review", ":material/rate_review:"),
    ("documents", "Documents", ":material/article:"),
    ("jobs", "Jobs", ":material/pending_actions:"),
)

ALWAYS = ("overview", "jobs")
"""Pages that work before a corpus is analysed."""


def all_pages() -> list[StreamlitPage]:
    """Return the pages; the first is the default."""
    return [
        st.Page(_page(name), title=title, icon=icon, url_path=name, default=place == 0)
        for place, (name, title, icon) in enumerate(PAGES)
    ]


def _page(name: str) -> Callable[[], None]:
    def run() -> None:
        if name not in ALWAYS and not is_ready():
            st.info("Nothing to show yet: open a corpus and analyse it. The Overview page says how.")
            return
        import_module(f"tamis.app.pages.{name}").page()

    return guard_page(run)


def go_to(name: str) -> None:
    """Open a page, as its link in the navigation does; not from a callback."""
    st.switch_page(next(page for page in all_pages() if page.url_path == name))


def follow(place: str) -> None:
    """Open what an element of a page leads to, see ``tab.show``; do nothing for an empty or unknown place."""
    kind, _, name = place.partition("/")
    if kind == "step" and any(step.id == name for step in session.current().recipe):
        session.choose(which="dropped", dropped_by=name, offset=None, document=None, trail=None)
        go_to("documents")
    elif kind == "signal":
        session.choose(signal=name, low=None, high=None)
        go_to("quality")

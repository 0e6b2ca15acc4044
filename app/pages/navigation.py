"""The pages in the order of the navigation. A new page is one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from tamis.analytics.map.cluster_steps import EDITED
from tamis.analytics.map.sample_map import SAMPLE_MAP
from tamis.analytics.study.queries import has_map
from tamis.app.dashboard import cache, session, waiting
from tamis.app.dashboard.page_context import guard_page, workspace
from tamis.data.workspace import Workspace

PAGES = (
    ("overview", "Overview", ":material/dashboard:"),
    ("map", "Map", ":material/scatter_plot:"),
    ("clusters", "Clusters", ":material/bubble_chart:"),
    ("duplicates", "Duplicates", ":material/content_copy:"),
    ("quality", "Quality", ":material/bar_chart:"),
    ("recipe", "Recipe", ":material/filter_alt:"),
    ("effect", "Effect", ":material/balance:"),
    ("training", "Training", ":material/play_lesson:"),
    ("review", "Review", ":material/rate_review:"),
    ("documents", "Documents", ":material/article:"),
    ("jobs", "Jobs", ":material/pending_actions:"),
)

ALWAYS = ("overview", "jobs")
"""Pages that work before a corpus is analysed."""

NEEDS: Mapping[str, tuple[frozenset[str], str]] = {
    "map": (frozenset({"map"}), "The map is"),
    "clusters": (frozenset({"clusters", EDITED}), "The clusters are"),
    "duplicates": (frozenset({"exact"}), "The duplicates are"),
    "quality": (frozenset({"signals", "pictures"}), "The signals are"),
    "effect": (frozenset({"embeddings"}), "The embeddings are"),
}
"""Pages that show nothing before some steps of the analysis are done, and how what they make is called."""


def all_pages() -> list[StreamlitPage]:
    """Return the pages; the first is the default."""
    return [
        st.Page(_page(name), title=title, icon=icon, url_path=name, default=place == 0)
        for place, (name, title, icon) in enumerate(PAGES)
    ]


def _page(name: str) -> Callable[[], None]:
    def run() -> None:
        if name not in ALWAYS and _waits(name):
            return
        import_module(f"tamis.app.pages.{name}").page()

    return guard_page(run)


def _waits(name: str) -> bool:
    """Show what is there in place of a page that has to wait for the analysis; return whether it waits."""
    here, now = workspace(), session.current()
    if not now.corpus:
        st.info("Nothing to show yet: open a corpus and analyse it. The Overview page says how.")
        return True
    key = cache.key_of(here, now.corpus)
    if not cache.is_open(key):
        if name == "documents":
            import_module("tamis.app.pages.first_look").documents(here, now.corpus)
        else:
            steps, what = NEEDS.get(name, (frozenset({"documents"}), "The documents are"))
            _say(here, now.corpus, steps, what)
        return True
    steps, what = NEEDS.get(name, (frozenset(), ""))
    opened = cache.open_analysed(key)
    missing = steps & opened.missing
    if missing and not (name == "map" and has_map(opened.facts)):
        _say(here, now.corpus, missing, what)
        return True
    return False


def _say(here: Workspace, name: str, steps: frozenset[str], what: str) -> None:
    """Say that a page waits for some steps, and ask the analysis to make them next."""
    corpus = cache.corpus(cache.key_of(here, name))
    if "map" in steps and waiting.is_awaited(here, corpus, SAMPLE_MAP):
        steps, what = frozenset({SAMPLE_MAP}), "The map of a sample is"
    waiting.pull(here, corpus, steps)
    waiting.say(here, corpus, steps, what=what)


def go_to(name: str) -> None:
    """Open a page, as its link in the navigation does; not from a callback."""
    st.switch_page(next(page for page in all_pages() if page.url_path == name))


READERS = ("map", "documents", "training")
"""Pages with a reader of their own."""


def follow(place: str, *, here: str) -> None:
    """Open what an element of a page leads to, see ``tab.show``; do nothing for an empty or unknown place.

    Args:
        place: what was clicked.
        here: address of the page that is shown.
    """
    kind, _, name = place.partition("/")
    if kind == "step" and any(step.id == name for step in session.current().recipe):
        session.choose(which="dropped", dropped_by=name, offset=None, document=None, trail=None)
        go_to("documents")
    elif kind == "signal":
        session.choose(signal=name, low=None, high=None)
        go_to("quality")
    elif kind == "document" and name.isdecimal():
        session.choose(document=int(name), trail=None)
    elif kind == "read" and name.isdecimal():
        session.choose(document=int(name), trail=None)
        if here not in READERS:
            go_to("documents")

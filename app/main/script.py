"""The dashboard: navigation, the rail, and the page that was asked for.

Streamlit treats a folder named ``pages`` beside its script as its own pages and would run one of those files for the
first address that somebody opens. So the script has its own folder.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from tamis.app.dashboard import command_bar, frame, login, rail, session, tab
from tamis.app.dashboard.look import style
from tamis.app.dashboard.page_context import guard_page, workspace
from tamis.app.pages import navigation
from tamis.app.server.server import HERE

st.set_page_config(page_title="Tamis", page_icon=str(HERE / "icon.svg"), layout="wide")
st.logo(HERE / "wordmark.svg", size="medium", icon_image=HERE / "icon.svg")


@guard_page
def main() -> None:
    """Lay out one run."""
    style()
    here = workspace()
    if not login.admit():
        return
    session.start(here, list(here.corpora()))
    pages = navigation.all_pages()
    page = st.navigation(pages, position="top")
    session.write_address(here)
    rail.show(here)
    frame.show()
    navigation.follow(tab.show(), here=page.url_path)
    bar(pages, page)
    page.run()
    session.write_address(here)


@guard_page
def bar(pages: Sequence[StreamlitPage], page: StreamlitPage) -> None:
    """Lay out the command bar; a fault of its own does not take down the page."""
    paths = {name: each for (name, _, _), each in zip(navigation.PAGES, pages, strict=True)}
    here = next((name for name, each in paths.items() if each == page), "")
    command_bar.show(paths, here)


main()

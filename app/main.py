"""The dashboard: navigation, the rail, and the page that was asked for."""

from __future__ import annotations

import streamlit as st

from tamis.analytics import catalogue
from tamis.app import frame, login, pages, rail, session
from tamis.app.look import style
from tamis.app.server import HERE
from tamis.app.stage import guarded, workspace

st.set_page_config(page_title="Tamis", page_icon=str(HERE / "icon.svg"), layout="wide")
st.logo(HERE / "wordmark.svg", size="medium", icon_image=HERE / "icon.svg")
catalogue.load()


@guarded
def main() -> None:
    """Lay out one run."""
    style()
    here = workspace()
    if not login.admitted():
        return
    session.start(here, list(here.corpora()))
    page = st.navigation(pages.all_pages(), position="top")
    session.write_address(here)
    rail.show(here)
    frame.show()
    page.run()
    session.write_address(here)


main()

"""The browser's tab: Escape, links inside pages, pictures shown near, the history after a reload, a lost server."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from tamis.app.dashboard import session
from tamis.app.server.lost_picture import LOST_SCRIPT

CLOSERS = ("reader/close", "map/close", "rail/clear")
"""Keys of the buttons that Escape presses, the innermost first: the first one that is on the page."""

_OWN = (Path(__file__).with_name(name).read_text("utf-8") for name in ("picture_zoom.js", "tab.js"))
_SCRIPT = "\n".join([LOST_SCRIPT, *_OWN])
_mount = st.components.v2.component("tamis_tab", html="<span></span>", js=_SCRIPT, isolate_styles=False)


def show() -> str:
    """Put it on the page; return what the clicked element with ``data-open`` leads to, else an empty text.

    A kind and a name: ``step/near-dedup`` for the documents that a step drops, ``signal/n_tokens`` for a signal.
    """
    data = {
        "tab": session.current().tab,
        "closers": [f"st-key-{key.replace('/', '-')}" for key in CLOSERS],
        "health": "/".join(["", *filter(None, [st.get_option("server.baseUrlPath").strip("/")]), "_stcore/health"]),
    }
    asked = _mount(key="tab", data=data, height=1, on_before_change=lambda: None, on_open_change=lambda: None)
    if asked.before and session.recover_history(str(asked.before)):
        st.rerun()
    return str(asked.open or "")

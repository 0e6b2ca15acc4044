"""Keys that work on every page, and the person's name as the browser stores it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from tamis.app.dashboard import login, session
from tamis.app.dashboard.command_bar import SEARCH
from tamis.app.server.gate import in_force

KEYS = {
    "Everywhere": {
        "/ or Ctrl K": "go to the command bar",
        "?": "show the keys",
        "Shift K, Shift D": "keep only the selection, drop it",
        "Shift M": "cap the selection: keep at most so many",
        "Escape": "close what is open, the innermost first; then clear the selection",
    },
    "Map": {
        "L, B, P": "lasso, box, move",
        "Shift": "add to the selection while drawing",
        "Arrows, +, -, 0": "move, closer, further, whole map",
        "T": "show or hide the pictures, where documents are pictures",
        "Escape": "clear the selection",
    },
    "Duplicates": {
        "J, K": "next pair, the pair before",
        "S, N, U": "same document, not the same, unsure",
    },
    "Documents": {
        "Up, Down": "the row before, the next one; Left and Right too among pictures",
        "Enter": "read it",
        "X": "pick it, or put it back",
        "Page Up, Page Down": "the page before, the next one",
        "Escape": "close the reader",
    },
    "Review": {
        "K, D, U": "keep, drop, unsure",
        "S, N, U": "beside a twin: same document, not the same, unsure",
        "Left, Right": "the document before, the next one",
    },
}

_SCRIPT = "\n".join(Path(__file__).with_name(name).read_text("utf-8") for name in ("focus.js", "frame.js"))
_mount = st.components.v2.component(
    "tamis_frame",
    html="<span></span>",
    js=_SCRIPT,
    isolate_styles=False,
)


def show() -> None:
    """Put the keys on the page, and show their list on request."""
    here = in_force()
    data = {
        "search": SEARCH,
        "cookie": login.COOKIE,
        "remember": session.person() if here.mode == "open" else "",
    }
    asked = _mount(key="frame", data=data, height=1, on_help_change=lambda: None)
    if asked.help:
        _help()


@st.dialog("Keys", width="small")
def _help() -> None:
    for place, keys in KEYS.items():
        st.markdown(f"**{place}**")
        st.html(
            '<div class="tamis-pairs">'
            + "".join(f"<b><kbd>{name}</kbd></b><span>{meaning}</span>" for name, meaning in keys.items())
            + "</div>"
        )

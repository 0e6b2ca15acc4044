"""Candidates below the command bar while one types; the browser looks for them in a list that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

LIST = "tamis-suggestions"
_mount = st.components.v2.component(
    "tamis_suggest",
    html=f'<div id="{LIST}" class="tamis-suggest" role="listbox" aria-label="Suggestions" hidden></div>'
    '<div class="tamis-said-to-readers" role="status"></div>',
    js=Path(__file__).with_name("suggest.js").read_text("utf-8"),
    isolate_styles=False,
)


def show(candidates: Sequence[Mapping[str, str]], *, field: str) -> tuple[str, str] | None:
    """Put the list on the page; return kind and text of the candidate that was chosen just now.

    Columns are not returned: choosing one completes the word in the field.

    Args:
        candidates: what is looked through: kind, title and value of each.
        field: label of the field.
    """
    with st.container(key="command_suggest"):
        asked = _mount(
            key="command/suggest",
            data={"field": field, "candidates": candidates},
            on_chosen_change=lambda: None,
        )
    chosen = asked.chosen
    return (str(chosen["kind"]), str(chosen["value"])) if isinstance(chosen, dict) else None

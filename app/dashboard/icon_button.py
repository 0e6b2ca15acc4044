"""Buttons that show only an icon and have a name for those who do not see it: what they do, and to what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from tamis.app.dashboard.page_context import plain

PREFIX = "icon"
"""Of the keys of these buttons; the page's styles hide their words from sight, not from screen readers."""


def icon_button(
    name: str,
    icon: str,
    *,
    key: str,
    help: str,
    disabled: bool = False,
    on_click: Callable[..., None] | None = None,
    args: tuple[Any, ...] = (),
) -> bool:
    """Show a button and return whether it was pressed.

    Args:
        name: what it does and to what, such as ``Move step near-dedup up``; different for every button of a page.
        icon: name of a Material icon.
        key: of the widget.
        help: shown on hover.
        disabled, on_click, args: as of ``st.button``.
    """
    return st.button(
        plain(name), icon=f":material/{icon}:", key=f"{PREFIX}/{key}", help=help, disabled=disabled, type="tertiary",
        on_click=on_click, args=args,
    )  # fmt: skip

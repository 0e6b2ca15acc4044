"""Who sits before the screen: the name under which reviews are stored."""

from __future__ import annotations

import streamlit as st

from tamis.app import session
from tamis.data.reviews import LONGEST_NAME


def reviewer() -> str:
    """Return the name of the person, empty while it is not known.

    A person who is logged in (OpenID Connect) has the name of the login; on this machine a person says it once.
    """
    user = st.user.to_dict()
    if user.get("is_logged_in"):
        return str(user.get("email") or user.get("name") or user.get("sub") or "")[:LONGEST_NAME]
    return session.person()


def ask_name() -> None:
    """Ask for the name; it stays with this browser session and in the address."""
    name = st.text_input("Your name", max_chars=LONGEST_NAME, key="review/name", placeholder="for example Ada")
    if name.strip() and name.isprintable():
        session.introduce(name.strip())
        st.rerun()

"""The person at the browser and their role. Every action that others see, or that costs, checks it here first."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

import streamlit as st

from tamis.app.dashboard import session
from tamis.app.dashboard.page_context import workspace
from tamis.app.server.gate import Gate, in_force
from tamis.data import people
from tamis.data.errors import AccessError
from tamis.data.people import LONGEST, MEANING, People, Role, short_name

COOKIE = "tamis_name"
"""Browsers on this machine store the name that people review under."""


@dataclass(frozen=True)
class Person:
    """A person at the browser.

    Attributes:
        name: from the login or typed by the person; empty while unknown.
        role: what they may do.
    """

    name: str
    role: Role


def person() -> Person:
    """Return the person of this browser session.

    Raises:
        StoreError: the file of roles is damaged, so nobody can be admitted.
    """
    gate = in_force()
    name = _name(gate)
    return Person(name, People.of(workspace().root).role(name, otherwise=gate.guest))


def admit() -> bool:
    """Return whether the pages may be shown; if not, show what to do instead."""
    gate = in_force()
    if gate.mode == "open":  # Whoever uses this machine can read the files without the dashboard.
        return True
    if not _name(gate):
        _ask_login(gate)
        return False
    if person().role == "nobody":
        with st.container(border=True, width=560):
            st.markdown("#### You have no access to this workspace")
            st.text(f"You are logged in as {_name(gate)}. Ask an owner to give you a role.")
            _log_out(gate)
        return False
    return True


def may(needed: Role) -> bool:
    """Return whether the person's role is enough; a button is disabled if not."""
    return people.may(person().role, needed)


def demand(needed: Role, *, to: str, named: bool = True) -> Person:
    """Return the person if their role allows an action.

    Args:
        needed: the role it takes.
        to: the action, in words that follow "You may not".
        named: whether reviewers must have said their name.

    Raises:
        AccessError: their role is not enough, or their name is unknown.
    """
    who = person()
    people.require(who.role, needed, to=to)
    if needed == "reviewer" and named and not who.name:
        raise AccessError("You have not said who you are", fix="type your name in the rail")
    return who


def show() -> None:
    """Show the person in the rail; on this machine, ask for the name."""
    gate, who = in_force(), person()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="rail_person"):
        if gate.mode == "open":
            name = st.text_input(
                "Who you are", value=who.name, max_chars=LONGEST, key=session.widget("rail", "name", who.name),
                placeholder="Your name, for reviews", label_visibility="collapsed", icon=":material/person:",
            ).strip()  # fmt: skip
            if name and name.isprintable() and name != who.name:
                session.introduce(name)
                st.rerun()
        else:
            st.text(who.name)
            st.caption(who.role, help=f"You may: {MEANING[who.role]}")
            _log_out(gate)


def ask_name() -> None:
    """Ask for the name in the middle of a page."""
    name = st.text_input("Your name", max_chars=LONGEST, key="login/name", placeholder="for example Ada").strip()
    if name and name.isprintable():
        session.introduce(name)
        st.rerun()


def _name(gate: Gate) -> str:
    """Return the name from the login."""
    if gate.mode == "proxy":
        return short_name(str(st.context.headers.get(gate.header) or ""))
    if gate.mode == "oidc":
        user = st.user.to_dict()
        if user.get("is_logged_in") is not True:
            return ""
        # An address that the provider has not checked could be anybody's.
        address = user.get("email") if user.get("email_verified") is not False else None
        return short_name(str(address or user.get("sub") or ""))
    remembered = unquote(st.context.cookies.get(COOKIE, "")).strip()[:LONGEST]
    return session.person() or (remembered if remembered.isprintable() else "")


def _ask_login(gate: Gate) -> None:
    with st.container(border=True, width=460):
        st.markdown("#### Tamis")
        if gate.mode == "oidc":
            st.text("Log in to see the corpora of this workspace.")
            st.button("Log in", type="primary", key="login", on_click=st.login, icon=":material/login:")
        else:
            st.text("The sign-in proxy did not say who you are.")


def _log_out(gate: Gate) -> None:
    if gate.mode == "oidc":
        st.button("Log out", key="logout", on_click=st.logout, type="tertiary")

"""The roles of a corpus' columns, the text first: shown and chosen before and after the analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from tamis.analytics.map.options import read_options, write_options
from tamis.app.dashboard import login
from tamis.app.dashboard.look import count
from tamis.app.dashboard.page_context import plain, show_fault
from tamis.data.corpus import Corpus
from tamis.data.errors import TamisError
from tamis.data.repair import is_text
from tamis.data.roles import ROLES
from tamis.data.schema import at_path, paths
from tamis.data.workspace import Workspace

SAMPLE_ROWS = 5
PREVIEW = 300
MOST_NAMED = 12
_NONE = "(none)"


def reads(corpus: Corpus, unread: Sequence[str] | None = None) -> str:
    """Return in Markdown which column is the text, or how rows become documents, and what happens to the others.

    Args:
        corpus: the corpus.
        unread: the columns that nothing reads; None while unknown.
    """
    if corpus.shape.kind == "text":
        text = f"Text: column **{plain(corpus.roles.text)}**"
        if len(corpus.schema.names) == 1:
            return f"{text}, the only one."
        text = f"{text}, one of {count(len(corpus.schema.names))}; only it is compared, measured and searched."
    else:
        text = f"Each row is **{plain(corpus.shape.words)}**; only that is compared, measured and searched."
    if unread is None:
        return f"{text} Short values of the others, up to 100 bytes, become columns for rules."
    if not unread:
        return f"{text} Rules may use all others."
    more = f" and {count(len(unread) - MOST_NAMED)} more" if len(unread) > MOST_NAMED else ""
    return f"{text} Not looked at: {', '.join(map(plain, unread[:MOST_NAMED]))}{more}."


def sample(corpus: Corpus) -> None:
    """Show the first rows of plain text, the column of the text first."""
    rows = corpus.take(range(min(SAMPLE_ROWS, corpus.rows)))
    text = corpus.roles.text
    columns = {text: at_path(rows, text).to_pylist()}
    columns |= {name: rows.column(name).to_pylist() for name in rows.schema.names if name != text}
    st.dataframe(
        {name: ["" if value is None else str(value)[:PREVIEW] for value in values] for name, values in columns.items()},
        hide_index=True,
        row_height=30,
        column_config={
            name: st.column_config.TextColumn(
                f"{name} · the text" if name == text else name, width="large" if name == text else "medium"
            )
            for name in columns
        },
    )


def _shown(path: str, *, now: str, shown: str) -> str:
    return shown if path == now else path


def show(workspace: Workspace, name: str, corpus: Corpus) -> None:
    """Offer to assign the roles to other columns, which the analysis then reads."""
    known = paths(corpus.schema)
    with st.form("roles", border=False):
        cells = st.columns([*[2] * len(ROLES), 1.6], vertical_alignment="bottom")
        chosen: dict[str, str] = {}
        for cell, role in zip(cells, ROLES, strict=False):
            now = corpus.roles.known().get(role, _NONE)
            fitting = [path for path, kind in known.items() if is_text(kind)] if role == "text" else [_NONE, *known]
            options = fitting if now in fitting else [*fitting, now]
            shown = corpus.shape.words if role == "text" and corpus.shape.kind != "text" else now
            chosen[role] = cell.selectbox(
                f"{role.capitalize()} column", options, index=options.index(now),
                format_func=partial(_shown, now=now, shown=shown),
            )  # fmt: skip
        if cells[-1].form_submit_button("Change", disabled=not login.may("owner"), width="stretch"):
            try:
                change(workspace, name, corpus, {role: path.replace(_NONE, "") for role, path in chosen.items()})
            except TamisError as error:
                show_fault(error)
            else:
                st.rerun()


def change(workspace: Workspace, name: str, corpus: Corpus, roles: dict[str, str]) -> None:
    """Store other roles of a corpus; options of its map stay if they fit the new text.

    Raises:
        RoleError: a column cannot have its role.
    """
    login.demand("owner", to="change the roles of columns")
    changed, options = corpus.with_roles(roles), read_options(workspace, corpus)
    if changed.text_fingerprint != corpus.text_fingerprint and not (options.vectors or options.x):
        write_options(workspace, changed, replace(options, edits=(), placed_on=None))
    entry, before = workspace.corpus(name), corpus.explicit_roles
    # A detected role stays detected: a role chosen by hand must pass stricter checks.
    chosen = {role: path for role, path in roles.items() if role in entry.roles or path != before[role]}
    workspace.remember(replace(entry, roles={**entry.roles, **chosen}))

"""One bar on every page that finds everything: words, patterns, conditions, meanings, ids, clusters, sources, pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from tamis.analytics.operators.operator import RowOperator, spoken
from tamis.analytics.recipe.recipe import Recipe, operator_digest
from tamis.analytics.study.command import (
    JOINS,
    KINDS,
    Command,
    Join,
    Reachable,
    join_condition,
    read_command,
    suggestions,
)
from tamis.analytics.study.meaning import sentence_example
from tamis.analytics.study.queries import row_of
from tamis.app.dashboard import cache, meaning_panel, session, suggest
from tamis.app.dashboard.changes import attempt
from tamis.app.dashboard.page_context import Stage, brief, plain, stage
from tamis.app.dashboard.rail import is_ready
from tamis.data.errors import TamisError
from tamis.data.parts import SCOPES, WHOLE
from tamis.data.shapes import PICTURE, Shape

SEARCH = "Search"
"""Label of the field, which the keys look for."""

LISTED = "documents"
"""Path of the page that lists documents."""

RANKED = (LISTED, "map")
"""Paths of the pages that show what a search by meaning finds."""

ACTIONS = {
    "undo": "Undo",
    "redo": "Redo",
    "clear": "Clear the selection",
    "aside": "Set the recipe aside",
    "forget": "Forget the search",
}
Pages = Mapping[str, StreamlitPage]


def show(pages: Pages, here: str) -> None:
    """Lay out the bar; it needs an analysed corpus.

    Args:
        pages: the pages by path.
        here: path of the page below the bar.
    """
    if not is_ready():
        return
    opened = stage()
    cache.prepare_search(opened.key.corpus)
    with st.container(key="command_bar", gap="xsmall"):
        typed, sent = _field(opened)
        chosen = suggest.show(_suggestions(opened, pages), field=SEARCH)
        if chosen is not None:
            typed, sent = {**typed, "find": chosen[1], "find_kind": chosen[0], "find_in": WHOLE}, True
        if sent:
            _submit(opened, pages, typed)
        _readings(opened, pages, here)
        if here in RANKED:
            meaning_panel.show(opened)


def _field(here: Stage) -> tuple[dict[str, str], bool]:
    """Show the field and the choices beside it; return what is typed and chosen, and whether it was sent."""
    now = session.current()
    scopes = search_scopes(here.opened.study.corpus.shape)
    with st.form("command", border=False):
        row = st.container(horizontal=True, vertical_alignment="center", gap="xsmall")
    kind = row.selectbox(
        "Kind of search", list(KINDS), format_func=lambda name: KINDS[name], key="command/kind", width=124,
        index=_place(KINDS, now.setting("find_kind", "auto")), label_visibility="collapsed",
    )  # fmt: skip
    text = row.text_input(
        SEARCH, value=str(now.setting("find", "")), key="command/text", label_visibility="collapsed",
        icon=":material/search:",
        placeholder="Words, a sentence, n_tokens > 500, an id, a cluster, a source, a page …",
    )  # fmt: skip
    scope = WHOLE
    if scopes:
        scope = row.selectbox(
            "In", scopes, format_func=lambda name: f"in: {spoken(name)}", key="command/scope", width=130,
            index=_place(scopes, now.setting("find_in", WHOLE)), label_visibility="collapsed",
        )  # fmt: skip
    how = row.selectbox(
        "Joins the conditions", list(JOINS), format_func=lambda name: JOINS[name], key="command/how", width=96,
        index=_place(JOINS, now.setting("find_how", "all")), label_visibility="collapsed",
        help="all: adds a condition; any: the last condition or this one; not: leaves these out",
    )  # fmt: skip
    sent = row.form_submit_button("Find")
    typed = {"find": (text or "").strip(), "find_kind": kind, "find_in": scope, "find_how": how}
    return typed, sent


def _place(options: Mapping[str, str] | tuple[str, ...], value: object) -> int:
    names = list(options)
    return names.index(str(value)) if value in names else 0


def search_scopes(shape: Shape) -> tuple[str, ...]:
    """Return the parts of a document that can be searched apart, the whole first; none for plain text."""
    if shape.kind in ("text", "template", PICTURE):
        return ()
    pair = ("chosen", "rejected")
    return tuple(scope for scope in SCOPES if scope not in pair or shape.kind == "preference")


def _submit(here: Stage, pages: Pages, typed: dict[str, str]) -> None:
    """Take the likeliest reading of what was sent; an error is said below the field, which keeps its text."""
    session.choose(**typed, find_error=None)
    if not typed["find"]:
        return
    try:
        found = read_command(typed["find"], typed["find_kind"], reachable(here, pages), scope=typed["find_in"])
        session.choose(found=None)
        take(here, pages, found[0])
    except TamisError as error:
        session.choose(find_error=brief(error))
    else:
        st.rerun()


def reachable(here: Stage, pages: Pages) -> Reachable:
    """Return what names can mean in the open corpus, also where its recipe cannot run."""
    facts = here.opened.facts
    column = facts.columns.get("cluster")
    return Reachable(
        facts=facts,
        clusters=here.opened.cluster_names(),
        clustering=column.origin if column is not None else "",
        pages={path: page.title for path, page in pages.items()},
        actions=ACTIONS,
        meaning=cache.space_of(cache.SpaceKey(here.key.corpus, "analysis")) is not None,
    )


def _suggestions(here: Stage, pages: Pages) -> Sequence[dict[str, str]]:
    """Return what the field suggests, in the form the browser gets; made once, since every run of a page sends it."""
    known, facts = reachable(here, pages), here.opened.facts
    found: Sequence[dict[str, str]] = facts.memo.through(
        ("suggestions", facts.digest, known.clustering, tuple(known.clusters.items())),
        lambda: [asdict(each) for each in suggestions(known)],
        size=lambda names: 400 * len(names),
    )
    return found


def take(here: Stage, pages: Pages, command: Command) -> None:
    """Do what a reading says.

    Raises:
        TamisError: the condition is not valid here, or the sentence cannot be embedded; nothing is changed.
    """
    if command.rule is not None:
        _select(command.rule)
    elif command.kind == "meaning":
        _look_for(here, command.value, pages)
    elif command.kind == "id":
        session.choose(document=row_of(here.facts, command.value), trail=None)
        st.switch_page(pages[LISTED])
    elif command.kind == "page":
        st.switch_page(pages[command.value])
    else:
        _act(command.value)


def _select(rule: RowOperator) -> None:
    """Add a condition; another reading of the same text replaces the one before."""
    now = session.current()
    how: Join = now.setting("find_how", "all")
    selection = join_condition(_before(), rule, how)
    if attempt(selection=selection):
        session.choose(found=operator_digest(selection), which="selected", offset=None)
    elif now.selection != selection:
        session.choose(found=None)


def _before() -> tuple[RowOperator, ...]:
    """Return the selection without the condition that the text in the field made just now."""
    now = session.current()
    made = now.setting("found") is not None and now.setting("found") == operator_digest(now.selection)
    return now.past[-1].selection if made and now.past else now.selection


def _look_for(here: Stage, sentence: str, pages: Pages) -> None:
    """Rank the documents by their likeness to a sentence."""
    found = sentence_example(here.opened.study, sentence, cache.embedder(here.key.corpus))
    before = _before()
    if before != session.current().selection:
        session.edit(selection=before)
    session.choose(found=None)
    meaning_panel.rank_by(found)
    st.switch_page(pages[LISTED])


def _act(name: str) -> None:
    if name == "undo":
        session.undo()
    elif name == "redo":
        session.redo()
    elif name == "clear":
        session.edit(selection=())
    elif name == "aside":
        session.edit(recipe=Recipe())
    elif name == "forget":
        session.choose(find=None, find_kind=None, find_how=None, find_in=None, found=None)
        meaning_panel.forget()


def _readings(here: Stage, pages: Pages, path: str) -> None:
    """Say what went wrong, or offer the other readings of the text."""
    now = session.current()
    text = str(now.setting("find", ""))
    if wrong := now.setting("find_error"):
        st.html(f'<div class="tamis-wrong" role="alert">{escape(str(wrong))}</div>')
    if not text:
        return
    try:
        kind, scope = str(now.setting("find_kind", "auto")), str(now.setting("find_in", WHOLE))
        found = read_command(text, kind, reachable(here, pages), scope=scope)
    except TamisError:
        return
    listed = path != LISTED and now.setting("found") == operator_digest(now.selection)
    if len(found) < 2 and not listed:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="command_readings"):
        if len(found) > 1:
            st.caption("Read as", width="content")
        for number, command in enumerate(found):
            if len(found) > 1 and st.button(plain(command.title), key=f"command/read/{number}", type="tertiary"):
                _take_again(here, pages, command)
        if listed and st.button("List them", key="command/list", type="tertiary", icon=":material/list:"):
            st.switch_page(pages[LISTED])


def _take_again(here: Stage, pages: Pages, command: Command) -> None:
    session.choose(find_error=None)
    try:
        take(here, pages, command)
    except TamisError as error:
        session.choose(find_error=brief(error))
    st.rerun()

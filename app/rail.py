"""The slim rail beside every page: the corpus, the selection, the funnel of the recipe, undo and redo."""

from __future__ import annotations

from html import escape

import streamlit as st

from tamis.analytics.outcome import Count
from tamis.analytics.queries import selection_rules, totals
from tamis.app import cache, session
from tamis.app.look import count, share, short
from tamis.app.stage import plain, stage
from tamis.app.stage import workspace as stage_workspace
from tamis.data.errors import TamisError
from tamis.data.workspace import Workspace


def show(workspace: Workspace) -> None:
    """Lay out the rail."""
    with st.sidebar:
        _corpus(workspace)
        notice = session.take_notice()
        if notice:
            st.text(notice)
        if not is_ready():
            return
        _history()
        try:
            _selection()
            _funnel()
        except TamisError as error:
            st.text(str(error))


def is_ready() -> bool:
    """Say whether a corpus is open and analysed."""
    now = session.current()
    return bool(now.corpus) and is_analysed(stage_workspace(), now.corpus)


def is_analysed(workspace: Workspace, name: str) -> bool:
    """Say whether every step of the standard analysis of a corpus is done."""
    from tamis.app.library import plan_of

    try:
        return all(step.done for step in plan_of(workspace, cache.corpus(cache.key_of(workspace, name))))
    except TamisError:
        return False


def _corpus(workspace: Workspace) -> None:
    names = list(workspace.corpora())
    if not names:
        st.markdown("**No corpus yet**")
        st.caption("Run `tamis demo` or `tamis open PATH` in a terminal.")
        return
    now = session.current()
    key = session.widget("rail", "corpus", now.corpus)
    chosen = st.selectbox(
        "Corpus",
        names,
        index=names.index(now.corpus) if now.corpus in names else 0,
        key=key,
        label_visibility="collapsed",
    )
    if chosen != now.corpus:
        session.open_corpus(chosen)
        st.rerun()


def _selection() -> None:
    """Show how much is selected, and what can be done with it."""
    here = stage()
    sums = here.ask(totals)
    rules = session.current().selection
    with st.container(border=True, gap="xsmall"):
        if not rules:
            st.markdown(f"**{count(sums.all.documents)}** documents")
            st.caption(f"{short(sums.all.tokens)} tokens · nothing selected")
            return
        st.markdown(f"**{count(sums.selected.documents)}** of {count(sums.all.documents)} selected")
        st.caption(f"{share(sums.selected.documents, sums.all.documents)} · {short(sums.selected.tokens)} tokens")
        for place, rule in enumerate(rules):
            left, right = st.columns([5, 1], gap="small", vertical_alignment="center")
            left.caption(plain(rule.sentence()))
            if right.button(":material/close:", key=session.widget("rail", "part", str(place)), type="tertiary"):
                session.edit(selection=[kept for k, kept in enumerate(rules) if k != place])
                st.rerun()
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Keep only", key="rail/keep", on_click=_save, args=("keep",), help="Save as rules: keep only these"
            )
            st.button("Drop", key="rail/drop", on_click=_save, args=("drop",), help="Save as a rule: drop these")
            st.button("Clear", key="rail/clear", on_click=_clear, type="tertiary", shortcut="Escape")


def _clear() -> None:
    session.edit(selection=())


def _save(mode: str) -> None:
    """Turn the selection into steps of the recipe."""
    now = session.current()
    recipe = now.recipe
    for rule in selection_rules(now.selection, mode="keep" if mode == "keep" else "drop"):
        recipe = recipe.with_operator(rule, note="from a selection")
    session.edit(selection=(), recipe=recipe)


def _funnel() -> None:
    """Show what is left after each step of the recipe."""
    outcome = stage().scene.outcome
    if outcome is None:
        return
    st.markdown("**Recipe**" if outcome.steps else "**Recipe** — no rules yet")
    if not outcome.steps:
        st.caption("Select something on any page and save it as a rule, or add rules on the Recipe page.")
        return
    first = outcome.counts[0]
    rows = [_bar("all documents", first, first, None)]
    for before, after in zip(outcome.counts, outcome.counts[1:], strict=False):
        rows.append(_bar(after.step, after, first, before))
    st.html(f'<div class="tamis-funnel" data-testid="funnel">{"".join(rows)}</div>')
    last = outcome.output
    st.caption(
        f"keeps **{share(last.documents, first.documents)}** of documents, "
        f"**{share(last.tokens, first.tokens)}** of tokens ({short(last.tokens)})"
    )


def _bar(name: str, now: Count, first: Count, before: Count | None) -> str:
    width = 100 * now.documents / first.documents if first.documents else 0
    less = ""
    if before is not None and before.documents > now.documents:
        gone = before.documents - now.documents
        less = f'<span class="less">−{count(gone)} ({share(gone, before.documents)})</span>'
    return (
        f'<div class="tamis-step"><div class="row"><span class="name" title="{escape(name)}">{escape(name)}</span>'
        f'<span class="count">{count(now.documents)}</span></div>{less}'
        f'<div class="bar"><i style="width:{width:.2f}%"></i></div></div>'
    )


def _history() -> None:
    now = session.current()
    with st.container(horizontal=True, gap="small"):
        st.button(
            ":material/undo: Undo", key="rail/undo", on_click=session.undo, disabled=not now.past, type="tertiary"
        )
        st.button(
            ":material/redo: Redo", key="rail/redo", on_click=session.redo, disabled=not now.future, type="tertiary"
        )

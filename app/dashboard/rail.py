"""The slim rail beside every page: the corpus, the selection, the funnel of the recipe, undo and redo."""

from __future__ import annotations

from contextlib import suppress
from html import escape
from itertools import pairwise

import streamlit as st

from tamis.analytics.export.sample_predictions import predictions
from tamis.analytics.operators.operator import RowOperator
from tamis.analytics.operators.selection import condition_in_words
from tamis.analytics.recipe.outcome import Count
from tamis.analytics.recipe.recipe import Recipe
from tamis.analytics.study.design_sample import sample_at
from tamis.analytics.study.queries import remedy, selection_rules, totals
from tamis.app.dashboard import cache, login, saved_views, selection_bar, session, waiting
from tamis.app.dashboard.changes import adopt, mend_selection, take_waiting
from tamis.app.dashboard.icon_button import icon_button
from tamis.app.dashboard.job_view import watch
from tamis.app.dashboard.look import count, share, short
from tamis.app.dashboard.page_context import plain, show_fault, stage
from tamis.app.dashboard.page_context import workspace as stage_workspace
from tamis.data.errors import TamisError
from tamis.data.workspace import Workspace


def show(workspace: Workspace) -> None:
    """Lay out the rail."""
    with st.sidebar:
        _corpus(workspace)
        login.show()
        if session.current().corpus:
            _analysis(workspace)
        ready = is_ready()
        if ready:
            mend_selection()
        notice, fault = session.take_notice()
        if fault:
            show_fault(notice)
        elif notice:
            with st.container(border=True):
                st.text(notice)
        if not ready:
            return
        _waiting(workspace)
        _history(workspace)
        try:
            stage().scene  # noqa: B018 - whether there is one decides what can be shown
        except TamisError as error:
            _way_out(error)
            return
        _selection()
        selection_bar.show_tagged(stage())
        _funnel()


def _way_out(error: TamisError) -> None:
    """Show why selection and recipe cannot be shown, and how to leave that state."""
    now = session.current()
    show_fault(error)
    with st.container(horizontal=True, gap="xsmall"):
        if now.selection:
            st.button("Clear", key="rail/clear", on_click=_clear, help="Clear the selection; Undo brings it back")
        if now.recipe.steps:
            st.button("Set the recipe aside", key="rail/aside", on_click=_aside, help="Undo brings it back")


def _aside() -> None:
    session.edit(recipe=Recipe())


def _waiting(workspace: Workspace) -> None:
    """Show the measurement that a change waits for, and make the change when the measurement is done."""
    take_waiting()
    job = session.current().setting("measuring")
    if not job:
        return
    with st.container(border=True, key="rail_measuring"):
        st.caption("The change is made when this is measured:")
        watch(workspace, str(job), "measuring")
        st.button("Forget the change", key="rail/forget", type="tertiary", on_click=_forget)


def _forget() -> None:
    session.choose(measuring=None, waiting=None)


def _analysis(workspace: Workspace) -> None:
    """Follow an analysis that is not complete; the page says why a corpus cannot be opened."""
    with suppress(TamisError):
        waiting.follow(workspace, session.current().corpus)


def is_ready() -> bool:
    """Return whether a corpus is open and has something of its analysis to show: at least its documents."""
    now = session.current()
    return session.keep_for_run("ready", now, lambda: _is_open(now.corpus))


def _is_open(corpus: str) -> bool:
    try:
        return bool(corpus) and cache.is_open(cache.key_of(stage_workspace(), corpus))
    except TamisError:
        return False


def is_analysed(workspace: Workspace, name: str) -> bool:
    """Return whether every step of the standard analysis of a corpus is done."""
    try:
        return cache.is_analysed(cache.key_of(workspace, name))
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
    """Show how much is selected, and the actions on it."""
    sums = stage().ask(totals)
    rules = session.current().selection
    if words := stage().opened.placed_words:
        st.caption(words)
    with st.container(border=True, gap="xsmall"):
        if not rules:
            st.markdown(f"**{count(sums.all.documents)}** documents")
            st.caption(" · ".join([*_tokens(sums.all.tokens), "nothing selected"]))
            _sampled()
            return
        st.markdown(f"**{count(sums.selected.documents)}** of {count(sums.all.documents)} selected")
        part = share(sums.selected.documents, sums.all.documents)
        st.caption(" · ".join([part, *_tokens(sums.selected.tokens)]))
        for place, rule in enumerate(rules):
            _part(place, rule)
        with st.container(horizontal=True, gap="xsmall"):
            st.button(
                "Keep only", key="rail/keep", on_click=_save, args=("keep",), shortcut="Shift+K",
                help="Save as rules: keep only these",
            )  # fmt: skip
            st.button(
                "Drop", key="rail/drop", on_click=_save, args=("drop",), shortcut="Shift+D",
                help="Save as a rule: drop these",
            )  # fmt: skip
            st.button("Clear", key="rail/clear", on_click=_clear, type="tertiary", help="Also Escape")
        selection_bar.more(stage())


def _tokens(number: int) -> list[str]:
    """Return a number of tokens in words, nothing while they are not counted."""
    return [f"{short(number)} tokens"] if "n_tokens" in stage().facts.columns else []


def _sampled() -> None:
    """Show what the open corpus is a sample of."""
    here = stage()
    drawn = sample_at(here.opened.study.corpus.path)
    if drawn is not None:
        st.caption(f"A sample of {count(drawn.documents)} documents: keyed hash within sources, seed {drawn.seed}")


def _part(place: int, rule: RowOperator) -> None:
    """Show one condition of the selection with a button that removes it."""
    words, cross = st.columns([6, 1], gap="small", vertical_alignment="top")
    words.caption(plain(stage().opened.with_names(condition_in_words(rule), rule)))
    key, name = session.widget("rail", "part", str(place)), f"Take away condition {place + 1} of the selection"
    with cross:
        icon_button(name, "close", key=key, on_click=_without, args=(place,), help="Take this away")


def _without(place: int) -> None:
    session.edit(selection=[rule for k, rule in enumerate(session.current().selection) if k != place])


def _clear() -> None:
    session.edit(selection=())


def _save(mode: str) -> None:
    """Turn the selection into steps of the recipe."""
    now = session.current()
    recipe, better = now.recipe, remedy(now.selection) if mode == "drop" else None
    rules = selection_rules(now.selection, mode="keep" if mode == "keep" else "drop")
    for rule in (better,) if better is not None else rules:
        recipe = recipe.with_operator(rule, note="from a selection")
    adopt(selection=(), recipe=recipe)


def _funnel() -> None:
    """Show what is left after each step of the recipe."""
    outcome = stage().scene.outcome
    if outcome is None:
        return
    if not outcome.steps:
        st.caption("The recipe has no rules yet. Select something on any page and keep or drop it.")
        return
    first = outcome.counts[0]
    rows = [_bar("all documents", first, first, None)]
    for number, (before, after) in enumerate(pairwise(outcome.counts), start=1):
        rows.append(_bar(after.step, after, first, before, number=number))
    st.html(f'<div class="tamis-funnel" data-testid="funnel">{"".join(rows)}</div>')
    last = outcome.output
    kept = f"Keeps **{share(last.documents, first.documents)}** of documents"
    of_tokens = f" and **{share(last.tokens, first.tokens)}** of tokens ({short(last.tokens)})"
    st.caption(f"{kept}{of_tokens if 'n_tokens' in stage().facts.columns else ''}.")
    study = stage().opened.study
    drawn = sample_at(study.corpus.path)
    if drawn is not None:
        whole = predictions(study, outcome, drawn)[-1]
        st.caption(
            f"Of the whole: about {count(whole.middle)} documents, {count(whole.low)} to {count(whole.high)} (95%), "
            f"from {count(drawn.drawn)} drawn by keyed hash within sources, seed {drawn.seed}.",
            help="The export keeps the prediction of every step; a run on everything compares it with actual counts.",
        )


def _bar(name: str, now: Count, first: Count, before: Count | None, *, number: int = 0) -> str:
    """Return one row of the funnel as HTML; a step that drops something is a button, see ``tab``."""
    width = 100 * now.documents / first.documents if first.documents else 0
    gone = 0 if before is None else before.documents - now.documents
    less = f'<span class="less">−{count(gone)} ({share(gone, before.documents)})</span>' if before and gone else ""
    body = (
        f'<span class="row"><span class="name" title="{escape(name)}">{escape(name)}</span>'
        f'<span class="count">{count(now.documents)}</span></span>{less}'
        f'<span class="bar"><i style="width:{width:.2f}%"></i></span>'
    )
    if not less:
        return f'<div class="tamis-step">{body}</div>'
    said = f"Step {number}, {name}: read the {count(gone)} documents it drops"
    return (
        f'<button type="button" class="tamis-step" data-open="step/{escape(name)}" title="{escape(said)}"'
        f' aria-label="{escape(said)}">{body}</button>'
    )


def _history(workspace: Workspace) -> None:
    now = session.current()
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button(
            ":material/undo: Undo", key="rail/undo", on_click=session.undo, disabled=not now.past, type="tertiary"
        )
        st.button(
            ":material/redo: Redo", key="rail/redo", on_click=session.redo, disabled=not now.future, type="tertiary"
        )
        saved_views.show(workspace)

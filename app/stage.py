"""What every page starts from: workspace, session, open corpus, scene; and the one place that shows errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce, wraps
from typing import Any, ParamSpec

import streamlit as st

from tamis.analytics.facts import Facts
from tamis.analytics.operator import RowOperator
from tamis.analytics.queries import Scene
from tamis.analytics.recipe import Recipe
from tamis.analytics.worker import start_measure
from tamis.app import cache, library, session
from tamis.data.errors import TamisError
from tamis.data.workspace import Workspace

P = ParamSpec("P")
ALLOWED_SHOWN = 240


@dataclass(frozen=True)
class Stage:
    """A page's view of one analysed corpus.

    Attributes:
        workspace: the workspace.
        key: what is looked at.
        opened: the corpus.
    """

    workspace: Workspace
    key: cache.SceneKey
    opened: library.Opened

    @property
    def facts(self) -> Facts:
        """Return the facts with the measured columns that selection and recipe need."""
        return self.scene.facts

    @cached_property
    def scene(self) -> Scene:
        """Return the scene."""
        return cache.scene(self.key)

    def ask(self, query: Callable[..., Any], **arguments: Any) -> Any:
        """Return the answer of a query of ``analytics.queries``, remembered."""
        return cache.ask(self.key, query, **arguments)


def workspace() -> Workspace:
    """Return the workspace this server shows."""
    return Workspace.default()


def stage() -> Stage:
    """Return the stage of the running page.

    Raises:
        TamisError: the corpus cannot be opened.
    """
    here = workspace()
    now = session.current()
    corpus = cache.key_of(here, now.corpus)
    return Stage(here, cache.SceneKey(corpus, now.selection, now.recipe), cache.opened(corpus))


def guarded(page: Callable[P, None]) -> Callable[P, None]:
    """Wrap a page so that a ``TamisError`` is shown as one message; anything else is a bug and is not hidden."""

    @wraps(page)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            page(*args, **kwargs)
        except TamisError as error:
            show_error(error)

    return run


def show_error(error: TamisError) -> None:
    """Show an error as text: it may quote the corpus."""
    with st.container(border=True):
        st.markdown(":material/error: **This did not work**")
        st.text(brief(error))
        if error.allowed and len(error.allowed) > ALLOWED_SHOWN:
            with st.expander("What is allowed"):
                st.text(error.allowed)


def brief(error: TamisError) -> str:
    """Return an error in a few lines: long lists of what is allowed are left out."""
    if not error.allowed or len(error.allowed) <= ALLOWED_SHOWN:
        return str(error)
    return str(TamisError(error.what, value=error.value, fix=error.fix))


QUICK_SECONDS = 2.0
"""Measurements that take longer by their estimate run in the background, and the change waits for them."""


def adopt(*, selection: Sequence[RowOperator] | None = None, recipe: Recipe | None = None) -> bool:
    """Change selection or recipe after trying it; leave a message and change nothing when it cannot work.

    A change that needs a long measurement waits: the measurement runs as a job that the rail shows and that can be
    stopped, and the change is made when it is done.
    """
    now = session.current()
    chosen = now.selection if selection is None else tuple(selection)
    wanted = now.recipe if recipe is None else recipe
    here = stage()
    try:
        study = here.opened.study
        waiting = study.pending(wanted, chosen) if study is not None else ()
        if sum(step.estimate.seconds for step in waiting) > QUICK_SECONDS:
            _wait(here, chosen, wanted)
            return False
        cache.scene(cache.SceneKey(here.key.corpus, chosen, wanted))
    except TamisError as error:
        session.say(brief(error))
        return False
    session.edit(selection=selection, recipe=recipe)
    return True


def _wait(here: Stage, selection: tuple[RowOperator, ...], recipe: Recipe) -> None:
    """Start what a change needs, and remember the change."""
    from tamis.app import login

    login.demand("owner", to="start a measurement")
    assert here.opened.study is not None
    whole = reduce(lambda joined, rule: joined.with_operator(rule), selection, recipe)
    job = start_measure(here.opened.study.corpus, here.workspace, whole)
    change = session.View(selection, recipe).to_value()
    session.choose(measuring=job.id, waiting=here.workspace.put_value(change))


def take_waiting() -> None:
    """Make the change that waited for a measurement, once that is done; forget it when it was stopped."""
    now = session.current()
    stored = now.setting("waiting")
    if not stored or now.setting("measuring"):
        return
    session.choose(waiting=None)
    change = session.View.from_value(workspace().value(str(stored)))
    adopt(selection=change.selection, recipe=change.recipe)


def plain(text: object) -> str:
    """Return text with everything that Markdown or a widget label would interpret escaped."""
    escaped = str(text)
    for mark in "\\`*_{}[]()#+-.!|~:$<>":
        escaped = escaped.replace(mark, "\\" + mark)
    return escaped.replace("\n", " ")

"""What every page starts from: workspace, session, open corpus, scene; and the one place that shows errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, ParamSpec

import streamlit as st

from tamis.analytics.facts import Facts
from tamis.analytics.operator import RowOperator
from tamis.analytics.queries import Scene
from tamis.analytics.recipe import Recipe
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


def adopt(*, selection: Sequence[RowOperator] | None = None, recipe: Recipe | None = None) -> bool:
    """Change selection or recipe after trying it; leave a message and change nothing when it cannot work."""
    now = session.current()
    chosen = now.selection if selection is None else tuple(selection)
    try:
        cache.scene(cache.SceneKey(stage().key.corpus, chosen, now.recipe if recipe is None else recipe))
    except TamisError as error:
        session.say(brief(error))
        return False
    session.edit(selection=selection, recipe=recipe)
    return True


def plain(text: object) -> str:
    """Return text with everything that Markdown or a widget label would interpret escaped."""
    escaped = str(text)
    for mark in "\\`*_{}[]()#+-.!|~:$<>":
        escaped = escaped.replace(mark, "\\" + mark)
    return escaped.replace("\n", " ")

"""What every page starts from: workspace, session, open corpus, scene; and the one place that shows errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from typing import Any, ParamSpec

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from tamis.analytics.facts.facts import Facts
from tamis.analytics.study.meaning import Example
from tamis.analytics.study.queries import Scene
from tamis.analytics.study.readings import Reading
from tamis.app.dashboard import cache, open_corpus, session
from tamis.app.server.routes import DESK
from tamis.data.errors import TamisError
from tamis.data.hashing import digest
from tamis.data.workspace import Workspace

P = ParamSpec("P")
ALLOWED_SHOWN = 240


@dataclass(frozen=True)
class Stage:
    """A page's view of one analysed corpus.

    Attributes:
        workspace: the workspace.
        key: of the scene.
        opened: the corpus.
    """

    workspace: Workspace
    key: cache.SceneKey
    opened: open_corpus.Opened

    @property
    def facts(self) -> Facts:
        """Return the facts with the measured columns that selection and recipe need."""
        return self.scene.facts

    @cached_property
    def scene(self) -> Scene:
        """Return the scene."""
        return cache.scene(self.key)

    @cached_property
    def pictures(self) -> str:
        """Return where this session finds the pictures of the corpus by facts row; empty if documents are none."""
        if not self.opened.is_pictured:
            return ""
        cache.prepare_thumbnails(self.key.corpus)
        return DESK.publish_pictures(session.current().token, digest(vars(self.key.corpus)), self.opened.pictures)

    def readings(self, rows: Sequence[int]) -> list[Reading]:
        """Return a few documents as people read them, by facts row, pictures with the address of each."""
        found = self.opened.readings(rows)
        if not self.pictures:
            return found
        return [
            each if each.picture is None
            else replace(each, picture=replace(each.picture, address=f"{self.pictures}/{each.picture.row}"))
            for each in found
        ]  # fmt: skip

    def ask(self, query: Callable[..., Any], **arguments: Any) -> Any:
        """Return the cached answer of a query of ``analytics.queries``."""
        return cache.ask(self.key, query, **arguments)


def workspace() -> Workspace:
    """Return the workspace this server shows."""
    return Workspace.default()


def stage() -> Stage:
    """Return the stage of the running page.

    Raises:
        TamisError: the corpus cannot be opened.
    """
    now = session.current()
    return session.keep_for_run("stage", now, lambda: _stage(workspace(), now))


def _stage(here: Workspace, now: session.Session) -> Stage:
    corpus = cache.key_of(here, now.corpus)
    wanted = example(here, corpus)
    shown = () if wanted is None else (wanted.rule(0.0),)
    return Stage(here, cache.SceneKey(corpus, now.selection, now.recipe, shown=shown), cache.open_analysed(corpus))


def example(workspace: Workspace, corpus: cache.CorpusKey) -> Example | None:
    """Return the example of the search by meaning; None without one, or if it does not fit the corpus."""
    stored = session.current().setting("meaning")
    if not stored:
        return None
    try:
        found = Example.from_value(stored)
        fits = cache.space_of(cache.SpaceKey(corpus, found.vectors)) == found.space
        return found if fits and workspace.asset_path(found.model).is_file() else None
    except TamisError:
        return None


def guard_page(page: Callable[P, None]) -> Callable[P, None]:
    """Wrap a page so that a ``TamisError`` is shown as one message; any other exception is a bug and is not caught."""

    @wraps(page)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            page(*args, **kwargs)
        except TamisError as error:
            show_error(error)

    return run


def show_error(error: TamisError) -> None:
    """Show the error of a whole page, with everything that is allowed."""
    st.error(f"**This did not work**  \n{plain(brief(error))}", icon=":material/error:")
    if error.allowed and len(error.allowed) > ALLOWED_SHOWN:
        with st.expander("What is allowed"):
            st.text(error.allowed)


def show_fault(error: TamisError | str, *, at: DeltaGenerator | None = None) -> None:
    """Show in red what is wrong, where its cause stands; screen readers announce it. It may quote the corpus.

    Args:
        error: what is wrong.
        at: the place, such as the empty one under a field; here by default.
    """
    (st if at is None else at).error(plain(error if isinstance(error, str) else brief(error)), icon=":material/error:")


def brief(error: TamisError) -> str:
    """Return an error in a few lines, without long lists of allowed values."""
    if not error.allowed or len(error.allowed) <= ALLOWED_SHOWN:
        return str(error)
    return str(TamisError(error.what, value=error.value, fix=error.fix))


_ADDRESS = re.compile(r"(?<=http)(?=://)|(?<=https)(?=://)|(?<=www)(?=\.)|(?<=[-.\w+])(?=@[-\w]+\.)", re.IGNORECASE)
"""Where an address begins to be one for GitHub's Markdown."""


def plain(text: object) -> str:
    """Return text with everything that Markdown or a widget label would interpret escaped.

    A backslash does not keep an address from becoming a link: a word joiner, which nobody sees, does.
    """
    escaped = _ADDRESS.sub("\u2060", str(text))
    for mark in "\\`*_{}[]()#+-.!|~:$<>":
        escaped = escaped.replace(mark, "\\" + mark)
    return escaped.replace("\n", " ")

"""The state of one browser session: one frozen value under one key. The only file that touches ``st.session_state``.

Edits replace the value; undo restores the former one. The address bar holds corpus and view, so a link restores them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from secrets import token_urlsafe
from typing import Any, TypeVar

import streamlit as st

from tamis.analytics.operators.operator import OPERATORS, RowOperator
from tamis.analytics.recipe.recipe import Recipe, params_of
from tamis.app.server.routes import DESK
from tamis.data.errors import RecipeError, TamisError
from tamis.data.workspace import Workspace

Value = TypeVar("Value")
KEY = "tamis"
RUN = "tamis/run"
"""Where values stand that are made once in a run."""
HISTORY = 100
OF_ONE_CORPUS = ("document", "trail", "picked", "meaning", "floor", "found", "find_error", "dropped_by", "offset")
"""Settings that mean nothing in another corpus."""
OWN = ("review_blind", "review_at", "trail", "picked", "picked_turn", "found", "find_error")
"""Settings of one person that no link hands on: whether decisions are hidden and the place in a queue, the documents
read before and those picked, and what became of the search."""


@dataclass(frozen=True)
class SharedView:
    """What a link restores.

    Attributes:
        selection: row rules whose conjunction is selected; empty = nothing is selected.
        recipe: the live recipe.
        settings: what the pages show (colour, signal, sorting ...), plain values by name.
    """

    selection: tuple[RowOperator, ...] = ()
    recipe: Recipe = field(default_factory=Recipe)
    settings: tuple[tuple[str, Any], ...] = ()

    def to_value(self) -> dict[str, Any]:
        """Return the view as JSON values."""
        return {
            "selection": [{"operator": rule.name, "params": params_of(rule)} for rule in self.selection],
            "recipe": self.recipe.to_dict(),
            "settings": dict(self.settings),
        }

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> SharedView:
        """Read a stored view.

        Raises:
            RecipeError: it is not a view, or a rule or the recipe is not valid.
        """
        if not isinstance(value, Mapping) or set(value) != {"selection", "recipe", "settings"}:
            raise RecipeError("This is not a view", allowed="selection, recipe and settings")
        rules = [OPERATORS.build(str(item["operator"]), item["params"]) for item in value["selection"]]
        if not all(isinstance(rule, RowOperator) for rule in rules):
            raise RecipeError("A selection is made of row rules", value=[rule.name for rule in rules])
        chosen = tuple(rule for rule in rules if isinstance(rule, RowOperator))
        settings = {name: setting for name, setting in value["settings"].items() if name not in OWN}
        return cls(chosen, Recipe.from_dict(value["recipe"]), tuple(sorted(settings.items())))


@dataclass(frozen=True)
class Session:
    """Everything a session knows.

    Attributes:
        token: secret for the routes beside Streamlit.
        corpus: name of the open corpus, empty when none is open.
        view: selection, recipe and settings.
        past, future: views for undo and redo.
        notice: a message to show once.
        fault: whether the message says what went wrong.
        person: name under which reviews are stored.
        tab: name of this session's history, which a browser tab keeps over a reload.
        own: settings that stay with this browser session, by name.
    """

    token: str
    corpus: str = ""
    view: SharedView = SharedView()
    past: tuple[SharedView, ...] = ()
    future: tuple[SharedView, ...] = ()
    notice: str = ""
    fault: bool = False
    person: str = ""
    tab: str = ""
    own: tuple[tuple[str, Any], ...] = ()

    @property
    def selection(self) -> tuple[RowOperator, ...]:
        """Return the rules of the selection."""
        return self.view.selection

    @property
    def recipe(self) -> Recipe:
        """Return the live recipe."""
        return self.view.recipe

    def setting(self, name: str, default: Any = None) -> Any:
        """Return one page setting."""
        return dict(self.own if name in OWN else self.view.settings).get(name, default)


def start(workspace: Workspace, corpora: Sequence[str]) -> Session:
    """Return the session of this browser; the first run makes it from the address bar."""
    st.session_state[RUN] = {}
    if KEY not in st.session_state:
        asked = st.query_params.get("corpus", "")
        corpus = asked if asked in corpora else (corpora[0] if corpora else "")
        view, notice = SharedView(), f"There is no corpus {asked} here." if asked and asked not in corpora else ""
        if stored := st.query_params.get("view"):
            try:
                view = SharedView.from_value(workspace.value(stored))
            except TamisError as error:
                notice = f"The view of this link cannot be restored. {error}"
        st.session_state[KEY] = Session(DESK.new_token(), corpus, view, notice=notice, tab=token_urlsafe(18))
    return current()


def keep_for_run(name: str, of: object, make: Callable[[], Value]) -> Value:
    """Return a value that is made once in a run of the script, and again for another object that it was made of."""
    values = st.session_state.get(RUN)
    if values is None:
        return make()
    found = values.get(name)
    if found is None or found[0] is not of:
        found = values[name] = (of, make())
    value: Value = found[1]
    return value


def current() -> Session:
    """Return the session of this browser."""
    session = st.session_state[KEY]
    assert isinstance(session, Session)
    return session


def put(session: Session) -> None:
    """Replace the session value."""
    st.session_state[KEY] = session
    if session.past or session.future:
        _HISTORIES[session.tab] = session
        _HISTORIES.move_to_end(session.tab)
        while len(_HISTORIES) > MOST_HISTORIES:
            _HISTORIES.popitem(last=False)


_HISTORIES: OrderedDict[str, Session] = OrderedDict()
"""The last state of sessions with a history, by tab; a reload starts a new session, which may take the history over."""
MOST_HISTORIES = 300


def recover_history(tab: str) -> bool:
    """Take over the history of the session that a browser tab had before a reload; return whether there was one."""
    session, before = current(), _HISTORIES.get(tab)
    if before is None or before.corpus != session.corpus or session.past or session.future:
        return False
    put(replace(session, past=before.past, future=before.future))
    return True


def edit(*, selection: Sequence[RowOperator] | None = None, recipe: Recipe | None = None) -> None:
    """Change selection or recipe; the change can be undone."""
    session = current()
    view = replace(
        session.view,
        selection=session.selection if selection is None else tuple(selection),
        recipe=session.recipe if recipe is None else recipe,
    )
    if view != session.view:
        put(replace(session, view=view, past=(*session.past, session.view)[-HISTORY:], future=()))


def choose(**settings: Any) -> None:
    """Change what the pages show; undo does not cover it."""
    session = current()
    shared = {name: value for name, value in settings.items() if name not in OWN}
    own = {name: value for name, value in settings.items() if name in OWN}

    def chosen(view: SharedView) -> SharedView:
        return replace(view, settings=_merged(view.settings, shared))

    # In the history as well: an edit that is undone takes back nothing that was chosen after it.
    past, future = (tuple(map(chosen, views)) for views in (session.past, session.future))
    put(replace(session, view=chosen(session.view), own=_merged(session.own, own), past=past, future=future))


def _merged(settings: tuple[tuple[str, Any], ...], changes: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return settings with changes, by name; None takes one away."""
    merged = {**dict(settings), **changes}
    return tuple(sorted((name, value) for name, value in merged.items() if value is not None))


def undo() -> None:
    """Go back to the view before the last edit."""
    session = current()
    if session.past:
        put(
            replace(
                session, view=session.past[-1], past=session.past[:-1], future=(session.view, *session.future)[:HISTORY]
            )
        )


def redo() -> None:
    """Go to the view that was undone last."""
    session = current()
    if session.future:
        put(replace(session, view=session.future[0], past=(*session.past, session.view), future=session.future[1:]))


def open_corpus(name: str) -> None:
    """Show another corpus, with nothing selected; the recipe stays."""
    session = current()
    if name != session.corpus:
        gone = dict.fromkeys(OF_ONE_CORPUS)
        view = replace(session.view, selection=(), settings=_merged(session.view.settings, gone))
        put(replace(session, corpus=name, view=view, own=_merged(session.own, gone), past=(), future=()))


def open_view(corpus: str, view: SharedView) -> None:
    """Show a whole view; on the same corpus the change can be undone."""
    session = current()
    past = (*session.past, session.view)[-HISTORY:] if corpus == session.corpus else ()
    put(replace(session, corpus=corpus, view=view, past=past, future=()))


def person() -> str:
    """Return the name this browser session reviews under, empty when it has none."""
    return current().person


def introduce(name: str) -> None:
    """Set the name this browser session reviews under."""
    put(replace(current(), person=name))


def say(notice: str, *, fault: bool = False) -> None:
    """Leave a message for the next run; a fault is shown in red and announced."""
    put(replace(current(), notice=notice, fault=fault))


def take_notice() -> tuple[str, bool]:
    """Return the message left by the last run, empty for none, and whether it is a fault; forget it."""
    session = current()
    if session.notice:
        put(replace(session, notice="", fault=False))
    return session.notice, session.fault


def write_address(workspace: Workspace) -> None:
    """Put corpus and view into the address bar."""
    session = current()
    if session.corpus and st.query_params.get("corpus") != session.corpus:
        st.query_params["corpus"] = session.corpus
    if session.view == SharedView():
        st.query_params.pop("view", None)
        return
    stored = workspace.put_value(session.view.to_value())
    if st.query_params.get("view") != stored:
        st.query_params["view"] = stored


def widget(*parts: str) -> str:
    """Return the key of a widget from its owner, such as a step's id and a field."""
    return "/".join(part.replace("/", "_") for part in parts)


def widget_value(key: str, default: Any = None) -> Any:
    """Return what a widget holds, for callbacks."""
    return st.session_state.get(key, default)


def widget_holding(key: str, value: Any) -> str:
    """Return the key of a widget that holds a value: a new key if the widget on the screen holds another value.

    Late messages from the browser about the former widget then change nothing.
    """
    made = st.session_state.get(key, 0)
    shown = f"{key}/{made}"
    if shown in st.session_state and st.session_state[shown] != value:
        st.session_state[key] = made + 1
        shown = f"{key}/{made + 1}"
    return shown

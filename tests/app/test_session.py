"""What a session keeps: nothing of one corpus in another, nothing of one person in a link or in an undone view."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def other_corpus() -> None:
    import streamlit as st

    from tamis.app.dashboard import session

    st.session_state[session.KEY] = session.Session("token", "one")
    session.choose(document=4, meaning={"model": "m"}, picked=("a",), trail=(1, 2), columns=("lang",), dropped_by="x")
    session.open_corpus("two")
    now = session.current()
    st.text(repr([now.setting(name) for name in ("document", "meaning", "picked", "trail", "dropped_by")]))
    st.text(repr(now.setting("columns")))


def test_another_corpus_has_no_open_document_no_search_and_nothing_picked() -> None:
    app = AppTest.from_function(other_corpus, default_timeout=60).run()
    assert not app.exception
    assert [item.value for item in app.text] == ["[None, None, None, None, None]", "('lang',)"]


def own_settings() -> None:
    import streamlit as st

    from tamis.analytics.recipe.recipe import Recipe
    from tamis.app.dashboard import session

    st.session_state[session.KEY] = session.Session("token", "one")
    session.choose(picked=("a", "b"), find_error="wrong", find="words")
    session.edit(recipe=Recipe(title="new"))
    session.choose(picked=("c",), find_error=None)
    session.undo()
    now = session.current()
    st.text(repr((now.setting("picked"), now.setting("find_error"), now.setting("find"))))
    st.text(repr(now.view.to_value()["settings"]))


def test_picks_and_faults_of_a_search_come_back_neither_by_undo_nor_in_a_link() -> None:
    app = AppTest.from_function(own_settings, default_timeout=60).run()
    assert not app.exception
    assert [item.value for item in app.text] == ["(('c',), None, 'words')", "{'find': 'words'}"]


def chosen_later() -> None:
    import streamlit as st

    from tamis.analytics.recipe.recipe import Recipe
    from tamis.app.dashboard import session

    st.session_state[session.KEY] = session.Session("token", "one")
    session.choose(target="letters", find="words")
    session.edit(recipe=Recipe(title="new"))
    session.choose(target="games", find=None)
    for turn in (session.undo, session.redo, session.undo):
        turn()
        now = session.current()
        st.text(repr((now.recipe.title, now.setting("target"), now.setting("find"))))


def test_undo_takes_back_the_edit_and_nothing_that_was_chosen_after_it() -> None:
    app = AppTest.from_function(chosen_later, default_timeout=60).run()
    assert not app.exception
    old, new, again = (item.value for item in app.text)
    assert new == "('new', 'games', None)"
    assert old == again == "('Untitled recipe', 'games', None)"


def kept_values() -> None:
    import tempfile
    from pathlib import Path

    import streamlit as st

    from tamis.app.dashboard import session
    from tamis.data.workspace import Workspace

    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name

    first, second = object(), object()
    session.keep_for_run("a", first, lambda: make("no run has begun"))
    session.start(Workspace(Path(tempfile.gettempdir())), ["one"])
    for of, name in ((first, "first"), (first, "again"), (second, "second"), (second, "again")):
        session.keep_for_run("a", of, lambda name=name: make(name))
    session.start(Workspace(Path(tempfile.gettempdir())), ["one"])
    session.keep_for_run("a", second, lambda: make("another run"))
    st.text(repr(made))


def test_a_value_is_made_once_in_a_run_and_for_an_object() -> None:
    app = AppTest.from_function(kept_values, default_timeout=60).run()
    assert not app.exception
    assert [item.value for item in app.text] == ["['no run has begun', 'first', 'second', 'another run']"]

"""A server that draws the map again and again holds no more than before."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from session_client import Session
from soak import draw, held, served_map

from tamis.app.server.routes import SHOWN, BlobDesk, Snippet


def no_snippet(row: int) -> Snippet:
    return Snippet(str(row), "")


def test_what_a_session_is_shown_takes_the_place_of_what_it_was_shown_before() -> None:
    desk = BlobDesk()
    one, two = desk.new_token(), desk.new_token()
    desk.publish(two, "flags", "flags-0", b"0")
    for number in range(1000):
        desk.publish(one, "points", "points", b"p")
        desk.publish(one, "flags", f"flags-{number}", b"%d" % number)
        desk.publish_snippets(one, "corpus", no_snippet)
        assert desk.assets <= 3 + SHOWN
    assert [desk.blob(f"flags-{n}") for n in range(1000 - SHOWN, 1000)] == [
        b"%d" % n for n in range(1000 - SHOWN, 1000)
    ]
    assert desk.blob("flags-0") == b"0", "another session is still shown it"
    assert desk.blob(f"flags-{999 - SHOWN}") is None
    assert desk.blob("points") == b"p" and desk.snippets("corpus") is not None


def test_what_only_an_ended_session_was_shown_is_dropped_and_its_token_opens_nothing() -> None:
    desk = BlobDesk()
    stays, goes = desk.new_token(), desk.new_token()
    secret = str(goes)
    for token in (stays, goes):
        desk.publish(token, "points", "shared", b"s")
    desk.publish(goes, "flags", "alone", b"a")
    assert desk.admits(secret) and desk.assets == 2
    del goes, token
    gc.collect()
    assert desk.assets == 1 and desk.blob("shared") == b"s" and desk.blob("alone") is None
    assert not desk.admits(secret) and desk.admits(stays)


def test_a_forgotten_session_is_not_let_in_again_by_what_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tamis.app.server.routes.MAX_TOKENS", 2)
    desk = BlobDesk()
    tokens = [desk.new_token() for _ in range(3)]
    desk.publish(tokens[0], "flags", "late", b"l")
    assert not desk.admits(tokens[0]) and desk.assets == 0
    assert desk.admits(tokens[1]) and desk.admits(tokens[2])


def test_drawing_the_map_again_and_again_leaves_nothing_behind(tmp_path: Path) -> None:
    with served_map(tmp_path, 2000) as url:
        session = Session(url, query="corpus=mapped")
        session.open("")
        draw(session, 0, 10)
        before = held(url)
        draw(session, 10, 20)
        after = held(url)
        session.close()
    assert after.assets <= before.assets
    assert after.threads <= before.threads + 1 and after.files <= before.files + 1
    assert after.objects <= before.objects + 2000

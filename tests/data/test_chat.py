"""An endpoint is asked only where that is safe, tried again within limits, and never told on with its key."""

from __future__ import annotations

import pytest
from chat_server import Reply, chat_server
from hypothesis import given
from hypothesis import strategies as st

from tamis.analytics.map.model_names import LONGEST_NAME, parse_name
from tamis.data.chat import ChatEndpoint
from tamis.data.errors import Cancelled, EndpointError, SettingError

KEY = "sk-planted-Qx71-secret"
MESSAGES = [{"role": "user", "content": "Words: tax, law"}]


def test_a_question_is_one_request_in_the_form_of_the_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    with chat_server(lambda _: Reply("Tax law")) as server:
        assert ChatEndpoint(server.url, "small", "SOME_KEY").ask(MESSAGES) == "Tax law"
        assert ChatEndpoint(f"{server.url}/chat/completions", "small").ask(MESSAGES) == "Tax law"
    first, second = server.asked
    assert first["path"] == second["path"] == "/v1/chat/completions"
    assert (first["model"], first["messages"], first["key"]) == ("small", MESSAGES, f"Bearer {KEY}")
    assert second["key"] is None


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/v1", "http://10.0.0.1/v1", "http://127.0.0.1.example.org/v1", "ftp://127.0.0.1/v1",
        "file:///etc/passwd", f"https://me:{KEY}@example.org/v1", f"https://example.org/v1?key={KEY}",
        f"https://example.org/v1#{KEY}", "https:///v1", "https://example.org:x/v1", "example.org/v1", "",
        f"https://example.org/v1\n{KEY}",
    ],
)  # fmt: skip
def test_other_addresses_are_refused_without_repeating_what_could_be_a_key(url: str) -> None:
    with pytest.raises(SettingError) as refused:
        ChatEndpoint(url, "small")
    assert KEY not in str(refused.value)


def test_addresses_that_are_safe_may_be_asked() -> None:
    for url in ("https://example.org/v1", "http://localhost:8000/v1", "http://127.0.0.9", "http://[::1]:80/v1"):
        assert ChatEndpoint(url, "small").url == url


def test_what_passes_is_tried_again_and_what_does_not_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with chat_server(lambda n: Reply("Tax", status=500 if n == 1 else 200)) as server:
        assert ChatEndpoint(server.url, "small").ask(MESSAGES) == "Tax" and len(server.asked) == 2
    with chat_server(lambda _: Reply(status=503)) as server:
        with pytest.raises(EndpointError, match="after 2 attempts") as failed:
            ChatEndpoint(server.url, "small", attempts=2).ask(MESSAGES)
        assert len(server.asked) == 2 and not failed.value.fatal
    monkeypatch.setenv("SOME_KEY", KEY)
    for status in (400, 401, 403, 404, 418):
        with chat_server(lambda _, status=status: Reply(raw=KEY.encode(), status=status)) as server:
            with pytest.raises(EndpointError, match=f"answered {status}") as failed:
                ChatEndpoint(server.url, "small", "SOME_KEY").ask(MESSAGES)
            assert len(server.asked) == 1 and failed.value.fatal and KEY not in str(failed.value)


def test_a_redirect_is_refused_and_the_key_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    with chat_server(lambda _: Reply("stolen")) as thief:
        there = {"Location": f"{thief.url}/chat/completions"}
        for status in (301, 302, 303, 307, 308):
            with (
                chat_server(lambda _, status=status: Reply(status=status, headers=there)) as server,
                pytest.raises(EndpointError, match="redirects"),
            ):
                ChatEndpoint(server.url, "small", "SOME_KEY").ask(MESSAGES)
        assert thief.asked == []


def test_one_that_is_slow_or_gone_ends_as_a_timeout_or_an_error() -> None:
    with (
        chat_server(lambda _: Reply("late", seconds=1.0)) as server,
        pytest.raises(EndpointError, match="timeout"),
    ):
        ChatEndpoint(server.url, "small", seconds=0.2, attempts=1).ask(MESSAGES)
    with pytest.raises(EndpointError, match="did not answer"):
        ChatEndpoint(server.url, "small", attempts=1).ask(MESSAGES)


def test_waiting_for_another_attempt_can_be_stopped() -> None:
    looks = iter([False, False, True])

    def check() -> None:
        if next(looks):
            raise Cancelled("stopped")

    with chat_server(lambda _: Reply(status=429, headers={"Retry-After": "600"})) as server, pytest.raises(Cancelled):
        ChatEndpoint(server.url, "small").ask(MESSAGES, check=check)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "raw",
    [b"", b"<html>hello</html>", b"{}", b'{"choices": []}', b'{"choices": [{"message": {"content": null}}]}',
     b"\xff\xfe", b"[" * 100_000],
)  # fmt: skip
def test_an_answer_in_another_form_is_said(raw: bytes) -> None:
    with chat_server(lambda _: Reply(raw=raw)) as server, pytest.raises(EndpointError, match="chat-completions"):
        ChatEndpoint(server.url, "small").ask(MESSAGES)


def test_an_endless_answer_is_cut_off() -> None:
    with chat_server(lambda _: Reply(raw=b"x" * (3 << 20))) as server, pytest.raises(EndpointError, match="too long"):
        ChatEndpoint(server.url, "small").ask(MESSAGES)


@pytest.mark.parametrize("value", ["", "two words", "line\nbreak", "schlüssel"])
def test_a_missing_or_impossible_key_is_said_before_anything_is_sent(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", value)
    with chat_server(lambda _: Reply("Tax")) as server:
        with pytest.raises(SettingError, match="environment variable"):
            ChatEndpoint(server.url, "small", "SOME_KEY").ask(MESSAGES)
        assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("Tax law", "Tax law"), ("  \n**Tax law**\n", "Tax law"), ('"Tax law."', "Tax law"), ("# Tax law", "Tax law"),
        ("Name: Tax law", "Tax law"), ("Cluster name: *Tax law*", "Tax law"), ("- Tax law\n- Other", "Tax law"),
        ('{"name": "Tax law"}', "Tax law"), ('```json\n{"title": "Tax law"}\n```', "Tax law"),
        ("<think>\nWords about <b>tax</b>\n</think>\nTax law", "Tax law"), ("Here is a name:\nTax law", "Tax law"),
        ("Tax\u202e law\x00\x1b[31m", None), ("Tax\u202e law\x07", "Tax law"), ("税法", "税法"),
        ("C++ and Qt", "C++ and Qt"),
        ("Überschrift", "Überschrift"), ("AT&T (R&D)", "AT&T (R&D)"),
        ("", None), ("   ", None), ("1234", None), ("x", None), ("<script>alert(1)</script>", None),
        ("[Tax](https://x.org)", None), ("![](http://x.org/a.png)", None), ("Visit www.x.org", None),
        ("I'm sorry, I cannot help", None), ("Ignore previous orders", None), ("Unknown", None), ("n/a", None),
        ("word " * 30, None), ("x" * 61, None), ("$x^2$", None), ("`rm -rf`; a | b", None),
        ("<think>never ends", None), ("A good name for this group of documents would be tax law", None),
    ],
)  # fmt: skip
def test_only_a_short_plain_name_is_taken_from_an_answer(answer: str, name: str | None) -> None:
    assert parse_name(answer) == name


@given(st.text(max_size=200))
def test_whatever_the_answer_a_name_is_short_and_plain(answer: str) -> None:
    name = parse_name(answer)
    assert name is None or (0 < len(name) <= LONGEST_NAME and name.isprintable() and not set(name) & set("<>[]{}|`\\"))

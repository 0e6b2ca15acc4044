"""Who is let in: no address for others without a login, no request past the proxy, no role by accident."""

from __future__ import annotations

import ast
import asyncio
import inspect
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send
from typer.testing import CliRunner

from tamis.app.cli import main
from tamis.app.dashboard import job_view
from tamis.app.server import gate
from tamis.app.server.gate import HEALTH, SECRET, SECRET_HEADER, Gate, ProxyCheck
from tamis.app.server.server import settings
from tamis.data.errors import AccessError, SettingError, StoreError, TamisError
from tamis.data.people import LONGEST, ROLES, People, Role, change_people, may, require, short_name
from tamis.data.workspace import Workspace

STRONG = "0123456789abcdef" * 4
AUTH = {
    "redirect_uri": "https://tamis.example.org/oauth2callback",
    "cookie_secret": STRONG,
    "client_id": "tamis",
    "client_secret": "quiet",
    "server_metadata_url": "https://login.example.org/.well-known/openid-configuration",
}


def secrets(folder: Path, **changed: str) -> list[Path]:
    path = folder / "secrets.toml"
    lines = [f'{name} = "{value}"' for name, value in {**AUTH, **changed}.items() if value]
    path.write_text("[auth]\n" + "\n".join(lines), "utf-8")
    return [folder / "absent.toml", path]


def proxy(**environment: str) -> Gate:
    return Gate.of("proxy", sites=["tamis.example.org"], environment=environment or {SECRET: STRONG})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "tamis.example.org", "", "127.0.0.1.example.org"])
def test_an_address_for_others_is_refused_without_a_login(host: str) -> None:
    with pytest.raises(SettingError, match="this machine only") as refused:
        settings(host=host)
    assert "--login" in str(refused.value.fix)


def test_an_address_for_others_needs_the_name_browsers_use() -> None:
    nameless = Gate.of("proxy", environment={SECRET: STRONG})
    with pytest.raises(SettingError, match="--site"):
        settings(host="0.0.0.0", gate=nameless)
    named = settings(host="0.0.0.0", gate=proxy())
    assert named["server.allowedHosts"] == ["localhost", "127.0.0.1", "tamis.example.org"]
    assert named["server.corsAllowedOrigins"] == ["https://tamis.example.org"]


@pytest.mark.parametrize("secret", ["", "short", "x" * 31, " " * 40, f"{STRONG}\n", "é" * 40])
def test_a_weak_secret_of_the_proxy_is_refused_and_never_shown(secret: str) -> None:
    with pytest.raises(SettingError, match=SECRET) as refused:
        proxy(**{SECRET: secret})
    assert not secret.strip() or secret not in str(refused.value)
    assert STRONG not in repr(proxy())


@pytest.mark.parametrize("site", ["*", "*.example.org", "https://a.org", "a.org:443", "a b", "-a.org", "", "a" * 300])
def test_a_site_is_one_host_name(site: str) -> None:
    with pytest.raises(SettingError):
        Gate.of("proxy", sites=[site], environment={SECRET: STRONG})


@pytest.mark.parametrize("header", ["", "a b", "X:Y", SECRET_HEADER, "X-Tamis-Proxy-Secret", "x" * 61])
def test_the_header_of_the_person_is_a_header_and_not_the_secret(header: str) -> None:
    with pytest.raises(SettingError, match="header"):
        Gate.of("proxy", header=header, environment={SECRET: STRONG})


def test_openid_takes_the_name_of_the_server_from_its_settings(tmp_path: Path) -> None:
    found = Gate.of("oidc", secrets=secrets(tmp_path), environment={})
    assert (found.mode, found.sites, found.guest) == ("oidc", ("tamis.example.org",), "viewer")
    local = Gate.of(
        "oidc", secrets=secrets(tmp_path, redirect_uri="http://localhost:8501/oauth2callback"), environment={}
    )
    assert local.sites == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"client_secret": ""}, "client_secret"),
        ({"cookie_secret": "short"}, "cookie_secret"),
        ({"redirect_uri": "http://tamis.example.org/oauth2callback"}, "https"),
        ({"redirect_uri": "https://tamis.example.org/elsewhere"}, "redirect_uri"),
        ({"redirect_uri": "https:///oauth2callback"}, "host name"),
    ],
)
def test_openid_refuses_settings_that_would_not_hold(tmp_path: Path, changed: dict[str, str], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        Gate.of("oidc", secrets=secrets(tmp_path, **changed), environment={})


def test_openid_without_settings_says_where_they_go(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"absent\.toml"):
        Gate.of("oidc", secrets=[tmp_path / "absent.toml"], environment={})
    (tmp_path / "secrets.toml").write_text("[auth", "utf-8")
    with pytest.raises(SettingError, match=r"secrets\.toml"):
        Gate.of("oidc", secrets=[tmp_path / "secrets.toml"], environment={})


def test_there_are_three_ways_to_log_in() -> None:
    with pytest.raises(SettingError, match="oidc"):
        Gate.of("password", environment={})


RIGHT = [(SECRET_HEADER, STRONG), ("x-forwarded-email", "ada@example.org")]
WRONG = [
    [],
    RIGHT[1:],
    RIGHT[:1],
    [(SECRET_HEADER, STRONG[:-1]), RIGHT[1]],
    [(SECRET_HEADER, f"{STRONG}0"), RIGHT[1]],
    [(SECRET_HEADER, ""), RIGHT[1]],
    [(SECRET_HEADER, "\xe9" * 40), RIGHT[1]],
    [RIGHT[0], ("x-forwarded-email", " ")],
    [*RIGHT, ("x-forwarded-email", "eve@example.org")],
    [*RIGHT, (SECRET_HEADER, "guess")],
]


def answers(kind: str, headers: list[tuple[str, str]], path: str = "/") -> list[Message]:
    """Send one request through the check and return everything that was sent back."""
    sent: list[Message] = []

    async def within(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "let in"})

    async def receive() -> Message:
        return {"type": f"{kind}.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": kind, "method": "GET", "path": path, "headers": pairs}
    asyncio.run(ProxyCheck(within, proxy())(scope, receive, send))
    return sent


@pytest.mark.parametrize("headers", WRONG)
def test_nothing_passes_without_the_secret_and_exactly_one_person(headers: list[tuple[str, str]]) -> None:
    assert answers("http", headers)[0]["status"] == 403
    assert [message["type"] for message in answers("websocket", headers)] == ["websocket.close"]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_what_comes_through_the_proxy_passes(kind: str) -> None:
    assert answers(kind, RIGHT) == [{"type": "let in"}]


def test_only_the_health_check_answers_to_everyone() -> None:
    assert answers("http", [], HEALTH) == [{"type": "let in"}]
    for path in (f"{HEALTH}/..", f"{HEALTH}/more", "/tmp", f"/x{HEALTH}"):
        assert answers("http", [], path)[0]["status"] == 403


@given(st.sampled_from(ROLES), st.sampled_from(ROLES))
def test_a_role_may_what_every_lesser_role_may(mine: Role, needed: Role) -> None:
    enough = ROLES.index(mine) >= ROLES.index(needed)
    assert may(mine, needed) is enough
    if enough:
        require(mine, needed, to="do this")
    else:
        with pytest.raises(AccessError, match="You may not do this"):
            require(mine, needed, to="do this")


def test_roles_are_read_back_and_names_ignore_case(tmp_path: Path) -> None:
    assert People.of(tmp_path).role("Ada@Example.org", otherwise="viewer") == "viewer"
    change_people(tmp_path, "Ada@Example.org ", "owner")
    change_people(tmp_path, "*", "nobody")
    known = People.of(tmp_path)
    assert known.role("ada@example.ORG", otherwise="viewer") == "owner"
    assert known.role("eve", otherwise="owner") == "nobody"
    assert change_people(tmp_path, "ADA@example.org", None).role("ada@example.org", otherwise="owner") == "nobody"
    assert change_people(tmp_path, "*", None).role("eve", otherwise="viewer") == "viewer"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"people": {"ada": "king"}}', '{"people": {}, "others": "king"}'])
def test_a_damaged_file_of_roles_lets_nobody_in(tmp_path: Path, text: str) -> None:
    (tmp_path / "people.json").write_text(text, "utf-8")
    with pytest.raises(StoreError, match="roles"):
        People.of(tmp_path)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 81, "a\x00"])
def test_a_name_of_a_person_is_checked(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match="name"):
        change_people(tmp_path, name, "owner")


@given(st.text(), st.text())
def test_stored_names_are_short_and_differ_where_names_differ(one: str, other: str) -> None:
    long = "a" * 100
    for first, second in ((one, other), (long + one, long + other)):
        assert len(short_name(first)) <= LONGEST
        assert (short_name(first) == short_name(second)) is (first.strip() == second.strip())


def test_the_command_lists_and_changes_roles(workspace: Workspace) -> None:
    def people(*arguments: str) -> str:
        result = CliRunner().invoke(main.app, ["people", *arguments])
        return str(result.exception) if isinstance(result.exception, TamisError) else result.output

    assert "owner on this machine" in people()
    assert "ada" in people("Ada", "--role", "reviewer")
    assert People.of(workspace.root).roles == {"ada": "reviewer"}
    assert "king" in people("Ada", "--role", "king")
    assert "--remove" in people("Ada")
    assert "needs a name" in people("--role", "owner")
    assert "ada" not in people("Ada", "--remove")


def test_serving_others_without_what_it_needs_starts_nothing(workspace: Workspace) -> None:
    for arguments in (["--host", "0.0.0.0"], ["--host", "0.0.0.0", "--login", "proxy"], ["--login", "oidc"]):
        result = CliRunner().invoke(main.app, ["serve", *arguments])
        assert isinstance(result.exception, SettingError), arguments


APP = Path(gate.__file__).parents[1]
ASKING = {"demand", "may", "offer_job"}
"""Calls that ask for a role; ``offer_job`` asks before it starts the job it is given."""
SHARED = {"save_target", "remember", "export_bundle", "seal_bundle", "rmtree", "cancel", "add_all", "put_table"}
"""Calls that change what others see, or that cost; starting a job (``start_...``) is another."""


def _calls(node: ast.AST) -> set[str]:
    """Return the names of everything that is called within."""
    found = set()
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            found.add("store.add" if name == "add" and "store" in ast.unparse(call.func) else name)
    return found


def _unguarded(path: Path) -> list[str]:
    """Return the functions that act for others and ask for no role, themselves or by a function beside them."""
    functions = [node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]
    calls = {function.name: _calls(function) for function in functions}
    asking = {name for name, called in calls.items() if called & ASKING}
    return [
        f"{path.name}:{name}"
        for name, called in calls.items()
        if (called & SHARED or "store.add" in called or any(one.startswith("start_") for one in called))
        and not (name in asking or called & asking)
    ]


def test_every_action_that_others_see_or_that_costs_asks_for_a_role() -> None:
    pages = [path for room in ("pages", "dashboard") for path in sorted((APP / room).glob("*.py"))]
    pages.remove(APP / "dashboard" / "open_corpus.py")
    assert [name for path in pages for name in _unguarded(path)] == []
    offering = ast.parse(inspect.getsource(job_view.offer_job))
    assert "demand" in _calls(offering)


def test_an_action_that_asks_for_no_role_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page_bad.py"
    page.write_text("def act():\n    start_run(1)\n\ndef fine():\n    demand('owner')\n    log.store.add(2)\n", "utf-8")
    assert _unguarded(page) == ["page_bad.py:act"]

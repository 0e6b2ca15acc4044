"""Logging in, in a real browser: by OpenID Connect, through a sign-in proxy, and by saying a name on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from dashboard import free_port, settle, wait_for
from playwright.sync_api import Browser, Page, expect
from sign_in import CLIENT, openid_provider, sign_in_proxy

from tamis.app.server.gate import SECRET, SECRET_HEADER
from tamis.data.people import change_people

STRONG = "0123456789abcdef" * 4


@contextmanager
def serving(home: Path, *arguments: str, port: int, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Serve an empty workspace until the block ends."""
    command = [
        sys.executable,
        "-c",
        "from tamis.app.cli.main import main; main()",
        "serve",
        "--port",
        str(port),
        *arguments,
    ]
    variables = {**os.environ, "TAMIS_HOME": str(home), **(environment or {})}
    home.mkdir(exist_ok=True)
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log, cwd=home)
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health", process)
            yield
        finally:
            process.terminate()
            process.wait(timeout=20)


def test_openid_shows_nothing_before_the_login_and_gives_roles_after_it(
    tmp_path: Path, chromium: Browser, page: Page
) -> None:
    port, home = free_port(), tmp_path / "home"
    people: dict[str, Mapping[str, object]] = {
        "ada": {"email": "Ada@example.org", "email_verified": True},
        "eve": {"email": "ada@example.org", "email_verified": False},
        "mallory": {"email": "mallory@example.org", "email_verified": True},
    }
    change_people(home, "ada@example.org", "owner")
    change_people(home, "mallory@example.org", "nobody")
    with openid_provider(people) as issuer:
        (home / "secrets.toml").write_text(
            f'[auth]\nredirect_uri = "http://127.0.0.1:{port}/oauth2callback"\ncookie_secret = "{STRONG}"\n'
            f'client_id = "{CLIENT}"\nclient_secret = "quiet"\n'
            f'server_metadata_url = "{issuer}/.well-known/openid-configuration"\n',
            "utf-8",
        )
        with serving(home, "--login", "oidc", port=port):
            page.goto(f"http://127.0.0.1:{port}/")
            login = page.get_by_role("button", name="Log in")
            expect(login).to_be_visible(timeout=60_000)
            expect(page.get_by_text("No corpus yet")).to_have_count(0)
            login.click()
            page.get_by_role("link", name="ada").click()
            settle(page)
            expect(page.get_by_text("Ada@example.org")).to_be_visible()
            expect(page.get_by_test_id("stSidebar").get_by_text("owner")).to_be_visible()
            page.get_by_role("button", name="Log out").click()
            expect(page.get_by_role("button", name="Log in")).to_be_visible(timeout=30_000)

            for name, seen in (("mallory", "You have no access"), ("eve", "viewer")):
                context = chromium.new_context()
                other = context.new_page()
                other.goto(f"http://127.0.0.1:{port}/")
                other.get_by_role("button", name="Log in").click(timeout=60_000)
                other.get_by_role("link", name=name).click()
                expect(other.get_by_text(seen)).to_be_visible(timeout=60_000)
                expect(other.get_by_text("owner", exact=True)).to_have_count(0)
                context.close()


def test_through_the_proxy_people_have_its_names_and_past_it_nobody_gets_in(tmp_path: Path, page: Page) -> None:
    port, home = free_port(), tmp_path / "home"
    change_people(home, "grace@example.org", "reviewer")
    arguments = ("--login", "proxy", "--user-header", "X-Person")
    with (
        serving(home, *arguments, port=port, environment={SECRET: STRONG}),
        sign_in_proxy(port, {SECRET_HEADER: STRONG, "X-Person": "grace@example.org"}) as address,
    ):
        page.goto(address)
        settle(page)
        expect(page.get_by_text("grace@example.org")).to_be_visible()
        expect(page.get_by_test_id("stSidebar").get_by_text("reviewer")).to_be_visible()
        claimed = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"X-Person": "grace@example.org"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(claimed, timeout=10)
        assert refused.value.code == 403
        refused.value.close()


def test_on_this_machine_the_browser_remembers_the_name(tmp_path: Path, page: Page) -> None:
    port = free_port()
    with serving(tmp_path / "home", port=port):
        page.goto(f"http://127.0.0.1:{port}/")
        settle(page)
        name = page.get_by_label("Who you are")
        expect(name).to_have_value("")
        name.fill("Ada Lovelace é")
        name.press("Enter")
        page.wait_for_function("() => document.cookie.includes('tamis_name=Ada%20Lovelace')")
        page.reload()
        settle(page)
        expect(page.get_by_label("Who you are")).to_have_value("Ada Lovelace é")
        page.locator("body").press("?")
        expect(page.get_by_role("dialog")).to_contain_text("go to the command bar")

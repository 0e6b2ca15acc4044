"""Access to the server: the login modes, their settings, and the check before every request. No Streamlit here.

Modes:
    open: this machine only; people say their name.
    oidc: OpenID Connect by ``st.login``; the settings are in ``secrets.toml``, section ``[auth]``.
    proxy: a proxy logs people in and names them in a header; a shared secret authenticates it.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tamis.data.errors import SettingError
from tamis.data.people import Role

Mode = Literal["open", "oidc", "proxy"]
MODE = "TAMIS_LOGIN"
HEADER = "TAMIS_USER_HEADER"
SECRET = "TAMIS_PROXY_SECRET"
SECRET_HEADER = "x-tamis-proxy-secret"
USER_HEADER = "X-Forwarded-Email"
LEAST_SECRET = 32
HEALTH = "/_stcore/health"
OIDC_KEYS = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,60}")


@dataclass(frozen=True)
class Gate:
    """How people log in.

    Attributes:
        mode: the way to log in.
        sites: host names under which browsers reach the dashboard, beside this machine's own.
        header: in which the proxy names the person.
        secret: that the proxy sends with every request.
    """

    mode: Mode = "open"
    sites: tuple[str, ...] = ()
    header: str = USER_HEADER
    secret: str = field(default="", repr=False)

    @classmethod
    def of(
        cls,
        mode: str,
        *,
        sites: Sequence[str] = (),
        header: str = USER_HEADER,
        secrets: Sequence[Path] = (),
        environment: Mapping[str, str],
    ) -> Gate:
        """Check the login settings of a server and return its gate.

        Args:
            mode: the way to log in.
            sites: host names.
            header: in which the proxy names the person.
            secrets: files that may hold the section ``[auth]``; later ones win.
            environment: holds the secret of the proxy.

        Raises:
            SettingError: a setting of the mode is missing or too weak.
        """
        if mode not in get_args(Mode):
            raise SettingError("There is no such way to log in", value=mode, allowed=get_args(Mode))
        names = [_site(name) for name in sites]
        secret = environment.get(SECRET, "") if mode == "proxy" else ""
        if mode == "proxy":
            _check_proxy(header, secret)
        if mode == "oidc":
            names.append(_check_oidc(secrets))
        known = dict.fromkeys(name for name in names if not is_loopback(name))
        return cls(cast("Mode", mode), tuple(known), header, secret)

    @property
    def guest(self) -> Role:
        """Return the role of people without a role in the workspace: owner on this machine, viewer behind a login."""
        return "owner" if self.mode == "open" else "viewer"

    def require(self, host: str) -> None:
        """Check that an address may be served.

        Raises:
            SettingError: other machines reach it without a login, or the server's host name is unknown.
        """
        if is_loopback(host):
            return
        if self.mode == "open":
            raise SettingError(
                "Without a login the dashboard serves this machine only",
                value=host,
                allowed="127.0.0.1, ::1, localhost",
                fix="keep the address and use an SSH tunnel, or choose --login oidc or --login proxy (docs/team.md)",
            )
        if not self.sites:
            raise SettingError(
                "The name of the server is not known, so every browser would be refused",
                value=host,
                fix="give the host name that people type with --site, for example --site tamis.example.org",
            )

    def publish(self) -> None:
        """Set the login mode for the pages of this process."""
        os.environ[MODE] = self.mode
        os.environ[HEADER] = self.header


def in_force() -> Gate:
    """Return the gate of this process without secret and host names, which pages do not need."""
    mode = os.environ.get(MODE, "open")
    if mode not in get_args(Mode):
        raise SettingError("There is no such way to log in", value=mode, allowed=get_args(Mode))
    return Gate(cast("Mode", mode), header=os.environ.get(HEADER, USER_HEADER))


class ProxyCheck:
    """Refuse every request without the proxy's secret or without exactly one person.

    Applies to pages, sockets, and the routes beside them; only the health check answers to everyone.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] in ("http", "websocket") and scope["path"] != HEALTH and not self.admits(Headers(scope=scope)):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": "not through the proxy"})
                return
            answer = PlainTextResponse("This server is reached through its sign-in proxy.\n", status_code=403)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def admits(self, headers: Headers) -> bool:
        """Return whether the headers are those of the proxy."""
        given, people = headers.getlist(SECRET_HEADER), headers.getlist(self._gate.header)
        if len(given) != 1 or len(people) != 1 or not people[0].strip():
            return False
        return hmac.compare_digest(given[0].encode("latin-1"), self._gate.secret.encode())


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secret_files(root: Path) -> list[Path]:
    """Return the paths of ``secrets.toml``, the last wins: home folder, this folder, workspace."""
    return [
        Path.home() / ".streamlit" / "secrets.toml",
        Path.cwd() / ".streamlit" / "secrets.toml",
        root / "secrets.toml",
    ]


def _site(name: str) -> str:
    folded = name.strip().lower().rstrip(".")
    if not _NAME.fullmatch(folded):
        raise SettingError(
            "This is not the host name of a server", value=name, allowed="letters, digits, dots and hyphens",
            fix="give the name alone, without https:// and port",
        )  # fmt: skip
    return folded


def _check_proxy(header: str, secret: str) -> None:
    if not _HEADER.fullmatch(header) or header.lower() == SECRET_HEADER:
        raise SettingError("This is not the name of a header", value=header, allowed="letters, digits and hyphens")
    if len(secret) < LEAST_SECRET or not secret.isascii() or not secret.isprintable() or secret != secret.strip():
        raise SettingError(
            f"The proxy needs a shared secret of at least {LEAST_SECRET} plain characters in {SECRET}",
            value=f"{len(secret)} characters",
            fix=f"set it to the output of: openssl rand -hex 32, and let the proxy send it as {SECRET_HEADER}",
        )


def _check_oidc(files: Sequence[Path]) -> str:
    """Check the section ``[auth]`` and return the host name of the server."""
    if find_spec("authlib") is None:
        raise SettingError("OpenID Connect needs the package Authlib", fix="pip install 'tamis[login]'")
    auth: Mapping[str, Any] = {}
    for path in files:
        if path.is_file():
            try:
                auth = tomllib.loads(path.read_text("utf-8")).get("auth", auth)
            except (OSError, ValueError) as error:
                raise SettingError(f"The secrets cannot be read: {error}", value=str(path)) from error
    missing = [name for name in OIDC_KEYS if not isinstance(auth.get(name), str) or not auth[name]]
    if missing:
        raise SettingError(
            "The section [auth] of secrets.toml lacks settings", value=missing, allowed=OIDC_KEYS,
            fix="docs/team.md shows the section; the file is looked for at " + ", ".join(map(str, files)),
        )  # fmt: skip
    if len(auth["cookie_secret"]) < LEAST_SECRET:
        raise SettingError(
            f"cookie_secret has fewer than {LEAST_SECRET} characters, so a login could be forged",
            fix="set it to the output of: openssl rand -hex 32",
        )
    back = urlsplit(auth["redirect_uri"])
    host = back.hostname or ""
    if back.path != "/oauth2callback" or not (back.scheme == "https" or (back.scheme == "http" and is_loopback(host))):
        raise SettingError(
            "redirect_uri", value=auth["redirect_uri"], allowed="https://YOUR-SERVER/oauth2callback",
            fix="serve over https; only localhost may do without",
        )  # fmt: skip
    return host if is_loopback(host) else _site(host)

"""The web server of the dashboard: Streamlit with the map's routes; other machines need a login."""

from __future__ import annotations

import gc
import os
import socket
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware

from tamis.app.server.gate import Gate, ProxyCheck, secret_files
from tamis.data.errors import SettingError
from tamis.data.priority import YIELDS
from tamis.data.workspace import Workspace

HERE = Path(__file__).parents[1]
SCRIPT = HERE / "main" / "script.py"
DEFAULT_PORT = 8501
GARBAGE = 50_000
"""New objects after which the garbage of a server is collected; Python's own number is 700."""


def settings(*, host: str = "127.0.0.1", port: int = DEFAULT_PORT, gate: Gate | None = None) -> dict[str, Any]:
    """Return the Streamlit settings by dotted name, those of ``.streamlit/config.toml`` with this address.

    Raises:
        SettingError: other machines reach the address without a login, or the port is not valid.
    """
    gate = gate or Gate()
    gate.require(host)
    if not 0 <= port <= 65_535:
        raise SettingError("Port", value=port, allowed="0 to 65535")
    values = dict(_dotted(tomllib.loads((HERE / "streamlit.toml").read_text("utf-8"))))
    return values | {
        "server.address": host,
        "server.port": port,
        "server.allowedHosts": ["localhost", "127.0.0.1", *gate.sites],
        "server.corsAllowedOrigins": [f"https://{site}" for site in gate.sites],
    }


def require_free(host: str, port: int) -> None:
    """Check that nothing else listens on an address.

    Raises:
        SettingError: a program listens there, or the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise SettingError(
            f"The port cannot be used ({error.strerror})",
            value=port,
            fix="stop what listens there, perhaps another Tamis, or choose another with --port",
        ) from None


def serve(workspace: Workspace, *, host: str = "127.0.0.1", port: int = DEFAULT_PORT, gate: Gate | None = None) -> None:
    """Serve the dashboard until stopped.

    Args:
        workspace: its corpora are shown.
        host: address; one that other machines reach needs a gate.
        port: TCP port.
        gate: how people log in; by default only this machine has access.

    Raises:
        SettingError: as ``settings``.
    """
    gate = gate or Gate()
    chosen = settings(host=host, port=port, gate=gate)
    chosen["secrets.files"] = [str(path) for path in secret_files(workspace.root)]
    # Python's own rhythm of collecting garbage takes a sixth of the time in which the first page loads its libraries.
    gc.set_threshold(GARBAGE, 20, 20)
    os.environ["TAMIS_HOME"] = str(workspace.root)
    os.environ[YIELDS] = "1"
    gate.publish()
    # Late: Streamlit.
    import streamlit as st

    # Late: tamis.
    from tamis.app.server.first_page import START, FirstPage
    from tamis.app.server.headers import SafeHeaders
    from tamis.app.server.picture_routes import PICTURE_ROUTES
    from tamis.app.server.routes import ROUTES

    checks = [Middleware(SafeHeaders), Middleware(FirstPage)]
    if gate.mode == "proxy":
        checks.append(Middleware(ProxyCheck, gate=gate))
    st.App(SCRIPT, routes=[*ROUTES, *PICTURE_ROUTES, START], middleware=checks).run(config=chosen)


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

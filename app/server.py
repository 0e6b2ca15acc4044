"""The web server of the dashboard: Streamlit with the map's own routes, on this machine only."""

from __future__ import annotations

import ipaddress
import os
import socket
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tamis.data.errors import SettingError
from tamis.data.workspace import Workspace

HERE = Path(__file__).parent
DEFAULT_PORT = 8501


def settings(*, host: str = "127.0.0.1", port: int = DEFAULT_PORT) -> dict[str, Any]:
    """Return the Streamlit settings by dotted name, those of ``.streamlit/config.toml`` with this address.

    Raises:
        SettingError: an address other than this machine's own, or an impossible port.
    """
    if not _is_loopback(host):
        raise SettingError(
            "The dashboard has no login, so it serves this machine only",
            value=host,
            allowed="127.0.0.1, ::1, localhost",
            fix="keep the address and reach it through an SSH tunnel, or put an authenticating proxy before it",
        )
    if not 0 <= port <= 65_535:
        raise SettingError("Port", value=port, allowed="0 to 65535")
    values = dict(_dotted(tomllib.loads((HERE / "streamlit.toml").read_text("utf-8"))))
    return values | {"server.address": host, "server.port": port, "server.allowedHosts": ["localhost", "127.0.0.1"]}


def require_free(host: str, port: int) -> None:
    """Make sure that nothing else listens on an address.

    Raises:
        SettingError: something does, or the address cannot be used.
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


def serve(workspace: Workspace, *, host: str = "127.0.0.1", port: int = DEFAULT_PORT) -> None:
    """Serve the dashboard until stopped.

    Args:
        workspace: whose corpora are shown.
        host: a loopback address or name.
        port: TCP port.

    Raises:
        SettingError: as ``settings``.
    """
    chosen = settings(host=host, port=port)
    os.environ["TAMIS_HOME"] = str(workspace.root)
    import streamlit as st

    from tamis.app.routes import ROUTES

    st.App(HERE / "main.py", routes=list(ROUTES)).run(config=chosen)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value

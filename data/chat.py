"""Queries to a language model behind an OpenAI-compatible address, with the standard library only.

Nothing is sent unless a person names the address. The key comes from an environment variable, goes into one
header, and is neither stored nor logged: errors state the status, never the server's answer. Redirects are refused,
since they would send the key to another server.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from tamis.data.errors import EndpointError, SettingError

PATH = "/chat/completions"
LARGEST = 1 << 20
LONGEST_WAIT = 30.0
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class ChatEndpoint:
    """A model behind an address.

    Attributes:
        url: address of the service, for example https://host/v1; http is allowed for this machine only.
        model: name of the model at the service.
        key_env: environment variable with the key, empty if the service needs no key.
        seconds: longest wait for one answer.
        attempts: maximum number of attempts per question.
    """

    url: str
    model: str
    key_env: str = ""
    seconds: float = 60.0
    attempts: int = 3

    def __post_init__(self) -> None:
        check_endpoint(self.url)
        if not self.model.strip() or len(self.model) > 200 or not self.model.isprintable():
            raise SettingError("Name of the model", value=self.model, allowed="1 to 200 printable characters")
        if self.key_env and not (self.key_env.isidentifier() and self.key_env.isascii()):
            raise SettingError(
                "The key is named by an environment variable that holds it", allowed="letters, digits and underscores"
            )

    @property
    def host(self) -> str:
        """Return the host name that people see."""
        return urlsplit(self.url).netloc

    def require_key(self) -> None:
        """Check that the key is set.

        Raises:
            SettingError: the variable is not set, or holds something that cannot be a key.
        """
        key = os.environ.get(self.key_env, "") if self.key_env else "-"
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise SettingError(
                "The environment variable with the key is not set, or holds no key",
                value=self.key_env,
                fix="set it where Tamis is started",
            )

    def ask(self, messages: Sequence[Mapping[str, str]], *, check: Callable[[], None] = lambda: None) -> str:
        """Return the model's answer.

        Args:
            messages: role and content of each.
            check: called between attempts and while waiting; may raise to stop.

        Raises:
            EndpointError: no answer after all attempts, a refusal, or an answer in another form.
        """
        self.require_key()
        body = {"model": self.model, "messages": list(messages), "temperature": 0, "max_tokens": 200}
        data = json.dumps(body, ensure_ascii=False).encode()
        for attempt in range(1, self.attempts + 1):
            check()
            try:
                return _content(self._post(data))
            except HTTPError as error:
                status, wait = error.code, _seconds(error.headers.get("Retry-After"))
                error.close()
                if status not in _AGAIN:
                    raise _refusal(status) from None
                last = f"status {status}"
            except (OSError, http.client.HTTPException, TimeoutError) as error:
                last, wait = _reason(error), 0.0
            if attempt < self.attempts:
                _pause(min(max(wait, 2.0 ** (attempt - 1)), LONGEST_WAIT), check)
        raise EndpointError(
            f"The endpoint did not answer after {self.attempts} attempts ({last})", value=self.host, fatal=False
        )

    def _post(self, data: bytes) -> bytes:
        url = self.url.rstrip("/")
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "tamis"}
        if self.key_env:
            headers["Authorization"] = f"Bearer {os.environ[self.key_env]}"
        request = urllib.request.Request(url if url.endswith(PATH) else url + PATH, data, headers)
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if urlsplit(url).scheme == "http":
            handlers.append(urllib.request.ProxyHandler({}))
        end = time.monotonic() + self.seconds
        parts, size = [], 0
        with urllib.request.build_opener(*handlers).open(request, timeout=self.seconds) as answer:
            while part := answer.read1(1 << 16):
                parts.append(part)
                size += len(part)
                if size > LARGEST:
                    raise EndpointError("The endpoint's answer is too long", value=self.host, fatal=False)
                if time.monotonic() > end:
                    raise TimeoutError
        return b"".join(parts)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect; the status becomes the error."""


def check_endpoint(url: str) -> None:
    """Check that queries may be sent to an address.

    Raises:
        SettingError: not http(s), http to another machine, or credentials, a query or a fragment in it.
    """
    allowed = "https://host/path, or http:// on this machine"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise SettingError("Address of the endpoint", allowed=allowed) from None
    shown = f"{parts.scheme}://{host}/…"
    if "@" in parts.netloc or "?" in url or "#" in url or not url.isascii() or not url.isprintable():
        raise SettingError(
            "An endpoint must not carry credentials, a query or a fragment", value=shown,
            fix="name the environment variable that holds the key",
        )  # fmt: skip
    if not host or parts.scheme not in ("http", "https") or (parts.scheme == "http" and not _loopback(host)):
        raise SettingError("Address of the endpoint", value=shown, allowed=allowed)


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _content(data: bytes) -> str:
    try:
        content = json.loads(data)["choices"][0]["message"]["content"]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        content = None
    if not isinstance(content, str):
        raise EndpointError("The endpoint's answer is not in the chat-completions form", fatal=False)
    return content


def _refusal(status: int) -> EndpointError:
    reasons = {
        401: "the key is refused", 403: "access is refused", 404: "there is no such address or model",
        400: "the request is refused; perhaps there is no such model",
    }  # fmt: skip
    said = "it redirects, and redirects are refused" if 300 <= status < 400 else reasons.get(status, "it refuses")
    return EndpointError(f"The endpoint answered {status}: {said}", fatal=True, fix="check address, model and key")


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", error)
    return "timeout" if isinstance(inner, TimeoutError) else type(inner).__name__


def _seconds(text: str | None) -> float:
    return float(text) if text is not None and text.isascii() and text.isdigit() else 0.0


def _pause(seconds: float, check: Callable[[], None]) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        check()
        time.sleep(min(left, 0.2))

"""The page that the browser loads first: it names the server's address, so that a deep link asks for nothing else.

Streamlit's script looks for its server below the path of the page it was loaded from (``/map/_stcore/health``), and
goes up only after that has failed. The line added here says at once where the server is: above the name of the page.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEAD = b"<head>"
_ASKED_OFF = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")
"""Headers of a request that would make an answer that cannot be added to: packed, unchanged or a part."""


SCRIPT = b"<script>window.__streamlit = {BACKEND_BASE_URL: new URL('./', location.href).href};</script>"
"""Says that the server is where the page's own files are: in the folder of its address."""


class FirstPage:
    """ASGI middleware that adds ``SCRIPT`` to the head of every HTML page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; hold back the beginning of an HTML answer until its body is whole."""
        page = scope["type"] == "http" and scope["method"] == "GET"
        if not page or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self._app(scope, receive, send)
            return
        begun: list[Message] = []
        body: list[bytes] = []

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(Headers(raw=message["headers"])):
                begun.append(message)
            elif begun and message["type"] == "http.response.body":
                body.append(message.get("body", b""))
                if not message.get("more_body", False):
                    whole = b"".join(body).replace(_HEAD, _HEAD + SCRIPT, 1)
                    headers = MutableHeaders(raw=list(begun[0]["headers"]))
                    headers["content-length"] = str(len(whole))
                    for name in ("etag", "last-modified", "accept-ranges"):
                        del headers[name]
                    await send({**begun[0], "headers": headers.raw})
                    await send({"type": "http.response.body", "body": whole})
            else:
                await send(message)

        # Files are then sent as a body, not as a path that the server would read by itself.
        extensions = {name: value for name, value in scope.get("extensions", {}).items() if "pathsend" not in name}
        asked = [(name, value) for name, value in scope["headers"] if name not in _ASKED_OFF]
        await self._app({**scope, "extensions": extensions, "headers": asked}, receive, answer)


def _is_page(headers: Headers) -> bool:
    return headers.get("content-type", "").startswith("text/html")


def to_start(request: Request) -> Response:
    """Answer with the address of the first page; what stands behind the question mark stays."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"./{query}", status_code=307)


START = Route("/overview", to_start, methods=["GET"])
"""The first page has the address of the server itself; people also type its name."""

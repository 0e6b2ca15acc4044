"""What the browser fetches beside Streamlit: map bytes and snippets. Every request needs a session's token."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tamis.data.errors import TamisError

BLOB_BYTES = 512 << 20
MAX_TOKENS = 10_000
SNIPPET_CHARACTERS = 280


@dataclass(frozen=True)
class Snippet:
    """The beginning of a document, for a tooltip.

    Attributes:
        id: document id.
        text: its first characters, white space folded.
        lines: a few facts, one line each.
    """

    id: str
    text: str
    lines: tuple[str, ...] = ()


class BlobDesk:
    """What may be fetched: blobs by digest, snippets by corpus; and the tokens of the sessions that may."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: OrderedDict[str, None] = OrderedDict()
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._snippets: dict[str, Callable[[int], Snippet]] = {}

    def new_token(self) -> str:
        """Return a fresh token for one browser session; the oldest is forgotten beyond the limit."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens[token] = None
            while len(self._tokens) > MAX_TOKENS:
                self._tokens.popitem(last=False)
        return token

    def admits(self, token: str) -> bool:
        """Say whether a session owns the token."""
        with self._lock:
            return token in self._tokens

    def publish(self, name: str, data: bytes) -> str:
        """Make bytes fetchable under the name of their content and return their path."""
        with self._lock:
            self._blobs[name] = data
            self._blobs.move_to_end(name)
            while len(self._blobs) > 1 and sum(map(len, self._blobs.values())) > BLOB_BYTES:
                self._blobs.popitem(last=False)
        return f"/tamis/blob/{name}"

    def blob(self, name: str) -> bytes | None:
        """Return published bytes, or None when they are gone."""
        with self._lock:
            return self._blobs.get(name)

    def publish_snippets(self, name: str, read: Callable[[int], Snippet]) -> str:
        """Make snippets of a corpus fetchable by facts row and return the path's beginning."""
        with self._lock:
            self._snippets[name] = read
        return f"/tamis/snippet/{name}"

    def snippets(self, name: str) -> Callable[[int], Snippet] | None:
        """Return the reader of a corpus' snippets."""
        with self._lock:
            return self._snippets.get(name)


DESK = BlobDesk()


def _refused(request: Request) -> Response | None:
    if DESK.admits(request.headers.get("x-tamis-token", "")):
        return None
    return JSONResponse({"error": "This address needs the token of a dashboard session."}, status_code=403)


def blob(request: Request) -> Response:
    """Answer with published bytes."""
    refused = _refused(request)
    if refused is not None:
        return refused
    data = DESK.blob(request.path_params["name"])
    if data is None:
        return JSONResponse({"error": "These bytes are no longer kept; reload the page."}, status_code=404)
    headers = {"cache-control": "private, max-age=86400, immutable", "x-content-type-options": "nosniff"}
    return Response(data, media_type="application/octet-stream", headers=headers)


def snippet(request: Request) -> Response:
    """Answer with the beginning of one document as JSON."""
    refused = _refused(request)
    if refused is not None:
        return refused
    read = DESK.snippets(request.path_params["name"])
    if read is None:
        return JSONResponse({"error": "This corpus is not open; reload the page."}, status_code=404)
    try:
        found = read(request.path_params["row"])
    except (TamisError, IndexError) as error:
        return JSONResponse({"error": str(error)}, status_code=404)
    body = {"id": found.id, "text": found.text, "lines": list(found.lines)}
    return JSONResponse(body, headers={"cache-control": "private, max-age=600", "x-content-type-options": "nosniff"})


ROUTES = (
    Route("/tamis/blob/{name:str}", blob, methods=["GET"]),
    Route("/tamis/snippet/{name:str}/{row:int}", snippet, methods=["GET"]),
)

"""Routes beside Streamlit's: map bytes and snippets. Every request needs a session's token.

Pictures have routes of their own (``picture_routes``), since an image element cannot send the token.
"""

from __future__ import annotations

import secrets
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tamis.data.errors import TamisError

BLOB_BYTES = 512 << 20
MAX_TOKENS = 10_000
SHOWN = 4
"""Number of blobs of a kind that a session can fetch: the current one and the ones before."""

SNIPPET_CHARACTERS = 280


@dataclass(frozen=True)
class Said:
    """A turn in a tooltip.

    Attributes:
        title: who speaks, for people.
        role: one of ``parts.ROLES``.
        text: its first characters, white space folded.
    """

    title: str
    role: str
    text: str


@dataclass(frozen=True)
class Snippet:
    """The beginning of a document, for a tooltip.

    Attributes:
        id: document id.
        text: its first characters, white space folded; empty where there are turns.
        lines: a few facts, one line each.
        turns: of a document of turns those that say what it is about.
        picture: facts row of a document that is a picture, -1 for any other.
    """

    id: str
    text: str
    lines: tuple[str, ...] = ()
    turns: tuple[Said, ...] = ()
    picture: int = -1


ReadPictures = Callable[[Sequence[int], str], list[bytes]]
"""Returns WebP bytes of pictures by facts row, of a size in ``picture_routes.SIZES``."""


class Token(str):
    """The secret of one browser session; when Streamlit drops the session, the desk forgets it."""


class BlobDesk:
    """Blobs by digest and snippets by corpus, and the sessions that may fetch them.

    Each session keeps its last ``SHOWN`` blobs of each kind, since a browser may still fetch those of the run before.
    A blob that no open session can fetch is dropped.

    Pictures stand under a secret of their own for every session and corpus: whoever knows it may see the pictures of
    this corpus as long as the session lasts, and nothing else.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended: deque[str] = deque()
        self._shown: OrderedDict[str, dict[str, tuple[str, ...]]] = OrderedDict()
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._snippets: dict[str, Callable[[int], Snippet]] = {}
        self._pictures: dict[str, ReadPictures] = {}
        self._secrets: dict[tuple[str, str], str] = {}

    @property
    def assets(self) -> int:
        """Return how many blobs and readers of snippets and pictures may be fetched."""
        with self._lock:
            self._forget_ended()
        return len(self._blobs) + len(self._snippets) + len(self._pictures)

    def new_token(self) -> Token:
        """Return a fresh token for one browser session; the oldest is forgotten beyond the limit."""
        token = Token(secrets.token_urlsafe(24))
        # Garbage collection may run while the lock is held, so the callback only notes sessions that end.
        weakref.finalize(token, self._ended.append, str(token)).atexit = False
        with self._lock:
            self._forget_ended()
            self._shown[str(token)] = {}
            while len(self._shown) > MAX_TOKENS:
                self._forget(next(iter(self._shown)))
        return token

    def admits(self, token: str) -> bool:
        """Return whether a session owns the token."""
        with self._lock:
            return token in self._shown

    def publish(self, token: str, kind: str, name: str, data: bytes) -> str:
        """Make bytes fetchable under the name of their content and return their path.

        Args:
            token: of the session that fetches them.
            kind: their use, such as ``points``; newer bytes of a kind replace older ones.
            name: unique for the content.
            data: the bytes.
        """
        with self._lock:
            self._blobs[name] = data
            self._blobs.move_to_end(name)
            self._show(token, kind, name)
            while len(self._blobs) > 1 and sum(map(len, self._blobs.values())) > BLOB_BYTES:
                self._blobs.popitem(last=False)
        return f"/tamis/blob/{name}"

    def blob(self, name: str) -> bytes | None:
        """Return published bytes, or None if they are gone."""
        with self._lock:
            return self._blobs.get(name)

    def publish_snippets(self, token: str, name: str, read: Callable[[int], Snippet]) -> str:
        """Make snippets of a corpus fetchable by facts row and return the path's beginning."""
        with self._lock:
            self._snippets[name] = read
            self._show(token, "snippets", name)
        return f"/tamis/snippet/{name}"

    def snippets(self, name: str) -> Callable[[int], Snippet] | None:
        """Return the reader of a corpus' snippets."""
        with self._lock:
            return self._snippets.get(name)

    def publish_pictures(self, token: str, corpus: str, read: ReadPictures) -> str:
        """Make pictures of a corpus fetchable by facts row for one session and return the path's beginning.

        Args:
            token: of the session.
            corpus: unique for the corpus with the state of its files; the same one has the same path again.
            read: returns their bytes.
        """
        with self._lock:
            name = self._secrets.setdefault((str(token), corpus), secrets.token_urlsafe(24))
            self._pictures[name] = read
            self._show(token, "pictures", name)
        return f"/tamis/picture/{name}"

    def pictures(self, name: str) -> ReadPictures | None:
        """Return the reader of pictures under a secret, None if no open session has it."""
        with self._lock:
            self._forget_ended()
            return self._pictures.get(name)

    def _forget_ended(self) -> None:
        while self._ended:
            self._forget(self._ended.popleft())

    def _forget(self, token: str) -> None:
        """End a session: revoke its token and drop what only it could fetch."""
        shown = self._shown.pop(token, {})
        self._drop({name for names in shown.values() for name in names})

    def _show(self, token: str, kind: str, name: str) -> None:
        """Note that a session can fetch a blob, and drop those that it replaces."""
        self._forget_ended()
        shown = self._shown.get(token)
        if shown is None:
            self._drop({name})
            return
        names = (*(old for old in shown.get(kind, ()) if old != name), name)
        shown[kind] = names[-SHOWN:]
        self._drop(set(names[:-SHOWN]))

    def _drop(self, names: set[str]) -> None:
        """Drop the names that no session can fetch."""
        if names:
            names = names.difference(*(kept for shown in self._shown.values() for kept in shown.values()))
        for name in names:
            self._blobs.pop(name, None)
            self._snippets.pop(name, None)
            if self._pictures.pop(name, None) is not None:
                self._secrets = {key: secret for key, secret in self._secrets.items() if secret != name}


DESK = BlobDesk()


def refused(request: Request) -> Response | None:
    """Return the answer to a request without the token of a session, None to one with it."""
    if DESK.admits(request.headers.get("x-tamis-token", "")):
        return None
    return JSONResponse({"error": "This address needs the token of a dashboard session."}, status_code=403)


def blob(request: Request) -> Response:
    """Answer with published bytes."""
    if (answer := refused(request)) is not None:
        return answer
    data = DESK.blob(request.path_params["name"])
    if data is None:
        return JSONResponse({"error": "These bytes are no longer kept; reload the page."}, status_code=404)
    headers = {"cache-control": "private, max-age=86400, immutable", "x-content-type-options": "nosniff"}
    return Response(data, media_type="application/octet-stream", headers=headers)


def snippet(request: Request) -> Response:
    """Answer with the beginning of one document as JSON."""
    if (answer := refused(request)) is not None:
        return answer
    read = DESK.snippets(request.path_params["name"])
    if read is None:
        return JSONResponse({"error": "This corpus is not open; reload the page."}, status_code=404)
    try:
        found = read(request.path_params["row"])
    except (TamisError, IndexError) as error:
        return JSONResponse({"error": str(error)}, status_code=404)
    body: dict[str, object] = {"id": found.id, "text": found.text, "lines": list(found.lines)}
    if found.turns:
        body["turns"] = [asdict(each) for each in found.turns]
    if found.picture >= 0:
        body["picture"] = found.picture
    return JSONResponse(body, headers={"cache-control": "private, max-age=600", "x-content-type-options": "nosniff"})


ROUTES = (
    Route("/tamis/blob/{name:str}", blob, methods=["GET"]),
    Route("/tamis/snippet/{name:str}/{row:int}", snippet, methods=["GET"]),
)

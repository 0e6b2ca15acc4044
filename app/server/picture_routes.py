"""Routes of pictures, for image elements and for the map.

An image element sends no header, so the token of the session cannot come with it. A cookie would: but every port of a
machine shares its cookies, and any page on it could then show pictures of the corpus. So the address itself holds a
secret of 192 random bits, another one for every session and corpus, which opens pictures of this corpus and nothing
else, and ends with the session. The token never stands in an address. No page hands the address on (``no-referrer``),
no other site may show what it leads to (``cross-origin-resource-policy`` and ``sec-fetch-site``).

Only WebP made here leaves: thumbnails of the analysis, or the picture decoded and encoded again. The bytes of a file
are never sent, so that no HTML, SVG or other active content of a corpus is served.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tamis.app.server.routes import DESK, ReadPictures, refused
from tamis.data.errors import TamisError

SIZES = ("128", "320", "full")
"""Longest side of a thumbnail in pixels; ``full`` is the whole picture, see ``study.pictures.LARGEST``."""
MOST = 128
"""Thumbnails in one answer."""
HEADERS = {
    "cache-control": "private, max-age=86400, immutable",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_ELSEWHERE = ("cross-site", "same-site")


def picture(request: Request) -> Response:
    """Answer with one picture as WebP."""
    read = _reader(request)
    if isinstance(read, Response):
        return read
    size = request.query_params.get("size", SIZES[0])
    found = _read(read, [request.path_params["row"]], size)
    return found if isinstance(found, Response) else Response(found[0], media_type="image/webp", headers=HEADERS)


def pictures(request: Request) -> Response:
    """Answer with several thumbnails: their number n, the n lengths in bytes (uint32, little-endian), their bytes."""
    if (answer := refused(request)) is not None:
        return answer
    read = _reader(request)
    if isinstance(read, Response):
        return read
    try:
        rows = [int(row) for row in request.query_params.get("rows", "").split("-")]
    except ValueError:
        rows = []
    if not 0 < len(rows) <= MOST:
        return _error(f"rows are 1 to {MOST} numbers with hyphens between them.", status=400)
    found = _read(read, rows, SIZES[0])
    if isinstance(found, Response):
        return found
    head = struct.pack(f"<{len(found) + 1}I", len(found), *map(len, found))
    return Response(b"".join([head, *found]), media_type="application/octet-stream", headers=HEADERS)


def _reader(request: Request) -> ReadPictures | Response:
    """Return what reads the pictures of the address, or the refusal."""
    read = DESK.pictures(request.path_params["name"])
    if read is None or request.headers.get("sec-fetch-site") in _ELSEWHERE:
        return _error("This address belongs to no dashboard session.", status=403)
    return read


def _read(read: ReadPictures, rows: Sequence[int], size: str) -> list[bytes] | Response:
    if size not in SIZES:
        return _error(f"size is one of {', '.join(SIZES)}.", status=400)
    try:
        found = read(rows, size)
    except (TamisError, IndexError) as error:
        return _error(str(error), status=404)
    if not all(_is_webp(each) for each in found):
        return _error("This is no picture that can be shown.", status=404)
    return found


def _is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _error(words: str, *, status: int) -> JSONResponse:
    return JSONResponse({"error": words}, status_code=status, headers={"x-content-type-options": "nosniff"})


PICTURE_ROUTES = (
    Route("/tamis/picture/{name:str}/{row:int}", picture, methods=["GET"]),
    Route("/tamis/picture/{name:str}", pictures, methods=["GET"]),
)

"""Pictures are shown to the session whose page shows them, as WebP made here, and to nobody else."""

from __future__ import annotations

import gc
import struct
from collections.abc import Iterator, Sequence
from io import BytesIO

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tamis.app.server.picture_routes import MOST, PICTURE_ROUTES
from tamis.app.server.routes import DESK, SHOWN, Token
from tamis.data.errors import StoreError

HOSTILE = {
    1: b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    2: b"<html><script>alert(1)</script></html>",
    3: b"\xff\xd8\xff\xe0 not made here",
    4: b"RIFF\x04\x00\x00\x00WAVE",
    5: b"",
}


def webp(colour: tuple[int, int, int]) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (4, 3), colour).save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


def read(rows: Sequence[int], size: str) -> list[bytes]:
    if any(row not in range(10) for row in rows):
        raise StoreError("There is no such document", value=max(rows))
    return [HOSTILE[row] if row in HOSTILE else webp((row, len(size), 0)) for row in rows]


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(Starlette(routes=PICTURE_ROUTES)) as found:
        yield found


@pytest.fixture
def token() -> Token:
    return DESK.new_token()


def test_a_picture_comes_as_webp_that_the_browser_keeps_for_itself(client: TestClient, token: Token) -> None:
    address = DESK.publish_pictures(token, "corpus", read)
    for size in ("128", "320", "full"):
        answer = client.get(f"{address}/0?size={size}")
        assert answer.status_code == 200 and answer.content == webp((0, len(size), 0))
        assert answer.headers["content-type"] == "image/webp"
        assert answer.headers["cache-control"] == "private, max-age=86400, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("row", HOSTILE)
def test_nothing_but_webp_leaves_whatever_the_corpus_holds(row: int, client: TestClient, token: Token) -> None:
    address = DESK.publish_pictures(token, "corpus", read)
    for path in (f"{address}/{row}", f"{address}?rows={row}"):
        answer = client.get(path, headers={"x-tamis-token": str(token)})
        assert answer.status_code == 404 and answer.headers["content-type"] == "application/json"
        assert not HOSTILE[row] or HOSTILE[row] not in answer.content


def test_an_address_that_no_session_has_shows_nothing(client: TestClient, token: Token) -> None:
    address = DESK.publish_pictures(token, "corpus", read)
    assert str(token) not in address, "whoever sees the address has no token"
    for wrong in (f"/tamis/picture/{token}/0", f"{address[:-1]}/0", f"{address}x/0", "/tamis/picture/corpus/0"):
        assert client.get(wrong).status_code == 403
    assert DESK.publish_pictures(DESK.new_token(), "corpus", read) != address


def test_pictures_go_with_their_session_and_with_older_corpora(client: TestClient) -> None:
    stays, goes = DESK.new_token(), DESK.new_token()
    gone, kept = (DESK.publish_pictures(token, "corpus", read) for token in (goes, stays))
    assert DESK.publish_pictures(stays, "corpus", read) == kept, "the browser finds what it has kept"
    del goes
    gc.collect()
    assert client.get(f"{gone}/0").status_code == 403 and client.get(f"{kept}/0").status_code == 200
    for number in range(SHOWN):
        DESK.publish_pictures(stays, f"corpus {number}", read)
    assert client.get(f"{kept}/0").status_code == 403
    assert DESK.publish_pictures(stays, "corpus", read) != kept, "a dropped secret is not used again"


@pytest.mark.parametrize(
    ("came", "status"), [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)]
)
def test_no_other_site_shows_a_picture(came: str, status: int, client: TestClient, token: Token) -> None:
    address = DESK.publish_pictures(token, "corpus", read)
    assert client.get(f"{address}/0", headers={"sec-fetch-site": came}).status_code == status


def test_many_thumbnails_come_in_one_answer_to_the_session_only(client: TestClient, token: Token) -> None:
    address = DESK.publish_pictures(token, "corpus", read)
    rows = [0, 7, 9, 7]
    assert client.get(f"{address}?rows=0-7").status_code == 403, "the map can send the token, so it must"
    answer = client.get(f"{address}?rows={'-'.join(map(str, rows))}", headers={"x-tamis-token": str(token)})
    number, *lengths = struct.unpack_from(f"<{1 + len(rows)}I", answer.content)
    assert number == len(rows) and answer.headers["content-type"] == "application/octet-stream"
    at = 4 * (1 + len(rows))
    for row, length in zip(rows, lengths, strict=True):
        assert answer.content[at : at + length] == webp((row, 3, 0))
        at += length
    assert at == len(answer.content)


def test_what_is_no_picture_is_refused_in_words(client: TestClient, token: Token) -> None:
    address, headers = DESK.publish_pictures(token, "corpus", read), {"x-tamis-token": str(token)}
    assert client.get(f"{address}/0?size=1024").status_code == 400
    assert "no such document" in client.get(f"{address}/11").json()["error"]
    for rows in ("", "a", "1--2", "-1", "1,2", "-".join(["0"] * (MOST + 1))):
        assert client.get(f"{address}?rows={rows}", headers=headers).status_code == 400, rows
    assert client.post(f"{address}/0").status_code == 405

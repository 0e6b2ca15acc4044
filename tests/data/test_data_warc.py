"""Web archives: the texts of WET, the main content of pages, in every packing, with what is no page counted."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tamis.data.errors import CorpusError, SettingError
from tamis.data.open_corpus import open_corpus

PAGE = (
    "<html><head><title>A title</title></head><body><nav><a href=/>Home</a> <a href=/a>About us</a></nav><main>"
    "<p>{text}</p></main><footer>All rights reserved, terms and conditions</footer></body></html>"
)


def record(kind: str, number: int, body: bytes, media: str = "application/http; msgtype=response") -> bytes:
    """Return one record."""
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Date: 2024-01-02T03:04:{number % 60:02d}Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{number:032x}>\r\nWARC-Target-URI: http://example.org/{number}\r\n"
        f"Content-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body + b"\r\n\r\n"


def answer(body: bytes, media: str = "text/html; charset=utf-8", status: str = "200 OK", packing: str = "") -> bytes:
    """Return an HTTP answer."""
    packed = f"Content-Encoding: {packing}\r\n" if packing else ""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\n{packed}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def text(number: int) -> str:
    """Return a paragraph of a page."""
    return f"Paragraph {number} tells of gardens, rivers and naïve “words”. " * 8


def pages(count: int) -> list[bytes]:
    """Return the records of a crawl: a request and a page each."""
    found = [record("warcinfo", 10**6, b"software: none\r\n", "application/warc-fields")]
    for k in range(count):
        found.append(record("request", k, b"GET / HTTP/1.1\r\n\r\n", "application/http; msgtype=request"))
        html = PAGE.format(text=text(k)).encode()
        found.append(record("response", k, answer(gzip.compress(html), packing="gzip") if k % 2 else answer(html)))
    return found


def wet(count: int) -> list[bytes]:
    """Return the records of a WET file."""
    info = record("warcinfo", 10**6, b"software: none\r\n", "application/warc-fields")
    return [info, *(record("conversion", k, text(k).encode(), "text/plain") for k in range(count))]


PACKINGS: dict[str, tuple[str, Callable[[list[bytes]], bytes]]] = {
    "plain": ("a.warc", b"".join),
    "each record": ("a.warc.gz", lambda records: b"".join(map(gzip.compress, records))),
    "the whole": ("a.warc.gz", lambda records: gzip.compress(b"".join(records))),
    "zstandard": ("a.warc.zst", lambda records: zstandard.compress(b"".join(records))),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_pages_give_their_main_content_in_every_packing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packing: str
) -> None:
    monkeypatch.setattr("tamis.data.warc_reader.MARK_ROWS", 10)
    name, pack = PACKINGS[packing]
    (tmp_path / name).write_bytes(pack(pages(95)))
    corpus = open_corpus(tmp_path)
    assert (corpus.rows, corpus.files[0].format, corpus.roles.text) == (95, "warc", "text")
    texts = [value for shard in corpus.shards() for texts in corpus.texts(shard) for value in texts.to_pylist()]
    assert [value.strip() for value in texts] == [text(k).strip() for k in range(95)]
    wanted = [94, 0, 47, 10, 9]
    rows = corpus.take(wanted).to_pylist()
    assert [row["text"].strip() for row in rows] == [text(k).strip() for k in wanted]
    assert [row["url"] for row in rows] == [f"http://example.org/{k}" for k in wanted]
    assert rows[1]["record_id"] == f"<urn:uuid:{0:032x}>"
    assert rows[1]["date"].isoformat() == "2024-01-02T03:04:00+00:00"
    assert rows[1]["content_type"] == "text/html"
    assert rows[1]["source_bytes"] == len(PAGE.format(text=text(0)).encode())
    assert len(corpus._opened[0].probe.marks) == 10
    assert corpus.files[0].maker.startswith("resiliparse ")
    corpus.verify()


@pytest.mark.parametrize("name", ["a.wet", "a.warc.wet.gz"])
def test_texts_of_wet_come_as_they_are(tmp_path: Path, name: str) -> None:
    data = wet(30)
    (tmp_path / name).write_bytes(b"".join(map(gzip.compress, data) if name.endswith("gz") else data))
    corpus = open_corpus(tmp_path)
    assert corpus.take(range(30))["text"].to_pylist() == [text(k) for k in range(30)]
    assert corpus.take([3])["source_bytes"].to_pylist() == [len(text(3).encode())]
    assert (corpus.files[0].maker, corpus.notes) == ("", ())


def test_answers_that_are_no_pages_are_counted_by_kind(tmp_path: Path) -> None:
    records = [
        record("response", 0, answer(b"\x89PNG", "image/png")),
        record("response", 1, answer(b"no such page", status="404 Not Found")),
        record("response", 2, answer(b"plain words", "text/plain")),
        record("resource", 3, PAGE.format(text=text(3)).encode(), "text/html"),
        record("response", 4, b"not an answer at all\r\n\r\nx"),
        record("response", 5, answer(b"\x89PNG", "image/png")),
        record("revisit", 6, answer(b"")),
        record("response", 7, answer(b"\x1f\x8b\x08" + b"\xff\0" * 90, packing="gzip")),
    ]
    (tmp_path / "a.warc").write_bytes(b"".join(records))
    corpus = open_corpus(tmp_path)
    assert [row["text"].strip() for row in corpus.take(range(2)).to_pylist()] == ["plain words", text(3).strip()]
    assert corpus.notes == (
        "a.warc: 5 records are left out, they are no pages: image/png 2, status 404 1, no HTTP 1, unreadable body 1",
    )


@pytest.mark.parametrize(
    ("body", "media"),
    [
        ("größer".encode("latin-1"), "text/html; charset=iso-8859-1"),
        (b"<meta charset=iso-8859-1>" + "größer".encode("latin-1"), "text/html"),
        ("größer".encode(), "text/html; charset=utf-8"),
        ("größer".encode(), "text/html; charset=no-such-name"),
    ],
)
def test_pages_are_decoded_as_headers_or_page_say(tmp_path: Path, body: bytes, media: str) -> None:
    page = b"<html><body><p>" + body + b" " + text(1).encode("ascii", "ignore") + b"</p></body></html>"
    (tmp_path / "a.warc").write_bytes(record("response", 0, answer(page, media)))
    assert open_corpus(tmp_path).take([0])["text"][0].as_py().startswith("größer Paragraph 1")


def test_a_body_that_is_not_packed_as_its_headers_say_is_read(tmp_path: Path) -> None:
    page = answer(PAGE.format(text=text(1)).encode(), packing="gzip")
    (tmp_path / "a.warc").write_bytes(record("response", 0, page))
    assert open_corpus(tmp_path).take([0])["text"][0].as_py().strip() == text(1).strip()


@pytest.mark.parametrize(
    ("packing", "cut", "broken"),
    [("plain", -40, 41), ("plain", -600, 41), ("each record", -40, 41), ("each record", -260, 40), ("plain", -900, 40)],
)
def test_an_archive_that_breaks_off_is_refused_or_read_up_to_there(
    tmp_path: Path, packing: str, cut: int, broken: int
) -> None:
    name, pack = PACKINGS[packing]
    (tmp_path / name).write_bytes(pack(wet(40))[:cut])
    with pytest.raises(CorpusError, match=rf"{name} breaks off in record {broken}\..*--skip-bad-files"):
        open_corpus(tmp_path)
    corpus = open_corpus(tmp_path, on_bad_file="skip")
    # The first record describes the file.
    assert corpus.rows == broken - 2
    assert corpus.take(range(corpus.rows))["text"].to_pylist() == [text(k) for k in range(corpus.rows)]
    assert "the rest of the file is left out" in corpus.left_out[0].reason


@pytest.mark.parametrize(
    "data",
    [b"", b"not an archive" * 99, gzip.compress(b"not an archive" * 99), b"".join(wet(3)) + b"junk\r\n\r\n"],
    ids=["nothing", "words", "packed words", "junk at the end"],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.warc.gz").write_bytes(data)
    with pytest.raises(CorpusError, match=r"a\.warc\.gz (is empty|is no sound web archive|holds no|cannot be read)"):
        open_corpus(tmp_path)


def test_without_its_packages_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.warc").write_bytes(b"".join(wet(3)))
    found = importlib.util.find_spec
    monkeypatch.setattr("tamis.data.web_pages.find_spec", lambda name: None if name == "fastwarc" else found(name))
    with pytest.raises(SettingError, match=r"Reading web archives.*'fastwarc'.*pip install 'tamis\[web\]'"):
        open_corpus(tmp_path)

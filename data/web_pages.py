"""Records of web archives as documents: text that an archive holds, or the main content of a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from tamis.data.errors import SettingError

if TYPE_CHECKING:
    from fastwarc.warc import WarcRecord

SCHEMA = pa.schema(
    [(name, pa.large_string()) for name in ("text", "url")]
    + [("date", pa.timestamp("us", tz="UTC"))]
    + [(name, pa.large_string()) for name in ("record_id", "content_type")]
    + [("source_bytes", pa.int64())]
)
"""``source_bytes`` are those of the page before its main content was taken, or of the text itself."""

HTML = ("text/html", "application/xhtml+xml")
PLAIN = "text/plain"
EXTRACTOR = "resiliparse"
_DECODINGS: tuple[Literal["all", "transfer", "none"], ...] = ("all", "transfer", "none")
_PACKAGES = ("fastwarc", EXTRACTOR)


def need_web_packages() -> None:
    """Raise ``SettingError`` unless the packages that read web archives are installed."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise SettingError(
            "Reading web archives (WARC, WET) needs packages",
            value=", ".join(missing),
            fix="pip install 'tamis[web]'",
        )


def extractor() -> str:
    """Return name and version of what takes the main content of pages: the text follows from both."""
    try:
        return f"{EXTRACTOR} {version(EXTRACTOR)}"
    except PackageNotFoundError:
        return EXTRACTOR


class NoPageError(Exception):
    """A record is no document; its text says of what kind it is."""


@dataclass(frozen=True)
class WebPage:
    """A record that is a document.

    Attributes:
        values: by column of ``SCHEMA``, without ``text`` and ``source_bytes``.
        kind: media type of the body.
        charset: encoding that its headers state.
        body: its bytes.
    """

    values: dict[str, Any]
    kind: str
    charset: str | None
    body: bytes

    def row(self) -> dict[str, Any]:
        """Return the row."""
        text = self.body.decode("utf-8", "surrogateescape") if self.kind == PLAIN and not self.charset else None
        if text is None:
            text = _decoded(self.body, self.charset)
        if self.kind in HTML:
            text = _main_content(text)
        return {**self.values, "text": text, "source_bytes": len(self.body)}


def web_page(record: WarcRecord, content: bytes) -> WebPage | None:
    """Return a record as a document, None for records that never are one, such as requests.

    Args:
        record: its headers.
        content: its whole block.

    Raises:
        NoPageError: an answer that is no page, such as an image or an error.
    """
    kind = (record.headers.get("WARC-Type") or "").lower()
    if kind == "conversion":
        return WebPage(_values(record, PLAIN), PLAIN, None, content)
    if kind not in ("response", "resource"):
        return None
    media, charset, body = record.headers.get("Content-Type") or "", None, content
    if media.startswith("application/http"):
        media, charset, body = _http(content)
    elif kind == "response":
        raise NoPageError("no HTTP")
    media = media.partition(";")[0].strip().lower()
    if media not in (*HTML, PLAIN):
        raise NoPageError(media or "no content type")
    return WebPage(_values(record, media), media, charset, body)


def _http(content: bytes) -> tuple[str, str | None, bytes]:
    """Return media type, encoding and body of an HTTP answer; raises ``NoPageError`` unless it is a success."""
    # Late: fastwarc.
    from fastwarc.warc import WarcRecord

    for decoding in _DECODINGS:
        answer = WarcRecord()
        answer.set_bytes_content(content)
        answer.is_http = True
        try:
            answer.parse_http(auto_decode=decoding)
            status = answer.http_headers.status_code
            body = answer.reader.read()
        except OSError:
            continue
        if status is None or not 200 <= status < 300:
            raise NoPageError(f"status {status}" if status else "no HTTP")
        if decoding != _DECODINGS[0] and b"\0" in body:
            raise NoPageError("unreadable body")
        # A body that is not packed as its headers say may also be read as empty.
        if body or decoding == _DECODINGS[-1]:
            return answer.http_headers.get("Content-Type") or "", answer.http_charset, body
    raise NoPageError("unreadable body")


def _values(record: WarcRecord, media: str) -> dict[str, Any]:
    address = record.headers.get("WARC-Target-URI")
    return {
        "url": None if address is None else address.strip("<>"),
        "date": _date(record.headers.get("WARC-Date")),
        "record_id": record.headers.get("WARC-Record-ID"),
        "content_type": media,
    }


def _date(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _decoded(body: bytes, charset: str | None) -> str:
    """Return a page as text: in the encoding its headers state, else in that which it states or looks like."""
    # Late: resiliparse.
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding, map_encoding_to_html5

    stated = map_encoding_to_html5(charset, False) if charset else None
    encoding = stated or detect_encoding(body, from_html_meta=True) or "utf-8"
    return str(bytes_to_str(body, encoding, "replace"))


def _main_content(page: str) -> str:
    # Late: resiliparse.
    from resiliparse.extract.html2text import extract_plain_text

    return str(extract_plain_text(page, main_content=True, alt_texts=False))

"""Columns that are never the text of a document: ids, addresses, hashes, dates, tool schemas, sources, constants."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median

ID_NAMES = ("id", "doc_id", "docid", "document_id", "_id", "uid", "uuid", "guid", "key", "identifier")
SOURCE_NAMES = ("source", "origin", "dataset", "data_source", "subset", "domain", "site", "collection", "distribution")
_ADDRESSES = ("url", "uri", "link", "href", "permalink", "path", "filepath", "file", "filename", "repo", "repository")
_HASHES = ("hash", "md5", "sha1", "sha256", "sha512", "sha", "digest", "checksum", "fingerprint", "simhash", "minhash")
_DATES = (
    "date",
    "time",
    "datetime",
    "timestamp",
    "created",
    "created_at",
    "updated",
    "updated_at",
    "published",
    "year",
)

_BY_NAME = (
    (ID_NAMES, ("_id", "_uuid"), "it is an id by its name"),
    (SOURCE_NAMES, (), "it is a source by its name"),
    (_ADDRESSES, ("_url", "_uri", "_path", "_filename"), "it is an address by its name"),
    (_HASHES, ("_hash", "_md5", "_sha1", "_sha256", "_digest"), "it is a hash by its name"),
    (_DATES, ("_date", "_time", "_at", "_timestamp"), "it is a date by its name"),
    (("tools", "functions"), (), "it describes tools by its name"),
)

_HASH = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?:[a-z0-9]+[:-])?[0-9a-f]{32,128}", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)\S+", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][0-9:.,]+ ?(?:Z|UTC|[+-]\d\d:?\d\d)?)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_PATH = re.compile(r"[!-~]*[/\\][!-~]*")
_CODE = re.compile(r"[!-~]*\d[!-~]*")

_CERTAIN = ((_HASH, "its values are ids or hashes"), (_ADDRESS, "its values are addresses"), (_DATE, "it holds dates"))
_LIKELY = ((_PATH, "its values are paths"), (_CODE, "its values are ids"))

CONSTANT = "it holds one and the same value"
FEW_WORDS = 3
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")


def why_never(name: str, values: Sequence[str | None]) -> str | None:
    """Return why a column cannot be the text, None if it can.

    Args:
        name: last name of its path.
        values: a sample of its values.
    """
    lower = name.lower()
    for names, endings, reason in _BY_NAME:
        if lower in names or lower.endswith(endings):
            return reason
    held = [value for value in values if value]
    likely = next((reason for kind, reason in _LIKELY if held and _all(kind, held)), None)
    return why_never_by_values(values) or likely


def why_never_by_values(values: Sequence[str | None]) -> str | None:
    """Return why the values alone rule a column out, None if they do not."""
    held = [value for value in values if value]
    for kind, reason in _CERTAIN:
        if held and _all(kind, held):
            return reason
    return CONSTANT if len(values) > 1 and len(set(values)) == 1 else None


def _all(kind: re.Pattern[str], values: Sequence[str]) -> bool:
    return all(kind.fullmatch(value.strip()) for value in values)


def has_few_words(values: Sequence[str | None]) -> bool:
    """Return whether the median of the non-NULL values is below ``FEW_WORDS`` words.

    In scripts without spaces two letters count as a word.
    """
    counts = [max(len(value.split()), len(_UNSPACED.findall(value)) // 2) for value in values if value]
    return not counts or median(counts) < FEW_WORDS
